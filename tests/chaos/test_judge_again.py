# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge sees what the same command does again after a rollout that has ended."""

from __future__ import annotations

from typing import Any

import judge
from draw import NEW, OLD
from good_rollout import VERSION, Ended, Rollout, action, write


def again(
    rollout: Rollout, *, rc: int = 0, outcome: str = "unchanged", refused: bool = False, closes: bool = False
) -> Any:
    run = Ended(rc=rc)
    return list(judge.again(rollout.after, run, {"outcome": outcome}, refused=refused, closes=closes))


def calm() -> Rollout:
    """Nothing was done since the count began."""
    rollout = Rollout.good()
    for name in ("model_writes", "actions", "batches", "non_get"):
        rollout.after.metrics[name].clear()
    rollout.after.figures["disks_replaced"] = {}
    return rollout


def test_the_same_command_again_does_nothing() -> None:
    assert again(calm()) == []
    assert again(calm(), rc=2, outcome="stopped", refused=True) == []
    assert again(calm(), refused=True) == [
        "what the user's check refuses runs the target, and the same command ended unchanged"
    ]
    rollout = calm()
    rollout.written.append(write(900, {"tags.steady-vmss-outcome": [None, "finished"]}))
    assert again(rollout, closes=True) == []
    assert again(rollout) == ["the same command again wrote [['tags.steady-vmss-outcome']]"]
    rollout = calm()
    rollout.written.append(write(900, {VERSION: [NEW, OLD]}))
    assert again(rollout, rc=2, outcome="stopped", closes=True) == [f"the same command again wrote [['{VERSION}']]"]
    rollout = calm()
    rollout.after.metrics["actions"].append(action("1"))
    assert again(rollout) == ["the same command again: [('upgrade', ['1'])]"]
