# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rollouts in virtual time. Fleet asserts the rules of DESIGN §4 itself, wherever a request is accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import BatchReport
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import remaining_batches
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import Finished, Look, Poll, Send
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience

from ..examples import examples
from ..fleet import FORMS, NEW, OLD, SHOWS_VERSION, START, Faults, Fleet, uniform, with_machine
from ..strategies import fleets, newcomer
from .ends import check_end, down

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


def test_an_instance_that_vanishes_while_it_is_upgraded_is_no_failure() -> None:
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
def test_an_instance_that_is_not_ours_is_skipped(state: str) -> None:
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


def test_another_client_at_work_is_waited_for() -> None:
    fleet = uniform(5)
    for machine in fleet.machines.values():
        machine.foreign_until = START + 500
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and "waiting" in [event["event"] for event in upgrade.report.events]


def test_no_room_is_waited_for_and_then_said() -> None:
    fleet = with_machine(uniform(10, policy=Policy(max_unavailable=Limit(1))), "4", protected=True, settled=False)
    upgrade = fleet.roll()
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "max_unavailable_reached")
    assert "4 (an extension is failed or in transition)" in upgrade.report.end.why
    assert 300 < fleet.now - START < 400 and fleet.sent == []


def test_a_model_that_somebody_changed_stops_the_rollout() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=fleet.now)
    other = replace(fleet.scale_set(), image=FORMS["platform"][OLD])
    upgrade.saw(fleet.now + 1, fleet.instances()[0], other)
    assert upgrade.next(fleet.now + 1) == Finished("stopped")
    assert upgrade.report.end.code == "image_changed"


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
    shown = {(i.health, i.provisioning, i.power) for i in fleet.survey().instances}
    assert shown == {("healthy", "Succeeded", "running")}, "the old health lingers"
    assert fleet.machines["0"].disks == 1 and not fleet.machines["0"].available(fleet.now)
    resumed(fleet, "0")


def test_an_unhealthy_instance_of_this_rollout_is_awaited_first() -> None:
    fleet = uniform(5, faults=Faults(never_healthy=frozenset({"0"}), disk_times=False))
    fleet.send("upgrade", ("0",))
    fleet.advance(START + 400)
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "stopped" and upgrade.report.end.culprits == ["0"]
    assert len(fleet.sent) == 1


def test_earlier_batches_number_this_run_and_tell_its_pace() -> None:
    earlier = [BatchReport(1, "", (), START, operation_seconds=200.0, settle_seconds=20.0)]
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START, earlier=earlier)
    upgrade.next(START)
    upgrade.accepted(START)
    assert upgrade.next(START) == Look(START + 100), "half of what the batch before took"
    upgrade.saw(START + 100, down(fleet))
    assert upgrade.next(START + 100) == Poll(START + 202)
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
    assert "does not stay available" in upgrade.report.end.why or "not available within" in upgrade.report.end.why


def test_a_cancelled_rollout_leaves_to_azure_what_azure_works_on() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    assert upgrade.next(START) == Send("upgrade", ("0",))
    upgrade.accepted(START)
    upgrade.cancel(START + 5, "SIGTERM was received")
    assert upgrade.next(START + 5) == Finished("cancelled")
    report = upgrade.report
    assert (report.outcome, report.end.why, report.end.finished) == ("cancelled", "SIGTERM was received", START + 5)
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
