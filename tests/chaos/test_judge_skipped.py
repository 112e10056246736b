# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge finds what is wrong with whom `rollout_busy: skip` has skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from draw import NEW, OLD, RECORD
from good_rollout import OURS, Rollout, action, changed, instance, wrong_after
from test_judge import one_forgotten


def skipping(rollout: Rollout, why: str = "provisioning Updating") -> None:
    """Another client works on instance 1 from before the rollout until after it, so it is skipped."""
    rollout.case.variables["rollout_busy"] = "skip"
    rollout.result |= {"id": OURS, "busy": {"1": why}}
    rollout.result["instances"].pop("1")
    rollout.run.warnings = [f"[WARNING]: Instances 1 ({why}) of scale set web were skipped, because another client"]
    at_work = {"busy": "another client", "provisioning": "Updating", "available": False}
    rollout.before.instances["1"] |= at_work
    rollout.after.instances["1"] = instance(OLD, 1) | at_work
    rollout.after.timeline[2:] = []
    for name in ("batches", "actions", "non_get"):
        rollout.after.metrics[name][1:] = []
    rollout.after.scale_set["document"]["tags"] |= {RECORD: OURS, "steady-vmss-state": "in_progress"}


def skipping_a_stopped_one(rollout: Rollout) -> None:
    skipping(rollout, "power stopped")
    for world in (rollout.before, rollout.after):
        world.instances["1"] |= {"busy": None, "provisioning": "Succeeded", "power": "stopped"}


def is_free(rollout: Rollout, time: float) -> None:
    rollout.after.timeline.extend(
        [changed(time, "1", "provisioning", "Succeeded"), changed(time, "1", "busy", None)],
    )


def skipped_unasked(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.case.variables["rollout_busy"] = "wait"


def skipped_though_free_again(rollout: Rollout) -> None:
    skipping(rollout)
    is_free(rollout, 200)


def idle_all_the_time_and_skipped_by_a_stop(rollout: Rollout) -> None:
    skipped_by_a_stop(rollout)
    rollout.before.instances["1"] = instance(OLD, 1)
    rollout.after.timeline[2:] = []


def skipped_its_own_work(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.after.metrics["actions"].append(action("1", time=150))


def skipped_unchosen(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.case.variables["rollout_instance_ids"] = ["0"]


def skipped_in_silence(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.run.warnings = ["[WARNING]: Instances 10 of scale set web were skipped"]


def skipped_and_called_upgraded(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.result["instances"]["1"] = {"outcome": "upgraded", "image_after": {"version": NEW}}


def skipped_and_finished(rollout: Rollout) -> None:
    skipping(rollout)
    rollout.after.scale_set["document"]["tags"]["steady-vmss-state"] = "finished"


def skipped_and_another_missed(rollout: Rollout) -> None:
    skipping(rollout)
    one_forgotten(rollout)


def stopped_for_the_busy(rollout: Rollout) -> None:
    skipping(rollout)
    busy = rollout.after.instances["1"]
    rollout.stops(1)
    rollout.after.instances["1"] = busy
    rollout.result |= {"code": "instances_busy", "busy": {}}


def upgraded_though_stopped(rollout: Rollout) -> None:
    rollout.case.variables["rollout_busy"] = "skip"
    rollout.after.metrics["actions"][1]["stopped"] = ["1"]


def free_again_at_the_last_look(rollout: Rollout) -> None:
    """A look takes a while."""
    skipping(rollout)
    is_free(rollout, rollout.after.last_read - 10)


def skipped_by_a_stop(rollout: Rollout) -> None:
    """And free again during the way back."""
    skipping(rollout)
    rollout.stops(1)
    is_free(rollout, 200)


def skipped_and_shown_in_other_words(rollout: Rollout) -> None:
    skipping(rollout)
    is_free(rollout, 50)
    rollout.happens(60, "show", "1")
    rollout.after.metrics["events"][-1]["seconds"] = 500


def stopped_for_one_that_was_idle(rollout: Rollout) -> None:
    """It may be another run's of this rollout."""
    stopped_for_the_busy(rollout)
    rollout.before.instances["1"] = instance(OLD, 1)
    rollout.after.timeline.append(changed(150, "1", "busy", "another client"))


def upgraded_again_though_stopped(rollout: Rollout) -> None:
    """By somebody, after this rollout had begun on it."""
    rollout.case.variables["rollout_busy"] = "skip"
    rollout.after.metrics["actions"].append(action("1", "reimage", stopped=["1"]))


def stopped_and_not_skipped(rollout: Rollout) -> None:
    rollout.after.metrics["actions"][1]["stopped"] = ["1"]


SPOILT: Iterable[tuple[Callable[[Rollout], None], str]] = [
    (skipped_unasked, "nobody has asked for that"),
    (skipped_though_free_again, "['1'] are skipped as busy, and were idle"),
    (idle_all_the_time_and_skipped_by_a_stop, "['1'] are skipped as busy, and were idle"),
    (skipped_its_own_work, "has begun work on them itself"),
    (skipped_unchosen, "['1'] are skipped, and were not chosen"),
    (skipped_in_silence, "['1'] were skipped, and no warning names them"),
    (skipped_and_called_upgraded, "['1'] were skipped, and are called ['upgraded']"),
    (skipped_and_finished, "the record says finished"),
    (skipped_and_another_missed, "['2'] do not run"),
    (stopped_for_the_busy, "it stopped for ['1']"),
    (upgraded_though_stopped, "upgrade of ['1'], which somebody has stopped"),
]

FINE = [
    skipping,
    skipping_a_stopped_one,
    free_again_at_the_last_look,
    skipped_by_a_stop,
    skipped_and_shown_in_other_words,
    stopped_for_one_that_was_idle,
    upgraded_again_though_stopped,
    stopped_and_not_skipped,
]


@pytest.mark.parametrize("happens", FINE, ids=[happens.__name__ for happens in FINE])
def test_what_is_right_breaks_no_rule(happens: Callable[[Rollout], None], tmp_path: Path) -> None:
    assert wrong_after(happens, tmp_path) == []


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    wrong = wrong_after(spoil, tmp_path)
    assert [one for one in wrong if said in one], wrong
