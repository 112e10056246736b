# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user allows: how many at once, in which order, and when too much is unhealthy to go on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts import availability
from .._facts.limits import Limit, read_limit
from .._facts.scale_set import Instance
from .._options import OrderBy, PolicyOptions

REPORT = "report"
REIMAGE = "reimage"
SKIP = "skip"


@dataclass(frozen=True)
class Thresholds:
    """`unhealthy`: of the instances there are now. `unhealthy_upgraded`: of those this rollout has upgraded."""

    unhealthy: Limit = read_limit(PolicyOptions.max_unhealthy, "max_unhealthy", least=0)
    unhealthy_upgraded: Limit = read_limit(PolicyOptions.max_unhealthy_upgraded, "max_unhealthy_upgraded", least=0)


@dataclass(frozen=True)
class Policy:
    """How many at once, and in which order. `canary` None means the default, 0 none.

    `batch_sizes`: of the first batch, the second, and so on; the last one holds for the rest. `whole_model`: to bring
    instances to all of the model, extensions and all, not to its image alone. `unproven`: REPORT or REIMAGE; with
    `whole_model`, REIMAGE brings what only a new OS disk does, such as custom data. `busy`: "wait" for instances that
    another client works on or has stopped, or SKIP them and come back to them at the end.
    """

    max_unavailable: Limit = read_limit(PolicyOptions.max_unavailable, "max_unavailable")
    batch_sizes: tuple[Limit, ...] = ()
    canary: int | None = None
    order_by: OrderBy = PolicyOptions.order_by
    thresholds: Thresholds = Thresholds()
    include_deallocated: bool = PolicyOptions.include_deallocated
    downgrade: bool = PolicyOptions.downgrade
    whole_model: bool = False
    unproven: str = PolicyOptions.unproven
    busy: str = PolicyOptions.busy


def most_unhealthy(limit: Limit, total: int) -> int:
    """How many of a set may be unhealthy before a batch.

    A percent is rounded down, but one instance may always be sick, and never all unless the user says 100 %: 20 % of
    2 is 1.
    """
    if not limit.percent or limit.number == 100:
        return min(limit.number, total) if not limit.percent else total
    return max(0, min(max(1, total * limit.number // 100), total - 1)) if limit.number else 0


def most_unhealthy_upgraded(limit: Limit, upgraded: int) -> int:
    """How many of the upgraded may have failed. A percent is rounded down, so a canary of one tolerates none."""
    return upgraded * limit.number // 100 if limit.percent else limit.number


def unhealthy(instances: t.Iterable[Instance], has_health_source: bool) -> list[Instance]:
    """Those that are unavailable and not on their way to be available: coming and changing instances are no verdict."""
    return [
        i
        for i in instances
        if not availability.available(i, has_health_source) and availability.settled(i) and i.health != "initializing"
    ]


def breach_before(thresholds: Thresholds, counted: t.Sequence[Instance], has_health_source: bool) -> str:
    """Why no batch may start, "" where one may. `counted`: see `availability.is_counted`."""
    sick = unhealthy(counted, has_health_source)
    most = most_unhealthy(thresholds.unhealthy, len(counted))
    if len(sick) <= most:
        return ""
    named = ", ".join(f"{i.instance_id} ({availability.why_unavailable(i, has_health_source)})" for i in sick)
    words = f"{len(sick)} of {len(counted)} instances are unhealthy"
    return f"{words}, and max_unhealthy {thresholds.unhealthy} allows {most}: {named}"


def breach_after(thresholds: Thresholds, upgraded: int, failed: t.Sequence[str]) -> str:
    """Why the rollout stops after a batch, "" where it goes on. `upgraded` counts the failed ones too."""
    most = most_unhealthy_upgraded(thresholds.unhealthy_upgraded, upgraded)
    if len(failed) <= most:
        return ""
    return (
        f"{len(failed)} of {upgraded} upgraded instances failed, and max_unhealthy_upgraded "
        f"{thresholds.unhealthy_upgraded} allows {most}"
    )
