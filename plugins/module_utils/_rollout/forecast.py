# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a rollout takes and what it asks Azure, if every upgrade goes well.

It walks through the batches that the rollout would do, and asks `pacing` when the rollout would look next, as the
rollout does.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._facts import pacing
from .batches import Batch
from .pace import Pace

Kind = t.Literal["reads", "lists", "polls", "writes", "upgrades", "others"]


@dataclass(frozen=True)
class Limit:
    """What Azure lets one scale set be asked: https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits"""

    name: str
    a_minute: int
    burst: int


# Requests to upgrade instances and reads of images count for the subscription alone, which allows far more.
LIMITS: t.Final[dict[Kind, Limit]] = {
    "writes": Limit("writes of the scale set", 4, 12),
    "lists": Limit("reads of the instances", 10, 30),
    "reads": Limit("reads of the scale set", 12, 36),
    "polls": Limit("reads of an operation", 15, 45),
}


@dataclass(frozen=True)
class Frame:
    """What is around the batches.

    `plan_calls`: of the plan itself. `list_calls`: that one look at the instances takes.
    `writes`: of the model before the first batch. `suspends`, `resumes`: how many services. `closes`: how the rollout
    ended is written. `pause`: seconds between batches. `health_lag`: see `Patience`.
    """

    plan_calls: int
    list_calls: int
    writes: int = 0
    suspends: int = 0
    resumes: int = 0
    closes: bool = True
    pause: float = 0.0
    has_health_source: bool = True
    health_lag: float = 120.0


@dataclass(frozen=True)
class Forecast:
    """`batches`: seconds of each. `calls`: by kind. `peaks`: the most within one minute, by kind."""

    seconds: float
    batches: tuple[float, ...]
    calls: t.Mapping[Kind, int]
    peaks: t.Mapping[Kind, int]

    @property
    def total(self) -> int:
        return sum(self.calls.values())


@dataclass
class _Line:
    """The calls of a rollout with their times, in seconds since it began."""

    frame: Frame
    pace: Pace
    now: float = 0.0
    calls: list[tuple[float, Kind]] = field(default_factory=list)
    operations: list[tuple[int, float]] = field(default_factory=list)  # of the batches so far
    settlings: list[pacing.Between] = field(default_factory=list)
    just_read: bool = False  # the model, at the end of its write

    def ask(self, kind: Kind, count: int = 1) -> None:
        self.calls += [(self.now, kind)] * count

    def look(self, at: float) -> None:
        self.now = at
        self.ask("lists", self.frame.list_calls)

    def await_operation(self, seconds: float) -> None:
        """As `wait_for_operation` does."""
        began = self.now
        while True:
            self.now += pacing.next_poll(self.now - began)
            self.ask("polls")
            if self.now - began >= seconds:
                return

    def write(self, *, awaits: bool) -> None:
        """The scale set and Azure's own upgrade are read before, and the scale set after."""
        self.ask("reads", 2)
        self.ask("writes")
        if awaits:
            self.await_operation(self.pace.write)
        self.ask("reads")
        self.just_read = True

    def set_services(self, count: int) -> None:
        """Each is looked at before and after."""
        if count:
            self.ask("reads")
            self.ask("lists")
            self.just_read = False
        for _one in range(count):
            self.ask("lists")
            self.ask("writes")
            self.await_operation(self.pace.service)
            self.ask("lists")

    def batch(self, batch: Batch, *, at_once: bool) -> None:
        """`at_once`: the batch before has just looked at the instances."""
        size, usual = len(batch.instance_ids), self.pace.of(len(batch.instance_ids))
        self.ask("reads", 0 if self.just_read else 1)
        self.just_read = False
        if not at_once:
            self.look(self.now)
        seen_down, ended = False, self.now
        if not batch.adopted:
            self.ask("upgrades")
            ended += usual.operation
            seen_down = self._operation(size, usual.operation)
        self._settle(ended, usual.settle, seen_down=seen_down)

    def _operation(self, size: int, seconds: float) -> bool:
        """Whether the instances were looked at meanwhile, and then seen down."""
        began, waited, looked = self.now, 0.0, False
        like = [one for other, one in self.operations if 2 * other >= size] or [one for _size, one in self.operations]
        while waited < seconds or not waited:
            poll = waited + pacing.next_poll(waited, like)
            if self.frame.has_health_source and not looked and (glance := pacing.glance(0, like)) <= poll:
                self.look(began + glance)
                looked = True
            self.now, waited = began + poll, poll
            self.ask("polls")
        self.operations.append((size, seconds))
        return looked

    def _settle(self, began: float, seconds: float, *, seen_down: bool) -> None:
        """`began`: when the operation ended, which was noticed by now."""
        first = pacing.next_look(0.0, self.settlings) if seen_down else 0.0
        waited, not_yet = max(self.now - began, first), 0.0
        self.look(began + waited)
        while waited < seconds:
            not_yet = waited
            waited += pacing.next_look(waited, self.settlings)
            self.look(began + waited)
        if waited < self.frame.health_lag:
            self.settlings.append((not_yet, waited))


def forecast(batches: t.Sequence[Batch], frame: Frame, pace: Pace) -> Forecast:
    line = _Line(frame, pace)
    line.ask("reads")
    line.ask("lists", frame.list_calls)
    line.ask("others", max(0, frame.plan_calls - 1 - frame.list_calls))
    for _one in range(frame.writes):
        line.write(awaits=True)
    line.set_services(frame.suspends)
    lasted = []
    for number, batch in enumerate(batches):
        between = max(frame.pause, pace.between) if number else 0.0
        line.now += between
        began = line.now
        line.batch(batch, at_once=bool(number) and between <= 1.0)
        lasted.append(line.now - began)
    line.set_services(frame.resumes)
    if frame.closes:
        line.write(awaits=False)
    return Forecast(line.now, tuple(lasted), Counter(kind for _at, kind in line.calls), _peaks(line.calls))


def _peaks(calls: t.Sequence[tuple[float, Kind]]) -> dict[Kind, int]:
    """The most calls of a kind within any 60 seconds."""
    found: dict[Kind, int] = {}
    for kind in LIMITS:
        times = [at for at, one in calls if one == kind]
        first = most = 0
        for last, at in enumerate(times):
            while at - times[first] >= 60.0:
                first += 1
            most = max(most, last - first + 1)
        found[kind] = most
    return found
