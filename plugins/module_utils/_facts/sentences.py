# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of sentences that more than one room says."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from . import running_image
from .scale_set import Instance
from .times import timestamp

_MOST_NAMED = 50  # instance ids in one sentence


def runs(instances: t.Collection[Instance], unavailable: t.Iterable[Instance], unproven: t.Collection[str] = ()) -> str:
    """How many instances run what, and which are unavailable. `unproven`: ids of those whose image nothing proves."""
    running = defaultdict(list)
    for instance in instances:
        image = str(running_image.running_image(instance) or "an image that Azure does not report")
        known = instance.instance_id not in unproven
        running[image if known else f"an unproven image, reported by Azure as {image}"].append(instance.instance_id)
    listed: list[str] = []
    for image, ids in sorted(running.items(), key=lambda found: -len(found[1])):
        listed.append(f"{len(ids)} run {image}{f' ({named(ids)})' if listed else ''}")
    sick = [i.instance_id for i in unavailable]
    down = f"instance{'s' if len(sick) > 1 else ''} {named(sick)}" if sick else "none"
    return f"Of {len(instances)} instances {', '.join(listed) or 'none is left'}; unavailable: {down}."


def as_last_read(runs: str, read_at: float | None) -> str:
    """What runs where, with its time where Azure cannot be asked any more."""
    return runs if read_at is None else f"As last read at {timestamp(read_at)}: {runs}"


def counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def instances(ids: t.Sequence[str]) -> str:
    """As "instance 3" or "instances 3, 4"."""
    return f"instance{'' if len(ids) == 1 else 's'} {named(list(ids))}"


def named(ids: list[str]) -> str:
    more = [f"and {len(ids) - _MOST_NAMED} more"] if len(ids) > _MOST_NAMED else []
    return ", ".join([*ids[:_MOST_NAMED], *more])
