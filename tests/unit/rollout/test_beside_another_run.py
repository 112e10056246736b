# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another run of the same rollout goes on beside this one: what it works on is awaited, and never this run's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import BatchReport
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import Batch, Wait, next_batch
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import Finished, Look
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience

from ..fleet import FORMS, NEW, START, Faults, Fleet, Work, uniform, with_machine

POLICY = Policy(max_unavailable=Limit(4), canary=0)
EARLIER = (BatchReport(1, "update domain 0", ("0",), START),)
MADE, NOW = START + 60, START + 100

# What another run's instance shows, and what is said of it; "" where it is not waited for.
SHOWN: dict[str, tuple[dict[str, object], str]] = {
    "being upgraded": ({"provisioning": "Updating", "exact_version": "1.9.0"}, "provisioning Updating"),
    "on its new disk": ({"provisioning": "Updating"}, "provisioning Updating"),
    "booting": ({"health": "initializing", "health_time": NOW - 5}, "health initializing"),
    "no health yet": ({"health": None, "health_time": None}, "no health reported"),
    "sick": ({"health": "unhealthy", "health_time": NOW - 5}, "health unhealthy"),
    "the old health": ({"health_time": MADE - 500}, "its health is as old as its disk"),
    "healthy, nobody says since when": ({"health_time": None}, "its health is as old as its disk"),
    "back": ({"health_time": MADE + 30}, ""),
    "healthy for long": ({"health_time": None, "os_disk_time": START + 1, "read_at": START + 200}, ""),
    "protected": ({"health": "initializing", "protected_from_actions": True}, ""),
    "made by autoscale": ({"health": "initializing", "created": START + 50}, ""),
    "new before this rollout, and sick": ({"health": "unhealthy", "os_disk_time": START - 900}, ""),
}


def beside(shown: dict[str, object], ours: str = "0") -> Survey:
    """Ten instances in five domains: 8, of domain 3, is another run's, and `ours` this one's."""
    changes = dict(shown)
    read_at = changes.pop("read_at", NOW)
    survey = uniform(10, policy=POLICY).survey(since=START)
    theirs = {"exact_version": NEW, "os_disk_time": MADE, "image": FORMS["platform"][NEW], **changes}
    instances = [replace(i, **theirs) if i.instance_id == "8" else i for i in survey.instances]
    return replace(
        survey,
        instances=tuple(instances),
        inherited=frozenset({ours}),
        passed=frozenset({ours}),
        read_at=read_at,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("shown", "said"), SHOWN.values(), ids=SHOWN)
def test_no_domain_starts_while_another_run_works_in_another(shown: dict[str, object], said: str) -> None:
    survey = beside(shown)
    found = next_batch(survey)
    if not said:
        assert isinstance(found, Batch) and found.instance_ids == ("0", "5") and not found.adopted
        return
    reason = f"another client is still upgrading instance 8 ({said})"
    assert found == Wait("instances_busy", reason, busy=True)
    assert not survey.in_progress and not survey.in_doubt and "8" in survey.remaining
    for not_theirs in (
        replace(survey, selection=Selection(("0", "5"))),  # not chosen
        replace(survey, unfinished=False),
        replace(survey, since=None),
        replace(survey, verified=frozenset({"8"})),
    ):
        assert not not_theirs.with_others


@pytest.mark.parametrize(("shown", "said"), SHOWN.values(), ids=SHOWN)
def test_the_domain_in_which_another_run_works_goes_on(shown: dict[str, object], said: str) -> None:
    survey = replace(beside(shown), only=frozenset({"3"}))
    assert next_batch(survey) == Batch("update domain 3", ("3",))
    assert {i.instance_id for i in survey.with_others} == ({"8"} if said else set())


SICK = {"health": "unhealthy", "os_disk_time": START + 1, "read_at": START + 4000}


@pytest.mark.parametrize("nothing_left", [True, False])
@pytest.mark.parametrize(
    ("limit", "others", "stops"),
    [
        (Limit(0), {}, True),
        (Limit(1), {}, False),
        (Limit(20, percent=True), {}, True),
        (Limit(1), {"5": "failed after its upgrade: sick"}, True),
        (Limit(0), {"8": "failed after its upgrade: sick"}, False),  # this run's own, and judged as such
    ],
)
def test_what_another_run_left_unhealthy_counts_as_this_runs_failures_do(
    limit: Limit, others: dict[str, str], stops: bool, nothing_left: bool
) -> None:
    survey = beside(SICK)
    if nothing_left:
        survey = replace(survey, instances=tuple(i for i in survey.instances if i.instance_id in ("8", "9")))
        survey = replace(survey, selection=Selection(("8",)))
    policy = replace(survey.policy, thresholds=Thresholds(unhealthy_upgraded=limit))
    found = next_batch(replace(survey, policy=policy, excluded=others))
    if not stops:
        assert found is None if nothing_left else isinstance(found, Batch)
        return
    assert isinstance(found, Wait) and found.code == "unhealthy_on_target" and not found.busy
    assert found.reason.endswith("Another run of this rollout has upgraded instance 8 (health unhealthy)")
    for not_theirs in (replace(survey, verified=frozenset({"8"})), replace(survey, inherited=None)):
        assert not not_theirs.left_unhealthy, "what this run has seen healthy has fallen sick by itself"


@pytest.mark.parametrize("limit", [2, 4])
def test_a_run_that_waits_goes_no_further_where_the_other_one_has_died(limit: int) -> None:
    policy = replace(POLICY, max_unavailable=Limit(limit))
    fleet = uniform(10, policy=policy, faults=Faults(never_healthy=frozenset("8")))
    at = START + 100
    with_machine(fleet, "8", work=Work(at, at, at + 45, at + 90), applied=True, worked=True)
    upgrade = fleet.roll(Patience(upgrade=7200), since=START, earlier=EARLIER)
    assert not fleet.sent
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "unhealthy_on_target")


def test_a_rollout_does_not_end_before_another_run_has() -> None:
    """One batch does: what is left says that the rollout goes on."""

    def upgraded(instance: Instance) -> Instance:
        return replace(instance, exact_version=NEW) if instance.instance_id != "8" else instance

    survey = beside({"health": "initializing"})
    survey = replace(survey, instances=tuple(upgraded(i) for i in survey.instances))
    assert isinstance(next_batch(survey), Wait) and survey.remaining == ["8"]
    assert next_batch(replace(survey, only=frozenset({"0"}))) is None


@pytest.mark.parametrize("shows", ["moves", "lingers", "lingers, without times"])
@pytest.mark.parametrize("begins", [-120.0, -80.0, 0.0])
def test_a_run_waits_until_the_instance_of_another_run_is_back(begins: float, shows: str) -> None:
    """The fleet holds that nothing is sent while an instance of the rollout is not back."""
    faults = Faults(linger=45) if shows == "lingers" else Faults()
    faults = Faults(linger=45, health_times="none") if shows == "lingers, without times" else faults
    fleet = uniform(10, policy=POLICY, faults=faults, health_lag=lambda: 100.0)
    at = START + 200
    theirs = Work(at + begins, at + begins, at + begins + 45, at + begins + 90)
    lingers = (theirs.disk_at + faults.linger, ("healthy", START - 4900)) if faults.linger else None
    with_machine(fleet, "8", work=theirs, applied=True, worked=True, lingers=lingers)
    fleet.advance(at)
    upgrade = fleet.roll(since=START, earlier=EARLIER)
    assert upgrade.report.outcome == "upgraded" and "waiting" in {event["event"] for event in upgrade.report.events}
    assert sorted(upgrade.report.instances) == sorted(fleet.machines.keys() - {"8"}), "what it has not started"
    assert fleet.machines["8"].disks == 1


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("shown", "believed"),
    [({"health_time": MADE - 500}, False), ({"health_time": None}, False), ({"health_time": MADE + 30}, True)],
)
def test_an_old_health_on_a_new_disk_is_not_believed(shown: dict[str, object], believed: bool, recorded: bool) -> None:
    """Whoever has replaced the disk, and where no record tells of a rollout either."""
    survey = replace(beside(shown), since=START if recorded else None, policy=replace(POLICY, max_unavailable=Limit(1)))
    (one,) = (i for i in survey.instances if i.instance_id == "8")
    assert (survey.available(one), one in survey.unavailable) == (believed, not believed)
    assert isinstance(next_batch(survey), Batch) == believed
    assert survey.coming(one) != believed, "it is waited for, and no breach"
    later = replace(survey, read_at=MADE + survey.health_lag + 1)
    assert later.available(one) and isinstance(next_batch(later), Batch), "no state lasts longer than the lag"


@pytest.mark.parametrize("shown", [{"provisioning": "Updating"}, {"health": "initializing"}])
def test_a_run_that_has_begun_the_rollout_adopts_nothing(shown: dict[str, object]) -> None:
    """As where Azure itself answers the new image, for the mode became Automatic meanwhile."""
    survey = replace(beside(shown), inherited=None, passed=frozenset())
    later = Upgrade(survey, Patience(), now=NOW)
    assert [i.instance_id for i in later.survey.in_progress] == ["8"] and not later.survey.with_others
    begins = Upgrade(replace(survey, inherited=frozenset()), Patience(), now=NOW)
    assert [i.instance_id for i in begins.survey.with_others] == ["8"] and not begins.survey.in_progress


def waits(fleet: Fleet, upgrade: Upgrade, until: float) -> bool:
    """Whether it still waits then."""
    while fleet.now < until:
        step = upgrade.next(fleet.now)
        if isinstance(step, Finished):
            return False
        assert isinstance(step, Look)
        fleet.advance(step.at)
        instances, left = fleet.instances()
        upgrade.saw(fleet.now, instances, fleet.scale_set() if step.model else None, left, fleet.now)
    return True


@pytest.mark.parametrize("goes_on", [True, False])
def test_patience_begins_anew_as_another_run_goes_on(goes_on: bool) -> None:
    """As long as the rollout moves, however long it takes, the run that waits is no reason to stop it."""
    fleet = uniform(30, policy=POLICY)
    with_machine(fleet, "3", foreign_until=START + 7200)
    with_machine(fleet, "8", foreign_until=START + (1000 if goes_on else 7200))
    with_machine(fleet, "13", foreign_until=START + (2000 if goes_on else 7200))
    upgrade = Upgrade(fleet.survey(since=START), Patience(upgrade=3000), now=START, earlier=EARLIER)
    assert waits(fleet, upgrade, START + 4000) == goes_on
    assert not waits(fleet, upgrade, START + 6000) and upgrade.report.end.code == "instances_busy"
