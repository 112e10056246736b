# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each instance while Azure upgraded a scale set: judged by what it runs, never by Azure's counts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._facts import availability, images, running_image
from .._facts.domains import domains, instance_order
from .._facts.images import Image
from .._facts.report import BatchReport, InstanceOutcome, InstanceReport
from .._facts.running_image import Verdict
from .._facts.scale_set import Instance, PastUpgrade, RollingUpgrade, ScaleSet
from . import upgrade_policy

OS = "os"
EXTENSIONS = "extensions"

_WORKED_ON = ("successful", "failed", "in_progress")  # Azure's counts, which tell too many rather than too few
# Azure's default where the upgrade names no policy.
_MAX_UNHEALTHY = 20


def verdict(instance: Instance, target: Image, since: float | None) -> Verdict:
    """Whether the instance runs what its image, which follows the newest, means now: as `running_image.judge`.

    Azure may report such an image without the version that is on the disk.
    """
    image = instance.image
    if image is None or not image.follows_latest or instance.exact_version or not images.same_series(image, target):
        return running_image.judge(instance, target, since=since)
    if since is not None and instance.os_disk_time is not None and instance.os_disk_time > since:
        return running_image.CURRENT
    return running_image.UNPROVEN


@dataclass(frozen=True)
class Goal:
    """What proves that an instance has what is asked for."""

    kind: str
    target: Image | None
    since: float | None
    completed: bool  # Azure says that it has seen to every instance
    ran: bool = False  # an upgrade has run since the first look, so that a replaced disk is its work
    started: float | None = None  # when the upgrade did that is watched; what came before is somebody else's work
    idle: bool = False  # it has ended, and Azure counts no instance that it has worked on


@dataclass
class Seen:
    """What all reads of the instances have shown, by instance id."""

    read_at: float
    passed: dict[str, str]  # why Azure passed an instance over, at any look
    done: set[str]
    seconds: dict[str, float] = field(default_factory=dict)  # unavailable
    at_work: set[str] = field(default_factory=set)


class Watch:
    """The instances of one run, read now and then. `target` is None for extensions.

    `since`: when the last completed upgrade to the target started, by Azure's clock. It covers the instances of which
    Azure does not report what they run.
    """

    def __init__(
        self,
        scale_set: ScaleSet,
        instances: t.Iterable[Instance],
        kind: str,
        target: Image | None,
        *,
        now: float,
        since: float | None = None,
    ) -> None:
        self.scale_set = scale_set
        self._goal = Goal(kind, target, since, completed=since is not None)
        self.before = {i.instance_id: i for i in instances}
        self.now = dict(self.before)
        self.batches: list[BatchReport] = []
        self.max_seen = len(self.unavailable)
        self._seen = Seen(now, dict(self.skipped), {i.instance_id for i in self.before.values() if self.done(i)})
        self.asked = {i.instance_id for i in self.to_do}
        self.surge = bool(
            upgrade_policy.current(upgrade_policy.stored(scale_set))[upgrade_policy.ROLLING_POLICY]["max_surge"]
        )
        self.earlier: frozenset[str] = frozenset()  # done before this watch, by the upgrade that it has adopted

    @property
    def kind(self) -> str:
        return self._goal.kind

    @property
    def target(self) -> Image | None:
        return self._goal.target

    @property
    def since(self) -> float | None:
        return self._goal.since

    def adopt(self, now: float, started: float | None) -> None:
        """Count as asked for what an upgrade that started then has done before this watch; what it ran is not known."""
        if self.kind != OS or started is None:
            return
        self._goal = replace(self._goal, started=started)
        self._drop_batches()
        ours = [
            i for i in self.before.values() if self.done(i) and i.os_disk_time is not None and i.os_disk_time >= started
        ]
        self.earlier = frozenset(i.instance_id for i in ours)
        self.asked |= self.earlier
        self.before |= {i.instance_id: Instance(i.instance_id) for i in ours}
        if done := sorted((i for i in ours if self.available(i)), key=instance_order):
            self._batch(now, done)

    def anew(self, now: float, target: Image | None, since: float | None) -> Watch:
        """A watch that begins here, of the same instances."""
        fresh = Watch(self.scale_set, self.now.values(), self.kind, target, now=now, since=since)
        fresh.max_seen = self.max_seen
        return fresh

    def done(self, instance: Instance) -> bool:
        """Whether the instance is proven to have what is asked for. What Azure counts as completed proves no image."""
        if self.kind == EXTENSIONS or self.target is None:
            before = self.before.get(instance.instance_id)
            moved = before is None or before.extension_versions != instance.extension_versions
            return self._goal.completed or moved
        found = verdict(instance, self.target, self.since)
        if found == running_image.UNPROVEN:
            before = self.before.get(instance.instance_id)
            return self._goal.ran and before is not None and running_image.disk_replaced(instance, before) is True
        return found in (running_image.CURRENT, running_image.NEWER)

    def _is_unproven(self, instance: Instance) -> bool:
        """Azure says that it has seen to all, and shows nothing of this one's disk. An older one was passed over."""
        if self.kind != OS or self.target is None or self.done(instance) or not self._goal.completed:
            return False
        if instance.os_disk_time is not None and not self.skip_reason(instance):
            return False
        return verdict(instance, self.target, self.since) == running_image.UNPROVEN

    @property
    def unproven(self) -> dict[str, str]:
        """The instances that nobody can tell of what they run, each with why."""
        found = sorted((i for i in self.now.values() if self._is_unproven(i)), key=instance_order)
        return {i.instance_id: self._why_unproven(i) for i in found}

    def _why_unproven(self, instance: Instance) -> str:
        passed = self.skip_reason(instance) or self._seen.passed.get(instance.instance_id, "")
        why = "Azure reports neither the version that it runs nor an OS disk of this upgrade"
        return f"{passed}, and {why}" if passed else why

    def available(self, instance: Instance) -> bool:
        return availability.available(instance, self.scale_set.has_health_source)

    def skip_reason(self, instance: Instance) -> str | None:
        """Why Azure's upgrade passes an instance over."""
        if instance.protected_from_actions:
            return "protected from scale set actions"
        if not availability.is_counted(instance):
            return instance.power if instance.provisioning.lower() != "deleting" else "being deleted"
        return None

    @property
    def to_do(self) -> list[Instance]:
        """What Azure's upgrade would still have to do, in order of the ids."""
        found = (i for i in self.now.values() if not (self.done(i) or self.skip_reason(i) or self._is_unproven(i)))
        return sorted(found, key=instance_order)

    @property
    def skipped(self) -> dict[str, str]:
        found = sorted((i for i in self.now.values() if not self.done(i)), key=instance_order)
        return {i.instance_id: why for i in found if (why := self.skip_reason(i))}

    @property
    def unavailable(self) -> list[Instance]:
        return [i for i in self.now.values() if availability.is_counted(i) and not self.available(i)]

    @property
    def changing(self) -> list[Instance]:
        """Instances in Azure's hands, that will yet be another thing than they are."""
        return [
            i for i in self.now.values() if i.provisioning not in ("Succeeded", "Failed") and availability.is_counted(i)
        ]

    @property
    def unsettled(self) -> list[Instance]:
        """Instances of a completed upgrade that do not show it yet, or are not available yet."""
        touched = (i for i in self.now.values() if i.instance_id in self.asked or i.instance_id not in self.before)
        shown = (i for i in touched if not self.skip_reason(i))
        return [i for i in shown if not (self.available(i) and (self.done(i) or self._is_unproven(i)))]

    @property
    def read_at(self) -> float:
        """When the instances were read last."""
        return self._seen.read_at

    def saw(self, now: float, instances: t.Iterable[Instance]) -> None:
        """One more read of all instances."""
        seen = self._seen
        for instance in self.unavailable:
            seen.seconds[instance.instance_id] = seen.seconds.get(instance.instance_id, 0) + now - seen.read_at
        last = self.now
        self.now = {i.instance_id: i for i in instances}
        for instance_id, one in self.now.items():
            then = last.get(instance_id, one)
            if one.provisioning in ("Updating", "Creating") or (one.power, one.os_disk) != (then.power, then.os_disk):
                self._seen.at_work.add(instance_id)
        self.max_seen = max(self.max_seen, len(self.unavailable))
        self._seen.passed |= self.skipped
        fresh = {i.instance_id for i in self.now.values() if self._is_ours(i) and self.done(i) and self.available(i)}
        fresh -= self._seen.done | {i for i in fresh if self._is_untouched(self.now[i])}
        if ours := sorted((self.now[i] for i in fresh if not self._is_anothers(self.now[i])), key=instance_order):
            self._batch(now, ours)
        self._seen.done |= fresh
        self._seen.read_at = now

    def _is_ours(self, instance: Instance) -> bool:
        """Instances that others have made meanwhile are not this upgrade's, but where it makes new ones itself."""
        return self.surge or instance.instance_id in self.before

    def counted(self, counts: t.Mapping[str, int]) -> None:
        """Azure's own counts of an upgrade to the target tell of instances that no list has shown.

        It counts those that run the target already as in progress too, and these do not go down. One whose extensions
        are upgraded need not be down for that.
        """
        if self.kind == OS and self.target is not None:
            idle = len(self.before.keys() - self.asked)
            self.max_seen = max(self.max_seen, counts.get("in_progress", 0) - idle)

    def _batch(self, now: float, fresh: list[Instance]) -> None:
        """The instances that have come since the last read. Azure does not tell its own batches."""
        labels = dict.fromkeys(one.label for one in domains(fresh, "domain").values())
        ids = tuple(i.instance_id for i in fresh)
        number = len(self.batches) + 1
        self.batches.append(BatchReport(number, "; ".join(labels), ids, self._seen.read_at, now, "upgraded"))

    def ended(self, upgrade: RollingUpgrade | None, past: PastUpgrade | None) -> None:
        """Azure's upgrade is over: from here its own target and its completion count."""
        goal = replace(self._goal, ran=True, completed=upgrade is not None and upgrade.code == "Completed")
        if past is not None and past.target is not None and self.kind == OS and not past.target.follows_latest:
            goal = replace(goal, target=past.target)
        if upgrade is not None and upgrade.started is not None:
            goal = replace(goal, since=upgrade.started, started=upgrade.started)
        if upgrade is not None and upgrade.counts.get("pending"):
            goal = replace(goal, idle=not any(upgrade.counts.get(one) for one in _WORKED_ON))
        self._goal = goal
        self._drop_batches()

    def _drop_batches(self) -> None:
        """Those that are seen now to be somebody else's work."""
        there = {i for i, one in self.now.items() if self._is_anothers(one)}
        self.batches = [one for one in self.batches if not there.issuperset(one.instance_ids)]

    def reports(self, *, failed_first: str = "", restored: int = 0) -> dict[str, InstanceReport]:
        """What became of each instance that was to be upgraded, or was.

        `failed_first`: the instance that Azure's error names. `restored`: how many it gave their previous disk back.
        """
        found = {}
        for instance_id in sorted({*self.before, *self.now}, key=lambda i: instance_order(Instance(i))):
            outcome, why = self._outcome(instance_id, failed_first, restored)
            if outcome:
                found[instance_id] = InstanceReport(
                    before=self.before.get(instance_id) or Instance(instance_id),
                    after=self.now.get(instance_id),
                    attempts=int(outcome in ("upgraded", "failed", "rolled_back")),
                    seconds_unavailable=self._seen.seconds.get(instance_id, 0.0),
                    outcome=outcome,
                    why=why,
                )
        return found

    def _outcome(self, instance_id: str, failed_first: str, restored: int) -> tuple[InstanceOutcome | None, str]:
        now = self.now.get(instance_id)
        asked = instance_id in self.asked
        if now is None:
            return ("gone", "no longer in the scale set") if asked else (None, "")
        if not asked and (instance_id in self.before or not self.surge):
            return None, ""
        if asked and now.provisioning.lower() == "deleting":
            return "gone", "being deleted"
        anothers = self._is_anothers(now)
        if (anothers or self._is_untouched(now)) and self.done(now):
            return None, ""
        why = availability.why_unavailable(now, self.scale_set.has_health_source)
        if self.done(now):
            return ("upgraded", "") if self.available(now) else ("failed", why)
        if instance_id not in self.before:
            return None, ""
        named = bool(failed_first) and failed_first in (instance_id, now.name)
        touched = named or (instance_id in self._seen.at_work | self._seen.done and not anothers)
        if touched and restored and self._is_back(now):
            return "rolled_back", "it runs its previous image again"
        if touched and restored:
            why = why or "Azure's history reports restored OS disks, and nothing shows what this instance runs"
        broke = now.provisioning == "Failed" and self.before[instance_id].provisioning != "Failed" and not anothers
        if touched or broke:
            return "failed", why or "it does not run the target image"
        if self._is_unproven(now):
            return ("unproven", self._why_unproven(now)) if asked else (None, "")
        return "not_started", self.skip_reason(now) or why

    def _is_untouched(self, now: Instance) -> bool:
        """Whether it is seen to have the very disk that it had before, so that no OS upgrade has worked on it."""
        before = self.before.get(now.instance_id)
        if self.kind != OS or before is None or now.instance_id in self._seen.at_work | self._seen.done:
            return False
        return _same_disk(now, before)

    def _is_anothers(self, now: Instance) -> bool:
        """Whether what it is came to it without this upgrade: its disk is older, or Azure has worked on no instance."""
        before, started = self.before.get(now.instance_id), self._goal.started
        if self.kind == OS and started is not None and now.os_disk_time is not None:
            if now.os_disk_time >= started:
                return False
            if before is not None and running_image.disk_replaced(now, before) is True:
                return True
        return self._goal.idle

    def _is_back(self, now: Instance) -> bool:
        """Read back, not taken from Azure's count: available, on the exact image that it ran before."""
        before = running_image.running_image(self.before.get(now.instance_id) or Instance(now.instance_id))
        running = running_image.running_image(now)
        if before is None or running is None or before.follows_latest or not images.same(before, running):
            return False
        return self.available(now)

    def put_back(self, reports: t.Mapping[str, InstanceReport]) -> list[dict[str, t.Any]]:
        """What a way back would put on which instances: what each ran before, the most common image last.

        None where that is on the very disk that is there still. An upgrade of extensions leaves the disks.
        `failed`: of those that failed, `all`: of those that were upgraded too. Of `assumed` nobody knows what they ran:
        where all others ran one image it is taken to be theirs; else they are a group of their own, with image None.
        """
        ran = {instance_id: _exactly(report.before) for instance_id, report in reports.items()}
        known = {str(image): image for image in ran.values() if image is not None}
        guess = next(iter(known.values())) if len(known) == 1 else None
        groups: dict[str, dict[str, t.Any]] = {}
        for instance_id, report in reports.items():
            still = report.after is not None and _same_disk(report.after, report.before)
            if self.kind != OS or still or report.outcome not in ("failed", "upgraded"):
                continue
            image = ran[instance_id] or guess
            empty: dict[str, t.Any] = {"image": images.show(image), "failed": [], "all": [], "assumed": []}
            group = groups.setdefault(str(image or ""), empty)
            group["all"].append(instance_id)
            group["failed"] += [instance_id] if report.outcome == "failed" else []
            group["assumed"] += [] if ran[instance_id] else [instance_id]
        return sorted(groups.values(), key=lambda group: (group["image"] is not None, len(group["all"])))

    def most_unavailable(self, upgrade: RollingUpgrade | None) -> int:
        """How many instances Azure's policy lets be unhealthy at once, those in upgrade counted."""
        percent = (upgrade.policy if upgrade else {}).get("maxUnhealthyInstancePercent")
        counted = sum(availability.is_counted(i) for i in self.now.values())
        return max(1, counted * (percent if isinstance(percent, int) else _MAX_UNHEALTHY) // 100) if counted else 0


def _exactly(instance: Instance) -> Image | None:
    """What it runs, None where Azure does not report the version."""
    running = running_image.running_image(instance)
    return None if running is None or running.follows_latest else running


def _same_disk(now: Instance, before: Instance) -> bool:
    """Whether it is seen to have the very OS disk that it had."""
    same = running_image.running_image(now) == running_image.running_image(before)
    return same and running_image.disk_replaced(now, before) is False
