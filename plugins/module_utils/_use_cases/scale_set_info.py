# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scale sets and their instances, judged against an image."""

from __future__ import annotations

import typing as t

from .._arm.client import Azure
from .._arm.errors import AzureError
from .._facts import catalogue, images, running_image, status
from .._facts.domains import instance_order
from .._facts.problems import DENIED, MISSING, REFUSED, Refused
from .._facts.scale_set import ImageVersion, ScaleSet
from .._facts.times import timestamp
from .._options import ScaleSetInfoRequest
from .._orchestrator import next_upgrade
from .._rollout import record, resume, status_map
from .._rollout.survey import Survey
from . import views


def read(azure: Azure, request: ScaleSetInfoRequest) -> list[dict[str, t.Any]]:
    """The scale sets that the options name, judged against the image that they name or each model does.

    Where that image cannot be told of one, its `target_problem` says why and the rest is shown all the same.
    """
    wanted = images.parse(request.image) if request.image else None
    group, name = request.resource_group, request.name
    found = [azure.scale_set(group or "", name)] if name else list(azure.scale_sets(group))
    shown = []
    for one in found:
        target, problem = _target(azure, one, wanted)
        entry: dict[str, t.Any] = {**scale_set(one), "target_image": images.show(target), "target_problem": problem}
        if request.newest:
            newest, why = _newest(azure, one)
            entry.update(newest_image=images.show(newest), newest_problem=why)
        if name and entry["rollout"]:
            back = None if _overtaken(azure, one) else _way_back(azure, one)
            entry["rollout"]["way_back"] = images.show(back)
        entry |= {what: _ALSO[what](azure, one) for what in request.also_read}
        if request.instances:
            survey = _survey(azure, one, target)
            entry["instances"] = _instances(azure, survey, target, request.instance_ids, request.addresses)
            entry["map"] = status_map.rows(survey, target)
            said = [status.instance(instance) for instance in entry["instances"]]
            entry["sentences"] = {
                "scale_set": status.scale_set(entry),
                "instances": said,
                "map": status_map.lines(entry) if not request.instance_ids else [],
            }
        shown.append(entry)
    return shown


def as_result(entries: list[dict[str, t.Any]], request: ScaleSetInfoRequest) -> dict[str, t.Any]:
    """The module's result. `lines`: of all maps."""
    lines = [line for one in entries for line in one.get("sentences", {}).get("map", ())]
    return {"scale_sets": entries, "lines": lines, "shown": entries if request.format == "json" else lines}


def _automatic_upgrades(azure: Azure, one: ScaleSet) -> dict[str, t.Any]:
    """What an automatic OS upgrade would do now."""
    model = one.image
    versions: t.Sequence[ImageVersion] = ()
    try:
        if model is not None and (model.kind == images.PLATFORM or model.is_gallery):
            versions = azure.image_versions(model.following_latest(), one.location)
    except AzureError as error:
        return {"enabled": one.automatic_os_upgrade, "installs": None, "in_the_way": [], "sentence": str(error)}
    return next_upgrade.answer(one, versions)


_ALSO: t.Final[dict[str, t.Callable[[Azure, ScaleSet], t.Any]]] = {
    "rolling_upgrade": lambda azure, one: views.rolling_upgrade(azure.latest_rolling_upgrade(one)),
    "services": lambda azure, one: azure.services(one),
    "automatic_upgrades": _automatic_upgrades,
}


def _target(azure: Azure, one: ScaleSet, wanted: images.Image | None) -> tuple[images.Image | None, str]:
    """The exact image to judge by, or why there is none."""
    try:
        target = images.complete(wanted, one.image) if wanted else one.image
        if target is not None and target.follows_latest:
            target = catalogue.newest(target, azure.image_versions(target, one.location), one.location)
    except (AzureError, images.ImageError, Refused) as error:
        return None, str(error)
    return target, "" if target else f"the model of scale set {one.name} names no image."


def _newest(azure: Azure, one: ScaleSet) -> tuple[images.Image | None, str]:
    """The newest version of the model's image that is published, or why it is not known."""
    if one.image is None or not (one.image.kind == images.PLATFORM or one.image.is_gallery):
        return None, f"the image that the model of scale set {one.name} names has no versions."
    return _target(azure, one, one.image.following_latest())


def _survey(azure: Azure, one: ScaleSet, target: images.Image | None) -> Survey:
    found = sorted(azure.instances(one), key=instance_order)
    standing = record.standing(one)
    target = target or images.Image(images.VHD)
    return Survey(
        one,
        tuple(found),
        target,
        model_names_target=images.same(one.image, target),
        since=standing.started if standing and standing.names(target) else None,
    )


def _instances(
    azure: Azure, survey: Survey, target: images.Image | None, wanted: t.Sequence[str], addresses: bool
) -> list[dict[str, t.Any]]:
    nothing_proven = {} if target else {"verdict": running_image.UNPROVEN, "outdated": None}
    chosen = [i for i in survey.instances if not wanted or i.instance_id in wanted]
    shown = [{**views.instance(i, survey), **nothing_proven} for i in chosen]
    if not addresses or not shown:
        return shown
    private = azure.addresses(survey.scale_set, [entry["instance_id"] for entry in shown])
    return [{**entry, "addresses": private[entry["instance_id"]]} for entry in shown]


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
