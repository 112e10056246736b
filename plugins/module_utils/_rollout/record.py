# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout record: what a scale set's tags say of the rollout it is in, so that any controller can go on with it.

It is input: whoever may write tags wrote it. What does not have the exact form is no record.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, replace

from .._facts import images, running_image
from .._facts.domains import Selection
from .._facts.images import Image, ImageError
from .._facts.problems import Refused
from .._facts.scale_set import Instance, ScaleSet
from .._facts.times import seconds_of, timestamp
from .._model.security_type import WORDS
from .._options import RecordState

PREFIX = "steady-vmss-"

# The states. A record is written before the first action, so a run that was killed has left one of the first two.
IN_PROGRESS: t.Final = "in_progress"
GOING_BACK: t.Final = "going_back"  # in progress, by the role rollback
FINISHED: t.Final = "finished"
STOPPED: t.Final = "stopped"
ROLLED_BACK: t.Final = "rolled_back"
STATES: tuple[RecordState, ...] = t.get_args(RecordState)
SERVICES = ("AutomaticRepairs", "AutomaticZoneRebalancing")

# https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
_MOST_TAGS = 50
_LONGEST_VALUE = 256
_ID = re.compile(r"[0-9a-f]{32}")
_EARLIEST, _LATEST = 1_500_000_000.0, 10_000_000_000.0  # seconds: 2017, and 2286
_DIGEST = "sha256 "
_KEYS = ("rollout", "target", "previous", "selection", "started", "suspended", "state")
_SECURITY = "security"
_OURS = re.compile(f"{PREFIX}({'|'.join((*_KEYS, _SECURITY))})(-[0-9]+)?")


@dataclass(frozen=True)
class Record:
    """`started`: when the model was made to name the target, seconds on Azure's clock. `target`, `previous`: images as
    one string, a VHD without its SAS. `selection`: in words, or their digest where they are longer than a tag.
    `security`: the model's security type before, where the rollout changes it, in one of its words, else ""."""

    id: str
    target: str
    previous: str
    selection: str
    started: float
    suspended: tuple[str, ...] = ()  # orchestration services that ran before, and that the rollout puts back
    state: RecordState = IN_PROGRESS
    security: str = ""

    def tags(self) -> dict[str, str]:
        values = (
            self.id,
            self.target,
            self.previous,
            self.selection,
            timestamp(self.started) or "",
            ",".join(self.suspended),
            self.state,
        )
        keyed = zip(_KEYS, values, strict=True)
        tags = {name: part for key, value in keyed for name, part in _spread(PREFIX + key, value)}
        return {**tags, PREFIX + _SECURITY: self.security} if self.security else tags

    @property
    def open(self) -> bool:
        """Whether the rollout may have work of its own under way."""
        return self.state in (IN_PROGRESS, GOING_BACK)

    @property
    def final(self) -> bool:
        """A stopped rollout may go on, or back; these two are over."""
        return self.state in (FINISHED, ROLLED_BACK)

    @property
    def resumable(self) -> bool:
        return self.open or self.state == STOPPED

    @property
    def target_image(self) -> Image | None:
        return _image(self.target)

    @property
    def previous_image(self) -> Image | None:
        return _image(self.previous)

    def joins(self, other: Record) -> bool:
        """Whether another controller has just begun the same rollout: a plan made after that would go on with it."""
        begun = self.state == other.state == IN_PROGRESS
        same = self.selection == other.selection and other.names(self.target_image)
        return begun and same and self.id != other.id

    def as_dict(self) -> dict[str, t.Any]:
        """JSON, as the modules show and take it."""
        return {
            "id": self.id,
            "target": self.target,
            "previous": self.previous,
            "selection": self.selection,
            "started": timestamp(self.started),
            "suspended": list(self.suspended),
            "security": self.security or None,
            "state": self.state,
        }

    def names(self, target: Image | None) -> bool:
        return target is not None and images.same(self.target_image, target)

    def selects(self, selection: Selection) -> bool:
        return self.selection == in_words(selection)

    def selected(self, known: Selection) -> Selection:
        """The selection; all where only a digest of it is kept and it is not `known`'s."""
        if self.selection.startswith(_DIGEST):
            return known if self.selects(known) else Selection()
        return Selection.parse(self.selection)

    def way_back(self, model: Image | None) -> Image | None:
        """The image that the role rollback goes to. A way back that is run again goes on back, and never forth."""
        if self.state in (GOING_BACK, ROLLED_BACK):
            return next((i for i in (self.target_image, self.previous_image) if i and images.same(i, model)), None)
        return self.previous_image

    def overtaken(self, instances: t.Sequence[Instance]) -> bool:
        """Whether something else has upgraded instances since, so that what they ran before is not in this record.

        It counts where its target runs, and nothing newer, or where every instance still runs its previous image.
        """
        target, previous = self.target_image, self.previous_image
        if self.state in (GOING_BACK, ROLLED_BACK) or target is None:
            return False  # the model decides
        judged = {one.instance_id: running_image.judge(one, target, since=self.started) for one in instances}
        if running_image.NEWER in judged.values():
            return True
        if not judged or any(verdict != running_image.OUTDATED for verdict in judged.values()):
            return False
        return not all(images.same(running_image.running_image(one), previous) for one in instances)

    def ended(self, state: RecordState, suspended: t.Sequence[str] = ()) -> Record:
        return replace(self, state=state, suspended=tuple(suspended))


def in_words(selection: Selection) -> str:
    """The selection as a record keeps it. One tag holds it, however many instances are named."""
    words = str(selection)
    if len(words) <= _LONGEST_VALUE:
        return words
    return _DIGEST + hashlib.sha256(words.encode()).hexdigest()


def read(tags: t.Mapping[str, str]) -> Record | None:
    """The record in these tags; None where there is none, or it is not one that a rollout has written."""
    ours = {name[len(PREFIX) :]: str(value) for name, value in tags.items() if name.startswith(PREFIX)}
    started = seconds_of(ours.get("started"))
    state = next((one for one in STATES if one == ours.get("state", IN_PROGRESS)), None)
    if state is None:
        return None
    record = Record(
        ours.get("rollout", ""),
        _joined(ours, "target"),
        _joined(ours, "previous"),
        _joined(ours, "selection") or "all",
        started or 0.0,
        tuple(name for name in ours.get("suspended", "").split(",") if name in SERVICES),
        state,
        ours.get(_SECURITY, "") if ours.get(_SECURITY) in WORDS else "",
    )
    return record if _is_sound(record) else None


def _is_sound(record: Record) -> bool:
    return (
        bool(_ID.fullmatch(record.id))
        and record.target_image is not None
        and (not record.previous or record.previous_image is not None)
        and _EARLIEST <= record.started <= _LATEST
    )


def standing(scale_set: ScaleSet) -> Record | None:
    """The record of the rollout that the model is in; a stopped rollout, whose model was set back, is over."""
    found = read(scale_set.tags)
    return found if found and found.names(scale_set.image) else None


def abandoned(scale_set: ScaleSet) -> Record | None:
    """The record of a rollout that suspended services and can no longer go on: the model names another image."""
    found = read(scale_set.tags)
    left = found is not None and found.open and bool(found.suspended) and not found.names(scale_set.image)
    return found if left else None


def of_another(scale_set: ScaleSet, *own: str) -> str:
    """What is said where another rollout than these is in progress on the set; empty where none is."""
    found = read(scale_set.tags)
    if found is None or not found.open or found.id in own:
        return ""
    return f"scale set {scale_set.name} is now in rollout {found.id} to {found.target}, started by another controller"


def still_shown(found: Record) -> str:
    """What the tags say of a rollout whose end is not written there."""
    suspended = f", with {', '.join(found.suspended)} suspended by it" if found.suspended else ""
    return f"The tags still show it as {found.state}{suspended}."


def removed(scale_set: ScaleSet, rollout: str) -> str:
    """What is said where the record of a rollout is gone at its end; empty where one stands."""
    if read(scale_set.tags) is not None:
        return ""
    said = f"how rollout {rollout} ended is not recorded: another client has removed or changed its record"
    return f"{said}, and the tags of scale set {scale_set.name} show none."


def with_record(tags: t.Mapping[str, str], record: Record) -> dict[str, str]:
    """Every tag the set has, and the record's. Raises Refused where Azure would not take so many."""
    ours = record.tags()
    if PREFIX + _SECURITY in tags:  # where a PATCH merges tags, one that is left out would stay
        ours[PREFIX + _SECURITY] = record.security
    merged = {**{name: value for name, value in tags.items() if not _OURS.fullmatch(name)}, **ours}
    if len(merged) > _MOST_TAGS:
        raise Refused(
            "tags_full",
            f"the rollout record needs {len(ours)} tags, and the scale set has {len(merged) - len(ours)} others; Azure "
            f"allows {_MOST_TAGS}. Remove some of its tags.",
        )
    return merged


def _spread(name: str, value: str) -> t.Iterator[tuple[str, str]]:
    """A value over as many tags as it needs. A full tag is followed by another, so what an older and longer value left
    behind is never read as part of this one."""
    for number in range(len(value) // _LONGEST_VALUE + 1):
        part = value[number * _LONGEST_VALUE : (number + 1) * _LONGEST_VALUE]
        yield (f"{name}-{number + 1}" if number else name), part


def _joined(ours: t.Mapping[str, str], key: str) -> str:
    value = part = ours.get(key, "")
    number = 1
    while len(part) == _LONGEST_VALUE and number < _MOST_TAGS:
        number += 1
        part = ours.get(f"{key}-{number}", "")
        value += part
    return value


def _image(text: str) -> Image | None:
    try:
        return images.parse(text) if text else None
    except ImageError:
        return None
