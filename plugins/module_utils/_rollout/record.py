# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout record: what a scale set's tags say of the rollout it is in, so that any controller can go on with it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import image as images
from .image import Image, ImageError
from .model import ScaleSet
from .problem import Refused
from .result import seconds_of, timestamp

PREFIX = "steady-vmss-"

# https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
_MOST_TAGS = 50
_LONGEST_VALUE = 256


@dataclass(frozen=True)
class Record:
    """`started`: seconds on Azure's clock. `target`, `previous`: images as one string, a VHD without its SAS."""

    id: str
    target: str
    previous: str
    selection: str
    started: float
    suspended: tuple[str, ...] = ()  # orchestration services that ran before, and that the rollout puts back

    def tags(self) -> dict[str, str]:
        return {
            f"{PREFIX}rollout": self.id,
            f"{PREFIX}target": self.target,
            f"{PREFIX}previous": self.previous,
            f"{PREFIX}selection": self.selection,
            f"{PREFIX}started": timestamp(self.started) or "",
            f"{PREFIX}suspended": ",".join(self.suspended),
        }

    @property
    def target_image(self) -> Image | None:
        return _image(self.target)

    @property
    def previous_image(self) -> Image | None:
        return _image(self.previous)

    def names(self, target: Image | None) -> bool:
        return target is not None and images.same(self.target_image, target)


def read(tags: t.Mapping[str, str]) -> Record | None:
    """The record in these tags; None where there is none, or a person has broken it."""
    ours = {name[len(PREFIX) :]: value for name, value in tags.items() if name.startswith(PREFIX)}
    started = seconds_of(ours.get("started"))
    if not ours.get("rollout") or not ours.get("target") or started is None:
        return None
    suspended = tuple(name for name in ours.get("suspended", "").split(",") if name)
    return Record(
        ours["rollout"], ours["target"], ours.get("previous", ""), ours.get("selection", "all"), started, suspended
    )


def standing(scale_set: ScaleSet) -> Record | None:
    """The record of the rollout that the model is in; a stopped rollout, whose model was set back, is over."""
    found = read(scale_set.tags)
    return found if found and found.names(scale_set.image) else None


def with_record(tags: t.Mapping[str, str], record: Record) -> dict[str, str]:
    """Every tag the set has, and the record's. Raises Refused where Azure would not take them."""
    merged = {**tags, **record.tags()}
    if len(merged) > _MOST_TAGS:
        raise Refused(
            f"the rollout record needs {len(record.tags())} tags, and the scale set has {len(tags)} of the "
            f"{_MOST_TAGS} that "
            "Azure allows. Remove some of its tags."
        )
    for name, value in record.tags().items():
        if len(value) > _LONGEST_VALUE:
            raise Refused(
                f"the rollout record's tag {name} would have {len(value)} characters, and Azure allows "
                f"{_LONGEST_VALUE}: "
                f"'{value[:60]}…'. Choose fewer instances at a time or whole domains, or give the image a shorter id."
            )
    return merged


def _image(text: str) -> Image | None:
    try:
        return images.parse(text) if text else None
    except ImageError:
        return None
