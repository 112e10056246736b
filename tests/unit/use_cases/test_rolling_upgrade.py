# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole call of the module rolling_upgrade over the real SDK: which upgrade it is about, and when it gives up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Failure
from ansible_collections.steady.vmss.plugins.module_utils._options import RollingUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rolling_upgrade

from ..asking import request
from ..fake_azure import SUBSCRIPTION, WEB, Answer, FakeAzure, FakeClock
from ..refusals import refused
from ..stored import HEALTH, POLL, PREEMPTED, REFERENCE, Stored
from .test_proof import STARTED

GONE: Answer = (404, {}, {"error": {"code": "ResourceNotFound", "message": "The Resource 'web' was not found."}})
VERSIONS = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/Canonical/artifacttypes/"
    "vmimage/offers/ubuntu/skus/server/versions"
)
OPTIONS: dict[str, Any] = {
    "resource_group": "rg",
    "name": "web",
    "state": "completed",
    "type": "os",
    "timeout": 14400,
    "health_timeout": 300,
    "poll_interval": 30,
}
LATEST = f"{WEB}/rollingUpgrades/latest"
HISTORY = f"{WEB}/osUpgradeHistory"
A, B = "2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"


def latest(code: str, started: str = A, **status: str) -> Answer:
    return 200, {}, {"properties": {"runningStatus": {"code": code, "startTime": started, **status}, "progress": {}}}


def history(code: str, started: str = A) -> Answer:
    running = {"code": code, "startTime": started}
    target = {**REFERENCE, "version": "2.0.0"}
    entry = {"runningStatus": running, "startedBy": "User", "targetImageReference": target}
    return 200, {}, {"value": [{"properties": entry}]}


@pytest.fixture
def web(arm: FakeAzure) -> Stored:
    stored = Stored(arm, HEALTH)
    stored.change(virtualMachineProfile={"storageProfile": {"imageReference": {"version": "latest"}}})
    image = {**REFERENCE, "version": "latest", "exactVersion": "1.0.0"}
    statuses = [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]
    view = {"statuses": statuses, "vmHealth": {"status": {"code": "HealthState/healthy"}}}
    properties = {"provisioningState": "Succeeded", "storageProfile": {"imageReference": image}, "instanceView": view}
    stored.instances = [{"instanceId": str(n), "name": f"web_{n}", "properties": properties} for n in range(2)]
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}, {"name": "2.0.0"}]))
    return stored


def run(azure: Azure, clock: FakeClock, **options: Any) -> tuple[dict[str, Any], Failure | None]:
    return rolling_upgrade.run(azure, clock, request(RollingUpgradeRequest, {**OPTIONS, **options}), check_mode=False)


def test_a_set_that_is_deleted_meanwhile_ends_the_wait(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored
) -> None:
    arm.on("GET", LATEST, latest("RollingForward"), latest("RollingForward"), GONE)
    arm.on("GET", HISTORY, history("RollingForward"))
    began, looks = clock.now(), len(arm.requests)
    web.at = {1: lambda: arm.on("GET", WEB, GONE)}
    result, failure = run(azure, clock)
    assert result["rollout_result"]["outcome"] == "failed" and web.writes() == []
    assert failure and failure.code == "azure_not_found" and "ResourceNotFound" in failure.message
    assert clock.now() - began < 600 and len(arm.requests) - looks < 30


@pytest.mark.parametrize("state", ["completed", "cancelled"])
def test_the_upgrade_that_is_meant_is_the_earlier_calls(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored, state: str
) -> None:
    arm.on("GET", LATEST, latest("RollingForward", B))
    arm.on("GET", HISTORY, history("Faulted"))
    result, _failed = run(azure, clock, state=state, upgrade_started=A)
    assert (result["rollout_result"]["outcome"], result["upgrade_started"]) == ("stopped", A)
    assert web.writes() == [], "the one that runs is neither cancelled nor taken for it"


@pytest.mark.parametrize("known", ["none", A])
def test_one_that_came_and_failed_since_the_plan_is_not_started_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored, known: str
) -> None:
    arm.on("GET", LATEST, latest("Faulted", B))
    arm.on("GET", HISTORY, history("Faulted", B))
    result, failed = run(azure, clock, upgrade_known=known)
    assert (result["rollout_result"]["outcome"], result["adopted"]) == ("stopped", True) and failed
    assert web.writes() == []


@pytest.mark.parametrize("named", [{"upgrade_known": "none"}, {"upgrade_started": A}], ids=["came since", "named"])
@pytest.mark.parametrize(
    ("first", "state", "changed"),
    [("Completed", "started", False), ("Completed", "completed", False), ("RollingForward", "completed", True)],
)
def test_what_an_upgrade_did_that_was_over_before_is_no_change(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored, named: Any, first: str, state: str, changed: bool
) -> None:
    arm.on("GET", LATEST, latest(first), latest("Completed"))
    arm.on("GET", HISTORY, (200, {}, {"value": []}))
    result, failed = run(azure, clock, type="extensions", state=state, **named)
    assert (failed, result["rollout_result"]["outcome"], web.writes()) == (None, "upgraded", [])
    assert (result["changed"], bool(result["diff"]["after"])) == (changed, changed)


def test_a_plan_says_what_it_has_seen(azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored) -> None:
    planned, _failed = rolling_upgrade.run(azure, clock, request(RollingUpgradeRequest, OPTIONS), check_mode=True)
    assert (planned["planned"], planned["upgrade_known"], planned["upgrade_started"]) == ("start", "none", None)
    arm.on("GET", LATEST, latest("Faulted"))
    planned, _failed = rolling_upgrade.run(azure, clock, request(RollingUpgradeRequest, OPTIONS), check_mode=True)
    assert (planned["planned"], planned["upgrade_known"], planned["upgrade_started"]) == ("start", A, None)
    arm.on("GET", LATEST, latest("RollingForward"))
    for shown, adopted in ((history("RollingForward"), A), (history("Completed", B), None)):
        arm.on("GET", HISTORY, shown)
        planned, _failed = rolling_upgrade.run(azure, clock, request(RollingUpgradeRequest, OPTIONS), check_mode=True)
        assert (planned["planned"], planned["upgrade_known"], planned["upgrade_started"]) == ("wait", A, adopted)
    assert web.writes() == []


@pytest.mark.parametrize("name", ["upgrade_known", "upgrade_started"])
def test_what_is_no_time_is_refused(azure: Azure, clock: FakeClock, web: Stored, name: str) -> None:
    with refused("option_invalid", f"{name} 'soon'"):
        run(azure, clock, **{name: "soon"})
    assert web.writes() == []


START = f"{WEB}/osRollingUpgrade"
BUSY: Answer = (409, {}, {"error": {"code": "Conflict", "message": "Another operation runs."}})
PINNED = {"storageProfile": {"imageReference": {"version": "1.0.0"}}}


def started(web: Stored) -> list[str]:
    return [one for one in web.writes() if one == "POST osRollingUpgrade"]


def test_every_condition_is_asked_again_at_each_send_of_a_start(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored
) -> None:
    def busy(_request: object) -> Answer:
        web.change(virtualMachineProfile=PINNED)
        return BUSY

    arm.on("POST", START, busy)
    result, failed = run(azure, clock)
    assert failed and failed.code == "not_ready" and "pins image" in failed.message
    assert "nothing was written" in failed.message and len(started(web)) == 1
    assert [one["code"] for one in result["findings"] if one["severity"] == "error"] == ["image_pinned"]
    assert (result["changed"], result["put_back"]) == (False, [])


@pytest.mark.parametrize("reads", [1, 2])
def test_a_start_rests_on_a_read_of_the_set_made_right_before_it(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored, reads: int
) -> None:
    """What another client writes while all else is read is seen, and so is a second write while all is asked again."""
    web.at = {1: lambda: web.change(automaticRepairsPolicy={"enabled": True})}
    web.at[reads] = lambda: web.change(virtualMachineProfile=PINNED)
    arm.on("POST", START, (202, {}, None))
    _result, failed = run(azure, clock)
    assert failed and failed.code == "not_ready" and started(web) == []


def test_a_set_that_changes_at_each_read_is_not_upgraded(azure: Azure, clock: FakeClock, web: Stored) -> None:
    web.at = {n: lambda: web.change(automaticRepairsPolicy={"enabled": False}) for n in range(1, 100)}
    _result, failed = run(azure, clock)
    assert failed and failed.code == "azure_precondition" and web.writes() == [] and web.reads < 10


def test_a_start_refused_after_an_accepted_one_does_not_say_that_nothing_was_written(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored
) -> None:
    def preempted(_request: object) -> Answer:
        web.change(virtualMachineProfile=PINNED)
        return 200, {}, PREEMPTED

    arm.on("POST", START, (202, {"Azure-AsyncOperation": f"https://management.azure.com{POLL}"}, None))
    arm.on("GET", POLL, preempted)
    _result, failed = run(azure, clock)
    assert failed and failed.code == "not_ready" and len(started(web)) == 1
    assert "nothing was written" not in failed.message
    assert "Before that, this call sent: start a rolling OS upgrade of scale set web (accepted). 1) " in failed.message


def test_a_pinned_model_that_everything_runs_is_no_success(azure: Azure, clock: FakeClock, web: Stored) -> None:
    web.change(virtualMachineProfile=PINNED)
    for state in ("started", "completed"):
        with refused("not_ready", "Write Canonical:ubuntu:server:latest into the model"):
            run(azure, clock, state=state)
    assert web.writes() == []


@pytest.mark.parametrize("protected", [False, True])
def test_a_start_that_azure_would_refuse_for_the_instances_is_not_sent(
    azure: Azure, clock: FakeClock, web: Stored, protected: bool
) -> None:
    """Only the scale set's own model has been written."""
    pinned = {"storageProfile": {"imageReference": {**REFERENCE, "version": "1.0.0"}}}
    for one in web.instances:
        one["properties"] = {**one["properties"], **pinned}
    if protected:  # it follows the newest, and Azure does not touch it
        web.instances[0]["properties"] |= {
            "storageProfile": {"imageReference": {**REFERENCE, "version": "latest", "exactVersion": "1.0.0"}},
            "protectionPolicy": {"protectFromScaleSetActions": True},
        }
    with refused("not_ready", "no instance has that model yet"):
        run(azure, clock)
    assert web.writes() == []


EXPIRED = "AADSTS7000222: The provided client secret keys for app 'c' are expired."


@pytest.mark.parametrize("lost", ["the start", "the look"])
def test_a_sign_in_that_ends_in_the_middle_tells_what_was_read_last(
    azure: Azure, arm: FakeAzure, clock: FakeClock, web: Stored, lost: str
) -> None:
    def signs_in_no_more(_request: object) -> Answer:
        arm.token_answers = [(401, {}, {"error": "invalid_client", "error_description": EXPIRED})] * 9
        return 401, {}, {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}

    if lost == "the start":
        arm.on("POST", START, signs_in_no_more)
    else:
        arm.on("POST", START, (202, STARTED, ""))
        arm.on("GET", LATEST, (404, {}, {"error": {"code": "NotFound", "message": "none"}}), signs_in_no_more)
    result, failed = run(azure, clock)
    assert failed is not None and failed.code == "sign_in_refused"
    for words in ("AADSTS7000222", "scale set web (resource group rg)", "As last read at 20", "Of 2 instances 2 run"):
        assert words in failed.message, failed.message
    assert "steady.vmss.trigger_os_upgrade" in failed.message
    assert ("did not start" in failed.message) == (lost == "the start")
    assert result["rollout_result"]["outcome"] == "failed" and len(started(web)) <= 1
