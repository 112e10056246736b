# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has one instance really been upgraded? What is read of it after the request, judged read by read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._facts import availability, images, running_image
from .._facts.images import Image
from .._facts.problems import Operation, with_azures_words
from .._facts.scale_set import Instance
from .._options import InstanceUpgradeRequest

Progress = t.Literal["pending", "done", "not_started", "reimage", "start", "retry", "failed", "gone", "cancelled"]
PENDING: t.Final = "pending"
DONE: t.Final = "done"
NOT_STARTED: t.Final = "not_started"  # Azure did nothing to it: plan it anew
REIMAGE: t.Final = "reimage"  # Azure applied the model and left the old disk
START: t.Final = "start"  # Azure left it deallocated
RETRY: t.Final = "retry"  # Azure gave up on it half way, with the new disk in it
FAILED: t.Final = "failed"
GONE: t.Final = "gone"
CANCELLED: t.Final = "cancelled"  # nobody waits for what becomes of it


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    `health_lag`: how long an old health state may outlive its disk. `version_lag`: how long an old exact version may be
    shown after the work ended. `start_lag`: how long accepted work may stay invisible.
    """

    upgrade: float = InstanceUpgradeRequest.upgrade_timeout
    health: float = InstanceUpgradeRequest.health_timeout
    healthy_for: float = InstanceUpgradeRequest.healthy_for
    health_lag: float = InstanceUpgradeRequest.health_lag
    version_lag: float = InstanceUpgradeRequest.version_lag

    @property
    def start_lag(self) -> float:
        return min(30.0, self.upgrade / 2)


@dataclass(frozen=True)
class Terms:
    """What every read of a rollout's instances is judged by."""

    target: Image
    patience: Patience
    has_health_source: bool
    can_reimage: bool


@dataclass(frozen=True)
class Task:
    """One instance to upgrade: how it was before, and when the request was sent.

    `adopted_since`: where an earlier run sent it, when the model was made to name the target, on Azure's clock.
    `whole_model`: what is waited for is the latest model, not the target image alone; `new_disk`: on a new OS disk.
    `lies`: it was deallocated by choice, and stays so.
    """

    before: Instance
    sent: float
    adopted_since: float | None = None
    whole_model: bool = False
    new_disk: bool = False
    lies: bool = False


@dataclass
class Requests:
    """What Azure was asked to do with an instance."""

    attempts: int = 0
    reimaged: bool = False
    started: bool = False
    retried: bool = False


@dataclass
class Seen:
    """What was seen of an instance since the request was sent."""

    absences: int = 0
    worked_on: bool = False
    at_work: bool = False
    not_healthy: bool = False
    not_healthy_time: float | None = None  # of the newest report that says so
    ended_early: bool = False  # Azure called the operation done before the work was


@dataclass
class Track:
    """One instance that this rollout works on."""

    task: Task
    requests: Requests = field(default_factory=Requests)
    seen: Seen = field(default_factory=Seen)
    on_target_since: float | None = None
    available_since: float | None = None
    idle_since: float | None = None
    why: str = ""

    def observe(self, instance: Instance | None, now: float, terms: Terms, operation: Operation | None) -> Progress:
        """Judge one read. `operation` is how the request ended, None while that is not known."""
        verdict = self._judge(instance, now, terms, operation)
        if instance and instance.protected_from_actions and verdict in (START, RETRY, REIMAGE):
            self.why = f"{self.why or self._behind}, and another client has protected it from scale set actions"
            verdict = NOT_STARTED if verdict == REIMAGE else FAILED
        problem = operation.problem if operation else None
        if verdict == FAILED and instance and problem:
            self.why = with_azures_words(self.why, problem.of(instance.instance_id) or str(problem))
        return verdict

    def _judge(self, instance: Instance | None, now: float, terms: Terms, operation: Operation | None) -> Progress:
        if instance is None:
            self.why = "the instance is gone from the scale set"
            self.seen.absences += 1  # one list may miss an instance that moved between two pages
            return GONE if self.seen.absences > 1 else PENDING
        self.seen.absences = 0
        on_target = self._on_target(instance, terms.target, operation)
        self._remember(instance, on_target, terms.has_health_source)
        self._doubt(instance, on_target, operation)
        self.why = availability.why_unavailable(instance, terms.has_health_source)
        if on_target and instance.provisioning == "Succeeded" and not self._fell(instance):
            return self._await_health(instance, now, terms, operation)
        self.on_target_since = self.available_since = None
        if now - self.task.sent > terms.patience.upgrade:
            self.why = f"not upgraded within {terms.patience.upgrade:.0f} s ({self.why or self._behind})"
            return FAILED
        if not availability.settled(instance):
            self.idle_since, self.seen.at_work = None, True
            return PENDING
        fell_before = self._fell(instance) and self._was_down
        if instance.provisioning == "Failed" and self.seen.worked_on and not fell_before:
            return FAILED
        if self.idle_since is None:
            self.idle_since = now
        return self._judge_idle(instance, now - self.idle_since, terms, operation, on_target=on_target)

    def _judge_idle(
        self, instance: Instance, idle: float, terms: Terms, operation: Operation | None, *, on_target: bool
    ) -> Progress:
        """Nobody works on it, and it is not done."""
        if self._fell(instance):
            return self._await_start(idle, terms.patience)
        if on_target:
            return self._await_success(idle, terms.patience)
        return self._await_image(instance, idle, terms, operation)

    def _fell(self, instance: Instance) -> bool:
        return instance.power == "deallocated" and not self.task.lies

    @property
    def _was_down(self) -> bool:
        """One that was down before is tried again; nothing has been done to it yet."""
        return self.task.before.power == "deallocated" and not self.seen.at_work

    @property
    def _behind(self) -> str:
        return "has not got the latest model" if self.task.whole_model else "still runs the old image"

    def _on_target(self, instance: Instance, target: Image, operation: Operation | None) -> bool:
        if self.task.whole_model:
            succeeded = operation is not None and operation.status == "Succeeded"
            applied = instance.latest_model_applied is True or (instance.latest_model_applied is None and succeeded)
            return applied and (
                not self.task.new_disk or running_image.disk_replaced(instance, self.task.before) is True
            )
        since, current = self.task.adopted_since, running_image.CURRENT
        if since is not None and running_image.judge(instance, target, since=since) == current:
            return True
        return running_image.judge(instance, target, before=self.task.before) == current

    def requested(self) -> None:
        """A request was sent: what was seen before it proves nothing of the health after it."""
        self.idle_since = self.seen.not_healthy_time = None
        self.seen.not_healthy = self.seen.ended_early = False

    def glimpse(self, instance: Instance | None, has_health_source: bool) -> None:
        """A look while the operation runs: nothing is decided, but an instance that is down is remembered."""
        if instance is not None:
            self._remember(instance, False, has_health_source)

    def _remember(self, instance: Instance, on_target: bool, has_health_source: bool) -> None:
        moved = (instance.provisioning, instance.power) != (self.task.before.provisioning, self.task.before.power)
        on_new_disk = on_target or bool(running_image.disk_replaced(instance, self.task.before))
        self.seen.worked_on = self.seen.worked_on or moved or on_new_disk
        if self.seen.worked_on and has_health_source and instance.health != availability.HEALTHY:
            self.seen.not_healthy = True
            self.seen.not_healthy_time = instance.health_time or self.seen.not_healthy_time

    def _is_stale(self, instance: Instance) -> bool:
        """A report that is older than the one that called it not healthy is that of the old disk, shown again."""
        then, now = self.seen.not_healthy_time, instance.health_time
        return then is not None and now is not None and now < then

    def _doubt(self, instance: Instance, on_target: bool, operation: Operation | None) -> None:
        """An end that Azure told before the work was done is no time that new health could be compared with."""
        on_new_disk = on_target or bool(running_image.disk_replaced(instance, self.task.before))
        finished = availability.settled(instance) and on_new_disk
        self.seen.ended_early = self.seen.ended_early or (operation is not None and operation.ended and not finished)

    def _await_health(
        self,
        instance: Instance,
        now: float,
        terms: Terms,
        operation: Operation | None,
    ) -> Progress:
        patience, has_health_source = terms.patience, terms.has_health_source
        if self.on_target_since is None:
            self.on_target_since = now
        if "deallocated" == self.task.before.power == instance.power:
            return DONE  # upgraded where it lies; nothing runs that could be healthy
        if not availability.available(instance, has_health_source):
            self.available_since = None
            if now - self.on_target_since <= patience.health:
                return PENDING
            self.why = f"not available within {patience.health:.0f} s of the upgrade: {self.why}"
            return FAILED
        if self.available_since is None:
            self.available_since = now
        steady = now - self.available_since
        ended = operation.end if operation is not None and not self.seen.ended_early else None
        believed = (
            not has_health_source
            or (self.seen.not_healthy and not self._is_stale(instance))
            or availability.reported_since(instance, self.task.before, ended)
            or (self.task.adopted_since is not None and availability.newer_than_disk(instance))
            or steady >= patience.health_lag
        )
        if believed and steady >= patience.healthy_for:
            return DONE
        if now - self.on_target_since > patience.health + patience.health_lag + patience.healthy_for:
            self.why = "it does not stay available"
            return FAILED
        self.why = f"available for {steady:.0f} s" if believed else "its health is as old as the upgrade"
        return PENDING

    def _await_image(
        self,
        instance: Instance,
        idle: float,
        terms: Terms,
        operation: Operation | None,
    ) -> Progress:
        """No work shows, and the target is not proven."""
        patience, target = terms.patience, terms.target
        # Whether Azure has got as far as the instance's model.
        applied = images.same(instance.image, target) and not images.same(self.task.before.image, target)
        applied = applied or self.requests.reimaged
        self.why = self._behind
        if running_image.disk_replaced(instance, self.task.before):
            if idle < patience.version_lag or idle == 0:
                return PENDING
            self.why = f"{patience.version_lag:.0f} s after it got a new OS disk it {self._shown(instance)}"
            return FAILED
        if operation is not None and operation.status == "Failed":
            self.why = "not upgraded"
            return FAILED if idle >= patience.start_lag else PENDING
        succeeded = operation is not None and operation.status == "Succeeded"
        if not succeeded and (not applied or instance.provisioning == "Canceled"):
            return NOT_STARTED if idle >= patience.start_lag else PENDING
        if not applied and instance.latest_model_applied is False:
            return NOT_STARTED if idle >= patience.start_lag else PENDING
        if idle < patience.version_lag or idle == 0:
            return PENDING
        if instance.provisioning != "Succeeded":
            return FAILED
        if terms.can_reimage and not (self.requests.reimaged and succeeded):
            return REIMAGE
        tried = (
            "the upgrade and a reimage"
            if self.requests.reimaged
            else "the upgrade, and a Flexible scale set cannot reimage it; delete it and scale out by one instead"
        )
        self.why = f"{self._behind} after {tried}"
        return FAILED

    def _shown(self, instance: Instance) -> str:
        running = running_image.running_image(instance)
        return f"runs {running}" if running and not self.task.whole_model else self._behind

    def _await_start(self, idle: float, patience: Patience) -> Progress:
        """Nobody works on it, and it is deallocated: a failed allocation leaves one so, and an upgrade may."""
        if idle < patience.start_lag:
            return PENDING
        if not self.requests.started:
            return START
        self.why = f"it is deallocated, and could not be started: {self.why}"
        return FAILED

    def _await_success(self, idle: float, patience: Patience) -> Progress:
        """It runs the target, and its last operation did not succeed."""
        if idle < patience.start_lag:
            return PENDING
        return FAILED if self.requests.retried else RETRY
