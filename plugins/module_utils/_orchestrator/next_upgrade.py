# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would an automatic OS upgrade install now, and what do the instances run?"""

from __future__ import annotations

import typing as t

from .._facts import catalogue, images, running_image
from .._facts.domains import instance_order
from .._facts.images import Image
from .._facts.scale_set import ImageVersion, Instance, ScaleSet
from . import readiness
from .observation import verdict

_SAME_SKU = (
    "It takes newer versions of the publisher, offer and SKU that the model names and never changes these: another SKU "
    "has to be written into the model, with steady.vmss.image."
)
_SAME_IMAGE = (
    "It takes newer versions of the gallery image that the model names and never another image: that has to be "
    "written into the model, with steady.vmss.image."
)
_CUSTOM = "A custom image gets automatic upgrades only from a gallery."


def answer(scale_set: ScaleSet, versions: t.Sequence[ImageVersion]) -> dict[str, t.Any]:
    """`versions`: those of the model's image. `installs` is None where the model does not follow the newest."""
    model = scale_set.image
    installs = None
    if model is not None and model.follows_latest:
        usable = [v.version for v in versions if catalogue.why_not(v, scale_set.location, as_latest=True) is None]
        newest = images.newest(usable)
        installs = model.with_version(newest) if newest else None
    around = readiness.Prerequisites(versions=tuple(versions))
    found = readiness.errors(readiness.findings(scale_set, readiness.AUTOMATIC, around))
    never = _CUSTOM
    if model is not None and (model.kind == images.PLATFORM or model.is_gallery):
        never = _SAME_SKU if model.kind == images.PLATFORM else _SAME_IMAGE
    off = "" if scale_set.automatic_os_upgrade else "off; it "
    when = "once nothing prevents it" if found else "now"
    does = f"would install {installs} {when}" if installs else "would install nothing now"
    return {
        "enabled": scale_set.automatic_os_upgrade,
        "installs": images.show(installs),
        "in_the_way": [str(one) for one in found],
        "sentence": f"Automatic OS upgrade is {off or 'on and '}{does}. {never}",
    }


def running(instances: t.Iterable[Instance], target: Image | None) -> list[dict[str, t.Any]]:
    """The images that run, with the instances that run them; `verdict` compares each with the target."""
    groups: dict[tuple[str, str], list[Instance]] = {}
    for one in sorted(instances, key=instance_order):
        found = verdict(one, target, None) if target else running_image.UNPROVEN
        groups.setdefault((str(running_image.running_image(one) or ""), found), []).append(one)
    return [
        {
            "image": images.show(running_image.running_image(members[0])),
            "verdict": found,
            "instance_ids": [one.instance_id for one in members],
        }
        for (_image, found), members in groups.items()
    ]
