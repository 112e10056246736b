# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves an upgrade, and whose an instance is: what was seen to go wrong, and must never again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import PLATFORM, Image
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import BatchReport
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout import upgrade_messages
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import (
    Batch,
    Wait,
    next_batch,
    remaining_batches,
    unchecked_batches,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import REIMAGE, Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import Finished, Look, Poll, Send
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import (
    FAILED,
    NOT_STARTED,
    PENDING,
    RETRY,
    Patience,
    Task,
    Terms,
    Track,
)

from ..fleet import FORMS, NEW, OLD, START, Faults, Fleet, Machine, Work, uniform, with_machine
from ..strategies import newcomer

ONE = Policy(max_unavailable=Limit(1), canary=0)


def versions(fleet: Fleet) -> dict[str, str]:
    return {i: machine.content for i, machine in sorted(fleet.machines.items())}


def adopted(upgrade: Upgrade) -> list[str]:
    return [i for event in upgrade.report.events if event["event"] == "adopted" for i in event["instances"]]


# -- what nothing proves --------------------------------------------------------------------------


def kept_disks(policy: Policy = ONE) -> Fleet:
    """Everything was killed after an upgrade had left the old disks, of an image that Azure shows without a version."""
    fleet = uniform(5, form="gallery", policy=policy)
    for machine in fleet.machines.values():
        machine.applied = True
    return fleet


def test_a_pinned_id_is_no_proof_and_no_canary() -> None:
    survey = kept_disks().survey(since=START)
    assert set(survey.verdicts.values()) == {"unproven"} and not survey.remaining
    assert [i.instance_id for i in survey.unproven] == list("01234")
    fleet = kept_disks(Policy(max_unavailable=Limit(2), order_by="none"))
    with_machine(with_machine(with_machine(fleet, "0", applied=False), "1", applied=False), "2", applied=False)
    assert [len(batch.instance_ids) for batch in remaining_batches(fleet.survey(since=START))] == [1, 2]


def test_unproven_instances_are_reimaged_where_asked_as_ordinary_batches() -> None:
    fleet = kept_disks(replace(ONE, unproven=REIMAGE))
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "upgraded"
    assert fleet.sent == [("reimage", (i,)) for i in "01234"] and set(versions(fleet).values()) == {NEW}
    again = fleet.roll(since=START)
    assert again.report.outcome == "unchanged" and len(fleet.sent) == 5


@pytest.mark.parametrize("why", ["no record", "no disk time", "flexible"])
def test_unproven_instances_are_not_reimaged_where_that_would_prove_nothing(why: str) -> None:
    fleet = kept_disks(replace(ONE, unproven=REIMAGE))
    fleet.faults = replace(fleet.faults, disk_times=why != "no disk time")
    fleet.flexible = why == "flexible"
    fleet.roll(since=None if why == "no record" else START)
    assert fleet.sent == []


def test_a_reimage_that_is_preempted_is_sent_again_and_one_that_keeps_the_disk_is_a_failure() -> None:
    fleet = kept_disks(replace(ONE, unproven=REIMAGE))
    fleet.faults = Faults(operations=("canceled",))
    assert fleet.roll(since=START).report.outcome == "upgraded"
    fleet = kept_disks(replace(ONE, unproven=REIMAGE))
    fleet.faults = Faults(keeps_disk=frozenset({"0"}), reimage_keeps_disk=True)
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "stopped" and upgrade.report.end.culprits == ["0"]


# -- what runs the target before a rollout begins ---------------------------------------------------


def test_what_runs_the_target_is_checked_in_groups_of_no_more_than_may_be_unavailable() -> None:
    fleet = uniform(12, policy=Policy(max_unavailable=Limit(2)), selection=Selection(tuple("0123456789")))
    for i in ("1", "2", "3", "5", "7", "11"):
        with_machine(fleet, i, content=NEW, applied=True)
    with_machine(fleet, "3", power="deallocated")
    with_machine(fleet, "5", healthy_from=math.inf)  # sick, and on the target: it may not have passed
    assert [batch.instance_ids for batch in unchecked_batches(fleet.survey())] == [("1", "2"), ("5", "7")]


def test_what_is_still_in_progress_is_awaited_before_it_is_checked() -> None:
    fleet = uniform(5)
    fleet.send("upgrade", ("0",))
    fleet.advance(START + 190)
    survey = fleet.survey(since=START)
    assert [i.instance_id for i in survey.in_progress] == ["0"] and unchecked_batches(survey) == []


# -- what a killed call may have touched ------------------------------------------------------------


@pytest.mark.parametrize("killed_after", [0, 20, 100, 400])
def test_what_a_killed_call_may_have_started_is_read_before_anything_is_claimed(killed_after: float) -> None:
    fleet = uniform(4, policy=Policy(max_unavailable=Limit(2), canary=0, order_by="none"))
    fleet.faults = Faults(updating_late=25)
    fleet.send("upgrade", ("2", "3"))
    fleet.advance(START + killed_after)
    fleet.turns_back()
    upgrade = fleet.roll(only=["2", "3"], touched=["2", "3"])
    assert upgrade.report.outcome == "upgraded" and set(versions(fleet).values()) == {OLD}
    now = upgrade_messages.batch_now(upgrade.survey, ["2", "3"])
    assert (now["there"], now["complete"]) == (["2", "3"], True)


def test_the_way_back_names_what_is_not_back() -> None:
    fleet = with_machine(uniform(3), "0", content=NEW, applied=True)
    with_machine(fleet, "1", healthy_from=math.inf)
    with_machine(fleet, "2", work=Work(START, START, START + 50, START + 90))
    fleet.target_version = OLD
    now = upgrade_messages.batch_now(fleet.survey(), ["0", "1", "2", "9"])
    assert (now["there"], now["complete"]) == ([], False)
    for said in ("not in service: 1 (health unhealthy)", f"on another image: 0 (canonical:ubuntu:22_04:{NEW})"):
        assert said in now["sentence"]
    assert "still being changed: 2 (Updating)" in now["sentence"]


def test_the_journal_knows_what_may_be_touched_before_the_request_goes_out() -> None:
    fleet = uniform(5)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    assert upgrade.next(START) == Send("upgrade", ("0",))
    assert upgrade.report.events[-1] == {**upgrade.report.events[-1], "event": "upgrade_asked", "instances": ["0"]}


# -- what others do ---------------------------------------------------------------------------------


def test_an_instance_that_was_not_chosen_is_never_ours() -> None:
    """Busy for another client, and then Failed."""
    fleet = uniform(10, policy=ONE, selection=Selection(update_domains=(0,)))
    with_machine(fleet, "3", foreign_until=START + 100, foreign_ends="Failed")
    upgrade = fleet.roll(since=START)
    assert adopted(upgrade) == [] and upgrade.report.outcome == "stopped", "one of at most one is down"
    fleet = uniform(10, policy=Policy(max_unavailable=Limit(2), canary=0), selection=Selection(update_domains=(0,)))
    with_machine(fleet, "3", foreign_until=START + 100, foreign_ends="Failed")
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "upgraded" and sorted(upgrade.report.instances) == ["0", "5"]


def test_an_instance_that_turns_busy_later_is_somebody_elses() -> None:
    fleet = uniform(4, policy=ONE)
    busy = replace(fleet.machines["3"], foreign_until=START + 900, foreign_ends="Failed")
    fleet.events = [(START + 300, "appear", busy)]
    upgrade = fleet.roll(since=START)
    assert adopted(upgrade) == [] and upgrade.report.outcome == "upgraded"


def test_what_autoscale_adds_is_not_adopted_and_keeps_no_rollout_from_its_end() -> None:
    fleet = uniform(5)
    fleet.events = [
        (at, "appear", newcomer(str(100 + n), at, fleet.machines["0"], old=False))
        for n in range(29)
        for at in (START + 60.0 * n,)
    ]
    upgrade = fleet.roll(since=START)
    assert adopted(upgrade) == [] and upgrade.report.outcome == "upgraded"
    assert sorted(upgrade.report.instances) == list("01234")


def creating(fleet: Fleet, machine_id: str, seconds: float) -> None:
    at = START - 5
    made = newcomer(machine_id, at, fleet.machines["0"], old=False)
    made.work = Work(at, at, at, at + seconds, replaces=False, word="Creating")
    made.created, made.healthy_from = at, math.inf
    fleet.machines[machine_id] = made


@pytest.mark.parametrize("blank_health", [False, True])
def test_what_autoscale_creates_is_waited_for_with_the_patience_of_an_upgrade(blank_health: bool) -> None:
    """Two that are being created use up what may be unavailable, for longer than health may take."""
    policy = Policy(max_unavailable=Limit(2), canary=0)
    fleet = uniform(10, policy=policy, health_lag=lambda: 200.0, faults=Faults(blank_health=blank_health))
    for machine_id in ("20", "21"):
        creating(fleet, machine_id, 900)
    upgrade = fleet.roll(Patience(health=300), since=START - 10)
    assert upgrade.report.outcome == "upgraded", upgrade.report.end.why
    assert fleet.now - START > 900 and "waiting" in {event["event"] for event in upgrade.report.events}


def test_what_is_being_created_is_no_breach_and_what_is_sick_is() -> None:
    fleet = uniform(10, policy=Policy(max_unavailable=Limit(3), thresholds=Thresholds(unhealthy=Limit(1))))
    for machine_id in ("20", "21"):
        creating(fleet, machine_id, 900)
    assert isinstance(next_batch(fleet.survey(since=START - 10)), Batch)
    for machine_id in ("20", "21"):
        with_machine(fleet, machine_id, work=None, created=START - 9000, disk_time=START - 9000)
    wait = next_batch(fleet.survey(since=START - 10))
    assert isinstance(wait, Wait) and not wait.busy and "2 of 12 instances are unhealthy" in wait.reason


# -- a ramp -----------------------------------------------------------------------------------------


def test_a_batch_that_azure_preempted_is_no_step_of_the_ramp() -> None:
    sizes = (Limit(1), Limit(10, percent=True), Limit(50, percent=True))
    policy = Policy(max_unavailable=Limit(100, percent=True), canary=0, batch_sizes=sizes, order_by="none")
    fleet = uniform(20, policy=policy, faults=Faults(operations=("ok", "canceled")))
    upgrade = fleet.roll()
    assert [len(ids) for ids in fleet.upgrades] == [1, 2, 2, 10, 6], "the second step is 2, then half of the set"
    assert [len(batch.instance_ids) for batch in upgrade.report.batches] == [1, 1, 2, 10, 6]


def test_earlier_batches_that_were_preempted_are_no_steps_either() -> None:
    fleet = uniform(20, policy=Policy(Limit(20), (Limit(1), Limit(2), Limit(10)), 0, "none"))
    earlier = [
        BatchReport(1, "", ("18",), START, operation_seconds=9.0, settle_seconds=1.0),
        BatchReport(2, "", ("19",), START, not_started_instance_ids=("0",), settle_seconds=1.0),
    ]
    assert Upgrade(fleet.survey(), Patience(), now=START, earlier=earlier).next(START) == Send("upgrade", ("0", "1"))


# -- what was attached ------------------------------------------------------------------------------

_RHEL = Image(PLATFORM, "redhat", "rhel", "9", "1.0.0")


@pytest.mark.parametrize("image", [None, _RHEL])
@pytest.mark.parametrize("names_target", [False, True])
def test_an_attached_vm_is_skipped_by_plan_and_run_alike(image: Image | None, names_target: bool) -> None:
    survey = uniform(4, flexible=True, policy=ONE).survey()
    instances = [replace(i, image=image, exact_version=None) if i.instance_id == "2" else i for i in survey.instances]
    survey = replace(survey, instances=tuple(instances), model_names_target=names_target)
    assert survey.verdicts["2"] == "foreign" and survey.skipped == {"2": "not made from this scale set's image"}
    assert [batch.instance_ids for batch in remaining_batches(survey)] == [("0",), ("1",), ("3",)]


def test_a_set_that_changed_its_publisher_is_not_attached() -> None:
    survey = uniform(4, flexible=True, policy=ONE).survey()
    instances = [replace(i, image=_RHEL, exact_version="1.0.0") for i in survey.instances]
    assert len(remaining_batches(replace(survey, instances=tuple(instances)))) == 4


def test_a_vhd_of_a_uniform_set_is_not_attached() -> None:
    fleet = uniform(2, form="vhd", policy=ONE)
    instances = [replace(i, image=None) for i in fleet.survey().instances]
    assert len(remaining_batches(replace(fleet.survey(), instances=tuple(instances)))) == 2


# -- the whole model --------------------------------------------------------------------------------

WHOLE = replace(ONE, whole_model=True)


def whole(policy: Policy, *, replaces: bool) -> tuple[Upgrade, list[tuple[str, ...]]]:
    """A set whose model got other custom data: an upgrade applies the model and keeps the disk, a reimage brings it."""
    image = FORMS["platform"][OLD]
    shown = {
        i: Instance(i, health="healthy", image=image, exact_version=OLD, os_disk=f"{i}_0", latest_model_applied=False)
        for i in ("0", "1", "2")
    }
    scale_set = replace(uniform(1).scale_set(), image=image)
    upgrade = Upgrade(Survey(scale_set, tuple(shown.values()), image, policy), Patience(health_lag=1.0), now=START)
    now, sent = START, []
    for _step in range(500):
        step = upgrade.next(now)
        if isinstance(step, Finished):
            break
        if isinstance(step, Send):
            sent.append((step.kind, *step.instance_ids))
            for i in step.instance_ids:
                disk = f"{i}_1" if step.kind == "reimage" and replaces else shown[i].os_disk
                shown[i] = replace(shown[i], latest_model_applied=True, os_disk=disk)
            upgrade.accepted(now)
            continue
        assert isinstance(step, (Look, Poll))
        now = step.at
        if isinstance(step, Poll):
            upgrade.saw_operation(now, Operation("Succeeded"))
        else:
            upgrade.saw(now, list(shown.values()), scale_set if step.model else None)
    return upgrade, sent


def test_what_only_a_new_disk_brings_is_named_as_not_brought() -> None:
    upgrade, sent = whole(WHOLE, replaces=True)
    assert upgrade.report.outcome == "upgraded" and sent == [("upgrade", i) for i in "012"]
    (warning,) = upgrade_messages.kept_disks(upgrade.survey, upgrade.report)
    assert "instances 0, 1, 2 of scale set web" in warning and "custom data" in warning and "reimage" in warning


def test_what_only_a_new_disk_brings_is_reimaged_where_asked() -> None:
    policy = replace(WHOLE, unproven=REIMAGE)
    upgrade, sent = whole(policy, replaces=True)
    assert upgrade.report.outcome == "upgraded", upgrade.report.end.why
    assert sent == [(kind, i) for i in "012" for kind in ("upgrade", "reimage")]
    assert upgrade_messages.kept_disks(upgrade.survey, upgrade.report) == []


def test_latest_model_applied_alone_does_not_prove_a_reimage() -> None:
    upgrade, _sent = whole(replace(WHOLE, unproven=REIMAGE), replaces=False)
    assert upgrade.report.outcome == "stopped" and upgrade.report.end.culprits == ["0"]


# -- states of an instance --------------------------------------------------------------------------


def observe(track: Track, shown: Instance, at: float) -> str:
    terms = Terms(FORMS["platform"][NEW], Patience(), has_health_source=True, can_reimage=True)
    return track.observe(shown, at, terms, None)


def test_canceled_is_an_end_and_not_work() -> None:
    """It is planned anew; with the new disk in it, it is upgraded again, once."""
    (before,) = uniform(1).survey().instances
    canceled = replace(before, provisioning="Canceled")
    track = Track(Task(before, START))
    assert [observe(track, canceled, START + at) for at in (1, 20, 31)] == [PENDING, PENDING, NOT_STARTED]
    track = Track(Task(before, START))
    new = replace(canceled, os_disk="another", exact_version=NEW, image=FORMS["platform"][NEW])
    assert [observe(track, new, START + at) for at in (1, 32)] == [PENDING, RETRY]
    track.requests.retried, track.idle_since = True, None
    assert [observe(track, new, START + at) for at in (40, 75)] == [PENDING, FAILED]


@pytest.mark.parametrize(
    ("shown", "asked", "verdict"),
    [({"latest_model_applied": True}, "reimage", NOT_STARTED), ({"power": "deallocated"}, "start", FAILED)],
)
def test_an_instance_that_another_client_protects_meanwhile_gets_no_other_request(
    shown: dict[str, Any], asked: str, verdict: str
) -> None:
    (before,) = uniform(1).survey().instances
    terms = Terms(FORMS["platform"][NEW], Patience(), has_health_source=True, can_reimage=True)
    for protected, expected in ((False, asked), (True, verdict)):
        track = Track(Task(before, START))
        found = replace(before, **shown, protected_from_actions=protected)
        verdicts = [track.observe(found, START + at, terms, Operation("Succeeded", None)) for at in (10, 200)]
        assert verdicts == [PENDING, expected]
        assert ("another client has protected it" in track.why) == protected


def test_an_instance_that_is_deallocated_stays_so_where_an_operation_on_it_was_called_off() -> None:
    """It is nobody's failed allocation."""
    fleet = with_machine(uniform(5, policy=ONE), "3", power="deallocated", provisioning="Canceled")
    assert fleet.roll().report.outcome == "upgraded"
    assert "3" not in {i for ids in fleet.upgrades for i in ids}


RESIZE = ("ResizeDiskError", "/x/virtualMachines/0/disks/os", "cannot be resized down")
HEALTH = ("VMExtensionProvisioningError", "7", "another instance's")


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ({"provisioning": "Failed"}, "provisioning Failed; "),
        ({"provisioning": "Failed", "os_disk": "another", "exact_version": NEW}, "provisioning Failed; "),
        ({"power": "deallocated"}, "it is deallocated, and could not be started: power state deallocated; "),
        ({}, "not upgraded; "),
    ],
)
@pytest.mark.parametrize("details", [(HEALTH, RESIZE), ()])
def test_a_failed_instance_quotes_what_its_operation_says_of_it(
    shown: dict[str, str], why: str, details: tuple[tuple[str, str, str], ...]
) -> None:
    (before,) = uniform(1).survey().instances
    track = Track(Task(before, START))
    track.requests.started = True
    terms = Terms(FORMS["platform"][NEW], Patience(), has_health_source=True, can_reimage=True)
    track.observe(replace(before, provisioning="Updating"), START + 1, terms, None)
    said = Problem("lost", "ResourceOperationFailure", "It failed.", details=details)
    ended = Operation("Failed", said)
    verdicts = [track.observe(replace(before, **shown), START + at, terms, ended) for at in (10, 50)]
    assert verdicts[-1] == FAILED
    words = "ResizeDiskError: cannot be resized down" if details else "ResourceOperationFailure: It failed."
    assert track.why == f"{why}Azure says of its operation: {words}"


def test_a_canceled_instance_goes_first_and_is_not_waited_for() -> None:
    fleet = with_machine(uniform(5, policy=ONE), "3", provisioning="Canceled")
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "upgraded" and fleet.upgrades[0] == ("3",)


def test_an_instance_that_was_upgraded_where_it_lies_is_not_looked_at_again() -> None:
    fleet = with_machine(uniform(3, policy=replace(ONE, include_deallocated=True)), "1", power="deallocated")
    with_machine(fleet, "1", content=NEW, applied=True, disk_time=START + 5)
    fleet.now = START + 60
    assert fleet.survey(since=START).in_progress == []


# -- a failed allocation ----------------------------------------------------------------------------


def test_an_instance_that_a_failed_allocation_left_down_counts_and_goes_first() -> None:
    policy = Policy(max_unavailable=Limit(1), canary=0)
    fleet = uniform(6, policy=policy, faults=Faults(unallocated=("2",)))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and upgrade.report.end.culprits == ["2"]
    assert [i.instance_id for i in upgrade.survey.unavailable] == ["2"]
    assert "unavailable: instance 2" in upgrade_messages.stopped(upgrade.survey, upgrade.report)
    again = fleet.roll(since=START)
    assert again.report.outcome == "upgraded" and fleet.upgrades[3] == ("2",)


@pytest.mark.parametrize("stays_down", [False, True])
def test_the_way_back_tries_it_first_and_starts_it_where_it_must(stays_down: bool) -> None:
    """19 instances in three zones, at most 6 down: never 7, and never two zones at the same time."""
    policy = Policy(max_unavailable=Limit(6), canary=0, order_by="zone")
    fleet = uniform(19, zones=3, policy=policy, faults=Faults(unallocated=("3",), stays_down=stays_down))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.machines["3"].power == "deallocated"
    touched = [i for i, report in upgrade.report.instances.items() if report.outcome in ("failed", "upgraded")]
    for machine in fleet.machines.values():
        machine.worked = machine.id == "3"
    fleet.turns_back()
    back = fleet.roll(only=touched, touched=touched)
    assert back.report.outcome == "upgraded", back.report.end.why
    assert upgrade_messages.batch_now(back.survey, touched)["complete"] and set(versions(fleet).values()) == {OLD}
    assert ("start", ("3",)) in fleet.sent or not stays_down


def test_what_cannot_be_brought_up_is_named_as_down() -> None:
    fleet = uniform(6, policy=ONE, faults=Faults(unallocated=("2", "2", "2", "2")))
    touched = list(fleet.roll().report.instances)
    for machine in fleet.machines.values():
        machine.worked = machine.id == "2"
    fleet.turns_back()
    back = fleet.roll(only=touched, touched=touched)
    assert back.report.outcome == "stopped"
    now = upgrade_messages.batch_now(back.survey, touched)
    assert not now["complete"] and "2" not in now["there"] and "2 (provisioning Failed" in now["sentence"]


def test_one_that_is_down_although_azure_says_succeeded_counts_too() -> None:
    """Touched by an earlier run of an unfinished rollout; one that was deallocated by choice counts on neither side."""
    fleet = with_machine(uniform(6), "2", power="deallocated", applied=True)
    with_machine(fleet, "4", power="deallocated")
    survey = fleet.survey(since=START)
    assert [i.instance_id for i in survey.unavailable] == ["2"] and survey.skipped == {"4": "deallocated"}
    batch = next_batch(survey)
    assert isinstance(batch, Batch) and batch.instance_ids == ("2",)
    with_machine(fleet, "2", content=NEW, version_from=0.0)  # it was seen to the end, and deallocated since
    assert fleet.survey(since=START).unavailable == []


def test_one_that_a_killed_run_left_down_on_the_target_is_started() -> None:
    fleet = uniform(3, policy=ONE)
    with_machine(fleet, "0", content=NEW, applied=True, power="deallocated", provisioning="Failed", worked=True)
    with_machine(fleet, "0", disk_time=START + 10, disks=1, healthy_from=math.inf)
    fleet.now, fleet.killed = START + 100, True
    upgrade = fleet.roll(since=START)
    assert upgrade.report.outcome == "upgraded" and fleet.sent[0] == ("start", ("0",))


def test_machines_are_as_the_fleet_says() -> None:
    assert Machine("0").counted and not Machine("0", power="deallocated").counted
