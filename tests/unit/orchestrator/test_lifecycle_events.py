# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is answered to Azure's lifecycle hook events, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import lifecycle_events
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.lifecycle_events import (
    APPROVED,
    REJECTED,
    WAITING,
    Target,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import lifecycle_event

from ..refusals import refused

SET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web"
DOCUMENT = {
    "name": "one",
    "properties": {
        "type": "UpgradeAutoOSRollingBatchStarting",
        "waitUntil": "2026-05-01T12:00:00.6844555+00:00",
        "maxWaitUntil": "2026-05-01T15:00:00.6844555+00:00",
        "timeCreated": "2026-05-01T11:00:00.6844555+00:00",
        "defaultAction": "Approve",
        "targetResources": [
            {"resource": {"id": f"{SET}/virtualMachines/2"}, "actionState": "Waiting"},
            {"resource": {"id": f"{SET}/virtualMachines/3"}, "actionState": "Approved"},
        ],
        "state": "Active",
    },
}
EVENT = lifecycle_event.read(DOCUMENT)
NOON = 1777636800.0


def states(body: dict[str, object] | None) -> list[str] | None:
    return [one["actionState"] for one in body["properties"]["targetResources"]] if body else None  # type: ignore[index]


def test_an_event_is_read() -> None:
    assert (EVENT.name, EVENT.active, EVENT.default_action) == ("one", True, "Approve")
    assert [(one.instance_id, one.state) for one in EVENT.targets] == [("2", WAITING), ("3", APPROVED)]
    assert [one.instance_id for one in EVENT.waiting] == ["2"]
    assert EVENT.as_dict()["wait_until"] == "2026-05-01T12:00:00Z"
    assert lifecycle_event.read({"properties": {"targetResources": [{"resource": {"id": SET}}]}}).targets == (
        Target(SET, "", ""),
    )


@pytest.mark.parametrize("broken", [{}, {"properties": None}, {"properties": {"targetResources": "odd", "state": 3}}])
def test_an_odd_event_never_raises(broken: dict[str, object]) -> None:
    assert lifecycle_event.read(broken).waiting == []


@pytest.mark.parametrize(
    ("state", "ids", "expected"),
    [
        (APPROVED, [], [APPROVED, APPROVED]),
        (REJECTED, [], [REJECTED, APPROVED]),
        (APPROVED, ["2"], [APPROVED, APPROVED]),
        (APPROVED, ["3"], None),
    ],
)
def test_an_answer_names_every_target_and_changes_those_asked_for(
    state: str, ids: list[str], expected: list[str] | None
) -> None:
    assert states(lifecycle_events.answer(EVENT, state, ids)) == expected


def test_a_word_that_comes_too_late_is_refused_and_a_repeated_one_is_not() -> None:
    with refused("event_closed", "3 approved"):
        lifecycle_events.answer(EVENT, REJECTED, ["3"])
    over = replace(EVENT, active=False)
    for ids in ([], ["2"]):
        with refused("event_closed", r"event one .*\(Approve\): 2"):
            lifecycle_events.answer(over, APPROVED, ids)
    expired = replace(over, targets=tuple(replace(one, state=REJECTED) for one in EVENT.targets))
    with refused("event_closed", "2, 3 rejected"):
        lifecycle_events.answer(expired, APPROVED, [])
    assert lifecycle_events.answer(expired, REJECTED, []) is None


def test_what_azure_does_not_show_of_an_answer() -> None:
    asked = lifecycle_events.patched(EVENT, lifecycle_events.answer(EVENT, REJECTED, ["2"]))
    assert lifecycle_events.not_stored(asked, asked) == ""
    assert lifecycle_events.not_stored(asked, EVENT) == "lifecycle hook event one: 2 is Waiting, not Rejected"
    assert lifecycle_events.not_stored(asked, None) == "lifecycle hook event one is gone"
    later = lifecycle_events.patched(EVENT, lifecycle_events.delay(EVENT, NOON + 3600))
    assert "it waits until 2026-05-01T12:00:00Z, not 2026-05-01T13:00:00Z" in lifecycle_events.not_stored(later, EVENT)


def test_the_choice_of_events() -> None:
    over = replace(EVENT, name="two", active=False)
    assert lifecycle_events.chosen([EVENT, over], "", [], "web") == [(EVENT, [])]
    assert lifecycle_events.chosen([EVENT, over], "TWO", ["3"], "web") == [(over, ["3"])]
    other = replace(EVENT, name="three", targets=(Target("x", "9", WAITING),))
    assert lifecycle_events.chosen([EVENT, other], "", ["9"], "web") == [(other, ["9"])]
    with refused("event_not_found", r"event four\. It has: one, two"):
        lifecycle_events.chosen([EVENT, over], "four", [], "web")
    with refused("event_not_found", "instance 7"):
        lifecycle_events.chosen([EVENT], "", ["7"], "web")


def test_a_delay_within_azures_limit() -> None:
    assert lifecycle_events.delay(EVENT, NOON - 60) is None
    assert lifecycle_events.delay(EVENT, NOON + 3600) == {"properties": {"waitUntil": "2026-05-01T13:00:00Z"}}
    with refused("event_delay_too_long", "2026-05-01T15:00:00Z"):
        lifecycle_events.delay(EVENT, NOON + 5 * 3600)
    with refused("event_closed"):
        lifecycle_events.delay(replace(EVENT, active=False), NOON + 3600)


def test_a_patched_event_is_what_azure_will_show() -> None:
    after = lifecycle_events.patched(EVENT, lifecycle_events.answer(EVENT, REJECTED, ["2"]))
    assert [(one.instance_id, one.state) for one in after.targets] == [("2", REJECTED), ("3", APPROVED)]
    later = lifecycle_events.patched(EVENT, lifecycle_events.delay(EVENT, NOON + 3600))
    assert (later.wait_until, later.targets) == (NOON + 3600, EVENT.targets)
    assert lifecycle_events.patched(EVENT, None) == EVENT
