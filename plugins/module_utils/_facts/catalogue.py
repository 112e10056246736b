# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user's image means: completed from the model, `latest` resolved to one exact version."""

from __future__ import annotations

import typing as t

from . import images
from .images import Image
from .problems import Refused
from .scale_set import ImageVersion


def in_region(version: ImageVersion, location: str) -> bool:
    def plain(name: str) -> str:
        return name.replace(" ", "").lower()

    if plain(location) in map(plain, version.excluded_regions):
        return False
    return version.regions is None or plain(location) in map(plain, version.regions)


def why_not(version: ImageVersion, location: str, *, as_latest: bool = False) -> str | None:
    """Why an instance in this region cannot be made of the version, or not as `latest`."""
    if version.provisioning_state != "Succeeded":
        return f"its provisioning state is {version.provisioning_state}"
    if not in_region(version, location):
        where = ", ".join(version.regions or ()) or "no region"
        return f"it is not replicated to {location} (it is in {where})"
    if as_latest and version.excluded_from_latest:
        return "it is excluded from latest"
    return None


def newest_as_text(image: Image, versions: t.Sequence[ImageVersion], location: str) -> Image | None:
    """What `latest` means where Azure orders versions as text, 8.9 after 8.10 (azure-rest-api-specs #30142)."""
    usable = [v.version for v in versions if why_not(v, location, as_latest=True) is None]
    return image.with_version(max(usable)) if usable else None


def newest(image: Image, versions: t.Sequence[ImageVersion], location: str) -> Image:
    """The exact image that `latest` means here and now, by version order. Raises Refused."""
    usable = [v for v in versions if why_not(v, location, as_latest=True) is None]
    if found := images.newest(v.version for v in usable):
        return image.with_version(found)
    reasons = "; ".join(f"{v.version}: {why_not(v, location, as_latest=True)}" for v in versions)
    raise Refused(
        "image_not_usable",
        f"image {image} has no version that can be used in {location}"
        + (
            f". {reasons}. Replicate a version to the region and do not exclude it from latest."
            if reasons
            else ": it has no versions."
        ),
    )
