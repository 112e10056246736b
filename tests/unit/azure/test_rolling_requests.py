# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent for Azure's own upgrades, and how often; and what Azure told of them from 2018 to 2023, read."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.steady.vmss.plugins.module_utils._azure import wire
from ansible_collections.steady.vmss.plugins.module_utils._azure.client import Azure, AzureError
from ansible_collections.steady.vmss.plugins.module_utils._azure.errors import problem_of_answer
from ansible_collections.steady.vmss.plugins.module_utils._rollout import problem
from ansible_collections.steady.vmss.plugins.module_utils._rollout.model import ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._rollout.problem import Refused

from .conftest import SUBSCRIPTION, WEB, FakeAzure

SET = ScaleSet(id=WEB, name="web", resource_group="rg", location="westus", etag='"1"')
POLL = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one"
POSTS = {
    "osRollingUpgrade": lambda azure: azure.start_os_upgrade(SET),
    "extensionRollingUpgrade": lambda azure: azure.start_extension_upgrade(SET),
    "rollingUpgrades/cancel": lambda azure: azure.cancel_rolling_upgrade(SET),
    "approveRollingUpgrade": lambda azure: azure.approve_upgrade(SET, ["0", "5"]),
    "virtualMachines/5/approveRollingUpgrade": lambda azure: azure.approve_upgrade(SET, ["5"]),
}


@pytest.mark.parametrize("path", POSTS)
def test_each_is_one_post(azure: Azure, arm: FakeAzure, path: str) -> None:
    arm.on("POST", f"{WEB}/{path}", (202, {"Azure-AsyncOperation": POLL, "Location": POLL + "?monitor=true"}, None))
    assert POSTS[path](azure).url == POLL
    assert [(method, sent.lower()) for method, sent in arm.sent()] == [("POST", f"{WEB}/{path}".lower())]
    body = arm.requests[0].body
    assert (json.loads(body) if body else None) == (
        {"instanceIds": ["0", "5"]} if path == "approveRollingUpgrade" else None
    )


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "OperationNotAllowed", problem.REFUSED),
        (409, "Conflict", problem.CONFLICT),
        (429, "TooManyRequests", problem.THROTTLED),
        (503, "ServerTimeout", problem.LOST),
    ],
)
def test_a_post_that_failed_is_never_sent_again(
    azure: Azure, arm: FakeAzure, path: str, status: int, code: str, kind: str
) -> None:
    arm.on("POST", f"{WEB}/{path}", (status, {"Retry-After": "1"}, {"error": {"code": code, "message": "Because."}}))
    with pytest.raises(AzureError, match=r"scale set web: .*Because") as raised:
        POSTS[path](azure)
    assert (raised.value.problem.kind, len(arm.requests)) == (kind, 1)


@pytest.mark.parametrize("ids", [[], ["*"], ["0", ""]])
def test_an_approval_names_its_instances(azure: Azure, arm: FakeAzure, ids: list[str]) -> None:
    with pytest.raises(Refused):
        azure.approve_upgrade(SET, ids)
    assert arm.requests == []


def test_history_follows_its_pages_and_a_set_without_one_has_none(azure: Azure, arm: FakeAzure) -> None:
    assert azure.os_upgrade_history(SET) == []
    entry = {"properties": {"runningStatus": {"code": "Faulted", "endTime": "2026-05-01T12:00:00Z"}}}
    more = f"https://management.azure.com:443{WEB}/osUpgradeHistory?$skiptoken=a"
    arm.on(
        "GET", f"{WEB}/osUpgradeHistory", (200, {}, {"value": [entry], "nextLink": more}), (200, {}, {"value": [{}]})
    )
    first, second = azure.os_upgrade_history(SET)
    assert (first.code, first.ended, second.code) == ("Faulted", 1777636800.0, "")


def test_lifecycle_events_are_asked_and_answered_by_an_api_that_knows_them(azure: Azure, arm: FakeAzure) -> None:
    event = {"name": "one", "properties": {"state": "Active"}}
    arm.on("GET", f"{WEB}/lifecycleHookEvents", (200, {}, {"value": [event]}))
    arm.on("PATCH", f"{WEB}/lifecycleHookEvents/one", (200, {}, event))
    assert azure.lifecycle_events(SET) == [event]
    assert azure.write_lifecycle_event(SET, "one", {"properties": {"waitUntil": "x"}}) == event
    assert [arm.query(index)["api-version"] for index in (0, 1)] == [["2025-11-01"]] * 2
    assert json.loads(arm.requests[1].body) == {"properties": {"waitUntil": "x"}}


# What the recordings hold: (file, (code, last action, start, successful, in progress, pending)).
NET2018 = "net2018__VMScaleSetRollingUpgradeTests__TestVMScaleSetRollingUpgradeAPIs.json"
HISTORY = "net2019__VMScaleSetRollingUpgradeTests__TestVMScaleSetRollingUpgradeHistory.json"
CANCELLED = ("Cancelled", "Cancel", 1525391080.7344148, 1, 0, 1)
ROLLING = ("RollingForward", "Start", 1611048759.4113874, 0, 1, 0)
COMPLETED = ("Completed", "Start", 1679639269.1048703, 2, 0, 0)
LATEST = [
    (NET2018, CANCELLED),
    ("py2021__test_compute_vmss_rolling_upgrades.yaml", ROLLING),
    ("azcli__hybrid_2018_03_01__test_vmss_rolling_upgrade.yaml", ("Completed", "Start", 1679636536.596173, 2, 0, 0)),
    ("azcli__hybrid_2020_09_01__test_vmss_rolling_upgrade.yaml", COMPLETED),
]

# The same documents in our own words, for a checkout that stands alone.
OURS = [
    ({"code": "Cancelled", "lastAction": "Cancel", "startTime": "2018-05-03T16:44:40.7344148-07:00"}, CANCELLED),
    (
        {"code": "RollingForward", "lastAction": "Start", "startTime": "2021-01-19T09:32:39.4113874+00:00"},
        ROLLING,
    ),
    ({"code": "Completed", "lastAction": "Start", "startTime": "2023-03-24T06:27:49.1048703+00:00"}, COMPLETED),
]


def read(document: Any) -> tuple[Any, ...]:
    found = wire.rolling_upgrade(document)
    counts = (found.counts["successful"], found.counts["in_progress"], found.counts["pending"])
    return (found.code, found.last_action, found.started, *counts)


@pytest.mark.parametrize(("status", "expected"), OURS)
def test_every_form_of_the_latest_upgrade_is_read(status: dict[str, str], expected: tuple[Any, ...]) -> None:
    names = ("successfulInstanceCount", "inProgressInstanceCount", "pendingInstanceCount")
    progress = dict(zip(names, expected[3:], strict=True))
    assert read({"properties": {"runningStatus": status, "progress": progress}}) == expected


@pytest.mark.parametrize("ended", ["completedTime", "endTime"])
def test_both_names_of_an_end_are_read(ended: str) -> None:
    status = {"code": "Completed", "startTime": "2019-10-05T20:40:58.2647773-07:00"}
    status[ended] = "2019-10-05T20:41:39.2030898-07:00"
    target = {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2012-R2-Datacenter",
        "version": "9.1",
    }
    rollback = {"successfullyRolledbackInstanceCount": 3, "failedRolledbackInstanceCount": 1}
    found = wire.past_upgrade(
        {
            "properties": {
                "runningStatus": status,
                "progress": {"failedInstanceCount": 3},
                "startedBy": "Platform",
                "targetImageReference": target,
                "rollbackInfo": {**rollback, "rollbackError": {"code": "E", "message": "m"}},
                "error": {"code": "C", "message": "why"},
            }
        }
    )
    assert (found.started, found.ended) == (1570333258.2647773, 1570333299.2030898)
    assert (found.started_by, str(found.target)) == (
        "Platform",
        "MicrosoftWindowsServer:WindowsServer:2012-R2-Datacenter:9.1",
    )
    assert (found.restored, found.not_restored, str(found.restore_problem)) == (3, 1, "E: m")
    assert (found.counts["failed"], str(found.problem)) == (3, "C: why")


@pytest.mark.parametrize("broken", [{}, {"properties": None}, {"properties": {"runningStatus": [], "error": {}}}])
def test_what_is_missing_or_odd_never_raises(broken: dict[str, Any]) -> None:
    assert wire.past_upgrade(broken).code == "" and wire.past_upgrade(broken).problem is None
    assert not wire.rolling_upgrade(broken).running


RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "azure" / "recordings"
recorded = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of Azure's traffic are not here")


def bodies(name: str, part: str) -> list[Any]:
    """The answers to GETs whose address holds `part`, in the order they were recorded."""
    text = (RECORDINGS / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        entries = json.loads(text)["Entries"]
        asked = [e for e in entries if e["RequestMethod"] == "GET" and part in e["RequestUri"]]
        return [json.loads(body) for e in asked if (body := e["ResponseBody"])]
    entries = yaml.safe_load(text)["interactions"]
    asked = [e for e in entries if e["request"]["method"] == "GET" and part in e["request"]["uri"]]
    return [json.loads(text) for entry in asked if (text := entry["response"]["body"]["string"])]


@recorded
@pytest.mark.parametrize(("name", "expected"), LATEST, ids=lambda value: value[0])
def test_recorded_upgrades_are_read_right(name: str, expected: tuple[Any, ...]) -> None:
    assert read(bodies(name, "/rollingUpgrades/latest")[-1]) == expected


@recorded
@pytest.mark.parametrize("name", [name for name, _expected in LATEST])
def test_every_recorded_look_at_an_upgrade_is_read_whole(name: str) -> None:
    looks = [body["properties"] for body in bodies(name, "/rollingUpgrades/latest") if "properties" in body]
    assert looks
    for shown in looks:
        status, progress = shown["runningStatus"], shown["progress"]
        found = wire.rolling_upgrade({"properties": shown})
        assert (found.code, found.last_action, found.policy) == (status["code"], status["lastAction"], shown["policy"])
        for seconds, text in ((found.started, "startTime"), (found.last_action_time, "lastActionTime")):
            assert seconds is not None and abs(seconds - moment(status[text])) < 1e-3
        assert found.counts == {
            "successful": progress["successfulInstanceCount"],
            "failed": progress["failedInstanceCount"],
            "in_progress": progress["inProgressInstanceCount"],
            "pending": progress["pendingInstanceCount"],
        }
        assert found.problem is None


def moment(text: str) -> float:
    """Azure's time without its seventh digit, read by other means than ours."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


@recorded
def test_recorded_refusals_and_failures_are_read_right() -> None:
    """A start that failed, a cancel with nothing to cancel, a mode that the set may not have."""
    name = "ps2018__TestVirtualMachineScaleSetRollingUpgrade.json"
    (failed,) = [body for body in bodies(name, "/operations/") if body.get("status") == "Failed"]
    operation = wire.operation(failed)
    assert (operation.status, str(operation.problem)) == (
        "Failed",
        "InternalExecutionError: An internal execution error occurred.",
    )
    refusals = {}
    for entry in json.loads((RECORDINGS / name).read_text(encoding="utf-8"))["Entries"]:
        if entry["StatusCode"] in (400, 409):
            found = problem_of_answer(entry["StatusCode"], {}, entry["ResponseBody"])
            refusals[found.code] = (found.kind, found.message)
    assert refusals["OperationNotAllowed"] == (
        problem.REFUSED,
        "There is no ongoing Rolling Upgrade to cancel.",
    )
    kind, message = refusals["BadRequest"]
    assert kind == problem.REFUSED and message.endswith("because a health probe was not provided.")


@recorded
def test_the_recorded_history_is_read_right() -> None:
    (body,) = bodies(HISTORY, "/osUpgradeHistory")
    (found,) = [wire.past_upgrade(item) for item in body["value"]]
    assert (found.code, found.started_by, found.counts["successful"]) == ("Completed", "User", 2)
    assert (found.started, found.ended) == (1570333258.2647773, 1570333299.2030898)
    assert found.target is not None and found.target.version == "9600.19463.1909091746"
    assert (found.problem, found.restored, found.not_restored) == (None, 0, 0)


@recorded
def test_the_recorded_operation_of_a_cancelled_upgrade_says_succeeded() -> None:
    """Why no operation is ever believed: Azure answers the same for an upgrade that was cancelled half way."""
    assert [body["properties"]["runningStatus"]["code"] for body in bodies(NET2018, "/rollingUpgrades/latest")][
        -1
    ] == "Cancelled"
    ended = [body for body in bodies(NET2018, "/operations/") if body.get("status") not in (None, "InProgress")]
    assert {wire.operation(body).status for body in ended} == {"Succeeded"}
