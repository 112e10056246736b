# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of Azure's upgrade to somebody who waits."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import messages

COUNTS = {"successful": 12, "in_progress": 20, "pending": 67, "failed": 1}
SAID: list[tuple[dict[str, t.Any], str]] = [
    ({"event": "waiting", "reason": "It is late", "until": "05:00"}, "It is late; waits until 05:00 at most"),
    ({"event": "upgrade_sent"}, "Azure accepted the request to start"),
    ({"event": "cancel_sent"}, "Azure accepted the cancellation and finishes the batch in progress"),
    ({"event": "request_failed", "problem": "Conflict: {busy}"}, "the request failed: Conflict: {busy}"),
    ({"event": "adopted", "upgrade_started": "02:00", **COUNTS}, "follows the upgrade that has run since 02:00"),
    ({"event": "started", "upgrade_started": None, **COUNTS}, "the upgrade started at an unknown time"),
    (
        {"event": "progress", "code": "RollingForward", **COUNTS},
        "RollingForward: 12 of 100 instances successful, 20 in progress, 67 pending, 1 failed",
    ),
    ({"event": "verifying"}, "Azure shows no upgrade in progress any more; verifies the instances"),
    ({"event": "upgraded", "instance": "3", "why": ""}, ""),
    ({"event": "ended", "outcome": "upgraded"}, ""),
    # of instance_upgrade, in the same journal
    ({"event": "waiting", "reason": "busy"}, ""),
    ({"event": "adopted", "batch": 1, "instances": ["0"]}, ""),
    ({}, ""),
]


RUNNING = {"running": True}
CALL: dict[str, t.Any] = {
    "changed": True,
    "before": RUNNING,
    "rollout_result": {"code": "upgrade_cancelled", "why": "it was cancelled"},
    "done": ["0"],
    "not_done": ["1"],
    "left_alone": {"2": "deallocated"},
    "unproven": {},
}
COUNTED = "Upgraded: 0. Not upgraded: 1, 2."


@pytest.mark.parametrize(
    ("members", "check_mode", "said"),
    [
        ({}, False, f"Cancelled. {COUNTED}"),
        ({"changed": False}, False, f"Cancelled. {COUNTED}"),
        ({"changed": False, "before": None}, False, "No rolling upgrade runs."),
        ({"changed": False, "before": {"running": False}}, True, "No rolling upgrade runs."),
        ({"rollout_result": {"code": None, "why": ""}}, True, f"It would be cancelled. {COUNTED}"),
        ({"rollout_result": {"code": None, "why": "it ended"}}, False, f"Not cancelled: it ended. {COUNTED}"),
    ],
)
def test_how_a_cancellation_ended(members: dict[str, t.Any], check_mode: bool, said: str) -> None:
    assert messages.cancellation({**CALL, **members}, check_mode=check_mode) == said


@pytest.mark.parametrize(("event", "said"), SAID, ids=[str(event.get("event")) for event, _said in SAID])
def test_each_event_has_its_words(event: dict[str, t.Any], said: str) -> None:
    assert messages.progress(event) == said
