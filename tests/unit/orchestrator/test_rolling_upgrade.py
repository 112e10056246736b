# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hours of Azure's own upgrades in virtual time: what is started, adopted, believed, waited for and said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import (
    Instance,
    PastUpgrade,
    RollingUpgrade,
    ScaleSet,
)
from ansible_collections.steady.vmss.plugins.module_utils._facts.times import timestamp
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import messages
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.observation import EXTENSIONS, OS, Watch
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.rolling_upgrade import (
    CANCELLED,
    COMPLETED,
    STARTED,
    RollingRun,
)
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.steps import Patience

from ..orchestrated import (
    GALLERY,
    NEW,
    NONE_RUNS,
    OLD,
    SET,
    STALE,
    T0,
    UNHEALTHY,
    Azure,
    drive,
    fleet,
    follow,
    instance,
    outcomes,
)


def test_a_hundred_instances_and_again() -> None:
    azure = Azure(fleet(100))
    run = drive(azure)
    assert (run.report.outcome, run.acted, len(azure.starts)) == ("upgraded", True, 1)
    assert outcomes(run) == {"upgraded": [str(n) for n in range(100)]}
    seconds = azure.now - T0
    assert seconds > 50 * 120
    assert len(azure.gets) <= 2 * seconds / 60 + 6
    assert sorted(i for batch in run.report.batches for i in batch.instance_ids) == sorted(azure.instances)
    again = drive(azure)
    assert (again.report.outcome, again.acted, len(azure.starts)) == ("unchanged", False, 1)
    assert again.report.instances == {}


@pytest.mark.parametrize("before", [None, STALE, replace(STALE, started=None)], ids=["never", "stale", "timeless"])
@pytest.mark.parametrize("visible_after", [0, 45, 130])
def test_an_old_failure_is_not_ours(before: RollingUpgrade | None, visible_after: float) -> None:
    azure = Azure(fleet(4), latest=before, visible_after=visible_after)
    run = drive(azure)
    assert (run.report.outcome, run.reason, run.report.end.why) == ("upgraded", None, "")
    assert run.current is not None and run.current.started == T0 + visible_after


def test_a_stale_failure_and_nothing_to_do_is_unchanged() -> None:
    azure = Azure(fleet(4, version="2.0.0"), latest=STALE)
    run = drive(azure)
    assert (run.report.outcome, run.reason, azure.starts) == ("unchanged", None, [])


def test_what_azure_tells_no_more_is_told_as_it_was_read_last() -> None:
    azure = Azure(fleet(8), began=T0 - 200)
    run = drive(azure)
    said = messages.stopped(run, None, run.watch.read_at)
    assert (
        f"As last read at {timestamp(run.watch.read_at)}: Of 8 instances 8 run" in said and "trigger_os_upgrade" in said
    )
    assert "As last read" not in messages.stopped(run, None)


def test_a_failed_instance_quotes_what_azures_error_says_of_it() -> None:
    details = (("ResizeDiskError", "/x/virtualMachines/2/disks/os", "cannot be resized down"),)

    class Detailed(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.latest is not None and self.latest.problem is not None:
                self.latest = replace(self.latest, problem=replace(self.latest.problem, details=details))

    run = drive(Detailed(fleet(4), breaks_at=2))
    assert outcomes(run)["failed"] == ["2"]
    assert "Azure says of its operation: ResizeDiskError: cannot be resized down" in run.report.instances["2"].why
    assert "its error: ResizeDiskError: cannot be resized down" in run.report.end.why


def test_one_that_runs_is_adopted() -> None:
    azure = Azure(fleet(8), began=T0 - 200)
    run = drive(azure)
    assert (run.report.outcome, run.adopted, run.acted, azure.starts) == ("upgraded", True, False, [])
    assert outcomes(run)["upgraded"] == ["2", "3", "4", "5", "6", "7"]  # 0 and 1 were done before we came
    started = drive(Azure(fleet(8), began=T0 - 200), STARTED)
    assert (started.report.outcome, started.adopted, started.acted) == (None, True, False)


def test_started_returns_once_the_upgrade_shows() -> None:
    azure = Azure(fleet(8), latest=STALE, visible_after=40)
    run = drive(azure, STARTED)
    assert (run.report.outcome, run.acted) == (None, True)
    assert run.current is not None and run.current.started == T0 + 40
    azure.advance(T0 + 7200)
    later = drive(azure, COMPLETED, current_started=run.current.started)
    assert (later.report.outcome, later.acted, azure.starts) == ("upgraded", False, [T0])


def test_the_end_of_the_upgrade_that_an_earlier_call_started_is_ours() -> None:
    azure = Azure(fleet(8), breaks_at=2)
    run = drive(azure, STARTED)
    azure.advance(T0 + 7200)
    later = drive(azure, COMPLETED, current_started=run.current.started if run.current else None)
    assert (later.report.outcome, azure.starts) == ("stopped", [T0])
    assert later.reason is not None and later.reason.threshold == "maxUnhealthyUpgradedInstancePercent"


@pytest.mark.parametrize("delay", [0, 1800, 3600, 10000])
def test_azures_own_start_is_waited_for(delay: float) -> None:
    azure = Azure(fleet(6), latest=STALE, platform_starts=T0 + delay)
    run = drive(azure, start=10800)
    assert (run.report.outcome, run.adopted, run.acted, azure.starts) == ("upgraded", True, False, [])
    assert outcomes(run) == {"upgraded": list(azure.instances)}


def test_an_upgrade_that_came_and_went_between_two_looks_is_seen() -> None:
    azure = Azure(fleet(2), platform_starts=T0 + 3, batch=5)
    run = drive(azure, start=10800)
    assert (run.report.outcome, azure.starts) == ("upgraded", [])


def test_azure_that_never_starts_is_given_up_in_time() -> None:
    azure = Azure(fleet(6))
    run = drive(azure, start=10800)
    assert (run.report.outcome, run.acted, azure.starts, azure.now) == ("failed", False, [], T0 + 10800)
    assert run.report.end.code == "upgrade_not_started" and "10800 s" in run.report.end.why
    assert len(azure.gets) <= 2 * 180 + 2 + 10800 / 300  # the instances are listed now and then


@pytest.mark.parametrize("retry_anyway", [False, True])
def test_azures_failed_attempt_at_this_version_is_told_and_waited_for_only_on_request(retry_anyway: bool) -> None:
    tried = PastUpgrade("Faulted", STALE.started, T0 - 6 * 86400, {}, "Platform", NEW, UNHEALTHY, 2)
    azure = Azure(fleet(4), latest=STALE)
    run = drive(azure, start=600, failed_attempt=tried, retry_anyway=retry_anyway)
    assert (run.report.outcome, azure.starts, run.reason) == ("failed", [], None)
    assert azure.now == (T0 + 600 if retry_anyway else T0)
    assert run.report.end.code == ("upgrade_not_started" if retry_anyway else "upgrade_tried_before")
    assert ("600 s" in run.report.end.why) == retry_anyway
    for words in ("has tried this version by itself already", "instance 0 failed first", "back at 2 of the instances"):
        assert words in run.report.end.why


def test_a_broken_image_is_not_put_back_after_a_manual_start() -> None:
    run = drive(Azure(fleet(10), breaks_at=4))
    assert run.report.outcome == "stopped"
    assert outcomes(run) == {
        "upgraded": ["0", "1", "2", "3"],
        "failed": ["4"],
        "not_started": ["5", "6", "7", "8", "9"],
    }
    assert "instance 0 failed first" in run.report.end.why


@pytest.mark.parametrize(
    ("by_policy", "readable", "restored"), [(False, False, 0), (True, False, None), (True, True, 0)]
)
def test_what_only_the_history_tells_of_the_disks(by_policy: bool, readable: bool, restored: int | None) -> None:
    class ByPolicy(Azure):
        def show(self) -> RollingUpgrade | None:
            found = super().show()
            policy = {"rollbackFailedInstancesOnPolicyBreach": by_policy}
            return found and replace(found, policy=policy)

    run = drive(ByPolicy(fleet(4), breaks_at=0, history_readable=readable))
    assert (run.report.outcome, run.restored) == ("stopped", restored)


def test_azure_restores_the_disks_after_an_automatic_one() -> None:
    azure = Azure(fleet(10), breaks_at=0, restores=True, platform_starts=T0 + 60)
    run = drive(azure, start=10800)
    assert (run.report.outcome, run.history_entry.restored if run.history_entry else 0) == ("rolled_back", 1)
    assert outcomes(run)["rolled_back"] == ["0"]
    assert len(outcomes(run)["not_started"]) == 9


def test_cancel_finishes_the_batch_in_progress() -> None:
    azure = Azure(fleet(10), began=T0 - 130)
    run = drive(azure, CANCELLED)
    assert (run.report.outcome, run.acted, len(azure.cancels), azure.starts) == ("stopped", True, 1, [])
    assert run.current is not None and run.current.code == "Cancelled"
    assert outcomes(run) == {"upgraded": ["2", "3"], "not_started": ["4", "5", "6", "7", "8", "9"]}


@pytest.mark.parametrize("before", [None, STALE])
def test_cancel_with_nothing_running_asks_azure_nothing(before: RollingUpgrade | None) -> None:
    azure = Azure(fleet(3), latest=before)
    run = drive(azure, CANCELLED)
    assert (run.report.outcome, run.acted, azure.cancels, run.reason) == ("unchanged", False, [], None)


def test_one_that_ended_before_the_cancel_came() -> None:
    azure = Azure(fleet(4), began=T0 - 239, batch=120, refuses=[NONE_RUNS])
    run = drive(azure, CANCELLED)
    assert (run.report.outcome, run.acted) == ("upgraded", False)
    assert run.report.end.why == "it had ended before the cancellation"


def test_another_clients_cancellation_is_no_success() -> None:
    azure = Azure(fleet(10), cancel_at=T0 + 150, operation=Operation("Succeeded"))
    run = drive(azure)
    assert (run.report.outcome, run.report.end.why) == ("stopped", "it was cancelled")
    assert outcomes(run)["upgraded"] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("kind", [problems.CONFLICT, problems.THROTTLED, problems.LOST])
def test_a_start_that_met_another_client_is_planned_anew(kind: str) -> None:
    azure = Azure(fleet(4), latest=STALE, refuses=[Problem(kind, "X", "m", retry_after=7.0)] * 2)
    run = drive(azure)
    assert (run.report.outcome, len(azure.starts)) == ("upgraded", 3)


def test_a_lost_answer_may_have_started_it() -> None:
    class Lost(Azure):
        def start(self) -> Problem | None:
            super().start()
            return Problem(problems.LOST, "", "gone")

    azure = Lost(fleet(4), latest=STALE)
    run = drive(azure)
    assert (run.report.outcome, len(azure.starts)) == ("upgraded", 1)
    azure = Lost(fleet(4), latest=STALE, batch=5, breaks_at=0)  # over before we looked again
    run = drive(azure)
    assert (run.report.outcome, run.acted, len(azure.starts)) == ("stopped", True, 1)
    assert run.reason is not None


def test_a_start_that_azure_forbids_says_so() -> None:
    refusal = Problem(problems.REFUSED, "BadRequest", "The OS Rolling Upgrade API cannot be used …")
    azure = Azure(fleet(4), latest=STALE, refuses=[refusal])
    run = drive(azure)
    assert (run.report.outcome, run.report.end.problem, len(azure.starts)) == ("failed", refusal, 1)
    never = Problem(problems.REFUSED, "OperationNotAllowed", "Operation 'osRollingUpgrade' is not allowed.")
    azure = Azure(fleet(4), refuses=[never] * 9)
    run = drive(azure)
    assert (run.report.outcome, run.report.end.problem) == ("failed", never)
    assert len(azure.starts) <= 4


def test_a_failed_operation_is_told_though_the_latest_is_an_old_one() -> None:
    ended = Operation(
        "Failed", Problem(problems.LOST, "InternalExecutionError", "An internal execution error occurred.")
    )
    azure = Azure(fleet(4), latest=STALE, visible_after=1e9, operation=ended)
    run = drive(azure)
    assert (run.report.outcome, run.report.end.problem) == ("failed", ended.problem)


def test_an_operation_that_succeeds_unseen_is_judged_by_the_instances() -> None:
    azure = Azure(fleet(4), latest=STALE, visible_after=1e9, operation=Operation("Succeeded"))
    run = drive(azure)
    assert (run.report.outcome, run.report.end.code) == ("failed", "upgrade_incomplete")
    assert "shows no upgrade" in run.report.end.why


def test_a_write_in_mode_rolling_runs_the_upgrade_inside_itself() -> None:
    azure = Azure(fleet(6), latest=STALE, platform_starts=T0 + 40, write_ends=T0 + 500)
    updating = replace(SET, upgrade_mode="Rolling", provisioning_state="Updating")
    run = drive(azure, scale_set=updating)
    assert (run.report.outcome, azure.starts) == ("upgraded", [])


@pytest.mark.parametrize(("version", "waits"), [("1.0.0", True), ("2.0.0", False)])
def test_another_clients_write_is_waited_for_where_something_is_to_do(version: str, waits: bool) -> None:
    azure = Azure(fleet(2, version=version), write_ends=T0 + 500)
    run = drive(azure, scale_set=replace(SET, provisioning_state="Updating"))
    assert run.report.outcome == ("upgraded" if waits else "unchanged")
    assert azure.starts == ([T0 + 510] if waits else [])


def test_completed_is_not_believed_of_an_instance_that_is_not_available() -> None:
    azure = Azure(fleet(4))
    azure.instances["3"] = replace(azure.instances["3"], health="unhealthy")
    run = drive(azure)
    assert (run.report.outcome, run.report.end.culprits) == ("failed", ["3"])
    assert "instance 3" in run.report.end.why and "unhealthy" in run.report.end.why


def test_an_instance_that_shows_the_new_image_late_is_waited_for() -> None:
    class Late(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.began is not None and self.now < self.began + 400:
                self.instances["3"] = replace(self.instances["3"], exact_version="1.0.0")
            elif self.began is not None:
                self.instances["3"] = replace(self.instances["3"], exact_version="2.0.0")

    run = drive(Late(fleet(4)))
    assert run.report.outcome == "upgraded"
    assert outcomes(run) == {"upgraded": ["0", "1", "2", "3"]}


def test_protected_and_deallocated_instances_are_skipped() -> None:
    azure = Azure(fleet(2, version="2.0.0"))
    azure.instances["7"] = instance(7, protected_from_actions=True)
    azure.instances["8"] = instance(8, power="deallocated")
    run = drive(azure)
    assert (run.report.outcome, azure.starts) == ("unchanged", [])
    assert run.watch.skipped == {"7": "protected from scale set actions", "8": "deallocated"}


def test_a_wait_for_azure_sees_that_nothing_is_to_do_any_more() -> None:
    class ScaledIn(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.now > T0 + 1000:
                self.instances.pop("1", None)

    azure = ScaledIn({"0": instance(0, "2.0.0"), "1": instance(1)})
    run = drive(azure, start=10800)
    assert (run.report.outcome, azure.starts) == ("unchanged", [])
    assert azure.now < T0 + 1400
    for left in ({}, {"0": instance(0, protected_from_actions=True)}):
        run = drive(ScaledIn({**left, "1": instance(1)}), start=10800)
        assert run.report.outcome == "unchanged"
        assert "came to run" not in run.report.end.why, "no instance did"


def test_a_wait_for_azure_ends_where_automatic_upgrades_are_turned_off() -> None:
    class TurnedOff(Azure):
        def as_it_is(self, scale_set: ScaleSet) -> ScaleSet:
            return replace(scale_set, automatic_os_upgrade=self.now < T0 + 1000)

    azure = TurnedOff(fleet(2))
    run = drive(azure, start=10800)
    assert (run.report.outcome, azure.starts) == ("failed", [])
    assert run.report.end.code == "automatic_upgrades_off" and azure.now < T0 + 1400


def test_an_upgrade_that_outlasts_patience_is_left_running() -> None:
    azure = Azure(fleet(100), batch=3600)
    run = drive(azure, upgrade=7200)
    assert (run.report.outcome, run.report.end.code) == ("failed", "upgrade_not_ended")
    assert azure.cancels == []


def test_extensions_are_done_when_azure_has_seen_to_all() -> None:
    azure = Azure(fleet(4))
    run = drive(azure, kind=EXTENSIONS)
    assert (run.report.outcome, len(azure.starts)) == ("upgraded", 1)
    assert outcomes(run) == {"upgraded": ["0", "1", "2", "3"]}


@pytest.mark.parametrize(
    ("since", "made", "found"),
    [
        (None, None, "to do"),
        (None, T0, "to do"),
        (T0, T0 - 5, "to do"),  # that upgrade has passed it over
        (T0, T0 + 5, "done"),
        (T0, None, "unproven"),
    ],
)
def test_a_gallery_image_of_which_azure_reports_no_version(since: float | None, made: float | None, found: str) -> None:
    """A disk made since an upgrade to this version began proves it. What Azure calls completed proves nothing."""
    one = Instance("0", image=GALLERY, os_disk_time=made, health="healthy")
    watch = Watch(SET, [one], OS, GALLERY.with_version("2.0.0"), now=T0, since=since)
    assert (bool(watch.to_do), watch.done(one), list(watch.unproven) == ["0"]) == (
        found == "to do",
        found == "done",
        found == "unproven",
    )
    watch.ended(RollingUpgrade("Faulted", T0 + 1), None)
    assert watch.done(one) == (made is not None and made > T0 + 1)
    watch.ended(RollingUpgrade("Completed", T0 + 1), None)
    assert watch.done(one) == (made is not None and made > T0 + 1)
    assert ("0" in watch.unproven) == (made is None)


@pytest.mark.parametrize("disks", ["change", "stay"])
def test_what_azure_skipped_is_unproven_and_a_replaced_disk_is_proof(disks: str) -> None:
    """A gallery image without exact version. Instance 1 is protected meanwhile, so Azure passes it over."""

    class Gallery(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            for i, one in self.instances.items():
                disk = f"new-{i}" if i in self._done and disks == "change" else f"old-{i}"
                self.instances[i] = replace(one, image=GALLERY, exact_version=None, os_disk=disk)

    azure = Gallery(fleet(4))
    azure.instances["1"] = replace(azure.instances["1"], protected_from_actions=True)
    azure.advance(T0)
    watch = Watch(SET, azure.instances.values(), OS, GALLERY.with_version("2.0.0"), now=T0)
    run = RollingRun(watch, None, now=T0, wanted=COMPLETED, patience=Patience())
    azure.target = GALLERY.with_version("2.0.0")
    follow(azure, run, SET)
    assert not run.watch.done(run.watch.now["1"]) and "protected" in run.watch.unproven["1"]
    if disks == "change":
        assert (run.report.outcome, outcomes(run)) == ("upgraded", {"upgraded": ["0", "2", "3"]})
    else:
        assert (run.report.outcome, outcomes(run)) == ("failed", {"unproven": ["0", "2", "3"]})
        assert "instance 0: Azure reports neither the version" in run.report.end.why


# -- waits that end -------------------------------------------------------------------------------


def test_an_upgrade_that_azure_no_longer_shows_is_not_waited_for_to_the_end() -> None:
    class Gone(Azure):
        def show(self) -> RollingUpgrade | None:
            found = super().show()
            return None if self.now > T0 + 200 else found

    azure = Gone(fleet(40))
    run = drive(azure)
    assert run.report.outcome in ("stopped", "failed") and azure.now < T0 + 700
    assert run.report.end.code == "upgrade_end_unknown"


@pytest.mark.parametrize("status", ["InProgress", "Succeeded"])
def test_a_start_whose_operation_is_in_progress_is_waited_for_though_nothing_shows(status: str) -> None:
    azure = Azure(fleet(4), latest=STALE, visible_after=900, operation=Operation(status))
    run = drive(azure)
    assert run.report.outcome == ("upgraded" if status == "InProgress" else "failed")
    never = Azure(fleet(4), latest=STALE, visible_after=1e9)
    run = drive(never, upgrade=3600)
    assert (run.report.outcome, run.report.end.code) == ("failed", "upgrade_not_shown") and never.now < T0 + 3700


# -- what is said of the instances ----------------------------------------------------------------


def test_only_a_disk_that_is_read_back_is_called_restored() -> None:
    """Azure's history says: restored 1, not restored 1. Instance 0 is back; instance 1 is on neither for good."""

    class Half(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.latest is not None and self.latest.code == "Faulted":
                self.instances["1"] = replace(self.instances["1"], provisioning="Failed", health="unhealthy")
                self.history = [replace(self.history[0], restored=1, not_restored=1)]

    azure = Half(fleet(4), breaks_at=0, restores=True, platform_starts=T0 + 60)
    azure.instances["0"] = replace(azure.instances["0"], exact_version="0.9.0")
    azure.old = {"0": "0.9.0"}
    run = drive(azure, start=10800)
    assert run.report.outcome == "stopped"
    assert outcomes(run) == {"rolled_back": ["0"], "failed": ["1"], "not_started": ["2", "3"]}


def test_instances_that_others_made_meanwhile_are_not_ours_and_each_goes_back_to_what_it_ran() -> None:
    class Scaled(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.now > T0 + 100:
                self.instances["9"] = instance(9, "2.0.0")

    azure = Scaled(fleet(6), breaks_at=4)
    azure.instances["0"] = replace(azure.instances["0"], exact_version="0.9.0")
    azure.instances["1"] = replace(azure.instances["1"], exact_version=None)
    run = drive(azure)
    assert run.report.outcome == "stopped" and "9" not in run.report.instances
    assert all("9" not in batch.instance_ids for batch in run.report.batches)
    groups = run.watch.put_back(run.report.instances)
    version = [(group["image"] or {}).get("version") for group in groups]
    assert list(zip(version, [g["all"] for g in groups], [g["failed"] for g in groups], strict=True)) == [
        (None, ["1"], []),
        ("0.9.0", ["0"], []),
        ("1.0.0", ["2", "3", "4"], ["4"]),
    ]
    alike = {i: one for i, one in run.report.instances.items() if i != "0"}
    (group,) = run.watch.put_back(alike)
    assert (group["all"], group["assumed"]) == (["1", "2", "3", "4"], ["1"]), "the others ran one image"
    untouched = {i: one for i, one in alike.items() if i not in ("2", "3", "4")}
    (group,) = run.watch.put_back(untouched)
    assert (group["all"], group["image"]["version"]) == (["1"], "1.0.0"), "one that was not reached tells it too"


@given(
    number=st.integers(1, 40),
    done=st.sets(st.integers(0, 39)),
    batch=st.floats(5, 600),
    stale=st.sampled_from([None, STALE, replace(STALE, code="Cancelled"), replace(STALE, code="Completed")]),
    visible_after=st.floats(0, 200),
    breaks_at=st.none() | st.integers(0, 40),
    cancel_at=st.none() | st.floats(0, 3000),
    refuses=st.lists(st.sampled_from([problems.CONFLICT, problems.LOST, problems.THROTTLED]), max_size=3),
    poll=st.sampled_from([1.0, 30.0, 60.0]),
)
def test_whatever_happens_it_ends_starts_little_and_says_what_is_true(
    number: int,
    done: set[int],
    batch: float,
    stale: RollingUpgrade | None,
    visible_after: float,
    breaks_at: int | None,
    cancel_at: float | None,
    refuses: list[str],
    poll: float,
) -> None:
    azure = Azure(
        {str(n): instance(n, "2.0.0" if n in done else "1.0.0") for n in range(number)},
        latest=stale,
        batch=batch,
        visible_after=visible_after,
        breaks_at=breaks_at,
        cancel_at=None if cancel_at is None else T0 + cancel_at,
        refuses=[Problem(kind, "X", "m") for kind in refuses],
    )
    to_do = {i for i, one in azure.instances.items() if one.exact_version == "1.0.0"}
    run = drive(azure, poll=poll, most=20000)
    report = run.report
    accepted = len(azure.starts) - (len(refuses) - len(azure.refuses))
    assert accepted == (1 if to_do else 0)
    assert run.acted == bool(to_do)
    if not to_do:
        assert report.outcome == "unchanged"
    if report.outcome == "upgraded":
        assert all(one.exact_version == "2.0.0" and one.health == "healthy" for one in azure.instances.values())
    for instance_id, one in report.instances.items():
        truth = azure.instances[instance_id]
        assert (one.outcome == "upgraded") == (truth.exact_version == "2.0.0" and truth.health == "healthy")
        assert instance_id in to_do
    assert run.reason is None or run.current is not stale
    if poll >= 30:
        assert len(azure.gets) <= 2 * (azure.now - T0) / 60 + 6 + 4 * len(refuses)


@pytest.mark.parametrize("kind", [OS, EXTENSIONS])
def test_an_instance_that_was_sick_before_is_not_an_upgrades_failure(kind: str) -> None:
    """Azure stops before the first batch; what another client did to instance 1 before is not laid at its door."""
    before = {i: replace(one, os_disk=f"{i}-old") for i, one in fleet(4).items()}
    before["1"] = replace(before["1"], provisioning="Failed")

    class Stopped(Azure):
        def advance(self, to: float) -> None:
            self.now = max(self.now, to)
            self.latest = RollingUpgrade("Cancelled" if self.now > T0 + 20 else "RollingForward", T0 - 10)
            self.history = [PastUpgrade(self.latest.code, T0 - 10, None, {}, "User", NEW)] if self.kind == OS else []

    azure = Stopped(before, kind=kind)
    run = drive(azure, kind=kind)
    assert run.report.outcome == "stopped"
    assert outcomes(run) == {"not_started": ["0", "1", "2", "3"]}
    assert "Failed" in run.report.instances["1"].why
    assert run.watch.put_back(run.report.instances) == []


def test_an_instance_that_fails_meanwhile_is_the_upgrades_failure() -> None:
    class Fails(Azure):
        def advance(self, to: float) -> None:
            self.now = max(self.now, to)
            over = self.now > T0 + 20
            self.latest = RollingUpgrade("Cancelled" if over else "RollingForward", T0 - 10)
            self.history = [PastUpgrade(self.latest.code, T0 - 10, None, {}, "User", NEW)]
            if over:
                self.instances["1"] = replace(self.instances["1"], provisioning="Failed")

    run = drive(Fails(fleet(4)))
    assert outcomes(run) == {"failed": ["1"], "not_started": ["0", "2", "3"]}


def test_an_upgrade_that_had_nothing_to_do_has_upgraded_nothing() -> None:
    """Another client pins the old version while the start is under way: Azure reports it as completed."""

    class Pinned(Azure):
        def advance(self, to: float) -> None:
            self.now = max(self.now, to)
            if self.starts:
                self.latest = RollingUpgrade("Completed", T0 + 1, {"successful": 4})
                self.history = [PastUpgrade("Completed", T0 + 1, T0 + 2, {"successful": 4}, "User", OLD)]

    azure = Pinned({i: replace(one, os_disk=f"{i}-old") for i, one in fleet(4).items()})
    run = drive(azure)
    assert (run.report.outcome, run.report.instances, run.report.batches) == ("unchanged", {}, [])
    assert run.report.max_unavailable_seen == 0 and run.watch.put_back(run.report.instances) == []
