# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When to read next: promptly, and within Azure's limits.

Azure lets one scale set be read 15 times a minute by operation (burst 45) and 10 times a minute by instance list
(burst 30): https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits. What earlier batches took
says when an answer is worth asking for; from there on the interval is a share of the time already waited, so a
batch is noticed a few percent late however long it takes.
"""

from __future__ import annotations

import typing as t

OPERATION = "operation"
INSTANCES = "instances"

_SHARE = {OPERATION: 0.08, INSTANCES: 0.2}
_FIRST_SHARE = 0.4  # while no earlier batch tells how long it takes
_SOONEST = 0.85  # of what the quickest of the recent batches took
_FIRST = 2.0
_SHORTEST = {OPERATION: 1.0, INSTANCES: 2.0}
_REFILL = {OPERATION: 4.0, INSTANCES: 6.0}  # seconds in which Azure gives one read back
_SCARCE = 10  # reads left, from where on only what is given back is used
_LONGEST = 60.0


def pause(kind: str, left: int | None) -> float:
    """Seconds that must lie between two reads, however urgent, where Azure says that few remain."""
    return _REFILL[kind] if left is not None and left <= _SCARCE else 0.0


def next_read(kind: str, waited: float, earlier: t.Sequence[float] = (), left: int | None = None) -> float:
    """Seconds until the next read, `waited` seconds after the wait began.

    `earlier`: seconds that the same wait took in earlier batches. `left`: reads that Azure says remain.
    """
    shortest = max(pause(kind, left), _SHORTEST[kind])
    if earlier:
        soonest = min(earlier[-3:]) * _SOONEST
        if waited < soonest:
            return max(shortest, soonest - waited)
        share = _SHARE[kind]
    else:
        share = _FIRST_SHARE
    if waited <= 0:
        return max(shortest, _FIRST)
    return min(_LONGEST, max(shortest, waited * share))
