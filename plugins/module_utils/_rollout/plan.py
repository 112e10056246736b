# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: which instances next, and what is in the way. One survey of live state in, plain decisions out."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import cached_property

from . import health, running_image, thresholds
from .domains import Domain, Selection, domains, instance_order
from .image import Image
from .limits import Limit
from .model import Instance, ScaleSet
from .thresholds import Thresholds

CANARY_FROM = 5  # instances a set must have before a canary is worth its time
# Seconds from a new disk to an instance in service, at the most; one that is sick later has become so by itself.
IN_HAND = 3600.0


@dataclass(frozen=True)
class Policy:
    """How many at once, and in which order. `canary` None means the default, 0 none.

    `batch_sizes`: of the first batch, the second, and so on; the last one holds for the rest. `whole_model`: to bring
    instances to all of the model, extensions and all, not to its image alone.
    """

    max_unavailable: Limit = Limit(20, percent=True)
    batch_sizes: tuple[Limit, ...] = ()
    canary: int | None = None
    order_by: str = "domain"
    thresholds: Thresholds = Thresholds()
    include_deallocated: bool = False
    downgrade: bool = False
    whole_model: bool = False


@dataclass(frozen=True)
class Batch:
    """Instances of one domain that are upgraded together. `adopted`: somebody already started them, so only watch."""

    label: str
    instance_ids: tuple[str, ...]
    adopted: bool = False


@dataclass(frozen=True)
class Wait:
    """No batch may start now; the reason says what must change first. `busy`: another hand is at work."""

    reason: str
    busy: bool = False


@dataclass(frozen=True)
class Survey:
    """One look at a scale set, judged against a target.

    `since`: when the model was made to name the target, on Azure's clock; None where no record says so. `unfinished`:
    a rollout to the target has not ended, so what it started may still be under way.
    `set_aside`: instances that failed in this rollout, by id with the reason. `proven`: those it saw run the target.
    `read_at`: when this run first looked, on Azure's clock. The health of an instance whose disk was younger than
    `health_lag` then may still be that of the old disk; 0 where no killed run can have left one.
    """

    scale_set: ScaleSet
    instances: tuple[Instance, ...]
    target: Image
    policy: Policy = Policy()
    selection: Selection = Selection()
    model_names_target: bool = True
    since: float | None = None
    unfinished: bool = True
    set_aside: t.Mapping[str, str] = field(default_factory=dict)
    proven: frozenset[str] = frozenset()
    read_at: float | None = None
    health_lag: float = 120.0
    batches_done: int = 0

    # -- what is ------------------------------------------------------------------------------

    @cached_property
    def verdicts(self) -> dict[str, str]:
        """instance id -> current | outdated | newer | unproven."""
        return {i.instance_id: self._verdict(i) for i in self.instances}

    def _verdict(self, instance: Instance) -> str:
        if instance.instance_id in self.proven:
            return running_image.CURRENT
        if self.policy.whole_model:
            return running_image.judge_model(instance)
        names_target, since = self.model_names_target, self.since
        verdict = running_image.judge(instance, self.target, model_names_target=names_target, since=since)
        return running_image.OUTDATED if verdict == running_image.NEWER and self.policy.downgrade else verdict

    @cached_property
    def domain_of(self) -> dict[str, Domain]:
        return domains(self.instances, self.policy.order_by)

    def available(self, instance: Instance) -> bool:
        return health.available(instance, self._can_tell_health(instance))

    def _can_tell_health(self, instance: Instance) -> bool:
        """One that has not got the model which brought the health source reports none, however well it is."""
        mute = self.policy.whole_model and instance.health is None and instance.latest_model_applied is False
        return self.scale_set.has_health_source and not (mute and instance.instance_id not in self.proven)

    @cached_property
    def counted(self) -> list[Instance]:
        return [i for i in self.instances if health.counts(i)]

    @cached_property
    def unavailable(self) -> list[Instance]:
        return [i for i in self.counted if not self.available(i)]

    @property
    def max_unavailable(self) -> int:
        return self.policy.max_unavailable.of(len(self.counted))

    # -- what is to do ------------------------------------------------------------------------

    def chosen(self) -> list[Instance]:
        return sorted((i for i in self.instances if self.selection.holds(i)), key=instance_order)

    def skip_reason(self, instance: Instance) -> str | None:
        """Why an outdated instance is left alone."""
        if instance.instance_id in self.set_aside:
            return self.set_aside[instance.instance_id]
        if instance.protected_from_actions:
            return "protected from scale set actions"
        if not health.counts(instance) and not (self.policy.include_deallocated and instance.power == "deallocated"):
            return instance.power if instance.provisioning.lower() != "deleting" else "being deleted"
        return None

    @cached_property
    def outdated(self) -> list[Instance]:
        return [i for i in self.chosen() if self.verdicts[i.instance_id] == running_image.OUTDATED]

    @cached_property
    def to_do(self) -> list[Instance]:
        return [i for i in self.outdated if self.skip_reason(i) is None]

    @cached_property
    def busy(self) -> list[Instance]:
        """Outdated instances that somebody is changing right now; a second action on them would only conflict."""
        return [i for i in self.to_do if i.provisioning not in ("Succeeded", "Failed")]

    @cached_property
    def skipped(self) -> dict[str, str]:
        return {i.instance_id: reason for i in self.outdated if (reason := self.skip_reason(i))}

    @cached_property
    def in_hand(self) -> list[Instance]:
        """Instances that this rollout has started and not finished, as a killed run leaves them."""
        since = self.since
        if since is None or not self.unfinished:
            return []
        return [i for i in self.instances if self.skip_reason(i) is None and self._unfinished(i, since)]

    def _unfinished(self, instance: Instance, since: float) -> bool:
        made = health.remade_at(instance)
        if made is None or made < since:
            return instance.provisioning == "Updating"
        young = self.read_at is None or self.read_at - made <= IN_HAND
        on_target = self.verdicts[instance.instance_id] == running_image.CURRENT
        waits = on_target and (not self.available(instance) or self._health_may_be_old(instance, made))
        return young and (instance.provisioning == "Updating" or waits)

    def _health_may_be_old(self, instance: Instance, made: float) -> bool:
        return (
            self.read_at is not None
            and self.scale_set.has_health_source
            and instance.instance_id not in self.proven
            and self.read_at - made < self.health_lag
            and not health.newer_than_disk(instance)
        )

    @property
    def left(self) -> list[str]:
        """Instances that are still to be upgraded or awaited."""
        return [i.instance_id for i in {i.instance_id: i for i in [*self.in_hand, *self.to_do]}.values()]

    def next_batch(self) -> Batch | Wait | None:
        """The instances to upgrade now; None where nothing is left to do."""
        domain_of = self.domain_of
        if self.in_hand:
            first = min(domain_of[i.instance_id] for i in self.in_hand)
            ids = tuple(i.instance_id for i in self.in_hand if domain_of[i.instance_id] == first)
            return Batch(first.label, ids, adopted=True)
        if not self.to_do:
            return None
        judged = [i if self._can_tell_health(i) else replace(i, health=health.HEALTHY) for i in self.counted]
        if breach := thresholds.breach_before(self.policy.thresholds, judged, self.scale_set.has_health_source):
            return Wait(breach)
        ready = [i for i in self.to_do if i not in self.busy]
        if not ready:
            return Wait(
                f"another hand is changing {', '.join(f'{i.instance_id} ({i.provisioning})' for i in self.busy)}",
                busy=True,
            )
        queue = sorted(ready, key=lambda i: (self.available(i), domain_of[i.instance_id], instance_order(i)))
        first = domain_of[queue[0].instance_id]
        domain = [i for i in queue if domain_of[i.instance_id] == first]
        batch = self.affordable(domain)
        if not batch:
            return self.no_room()
        return Batch(first.label, tuple(i.instance_id for i in batch[: self._batch_limit()]))

    def affordable(self, instances: t.Sequence[Instance]) -> list[Instance]:
        """Those that may be taken down now: the unavailable ones cost nothing, of the others as many as fit."""
        room = max(0, self.max_unavailable - len(self.unavailable))
        costless = [i for i in instances if health.counts(i) and not self.available(i)]
        return costless + [i for i in instances if i not in costless][:room]

    def no_room(self) -> Wait:
        others = ", ".join(
            f"{i.instance_id} ({health.why_unavailable(i, self.scale_set.has_health_source)})" for i in self.unavailable
        )
        return Wait(
            f"{len(self.unavailable)} of at most {self.max_unavailable} instances are already unavailable: {others}"
        )

    def _batch_limit(self) -> int | None:
        """The canary while the image is unproven on this set, then the batch size."""
        sizes = []
        if self.policy.batch_sizes:
            size = self.policy.batch_sizes[min(self.batches_done, len(self.policy.batch_sizes) - 1)]
            sizes.append(size.of(len(self.counted)))
        canary = self.policy.canary
        if canary is None:
            canary = 1 if len(self.counted) >= CANARY_FROM else 0
        on_target = (running_image.CURRENT, running_image.UNPROVEN)
        proven = sum(self.verdicts[i.instance_id] in on_target and self.available(i) for i in self.counted)
        if canary > proven:
            sizes.append(canary - proven)
        return min(sizes, default=None)

    def batches(self) -> list[Batch]:
        """All batches still to do, if every upgrade goes well: next_batch over an imagined fleet."""
        survey, found = self, []
        while isinstance(batch := survey.next_batch(), Batch):
            found.append(batch)
            survey = survey.imagine(batch)
        return found

    def imagine(self, batch: Batch) -> Survey:
        """This survey once the batch runs the target and is available."""
        healthy = health.HEALTHY if self.scale_set.has_health_source else None
        imagined = replace(
            self,
            instances=tuple(
                replace(
                    i,
                    power=i.power if i.power == "deallocated" else "running",
                    provisioning="Succeeded",
                    extensions_settled=True,
                    health=healthy,
                )
                if i.instance_id in batch.instance_ids
                else i
                for i in self.instances
            ),
            proven=self.proven.union(batch.instance_ids),
            batches_done=self.batches_done + 1,
        )
        # What stays as it is: a plan of 1,000 batches would work it out 1,000 times.
        vars(imagined)["domain_of"] = self.domain_of
        vars(imagined)["verdicts"] = {**self.verdicts, **dict.fromkeys(batch.instance_ids, running_image.CURRENT)}
        return imagined
