# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a rollout takes, and which health it believes when."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from itertools import product

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import BatchReport
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import Finished, Look, Poll, Send
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience, Task, Terms, Track

from ..fleet import NEW, START, Faults, Fleet, uniform
from ..strategies import lognormal
from .ends import down


def sizes(fleet: Fleet) -> list[int]:
    return [len(ids) for ids in fleet.upgrades]


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_instances_take_little_longer_than_their_slowest(scale: float, seed: int) -> None:
    """Issue row 2, at Azure's pace and at the benchmark's."""
    rng = random.Random(seed)
    draws: list[float] = []

    def duration() -> float:
        draws.append(lognormal(rng, 180)() / scale)
        return draws[-1]

    fleet = uniform(100, duration=duration, health_lag=lambda: 20 / scale)
    upgrade = fleet.roll(latency=0.1)
    assert upgrade.report.outcome == "upgraded"
    slowest, start = 0.0, 0
    for size in sizes(fleet):
        slowest += max(draws[start : start + size]) + 20 / scale
        start += size
    assert fleet.now - START <= 1.06 * slowest
    assert sum(fleet.reads.values()) <= (85 if scale == 1 else 65), "the rest is for the writes and the role"


CLOCKS = list(product(("move", "report", "stuck", "none"), (True, False), ("move", "read", "stuck")))


def took(faults: Faults, *, lag: float = 13.0, shown: float = 13.0) -> tuple[float, Fleet]:
    """Seconds beyond the least that the batches can take, over ten instances in five domains of 60 s."""
    fleet = uniform(10, duration=lambda: 60.0, health_lag=lambda: lag, faults=faults)
    upgrade = fleet.roll(latency=0.1)
    assert upgrade.report.outcome == "upgraded" and sizes(fleet) == [1, 1, 2, 2, 2, 2]
    return fleet.now - START - 6 * (60.0 + shown), fleet


@pytest.mark.parametrize("lag", [13.0, 3.0])  # the second is over before the operation's end is noticed
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(("health", "disk_moves", "provisioning"), CLOCKS)
def test_an_instance_seen_down_is_believed_at_once_whatever_the_clocks_say(
    health: str, disk_moves: bool, provisioning: str, ends: bool, lag: float
) -> None:
    late, fleet = took(
        Faults(
            health_times=health,
            disk_times_move=disk_moves,
            provisioning_times=provisioning,
            forgets_ends=not ends,
        ),
        lag=lag,
        shown=lag,
    )
    assert late <= 0.06 * 6 * (60.0 + lag)
    assert sum(fleet.reads.values()) <= 62


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(("health", "disk_moves", "provisioning"), CLOCKS)
def test_old_health_that_hides_the_work_costs_one_lag_a_batch_at_most(
    health: str, disk_moves: bool, provisioning: str, ends: bool
) -> None:
    """The old health is shown until 30 s after the work, and the new one came before that: nothing is seen."""
    faults = Faults(
        linger=60,
        health_times=health,
        disk_times_move=disk_moves,
        provisioning_times=provisioning,
        forgets_ends=not ends,
    )
    tells = health in ("move", "report") and (disk_moves or provisioning == "move" or ends)
    late, _fleet = took(faults, shown=30.0 if tells else 13.0)
    assert late <= 0.04 * 6 * 73.0 + (0 if tells else 6 * Patience.health_lag)


def test_a_settle_time_that_is_all_lag_is_not_learned() -> None:
    """Only what was, with proof, tells when the next look may be in vain."""
    looks = {}
    for settled in (20.0, 120.1):
        earlier = [BatchReport(1, "", ("0",), START, operation_seconds=60.0, settle_seconds=settled)]
        fleet = uniform(10)
        upgrade = Upgrade(fleet.survey(), Patience(), now=START, earlier=earlier)
        upgrade.next(START)
        upgrade.accepted(START)
        upgrade.saw(START + 30, down(fleet))
        upgrade.saw_operation(START + 60, Operation("Succeeded", start=START, end=START + 60))
        looks[settled] = upgrade.next(START + 60)
    assert looks == {20.0: Look(START + 60 + 20 / 3), 120.1: Look(START + 63)}


def test_an_end_that_azure_told_too_early_proves_no_health() -> None:
    """The old system reports after the operation's end, and its report outlives its disk."""
    fleet = uniform(1)
    before = fleet.instances()[0][0]
    track = Track(Task(before, START))
    ended = Operation("Succeeded", end=START + 10)
    judge = partial(
        track.observe,
        terms=Terms(fleet.target, Patience(), has_health_source=True, can_reimage=True),
        operation=ended,
    )
    judge(replace(before, health_time=START + 11), START + 12)
    done = replace(
        before, os_disk="new", exact_version=NEW, image=fleet.target, health_time=START + 11, os_disk_time=None
    )
    assert judge(done, START + 60) == "pending"
    assert judge(done, START + 180) == "done"


def test_what_was_seen_before_a_reimage_proves_no_health_after_it() -> None:
    """The upgrade kept the disk and restarted the instance; its health then outlives the disk that it was of."""
    fleet = uniform(1, faults=Faults(keeps_disk=frozenset({"0"}), health_times="none"))
    before = fleet.instances()[0][0]
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    assert upgrade.next(START) == Send("upgrade", ("0",))
    upgrade.accepted(START)
    upgrade.saw(START + 15, down(fleet))
    upgrade.saw_operation(START + 30, Operation("Succeeded"))
    kept = replace(before, image=fleet.target, latest_model_applied=True)
    now = START + 30
    while not isinstance(step := upgrade.next(now), Send):
        assert isinstance(step, Look)
        now = step.at
        upgrade.saw(now, [kept], fleet.scale_set() if step.model else None)
    assert step == Send("reimage", ("0",))
    upgrade.accepted(now)
    upgrade.saw_operation(now + 30, Operation("Succeeded"))
    fresh = replace(kept, os_disk="new", exact_version=NEW, os_disk_time=None)
    began = now = now + 30
    while not isinstance(step := upgrade.next(now), Finished):
        assert isinstance(step, Look | Poll)
        now = step.at
        upgrade.saw(now, [fresh], fleet.scale_set())
    assert upgrade.report.outcome == "upgraded" and now - began >= Patience.health_lag


def test_a_report_older_than_the_one_that_called_it_unhealthy_proves_nothing() -> None:
    fleet = uniform(1)
    before = fleet.instances()[0][0]
    track = Track(Task(before, START))
    track.glimpse(replace(before, provisioning="Updating", health="unhealthy", health_time=START + 5), True)
    shown = replace(before, os_disk="new", exact_version=NEW, image=fleet.target, os_disk_time=None)
    judge = partial(
        track.observe,
        terms=Terms(fleet.target, Patience(), has_health_source=True, can_reimage=True),
        operation=Operation("Succeeded"),
    )
    assert judge(replace(shown, health_time=START - 4900), START + 60) == "pending"
    assert judge(replace(shown, health_time=START + 70), START + 71) == "done"


def test_many_quick_batches_stay_within_azures_limits() -> None:
    fleet = uniform(60, policy=Policy(max_unavailable=Limit(1)), duration=lambda: 2.0, health_lag=lambda: 1.0)
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and sizes(fleet) == [1] * 60


def test_azures_own_word_on_the_next_read_is_kept() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    upgrade.next(START)
    upgrade.accepted(START)
    upgrade.saw_operation(START + 5, Operation("InProgress", retry_after=61), 40)
    assert upgrade.next(START + 5) == Look(START + 15)
    upgrade.saw(START + 15, down(fleet))
    assert upgrade.next(START + 15) == Poll(START + 66)
