# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic OS image upgrades, turned on with all that they need; nothing is written before all of it was checked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._arm.client import Azure, Clock
from .._arm.errors import AzureError
from .._facts import images
from .._facts.findings import ERROR
from .._facts.images import Image
from .._facts.problems import Failure, Refused
from .._facts.scale_set import MANUAL, ScaleSet
from .._model import health_source
from .._options import AutomaticUpgradesRequest, ImageRequest, InstanceUpgradeRequest, UpgradePolicyRequest, part
from .._orchestrator import automatic_upgrades, readiness
from .._orchestrator.upgrade_policy import current, desired, merged, stored
from . import health_monitor, image, instance_upgrade, upgrade_policy

Result = dict[str, t.Any]


@dataclass
class _Told:
    """What the result says, collected from call to call."""

    findings: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def enable(
    azure: Azure, clock: Clock, request: AutomaticUpgradesRequest, *, check_mode: bool
) -> tuple[Result, Failure | None]:
    """Turn automatic OS image upgrades on. Returns the module's result and, where instances failed, why.

    Raises Refused with all that is in the way and not repaired here, before anything is written.
    """
    told = _Told()
    first = azure.scale_set(request.resource_group, request.name)
    before = _shown(first)
    after = _checked(azure, clock, request, first, told)
    upgraded: tuple[Result, Failure | None] = ({}, None)
    if check_mode:
        # Each write makes a new model, which no instance has got.
        new_model = _image_after(first, request) if before != after else None
        if _brings_instances(request, after):
            upgraded = _instances(azure, clock, request, check_mode=True, new_model=new_model)
    else:
        try:
            after = _written(azure, clock, request, told)
            if _brings_instances(request, after):
                upgraded = _instances(azure, clock, request, check_mode=False)
        except Refused as refusal:
            raise refusal.after_writes(azure.written) from refusal
        except AzureError as error:
            if azure.written:
                error.and_now(f"Before that, this call sent: {'; '.join(dict.fromkeys(azure.written))}.")
            raise
    done, failure = upgraded
    modes = (before["upgrade_policy"]["mode"], after["upgrade_policy"]["mode"])
    skipped = modes[1] == MANUAL and not request.upgrade_instances
    batches = (done.get("rollout_result") or {}).get("batches", ())
    result = {
        "changed": before != after or bool(done.get("changed")),
        "scale_set": first.id,
        "before": before,
        "after": after,
        "findings": told.findings,
        "notes": told.notes,
        "rollout_result": done.get("rollout_result"),
        "left_alone": done.get("left_alone", {}),
        "batches": [f"{one['label']}: {','.join(one['instance_ids'])}" for one in batches],
        "report": automatic_upgrades.report(*modes, check_mode=check_mode, skipped=skipped),
        "warnings": list(dict.fromkeys([*told.warnings, *done.get("warnings", ())])),
        "diff": {"before": before, "after": after},
    }
    return result, failure


def _brings_instances(request: AutomaticUpgradesRequest, after: Result) -> bool:
    """In the other modes Azure does."""
    return request.upgrade_instances and after["upgrade_policy"]["mode"] == MANUAL


def _shown(scale_set: ScaleSet) -> Result:
    return {
        "image": images.show(scale_set.image),
        "health_sources": health_source.current(scale_set),
        "upgrade_policy": current(stored(scale_set)),
    }


# -- before the writes ------------------------------------------------------------------------------


def _checked(azure: Azure, clock: Clock, request: AutomaticUpgradesRequest, first: ScaleSet, told: _Told) -> Result:
    """What the scale set would have. Raises Refused where one of the writes would be refused."""
    after = _shown(first)
    wanted = automatic_upgrades.policy(request)
    after["upgrade_policy"] = merged(stored(first), desired(wanted))
    try:
        _tell_policy(told, upgrade_policy.set_policy(azure, clock, wanted, check_mode=True))
    except Refused as refusal:
        told.findings = refusal.fields.get("findings", [])
        if not told.findings:
            raise
        if errors := automatic_upgrades.in_the_way(request, told.findings):
            said = automatic_upgrades.refusal(request.name, errors)
            raise Refused("not_ready", said, findings=told.findings) from refusal
        told.warnings += [one["sentence"] for one in told.findings if one["severity"] != ERROR]
    if request.follow_latest:
        after["image"] = images.show(image.set_image(azure, clock, _latest(request, first), check_mode=True).target)
    if source := automatic_upgrades.source(request):
        # At its write the mode is Manual already.
        may = request.azure_may_upgrade or request.upgrade_mode == MANUAL
        planned = health_monitor.set_source(azure, clock, replace(source, azure_may_upgrade=may), check_mode=True)
        if errors := [str(one) for one in readiness.errors(planned.findings)]:
            said = automatic_upgrades.refusal(request.name, errors)
            raise Refused("not_ready", said, findings=_dicts(planned.findings))
        after["health_sources"] = planned.after
        told.notes += planned.notes
    return after


def _dicts(found: t.Iterable[t.Any]) -> list[dict[str, str]]:
    return [one.as_dict() for one in found]


def _latest(request: AutomaticUpgradesRequest, scale_set: ScaleSet) -> ImageRequest:
    if scale_set.image is None:
        raise Refused("model_without_image", f"the model of scale set {scale_set.name} names no image.")
    following = str(scale_set.image.following_latest())
    return part(ImageRequest, request, image=following, upgrade_mode=request.upgrade_mode)


# -- the writes -------------------------------------------------------------------------------------


def _written(azure: Azure, clock: Clock, request: AutomaticUpgradesRequest, told: _Told) -> Result:
    """What the scale set has then. The mode is the first of them: Azure answers no other write in mode Manual."""
    if request.upgrade_mode == MANUAL:
        no_policy = {"rolling_upgrade_policy": None, "automatic_os_upgrade_policy": None}
        to_manual = part(UpgradePolicyRequest, request, mode=MANUAL, **no_policy)
        upgrade_policy.set_policy(azure, clock, to_manual, check_mode=False)
    if request.follow_latest:
        fresh = azure.scale_set(request.resource_group, request.name)
        told.warnings += image.set_image(azure, clock, _latest(request, fresh), check_mode=False).warnings
    told.notes.clear()
    if source := automatic_upgrades.source(request):
        written = health_monitor.set_source(azure, clock, source, check_mode=False)
        told.notes += written.notes
        told.warnings += written.warnings
    change = upgrade_policy.set_policy(azure, clock, automatic_upgrades.policy(request), check_mode=False)
    _tell_policy(told, change)
    return {**_shown(change.scale_set), "upgrade_policy": change.after}


def _tell_policy(told: _Told, change: upgrade_policy.PolicyChange) -> None:
    told.findings = _dicts(change.findings)
    told.notes += [change.note] if change.note else []
    told.warnings += change.warnings
    if change.changed:
        told.warnings += [one["sentence"] for one in told.findings if one["severity"] != ERROR]


def _image_after(scale_set: ScaleSet, request: AutomaticUpgradesRequest) -> Image | None:
    image = scale_set.image
    return image.following_latest() if image and request.follow_latest else image


def _instances(
    azure: Azure, clock: Clock, request: AutomaticUpgradesRequest, *, check_mode: bool, new_model: Image | None = None
) -> tuple[Result, Failure | None]:
    whole = part(InstanceUpgradeRequest, request, whole_model=True)
    return instance_upgrade.upgrade(azure, clock, whole, check_mode=check_mode, new_model=new_model)
