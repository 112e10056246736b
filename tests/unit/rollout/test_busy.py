# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances that another client keeps busy: skipped where the user asks for it, and come back to at the end."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._rollout import endings, messages
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import Wait, next_batch
from ansible_collections.steady.vmss.plugins.module_utils._rollout.memory import Rules
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.steps import Instances, Seen, Step
from ansible_collections.steady.vmss.plugins.module_utils._rollout.steps import Upgrade as UpgradeStep
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience

from ..fleet import FORMS, NEW, START, Faults, Fleet, uniform, with_machine
from .test_rollout import PLAN, WAYS, World, kinds, run
from .test_rollout import result as reported

POLICY = Policy(Limit(3), canary=0, thresholds=Thresholds(unhealthy=Limit(100, percent=True)), busy="skip")
BUSY = {"foreign_blocks": False, "foreign_until": START + 9000}
STOPPED = {"power": "stopped", "healthy_from": math.inf}


class Begun(Fleet):
    """Of a rollout that begins: what is busy now was so before."""

    def survey(self, *, since: float | None = None) -> Survey:
        survey = super().survey(since=since or START)
        before = frozenset(i.instance_id for i in survey.instances if i.provisioning == "Updating")
        return replace(survey, inherited=frozenset(), busy_before=before)


def begun(count: int = 10, **fields: object) -> Begun:
    fleet = uniform(count, policy=POLICY)
    return Begun(fleet.machines, policy=POLICY, **fields)  # type: ignore[arg-type]


# What instance 3 shows, and whether it is skipped: as found when the rollout began, and once the rollout goes on.
SHOWN: dict[str, tuple[dict[str, object], bool, bool]] = {
    "changed by another client": ({"provisioning": "Updating"}, True, False),
    "with the target in its model": ({"provisioning": "Updating", "image": FORMS["platform"][NEW]}, False, False),
    "made since": ({"provisioning": "Creating", "created": START + 5}, True, True),
    "stopped": ({"power": "stopped"}, True, True),
    "stopping": ({"power": "stopping"}, True, True),
    "starting": ({"power": "starting"}, False, False),
    "stopped, on the target": ({"power": "stopped", "exact_version": NEW, "os_disk_time": START + 9}, False, False),
    "failed": ({"provisioning": "Failed", "power": "stopped"}, False, False),
    "sick": ({"health": "unhealthy"}, False, False),
    "nothing": ({}, False, False),
}


@pytest.mark.parametrize(("changes", "first", "later"), SHOWN.values(), ids=SHOWN)
def test_what_is_skipped(changes: dict[str, object], first: bool, later: bool) -> None:
    survey = begun().survey()
    instances = tuple(replace(i, **changes) if i.instance_id == "3" else i for i in survey.instances)  # type: ignore[arg-type]
    survey = replace(survey, instances=instances, busy_before=frozenset("3"))
    assert (list(survey.passed_over) == ["3"]) == first
    assert not first or ("3" in survey.remaining and "3" not in survey.left)
    goes_on = replace(survey, busy_before=frozenset())
    assert (list(goes_on.passed_over) == ["3"]) == later, (
        "one that was idle meanwhile may be another run's of this rollout"
    )
    for never in (
        replace(survey, policy=replace(POLICY, busy="wait")),
        replace(survey, touched=frozenset("3")),
        replace(survey, verified=frozenset("3")),
    ):
        assert not never.passed_over


@pytest.mark.parametrize("hindrance", [BUSY, STOPPED], ids=["busy", "stopped"])
def test_the_others_are_upgraded_and_the_rollout_ends_without_it(hindrance: dict[str, object]) -> None:
    fleet = with_machine(begun(), "3", **hindrance)
    upgrade = fleet.roll(Patience(health=300))
    assert upgrade.report.outcome == "upgraded" and list(upgrade.survey.passed_over) == ["3"]
    assert sorted(upgrade.report.instances) == sorted(fleet.machines.keys() - {"3"})
    assert fleet.machines["3"].disks == 0 and upgrade.survey.remaining == ["3"] and not upgrade.survey.left
    last = max(batch.finished or 0 for batch in upgrade.report.batches)
    waited = fleet.now - last
    assert 300 < waited < 400 if hindrance is BUSY else waited < 60
    assert upgrade.report.max_unavailable_seen <= 3, "it counts all the while"


@pytest.mark.parametrize("until", [600.0, 1500.0])
def test_it_comes_back_to_what_is_free_again(until: float) -> None:
    """In the middle of the rollout, or while it waits at the end; the fleet holds that no two domains are down."""
    fleet = with_machine(begun(), "3", **{**BUSY, "foreign_until": START + until})
    upgrade = fleet.roll(Patience(health=900))
    assert upgrade.report.outcome == "upgraded" and not upgrade.survey.remaining
    assert fleet.machines["3"].disks == 1


def test_by_default_no_other_domain_starts_meanwhile() -> None:
    fleet = with_machine(begun(), "3", **BUSY)
    fleet.policy = replace(POLICY, busy="wait")
    upgrade = fleet.roll(Patience(upgrade=1200))
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "instances_busy")
    assert {i for _kind, ids in fleet.sent for i in ids} <= {"8"}, "its own domain goes on"


def test_what_was_idle_since_and_what_a_killed_run_may_have_started_is_waited_for() -> None:
    fleet = with_machine(begun(), "3", **BUSY)
    upgrade = Upgrade(fleet.survey(), Patience(), now=START)
    with_machine(fleet, "3", foreign_until=0.0)
    upgrade.saw(START + 10, fleet.instances()[0], fleet.scale_set(), 9, START + 10)
    with_machine(fleet, "3", foreign_until=START + 9000)
    upgrade.saw(START + 20, fleet.instances()[0], fleet.scale_set(), 9, START + 20)
    assert not upgrade.survey.passed_over and [i.instance_id for i in upgrade.survey.with_others] == ["3"]
    killed = replace(fleet.survey(), inherited=None, busy_before=frozenset())
    found = next_batch(killed)
    assert (
        isinstance(found, Wait) and found.reason == "waiting for changes in progress: 3 (Updating)" and not found.skips
    )


def test_what_another_run_works_on_is_waited_for_before_the_end() -> None:
    fleet = with_machine(begun(), "3", **BUSY)
    survey = fleet.survey()
    others = [replace(i, exact_version=NEW, os_disk_time=START + 9) for i in survey.instances]
    booting = {"health": "initializing", "health_time": START + 20}
    shown = [replace(i, **booting) if i.instance_id == "8" else i for i in others if i.instance_id != "3"]  # type: ignore[arg-type]
    busy = next(i for i in survey.instances if i.instance_id == "3")
    found = next_batch(replace(survey, instances=(*shown, busy), read_at=START + 30))
    assert isinstance(found, Wait) and not found.skips and "8 (health initializing)" in found.reason


# -- the machine of the whole rollout ----------------------------------------------------------------


class Occupied(World):
    """Instance 1 of three is busy, until it has been waited for so often, or for ever."""

    frees: int | None = None
    waits = 0

    def seen(self) -> Instances:
        free = self.frees is not None and self.waits >= self.frees
        still = [str(n) for n in range(3) if str(n) not in self.new]
        left = [one for one in still if one != "1" or free]
        busy = {"1": "provisioning Updating"} if "1" in still and not free else {}
        following = {"number": 4 - len(left), "label": "none", "instance_ids": left[:1]} if left else None
        return Instances(following, left, (), "As last read.", busy=busy)

    def answer(self, step: Step) -> Seen:
        if isinstance(step, UpgradeStep) and not step.instance_ids:
            self.steps.append(step)
            self.waits += 1
            return Seen(result=reported((), "upgraded"), instances=self.seen())
        return super().answer(step)


@pytest.mark.parametrize("frees", [None, 1])
def test_the_rollout_comes_back_at_its_end(frees: int | None) -> None:
    world = Occupied(replace(PLAN, follow_latest=True))
    world.frees = frees
    ended = run(world, Rules(hooks=("before_batch", "after")), through_json=True)
    upgrades = [list(step.instance_ids) for step in world.steps if isinstance(step, UpgradeStep)]
    assert upgrades == [["0"], ["2"], [], *([["1"]] if frees else [])]
    result = endings.result(ended)
    assert result["outcome"] == "upgraded" and messages.ending(ended, WAYS) == ""
    if frees:
        assert kinds(world)[-3:] == ["RunHook after", "SetServices Running", "Write latest"]
        assert result["busy"] == {} and messages.skipped(ended) == []
        return
    # Its record stays open, so that the next run goes on, and the model stays pinned until then.
    assert kinds(world)[-2:] == ["RunHook after", "SetServices Running"]
    assert result["busy"] == {"1": "provisioning Updating"}
    (said,) = messages.skipped(ended)
    assert said.startswith("Instances 1 (provisioning Updating) of scale set web were skipped, because another client")
    assert said.endswith("The model is not set to follow the newest version until then.")


@pytest.mark.parametrize("begins", [True, False])
def test_only_a_rollout_that_begins_knows_what_was_busy_before(begins: bool) -> None:
    """And forgets it as soon as it is free."""
    world = Occupied(replace(PLAN, begins=begins))
    world.frees = 1
    ended = run(world, Rules())
    assert ended.walk.busy_before == () and not ended.walk.busy
    forever = run(Occupied(replace(PLAN, begins=begins)), Rules())
    assert forever.walk.busy_before == (("1",) if begins else ())


def test_a_stop_closes_its_record_whoever_is_busy() -> None:
    world = Occupied(fails=3)
    ended = run(world, Rules())
    assert ended.stop is not None and messages.skipped(ended) == []
    assert kinds(world)[-1] == "Write end" and endings.result(ended)["busy"] == {"1": "provisioning Updating"}


def test_faults_break_nothing_where_instances_are_busy() -> None:
    """The fleet holds every rule of DESIGN §4 at each request."""
    for late in (0.0, 20.0):
        for power in ("running", "deallocated"):
            faults = Faults(updating_late=late, power_at_work=power, sends=("conflict", "lost_accepted", "lost"))
            fleet = begun(12, faults=faults)
            for one, hindrance in {"1": BUSY, "5": STOPPED, "7": {**BUSY, "foreign_until": START + 700}}.items():
                with_machine(fleet, one, **hindrance)
            upgrade = fleet.roll(Patience(health=600))
            assert upgrade.report.outcome == "upgraded" and sorted(upgrade.survey.passed_over) == ["1", "5"]
            assert upgrade.survey.verdicts["7"] == "current"
