# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When to read next: promptly, and within Azure's limits.

Azure lets one scale set be read 15 times a minute by operation (burst 45) and 10 times a minute by instance list
(burst 30): https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits. What earlier operations took
says when an answer is worth asking for; from there on the interval is a share of the time already waited, so an end is
noticed a few percent late however long it takes. Health is looked for every few seconds, however long it took before.
"""

from __future__ import annotations

import math
import typing as t

Between = tuple[float, float]  # seconds: at the first it was not there yet, at the second it was

OPERATION = "operation"
INSTANCES = "instances"

_SHARE = {OPERATION: 0.06, INSTANCES: 0.04}
_FIRST_SHARE = 0.25  # of an operation, while no earlier one tells how long it takes
_LATER = 1.01  # of what the quickest of the recent operations took: just after such an end
_SHORTEST = {OPERATION: 1.0, INSTANCES: 3.0}
_FIRST = 2.0
_STEP = 5.0  # between two polls at first, while nothing tells when it ends
_SETTLE = 5.0  # at most, between two reads of the instances while nothing tells when they are healthy
_NEAR = 2.0  # so well it is known when they were healthy
_EVEN = 7.5  # the same where an earlier batch tells
_REFILL = {OPERATION: 4.0, INSTANCES: 6.0}  # seconds in which Azure gives one read back
_SCARCE = 10  # reads left, from where on only what is given back is used
_LONGEST = 60.0
_GLANCE = 15.0  # after the request, while no earlier operation tells how long it takes
_HALFWAY = 0.5


def pause(kind: str, left: int | None) -> float:
    """Seconds that must lie between two reads, however urgent, where Azure says that few remain."""
    return _REFILL[kind] if left is not None and left <= _SCARCE else 0.0


def next_poll(waited: float, earlier: t.Sequence[float] = (), left: int | None = None) -> float:
    """Seconds until an operation is read again, `waited` seconds after it began.

    `earlier`: seconds that the same took in earlier batches. `left`: reads that Azure says remain.
    """
    return max(pause(OPERATION, left), _SHORTEST[OPERATION], _to_poll(waited, earlier))


def next_look(waited: float, earlier: t.Sequence[Between] = (), left: int | None = None) -> float:
    """The same of the instances, which are waited for. `earlier`: between how many seconds it took."""
    return max(pause(INSTANCES, left), _SHORTEST[INSTANCES], _to_settle(waited, earlier))


def _to_poll(waited: float, earlier: t.Sequence[float]) -> float:
    if not earlier:
        return _FIRST if waited <= 0 else _STEP if waited < _GLANCE else min(_LONGEST, waited * _FIRST_SHARE)
    soonest = min(earlier[-3:]) * _LATER
    return soonest - waited if waited < soonest else min(_LONGEST, waited * _SHARE[OPERATION])


def _to_settle(waited: float, earlier: t.Sequence[Between]) -> float:
    """Reads that lie evenly, so that one comes when the instances were healthy in an earlier batch."""
    most = min((most for _least, most in earlier[-3:]), default=0.0)
    least = max((least for least, _most in earlier[-3:] if least < most), default=0.0)
    expected = (least + most) / 2 if 0 < least < most - _NEAR else most
    if waited < expected * 0.99:
        gap = expected / math.ceil(expected / _EVEN)
        return gap - waited % gap
    if waited < most * 0.99:
        return most - waited
    return min(_LONGEST, max(min(_SETTLE, waited - expected), waited * _SHARE[INSTANCES]))


def glance(number: int, earlier: t.Sequence[float] = ()) -> float:
    """Seconds after the request at which the instances should be down, for the first, second, … look at them."""
    first = min(earlier[-3:]) * _HALFWAY if earlier else _GLANCE
    return first * 2.0**number
