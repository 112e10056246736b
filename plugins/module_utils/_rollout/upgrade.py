# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout over instances as a state machine: ask `next` what to do, do it, and tell what came of it.

It holds no clock and calls nothing, so hours of rollout are a few milliseconds of test.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._facts import availability, pacing, problems, running_image, sentences
from .._facts.codes import Code
from .._facts.problems import Operation, Problem
from .._facts.report import BatchReport, End, InstanceOutcome, InstanceReport, Report
from .._facts.scale_set import Instance, ScaleSet
from . import verification
from .batches import Batch, Wait, affordable, awaited, next_batch, no_room, remaining_batches
from .policy import REIMAGE as REIMAGE_UNPROVEN
from .policy import breach_after
from .survey import Survey
from .upgrade_steps import REIMAGE, START, UPGRADE, Finished, Look, Poll, Request, Send, Step
from .verification import Progress

CANCELLED: t.Final = "cancelled"

# What a batch may need beside its upgrade, in this order.
_MORE: dict[Progress, Request] = {verification.START: START, verification.RETRY: UPGRADE, verification.REIMAGE: REIMAGE}

# What an instance's last verdict makes of it.
_OUTCOMES: dict[Progress, InstanceOutcome] = {
    verification.DONE: "upgraded",
    verification.FAILED: "failed",
    verification.GONE: "gone",
    verification.NOT_STARTED: "not_started",
    verification.CANCELLED: "cancelled",
}

_FIRST_RETRY = 5.0
_LONGEST_RETRY = 60.0

_FAILED_BEFORE = "failed after its upgrade"


class Upgrade:
    """Brings the instances of a survey to its target, one batch after the other.

    `only`: the instances that this run may start, all selected ones where it is empty. `earlier`: batches that the
    rollout has already done; they number this run's and tell how long a batch takes. `wait_only`: end where the first
    batch may start, so that the caller can prepare it. `touched`: instances that this rollout may have started, and of
    which nobody has read what became.
    """

    def __init__(
        self,
        survey: Survey,
        patience: verification.Patience,
        *,
        now: float,
        only: t.Sequence[str] = (),
        earlier: t.Sequence[BatchReport] = (),
        wait_only: bool = False,
        touched: t.Sequence[str] = (),
    ) -> None:
        failed = [i for batch in earlier for i in batch.failed_instance_ids]
        done_before = {i for batch in earlier for i in batch.instance_ids}
        self.survey = replace(
            survey,
            health_lag=patience.health_lag,
            passed=frozenset(done_before),
            batches_done=sum(not batch.not_started_instance_ids for batch in earlier),
            inherited=frozenset(done_before),
            busy_before=survey.still_busy,
            touched=survey.touched.union(touched, failed),
            excluded={**survey.excluded, **dict.fromkeys(failed, _FAILED_BEFORE)},
        )
        self._failed_before = set(failed)
        self._touched_before = done_before
        self._unread = frozenset(touched)
        self.patience = patience
        self.only = tuple(only)
        self.wait_only = wait_only
        self.report = Report(started=now)
        self._earlier = len(earlier)
        watched = [batch for batch in earlier if not batch.adopted and batch.operation_seconds]
        self._operations = [(len(batch.instance_ids), batch.operation_seconds) for batch in watched]
        # Those that ended by the lag alone tell nothing of when health comes.
        known = [batch for batch in watched if batch.settle_seconds < patience.health_lag]
        self._settlings = [(batch.unsettled_seconds, batch.settle_seconds) for batch in known]
        self._unsettled = 0.0  # seconds after the operation at which instances of the batch were last not available
        self._batch: BatchReport | None = None
        self._tracks: dict[str, verification.Track] = {}
        self._open: set[str] = set()
        self._touched_by_others = self.survey.touched  # before the batch
        self._batch_sent = self._polling = False
        self._sending: Send | None = None
        self._operation: Operation | None = None
        self._glances = self._refusals = 0
        self._operation_reads_remaining: int | None = None
        self._instance_reads_remaining: int | None = None
        self._looked = self._model_read = now
        self._goes_on = bool(earlier) or survey.inherited is not None
        self._inherit()
        self._sent = self._settling = self._polled = now
        self._seen: float | None = now
        self._not_before = now
        self._trouble_since: float | None = None
        self._trouble = ""  # in Azure's words
        self._waiting: Wait | None = None
        self._waiting_since = now
        self._others: list[str] = []  # that other runs worked on when this wait began
        self._account(now)

    # -- what to do ---------------------------------------------------------------------------

    def next(self, now: float) -> Step:
        if self.report.outcome:
            return Finished(self.report.outcome)
        if self._sending:
            return self._sending
        if self._polling:
            poll = max(self._not_before, self._sent + self._next_poll())
            glance = self._next_glance()
            return Poll(poll) if glance is None or glance > poll else Look(glance)
        if self._batch:
            if self._seen is None or self._seen < self._settling:
                return self._look(self._settling + self._unseen())
            return self._settle(self._batch, now)
        if self._seen is None or now < self._not_before:
            return self._look(self._not_before, model=True)
        return self._plan(now)

    def planned(self) -> list[Batch]:
        """The batches of this run, if every upgrade goes well."""
        return [] if self.wait_only else remaining_batches(self._narrowed())

    @property
    def read_at(self) -> float:
        """When the instances were read last."""
        return self._looked

    @property
    def at_work(self) -> frozenset[str]:
        """The instances of the batch that Azure was asked to upgrade, and that are not seen to the end."""
        return frozenset(self._open) if self._batch_sent else frozenset()

    def give_up(self, now: float, code: Code, problem: Problem, attempted: str) -> None:
        """Azure keeps refusing what must be known to go on."""
        self._stop(now, code, f"could not {attempted}: {problem}", problem=problem)

    def cancel(self, now: float, why: str) -> None:
        """Whoever asked for it is gone. What Azure works on is left to it."""
        if self._batch:
            self._close_early(self._batch, why, now, CANCELLED)
        self.report.event(now, CANCELLED, why=why)
        self._finish(End(now, CANCELLED, CANCELLED, why))

    def _inherit(self) -> None:
        """What an earlier run has started shows up within a while; what starts to change later is somebody else's."""
        if self._goes_on or self._looked - self.report.started > self.patience.start_lag:
            return
        seen = {i.instance_id for i in self.survey.instances if not availability.settled(i) or self._is_on_target(i)}
        self.survey = replace(self.survey, inherited=(self.survey.inherited or frozenset()) | seen)

    def _is_on_target(self, instance: Instance) -> bool:
        return self.survey.verdicts[instance.instance_id] == running_image.CURRENT

    def _plan(self, now: float) -> Step:
        if hidden := self._may_be_hidden(now):
            return self._wait(
                now,
                Wait("instances_busy", f"Azure may not show yet what was started on {', '.join(hidden)}", busy=True),
            )
        survey = self._narrowed()
        batch = next_batch(survey)
        ends = batch is None or (isinstance(batch, Wait) and (batch.skips or not batch.busy))
        if (ends or (isinstance(batch, Batch) and not batch.adopted)) and (wait := awaited(survey)):
            return self._wait(now, wait)
        if batch is None:
            return self._end(now)
        if isinstance(batch, Wait):
            return self._wait(now, batch)
        if self.wait_only:
            return self._finish(End(now, "unchanged"))
        self._waiting = None
        self._begin(batch, now)
        return self.next(now)

    def _end(self, now: float) -> Finished:
        if self.report.failed:  # within the threshold, or it would have stopped
            return self._finish(End(now, "failed", "instances_failed"))
        return self._finish(End(now, "upgraded" if self.report.upgraded else "unchanged"))

    def _may_be_hidden(self, now: float) -> list[str]:
        """Of what somebody else may have started: accepted work stays invisible for a while."""
        if now - self.report.started >= self.patience.start_lag:
            return []
        unread = (i for i in self.survey.instances if i.instance_id in self._unread - self.survey.verified)
        return [i.instance_id for i in unread if availability.settled(i) and self._is_on_target(i)]

    def _narrowed(self) -> Survey:
        return replace(self.survey, only=frozenset(self.only)) if self.only else self.survey

    def _wait(self, now: float, wait: Wait) -> Step:
        others = [i.instance_id for i in self.survey.with_others]
        if others != self._others:  # another run goes on with its work, and may have been in the way
            self._trouble_since, self._trouble, self._waiting = None, "", None
        if self._waiting is None or self._waiting.busy != wait.busy:  # another thing is waited for from now on
            self._waiting_since, self._others = now, others
        if self._waiting is None or self._waiting.reason != wait.reason:
            self.report.event(now, "waiting", reason=wait.reason)
        self._waiting = wait
        waited = now - self._waiting_since
        if wait.skips and not (wait.busy and waited <= self.patience.health):
            self.report.event(now, "skipped", instances=list(self.survey.passed_over))
            return self._end(now)
        if waited > (self.patience.upgrade if wait.busy else self.patience.health):
            what = "no batch could start" if self._narrowed().to_do else "the upgrade could not end"
            return self._stop(now, wait.code, f"{what} for {waited:.0f} s: {wait.reason}")
        self._not_before = now + pacing.next_look(waited)
        self._seen = None
        return self._look(self._not_before, model=True)

    def _begin(self, batch: Batch, now: float) -> None:
        self._batch = BatchReport(
            number=self._earlier + len(self.report.batches) + 1,
            label=batch.label,
            instance_ids=batch.instance_ids,
            started=now,
            adopted=batch.adopted,
        )
        self._open = set(batch.instance_ids)
        by_id = {i.instance_id: i for i in self.survey.instances}
        for instance_id in batch.instance_ids:
            before = by_id[instance_id]
            earlier = self._tracks.get(instance_id)
            task = verification.Task(
                before,
                now,
                adopted_since=self.survey.since if batch.adopted else None,
                whole_model=self.survey.policy.whole_model,
                new_disk=batch.reimage or self.survey.policy.unproven == REIMAGE_UNPROVEN,
                lies=not self.survey.is_counted(before),
            )
            requests = verification.Requests(earlier.requests.attempts if earlier else 0)
            self._tracks[instance_id] = verification.Track(task, requests, verification.Seen(worked_on=batch.adopted))
        self._touched_by_others = self.survey.touched
        self.survey = replace(self.survey, touched=self.survey.touched.union(batch.instance_ids))
        self._batch_sent = batch.adopted
        self._sent = self._settling = now
        self._operation = None
        if batch.adopted:
            self.report.event(now, "adopted", batch=self._batch.number, instances=list(batch.instance_ids))
        else:
            self._sending = self._ask(REIMAGE if batch.reimage else UPGRADE, batch.instance_ids, now)

    def _ask(self, kind: Request, instance_ids: tuple[str, ...], now: float) -> Send:
        """The journal knows what may be touched before the request goes out."""
        self.report.event(now, f"{kind}_asked", batch=self._number, instances=list(instance_ids))
        return Send(kind, instance_ids)

    def _settle(self, batch: BatchReport, now: float) -> Step:
        """Judge the newest read of the batch and say what it needs next."""
        by_id = {i.instance_id: i for i in self.survey.instances}
        verdicts = {
            instance_id: self._observe(instance_id, by_id.get(instance_id), now) for instance_id in sorted(self._open)
        }
        if self._needs_the_model(verdicts.values()):
            self._seen = None
            return self._look(now, model=True)
        for instance_id, verdict in verdicts.items():
            if verdict != verification.PENDING and verdict not in _MORE:
                self._resolve(instance_id, verdict, by_id.get(instance_id), now)
        if any(verdict == verification.PENDING for verdict in verdicts.values()):
            self._unsettled = now - self._settling
            self._not_before = now + pacing.next_look(self._unsettled, self._settlings)
            self._seen = None
            return self._look(self._not_before)
        for more, kind in _MORE.items():
            again = [i for i, verdict in verdicts.items() if verdict == more]
            if again and not self._breach():
                return self._send_more(kind, [by_id[i] for i in again], now)
            for instance_id in again:
                self._resolve(instance_id, verification.FAILED, by_id.get(instance_id), now)
        return self._close(batch, now)

    def _needs_the_model(self, verdicts: t.Iterable[Progress]) -> bool:
        """A request brings what the model names then, whoever wrote it: it is read before each, and before a failure is
        believed."""
        asked, failed = (any(v in kinds for v in verdicts) for kinds in (_MORE, (verification.FAILED,)))
        return (asked and self._model_read < self._looked) or (failed and self._model_read < self._sent)

    def _send_more(self, kind: Request, instances: t.Sequence[Instance], now: float) -> Step:
        now_possible = affordable(self.survey, instances)
        if not now_possible:
            return self._wait(now, no_room(self.survey))
        self._waiting = None
        self._sending = self._ask(kind, tuple(i.instance_id for i in now_possible), now)
        return self._sending

    def _observe(self, instance_id: str, instance: Instance | None, now: float) -> Progress:
        terms = verification.Terms(
            self.survey.target, self.patience, self.survey.scale_set.has_health_source, self._can_reimage
        )
        return self._tracks[instance_id].observe(instance, now, terms, self._operation)

    @property
    def _can_reimage(self) -> bool:
        policy = self.survey.policy
        asked = not policy.whole_model or policy.unproven == REIMAGE_UNPROVEN
        return asked and not self.survey.scale_set.flexible

    def _resolve(self, instance_id: str, verdict: Progress, instance: Instance | None, now: float) -> None:
        track = self._tracks[instance_id]
        self._open.discard(instance_id)
        outcome = _OUTCOMES[verdict]
        self.report.instances[instance_id] = InstanceReport(
            before=track.task.before,
            after=instance,
            attempts=track.requests.attempts,
            seconds_unavailable=(track.available_since or now) - track.task.sent,
            outcome=outcome,
            why="" if verdict == verification.DONE else track.why,
        )
        self.report.event(now, outcome, instance=instance_id, why=self.report.instances[instance_id].why)
        if verdict == verification.DONE:
            self.survey = replace(self.survey, verified=self.survey.verified | {instance_id})
        if verdict == verification.DONE or (
            verdict == verification.NOT_STARTED and instance_id not in self._touched_by_others
        ):
            self.survey = replace(self.survey, touched=self.survey.touched - {instance_id})
        if verdict == verification.FAILED:
            why = f"{_FAILED_BEFORE}: {track.why}"
            self.survey = replace(self.survey, excluded={**self.survey.excluded, instance_id: why})
        if verdict == verification.NOT_STARTED and self._trouble_since is None:
            self._trouble_since = now

    def _failed(self, batch: BatchReport) -> list[str]:
        reports = self.report.instances
        return [i for i in batch.instance_ids if i in reports and reports[i].outcome == "failed"]

    def _breach(self) -> str:
        reports = self.report.instances
        failed = self._failed_before | {i for i, report in reports.items() if report.outcome == "failed"}
        started = {i for i, report in reports.items() if report.outcome in ("failed", "upgraded")}
        touched = len(self._touched_before | started)
        return breach_after(self.survey.policy.thresholds, touched, sorted(failed))

    def _close(self, batch: BatchReport, now: float) -> Step:
        failed = self._failed(batch)
        outcomes = {i: self.report.instances[i].outcome for i in batch.instance_ids}
        started = tuple(i for i, outcome in outcomes.items() if outcome != "not_started")
        batch = replace(
            batch,
            finished=now,
            settle_seconds=now - self._settling,
            unsettled_seconds=self._unsettled,
            outcome="failed" if failed else "upgraded",
            failed_instance_ids=tuple(failed),
            not_started_instance_ids=tuple(i for i in batch.instance_ids if i not in started),
            instance_ids=started,
        )
        if not batch.not_started_instance_ids:  # of a ramp, only what was started is a step
            self.survey = replace(self.survey, batches_done=self.survey.batches_done + 1)
        self._batch = None
        if started:
            self.report.batches.append(batch)
            if batch.operation_seconds and not batch.adopted:
                self._operations.append((len(batch.instance_ids), batch.operation_seconds))
                if batch.settle_seconds < self.patience.health_lag:
                    self._settlings.append((batch.unsettled_seconds, batch.settle_seconds))
            self.report.event(now, "batch_finished", batch=batch.number, outcome=batch.outcome)
        if failed and (breach := self._breach()):
            words = "; ".join(f"instance {i}: {self.report.instances[i].why}" for i in failed)
            return self._stop(now, "instances_failed", f"{breach}. {words}", instance_ids=failed)
        if started:
            self._trouble_since, self._trouble = None, ""
        if self._trouble_since is not None and now - self._trouble_since > self.patience.upgrade:
            words = f"Azure did not start the work for {now - self._trouble_since:.0f} s{self._trouble}"
            return self._stop(now, "work_not_started", words)
        if next_batch(self._narrowed()) is None:
            return self._plan(now)
        self._seen = None
        self._not_before = now
        return self._look(now, model=True)

    def _look(self, at: float, *, model: bool = False) -> Look:
        soonest = self._looked + pacing.pause(pacing.INSTANCES, self._instance_reads_remaining)
        return Look(max(at, self._not_before, soonest), model)

    # -- what came of it ----------------------------------------------------------------------

    def saw(
        self,
        now: float,
        instances: t.Sequence[Instance],
        scale_set: ScaleSet | None = None,
        reads_remaining: int | None = None,
        read_at: float | None = None,
    ) -> None:
        """The instances as just read, and the scale set where it was asked for. `read_at`: when, on Azure's clock."""
        scale_set_now, read_at = scale_set or self.survey.scale_set, read_at or self.survey.read_at
        self.survey = replace(self.survey, instances=tuple(instances), scale_set=scale_set_now, read_at=read_at)
        self.survey = replace(self.survey, busy_before=self.survey.still_busy)
        self._inherit()
        self._looked, self._instance_reads_remaining = now, reads_remaining
        self._seen = now
        self._account(now)
        if self._polling:
            self._glimpse()
        self._model_read = now if scale_set is not None else self._model_read
        if scale_set is not None and (changed := self.survey.changed_meanwhile()):
            self._stop(now, *changed)

    def accepted(self, now: float) -> None:
        """Azure took the request that `next` asked for."""
        again = self._batch_sent
        sent = self._taken(now)
        self._refusals = 0
        self._polling = True
        for instance_id in sent.instance_ids:
            track = self._tracks[instance_id]
            track.requests.reimaged |= sent.kind == REIMAGE
            track.requests.started |= sent.kind == START
            track.requests.retried |= again and sent.kind == UPGRADE
        self._account(now)
        self.report.event(now, f"{sent.kind}_sent", batch=self._number, instances=list(sent.instance_ids))

    def refused(self, now: float, problem: Problem) -> float:
        """The request failed. What Azure surely did not start is planned anew, after so many seconds; what it may have
        started is watched."""
        send = self._request()
        self.report.event(now, "request_failed", instances=list(send.instance_ids), problem=str(problem))
        if self._trouble_since is None:
            self._trouble_since = now
        self._refusals, self._trouble = self._refusals + 1, f": {problem}"
        if not self._may_pass(problem) or now - self._trouble_since > self.patience.upgrade:
            self._sending = None
            if not self._batch_sent:
                self._abandon()
            words = f"Azure refused to {send.kind} {sentences.instances(send.instance_ids)}: {problem}"
            self._stop(now, problem.failure_code, words, problem=problem)
            return 0.0
        if problem.kind == problems.LOST:
            self._taken(now)
            return 0.0
        self._sending = None
        asked = problem.retry_after or min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** (self._refusals - 1))
        pause = min(asked, self._left_since(self._trouble_since, now))
        self._not_before = now + pause
        self._seen = None
        if not self._batch_sent:
            self._abandon()
        else:
            self._settling = self._not_before
        return pause

    def _left_since(self, then: float, now: float) -> float:
        """Seconds until patience with what began then has ended: no wait that Azure asks for goes beyond."""
        return max(0.0, then + self.patience.upgrade - now) + 1

    def _may_pass(self, problem: Problem) -> bool:
        """InvalidParameter: an instance may have vanished since it was read."""
        vanished = problem.code == "InvalidParameter" and self._refusals <= 3
        return vanished or problem.kind in (problems.CONFLICT, problems.THROTTLED, problems.LOST)

    def saw_operation(self, now: float, operation: Operation | None, reads_remaining: int | None = None) -> None:
        """How the operation stands; None where Azure no longer knows it, and only the instances can tell."""
        self._operation_reads_remaining = reads_remaining
        before, self._polled = self._polled, now
        if operation is not None and not operation.ended and now - self._sent <= self.patience.upgrade:
            self._not_before = now + min(operation.retry_after or 0, self._left_since(self._sent, now))
            return
        self._polling = False
        self._operation = operation if operation is not None and operation.ended else None
        seconds = now - self._sent
        if operation is not None and operation.ended:
            seconds = operation.took(max(before, self._sent) - self._sent, seconds)
        self._settling, self._unsettled = self._sent + seconds, 0.0
        self._seen = None
        self._not_before = now
        if self._batch:
            self._batch = replace(self._batch, operation_seconds=seconds)
        status = operation.status if operation else "unknown"
        words = str(operation.problem) if operation and operation.problem else ""
        self.report.event(now, "operation_ended", status=status, problem=words, seconds=round(seconds, 1))

    # -- helpers ------------------------------------------------------------------------------

    @property
    def _number(self) -> int | None:
        return self._batch.number if self._batch else None

    def _next_poll(self) -> float:
        since_sent = max(self._polled, self._sent) - self._sent
        return since_sent + pacing.next_poll(since_sent, self._like_this_one(), self._operation_reads_remaining)

    def _next_glance(self) -> float | None:
        """When to look at the instances while the operation runs, None where each was seen down or has no health.

        One that was seen down and is healthy later needs no other proof that its health is new.
        """
        if not self.survey.scale_set.has_health_source or self._all_seen_down:
            return None
        at = self._sent + pacing.glance(self._glances, self._like_this_one())
        return max(at, self._looked + pacing.pause(pacing.INSTANCES, self._instance_reads_remaining))

    @property
    def _all_seen_down(self) -> bool:
        return all(self._tracks[i].seen.not_healthy for i in self._open)

    def _unseen(self) -> float:
        """Seconds after the operation for which a look would be in vain: all were down, and are healthy later."""
        succeeded = self._operation is not None and self._operation.status == "Succeeded"
        if not (succeeded and self._all_seen_down):
            return 0.0
        return pacing.next_look(0.0, self._settlings)

    def _glimpse(self) -> None:
        self._glances += 1
        by_id = {i.instance_id: i for i in self.survey.instances}
        for instance_id in self._open:
            self._tracks[instance_id].glimpse(by_id.get(instance_id), self.survey.scale_set.has_health_source)

    def _like_this_one(self) -> list[float]:
        """What earlier batches took; those of half the size and more where there are any, for a canary is quicker."""
        size = len(self._batch.instance_ids) if self._batch else 0
        alike = [seconds for instances, seconds in self._operations if 2 * instances >= size]
        return alike or [seconds for _instances, seconds in self._operations]

    def _request(self) -> Send:
        if self._sending is None:
            raise RuntimeError("no request was asked for")
        return self._sending

    def _taken(self, now: float) -> Send:
        """The request is Azure's now, or may be."""
        sent, self._sending = self._request(), None
        self._batch_sent = True
        for instance_id in sent.instance_ids:
            track = self._tracks[instance_id]
            track.requested()
            track.requests.attempts += sent.kind == UPGRADE
        self._operation = None
        self._sent = self._settling = self._not_before = now
        self._seen = None
        self._glances = 0
        return sent

    def _abandon(self) -> None:
        """Forget the batch that was never started."""
        self._batch = None
        self._open = set()
        self.survey = replace(self.survey, touched=self._touched_by_others)

    def _account(self, now: float) -> None:
        unavailable = len({i.instance_id for i in self.survey.unavailable} | self._open)
        if unavailable > self.report.max_unavailable_seen:
            self.report.event(now, "unavailable", count=unavailable)
        self.report.max_unavailable_seen = max(self.report.max_unavailable_seen, unavailable)
        self.report.max_unavailable_allowed = self.survey.max_unavailable

    def _finish(self, end: End) -> Finished:
        self.report.end = end
        return Finished(end.outcome)

    def _stop(
        self, now: float, code: Code, why: str, instance_ids: t.Sequence[str] = (), problem: Problem | None = None
    ) -> Finished:
        if self._batch:
            self._close_early(self._batch, why, now)
        self.report.event(now, "stopped", why=why)
        return self._finish(End(now, "stopped", code, why, list(instance_ids), problem))

    def _close_early(
        self, batch: BatchReport, why: str, now: float, outcome: t.Literal["failed", "cancelled"] = "failed"
    ) -> None:
        """Report a batch that is left as it stands, in the middle of it."""
        by_id = {i.instance_id: i for i in self.survey.instances}
        for instance_id in sorted(self._open):
            self._tracks[instance_id].why = why
            self._resolve(instance_id, outcome, by_id.get(instance_id), now)
        self.report.batches.append(replace(batch, finished=now, outcome=outcome))
        self._batch = None
