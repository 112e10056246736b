# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long each part of a rollout takes: as the user says, or as journals of earlier rollouts tell."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from statistics import median

from .._facts.times import seconds_of

Event = t.Mapping[str, t.Any]
RestsOn = t.Literal["given", "journals", "assumed"]

MOST = 86_400.0  # seconds of one part: whatever a journal says, it is not walked through for ever
ASSUMED = 180.0  # seconds an instance, where nothing tells: only calls are told from it, and no time
_WRITE = 15.0  # seconds of a write of the model, as recorded traffic shows
_SERVICE = 5.0
_AT_ONCE = 1.0  # seconds, to a time of whole ones: healthy when the end was noticed
_HEALTH_SHARE, _LONGEST_HEALTH = 0.2, 20.0  # of an instance's time, from the operation's end to healthy


@dataclass(frozen=True)
class BatchPace:
    """One batch: its size, and the seconds until Azure's operation ended and from there until all was healthy."""

    size: int
    operation: float
    settle: float


@dataclass(frozen=True)
class Pace:
    """Seconds that each part takes. `between`: from one batch to the next, your task files included. `rollouts`: how
    many earlier ones it rests on."""

    rests_on: RestsOn
    batches: tuple[BatchPace, ...]
    between: float = 0.0
    write: float = _WRITE
    service: float = _SERVICE
    rollouts: int = 0

    @property
    def known(self) -> bool:
        return self.rests_on != "assumed"

    def of(self, size: int) -> BatchPace:
        """Those of half the size and more count where there are any, for a small batch is quicker."""
        alike = [one for one in self.batches if 2 * one.size >= size] or list(self.batches)
        return BatchPace(size, median(one.operation for one in alike), median(one.settle for one in alike))


def given(seconds: float, has_health_source: bool, healthy_for: float = 0.0, *, assumed: bool = False) -> Pace:
    """`seconds`: of one instance, from the request until it is healthy."""
    health = min(_LONGEST_HEALTH, seconds * _HEALTH_SHARE) if has_health_source else 0.0
    return Pace("assumed" if assumed else "given", (BatchPace(1, seconds - health, health + healthy_for),))


def of_journals(journals: t.Sequence[t.Sequence[Event]]) -> Pace | None:
    """None where none of them holds a batch that went well. Each journal: the events of one rollout, oldest first."""
    events = [journal for journal in journals if _batches(journal)]
    if not events:
        return None
    return Pace(
        "journals",
        tuple(batch for journal in events for batch in _batches(journal)),
        between=_usual([seconds for journal in events for seconds in _spans(journal, "batch_ended", "batch_begins")]),
        write=_usual([s for journal in events for s in _spans(journal, "model_write_sent", "model_written")], _WRITE),
        service=_usual([s for journal in events for s in _spans(journal, "write_sent", "written")], _SERVICE),
        rollouts=len(events),
    )


def _usual(seconds: t.Sequence[float], otherwise: float = 0.0) -> float:
    return median(seconds) if seconds else otherwise


def _batches(journal: t.Sequence[Event]) -> list[BatchPace]:
    """Those that Azure upgraded with one operation, and that all became healthy."""
    found: list[BatchPace] = []
    size, times = 0, dict[str, float]()
    for event in journal:
        what, at = event.get("event"), seconds_of(event.get("time"))
        if at is None:
            continue
        if what == "batch_begins":
            instances = event.get("instances")
            size, times = len(instances) if isinstance(instances, list) else 0, {}
        elif what == "batch_ended":
            if size and event.get("outcome") == "upgraded" and {"upgrade_sent", "operation_ended"} <= times.keys():
                found += _batch(size, times["upgrade_sent"], times["operation_ended"], times.get("seconds"), at)
            size = 0
        elif what in ("upgrade_sent", "operation_ended"):
            size = 0 if what in times else size  # more than one operation is no usual batch
            times[str(what)] = at
            if isinstance(seconds := event.get("seconds"), (int, float)):
                times["seconds"] = float(seconds)
    return found


def _batch(size: int, sent: float, noticed: float, seconds: float | None, ended: float) -> list[BatchPace]:
    """`seconds`: that Azure worked; that it had ended was noticed later. None where the journal does not say."""
    operation = noticed - sent if seconds is None else seconds
    settle = ended - sent - operation if ended - noticed > _AT_ONCE else 0.0
    return [BatchPace(size, operation, settle)] if 0 <= operation <= MOST and 0 <= settle <= MOST else []


def _spans(journal: t.Sequence[Event], first: str, last: str) -> list[float]:
    """Seconds from each of the one event to the next of the other."""
    found, began = [], None
    for event in journal:
        at = seconds_of(event.get("time"))
        if event.get("event") in ("planned", "cancelled"):  # another run begins here
            began = None
        if event.get("event") == last and began is not None and at is not None:
            found += [max(0.0, at - began)] if at - began <= MOST else []
            began = None
        if event.get("event") == first:
            began = at
    return found
