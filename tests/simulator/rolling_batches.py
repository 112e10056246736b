"""Which instances Azure's own rolling upgrade takes next: pure, on plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """An instance that waits for its turn."""

    instance_id: str
    number: int
    zone: str | None
    update_domain: int | None
    healthy: bool


def batch_size(total: int, percent: int, unhealthy: int = 0) -> int:
    """floor(percent of all instances), less those that are unhealthy elsewhere, and one at least."""
    return max(1, total * percent // 100 - unhealthy)


def next_batch(waiting: Iterable[Candidate], size: int, policy: dict[str, Any]) -> list[str]:
    """The ids of at most `size` instances of one update domain, and of one zone unless zones may be crossed.

    Zone by zone, update domain by update domain. Unhealthy ones first where the policy says so, wherever they are.
    """
    cross = bool(policy.get("enableCrossZoneUpgrade"))
    unhealthy_first = bool(policy.get("prioritizeUnhealthyInstances"))

    def domain(one: Candidate) -> tuple[bool, str, int]:
        return (unhealthy_first and one.healthy, "" if cross else one.zone or "", one.update_domain or 0)

    there = sorted(waiting, key=lambda one: (domain(one), one.number))
    return [one.instance_id for one in there if domain(one) == domain(there[0])][:size]


def exceeds(count: int, total: int, percent: int) -> bool:
    return total > 0 and count * 100 > total * percent
