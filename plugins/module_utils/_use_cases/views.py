# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scale sets and instances as results show them."""

from __future__ import annotations

import typing as t

from .._arm.client import Azure
from .._arm.errors import AzureError
from .._facts import availability, catalogue, images, running_image
from .._facts.domains import instance_order
from .._facts.problems import DENIED, MISSING, REFUSED, Refused
from .._facts.report import timestamp
from .._facts.scale_set import ImageVersion, Instance, PastUpgrade, RollingUpgrade, ScaleSet
from .._orchestrator import next_upgrade, stop_reason
from .._rollout import record, resume
from .._rollout.survey import Survey


def scale_set(one: ScaleSet) -> dict[str, t.Any]:
    return {
        "id": one.id,
        "name": one.name,
        "resource_group": one.resource_group,
        "location": one.location,
        "orchestration_mode": one.orchestration_mode,
        "capacity": one.capacity,
        "zones": list(one.zones),
        "provisioning_state": one.provisioning_state,
        "upgrade_mode": one.upgrade_mode,
        "automatic_os_upgrade": one.automatic_os_upgrade,
        "automatic_repairs": one.automatic_repairs,
        "health_sources": list(one.health_sources),
        "service_fabric": one.service_fabric,
        "image": images.show(one.image),
        "os_type": one.os_type,
        "plan": dict(one.purchase_plan) if one.purchase_plan else None,
        "tags": dict(one.tags),
        "rollout": _rollout(one),
    }


def _rollout(one: ScaleSet) -> dict[str, t.Any] | None:
    found = record.read(one.tags)
    if found is None:
        return None
    return {
        "id": found.id,
        "target_image": images.show(found.target_image),
        "previous_image": images.show(found.previous_image),
        "selection": found.selection,
        "started": timestamp(found.started),
        "suspended": list(found.suspended),
        "state": found.state,
        "way_back": images.show(resume.way_back(found.way_back(one.image), one.image, ())),
    }


def _way_back(azure: Azure, one: ScaleSet) -> images.Image | None:
    """Where the role rollback goes by itself; what Azure reports is read only where another image than the model's is
    recorded."""
    found = record.read(one.tags)
    recorded = found.way_back(one.image) if found else None
    if recorded is None or (known := resume.way_back(recorded, one.image, ())):
        return known if recorded else None
    instances = [image for i in azure.instances(one) for image in (running_image.running_image(i), i.image)]
    if known := resume.way_back(recorded, one.image, instances):
        return known
    try:
        return resume.way_back(recorded, one.image, [past.target for past in azure.os_upgrade_history(one)])
    except AzureError as error:
        if error.problem.kind not in (DENIED, MISSING, REFUSED):
            raise
        return None


def _overtaken(azure: Azure, one: ScaleSet) -> bool:
    """Whether what runs has come by something else than the recorded rollout, such as an upgrade of Azure's own."""
    found = record.read(one.tags)
    return found is not None and found.overtaken(azure.instances(one))


def instance(one: Instance, survey: Survey) -> dict[str, t.Any]:
    """An instance, judged: `outdated` is null where nothing proves what is on its disk."""
    verdict = survey.verdicts[one.instance_id]
    has_health_source = survey.scale_set.has_health_source
    return {
        "instance_id": one.instance_id,
        "name": one.name,
        "computer_name": one.computer_name,
        "zone": one.zone,
        "update_domain": one.update_domain,
        "fault_domain": one.fault_domain,
        "power": one.power,
        "provisioning": one.provisioning,
        "health": one.health,
        "health_time": timestamp(one.health_time),
        "image": images.show(running_image.running_image(one)),
        "latest_model_applied": one.latest_model_applied,
        "verdict": verdict,
        "outdated": None if verdict == running_image.UNPROVEN else verdict == running_image.OUTDATED,
        "available": availability.available(one, has_health_source),
        "why_unavailable": availability.why_unavailable(one, has_health_source),
        "protected_from_scale_in": one.protected_from_scale_in,
        "protected_from_scale_set_actions": one.protected_from_actions,
    }


def scale_sets(azure: Azure, options: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The scale sets that the options name, judged against the image that they name or each model does.

    Where that image cannot be told of one, its `target_problem` says why and the rest is shown all the same.
    """
    wanted = images.parse(options["image"]) if options.get("image") else None
    group, name = options.get("resource_group"), options.get("name")
    found = [azure.scale_set(options["resource_group"], name)] if name else list(azure.scale_sets(group))
    shown = []
    for one in found:
        target, problem = _target(azure, one, wanted)
        entry: dict[str, t.Any] = {**scale_set(one), "target_image": images.show(target), "target_problem": problem}
        if name and entry["rollout"]:
            back = None if _overtaken(azure, one) else _way_back(azure, one)
            entry["rollout"]["way_back"] = images.show(back)
        if options["instances"]:
            entry["instances"] = _instances(azure, one, target, options["instance_ids"], options["addresses"])
        shown.append(entry)
    return shown


def _target(azure: Azure, one: ScaleSet, wanted: images.Image | None) -> tuple[images.Image | None, str]:
    """The exact image to judge by, or why there is none."""
    try:
        target = images.complete(wanted, one.image) if wanted else one.image
        if target is not None and target.follows_latest:
            target = catalogue.newest(target, azure.image_versions(target, one.location), one.location)
    except (AzureError, images.ImageError, Refused) as error:
        return None, str(error)
    return target, "" if target else f"the model of scale set {one.name} names no image."


def _instances(
    azure: Azure, one: ScaleSet, target: images.Image | None, wanted: t.Sequence[str], addresses: bool
) -> list[dict[str, t.Any]]:
    found = sorted(azure.instances(one), key=instance_order)
    standing = record.standing(one)
    nothing_proven = {} if target else {"verdict": running_image.UNPROVEN, "outdated": None}
    target = target or images.Image(images.VHD)
    survey = Survey(
        one,
        tuple(found),
        target,
        model_names_target=images.same(one.image, target),
        since=standing.started if standing and standing.names(target) else None,
    )
    shown = [{**instance(i, survey), **nothing_proven} for i in found if i.instance_id in (wanted or [i.instance_id])]
    if not addresses or not shown:
        return shown
    private = azure.addresses(one, [entry["instance_id"] for entry in shown])
    return [{**entry, "addresses": private[entry["instance_id"]]} for entry in shown]


def image_versions(azure: Azure, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The catalogue's versions of an image, oldest first, and which of them latest means. Raises Refused."""
    one = azure.scale_set(options["resource_group"], options["name"]) if options.get("name") else None
    location = options.get("location") or (one.location if one else "")
    image = images.parse(options["image"]) if options.get("image") else (one.image if one else None)
    versions: list[ImageVersion] = []
    newest = None
    if image is not None and image.kind not in (images.VHD, images.MANAGED):
        image = images.complete(image, one.image if one else None).following_latest()
        versions = sorted(azure.image_versions(image, location), key=lambda v: images.version_key(v.version))
        newest = images.newest([v.version for v in versions if catalogue.why_not(v, location, as_latest=True) is None])
    elif one is None or options.get("image"):
        raise Refused(f"a {image.kind if image else 'missing'} image has no versions to list.")
    target = image.with_version(newest) if image and newest else None
    shown = {
        "image": images.show(image),
        "location": location,
        "newest": images.show(target),
        "versions": [image_version(v, location) for v in versions],
    }
    if one is None:
        return shown
    if image is not None and image.kind in (images.VHD, images.MANAGED):
        target = image  # the only one there is
    model = one.image
    if (
        model is not None and image is not None and not images.same_series(image, model)
    ):  # another one was asked for than the model names
        versions = azure.image_versions(model, one.location)
    return {
        **shown,
        "automatic_os_upgrade": next_upgrade.answer(one, versions),
        **({"running": next_upgrade.running(azure.instances(one), target)} if options.get("running") else {}),
    }


def image_version(one: ImageVersion, location: str) -> dict[str, t.Any]:
    return {
        "version": one.version,
        "image": images.show(one.image),
        "provisioning_state": one.provisioning_state,
        "excluded_from_latest": one.excluded_from_latest,
        "regions": list(one.regions) if one.regions is not None else None,
        "published": one.published,
        "why_not": catalogue.why_not(one, location, as_latest=True) or "",
    }


def rolling_upgrade(one: RollingUpgrade | None) -> dict[str, t.Any] | None:
    """Azure's latest upgrade, its error translated."""
    if one is None:
        return None
    reason = stop_reason.of(one.problem)
    return {
        "code": one.code,
        "running": one.running,
        "started": timestamp(one.started),
        "last_action": one.last_action,
        "last_action_time": timestamp(one.last_action_time),
        "counts": dict(one.counts),
        "policy": dict(one.policy),
        "reason": reason.as_dict() if reason else None,
    }


def past_upgrade(one: PastUpgrade) -> dict[str, t.Any]:
    """An entry of the OS upgrade history, its error translated."""
    reason, restore = stop_reason.of(one.problem), one.restore_problem
    return {
        "code": one.code,
        "started": timestamp(one.started),
        "ended": timestamp(one.ended),
        "started_by": one.started_by,
        "target_image": images.show(one.target),
        "counts": dict(one.counts),
        "restored": one.restored,
        "not_restored": one.not_restored,
        "restore_error": str(restore) if restore else "",
        "reason": reason.as_dict() if reason else None,
    }


def rolling_upgrades(azure: Azure, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Azure's latest upgrade of a scale set and, where asked for, the OS upgrades that it remembers."""
    one = azure.scale_set(options["resource_group"], options["name"])
    found: dict[str, t.Any] = {"latest": rolling_upgrade(azure.latest_rolling_upgrade(one))}
    if options["history"]:
        found["history"] = [past_upgrade(entry) for entry in azure.os_upgrade_history(one)]
    return found
