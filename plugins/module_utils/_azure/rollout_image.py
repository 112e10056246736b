# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model's image is this one: a PATCH of the image and our tags, and of nothing else."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._journal import Journal
from .._rollout import image as images
from .._rollout import preflight, record
from .._rollout.image import Image
from .._rollout.model import RollingUpgrade, ScaleSet
from .._rollout.plan import Survey
from .._rollout.problem import Refused
from .._rollout.record import Record
from .._rollout.result import timestamp
from . import awaited, model_write, rollout_plan
from .client import Azure, Clock, OperationRef

MANUAL = "Manual"


@dataclass(frozen=True)
class ImageChange:
    """The outcome: what the model named before and names now."""

    before: ScaleSet
    after: ScaleSet
    target: Image
    changed: bool
    note: str = ""
    warnings: t.Sequence[str] = ()


def set_image(azure: Azure, clock: Clock, options: rollout_plan.Options, *, check_mode: bool) -> ImageChange:
    """Bring the model to the image. Raises Refused before, and AzureError at, a write that cannot be."""
    deadline = clock.now() + options["timeout"]
    new_record = rollout_plan.record_from(options.get("record"))
    to_manual = (options.get("upgrade_mode") or "").lower() == MANUAL.lower()
    first = scale_set = azure.scale_set(options["resource_group"], options["name"])
    target = images.complete(images.parse(options["image"]), scale_set.image)
    if images.written(scale_set.image, target):
        return ImageChange(first, scale_set, target, changed=False)
    if note := _check(azure, clock, scale_set, target, options, deadline, to_manual):
        return ImageChange(first, scale_set, target, changed=False, note=note)
    image_patch(scale_set, target, new_record)  # tags that do not fit are refused before anything is written
    if check_mode:
        return ImageChange(first, scale_set, target, changed=True)
    journal = Journal(options.get("journal"), scale_set=scale_set.id, rollout=new_record.id if new_record else None)
    if scale_set.upgrade_mode != MANUAL:
        # The mode alone, read back, so that no image is ever written into another mode.
        mode = {"upgradePolicy": {"mode": MANUAL}}
        scale_set = _written(
            azure,
            clock,
            scale_set,
            deadline,
            journal,
            what=f"set scale set {scale_set.name} from upgrade mode {scale_set.upgrade_mode} to {MANUAL}",
            done=lambda fresh: fresh.upgrade_mode == MANUAL,
            body=lambda fresh: model_write.patch(fresh, mode),
        )
    sent = 0

    def done(fresh: ScaleSet) -> bool:
        # Whether Azure shows a SAS is unverified: one that is not shown is ours with a new VHD, or when sent twice.
        if fresh.image is None or fresh.image.signed or not images.same(fresh.image, target):
            return images.written(fresh.image, target)
        return not target.signed or sent > 1 or not images.same(first.image, target)

    def body(fresh: ScaleSet) -> model_write.Body:
        nonlocal sent
        sent += 1
        return image_patch(fresh, target, new_record)

    scale_set = _written(
        azure,
        clock,
        scale_set,
        deadline,
        journal,
        what=f"set the image of scale set {scale_set.name} to {target}",
        done=done,
        body=body,
    )
    return ImageChange(first, scale_set, target, changed=True, warnings=journal.warnings)


def _written(
    azure: Azure,
    clock: Clock,
    scale_set: ScaleSet,
    deadline: float,
    journal: Journal,
    *,
    what: str,
    done: t.Callable[[ScaleSet], bool],
    body: t.Callable[[ScaleSet], model_write.Body],
) -> ScaleSet:
    def send(fresh: ScaleSet) -> OperationRef | None:
        journal.write([{"time": timestamp(clock.now()), "event": "model_write_sent", "what": what}])
        return azure.write_model(fresh, body(fresh), what=what)

    written, note = model_write.until(azure, clock, scale_set, deadline, what=what, done=done, send=send)
    journal.write([{"time": timestamp(clock.now()), "event": "model_written", "what": what, "note": note}])
    return written


def _rolling_upgrade(
    azure: Azure, clock: Clock, scale_set: ScaleSet, options: rollout_plan.Options, deadline: float
) -> RollingUpgrade | None:
    """The latest of Azure's own. The way back, which `replaces` another image, waits until that one has ended."""
    found = azure.latest_rolling_upgrade(scale_set)
    while options.get("replaces") and found is not None and found.running and clock.now() <= deadline:
        clock.sleep(awaited.RETRY)
        found = azure.latest_rolling_upgrade(scale_set)
    return found


def _check(
    azure: Azure,
    clock: Clock,
    scale_set: ScaleSet,
    target: Image,
    options: rollout_plan.Options,
    deadline: float,
    to_manual: bool,
) -> str:
    """Refuse what preflight calls an error; return why nothing is to be written, "" where something is."""
    if options.get("replaces") and not images.same(scale_set.image, images.parse(options["replaces"])):
        return f"the model names {scale_set.image} by now, which is left as it is"
    exact, facts = rollout_plan.exact_image(azure, target, scale_set)
    if options.get("latest_must_mean"):
        expected = images.parse(options["latest_must_mean"])
        if not images.same(exact, expected):
            return f"latest means {exact} by now, not {expected}; the model stays pinned"
    survey = Survey(scale_set, (), exact)
    rolling_upgrade = _rolling_upgrade(azure, clock, scale_set, options, deadline)
    found = preflight.findings(survey, rolling_upgrade, facts, preflight.Request(to_manual=to_manual))
    if errors := [str(finding) for finding in found if finding.severity == preflight.ERROR]:
        raise Refused(" ".join(errors), findings=[finding.as_dict() for finding in found])
    return ""


def image_patch(scale_set: ScaleSet, target: Image, new_record: Record | None) -> dict[str, t.Any]:
    """The PATCH body. Whether Azure merges or replaces what it holds is unverified, so it carries what must stay:
    every tag, the purchase plan, and for a VHD every member of the OS disk. Raises Refused for tags that do not fit.
    """
    storage: dict[str, t.Any] = {}
    if target.kind == images.VHD:
        profile = scale_set.document.get("properties", {}).get("virtualMachineProfile", {}).get("storageProfile", {})
        os_disk = profile.get("osDisk", {})
        storage["osDisk"] = {**os_disk, "image": {**os_disk.get("image", {}), "uri": target.id}}
    else:
        storage["imageReference"] = images.to_wire(target)
    body = model_write.patch(scale_set, {"virtualMachineProfile": {"storageProfile": storage}})
    if new_record:
        body["tags"] = record.with_record(scale_set.tags, new_record)
    return body
