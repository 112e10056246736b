# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One fault after the other, in virtual time: what is survived, and what stops the rollout."""

from __future__ import annotations

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience

from ..fleet import FORMS, NEW, OLD, SHOWS_VERSION, START, Faults, uniform, with_machine
from .ends import check_end

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
    assert upgrade.report.end.code == "instances_failed"
    assert culprit in upgrade.report.end.culprits and words in upgrade.report.end.why
    assert upgrade.report.batches[-1].outcome == "failed"
    assert [m.id for m in fleet.machines.values() if m.content == OLD], "everything was touched after the breach"


@pytest.mark.parametrize("form", SHOWS_VERSION)
def test_a_new_disk_that_shows_another_version_fails_after_the_version_lag(form: str) -> None:
    """As of a reimaged ephemeral disk, which gets its first image back. It is not waited for until the timeout."""
    fleet = uniform(12, form=form, faults=Faults(version_late=300))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and fleet.now - START < 600
    assert "120 s after it got a new OS disk it runs" in upgrade.report.end.why
    fleet = uniform(12, form=form, faults=Faults(version_late=300))
    assert fleet.roll(Patience(version_lag=400)).report.outcome == "upgraded"
    assert all(m.disks == 1 for m in fleet.machines.values())


def test_flexible_without_reimage_stops_and_says_so() -> None:
    fleet = uniform(12, flexible=True, faults=Faults(keeps_disk=frozenset({"2"})))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "a Flexible scale set cannot reimage it" in upgrade.report.end.why


def test_a_disk_that_a_reimage_keeps_too_stops_the_rollout() -> None:
    fleet = uniform(12, faults=Faults(keeps_disk=frozenset({"0"}), reimage_keeps_disk=True))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and "after the upgrade and a reimage" in upgrade.report.end.why
    assert fleet.sent == [("upgrade", ("0",)), ("reimage", ("0",))]


def test_an_operation_that_never_ends_is_given_up() -> None:
    fleet = uniform(12, faults=Faults(operations=("hangs",)))
    upgrade = fleet.roll(Patience(upgrade=600))
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "azure_conflict")
    assert fleet.now - START < 3000


def test_no_reimage_after_a_breach_in_the_same_batch() -> None:
    faults = Faults(keeps_disk=frozenset({"0"}), fails=frozenset({"5"}))
    fleet = uniform(10, faults=faults, policy=Policy(max_unavailable=Limit(2), canary=0))
    upgrade = fleet.roll()
    assert upgrade.report.outcome == "stopped" and upgrade.report.end.culprits == ["0", "5"]
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
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "max_unavailable_reached")
    assert "5 (an extension" in upgrade.report.end.why
    assert fleet.sent == [("upgrade", ("0",))]
    assert upgrade.report.instances["0"].outcome == "failed" and upgrade.report.batches[0].instance_ids == ("0",)


def test_a_refused_reimage_leaves_nothing_out_of_the_report() -> None:
    fleet = uniform(5, faults=Faults(keeps_disk=frozenset({"0"}), sends=("ok", "denied")))
    upgrade = fleet.roll()
    assert (upgrade.report.outcome, upgrade.report.end.code) == ("stopped", "azure_denied")
    assert "AuthorizationFailed" in upgrade.report.end.why
    assert upgrade.report.end.problem is not None and upgrade.report.end.problem.kind == problems.DENIED
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
    assert upgrade.report.batches == [] and upgrade.report.end.code == "azure_denied"
    assert "AuthorizationFailed" in upgrade.report.end.why
