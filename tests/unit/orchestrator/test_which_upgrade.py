# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which upgrade of Azure's is meant, and of which kind it is: others start, replace and cancel them too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts import images, problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import (
    PastUpgrade,
    RollingUpgrade,
)
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.observation import EXTENSIONS, OS, Watch
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.rolling_upgrade import (
    CANCELLED,
    COMPLETED,
    STARTED,
    RollingRun,
)
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.steps import Known, Patience

from ..orchestrated import (
    GALLERY,
    NEW,
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


def test_somebodys_upgrade_to_less_is_followed_by_ours() -> None:
    azure = Azure(fleet(4), began=T0 - 200)
    late = {"8": instance(8), "9": instance(9)}

    class Extensions(Azure):
        def advance(self, to: float) -> None:
            super().advance(to)
            if not self.starts:
                self.instances.update(late)

    azure = Extensions(azure.instances, began=T0 - 900, latest=RollingUpgrade("RollingForward", T0 - 900))
    run = drive(azure)
    assert run.report.outcome in ("upgraded", "unchanged")
    assert not run.watch.to_do


class Tolerant(Azure):
    """An upgrade that calls itself completed and has left instance 3 as it was."""

    restored = 1
    target: images.Image | None = NEW

    def advance(self, to: float) -> None:
        super().advance(to)
        if self.latest is not None and self.latest.code == "Completed":
            self.instances["3"] = instance(3)
            past = PastUpgrade("Completed", self.began, self.now, {}, "Platform", self.target, restored=self.restored)
            self.history = [past] if self.target is not None else []


@pytest.mark.parametrize("restored", [0, 1], ids=["rejected", "restored"])
@pytest.mark.parametrize("readable", [True, False])
def test_what_azures_upgrade_to_the_target_left_out_is_not_started_by_hand(restored: int, readable: bool) -> None:
    azure = Tolerant(fleet(4), began=T0 - 10, history_readable=readable)
    azure.restored = restored
    run = drive(azure)
    assert (run.report.outcome, azure.starts, run.report.end.culprits) == ("failed", [], ["3"])
    assert run.report.end.code == "upgrade_incomplete" and "instance 3" in run.report.end.why
    assert run.restored == (restored if readable else None)


@pytest.mark.parametrize("target", [None, OLD], ids=["extensions", "an older version"])
@pytest.mark.parametrize("earlier_call", [True, False], ids=["adopted before", "adopted now"])
def test_somebodys_upgrade_to_something_else_is_followed_by_what_was_asked_for(
    target: images.Image | None, earlier_call: bool
) -> None:
    azure = Tolerant(fleet(4), began=T0 - 10)
    azure.target = target
    run = drive(azure, most=100, current_started=T0 - 10 if earlier_call else None)
    if earlier_call and target is None:
        assert (run.report.end.code, azure.starts) == ("upgrade_of_another_type", [])
    else:
        assert len(azure.starts) == 1
    waits = Tolerant(fleet(4), began=T0 - 10)
    waits.target = target
    run = drive(waits, start=600)
    assert (run.report.outcome, waits.starts) == ("failed", [])  # Azure is to start it, and does not
    assert run.report.end.code == "upgrade_not_started" and "600 s" in run.report.end.why


class Versioned(Azure):
    """A gallery's: instances do not report what they run; somebody's upgrade to `ran` came first, and all got it."""

    ran = "1.5.0"

    def advance(self, to: float) -> None:
        super().advance(to)
        if not self.starts and self.began is not None:
            for i, one in self.instances.items():
                made = T0 if i in self._done else one.os_disk_time
                self.instances[i] = replace(one, exact_version=None, image=GALLERY, os_disk_time=made)
            if self.latest is not None and self.latest.code == "Completed":
                target = GALLERY.with_version(self.ran)
                self.history = [PastUpgrade("Completed", self.began, self.now, {}, "User", target)]


def test_disks_of_somebodys_older_version_are_not_taken_for_the_newest() -> None:
    old = {i: replace(one, image=GALLERY, exact_version=None, os_disk_time=T0 - 9e6) for i, one in fleet(4).items()}
    azure = Versioned(old, began=T0 - 10)
    watched = Watch(SET, azure.instances.values(), OS, GALLERY.with_version("2.0.0"), now=T0)
    run = RollingRun(watched, RollingUpgrade("RollingForward", T0 - 10), now=T0, wanted=COMPLETED, patience=Patience())
    follow(azure, run, SET)
    assert len(azure.starts) == 1


def test_an_upgrade_to_something_newer_still_is_what_was_asked_for() -> None:
    azure = Tolerant(fleet(4), platform_starts=T0 + 600)
    azure.target = images.parse("Canonical:ubuntu:server:3.0.0")
    run = drive(azure, start=10800)
    assert (run.report.outcome, run.watch.target, azure.starts) == ("failed", azure.target, [])
    assert run.report.end.code == "upgrade_incomplete"


def test_what_somebodys_upgrade_did_is_not_laid_at_the_door_of_ours() -> None:
    class First(Azure):
        def start(self) -> Problem | None:
            self._done.clear()
            self.breaks_at = 0
            return super().start()

        def advance(self, to: float) -> None:
            super().advance(to)
            if self.starts:
                return
            for i in self._done:
                self.instances[i] = replace(self.instances[i], exact_version="1.5.0", os_disk=f"{i}-1.5.0")
            if self.latest is not None and self.latest.code == "Completed":
                older = images.parse("Canonical:ubuntu:server:1.5.0")
                self.history = [PastUpgrade("Completed", self.began, self.now, {}, "User", older)]

    azure = First(fleet(5), began=T0 - 10)
    run = drive(azure)
    assert (run.report.outcome, len(azure.starts)) == ("stopped", 1)
    assert outcomes(run) == {"failed": ["0"], "not_started": ["1", "2", "3", "4"]}
    before = run.report.as_dict(None, SET.id, NEW, None)["instances"]["0"]["image_before"]
    assert before["version"] == "1.5.0"


@pytest.mark.parametrize("breaks_at", [None, 6])
def test_what_an_adopted_upgrade_did_before_we_came_is_its_work_too(breaks_at: int | None) -> None:
    instances = fleet(8)
    for number, made in ((0, T0 - 190), (1, T0 - 190), (2, T0 - 9000)):
        instances[str(number)] = instance(number, "2.0.0", os_disk_time=made)
    azure = Azure(instances, began=T0 - 200, breaks_at=breaks_at)
    run = drive(azure)
    expected = {"upgraded": [str(n) for n in range(6 if breaks_at else 8) if n != 2]}
    if breaks_at:
        expected |= {"failed": ["6"], "not_started": ["7"]}
    assert outcomes(run) == expected
    assert run.report.batches[0].instance_ids == ("0", "1")
    assert run.report.as_dict(None, SET.id, NEW, None)["instances"]["0"]["image_before"] is None


A, B = T0 - 100.0, T0 + 50.0


def past(code: str, started: float) -> PastUpgrade:
    return PastUpgrade(
        code, started, started + 60, {"successful": 1}, "User", NEW, UNHEALTHY if code == "Faulted" else None
    )


class Replaced(Azure):
    """A runs until T0 + 40, ends as `end`, and somebody's B follows at T0 + 50 and runs on; it is broken in the end."""

    end = "Faulted"
    known = True
    lost = False

    def advance(self, to: float) -> None:
        self.now = max(self.now, to)
        ended = self.now >= T0 + 40
        self.latest = RollingUpgrade(self.end if ended else "RollingForward", A, {"successful": 1})
        self.history = [past(self.end if ended else "RollingForward", A)] if self.known or not ended else []
        if self.now >= B:
            code = "RollingForward" if self.now < B + 600 else "Faulted"
            self.latest = RollingUpgrade(code, B, {"failed": 1}, UNHEALTHY if code == "Faulted" else None)
            self.history.insert(0, past(code, B))

    def cancel(self) -> Problem | None:
        self.cancels.append(self.now)
        return Problem(problems.LOST, "", "gone", retry_after=60.0) if self.lost else None


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("end", "outcome"), [("Faulted", "stopped"), ("Cancelled", "stopped")])
def test_the_upgrade_that_was_adopted_is_judged_and_not_the_one_that_took_its_place(
    end: str, outcome: str, known: bool
) -> None:
    azure = Replaced(fleet(4))
    azure.end, azure.known = end, known
    run = drive(azure, poll=60)
    assert azure.starts == [] and azure.now < B + 600
    assert run.current is not None and run.current.started == A
    if known:
        assert (run.report.outcome, run.current.code) == (outcome, end)
        assert (run.reason is not None) == (end == "Faulted")
    else:
        assert run.report.outcome == "failed" and run.reason is None
        assert run.report.end.code == "upgrade_end_unknown" and "shows one that started at" in run.report.end.why


@pytest.mark.parametrize("lost", [True, False], ids=["lost answer", "accepted"])
@pytest.mark.parametrize("end", ["Cancelled", "Completed", "Faulted"])
def test_a_cancellation_is_of_the_upgrade_that_was_seen(lost: bool, end: str) -> None:
    azure = Replaced(fleet(4))
    azure.end, azure.lost = end, lost
    run = drive(azure, CANCELLED, poll=60)
    assert len(azure.cancels) == 1, "not sent again at the other one"
    assert run.current is not None and (run.current.started, run.current.code) == (A, end)
    assert run.report.outcome == ("upgraded" if end == "Completed" else "stopped")
    assert run.acted == (end == "Cancelled" or not lost), "a lost answer is told by what it did"
    assert azure.now < B + 600, "the other one is not waited for"


def test_a_cancellation_that_met_another_upgrade_says_so() -> None:
    class Met(Replaced):
        def advance(self, to: float) -> None:
            super().advance(to)
            if self.now >= B and self.latest is not None:
                self.latest = replace(self.latest, code="Cancelled", last_action="Cancel")

    azure = Met(fleet(4))
    azure.end = "Completed"
    run = drive(azure, CANCELLED, poll=60)
    assert (run.report.outcome, run.report.end.code) == ("failed", "upgrade_mistaken")


@pytest.mark.parametrize("wanted", [COMPLETED, CANCELLED])
def test_an_earlier_calls_upgrade_is_meant_though_another_one_runs(wanted: str) -> None:
    azure = Replaced(fleet(4), now=B + 10)
    run = drive(azure, wanted, current_started=A)
    assert (run.report.outcome, azure.cancels, azure.starts) == ("stopped", [], [])
    assert run.current is not None and (run.current.started, run.current.code) == (A, "Faulted")


@pytest.mark.parametrize("starts", [None, 60.0], ids=["by hand", "by Azure"])
@pytest.mark.parametrize("before", [None, STALE])
def test_an_upgrade_that_came_and_failed_since_an_earlier_look_is_not_started_again(
    starts: float | None, before: RollingUpgrade | None
) -> None:
    failed = RollingUpgrade("Faulted", T0 - 60, {"failed": 1}, UNHEALTHY)
    azure = Azure(fleet(4), latest=failed, history=[past("Faulted", T0 - 60)])
    patience: dict[str, Any] = {} if starts is None else {"start": starts}
    run = drive(azure, known=Known(before.started if before else None), **patience)
    assert (run.report.outcome, azure.starts, run.adopted) == ("stopped", [], True)
    assert run.reason is not None


class Other(Azure):
    """An upgrade of the other kind runs until T0 + 300, or seems to: `late` is Azure's history."""

    code = "Completed"
    of: str = EXTENSIONS
    late = False
    readable = True

    def advance(self, to: float) -> None:
        if self.starts:
            super().advance(to)
            return
        self.now = max(self.now, to)
        over = self.now >= T0 + 300
        self.latest = RollingUpgrade(self.code if over else "RollingForward", A, {"successful": 1})
        shown = self.of == OS and not (self.late and not over)
        self.history = [past(self.code if over else "RollingForward", A)] if shown else []
        self.history_readable = self.readable


@pytest.mark.parametrize("wanted", [STARTED, COMPLETED])
@pytest.mark.parametrize("code", ["Completed", "Faulted"])
@pytest.mark.parametrize("kind", [OS, EXTENSIONS])
def test_only_an_upgrade_of_the_asked_kind_is_adopted(wanted: str, code: str, kind: str) -> None:
    azure = Other(fleet(4))
    azure.code, azure.of = code, EXTENSIONS if kind == OS else OS
    azure.kind = kind
    run = drive(azure, wanted, kind=kind)
    assert len(azure.starts) == 1 and azure.starts[0] >= T0 + 300
    assert (run.report.outcome, run.adopted) == (None if wanted == STARTED else "upgraded", False)


@pytest.mark.parametrize("code", ["Completed", "Faulted", "Cancelled"])
def test_what_a_write_in_mode_rolling_runs_is_awaited_though_the_history_does_not_have_it(code: str) -> None:
    azure = Other(fleet(4, version="2.0.0" if code == "Completed" else "1.0.0"))
    azure.code = code
    run = drive(azure, scale_set=replace(SET, upgrade_mode="Rolling"))
    assert run.report.outcome == ("unchanged" if code == "Completed" else "stopped")
    assert (run.adopted, azure.starts) == (code != "Completed", []) and azure.now >= T0 + 300
    if code == "Completed":
        assert run.current is None, "nothing shows that it was the OS upgrade that is asked for"


@pytest.mark.parametrize("ended", [True, False], ids=["has ended", "runs"])
def test_an_upgrade_of_unknown_kind_that_left_the_image_behind_is_followed_by_the_one_asked_for(ended: bool) -> None:
    azure = Other(fleet(4), now=T0 + 400 if ended else T0)
    run = drive(azure, known=Known(None), scale_set=replace(SET, upgrade_mode="Rolling"))
    assert (run.report.outcome, run.adopted, len(azure.starts)) == ("upgraded", False, 1)


def test_a_history_that_is_late_tells_in_the_end_that_it_was_ours() -> None:
    azure = Other(fleet(4))
    azure.code, azure.of, azure.late = "Faulted", OS, True
    run = drive(azure)
    assert (run.report.outcome, run.adopted, azure.starts) == ("stopped", True, [])


def test_where_the_history_may_not_be_read_the_one_that_runs_is_followed() -> None:
    azure = Other(fleet(4))
    azure.readable = False
    run = drive(azure, STARTED)
    assert (run.report.outcome, run.adopted, azure.starts) == (None, True, [])


def test_one_of_the_other_kind_that_never_ends_is_given_up() -> None:
    class Endless(Other):
        def advance(self, to: float) -> None:
            self.now = max(self.now, to)
            self.latest = RollingUpgrade("RollingForward", A, {"successful": 1})

    azure = Endless(fleet(4))
    run = drive(azure, upgrade=3600)
    assert (run.report.outcome, run.report.end.code) == ("failed", "rolling_upgrade_running")
    assert "extensions" in run.report.end.why
    assert azure.starts == [] and azure.now < T0 + 3700


@pytest.mark.parametrize("wanted", [STARTED, COMPLETED, CANCELLED])
@pytest.mark.parametrize("code", ["RollingForward", "Completed", "Faulted"])
@pytest.mark.parametrize("kind", [OS, EXTENSIONS])
def test_an_upgrade_of_the_other_type_that_an_earlier_call_names_is_refused(wanted: str, code: str, kind: str) -> None:
    azure = Other(fleet(4), now=T0 if code == "RollingForward" else T0 + 400)
    azure.code, azure.of = "Completed" if code == "RollingForward" else code, EXTENSIONS if kind == OS else OS
    azure.kind = kind
    run = drive(azure, wanted, kind=kind, current_started=A, poll=60)
    assert azure.starts == []
    if wanted == CANCELLED:  # one that runs is cancelled whatever it is
        assert run.current is not None and run.current.started == A
        return
    if (wanted, code, kind) == (STARTED, "RollingForward", OS):
        assert run.report.outcome is None, "the history may be late, so nothing shows yet that it is not this one"
        return
    assert (run.report.outcome, run.report.end.code) == ("failed", "upgrade_of_another_type")
    assert (run.current, run.adopted, run.report.instances, run.report.batches) == (None, False, {}, [])
    assert ("extensions" if kind == OS else "the OS image") in run.report.end.why


@pytest.mark.parametrize("code", ["Completed", "Faulted", "Cancelled"])
def test_started_is_not_told_of_what_may_be_a_writes_upgrade_in_mode_rolling(code: str) -> None:
    """Azure's history does not have it: it may be of extensions, and then no OS upgrade would ever start."""
    azure = Other(fleet(4))
    azure.code = code
    run = drive(azure, STARTED, scale_set=replace(SET, upgrade_mode="Rolling"))
    assert len(azure.starts) == (1 if code == "Completed" else 0)
    assert run.report.outcome == (None if code == "Completed" else "stopped")


@pytest.mark.parametrize("named", [True, False])
def test_an_upgrade_that_is_cancelled_is_somebody_elses_unless_an_earlier_call_names_it(named: bool) -> None:
    azure = Azure(fleet(10), began=T0 - 130)
    run = drive(azure, CANCELLED, current_started=T0 - 130 if named else None)
    assert (run.report.outcome, run.adopted) == ("stopped", not named)
