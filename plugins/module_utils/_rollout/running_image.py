# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image does an instance run, compared with the target?"""

from __future__ import annotations

from . import image as images
from .image import Image
from .model import Instance

CURRENT = "current"
OUTDATED = "outdated"
NEWER = "newer"
UNPROVEN = "unproven"


def judge(instance: Instance, target: Image, *, model_names_target: bool = True, since: float | None = None) -> str:
    """current, outdated, newer or unproven.

    `since` is when the rollout to this target started, on Azure's clock; a disk made after it proves an image that
    Azure reports neither by version nor by id (VHDs, managed images).
    `unproven`: Azure names the target, and nothing shows what is on the disk.
    """
    reported = instance.image
    if reported is None:
        return _by_disk(instance, since) if model_names_target else OUTDATED
    running = _exact(instance, reported)
    known = bool(instance.exact_version) or (running.is_gallery and not running.follows_latest)
    if known and images.same_series(running, target):
        return _by_version(running, target)
    if images.same(reported, target):
        return _by_disk(instance, since)
    return OUTDATED


def judge_model(instance: Instance) -> str:
    """current, outdated or unproven against all of the latest model; one that failed has not got it either."""
    if instance.latest_model_applied is False or instance.provisioning == "Failed" or not instance.extensions_settled:
        return OUTDATED
    return UNPROVEN if instance.latest_model_applied is None else CURRENT


def running_image(instance: Instance) -> Image | None:
    """The image an instance runs, with the exact version where Azure reports one.

    For gallery images Azure may give a version or a whole id.
    """
    return None if instance.image is None else _exact(instance, instance.image)


def _exact(instance: Instance, reported: Image) -> Image:
    if not instance.exact_version or not (reported.kind == images.PLATFORM or reported.is_gallery):
        return reported
    return reported.with_version(instance.exact_version.rsplit("/", 1)[-1])


def _by_version(running: Image, target: Image) -> str:
    mine, wanted = (images.version_key(i.version or i.gallery_version) for i in (running, target))
    if mine == wanted:
        return CURRENT
    return NEWER if mine > wanted else OUTDATED


def _by_disk(instance: Instance, since: float | None) -> str:
    if since is not None and instance.os_disk_time is not None and instance.os_disk_time > since:
        return CURRENT
    return OUTDATED if instance.latest_model_applied is False else UNPROVEN


def disk_replaced(instance: Instance, before: Instance) -> bool | None:
    """None where Azure reports no OS disk to compare."""
    if instance.os_disk and before.os_disk and instance.os_disk != before.os_disk:
        return True
    if instance.os_disk_time is not None and before.os_disk_time is not None:
        return instance.os_disk_time > before.os_disk_time
    return False if instance.os_disk and before.os_disk else None


def proven(instance: Instance, before: Instance, target: Image) -> bool:
    """Whether the instance runs the target after an upgrade: by its exact version, else by a replaced disk."""
    verdict = judge(instance, target)
    if instance.exact_version:
        return verdict == CURRENT
    replaced = disk_replaced(instance, before)
    if instance.image is not None and not images.same(instance.image, target):
        return False
    return replaced is True or (replaced is None and verdict == CURRENT)
