# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent for Azure's own upgrades, and how often; and how what Azure tells of them is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet

from ..fake_azure import SUBSCRIPTION, WEB, FakeAzure
from ..refusals import refused

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
        (409, "OperationNotAllowed", problems.REFUSED),
        (409, "Conflict", problems.CONFLICT),
        (429, "TooManyRequests", problems.THROTTLED),
        (503, "ServerTimeout", problems.LOST),
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
    with refused("instance_ids_invalid"):
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


# (status, (code, last action, start, successful, in progress, pending)); recorded ones: contract/test_reading.py
OURS = [
    (
        {"code": "Cancelled", "lastAction": "Cancel", "startTime": "2018-05-03T16:44:40.7344148-07:00"},
        ("Cancelled", "Cancel", 1525391080.7344148, 1, 0, 1),
    ),
    (
        {"code": "RollingForward", "lastAction": "Start", "startTime": "2021-01-19T09:32:39.4113874+00:00"},
        ("RollingForward", "Start", 1611048759.4113874, 0, 1, 0),
    ),
    (
        {"code": "Completed", "lastAction": "Start", "startTime": "2023-03-24T06:27:49.1048703+00:00"},
        ("Completed", "Start", 1679639269.1048703, 2, 0, 0),
    ),
]


def read(document: Any) -> tuple[Any, ...]:
    found = reading.rolling_upgrade(document)
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
    found = reading.past_upgrade(
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
    assert reading.past_upgrade(broken).code == "" and reading.past_upgrade(broken).problem is None
    assert not reading.rolling_upgrade(broken).running
