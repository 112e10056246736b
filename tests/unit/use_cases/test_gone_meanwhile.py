# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance that a scale in deletes right before the user's check stops no rollout whose check passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..play import NEW, Failed, Play
from ..simulated import Simulated
from .test_between import UPGRADE, named, simulated, versions


class Check:
    """The user's check: before it asks, a scale in has deleted `gone`."""

    def __init__(self, azure: Simulated, gone: str, seconds: float = 0.0) -> None:
        self.azure, self.gone, self.seconds = azure, gone, seconds
        self.asked: list[list[str]] = []
        self.deleted = False

    def __call__(self, ids: list[str]) -> None:
        self.asked.append(ids)
        if self.gone in ids and not self.deleted:
            self.azure.do(do="remove", instances=[self.gone], scale_in=True, seconds=self.seconds)
            self.deleted = True


def rolls(azure: Simulated, check: Check, **options: Any) -> Play:
    return Play(azure, azure.options, NEW, check=check, max_unavailable="2", order_by="none", **options).run()


def on_with_the_others(azure: Simulated, run: Play, check: Check) -> None:
    assert check.deleted, check.asked
    azure.sleep(60)  # what is leaving is gone
    said = (run.outcome, run.why, run.codes, check.asked)
    assert run.outcome == "upgraded", said
    assert named(azure) == NEW and not run.model_back, said
    assert check.gone not in azure.state()["instances"] and versions(azure) == {NEW}, said
    assert all(one["available"] for one in azure.state()["instances"].values()), said
    passed = {key for ids in check.asked for key in ids}
    assert {*azure.state()["instances"]} <= passed, said


@pytest.mark.parametrize("on_failure", ["stop", "rollback_all"])
@pytest.mark.parametrize("seconds", [0.0, 40.0])
@pytest.mark.parametrize("which", ["0", "2", "4"])
def test_an_instance_of_the_batch(which: str, seconds: float, on_failure: str) -> None:
    """Of the first, a middle and the last batch."""
    azure = simulated(5, health="binary")
    check = Check(azure, which, seconds)
    on_with_the_others(azure, rolls(azure, check, on_failure=on_failure), check)


@pytest.mark.parametrize("calls", [1, 2])
def test_an_instance_that_another_client_has_upgraded(calls: int) -> None:
    """Right after our first batch, or the second; a batch of it alone is left to check then, which it leaves."""
    azure = simulated(6, health="binary")
    check = Check(azure, "5")
    azure.do(do="upgrade", instances=["5"], when={"calls": {UPGRADE: calls}}, delay=70, retry=5)
    run = rolls(azure, check)
    on_with_the_others(azure, run, check)
    ours = [json.loads(one.body)["instanceIds"] for one in azure.sent if one.operation == UPGRADE]
    assert not any("5" in ids for ids in ours), ours


def test_a_sick_one_beside_it_stops_the_rollout_all_the_same() -> None:
    azure = simulated(5, health="binary")
    gone = Check(azure, "1")

    def check(ids: list[str]) -> None:
        gone(ids)
        if "2" in ids:
            raise Failed("instance 2 does not answer")

    run = Play(azure, azure.options, NEW, check=check, max_unavailable="2", order_by="none").run()
    assert gone.deleted and run.outcome == "stopped" and run.model_back, (run.outcome, run.why)
