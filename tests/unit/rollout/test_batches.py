# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: which instances next. Properties over random fleets, and tables for the order."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import availability
from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import (
    Batch,
    Wait,
    next_batch,
    remaining_batches,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey

from ..examples import examples
from ..fleet import FORMS, NEW, START, Fleet, uniform, with_machine
from ..strategies import fleets


@settings(max_examples=examples(1000))
@given(fleet=fleets(faulty=False), order=st.randoms(use_true_random=False))
def test_every_plan(fleet: Fleet, order: random.Random) -> None:
    survey = fleet.survey()
    batches = remaining_batches(survey)
    done = [i for batch in batches for i in batch.instance_ids]
    to_do = {i.instance_id for i in survey.to_do}
    assert len(done) == len(set(done)), "an instance twice"
    assert set(done) <= to_do, "an instance that is not to be touched"
    step = survey
    for batch in batches:
        check_batch(step, batch)
        step = step.imagine(batch.instance_ids)
    last = next_batch(step)
    assert isinstance(last, Wait) or (last is None and set(done) == to_do)
    shuffled = list(survey.instances)
    order.shuffle(shuffled)
    assert remaining_batches(replace(survey, instances=tuple(shuffled))) == batches, "Azure's order decides nothing"


def check_batch(survey: Survey, batch: Batch) -> None:
    ids = set(batch.instance_ids)
    assert ids and not batch.adopted
    assert {survey.domain_of[i].label for i in ids} == {batch.label}
    assert not any(
        i.protected_from_actions or not survey.selection.holds(i) for i in survey.instances if i.instance_id in ids
    )
    down = {i.instance_id for i in survey.unavailable}
    assert len(down | ids) <= max(survey.max_unavailable, len(down))
    sick = {i.instance_id for i in survey.to_do if i not in survey.busy} & down
    assert not sick or ids & sick, "the unavailable ones go first"
    if not sick:
        first = min(survey.domain_of[i.instance_id] for i in survey.to_do if i not in survey.busy)
        assert batch.label == first.label, "one domain after the other"
    on_target = [i for i in survey.counted if survey.verdicts[i.instance_id] == "current" and survey.available(i)]
    canary = survey.policy.canary if survey.policy.canary is not None else int(len(survey.counted) >= 5)
    assert len(ids) <= max(canary - len(on_target), 0) or canary <= len(on_target), "more than the canary"


def labels(survey: Survey) -> list[str]:
    return [batch.label for batch in remaining_batches(survey)]


def everything(**fields: object) -> Policy:
    return Policy(max_unavailable=Limit(100, percent=True), canary=0, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zones", "order_by", "expected"),
    [
        (0, "domain", ["update domain 0", "update domain 1", "update domain 2"]),
        (0, "fault_domain", ["fault domain 0", "fault domain 1", "fault domain 2"]),
        (0, "zone", ["all instances"]),
        (0, "none", ["all instances"]),
        (2, "domain", ["zone 1, update domain 0", "zone 2, update domain 0"]),
        (2, "fault_domain", [f"zone {z}, fault domain {d}" for z in (1, 2) for d in (0, 1, 2)]),
        (2, "zone", ["zone 1", "zone 2"]),
        (2, "none", ["all instances"]),
    ],
)
def test_the_order_of_domains(zones: int, order_by: str, expected: list[str]) -> None:
    assert labels(uniform(12, domains_=3, zones=zones, policy=everything(order_by=order_by)).survey()) == expected


def test_fault_domains_where_no_instance_has_an_update_domain() -> None:
    fleet = uniform(4, domains_=2, policy=everything())
    for machine in fleet.machines.values():
        machine.update_domain = None
    assert labels(fleet.survey()) == ["fault domain 0", "fault domain 1"]


def test_twenty_percent_of_a_hundred_after_one_canary() -> None:
    batches = remaining_batches(uniform(100).survey())
    assert [len(batch.instance_ids) for batch in batches] == [1, 19, 20, 20, 20, 20]
    assert batches[0].instance_ids == ("0",) and batches[0].label == batches[1].label == "update domain 0"


@pytest.mark.parametrize(
    ("count", "canary", "sizes"),
    [(4, None, [2, 2]), (5, None, [1, 2, 2]), (6, 0, [2, 2, 2]), (6, 1, [1, 2, 2, 1]), (6, 9, [2, 2, 2])],
)
def test_the_canary(count: int, canary: int | None, sizes: list[int]) -> None:
    policy = Policy(max_unavailable=Limit(2), canary=canary, order_by="none")
    assert [len(b.instance_ids) for b in remaining_batches(uniform(count, policy=policy).survey())] == sizes


def test_no_canary_where_the_image_has_proven_itself() -> None:
    fleet = with_machine(
        uniform(6, policy=Policy(max_unavailable=Limit(2), order_by="none")), "3", content=NEW, applied=True
    )
    assert [b.instance_ids for b in remaining_batches(fleet.survey())] == [("0", "1"), ("2", "4"), ("5",)]


def test_ids_are_ordered_by_number() -> None:
    policy = Policy(max_unavailable=Limit(1), canary=0, order_by="none")
    assert [b.instance_ids[0] for b in remaining_batches(uniform(12, policy=policy).survey())] == [
        str(n) for n in range(12)
    ]


def test_deallocated_instances_count_on_neither_side() -> None:
    fleet = uniform(10, policy=Policy(max_unavailable=Limit(50, percent=True), canary=0, order_by="none"))
    for number in range(5):
        with_machine(fleet, str(number), power="deallocated")
    survey = fleet.survey()
    assert survey.max_unavailable == 2 and survey.unavailable == []
    assert survey.skipped == {str(n): "deallocated" for n in range(5)}
    assert [b.instance_ids for b in remaining_batches(survey)] == [("5", "6"), ("7", "8"), ("9",)]


def test_why_instances_are_skipped() -> None:
    fleet = with_machine(with_machine(uniform(4), "1", protected=True), "2", provisioning="Deleting")
    survey = replace(fleet.survey(), excluded={"3": "gone"})
    assert survey.skipped == {"1": "protected from scale set actions", "2": "being deleted", "3": "gone"}


def test_one_selected_domain() -> None:
    fleet = uniform(10, policy=everything(), selection=Selection(update_domains=(3,)))
    assert [b.instance_ids for b in remaining_batches(fleet.survey())] == [("3", "8")]


def test_an_outdated_instance_is_named_current_once_it_was_seen_to_run_the_target() -> None:
    survey = replace(uniform(2, form="vhd", policy=everything()).survey(), verified=frozenset({"0"}))
    assert survey.verdicts == {"0": "current", "1": "outdated"}


def test_busy_instances_are_waited_for() -> None:
    fleet = with_machine(uniform(1), "0", foreign_until=START + 60)
    wait = next_batch(fleet.survey())
    assert wait == Wait("instances_busy", "another client is changing 0 (Updating)", busy=True)


def test_only_what_this_rollout_may_have_started_is_adopted() -> None:
    """It shows the model that Azure brings; where it shows none yet, nothing else starts until it does."""
    fleet = with_machine(uniform(2), "1", foreign_until=START + 60)
    wait = Wait("instances_busy", "waiting for changes in progress: 1 (Updating)", busy=True)
    assert next_batch(fleet.survey(since=START)) == wait
    with_machine(fleet, "1", applied=True)
    assert next_batch(fleet.survey(since=START)) == Batch("update domain 1", ("1",), adopted=True)
    survey = fleet.survey(since=START)
    for other in (
        replace(survey, selection=Selection(("0",))),  # not chosen
        replace(survey, inherited=frozenset()),  # it was idle when this run began
        replace(survey, unfinished=False),
        replace(survey, instances=tuple(replace(i, created=START + 1) for i in survey.instances)),  # autoscale's
    ):
        assert not other.in_progress and not other.in_doubt


def test_a_new_instance_is_no_rollout_of_its_own() -> None:
    """A set where nothing is outdated, and an old unhealthy instance on the target: nothing is in our hands."""
    fleet = uniform(2)
    for machine in fleet.machines.values():
        machine.content, machine.applied = NEW, True
    with_machine(fleet, "1", settled=False)
    assert next_batch(fleet.survey(since=START)) is None
    soon_after = replace(fleet.survey(since=START - 6000), read_at=START - 4000)
    assert next_batch(soon_after) == Batch("update domain 1", ("1",), adopted=True)


def test_a_thousand_batches_are_planned_in_seconds() -> None:
    """Without what imagine() carries over this takes a minute on a slow machine; the count keeps it honest."""
    policy = Policy(max_unavailable=Limit(1), order_by="none")
    survey = uniform(400, policy=policy, form="gallery").survey()
    assert len(remaining_batches(survey)) == 400
    imagined = survey.imagine(("0",))
    assert imagined.verdicts == replace(imagined).verdicts and imagined.domain_of == replace(imagined).domain_of


@pytest.mark.parametrize(
    ("changes", "counts", "why"),
    [
        ({}, True, ""),
        ({"power": "stopped"}, True, "power state stopped"),
        ({"power": ""}, True, "power state unknown"),
        ({"power": "starting"}, True, "power state starting"),
        ({"power": "deallocated"}, False, "power state deallocated"),
        ({"power": "deallocating"}, False, "power state deallocating"),
        ({"power": "deallocated", "provisioning": "Updating"}, True, "provisioning Updating"),
        ({"provisioning": "Deleting"}, False, "provisioning Deleting"),
        ({"provisioning": "Creating"}, True, "provisioning Creating"),
        ({"provisioning": "Failed", "error": "Code: words"}, True, "provisioning Failed (Code: words)"),
        ({"extensions_settled": False}, True, "an extension is failed or in transition"),
        ({"health": "unhealthy"}, True, "health unhealthy"),
        ({"health": "unknown"}, True, "health unknown"),
        ({"health": None}, True, "no health reported"),
    ],
)
def test_availability(changes: dict[str, str], counts: bool, why: str) -> None:
    instance = replace(uniform(1).survey().instances[0], **changes)  # type: ignore[arg-type]
    assert availability.is_counted(instance) == counts
    assert availability.why_unavailable(instance, True) == why and availability.available(instance, True) == (why == "")
    assert availability.available(instance, False) == (why == "" or "health" in changes)


def test_the_model_may_not_name_the_target_yet() -> None:
    fleet = uniform(3, form="managed", policy=everything(order_by="none"))
    survey = replace(fleet.survey(), target=FORMS["managed"][NEW], model_names_target=False)
    assert [b.instance_ids for b in remaining_batches(survey)] == [("0", "1", "2")]


def test_instances_that_cannot_tell_their_health_yet_are_no_sick_ones() -> None:
    """The model has got a health source, and nobody has got the model: no more than allowed are taken at once."""
    mute = [replace(i, health=None, latest_model_applied=False) for i in uniform(10).survey().instances]
    survey = replace(uniform(10).survey(), instances=tuple(mute), policy=Policy(whole_model=True, canary=0))
    assert survey.scale_set.has_health_source and not survey.unavailable
    batches = remaining_batches(survey)
    assert sum(len(batch.instance_ids) for batch in batches) == 10
    assert max(len(batch.instance_ids) for batch in batches) <= survey.max_unavailable == 2
    # One that has got the model, or that is no more in service, is judged as ever.
    told = replace(mute[0], latest_model_applied=True)
    down = replace(mute[1], power="stopped")
    assert replace(survey, instances=(told, down, *mute[2:])).unavailable == [told, down]
    assert len(replace(survey, policy=Policy()).unavailable) == 10, "a rollout of an image judges health as ever"


def upgraded_and_sick(made: float) -> Survey:
    """All run the target since `made`, and instance 1 is not healthy now, at START."""
    instances = [
        replace(i, exact_version=NEW, os_disk_time=made, health="unhealthy" if i.instance_id == "1" else "healthy")
        for i in uniform(10).survey().instances
    ]
    return replace(uniform(10).survey(since=START - 900_000), instances=tuple(instances), read_at=START, health_lag=0.0)


def test_an_instance_that_became_sick_long_after_its_upgrade_is_in_nobodys_hand() -> None:
    assert upgraded_and_sick(made=START - 60).remaining == ["1"]
    assert upgraded_and_sick(made=START - 4000).remaining == []
