# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is: one look at a scale set, judged against a target."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property

from .._facts import availability, images, running_image
from .._facts.codes import Code
from .._facts.domains import Domain, Selection, domains, instance_order
from .._facts.images import Image
from .._facts.running_image import Verdict
from .._facts.scale_set import MANUAL, Instance, ScaleSet
from . import record
from .policy import REIMAGE, SKIP, Policy

# Seconds from a new disk to an instance in service, at the most; one that is sick later has become so by itself.
LONGEST_START = 3600.0

_FOREIGN = "not made from this scale set's image"


@dataclass(frozen=True)
class Survey:
    """One look at a scale set, judged against a target.

    `rollout`: the id of the rollout that this is part of, "" where the set is in none. `in_manual`: it began in mode
    Manual, and goes on in no other.
    `since`: when the model was made to name the target, on Azure's clock; None where no record says so. `unfinished`:
    a rollout to the target has not ended, so what it started may still be under way.
    `inherited`: instances that an earlier run may have left in the middle; None where nobody has looked yet. `passed`:
    those that this run's earlier calls have seen to the end.
    `touched`: instances that this rollout has started and not seen to the end. `only`: those that may be started now,
    all chosen ones where it is empty.
    `busy_before`: those that another client was changing before the rollout began, and that have not been idle since.
    `excluded`: instances that failed in this rollout, by id with the reason. `verified`: those it saw run the target.
    `read_at`: when this look was, on Azure's clock. The health of an instance whose disk was younger than `health_lag`
    then may still be that of the old disk; 0 where no rollout has begun.
    """

    scale_set: ScaleSet
    instances: tuple[Instance, ...]
    target: Image
    policy: Policy = Policy()
    selection: Selection = Selection()
    only: frozenset[str] = frozenset()
    model_names_target: bool = True
    rollout: str = ""
    in_manual: bool = False
    since: float | None = None
    unfinished: bool = True
    inherited: frozenset[str] | None = None
    passed: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    busy_before: frozenset[str] = frozenset()
    excluded: t.Mapping[str, str] = field(default_factory=dict)
    verified: frozenset[str] = frozenset()
    read_at: float | None = None
    health_lag: float = 120.0
    batches_done: int = 0

    # -- what is ------------------------------------------------------------------------------

    def changed_meanwhile(self) -> tuple[Code, str] | None:
        """What another client has written to the scale set, so that nothing more may be upgraded."""
        if not images.same(self.scale_set.image, self.target):
            named = self.scale_set.image
            return "image_changed", f"another client changed the model: it names {named}, the target is {self.target}"
        if words := record.of_another(self.scale_set, self.rollout):
            return "rollout_changed", words
        return self.left_manual()

    def left_manual(self) -> tuple[Code, str] | None:
        """Why a rollout that began in mode Manual goes no further: Azure may act by itself now."""
        mode, name = self.scale_set.upgrade_mode, self.scale_set.name
        if not self.in_manual:
            return None
        if mode != MANUAL:
            words = f"another client set upgrade mode {mode} on scale set {name}"
            return "upgrade_mode", f"{words}: Azure may upgrade its instances by itself"
        if self.scale_set.automatic_os_upgrade:
            return "automatic_os_upgrade", f"another client turned automatic OS image upgrades of scale set {name} on"
        return None

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """By instance id."""
        return {i.instance_id: self._verdict(i) for i in self.instances}

    def _verdict(self, instance: Instance) -> Verdict:
        if instance.instance_id in self.verified:
            return running_image.CURRENT
        if self.scale_set.flexible and not self._made_here(instance):
            return running_image.FOREIGN
        if self.policy.whole_model:
            return running_image.judge_model(instance, since=self.since, disk=self.policy.unproven == REIMAGE)
        names_target, since = self.model_names_target, self.since
        verdict = running_image.judge(instance, self.target, model_names_target=names_target, since=since)
        if instance.instance_id in self.touched and instance.power == "deallocated":
            # It starts with what its model names, whatever is on its disk now.
            return verdict if images.same(instance.image, self.target) else running_image.OUTDATED
        return running_image.OUTDATED if verdict == running_image.NEWER and self.policy.downgrade else verdict

    def _made_here(self, instance: Instance) -> bool:
        """A VM that was attached to a Flexible set may be of any image, or of none."""
        return instance.image is not None and running_image.family(instance.image) in self._families

    @cached_property
    def _families(self) -> set[tuple[str, str]]:
        """Of the images that the model names, is to name and named, and of the one that most instances run."""
        recorded = record.read(self.scale_set.tags)
        named = [self.scale_set.image, self.target]
        named += [recorded.target_image, recorded.previous_image] if recorded else []
        run = Counter(running_image.family(i.image) for i in self.instances if i.image is not None)
        most = {family for family, count in run.items() if 2 * count > len(self.instances)}
        return most | {running_image.family(image) for image in named if image is not None}

    @cached_property
    def domain_of(self) -> dict[str, Domain]:
        return domains(self.instances, self.policy.order_by)

    def available(self, instance: Instance) -> bool:
        """By what can be believed: an old health may be shown for a while where a disk was replaced, by whomever."""
        shown = availability.available(instance, self.can_tell_health(instance))
        return shown and not self._health_may_be_old(instance, instance.os_disk_time)

    def why_unavailable(self, instance: Instance) -> str:
        why = availability.why_unavailable(instance, self.can_tell_health(instance))
        return why or "its health is as old as its disk"

    def can_tell_health(self, instance: Instance) -> bool:
        """One that has not got the model which brought the health source reports none, however well it is."""
        mute = self.policy.whole_model and instance.health is None and instance.latest_model_applied is False
        return self.scale_set.has_health_source and not (mute and instance.instance_id not in self.verified)

    def is_counted(self, instance: Instance) -> bool:
        """As `availability.is_counted`; and an instance that this rollout has touched is, whatever its power is now."""
        return availability.is_counted(instance) or self._fell(instance)

    def _fell(self, instance: Instance) -> bool:
        """Deallocated, and not by choice: this rollout has touched it and not seen it in service since."""
        if instance.power not in ("deallocated", "deallocating") or instance.provisioning.lower() == "deleting":
            return False
        if self.policy.include_deallocated or instance.instance_id in self.verified:
            return False
        left_behind = (
            self._is_of_another_run(instance)
            and self.verdicts[instance.instance_id] != running_image.CURRENT
            and images.same(instance.image, self.target)
        )
        return instance.instance_id in self.touched or left_behind

    @cached_property
    def counted(self) -> list[Instance]:
        return [i for i in self.instances if self.is_counted(i)]

    @cached_property
    def unavailable(self) -> list[Instance]:
        return [i for i in self.counted if not self.available(i)]

    def coming(self, instance: Instance) -> bool:
        """Not available yet, because somebody creates or changes it: it is waited for, and no verdict on anything."""
        starts = instance.health == "initializing" or (instance.health in (None, "unknown") and self._is_new(instance))
        return (
            not availability.settled(instance)
            or (starts and availability.in_service(instance))
            or self._health_may_be_old(instance, instance.os_disk_time)
            or self._is_with_others(instance)
        )

    def _is_new(self, instance: Instance) -> bool:
        made, now = instance.created, self.read_at
        return made is not None and now is not None and made > now - LONGEST_START

    @property
    def max_unavailable(self) -> int:
        return self.policy.max_unavailable.of(len(self.counted))

    # -- what is to do ------------------------------------------------------------------------

    def chosen(self) -> list[Instance]:
        return sorted((i for i in self.instances if self.selection.holds(i)), key=instance_order)

    def skip_reason(self, instance: Instance) -> str | None:
        """Why an instance that does not run the target is skipped."""
        if self.verdicts[instance.instance_id] == running_image.FOREIGN:
            return _FOREIGN
        if instance.instance_id in self.excluded:
            return self.excluded[instance.instance_id]
        if instance.protected_from_actions:
            return "protected from scale set actions"
        if not self.is_counted(instance) and not (self.policy.include_deallocated and instance.power == "deallocated"):
            return instance.power if instance.provisioning.lower() != "deleting" else "being deleted"
        return None

    @cached_property
    def outdated(self) -> list[Instance]:
        return [i for i in self.chosen() if self.verdicts[i.instance_id] == running_image.OUTDATED]

    @cached_property
    def unproven(self) -> list[Instance]:
        return [i for i in self.chosen() if self.verdicts[i.instance_id] == running_image.UNPROVEN]

    def _is_reimaged(self, instance: Instance) -> bool:
        """Whether an unproven instance gets its disk anew: where asked, and where that can prove anything."""
        if self.policy.unproven != REIMAGE or self.scale_set.flexible:
            return False
        return self.policy.whole_model or (self.since is not None and instance.os_disk_time is not None)

    @cached_property
    def to_do(self) -> list[Instance]:
        found = [*self.outdated, *(i for i in self.unproven if self._is_reimaged(i))]
        if self.only:
            found = [i for i in found if i.instance_id in self.only]
        return sorted((i for i in found if self.skip_reason(i) is None), key=instance_order)

    @cached_property
    def busy(self) -> list[Instance]:
        """Instances to do that somebody is changing right now; a second action on them would only conflict."""
        return [i for i in self.to_do if not availability.settled(i)]

    @cached_property
    def passed_over(self) -> dict[str, str]:
        """Instances to do that are skipped until the end, by id with the reason: others change or have stopped them."""
        return {
            i.instance_id: availability.why_unavailable(i, self.can_tell_health(i))
            for i in self.to_do
            if self.is_passed_over(i)
        }

    def is_passed_over(self, instance: Instance) -> bool:
        """Never one that a run of this rollout may have started: it holds the domains together."""
        if self.policy.busy != SKIP or instance.instance_id in self.touched or instance.instance_id in self.verified:
            return False
        if not availability.settled(instance):
            if not self._is_of_another_run(instance):
                return True
            return instance.instance_id in self.busy_before and not images.same(instance.image, self.target)
        paused = instance.power in ("stopped", "stopping") and instance.provisioning == "Succeeded"
        return paused and self.verdicts[instance.instance_id] == running_image.OUTDATED

    @property
    def still_busy(self) -> frozenset[str]:
        """Of those that were busy before: once idle, the next who works on one may be a run of this rollout."""
        return self.busy_before.intersection(i.instance_id for i in self.instances if self.is_passed_over(i))

    @cached_property
    def skipped(self) -> dict[str, str]:
        skips = (running_image.OUTDATED, running_image.FOREIGN)
        found = [i for i in self.chosen() if self.verdicts[i.instance_id] in skips]
        return {i.instance_id: reason for i in found if (reason := self.skip_reason(i))}

    # -- what other runs of this rollout have started -------------------------------------------

    def _is_of_another_run(self, instance: Instance) -> bool:
        """Whether another run of this rollout may have started it. One made since the rollout began is not."""
        if self.since is None or not self.unfinished or not self.selection.holds(instance):
            return False
        return instance.provisioning != "Creating" and (instance.created is None or instance.created < self.since)

    def _may_be_inherited(self, instance: Instance) -> bool:
        first_seen = self.inherited is None or instance.instance_id in self.inherited
        return first_seen and self._is_of_another_run(instance)

    @cached_property
    def in_progress(self) -> list[Instance]:
        """Instances that this rollout has started and not finished, as a killed run leaves them."""
        return sorted((i for i in self.instances if self._is_in_progress(i)), key=instance_order)

    def _is_in_progress(self, instance: Instance) -> bool:
        if self.skip_reason(instance) is not None or not self.is_counted(instance):
            return False
        current = self.verdicts[instance.instance_id] == running_image.CURRENT
        if not availability.settled(instance):  # Azure shows the model that it is bringing, or has brought
            return self._may_be_inherited(instance) and (current or images.same(instance.image, self.target))
        if not current:
            return False
        if instance.instance_id in self.touched:
            return not self.available(instance)
        return self._may_be_inherited(instance) and self._awaits_health(instance)

    def _awaits_health(self, instance: Instance) -> bool:
        """Whether this rollout has made it not long ago, and it has not shown yet that it is healthy since."""
        made = availability.remade_at(instance)
        if made is None or made < (self.since or 0.0):
            return False
        young = self.read_at is None or self.read_at - made <= LONGEST_START
        return young and (not self.available(instance) or self._health_may_be_old(instance, made))

    def _health_may_be_old(self, instance: Instance, made: float | None) -> bool:
        return (
            self.read_at is not None
            and made is not None
            and self.read_at - made < self.health_lag
            and self.scale_set.has_health_source
            and instance.instance_id not in self.verified
            and instance.instance_id not in self.passed
            and not availability.newer_than_disk(instance)
        )

    @cached_property
    def in_doubt(self) -> list[Instance]:
        """Instances that somebody is changing, and that may be this rollout: once they settle it shows."""
        return [
            i
            for i in sorted(self.instances, key=instance_order)
            if not availability.settled(i)
            and not self._is_in_progress(i)
            and not self.is_passed_over(i)
            and self.skip_reason(i) is None
            and (i.instance_id in self.touched or self._may_be_inherited(i))
        ]

    @cached_property
    def with_others(self) -> list[Instance]:
        """Instances that a run beside this one has started and not finished, as far as shows: awaited, never ours."""
        return sorted((i for i in self.instances if self._is_with_others(i)), key=instance_order)

    def _is_with_others(self, instance: Instance) -> bool:
        if not self._is_beside(instance):
            return False
        if not availability.settled(instance):
            return not self.is_passed_over(instance)
        return self._was_brought(instance) and self._awaits_health(instance)

    @cached_property
    def left_unhealthy(self) -> list[Instance]:
        """Instances that a run beside this one has brought to the target, and that never became healthy there."""
        found = (i for i in self.instances if self._is_beside(i) and availability.settled(i) and self._was_brought(i))
        return sorted((i for i in found if not self.available(i) and not self._awaits_health(i)), key=instance_order)

    @cached_property
    def down_on_target(self) -> list[Instance]:
        """What runs the target, or may, and is not available, as an earlier call that failed or was killed leaves it.

        What this one has brought is judged by itself. Of a rollout the record tells what earlier calls have brought.
        """
        if self.in_manual:
            return []
        return sorted((i for i in self.chosen() if self._is_down_on_target(i)), key=instance_order)

    def _is_down_on_target(self, instance: Instance) -> bool:
        one, verdict = instance.instance_id, self.verdicts[instance.instance_id]
        if one in self.verified or one in self.excluded or (self.only and one not in self.only):
            return False
        mute = self.policy.whole_model and instance.health is None  # it may not have got the health source
        on_target = verdict == running_image.CURRENT or (verdict == running_image.UNPROVEN and not mute)
        return on_target and self.is_counted(instance) and not self.available(instance)

    def _is_beside(self, instance: Instance) -> bool:
        """Whether a run beside this one may have started it. What this one has found or done when it began is not."""
        if self.inherited is None:
            return False
        if any(instance.instance_id in known for known in (self.inherited, self.touched, self.verified)):
            return False
        return self._is_of_another_run(instance) and not self.skip_reason(instance) and self.is_counted(instance)

    def _was_brought(self, instance: Instance) -> bool:
        current = self.verdicts[instance.instance_id] == running_image.CURRENT
        return current and running_image.made_since(instance, self.since)

    @property
    def remaining(self) -> list[str]:
        """Instances that are still to be upgraded or awaited."""
        found = [*self.in_progress, *self.in_doubt, *self.with_others, *self.to_do]
        return list(dict.fromkeys(i.instance_id for i in found))

    @property
    def left(self) -> list[str]:
        """Those of them that are not skipped until the end."""
        return [one for one in self.remaining if one not in self.passed_over]

    def imagine(self, instance_ids: t.Collection[str]) -> Survey:
        """This survey once these instances run the target and are available."""
        healthy = availability.HEALTHY if self.scale_set.has_health_source else None
        imagined = replace(
            self,
            instances=tuple(
                replace(
                    i,
                    power="running" if self.is_counted(i) else i.power,
                    provisioning="Succeeded",
                    extensions_settled=True,
                    health=healthy,
                )
                if i.instance_id in instance_ids
                else i
                for i in self.instances
            ),
            verified=self.verified.union(instance_ids),
            batches_done=self.batches_done + 1,
        )
        # What stays as it is: a plan of 1,000 batches would work it out 1,000 times.
        vars(imagined)["domain_of"] = self.domain_of
        vars(imagined)["verdicts"] = {**self.verdicts, **dict.fromkeys(instance_ids, running_image.CURRENT)}
        return imagined
