# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rollouts in virtual time. Fleet asserts the rules of DESIGN §4 itself, wherever a request is accepted."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import remaining_batches
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.rollout import Finished, Look, Poll, Send, Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience, Track

from ..examples import examples
from ..fleet import FORMS, NEW, OLD, SHOWS_VERSION, START, Faults, Fleet, Machine, uniform, with_machine
from ..strategies import fleets, lognormal, newcomer

LONGEST = 100_000.0  # virtual seconds that no rollout of 60 instances may exceed


def ours(fleet: Fleet) -> list[Machine]:
    machines = fleet.machines.values()
    return [m for m in machines if m.counted and not m.protected and fleet.selected(m)]


def must_stop(fleet: Fleet) -> bool:
    """Something happened to the fleet that no rollout can go on after."""
    faults = fleet.faults
    ids = {m.id for m in ours(fleet)} | set(fleet.gone)
    broken = faults.never_healthy | faults.fails | (faults.keeps_disk if fleet.flexible else frozenset())
    return bool(ids & broken) or bool({"failed", "hangs"} & set(faults.operations))


def no_room(fleet: Fleet) -> bool:
    counted = [m for m in fleet.machines.values() if m.counted]
    sick = [m for m in counted if not m.available(fleet.now) and not m.worked]
    return len(sick) >= fleet.policy.max_unavailable.of(len(counted))


def check_end(fleet: Fleet, upgrade: Upgrade) -> None:
    """The outcome is what the machines say it is."""
    assert fleet.now - START < LONGEST
    assert upgrade.report.outcome in (
        ("failed", "stopped") if upgrade.report.failed else ("upgraded", "unchanged", "stopped")
    )
    assert upgrade.report.finished == fleet.now
    if upgrade.report.outcome == "stopped":
        assert must_stop(fleet) or no_room(fleet), upgrade.report.why
        assert upgrade.report.why
    else:
        left = {m.id for m in fleet.machines.values() if m.worked and not m.done(fleet.now)}
        left |= {m.id for m in ours(fleet) if m.content == OLD}
        assert left <= fleet.tolerated or (fleet.tolerates and "failed" in fleet.faults.operations)


def sizes(fleet: Fleet) -> list[int]:
    return [len(ids) for ids in fleet.upgrades]


# -- properties -------------------------------------------------------------------------------


@settings(max_examples=examples(150))
@given(fleet=fleets(faulty=False))
def test_the_plan_is_what_runs_when_all_goes_well(fleet: Fleet) -> None:
    planned = [batch.instance_ids for batch in remaining_batches(fleet.survey())]
    blocked = any(m.foreign_until for m in fleet.machines.values())
    check_end(fleet, fleet.roll())
    if not blocked:
        assert fleet.upgrades == planned


@settings(max_examples=examples(400))
@given(fleet=fleets(), latency=st.sampled_from((0.0, 0.3)))
def test_the_rules_hold_whatever_azure_does(fleet: Fleet, latency: float) -> None:
    check_end(fleet, fleet.roll(latency=latency))


@settings(max_examples=examples(300))
@given(fleet=fleets(), kills=st.lists(st.integers(1, 120), min_size=1, max_size=3))
def test_killed_at_any_moment_the_next_run_goes_on(fleet: Fleet, kills: list[int]) -> None:
    if fleet.form not in SHOWS_VERSION:  # then only the disk's time tells a later run what this one did
        fleet.faults = replace(fleet.faults, keeps_disk=frozenset(), disk_times=True)
    check_end(fleet, fleet.roll(kills=kills))


# -- one fault after the other ------------------------------------------------------------------

TWO = frozenset({"0", "3"})
SURVIVED = {
    "nothing": Faults(),
    "turns Updating late": Faults(updating_late=25),
    "says Succeeded early": Faults(succeeded_early=True),
    "both": Faults(updating_late=25, succeeded_early=True),
    "old health lingers": Faults(linger=45),
    "health time stands still": Faults(health_times="stuck"),
    "health time stands still and lingers": Faults(health_times="stuck", linger=45),
    "health without a time": Faults(health_times="none"),
    "no time at all": Faults(health_times="none", disk_times=False),
    "no health while it starts": Faults(blank_health=True, health_times="none"),
    "exact version late": Faults(version_late=60),
    "deallocated at work": Faults(power_at_work="deallocated"),
    "conflicts": Faults(sends=("conflict",) * 4 + ("ok", "conflict")),
    "conflict after success": Faults(conflict_after=30),
    "throttled": Faults(sends=("throttled", "throttled")),
    "lost before": Faults(sends=("lost", "ok", "lost")),
    "lost after": Faults(sends=("lost_accepted", "ok", "lost_accepted")),
    "lost after, and late": Faults(sends=("lost_accepted", "ok", "lost_accepted"), updating_late=25),
    "preempted": Faults(operations=("canceled", "canceled")),
    "operation forgotten": Faults(operations=("unknown", "unknown")),
}


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("name", sorted(SURVIVED))
def test_a_fault_that_is_survived(form: str, name: str) -> None:
    fleet = uniform(12, form=form, faults=SURVIVED[name])
    upgrade = fleet.roll()
    check_end(fleet, upgrade)
    assert upgrade.report.outcome == "upgraded"
    assert all(m.disks == 1 for m in fleet.machines.values())
    assert {i: r.outcome for i, r in upgrade.report.instances.items()} == dict.fromkeys(fleet.machines, "upgraded")
    assert [kind for kind, _ids in fleet.sent if kind == "reimage"] == []


KEPT = {
    "plain": Faults(keeps_disk=TWO),
    "reimage lost": Faults(keeps_disk=TWO, sends=("ok", "lost")),
    "reimage lost after": Faults(keeps_disk=TWO, sends=("ok", "lost_accepted")),
    "reimage meets conflicts": Faults(keeps_disk=TWO, sends=("ok", "conflict", "conflict")),
    "reimage preempted": Faults(keeps_disk=TWO, operations=("ok", "canceled")),
    "upgrade forgotten": Faults(keeps_disk=TWO, operations=("unknown",)),
    "exact version late": Faults(keeps_disk=TWO, version_late=60),
}


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("name", sorted(KEPT))
def test_an_upgrade_that_keeps_the_old_disk_is_followed_by_one_reimage(form: str, name: str) -> None:
    fleet = uniform(12, form=form, faults=KEPT[name])
    check_end(fleet, fleet.roll())
    assert all(m.disks == 1 for m in fleet.machines.values())


STOPPED = {
    "never healthy": (Faults(never_healthy=frozenset({"2"})), "2", "health unhealthy"),
    "provisioning failed": (Faults(fails=frozenset({"2"})), "2", "provisioning Failed"),
    "operation failed": (Faults(operations=("ok", "failed")), "10", "VMExtensionProvisioningError: it failed"),
}


@pytest.mark.parametrize("name", sorted(STOPPED))
def test_a_fault_that_stops_the_rollout(name: str) -> None:
    faults, culprit, words = STOPPED[name]
    fleet = uniform(12, faults=faults)
    upgrade = fleet.roll()
    check_end(fleet, upgrade)
    assert upgrade.report.outcome == "stopped"
    assert culprit in upgrade.report.culprits and words in upgrade.report.why
    assert upgrade.report.batches[-1].outcome == "failed"
    assert [m.id for m in fleet.machines.values() if m.content == OLD], "everything was touched after the breach"


@pytest.mark.parametrize("form", SHOWS_VERSION)
def test_a_new_disk_that_shows_another_version_fails_after_the_version_lag(form: str) -> None:
    """As of a reimaged ephemeral disk, which gets its first image back. It is not waited for until the timeout."""
    fleet = uniform(12, form=form, faults=Faults(version_late=300))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.now - START < 600
    assert "120 s after it got a new OS disk it runs" in upgrade.report.why
    fleet = uniform(12, form=form, faults=Faults(version_late=300))
    assert fleet.roll(Patience(version_lag=400)).report.outcome == "upgraded"
    assert all(m.disks == 1 for m in fleet.machines.values())


def test_flexible_without_reimage_stops_and_says_so() -> None:
    fleet = uniform(12, flexible=True, faults=Faults(keeps_disk=frozenset({"2"})))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "a Flexible scale set cannot reimage it" in upgrade.report.why


def test_a_disk_that_a_reimage_keeps_too_stops_the_rollout() -> None:
    fleet = uniform(12, faults=Faults(keeps_disk=frozenset({"0"}), reimage_keeps_disk=True))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "after the upgrade and a reimage" in upgrade.report.why
    assert fleet.sent == [("upgrade", ("0",)), ("reimage", ("0",))]


def test_an_operation_that_never_ends_is_given_up() -> None:
    fleet = uniform(12, faults=Faults(operations=("hangs",)))
    upgrade = fleet.roll(Patience(upgrade=600))
    assert upgrade.report.outcome == "stopped" and "Conflict" in upgrade.report.why
    assert fleet.now - START < 3000


def test_no_reimage_after_a_breach_in_the_same_batch() -> None:
    faults = Faults(keeps_disk=frozenset({"0"}), fails=frozenset({"5"}))
    fleet = uniform(10, faults=faults, policy=Policy(max_unavailable=Limit(2), canary=0))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and upgrade.report.culprits == ["0", "5"]
    assert fleet.sent == [("upgrade", ("0", "5"))]


def test_a_tolerated_failure_does_not_keep_the_others_from_their_reimage() -> None:
    faults = Faults(keeps_disk=frozenset({"0"}), fails=frozenset({"5"}))
    thresholds = Thresholds(unhealthy_upgraded=Limit(1))
    fleet = uniform(10, faults=faults, policy=Policy(max_unavailable=Limit(2), canary=0, thresholds=thresholds))
    fleet.roll()
    assert fleet.sent[:2] == [("upgrade", ("0", "5")), ("reimage", ("0",))]
    assert [m.id for m in fleet.machines.values() if not m.done(fleet.now)] == ["5"]


def test_a_reimage_waits_for_room() -> None:
    """Instance 0 cost nothing as long as it was sick; its upgrade healed it and kept its disk."""
    policy = Policy(max_unavailable=Limit(1), thresholds=Thresholds(unhealthy=Limit(100, percent=True)))
    fleet = uniform(6, policy=policy, faults=Faults(keeps_disk=frozenset({"0"})))
    with_machine(fleet, "0", settled=False)
    with_machine(fleet, "5", settled=False, content=NEW, applied=True)
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "5 (an extension" in upgrade.report.why
    assert fleet.sent == [("upgrade", ("0",))]
    assert upgrade.report.instances["0"].outcome == "failed" and upgrade.report.batches[0].instance_ids == ("0",)


def test_a_refused_reimage_leaves_nothing_out_of_the_report() -> None:
    fleet = uniform(5, faults=Faults(keeps_disk=frozenset({"0"}), sends=("ok", "denied")))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "AuthorizationFailed" in upgrade.report.why
    assert upgrade.report.problem is not None and upgrade.report.problem.kind == problems.DENIED
    assert [batch.outcome for batch in upgrade.report.batches] == ["failed"]
    assert upgrade.report.instances["0"].outcome == "failed"


@pytest.mark.parametrize("sends", [("lost",) * 1000, ("conflict",) * 1000, ("throttled",) * 1000])
def test_trouble_without_end_is_given_up(sends: tuple[str, ...]) -> None:
    fleet = uniform(5, faults=Faults(sends=sends))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.now - START < 4000
    assert fleet.sent == []


def test_a_reimage_lost_without_end_is_given_up() -> None:
    fleet = uniform(5, faults=Faults(keeps_disk=frozenset({"0"}), sends=("ok",) + ("lost",) * 1000))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.now - START < 5000


def test_a_denied_request_stops_at_once() -> None:
    fleet = uniform(5, faults=Faults(sends=("denied",)))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.now == START
    assert upgrade.report.batches == [] and "AuthorizationFailed" in upgrade.report.why


# -- instances that come and go -----------------------------------------------------------------


def test_the_rollout_converges_on_instances_that_appear() -> None:
    fleet = uniform(5)
    fleet.events = [
        (START + 100, "appear", newcomer("7", START + 100, fleet.machines["0"], old=False)),
        (START + 300, "appear", newcomer("8", START + 300, fleet.machines["0"], old=True)),
    ]
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded"
    assert fleet.machines["7"].disks == 0 and fleet.machines["8"].disks == 1


def test_an_instance_that_vanishes_in_our_hands_is_no_failure() -> None:
    fleet = uniform(5)
    fleet.events = [(START + 50, "vanish", fleet.machines["0"])]
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and upgrade.report.instances["0"].outcome == "gone"


def test_an_instance_that_one_list_misses_is_not_gone() -> None:
    """Pages shift while they are read."""
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(since=START), Patience(), now=fleet.now)
    missed = 0
    for _dummy in range(200):
        step = upgrade.next(fleet.now)
        if isinstance(step, Finished):
            break
        if isinstance(step, Send):
            assert fleet.send(step.kind, step.instance_ids) is None
            upgrade.accepted(fleet.now)
            continue
        fleet.advance(step.at)
        if isinstance(step, Poll):
            upgrade.saw_operation(fleet.now, *fleet.operation())
            continue
        instances, left = fleet.instances()
        if not step.model and not missed:
            missed = 1
            instances = [i for i in instances if i.instance_id != "0"]
        upgrade.saw(fleet.now, instances, fleet.scale_set() if step.model else None, left)
    assert upgrade.report.outcome == "upgraded" and missed
    assert {report.outcome for report in upgrade.report.instances.values()} == {"upgraded"}


def test_a_batch_that_names_a_vanished_instance_is_planned_anew() -> None:
    """400 InvalidParameter for the whole call: Azure does nothing at all."""
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=fleet.now)
    step = upgrade.next(fleet.now)
    assert isinstance(step, Send) and step.instance_ids == ("0",)
    fleet.machines.pop("0")
    problem = fleet.send(step.kind, step.instance_ids)
    assert problem is not None
    upgrade.refused(fleet.now, problem)
    look = upgrade.next(fleet.now)
    assert isinstance(look, Look) and look.model and look.at > fleet.now
    fleet.advance(look.at)
    upgrade.saw(fleet.now, fleet.instances()[0], fleet.scale_set(), 30)
    assert upgrade.next(fleet.now) == Send("upgrade", ("1",))


@pytest.mark.parametrize("state", ["deallocated", "protected"])
def test_an_instance_that_is_not_ours_is_left_alone(state: str) -> None:
    changes = {"deallocated": {"power": "deallocated"}, "protected": {"protected": True}}
    fleet = with_machine(uniform(5), "3", **changes[state])
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and fleet.machines["3"].content == OLD
    assert "3" not in upgrade.report.instances


def test_nothing_to_do() -> None:
    fleet = uniform(5)
    for machine in fleet.machines.values():
        machine.content, machine.applied = NEW, True
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "unchanged" and fleet.sent == [] and fleet.reads["instances"] == 1


def test_another_hand_at_work_is_waited_for() -> None:
    fleet = uniform(5)
    for machine in fleet.machines.values():
        machine.foreign_until = START + 500
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and "waiting" in [event["event"] for event in upgrade.report.events]


def test_no_room_is_waited_for_and_then_said() -> None:
    fleet = with_machine(uniform(10, policy=Policy(max_unavailable=Limit(1))), "4", protected=True, settled=False)
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "1 of at most 1" in upgrade.report.why
    assert "4 (an extension is failed or in transition)" in upgrade.report.why
    assert 300 < fleet.now - START < 400 and fleet.sent == []


def test_a_model_that_somebody_changed_stops_the_rollout() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=fleet.now)
    other = replace(fleet.scale_set(), image=FORMS["platform"][OLD])
    upgrade.saw(fleet.now + 1, fleet.instances()[0], other)
    assert upgrade.next(fleet.now + 1) == Finished("stopped")
    assert "somebody changed the model" in upgrade.report.why


# -- a run that goes on with a killed one -------------------------------------------------------


def resumed(fleet: Fleet, machine_id: str) -> Upgrade:
    """A second run over the fleet as it stands."""
    upgrade = Upgrade(fleet.survey(since=START), Patience(), now=fleet.now)
    upgrade.next(fleet.now)
    assert [event["instances"] for event in upgrade.report.events if event["event"] == "adopted"] == [[machine_id]]
    return upgrade


@pytest.mark.parametrize("power", ["running", "deallocated"])
def test_work_in_flight_is_adopted(power: str) -> None:
    fleet = uniform(5, faults=Faults(power_at_work=power))
    fleet.send("upgrade", ("0",))
    fleet.advance(START + 60)
    assert len(fleet.survey(since=START).unavailable) == 1
    upgrade = resumed(fleet, "0")
    assert isinstance(upgrade.next(fleet.now), Look)


def test_health_that_may_be_that_of_the_old_disk_is_not_believed_after_a_kill() -> None:
    fleet = uniform(5, faults=Faults(linger=45), duration=lambda: 20.0, health_lag=lambda: 60.0)
    fleet.send("upgrade", ("0",))
    fleet.advance(START + 30)
    assert fleet.survey(since=START).unavailable == [], "the old health lingers"
    resumed(fleet, "0")


def test_an_unhealthy_instance_of_this_rollout_is_awaited_first() -> None:
    fleet = uniform(5, faults=Faults(never_healthy=frozenset({"0"}), disk_times=False))
    fleet.send("upgrade", ("0",))
    fleet.advance(START + 400)
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "stopped" and upgrade.report.culprits == ["0"]
    assert len(fleet.sent) == 1


# -- pace -------------------------------------------------------------------------------------


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
        earlier = [{"operation_seconds": 60.0, "settle_seconds": settled, "instance_ids": ["0"]}]
        fleet = uniform(10)
        upgrade = Upgrade(fleet.survey(), Patience(), now=START, earlier=earlier)
        upgrade.next(START)
        upgrade.accepted(START)
        upgrade.saw(START + 30, down(fleet))
        upgrade.saw_operation(START + 60, Operation("Succeeded"))
        looks[settled] = upgrade.next(START + 60)
    assert looks == {20.0: Look(START + 65), 120.1: Look(START + 62)}


def test_an_end_that_azure_told_too_early_proves_no_health() -> None:
    """The old system reports after the operation's end, and its report outlives its disk."""
    fleet = uniform(1)
    before = fleet.instances()[0][0]
    track = Track(before, START)
    ended = Operation("Succeeded", end=START + 10)
    judge = partial(
        track.observe,
        target=fleet.target,
        patience=Patience(),
        has_health_source=True,
        can_reimage=True,
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
    track = Track(before, START)
    track.glimpse(replace(before, provisioning="Updating", health="unhealthy", health_time=START + 5), True)
    shown = replace(before, os_disk="new", exact_version=NEW, image=fleet.target, os_disk_time=None)
    judge = partial(
        track.observe,
        target=fleet.target,
        patience=Patience(),
        has_health_source=True,
        can_reimage=True,
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


def down(fleet: Fleet) -> list[Instance]:
    return [replace(i, provisioning="Updating", health=None) for i in fleet.instances()[0]]


def test_earlier_batches_number_this_run_and_tell_its_pace() -> None:
    earlier = [{"number": 1, "operation_seconds": 200.0, "settle_seconds": 20.0}]
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START, earlier=earlier)
    upgrade.next(START)
    upgrade.accepted(START)
    assert upgrade.next(START) == Look(START + 100), "half of what the batch before took"
    upgrade.saw(START + 100, down(fleet))
    assert upgrade.next(START + 100) == Poll(START + 190)
    assert [event["batch"] for event in upgrade.report.events if event["event"] == "upgrade_sent"] == [2]


def test_only_the_given_instances_are_started() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START, only=["3"])
    assert upgrade.next(START) == Send("upgrade", ("3",))


def test_healthy_for() -> None:
    fleet = uniform(1, health_source=False, duration=lambda: 50.0)
    fleet.roll(Patience(healthy_for=100))
    assert fleet.now - START >= 150


def test_a_flapping_instance_is_given_up() -> None:
    fleet = uniform(1)
    upgrade = Upgrade(fleet.survey(), Patience(healthy_for=600), now=START)
    upgrade.next(START)
    upgrade.refused(START, Problem(problems.LOST, "", "connection reset"))
    target = FORMS["platform"][NEW]
    shown = replace(fleet.instances()[0][0], os_disk="new", exact_version=NEW, image=target)
    now = START
    for number in range(2000):
        step = upgrade.next(now)
        if isinstance(step, Finished):
            break
        assert isinstance(step, Look), step
        now = step.at
        upgrade.saw(now, [replace(shown, health="unhealthy" if number % 2 else "healthy")])
    assert upgrade.report.outcome == "stopped" and now - START < 1200
    assert "does not stay available" in upgrade.report.why or "not available within" in upgrade.report.why


def test_a_cancelled_rollout_leaves_to_azure_what_azure_works_on() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    assert upgrade.next(START) == Send("upgrade", ("0",))
    upgrade.accepted(START)
    upgrade.cancel(START + 5, "SIGTERM was received")
    assert upgrade.next(START + 5) == Finished("cancelled")
    report = upgrade.report
    assert (report.outcome, report.why, report.finished) == ("cancelled", "SIGTERM was received", START + 5)
    assert [(batch.instance_ids, batch.outcome) for batch in report.batches] == [(("0",), "cancelled")]
    assert report.instances["0"].outcome == "cancelled" and report.failed == []
    assert report.events[-1]["event"] == "cancelled"


def test_no_wait_that_azure_asks_for_goes_past_the_deadline() -> None:
    fleet = uniform(1)
    upgrade = Upgrade(fleet.survey(), Patience(upgrade=600), now=START)
    upgrade.next(START)
    upgrade.refused(START, Problem(problems.THROTTLED, "TooManyRequests", "later", 429, 3600.0))
    step = upgrade.next(START + 1)
    assert isinstance(step, Look) and step.at <= START + 602
    upgrade = Upgrade(fleet.survey(), Patience(upgrade=600), now=START)
    upgrade.next(START)
    upgrade.accepted(START)
    upgrade.saw_operation(START + 10, Operation("InProgress", retry_after=3600.0))
    step = upgrade.next(START + 11)
    assert isinstance(step, Look | Poll) and step.at <= START + 602
