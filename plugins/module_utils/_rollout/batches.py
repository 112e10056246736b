# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What next: the instances to upgrade now, and all batches after them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._facts import availability, running_image
from .._facts.codes import Code
from .._facts.domains import instance_order
from .._facts.scale_set import Instance
from .policy import breach_after, breach_before
from .survey import Survey

CANARY_FROM = 5  # instances a set must have before a canary is worth its time


@dataclass(frozen=True)
class Batch:
    """Instances of one domain that are upgraded together.

    `adopted`: this rollout has started them already, so only watch. `reimage`: they have the model, and need its disk.
    """

    label: str
    instance_ids: tuple[str, ...]
    adopted: bool = False
    reimage: bool = False

    def as_dict(self, number: int) -> dict[str, t.Any]:
        ids = list(self.instance_ids)
        return {"number": number, "label": self.label, "instance_ids": ids, "adopted": self.adopted}


@dataclass(frozen=True)
class Wait:
    """No batch may start now; the reason says what must change first. `busy`: somebody is at work, and will be done.
    `skips`: all else is done, and what is left may stay as it is."""

    code: Code
    reason: str
    busy: bool = False
    skips: bool = False


def next_batch(survey: Survey) -> Batch | Wait | None:
    """The instances to upgrade now; None where nothing is left to do."""
    domain_of = survey.domain_of
    if survey.in_doubt:
        return Wait("instances_busy", f"waiting for changes in progress: {_states(survey.in_doubt)}", busy=True)
    if survey.in_progress:
        first = min(domain_of[i.instance_id] for i in survey.in_progress)
        ids = tuple(i.instance_id for i in survey.in_progress if domain_of[i.instance_id] == first)
        return Batch(first.label, ids, adopted=True)
    if breach := _breach_beside(survey):
        return Wait("unhealthy_on_target", breach)
    if not survey.to_do:
        return None if survey.only or not survey.with_others else _wait_for(survey, survey.with_others)
    judged = [_judged(survey, i) for i in survey.counted]
    if breach := breach_before(survey.policy.thresholds, judged, survey.scale_set.has_health_source):
        return Wait("too_many_unhealthy", breach)
    ready = [i for i in survey.to_do if availability.settled(i) and i.instance_id not in survey.passed_over]
    if not ready:
        return _only_busy(survey)
    queue = sorted(ready, key=lambda i: _turn(survey, i))
    first = domain_of[queue[0].instance_id]
    if elsewhere := [i for i in survey.with_others if domain_of[i.instance_id] != first]:
        return _wait_for(survey, elsewhere)
    reimage = _has_the_model(survey, queue[0])
    alike = [i for i in queue if domain_of[i.instance_id] == first and _has_the_model(survey, i) == reimage]
    batch = affordable(survey, alike)
    if not batch:
        return no_room(survey)
    return Batch(first.label, tuple(i.instance_id for i in batch[: _batch_limit(survey)]), reimage=reimage)


def _breach_beside(survey: Survey) -> str:
    """Why no batch may start after those of another run, "" where one may: its failures count as this run's do."""
    if not (left := survey.left_unhealthy):
        return ""
    breach = _breach_with(survey, left)
    return breach and f"{breach}. Another run of this rollout has upgraded {_unavailable(survey, left)}"


def _breach_with(survey: Survey, down: t.Sequence[Instance]) -> str:
    """Why it stops where these count as this run's failures do, "" where it goes on."""
    current = {i for i, verdict in survey.verdicts.items() if verdict == running_image.CURRENT}
    failed = {*(i.instance_id for i in down), *survey.excluded}
    return breach_after(survey.policy.thresholds, len(current | failed), sorted(failed))


def _unavailable(survey: Survey, instances: t.Collection[Instance]) -> str:
    listed = ", ".join(f"{i.instance_id} ({survey.why_unavailable(i)})" for i in instances)
    return f"instance{'' if len(instances) == 1 else 's'} {listed}"


def awaited(survey: Survey) -> Wait | None:
    """What an earlier call may have brought, and must be available before the next batch, or the end, of this one.

    What is not coming counts for the threshold as this run's failures do, and is never passed over at the end.
    """
    down = survey.down_on_target
    if coming := [i for i in down if _comes(survey, i)]:
        return Wait("instances_busy", f"not available yet: {who_has_it(survey, coming)}", busy=True)
    if not down:
        return None
    if breach := _breach_with(survey, down):
        return Wait("unhealthy_on_target", f"{breach}: {who_has_it(survey, down)}")
    if any(i.instance_id not in survey.passed_over for i in survey.to_do):
        return None
    return Wait("unhealthy_on_target", who_has_it(survey, down))


def _comes(survey: Survey, instance: Instance) -> bool:
    """Somebody changes it, or its health may be that of the old disk."""
    return not availability.settled(instance) or availability.available(instance, survey.can_tell_health(instance))


def who_has_it(survey: Survey, down: t.Sequence[Instance]) -> str:
    """Words for what is not available, by instance."""
    what = "the model" if survey.policy.whole_model else "the image"
    have = "has" if len(down) == 1 else "have"
    return f"{_unavailable(survey, down)} {have} {what} already, as an earlier run may have left it"


def _only_busy(survey: Survey) -> Wait:
    """Other clients work on all that is left to do, or have stopped it."""
    skips = len(survey.passed_over) == len(survey.to_do)
    if skips and survey.with_others and not survey.only:
        return _wait_for(survey, survey.with_others)
    if survey.busy:
        return Wait("instances_busy", f"another client is changing {_states(survey.busy)}", busy=True, skips=skips)
    stopped = ", ".join(f"{one} ({why})" for one, why in survey.passed_over.items())
    return Wait("instances_busy", f"another client has stopped {stopped}", skips=skips)


def _wait_for(survey: Survey, others: t.Sequence[Instance]) -> Wait:
    """No other domain starts, and no rollout ends, while another run of it works on these."""
    reason = f"another client is still upgrading {_unavailable(survey, others)}"
    return Wait("instances_busy", reason, busy=True)


def _turn(survey: Survey, instance: Instance) -> tuple[t.Any, ...]:
    domain = survey.domain_of[instance.instance_id]
    return (survey.available(instance), domain, _has_the_model(survey, instance), instance_order(instance))


def _has_the_model(survey: Survey, instance: Instance) -> bool:
    return survey.verdicts[instance.instance_id] == running_image.UNPROVEN


def _judged(survey: Survey, instance: Instance) -> Instance:
    """As the threshold is to see it: what cannot tell its health yet is not sick."""
    if not survey.can_tell_health(instance):
        return replace(instance, health=availability.HEALTHY)
    return replace(instance, health="initializing") if survey.coming(instance) else instance


def affordable(survey: Survey, instances: t.Sequence[Instance]) -> list[Instance]:
    """Those that may be taken down now: the unavailable ones cost nothing, of the others as many as fit."""
    room = max(0, survey.max_unavailable - len(survey.unavailable))
    costless = [i for i in instances if survey.is_counted(i) and not survey.available(i)]
    return costless + [i for i in instances if i not in costless][:room]


def no_room(survey: Survey) -> Wait:
    others = _unavailable(survey, survey.unavailable)
    down = sum(not survey.coming(i) for i in survey.unavailable)
    return Wait(
        "max_unavailable_reached",
        f"{len(survey.unavailable)} of at most {survey.max_unavailable} instances are already unavailable: {others}",
        busy=down < survey.max_unavailable,
    )


def _batch_limit(survey: Survey) -> int | None:
    """The canary while the image is unproven on this set, then the batch size."""
    sizes = []
    if survey.policy.batch_sizes:
        size = survey.policy.batch_sizes[min(survey.batches_done, len(survey.policy.batch_sizes) - 1)]
        sizes.append(size.of(len(survey.counted)))
    canary = survey.policy.canary
    if canary is None:
        canary = 1 if len(survey.counted) >= CANARY_FROM else 0
    current = running_image.CURRENT
    proven = sum(survey.verdicts[i.instance_id] == current and survey.available(i) for i in survey.counted)
    if canary > proven:
        sizes.append(canary - proven)
    return min(sizes, default=None)


def remaining_batches(survey: Survey) -> list[Batch]:
    """All batches still to do, if every upgrade goes well: next_batch over an imagined fleet."""
    return [batch for batch, _available in course(survey)]


def course(survey: Survey) -> t.Iterator[tuple[Batch, int]]:
    """The batches of `remaining_batches`, each with how many instances are available while it is upgraded."""
    while isinstance(batch := next_batch(survey), Batch):
        down = {i.instance_id for i in survey.unavailable}.union(batch.instance_ids)
        yield batch, sum(i.instance_id not in down for i in survey.counted)
        survey = survey.imagine(batch.instance_ids)


def on_target(survey: Survey) -> list[str]:
    """What runs the target, or may, and nobody is changing."""
    states = (running_image.CURRENT, running_image.UNPROVEN)
    in_progress = {i.instance_id for i in survey.in_progress}
    return [
        i.instance_id
        for i in survey.chosen()
        if survey.verdicts[i.instance_id] in states
        and survey.is_counted(i)
        and availability.settled(i)
        and i.instance_id not in in_progress
    ]


def unchecked_batches(survey: Survey) -> list[Batch]:
    """What runs the target, or may, before a rollout begins: groups of no more than may be unavailable."""
    found, size = on_target(survey), max(1, survey.max_unavailable)
    return [
        Batch("what runs the target already", tuple(found[first : first + size]))
        for first in range(0, len(found), size)
    ]


def _states(instances: t.Iterable[Instance]) -> str:
    return ", ".join(f"{i.instance_id} ({i.provisioning})" for i in instances)
