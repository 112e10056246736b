# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of an image, and what a scale set does with them."""

from __future__ import annotations

import typing as t

from .._arm.client import Azure
from .._facts import catalogue, images
from .._facts.problems import Refused
from .._facts.scale_set import ImageVersion
from .._options import ImageInfoRequest
from .._orchestrator import next_upgrade


def read(azure: Azure, request: ImageInfoRequest) -> dict[str, t.Any]:
    """The catalogue's versions of an image, oldest first, and which of them latest means. Raises Refused."""
    one = azure.scale_set(request.resource_group or "", request.name) if request.name else None
    location = request.location or (one.location if one else "")
    image = images.parse(request.image) if request.image else (one.image if one else None)
    versions: list[ImageVersion] = []
    newest = None
    if image is not None and image.kind not in (images.VHD, images.MANAGED):
        image = images.complete(image, one.image if one else None).following_latest()
        versions = sorted(azure.image_versions(image, location), key=lambda v: images.version_key(v.version))
        newest = images.newest([v.version for v in versions if catalogue.why_not(v, location, as_latest=True) is None])
    elif one is None or request.image:
        raise Refused(
            "image_without_versions", f"a {image.kind if image else 'missing'} image has no versions to list."
        )
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
        **({"running": next_upgrade.running(azure.instances(one), target)} if request.running else {}),
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
