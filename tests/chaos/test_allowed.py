# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A chaos run may warn only of what its seed has drawn, and after it something happens only to who is in service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import test_faults
from draw import NAME, NEW, OLD, RECORD, Case
from good_rollout import Rollout, instance

RECORDED, OPEN, ADDED = "is not recorded", "stays open, and its next run closes it", "since the write scale set"
SKIPPED = "were skipped, because"


def case(*events: dict[str, Any], faults: tuple[dict[str, Any], ...] = ()) -> Case:
    scale_set = {"instances": {}, "health": "rich"}
    return replace(Rollout.good().case, scenario={"scale_sets": [scale_set], "events": events, "faults": faults})


@pytest.mark.parametrize(
    ("drawn", "allowed"),
    [
        (case(), []),
        (case({"do": "fail"}, {"do": "protect"}, {"do": "expire_tokens"}, {"do": "work"}), []),
        (case(faults=({"action": "reset"},)), [OPEN]),
        (case({"do": "preempt"}), [OPEN]),
        (case({"do": "policy"}), [OPEN, ADDED]),
        (case({"do": "write", "patch": {"tags": {"owner": "another team"}}}), [OPEN, ADDED]),
        (case({"do": "write", "patch": {"tags": {RECORD: "dead"}}}), [RECORDED, OPEN, ADDED]),
        (case({"do": "write", "patch": {"properties": {"virtualMachineProfile": {}}}}), [RECORDED, OPEN, ADDED]),
    ],
)
def test_a_warning_needs_what_was_drawn(drawn: Case, allowed: list[str]) -> None:
    assert test_faults.warnings(drawn) == allowed


@pytest.mark.parametrize(("busy", "allowed"), [("skip", [SKIPPED]), ("wait", [])])
def test_only_a_rollout_that_skips_the_busy_warns_of_them(busy: str, allowed: list[str]) -> None:
    drawn = case({"do": "work"})
    drawn.variables["rollout_busy"] = busy
    assert test_faults.warnings(drawn) == allowed


class Azure:
    """What `something_happens` reads and does."""

    def __init__(self, instances: dict[str, Any]) -> None:
        self.instances = instances
        self.events: list[dict[str, Any]] = []

    def state(self) -> dict[str, Any]:
        return {"scale_sets": {NAME: {"instances": self.instances}}}

    def metrics(self) -> dict[str, Any]:
        return {}

    def timeline(self) -> list[dict[str, Any]]:
        return []

    def event(self, event: dict[str, Any]) -> None:
        self.events.append(event)


@pytest.mark.parametrize("in_service", [True, False])
def test_only_who_is_in_service_falls_sick_and_not_only_the_rollout_s(in_service: bool) -> None:
    struck = set()
    for seed in range(60):
        sleeps = instance(OLD, 0) | {"power": "deallocated", "available": False}
        azure = Azure({"0": sleeps})
        if in_service:
            azure.instances |= {"1": instance(NEW, 1), "2": instance(OLD, 0) | {"protect_actions": True}}
        test_faults.something_happens(replace(case(), seed=seed), azure)  # type: ignore[arg-type]
        struck |= {event["instance"] for event in azure.events}
    assert struck == ({"1", "2"} if in_service else set())
