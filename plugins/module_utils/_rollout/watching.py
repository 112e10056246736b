# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When to look at a scale set again where somebody watches what runs there, and when to stop."""

from __future__ import annotations

import math
import typing as t

from .._facts import availability
from .._facts.problems import Refused
from .._facts.scale_set import AT_WORK
from .status_map import is_open

Entries = t.Sequence[t.Mapping[str, t.Any]]  # as the module scale_set_info shows them

MOST_CALLS = 4  # a minute
PATIENCE = 1800.0  # seconds without any change

ENDED = "nothing runs there now"
STUCK = "nothing has changed for 30 minutes: what ran there may have been interrupted"


def interval(asked: object) -> float | None:
    """Seconds between two looks, None where nobody watches. Raises Refused."""
    if asked in (None, ""):
        return None
    try:
        seconds = float(str(asked))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise Refused("option_invalid", f"watch '{asked}' is no number of seconds more than 0.")
    return seconds


def pause(every: float, calls: int) -> float:
    """Seconds until the next look. `calls`: that the last one took."""
    looks = MOST_CALLS // calls if calls else MOST_CALLS
    return max(every, 60.0 / looks if looks else calls * 60.0 / MOST_CALLS)


def runs(entries: Entries) -> bool:
    """Whether a rollout or an upgrade of Azure's own runs, or somebody works on the set or an instance."""
    return any(
        is_open(one["rollout"])
        or (one.get("rolling_upgrade") or {}).get("running")
        or one["provisioning_state"] in AT_WORK
        or any(instance["provisioning"] not in availability.ENDED for instance in one.get("instances", ()))
        for one in entries
    )


def next_options(options: t.Mapping[str, t.Any], entries: Entries) -> dict[str, t.Any]:
    """The module's options for the next look, which asks no more than it must: a rollout's record tells by itself
    whether it runs, and the image stays the one that the first look has compared with."""
    ours = bool(entries) and all(is_open(one["rollout"]) for one in entries)
    image = entries[0]["target_image"] if len(entries) == 1 and entries[0]["target_image"] else options.get("image")
    return {**options, "image": image, "newest": False, "also_read": [] if ours else ["rolling_upgrade"]}
