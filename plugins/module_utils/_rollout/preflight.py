# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight: what is wrong, or worth knowing, before the first write."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._facts import availability, commands, model_limit, model_references, owners, running_image
from .._facts.findings import ERROR, INFO, WARNING, Finding
from .._facts.images import Image
from .._facts.permissions import Permissions
from .._facts.scale_set import AUTOMATIC, MANUAL, RollingUpgrade, ScaleSet
from . import image_preflight, permissions, resume
from .batches import remaining_batches
from .policy import breach_after, breach_before
from .record import Record
from .survey import Survey


@dataclass(frozen=True)
class Request:
    """What the user allows. `to_manual`: to set upgrade mode Manual before the image. `take_over`: to end another
    rollout. `managed_elsewhere`: to roll a set that another service owns. `protected`: "skip" or "refuse" protected
    instances. `repairs_suspended`: repairs pause for the rollout.
    `passed`: no earlier run of this rollout can have stopped at what runs the target. `security_type`: what the model
    gets with the image."""

    to_manual: bool = False
    take_over: bool = False
    managed_elsewhere: bool = False
    protected: str = "skip"
    repairs_suspended: bool = False
    passed: bool = True
    security_type: str | None = None


@dataclass(frozen=True)
class Observed:
    """What was read beside the scale set and its instances.

    `standing`: the rollout that the model is in. `ran`: the images that the outdated instances run, the most common
    first, where the first is taken for the previous one. `now`: Azure's clock. `permissions`: None where nothing is to
    do. `services`: some are to be suspended or resumed.
    """

    images: image_preflight.Known
    rolling_upgrade: RollingUpgrade | None = None
    standing: Record | None = None
    ran: t.Sequence[Image] = ()
    now: float | None = None
    permissions: Permissions | None = None
    services: bool = False


def findings(survey: Survey, observed: Observed, request: Request = Request()) -> list[Finding]:
    """All findings, errors first."""
    scale_set = survey.scale_set
    images = list(image_preflight.findings(survey, observed.images, observed.now, request.security_type))
    missing = any(one.code == "image_not_found" for one in images)  # what runs on it then does not matter
    found = [
        *_owner(scale_set, request),
        *_mode(scale_set, request),
        *_azures_upgrades(scale_set, observed.rolling_upgrade),
        *_health(scale_set, request),
        *_rollout(survey, observed.standing, request),
        *images,
        *_unhealthy(survey, request),
        *_size(survey),
        *_skipped(survey, request),
        *(() if missing else _verdicts(survey)),
        *_previous(observed.ran),
        *_canary(survey),
        *model_references.findings(scale_set.document, observed.now),
        *_permissions(survey, observed),
    ]
    return sorted(found, key=lambda f: (ERROR, WARNING, INFO).index(f.severity))


def _permissions(survey: Survey, observed: Observed) -> t.Iterator[Finding]:
    if observed.permissions is not None:
        yield from permissions.findings(survey, observed.permissions, services=observed.services)


def _canary(survey: Survey) -> t.Iterator[Finding]:
    """What it costs in time."""
    without = replace(survey, policy=replace(survey.policy, canary=0))
    batches, fewer = len(remaining_batches(survey)), len(remaining_batches(without))
    if batches > fewer:
        yield Finding(
            INFO,
            "canary",
            f"the canary makes it {batches} batches instead of {fewer}, and each takes as long as its slowest instance "
            "takes to be upgraded and healthy.",
            "rollout_canary: 0 turns it off.",
        )


def _owner(scale_set: ScaleSet, request: Request) -> t.Iterator[Finding]:
    """A service that owns a set writes its own model over ours, and counts on instances that it can drain."""
    owner = owners.owner_of(scale_set)
    if owner is None:
        return
    words = f"scale set {scale_set.name} belongs to {owner.name}, which manages its instances and its image."
    if request.managed_elsewhere:
        yield Finding(WARNING, "managed_elsewhere", words)
    else:
        remedy = f"{owner.way} rollout_managed_elsewhere: true rolls it all the same."
        yield Finding(ERROR, "managed_elsewhere", words, remedy)


def _mode(scale_set: ScaleSet, request: Request) -> t.Iterator[Finding]:
    name = f"scale set {scale_set.name}"
    if scale_set.upgrade_mode != MANUAL:
        reaction = "every instance at once" if scale_set.upgrade_mode == AUTOMATIC else "a rolling upgrade of its own"
        if not request.to_manual:
            yield Finding(
                ERROR,
                "upgrade_mode",
                f"{name} is in upgrade mode {scale_set.upgrade_mode}: Azure would answer the new image with "
                f"{reaction}.",
                "Set rollout_upgrade_mode: Manual to have the mode changed first.",
            )
        else:
            yield Finding(
                INFO, "upgrade_mode", f"{name} is changed from upgrade mode {scale_set.upgrade_mode} to Manual first."
            )


def _azures_upgrades(scale_set: ScaleSet, rolling_upgrade: RollingUpgrade | None) -> t.Iterator[Finding]:
    name = f"scale set {scale_set.name}"
    if scale_set.automatic_os_upgrade:
        yield Finding(
            ERROR,
            "automatic_os_upgrade",
            f"{name} has automatic OS image upgrades on: Azure would upgrade instances during this rollout.",
            f"Let Azure do the upgrade, or turn them off: {commands.of('disable_automatic_upgrades', scale_set)}",
        )
    if scale_set.service_fabric:
        yield Finding(
            ERROR,
            "service_fabric",
            f"{name} is managed by Service Fabric, which upgrades its update domains itself and needs mode Automatic.",
            "Upgrade it through Service Fabric: automatic OS image upgrades with durability Silver or Gold.",
        )
    if rolling_upgrade is not None and rolling_upgrade.running:
        yield Finding(
            ERROR,
            "rolling_upgrade_running",
            f"{name} has a rolling upgrade of Azure's running ({rolling_upgrade.code}).",
            "Wait for it, or cancel it: "
            + commands.az("vmss rolling-upgrade cancel", scale_set.resource_group, scale_set.name),
        )


def _health(scale_set: ScaleSet, request: Request) -> t.Iterator[Finding]:
    name = f"scale set {scale_set.name}"
    if len(scale_set.health_sources) > 1:
        yield Finding(
            WARNING,
            "health_sources",
            f"{name} has {len(scale_set.health_sources)} health sources: {', '.join(scale_set.health_sources)}.",
        )
    if not scale_set.has_health_source:
        yield Finding(
            WARNING,
            "no_health_source",
            f"{name} has no health source: an instance counts as available once it runs and is provisioned.",
            "Add the Application Health extension or a load balancer probe, or give the rollout a "
            "rollout_health_check.",
        )
    if scale_set.automatic_repairs and not request.repairs_suspended:
        yield Finding(
            WARNING,
            "automatic_repairs",
            f"{name} has automatic repairs on: they may replace an instance that is being upgraded.",
        )


def _rollout(survey: Survey, standing: Record | None, request: Request) -> t.Iterator[Finding]:
    left = resume.unfinished(survey, standing)
    if standing is None or not left:
        return
    name = survey.scale_set.name
    words = f"scale set {name} is in rollout {standing.id} to {standing.target}: {len(left)} instances are left"
    if request.take_over:
        yield Finding(WARNING, "other_rollout", f"{words}. This one takes over.")
    else:
        yield Finding(
            ERROR,
            "other_rollout",
            f"{words}.",
            "Finish it with its own image, or set rollout_take_over: true to end it.",
        )


def _previous(ran: t.Sequence[Image]) -> t.Iterator[Finding]:
    if len(ran) > 1:
        yield Finding(
            INFO,
            "previous_image",
            f"the outdated instances run {len(ran)} images: {', '.join(map(str, ran))}. The previous image, which a "
            f"way back goes to, is the most common one, {ran[0]}.",
        )


def _stopped_at(survey: Survey) -> str:
    """What breaks the threshold among the instances that run the target, those aside that are awaited first."""
    current = [i for i in survey.counted if survey.verdicts[i.instance_id] == running_image.CURRENT]
    awaited = {i.instance_id for i in survey.in_progress}
    sick = [i for i in current if not (survey.available(i) or survey.coming(i) or i.instance_id in awaited)]
    failed = [i.instance_id for i in sick]
    return breach_after(survey.policy.thresholds, len(current), failed) if failed else ""


def _unhealthy(survey: Survey, request: Request) -> t.Iterator[Finding]:
    scale_set = survey.scale_set
    breach = breach_before(survey.policy.thresholds, survey.counted, scale_set.has_health_source)
    if breach and survey.to_do and not survey.in_progress:
        yield Finding(
            ERROR,
            "too_many_unhealthy",
            f"scale set {scale_set.name}: {breach}.",
            "Fix them first, or raise rollout_max_unhealthy; outdated unhealthy instances then go first.",
        )
    if not request.passed and survey.to_do and (breach := _stopped_at(survey)):
        yield Finding(
            ERROR,
            "unhealthy_on_target",
            f"scale set {scale_set.name}: {breach}: what runs the target image already is not available, and an "
            "earlier run may have stopped at it.",
            "Fix these instances first, or allow them with rollout_max_unhealthy_upgraded.",
        )


def _size(survey: Survey) -> t.Iterator[Finding]:
    scale_set = survey.scale_set
    if models := model_limit.used(survey.instances):
        yield Finding(INFO, "behind", models)
    if not survey.counted:
        yield Finding(
            INFO, "no_instances", f"scale set {scale_set.name} has no running instances; only its model changes."
        )
    elif survey.to_do and len(survey.counted) <= survey.max_unavailable:
        yield Finding(
            WARNING,
            "all_down",
            f"scale set {scale_set.name} has {len(survey.counted)} instance(s) and {survey.max_unavailable} may "
            "be unavailable: "
            "while they are upgraded, nothing serves.",
            "Scale out first where the load must be served throughout.",
        )
    elif survey.to_do and len(survey.counted) == 2:
        yield Finding(
            WARNING,
            "half_down",
            f"scale set {scale_set.name} has 2 instances: while one is upgraded the other serves alone, and where that "
            "one fails nothing does.",
            "Scale out first where one instance cannot serve the load.",
        )


def _skipped(survey: Survey, request: Request) -> t.Iterator[Finding]:
    scale_set = survey.scale_set
    protected = [i.instance_id for i in survey.outdated if i.protected_from_actions]
    if protected and request.protected == "refuse":
        yield Finding(
            ERROR,
            "protected",
            f"outdated instances {', '.join(protected)} of scale set {scale_set.name} are protected from its actions.",
            "Remove the protection with steady.vmss.instance_protection, or set rollout_protected: skip.",
        )
    if sick := survey.unavailable:
        words = ", ".join(
            f"{i.instance_id} ({availability.why_unavailable(i, scale_set.has_health_source)})" for i in sick
        )
        yield Finding(
            WARNING, "unavailable", f"{len(sick)} of {len(survey.counted)} instances are already unavailable: {words}."
        )
    if survey.skipped:
        words = ", ".join(f"{instance_id} ({why})" for instance_id, why in survey.skipped.items())
        yield Finding(INFO, "skipped", f"outdated and skipped: {words}.")
    if survey.passed_over:
        words = ", ".join(f"{instance_id} ({why})" for instance_id, why in survey.passed_over.items())
        said = f"busy with another client or stopped, and skipped until the end: {words}."
        if len(survey.unavailable) < survey.max_unavailable or not survey.left:
            yield Finding(INFO, "skipped", said)
        else:
            remedy = "As many as may be unavailable are: free some of them, or raise rollout_max_unavailable."
            yield Finding(WARNING, "skipped", said, remedy)


def _verdicts(survey: Survey) -> t.Iterator[Finding]:
    chosen = survey.chosen()
    if newer := [i.instance_id for i in chosen if survey.verdicts[i.instance_id] == running_image.NEWER]:
        # An older image in the model, and nobody to run it but new instances, is a slip of the pen.
        in_vain = len(newer) == len(chosen) and not survey.model_names_target
        yield Finding(
            ERROR if in_vain else WARNING,
            "newer",
            f"instances {', '.join(newer)} run a newer version than the target and are skipped.",
            "Set rollout_downgrade: true to roll them back.",
        )
    if unproven := [i.instance_id for i in chosen if survey.verdicts[i.instance_id] == running_image.UNPROVEN]:
        yield Finding(
            INFO,
            "unproven",
            f"instances {', '.join(unproven)} name the target, and Azure reports nothing that proves it is on their "
            "disk.",
        )
