# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's own upgrade of a scale set as a state machine: ask `next` what to do, do it, and tell what came of it.

Only rollingUpgrades/latest and the instances are believed. The operation of an upgrade that was cancelled half way says
Succeeded, and one with nothing to do counts every instance as successful.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._facts import problems
from .._facts.codes import Code
from .._facts.problems import Operation, Problem, with_azures_words
from .._facts.report import End, Outcome, Report
from .._facts.scale_set import AT_WORK, ROLLING, Instance, PastUpgrade, RollingUpgrade, ScaleSet
from .._facts.times import timestamp
from . import stop_reason
from .history import entry_of, is_to_another_image, kind_of, started_at, was_over
from .observation import EXTENSIONS, OS, Watch
from .steps import Cancel, Finished, Known, Look, Patience, Start, Step

STARTED: t.Final = "started"
COMPLETED: t.Final = "completed"
CANCELLED: t.Final = "cancelled"

_NOT_ALLOWED = "operationnotallowed"  # one runs already, or none does, or it never will: a fresh look tells
_RETRY = 15.0
_MOST_REFUSALS = 3
_LISTED_AGAIN = 300.0  # seconds between two lists of the instances while nothing runs, for each page of them
_NO_SUCCESS = ("stopped", "rolled_back", "failed")


class RollingRun:
    """One call for one scale set. `latest` is the upgrade that Azure showed first: unless it runs it is an old one.

    `current_started`: when the upgrade started that is meant, as an earlier call has told it. It alone is awaited,
    judged and cancelled; so is, from its first look on, the one that this call starts, adopts or cancels.
    `known`: the latest upgrade at an earlier look, where there was one; what came since is the one that is meant.
    `failed_attempt`: Azure's own attempt at the same target that has failed; with `retry_anyway` another is awaited.
    `history`: Azure's, where it was read with `latest`; None where not, or where it may not be read.
    """

    def __init__(
        self,
        watch: Watch,
        latest: RollingUpgrade | None,
        *,
        now: float,
        wanted: str,
        patience: Patience,
        current_started: float | None = None,
        known: Known | None = None,
        failed_attempt: PastUpgrade | None = None,
        retry_anyway: bool = True,
        history: t.Sequence[PastUpgrade] | None = None,
    ) -> None:
        self.watch = watch
        self.wanted = wanted
        self.patience = patience
        self.report = Report(started=now, max_unavailable_seen=watch.max_seen)
        self.first = self.latest = latest
        self.current: RollingUpgrade | None = None
        self.history_entry: PastUpgrade | None = None
        self.reason: stop_reason.StopReason | None = None
        self.adopted = False
        self.acted = False  # Azure accepted a start or a cancel of ours
        self._before = latest
        if known is not None:
            self._before = None if known.started is None else RollingUpgrade("", known.started)
        self._current_started = current_started
        self._history = history
        self._kind_asked = None if history is None or latest is None else latest.started
        self._gone_since: float | None = None  # since when Azure shows no upgrade where ours ran
        self._failed_attempt = failed_attempt
        self._retry_anyway = retry_anyway
        self._scale_set = watch.scale_set
        self._phase: t.Callable[[float], Step] = self._decide
        self._problem = Problem(problems.LOST, "", "")
        self._refusals = 0
        self._lost = False  # whether Azure took a request is not known
        self._operation: Operation | None = None
        self._since = self._began = now
        self._counted: tuple[object, ...] = ()
        self._moved = False  # Azure's counts have moved since the instances were listed
        self._listed = False  # the last look listed them
        self._listed_at = now
        self._target, self._proven_since = watch.target, watch.since  # the watch's become those of the upgrade that ran
        self._history_read = False
        self._waits: dict[str, str | None] = {}

    # -- what to do ---------------------------------------------------------------------------

    def next(self, now: float) -> Step:
        """What to do now. Nothing but Finished follows Finished."""
        if self.report.end.finished is not None:
            return Finished(self.report.outcome)
        return self._phase(now)

    def _decide(self, now: float) -> Step:
        latest = self.latest
        running = latest is not None and latest.running
        if self._meant is not None and not (latest is not None and self._is_meant(latest)):
            return self._enter(now, self._replaced)
        if self.wanted == CANCELLED:
            if latest is not None and running:
                self.current, self.adopted = latest, not started_at(latest, self._current_started)
                return Cancel()
            if self.current is None and self._current_started is None:
                return self._end(now, "unchanged", "Azure runs no rolling upgrade")
            self.current = latest
            return self._ending(now)
        if latest is not None and running:
            return self._adopt(now, latest)
        if latest is not None and (started_at(latest, self._current_started) or self._is_new(latest)):
            return self._adopt(now, latest)
        rolls = self._scale_set.upgrade_mode == ROLLING  # a write then runs an upgrade inside itself
        if self._scale_set.provisioning_state in AT_WORK and (rolls or self.watch.to_do):
            return self._wait_for_write(now)
        if self.watch.kind == OS and not self.watch.to_do:
            return self._end(now, "unchanged")
        if not self.watch.before:
            return self._end(now, "unchanged", "the scale set has no instances")
        if self.patience.start and self.wanted == COMPLETED and not self.adopted:
            if self._failed_attempt is not None and not self._retry_anyway:
                return self._give_up(now, "upgrade_tried_before", stop_reason.of_attempt(self._failed_attempt))
            self._waiting(now, "Azure is expected to start an automatic upgrade", now + self.patience.start)
            return self._enter(now, self._await_azure)
        return Start()

    def _take(self, now: float, latest: RollingUpgrade) -> None:
        """Of an upgrade that this call has not started, what it has done before is its work too."""
        self.current, self.adopted = latest, not started_at(latest, self._current_started)
        self.watch.adopt(now, latest.started)

    def _adopt(self, now: float, latest: RollingUpgrade) -> Step:
        """Follow one that was not started here, or judge it where it has ended; one of the other kind is waited for."""
        kind = self._kind_of(latest)
        if kind is None and self._kind_asked != latest.started:
            self._kind_asked = latest.started
            return Look(now, history=True)
        named = started_at(latest, self._current_started)
        if kind not in (None, self.watch.kind):
            return self._refuse_named(now) if named else self._enter(now, self._wait_out)
        if kind is None and self._history is not None and self._scale_set.upgrade_mode == ROLLING and not named:
            return self._enter(now, self._wait_out)  # to follow it would be to call it ours
        self._take(now, latest)
        if not latest.running:
            return self._ending(now)
        if self.adopted:
            self.report.event(now, "adopted", upgrade_started=timestamp(latest.started), **latest.counts)
        if self.wanted == STARTED:
            return self._end(now, None)
        return self._enter(now, self._follow)

    def _refuse_named(self, now: float) -> Step:
        """An earlier call has named an upgrade of the other kind: it is not judged, and none is started after it."""
        started, other = timestamp(self._current_started), "extensions" if self.watch.kind == OS else "the OS image"
        self.watch = self.watch.anew(now, self._target, self._proven_since)
        self.current, self.history_entry, self.adopted = None, None, False
        return self._give_up(
            now,
            "upgrade_of_another_type",
            f"upgrade_started names the upgrade of {started}, which is one of {other}: set that type, or omit "
            "upgrade_started",
        )

    def _kind_of(self, latest: RollingUpgrade) -> str | None:
        """None where it is not known. Of one that an earlier call has named and that runs, the history may be late."""
        if self._history is None or latest.started is None or self._kind_asked != latest.started:
            return None
        kind = kind_of(entry_of(self._history, latest.started), self._scale_set.upgrade_mode)
        return None if kind == EXTENSIONS and latest.running and started_at(latest, self._current_started) else kind

    def _wait_out(self, now: float) -> Step:
        """One of the other kind runs, and Azure runs one at a time. Ours is decided on when it is over."""
        latest = self.latest
        if latest is not None and latest.running:
            if latest.started != self._kind_asked:
                self._phase = self._decide
                return self._decide(now)
            other = "of extensions" if self.watch.kind == OS else "of the OS image"
            other = other if self._kind_of(latest) else "whose type Azure's history does not show"
            if now - self._began > self.patience.upgrade:
                return self._give_up(
                    now, "rolling_upgrade_running", f"another rolling upgrade of Azure's, {other}, still runs"
                )
            what = f"another rolling upgrade of Azure's, {other}, runs"
            self._waiting(now, what, self._began + self.patience.upgrade)
            return Look(now + self.patience.poll)

        def judged(then: float) -> Step:
            ended = self.latest if self.latest is not None and not self.latest.running else None
            kind = None if ended is None else self._kind_of(ended)
            failed = ended is not None and kind is None and self._history is not None and ended.code != "Completed"
            if ended is not None and (kind == self.watch.kind or failed):
                self._take(then, ended)  # the history was late, or a write's own upgrade has failed
                return self._ending(then)
            self._before = ended or self._before
            self.watch = self.watch.anew(then, self._target, self._proven_since)
            self._phase = self._decide
            return self._decide(then)

        self._phase = judged
        return Look(now, instances=True, scale_set=True, history=True)

    # -- which one is meant -------------------------------------------------------------------

    @property
    def _meant(self) -> float | None:
        """When the upgrade started that this call is about; None while there is none yet, or Azure tells no start."""
        return self.current.started if self.current is not None else self._current_started

    def _is_meant(self, latest: RollingUpgrade) -> bool:
        return latest.started is None or self._meant is None or started_at(latest, self._meant)

    def _take_current(self, now: float) -> Step | None:
        """Take what was just read of ours; a step where Azure shows another one, or none, in its place."""
        latest = self.latest
        if latest is not None and self._is_meant(latest):
            self.current, self._gone_since = latest, None
            return None
        if latest is not None and not self._is_old(latest):
            return self._enter(now, self._replaced)
        if latest is None:
            self._gone_since = now if self._gone_since is None else self._gone_since
            if now - self._gone_since > self.patience.unseen:
                return self._enter(now, self._replaced)
            return Look(now + self.patience.poll, scale_set=True)  # the scale set may be gone too
        return None

    def _replaced(self, now: float) -> Step:
        """Azure's latest is not, or no longer, the upgrade that is meant. Only the history tells how that ended."""
        started, self.current = self._meant, RollingUpgrade("", self._meant)

        def judged(then: float) -> Step:
            shown = f"shows {self._shown()}"
            ended = f"it has ended, and its result is not known: Azure {shown}, and its history does not contain it"
            if self.history_entry is None or self.history_entry.code.startswith("Rolling"):
                self.watch.ended(self.current, None)
                if self.wanted == CANCELLED:
                    return self._give_up(then, "upgrade_end_unknown", ended, outcome="stopped")
                return self._give_up(
                    then, "upgrade_end_unknown", f"the upgrade that started at {timestamp(started)}: {ended}"
                )
            past = self.history_entry
            self.current = RollingUpgrade(past.code, past.started, past.counts, past.problem)
            hit = self.latest is not None and self.latest.last_action == "Cancel" and past.code != "Cancelled"
            if self.wanted == CANCELLED and self.acted and hit:
                return self._give_up(
                    then, "upgrade_mistaken", f"it had ended as {past.code}, and another was cancelled: {shown}"
                )
            return self._enter(then, self._judge)

        self._phase = judged
        return Look(now, instances=True, history=True)

    def _shown(self) -> str:
        if self.latest is None:
            return "no upgrade"
        return f"one that started at {timestamp(self.latest.started)} ({self.latest.code})"

    def _wait_for_write(self, now: float) -> Step:
        """Somebody's write is under way, and a start beside it would be refused."""
        state = self._scale_set.provisioning_state
        if now - self._began > self.patience.upgrade:
            return self._give_up(now, "scale_set_updating", f"the scale set is still {state} by another client's write")
        self._waiting(now, f"the scale set is {state} by another client's write", self._began + self.patience.upgrade)
        return Look(now + self.patience.poll, scale_set=True, instances=True)

    def _await_azure(self, now: float) -> Step:
        """Automatic OS upgrade is on: Azure starts by itself, some time after a version was published."""
        if self.latest is not None and self._is_new(self.latest):
            return self._adopt(now, self.latest)
        if not self.watch.to_do:
            return self._end(now, "unchanged", "no instance is left for an upgrade to bring to the newest version")
        if not self._scale_set.automatic_os_upgrade:
            return self._give_up(
                now,
                "automatic_upgrades_off",
                "another client turned automatic OS upgrades off, so Azure starts none",
            )
        if now - self._since >= self.patience.start:
            tried = stop_reason.of_attempt(self._failed_attempt) if self._failed_attempt else ""
            waited = f"Azure did not start an automatic upgrade within {self.patience.start:.0f} s"
            return self._give_up(now, "upgrade_not_started", f"{waited}. {tried}".strip())
        due = now - self._listed_at >= _LISTED_AGAIN * self._pages
        at = min(now + self.patience.poll * (2 if self._listed else 1), self._since + self.patience.start)
        return Look(at, instances=due, scale_set=due)

    def _await_visible(self, now: float) -> Step:
        """Our start was accepted; the latest upgrade may for a while still be an old one, a stale failure included."""
        if self.latest is not None and self._is_new(self.latest):
            self.current = self.latest
            self.report.event(now, "started", upgrade_started=timestamp(self.latest.started), **self.latest.counts)
            if self.latest.running and self.wanted == STARTED:
                return self._end(now, None)
            return self._enter(now, self._follow)
        ended = self._operation
        if ended is not None and ended.ended and ended.problem is not None:
            if ended.problem.kind == problems.CONFLICT:  # preempted: read, and plan anew
                self._plan_anew(now, ended.problem)
                return self._phase(now)
            return self._give_up(now, ended.problem.failure_code, problem=ended.problem)
        unseen = now - self._since > self.patience.unseen
        if unseen and self.wanted == STARTED:
            return self._end(now, None)
        if unseen and (ended is None or ended.ended):
            return self._ending(now)
        if now - self._since > self.patience.upgrade:
            return self._give_up(
                now, "upgrade_not_shown", "Azure's operation is still in progress, and it shows no upgrade"
            )
        at = now + (self.patience.first if now == self._since else self.patience.poll)
        return Look(at, operation=True, scale_set=unseen)

    def _follow(self, now: float) -> Step:
        """Ours runs. Instances are listed only when Azure's counts have moved, and then the next look is later."""
        if (other := self._take_current(now)) is not None:
            return other
        if self.current is None or not self.current.running:
            return self._ending(now)
        if now - self._since > self.patience.upgrade:
            return self._give_up(
                now, "upgrade_not_ended", f"Azure's upgrade still runs after {self.patience.upgrade:.0f} s"
            )
        due = self._moved and now - self._listed_at >= self.patience.poll * 2 * self._pages
        return Look(now + self.patience.poll * (2 if self._listed else 1), instances=due)

    @property
    def _pages(self) -> int:
        return 1 + len(self.watch.now) // 100

    def _cancelling(self, now: float) -> Step:
        """Azure finishes the batch in progress first."""
        if (other := self._take_current(now)) is not None:
            return other
        if self.current is None or not self.current.running:
            return self._ending(now)
        if now - self._since > self.patience.upgrade:
            return self._give_up(
                now, "upgrade_not_ended", "Azure accepted the cancellation, and the upgrade still runs"
            )
        return Look(now + (self.patience.first if now == self._since else self.patience.poll))

    def _recheck(self, now: float) -> Step:
        """A request was refused or lost, and the latest upgrade was read since."""
        problem = self._problem
        if self.latest is not None and not self.latest.running and self._is_new(self.latest):
            if problem.kind == problems.LOST and self.wanted != CANCELLED:
                self.current, self.acted = self.latest, True
                return self._ending(now)
            self._before = self.latest
        tired = now - self._began > self.patience.upgrade or self._refusals > _MOST_REFUSALS
        running = self.latest is not None and self.latest.running
        if tired and not (running and self.wanted != CANCELLED):
            return self._give_up(now, problem.failure_code, problem=problem)
        self._phase = self._decide
        return self._decide(now)

    def _ending(self, now: float) -> Step:
        """Azure's upgrade is over. The instances and the history tell what it did."""
        self._listed = False
        self.report.event(now, "verifying")
        return self._enter(now, self._judge)

    def _judge(self, now: float) -> Step:
        if not self._listed:
            return Look(now, instances=True, history=True)
        if self._is_named_otherwise():
            return self._refuse_named(now)
        self.watch.ended(self.current, self.history_entry)
        code = self.current.code if self.current else ""
        unsettled = self.watch.changing if code in ("Faulted", "Cancelled") else self.watch.unsettled
        if unsettled and now - self._since < self.patience.settle:
            return Look(now + 2 * self.patience.poll, instances=True)
        if not self.acted and code == "Completed" and self.wanted == COMPLETED and self._was_another():
            # Somebody's upgrade to something else is over: now comes the one that was asked for, watched from here.
            watch = self.watch.anew(now, self._target, self._proven_since)
            if watch.to_do or watch.kind != OS:
                self.watch, self.history_entry, self._before, self._began = watch, None, self.current, now
                self.adopted, self.current, self._current_started = False, None, None
                self._phase = self._decide
                return Look(now, instances=True, scale_set=True)
        return self._conclude(now, code)

    def _is_named_otherwise(self) -> bool:
        """Whether the upgrade that an earlier call has named, and that has ended, is shown to be of the other kind."""
        if self.current is None or self.wanted == CANCELLED or not self._history_read:
            return False
        kind = kind_of(self.history_entry, self._scale_set.upgrade_mode)
        return started_at(self.current, self._current_started) and kind not in (None, self.watch.kind)

    def _conclude(self, now: float, code: str) -> Step:
        told = self.current.problem if self.current else None
        if told is None and self.history_entry is not None:
            told = self.history_entry.problem
        self.reason = stop_reason.of(told)
        restored = self.history_entry.restored if self.history_entry else 0
        self.report.instances = self.watch.reports(
            failed_first=self.reason.instance_id if self.reason else "", restored=restored
        )
        failed = [i for i, report in self.report.instances.items() if report.outcome == "failed"]
        for one in failed:
            report, said = self.report.instances[one], told.of(one) if told else ""
            self.report.instances[one] = replace(report, why=with_azures_words(report.why, said))
        for one, report in self.report.instances.items():
            if report.outcome in ("failed", "rolled_back"):
                self.report.event(now, report.outcome, instance=one, why=report.why)
        if code == "Faulted":
            back = restored and not failed and not (self.history_entry and self.history_entry.not_restored)
            outcome: Outcome = "rolled_back" if back else "stopped"
            why = str(self.reason or "Azure gave no reason")
            return self._give_up(now, "upgrade_stopped", why, outcome=outcome)
        if code == "Cancelled":
            self.acted = self.acted or (self._lost and self.wanted == CANCELLED)  # ours, as far as anybody can tell
            return self._give_up(now, "upgrade_cancelled", "it was cancelled", outcome="stopped")
        if self.wanted == CANCELLED:
            return self._end(now, "upgraded", "it had ended before the cancellation")
        unproven = [i for i, report in self.report.instances.items() if report.outcome == "unproven"]
        if culprits := failed or [i.instance_id for i in self._remaining()] or unproven:
            why = "; ".join(
                f"instance {i}: {self.report.instances[i].why or 'still runs another image'}"
                for i in culprits
                if i in self.report.instances
            )
            said = "Azure reports it as completed" if code else "Azure accepted the request but shows no upgrade"
            return self._give_up(now, "upgrade_incomplete", f"{said}, but {why}", culprits=culprits)
        earlier = self.current is not None and started_at(self.current, self._current_started)
        return self._end(now, "upgraded" if self.report.upgraded or earlier else "unchanged")

    @property
    def restored(self) -> int | None:
        """How many instances Azure gave their previous OS disk back; None where only the history would tell."""
        if self.history_entry is not None:
            return self.history_entry.restored
        by_policy = self.current is not None and self.current.policy.get("rollbackFailedInstancesOnPolicyBreach")
        return 0 if self.current is None or (self.acted and not by_policy) else None

    @property
    def was_over(self) -> bool:
        """Whether the upgrade that is judged had ended before this call looked: what it did is no change of ours."""
        return was_over(self.current, self.first)

    def _remaining(self) -> list[Instance]:
        return self.watch.to_do if self.watch.kind == OS else []

    def _was_another(self) -> bool:
        """Whether the upgrade that ran was to something else, as the history tells, which knows OS upgrades only.

        What an upgrade to the target has left out failed or was rejected, and is nobody's to start by hand.
        """
        if self.watch.kind != OS:
            return self.history_entry is not None
        if self.history_entry is None:
            return self._history_read
        return is_to_another_image(self.history_entry, self._target)

    # -- what came of it ----------------------------------------------------------------------

    def accepted(self, now: float) -> None:
        """Azure took the request; nothing is done yet."""
        self.acted = True
        self._operation = None
        cancel = self.wanted == CANCELLED
        self.report.event(now, "cancel_sent" if cancel else "upgrade_sent")
        self._enter(now, self._cancelling if cancel else self._await_visible, step=False)

    def refused(self, now: float, problem: Problem) -> None:
        """Azure did not take it, or the answer is lost."""
        self.report.event(now, "request_failed", problem=str(problem))
        self._lost = self._lost or problem.kind == problems.LOST
        allowed_later = problem.code.lower() == _NOT_ALLOWED and not stop_reason.instances_are_pinned(problem)
        if problem.kind not in problems.RETRYABLE and not allowed_later:
            self._give_up(now, problem.failure_code, problem=problem)
            return
        self._refusals += problem.kind not in problems.RETRYABLE
        self._plan_anew(now, problem)

    def _plan_anew(self, now: float, problem: Problem) -> None:
        left = max(0.0, self._began + self.patience.upgrade - now) + 1
        look = Look(now + min(problem.retry_after or _RETRY, left), instances=True, scale_set=True)

        def once(_now: float) -> Step:
            self._phase = self._recheck
            return look

        self._problem, self._phase = problem, once

    def give_up(self, now: float, code: Code, problem: Problem, attempted: str) -> None:
        """Azure cannot even be asked any more; its upgrade goes on without us."""
        self._give_up(now, code, f"could not {attempted}: {problem}", problem=problem)

    def not_ready(self, now: float, code: Code, why: str) -> None:
        """A start that came due would be refused."""
        self._give_up(now, code, why)

    def cancel(self, now: float, why: str) -> None:
        """Whoever asked for it is gone. Azure's upgrade goes on without us."""
        self._give_up(now, CANCELLED, why, outcome=CANCELLED)

    def saw(
        self,
        now: float,
        latest: RollingUpgrade | None,
        *,
        instances: t.Iterable[Instance] | None = None,
        scale_set: ScaleSet | None = None,
        operation: Operation | None = None,
        history: t.Sequence[PastUpgrade] | None = None,
    ) -> None:
        """What a Look showed; None for what was not asked, or what Azure no longer knows."""
        self.latest = latest
        self._listed = instances is not None
        if scale_set is not None:
            self._scale_set = scale_set
        if operation is not None:
            self._operation = operation
        if history is not None:
            self._history_read, self._history = True, history
            self.history_entry = entry_of(history, self.current.started) if self.current is not None else None
        if instances is not None:
            seen = len(self.watch.batches)
            self.watch.saw(now, instances)
            for batch in self.watch.batches[seen:]:
                for one in batch.instance_ids:
                    self.report.event(now, "upgraded", instance=one, why="")
                self.report.event(now, "batch_finished", batch=batch.number, outcome=batch.outcome)
            self._moved, self._listed_at = False, now
        counted = (latest.code, latest.started, *latest.counts.values()) if latest else ()
        if latest is not None and self.current is not None and started_at(latest, self.current.started):
            entry, ours = entry_of(self._history or (), latest.started), self.acted and self.wanted != CANCELLED
            if ours if entry is None else not is_to_another_image(entry, self._target):
                self.watch.counted(latest.counts)
        if latest is not None and counted != self._counted and not self._is_old(latest):
            self._moved = instances is None
            self.report.event(now, "progress", code=latest.code, **latest.counts)
        self._counted = counted

    # -- small ones ---------------------------------------------------------------------------

    def _is_new(self, latest: RollingUpgrade) -> bool:
        """Whether this is another upgrade than the one that was there first."""
        before = self._before
        if before is None:
            return True
        if before.started is None or latest.started is None:
            return latest != before
        return not started_at(latest, before.started)

    def _is_old(self, latest: RollingUpgrade) -> bool:
        """Whether this is the one that had ended before we came."""
        before = self._before
        return before is not None and not before.running and not self._is_new(latest)

    def _waiting(self, now: float, reason: str, until: float) -> None:
        """Said once."""
        event = {"reason": reason, "until": timestamp(until)}
        if event != self._waits:
            self._waits = event
            self.report.event(now, "waiting", **event)

    def _enter(self, now: float, phase: t.Callable[[float], Step], *, step: bool = True) -> Step:
        self._phase, self._since = phase, now
        return phase(now) if step else Finished(None)

    def _end(self, now: float, outcome: Outcome | None, why: str = "") -> Step:
        """A success, or a return while Azure's upgrade goes on."""
        return self._finish(End(now, outcome, None, why))

    def _give_up(
        self,
        now: float,
        code: Code,
        why: str = "",
        *,
        outcome: Outcome = "failed",
        problem: Problem | None = None,
        culprits: t.Sequence[str] = (),
    ) -> Step:
        """No success; without `why`, in the words of the problem."""
        why = why or (str(problem) if problem else "")
        return self._finish(End(now, outcome, code, why, culprits, problem))

    def _finish(self, end: End) -> Step:
        report = self.report
        report.end = end
        report.batches = self.watch.batches if end.outcome else []
        if not report.instances and self.current is not None and end.outcome:
            report.instances = self.watch.reports()
        upgraded = any(one.outcome in ("upgraded", "failed", "rolled_back") for one in report.instances.values())
        report.max_unavailable_seen = max(self.watch.max_seen, int(upgraded))
        report.max_unavailable_allowed = self.watch.most_unavailable(self.current)
        ended = "stopped" if end.outcome in _NO_SUCCESS else "ended"
        report.event(end.finished or 0.0, ended, outcome=end.outcome or "", why=end.why)
        return Finished(end.outcome)
