# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services suspended and instances protected: what Azure says of a write that fails is told, and soon."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    DeferredUpgradeRequest,
    InstanceProtectionRequest,
    LifecycleEventRequest,
    OrchestrationServiceRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import (
    deferred_upgrade,
    instance_protection,
    lifecycle_event,
    orchestration_service,
)
from ansible_collections.steady.vmss.plugins.plugin_utils import _journal_follower

from ..asking import request
from ..fake_azure import GROUP, SUBSCRIPTION, WEB, FakeAzure, FakeClock
from ..refusals import refused

POLL = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one"
STARTED = {"Azure-AsyncOperation": f"https://management.azure.com{POLL}"}
FAILED = {"status": "Failed", "error": {"code": "InternalExecutionError", "message": "An internal error."}}
PREEMPTED = {"status": "Canceled", "error": {"code": "OperationPreempted", "message": "By a newer one."}}
SET = {"resource_group": "rg", "name": "web", "timeout": 600}
SUSPEND = {**SET, "state": "Suspended", "services": ["AutomaticRepairs"]}
FLEXIBLE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"


def services(state: str) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"orchestrationServices": [{"serviceName": "AutomaticRepairs", "serviceState": state}]}


def posts(arm: FakeAzure) -> int:
    return sum(method == "POST" for method, _path in arm.sent())


def test_a_write_that_fails_is_sent_twice_and_told_in_azures_words(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", services("Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, FAILED))
    began = clock.now()
    with refused(
        "azure_failed", r"suspend AutomaticRepairs of scale set web: InternalExecutionError: An int", by=AzureError
    ):
        orchestration_service.set_state(azure, clock, request(OrchestrationServiceRequest, SUSPEND), check_mode=False)
    assert posts(arm) == 2 and clock.now() - began < 120


def test_a_write_that_was_preempted_is_sent_again(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", *[services("Running")] * 4, services("Suspended"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, PREEMPTED))
    assert orchestration_service.set_state(
        azure, clock, request(OrchestrationServiceRequest, SUSPEND), check_mode=False
    )[1] == {"AutomaticRepairs": "Suspended"}
    assert posts(arm) == 3


@pytest.mark.parametrize("behind", [60.0, 150.0])
def test_a_write_that_does_not_show_yet_is_not_sent_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock, behind: float
) -> None:
    """Azure did it, after all that ran before it, and its instance view is behind."""
    posted: list[float] = []
    took = 439.0

    def post(_request: object) -> Any:
        posted.append(clock.now())
        return 202, STARTED, None

    def view(_request: object) -> Any:
        return services("Suspended" if posted and clock.now() > posted[0] + took + behind else "Running")

    def poll(_request: object) -> Any:
        return 200, {}, {"status": "Succeeded" if clock.now() > posted[-1] + took else "InProgress"}

    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", view)
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", post)
    arm.on("GET", POLL, poll)
    options = {**SUSPEND, "timeout": 3600}
    assert orchestration_service.set_state(
        azure, clock, request(OrchestrationServiceRequest, options), check_mode=False
    )[1] == {"AutomaticRepairs": "Suspended"}
    assert posts(arm) == 1


def test_a_write_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    began = clock.now()
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", lambda _r: services("Suspended" if clock.now() > began + 60 else "Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (503, {}, None))
    orchestration_service.set_state(azure, clock, request(OrchestrationServiceRequest, SUSPEND), check_mode=False)
    assert posts(arm) == 1


def test_a_write_that_never_shows_is_sent_a_few_times_and_given_up(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", services("Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, {"status": "Succeeded"}))
    with refused("azure_unanswered", by=AzureError):
        orchestration_service.set_state(azure, clock, request(OrchestrationServiceRequest, SUSPEND), check_mode=False)
    assert posts(arm) <= 4


def flexible(arm: FakeAzure, *documents: dict[str, Any]) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web", "properties": {"orchestrationMode": "Flexible"}}))
    machine = {"name": "web_1", "properties": {"virtualMachineScaleSet": {"id": WEB}, "instanceView": {"statuses": []}}}
    arm.on("GET", FLEXIBLE, (200, {}, {"value": [machine]}))
    arm.on("GET", f"{WEB}/virtualMachines/web_1", *[(200, {}, one) for one in documents])


def test_protection_that_azure_does_not_show_is_not_guessed(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    flexible(arm, {"name": "web_1", "instanceId": "web_1"})
    options = {**SET, "instance_ids": ["web_1"], "from_scale_set_actions": False}
    with refused("protection_not_shown", r"web_1 .*web.*--protect-from-scale-set-actions false$"):
        instance_protection.protect(azure, clock, request(InstanceProtectionRequest, options), check_mode=False)
    assert {method for method, _path in arm.sent()} == {"GET"}


def test_protection_of_a_flexible_instance_is_lifted(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    def shown(value: bool) -> dict[str, Any]:
        policy = {"protectFromScaleIn": value, "protectFromScaleSetActions": value}
        return {"name": "web_1", "properties": {"protectionPolicy": policy}}

    flexible(arm, shown(True), shown(True), shown(False))
    arm.on("PUT", f"{WEB}/virtualMachines/web_1", (200, {}, {}))
    options = {**SET, "instance_ids": ["web_1"], "from_scale_set_actions": False, "from_scale_in": False}
    before, after, _warnings = instance_protection.protect(
        azure, clock, request(InstanceProtectionRequest, options), check_mode=False
    )
    assert before == {"web_1": {"from_scale_in": True, "from_scale_set_actions": True}}
    assert after == {"web_1": {"from_scale_in": False, "from_scale_set_actions": False}}
    (put,) = [request for request in arm.requests if request.method == "PUT"]
    assert json.loads(put.body or b"") == {
        "name": "web_1",
        "properties": shown(False)["properties"],
    }


def test_protection_that_is_not_asked_for_stays_as_another_client_sets_it(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    """The list shows none; before our write another client protects the instance from the scale set's actions."""
    stored: dict[str, Any] = {"protectFromScaleIn": True, "protectFromScaleSetActions": True}

    def put(request: Any) -> tuple[int, dict[str, str], Any]:
        stored.clear()
        stored.update(json.loads(request.body)["properties"]["protectionPolicy"])
        return 200, {}, {}

    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    machine: dict[str, Any] = {"instanceId": "1", "properties": {"protectionPolicy": {}}}
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [machine]}))
    arm.on(
        "GET",
        f"{WEB}/virtualMachines/1",
        lambda _request: (200, {}, {"instanceId": "1", "properties": {"protectionPolicy": dict(stored)}}),
    )
    arm.on("PUT", f"{WEB}/virtualMachines/1", put)
    options = {**SET, "instance_ids": ["1"], "from_scale_in": True}
    _before, after, _warnings = instance_protection.protect(
        azure, clock, request(InstanceProtectionRequest, options), check_mode=False
    )
    assert after == {"1": {"from_scale_in": True, "from_scale_set_actions": True}}
    assert not [method for method, _path in arm.sent() if method == "PUT"], "it stands already"
    instance_protection.protect(
        azure,
        clock,
        request(InstanceProtectionRequest, {**options, "from_scale_in": None, "from_scale_set_actions": False}),
        check_mode=False,
    )
    machine["properties"]["protectionPolicy"] = {"protectFromScaleIn": True, "protectFromScaleSetActions": True}
    instance_protection.protect(
        azure,
        clock,
        request(InstanceProtectionRequest, {**options, "from_scale_in": None, "from_scale_set_actions": False}),
        check_mode=False,
    )
    assert stored == {"protectFromScaleIn": True, "protectFromScaleSetActions": False}


EVENTS = f"{WEB}/lifecycleHookEvents"


class Hooks:
    """Events that remember their answers. `at`: after this read of the list another operator rejects the last."""

    def __init__(self, arm: FakeAzure, *names: str, at: int | None = None, stores: bool = True) -> None:
        self.states = dict.fromkeys(names, "Waiting")
        self.at, self.stores, self.reads = at, stores, 0
        arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
        arm.on("GET", EVENTS, self._list)
        for name in names:
            arm.on("PATCH", f"{EVENTS}/{name}", self._patch)

    def _list(self, _request: Any) -> tuple[int, dict[str, str], Any]:
        self.reads += 1
        items = []
        for name, state in self.states.items():
            target = {"resource": {"id": f"{WEB}/virtualMachines/{name[-1]}"}, "actionState": state}
            active = "Active" if state == "Waiting" else "Completed"
            items.append({"name": name, "properties": {"state": active, "targetResources": [target]}})
        if self.reads == self.at:
            self.states[next(reversed(self.states))] = "Rejected"
        return 200, {}, {"value": items}

    def _patch(self, request: Any) -> tuple[int, dict[str, str], Any]:
        if self.stores:
            (target,) = json.loads(request.body)["properties"]["targetResources"]
            self.states[str(request.url).partition("?")[0].rpartition("/")[2]] = target["actionState"]
        return 200, {}, {}


def patches(arm: FakeAzure) -> list[str]:
    return [path.rpartition("/")[2] for method, path in arm.sent() if method == "PATCH"]


ANSWER = {"state": "approved", "instance_ids": []}


def test_each_event_is_judged_as_it_is_at_its_answer(azure: Azure, arm: FakeAzure) -> None:
    hooks = Hooks(arm, "e1", "e2", at=1)
    with refused("event_closed", r"event e2 .*2 rejected\. Answered before that: e1\.$"):
        lifecycle_event.set_state(azure, request(LifecycleEventRequest, ANSWER), check_mode=False)
    assert patches(arm) == ["e1"] and hooks.states["e2"] == "Rejected"


def test_an_answer_that_azure_does_not_show_is_a_failure(azure: Azure, arm: FakeAzure) -> None:
    Hooks(arm, "e1", stores=False)
    with refused("write_not_stored", r"web: .*e1: 1 is Waiting, not Approved"):
        lifecycle_event.set_state(azure, request(LifecycleEventRequest, ANSWER), check_mode=False)


def test_answers_are_read_back(azure: Azure, arm: FakeAzure) -> None:
    Hooks(arm, "e1", "e2")
    _before, after = lifecycle_event.set_state(azure, request(LifecycleEventRequest, ANSWER), check_mode=False)
    assert [one["targets"][0]["state"] for one in after] == ["Approved", "Approved"]
    late = {**ANSWER, "state": "rejected", "event": "e1"}
    with refused("event_closed", "1 approved"):
        lifecycle_event.set_state(azure, request(LifecycleEventRequest, late), check_mode=False)


def outdated(arm: FakeAzure, state: str = "Succeeded") -> None:
    """One instance, to which an upgrade would come that waits for approval."""
    policy = {"automaticOSUpgradePolicy": {"osRollingUpgradeDeferral": True}}
    image = {"publisher": "p", "offer": "o", "sku": "s", "version": "2.0.0"}
    profile = {"storageProfile": {"imageReference": image}}
    properties = {"upgradePolicy": policy, "virtualMachineProfile": profile, "provisioningState": state}
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web", "location": "westus", "properties": properties}))
    versions = (
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/p/artifacttypes/vmimage/"
        "offers/o/skus/s/versions"
    )
    arm.on("GET", versions, (200, {}, [{"name": "2.0.0"}]))
    storage = {"imageReference": {**image, "exactVersion": "1.0.0"}}
    machine = {"instanceId": "1", "properties": {"storageProfile": storage, "provisioningState": "Succeeded"}}
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [machine]}))


@pytest.mark.parametrize(
    ("running", "state", "fails"), [(False, "Succeeded", False), (True, "Succeeded", True), (False, "Deleting", True)]
)
def test_only_where_nothing_runs_nothing_waits_for_approval(
    azure: Azure, arm: FakeAzure, clock: FakeClock, running: bool, state: str, fails: bool
) -> None:
    outdated(arm, state)
    code = "RollingForward" if running else "Completed"
    arm.on("GET", f"{WEB}/rollingUpgrades/latest", (200, {}, {"properties": {"runningStatus": {"code": code}}}))
    refusal = {"error": {"code": "OperationNotAllowed", "message": "It is marked for deletion."}}
    arm.on("POST", f"{WEB}/virtualMachines/1/approveRollingUpgrade", (409, {}, refusal))
    if fails:
        with pytest.raises(AzureError, match="marked for deletion"):
            deferred_upgrade.approve(
                azure, clock, request(DeferredUpgradeRequest, {**SET, "instance_ids": []}), check_mode=False
            )
    else:
        done = deferred_upgrade.approve(
            azure, clock, request(DeferredUpgradeRequest, {**SET, "instance_ids": []}), check_mode=False
        )
        assert done.approved == () and "no approval is pending" in done.note


BUSY = (409, {}, {"error": {"code": "Conflict", "message": "Another operation runs."}})


def suspend(azure: Azure, arm: FakeAzure, clock: FakeClock, journal: str) -> None:
    arm.on("GET", f"{WEB}/instanceView", *[services("Running")] * 3, services("Suspended"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", BUSY, (202, STARTED, None))
    asked = request(OrchestrationServiceRequest, {**SUSPEND, "journal": journal})
    orchestration_service.set_state(azure, clock, asked, check_mode=False)


def protect(azure: Azure, arm: FakeAzure, clock: FakeClock, journal: str) -> None:
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [{"instanceId": "1", "properties": {}}]}))
    now: dict[str, Any] = {"instanceId": "1", "properties": {}}
    then = {**now, "properties": {"protectionPolicy": {"protectFromScaleIn": True}}}
    arm.on("GET", f"{WEB}/virtualMachines/1", (200, {}, now), (200, {}, now), (200, {}, then))
    arm.on("PUT", f"{WEB}/virtualMachines/1", BUSY, (200, STARTED, {}))
    options = {**SET, "instance_ids": ["1"], "from_scale_in": True, "journal": journal}
    instance_protection.protect(azure, clock, request(InstanceProtectionRequest, options), check_mode=False)


def approve(azure: Azure, arm: FakeAzure, clock: FakeClock, journal: str) -> None:
    outdated(arm)
    arm.on("POST", f"{WEB}/virtualMachines/1/approveRollingUpgrade", BUSY, (202, STARTED, None))
    asked = request(DeferredUpgradeRequest, {**SET, "instance_ids": [], "journal": journal})
    deferred_upgrade.approve(azure, clock, asked, check_mode=False)


@pytest.mark.parametrize(
    ("module", "run"),
    [("orchestration_service", suspend), ("instance_protection", protect), ("deferred_upgrade", approve)],
)
def test_whoever_waits_sees_what_the_module_waits_for(
    azure: Azure, arm: FakeAzure, clock: FakeClock, module: str, run: Callable[..., None], tmp_path: Path
) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", POLL, (200, {}, {"status": "Succeeded"}))
    journal = tmp_path / "journal.jsonl"
    run(azure, arm, clock, str(journal))
    action = importlib.import_module(f"ansible_collections.steady.vmss.plugins.action.{module}").ActionModule
    assert issubclass(action, _journal_follower.ActionModule)
    lines = list(_journal_follower.shown(journal.read_bytes().splitlines(), "rg/web", action.words))
    said = [line.partition("rg/web: ")[2] for line in lines]
    begins = ("asks Azure to", "waits to", "asks Azure to", "it is done:")
    assert len(said) == 4 and all(line.startswith(words) for line, words in zip(said, begins, strict=True)), said
    assert "Conflict: Another operation runs." in said[1]
