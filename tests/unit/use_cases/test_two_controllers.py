# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers begin the same rollout at the same moment: the second goes on with the record that stands."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._rollout import record

from ..play import NEW, OLD, Play, of_version, scenario
from ..simulated import Controller, Simulated

GET = "VirtualMachineScaleSets_Get"
THEIR_ID = "0123456789abcdef0123456789abcdef"
TARGET = f"Canonical:ubuntu-24_04-lts:server:{NEW}"


def model(version: str) -> dict[str, Any]:
    return {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}


def tags(**values: str) -> dict[str, str]:
    theirs = {"rollout": THEIR_ID, "target": TARGET, "selection": "all", "started": "2026-11-27T02:00:05Z", **values}
    return {f"steady-vmss-{name}": value for name, value in theirs.items()}


def kept(azure: Simulated) -> record.Record:
    found = record.read(azure.state()["document"].get("tags") or {})
    assert found is not None
    return found


def disks(azure: Simulated) -> list[int]:
    return [one["disks_replaced"] for one in azure.state()["instances"].values()]


@pytest.mark.parametrize("calls", [1, 2])
def test_it_goes_on_with_the_record_that_stands(calls: int) -> None:
    """The other's write comes between the plan and the write, whose plan knows of no record."""
    azure = Simulated(scenario(3))
    begun = {"properties": model(NEW), "tags": tags(state="in_progress")}
    azure.do(do="write", patch=begun, when={"calls": {GET: calls}})
    checked: list[str] = []
    run = Play(azure, azure.options, check=checked.extend).run()
    assert run.outcome == "upgraded", run.why
    assert run.memory is not None and run.memory.joins
    assert run.plan["record"]["id"] == THEIR_ID and not run.plan["write_model"]
    assert (kept(azure).id, kept(azure).state) == (THEIR_ID, "finished")
    assert disks(azure) == [1, 1, 1] and sorted(checked) == ["0", "1", "2"]


def test_what_is_in_the_way_by_then_stops_it_and_nothing_of_the_other_s_is_set_back() -> None:
    azure = Simulated(scenario(3))
    mode = {"upgradePolicy": {"mode": "Automatic"}}
    begun = {"properties": {**model(NEW), **mode}, "tags": tags(state="in_progress")}
    azure.do(do="write", patch=begun, when={"calls": {GET: 1}})
    run = Play(azure, azure.options).run()
    assert run.outcome in ("stopped", "refused") and "Automatic" in run.why
    assert (kept(azure).id, kept(azure).open) == (THEIR_ID, True)
    profile = azure.state()["document"]["properties"]["virtualMachineProfile"]
    assert profile["storageProfile"]["imageReference"] == of_version(NEW)


@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 5, 8])
def test_both_finish_and_each_instance_gets_one_disk(ahead: int) -> None:
    """One of them is so many requests ahead; then they take turns."""
    azure = Simulated(scenario(5))
    runs = [Controller(azure, lambda it: Play(it, azure.options).run(), name) for name in ("one", "two")]
    for _step in range(ahead):
        runs[0].step()
    while sum(run.step() for run in runs):
        pass
    plays = [run.outcome() for run in runs]
    assert all(play.outcome in ("upgraded", "unchanged") for play in plays), [play.why for play in plays]
    assert len({play.plan["record"]["id"] for play in plays}) == 1
    assert disks(azure) == [1] * 5 and kept(azure).state == "finished"
    assert {one["version"] for one in azure.state()["instances"].values()} == {NEW} != {OLD}
