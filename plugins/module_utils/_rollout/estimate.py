# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a rollout ends, judged by the batches that it has done."""

from __future__ import annotations

import typing as t
from itertools import pairwise

from .._facts.times import seconds_of

_LATEST = 3


def seconds_left(done: t.Sequence[t.Mapping[str, t.Any]], ahead: t.Sequence[int], now: float) -> tuple[float, int]:
    """Seconds that the batches ahead take, and how many of those done this rests on; (0, 0) where none tells.

    `done`: as results show them. `ahead`: their sizes. A batch lasts until the next one begins, the user's tasks
    included. Those of half the size and more count, where there are any, for a canary is quicker.
    """
    starts = [seconds for batch in done if (seconds := seconds_of(batch.get("started"))) is not None]
    if not starts or len(starts) != len(done) or not ahead:
        return 0.0, 0
    lasted = [after - before for before, after in pairwise([*starts, now])]
    usual = max(ahead)
    sizes = [len(batch["instance_ids"]) for batch in done]
    alike = [seconds for seconds, size in zip(lasted, sizes, strict=True) if 2 * size >= usual] or lasted
    rests_on = alike[-_LATEST:]
    return len(ahead) * sum(rests_on) / len(rests_on), len(rests_on)
