# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image does an instance run, compared with the target?"""

from __future__ import annotations

import typing as t

from . import images
from .images import Image
from .scale_set import Instance

Verdict = t.Literal["current", "outdated", "newer", "unproven", "foreign"]
CURRENT: t.Final = "current"
OUTDATED: t.Final = "outdated"
NEWER: t.Final = "newer"
UNPROVEN: t.Final = "unproven"
FOREIGN: t.Final = "foreign"  # of a Flexible scale set: a VM that was attached to it and made of something else


def judge(
    instance: Instance,
    target: Image,
    *,
    model_names_target: bool = True,
    since: float | None = None,
    before: Instance | None = None,
) -> Verdict:
    """current, outdated, newer or unproven: the one notion of proof.

    An exact version proves, and else an OS disk that was made after the model named the target: a time later than
    `since` on Azure's clock, or, where the instance is watched, another disk than it had `before` the request.
    `unproven`: Azure names the target, and nothing shows what is on the disk.
    """
    reported = instance.image
    if reported is None:  # as of a VHD: then latestModelApplied is all there is of the instance's own model
        if not model_names_target:
            return OUTDATED
        verdict = _by_disk(instance, since, before)
        return OUTDATED if verdict == UNPROVEN and instance.latest_model_applied is False else verdict
    running = _exact(instance, reported)
    if images.same_series(running, target):
        verdict = _by_version(running, target)
        named_only = not instance.exact_version
        if running.follows_latest and named_only:
            return OUTDATED
        return _by_disk(instance, since, before) if named_only and verdict == CURRENT else verdict
    if images.same(reported, target):
        return _by_disk(instance, since, before)
    return OUTDATED


def judge_model(instance: Instance, *, since: float | None = None, disk: bool = False) -> Verdict:
    """current, outdated or unproven against all of the latest model; one that failed has not got it either.

    latestModelApplied proves what Azure brings to a running instance. `disk`: what only a new OS disk brings, such as
    custom data, is wanted too.
    """
    if (
        instance.latest_model_applied is False
        or instance.provisioning in ("Failed", "Canceled")
        or not instance.extensions_settled
    ):
        return OUTDATED
    if instance.latest_model_applied is None or (disk and not made_since(instance, since)):
        return UNPROVEN
    return CURRENT


def family(image: Image) -> tuple[str, str]:
    """What the images of one scale set have in common: the kind, which Azure never lets change, and the publisher."""
    return ("gallery", "") if image.is_gallery else (image.kind, image.publisher.lower())


def running_image(instance: Instance) -> Image | None:
    """The image an instance runs, with the exact version where Azure reports one.

    For gallery images Azure may give a version or a whole id.
    """
    return None if instance.image is None else _exact(instance, instance.image)


def _exact(instance: Instance, reported: Image) -> Image:
    if not instance.exact_version or not (reported.kind == images.PLATFORM or reported.is_gallery):
        return reported
    return reported.with_version(instance.exact_version.rsplit("/", 1)[-1])


def _by_version(running: Image, target: Image) -> Verdict:
    mine, wanted = (images.version_key(i.version or i.gallery_version) for i in (running, target))
    if mine == wanted:
        return CURRENT
    return NEWER if mine > wanted else OUTDATED


def _by_disk(instance: Instance, since: float | None, before: Instance | None) -> Verdict:
    replaced = disk_replaced(instance, before) if before is not None else made_since(instance, since)
    return CURRENT if replaced else UNPROVEN


def made_since(instance: Instance, since: float | None) -> bool:
    return since is not None and instance.os_disk_time is not None and instance.os_disk_time > since


def disk_replaced(instance: Instance, before: Instance) -> bool | None:
    """None where Azure reports no OS disk to compare."""
    if instance.os_disk and before.os_disk and instance.os_disk != before.os_disk:
        return True
    if instance.os_disk_time is not None and before.os_disk_time is not None:
        return instance.os_disk_time > before.os_disk_time
    return False if instance.os_disk and before.os_disk else None
