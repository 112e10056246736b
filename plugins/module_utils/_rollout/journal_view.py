# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a journal tells, folded event by event into the state that a view is rendered from."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._facts.foreign_text import all_printable
from .._facts.journal_lines import Event, events
from .._facts.times import seconds_of
from . import messages

LAST_EVENTS = 8  # that a view keeps


@dataclass(frozen=True)
class Plan:
    """What was planned, as the event `planned` has it. `sizes`: instances of each batch. `allowed`: unavailable."""

    resource_group: str = ""
    name: str = ""
    orchestration_mode: str = ""
    location: str = ""
    there: int = 0
    domains: str = ""
    running: t.Mapping[str, int] = field(default_factory=dict)
    target: str = ""
    latest: bool = False
    limit: str = ""
    allowed: int = 0
    batches: int = 0
    sizes: tuple[int, ...] = ()
    instances: int = 0


@dataclass(frozen=True)
class Batch:
    """The one in progress. `begun`: POSIX seconds."""

    number: int
    of: int
    label: str
    instance_ids: tuple[str, ...]
    begun: float


@dataclass(frozen=True)
class Estimate:
    """When the rollout ends, in POSIX seconds, and from how many batches that is known."""

    end: float
    from_batches: int


@dataclass(frozen=True)
class Unavailable:
    """How many instances are, were at the most, and may be."""

    now: int = 0
    most: int = 0
    allowed: int = 0


@dataclass(frozen=True)
class Calls:
    """To Azure. `earlier`: of the module calls that have ended. `throttled`: seconds."""

    earlier: int = 0
    now: int = 0
    throttled_earlier: float = 0.0
    throttled_now: float = 0.0

    @property
    def all(self) -> int:
        return self.earlier + self.now

    @property
    def throttled(self) -> float:
        return self.throttled_earlier + self.throttled_now


@dataclass(frozen=True)
class View:
    """One run of one rollout. Times are POSIX seconds, None where nothing has been told yet.

    `states`, `domains`: by instance id. `outcome`: "" while it runs. `said`: the last events, as time and words.
    """

    scale_set: str = ""
    rollout: str = ""
    plan: Plan = Plan()
    states: t.Mapping[str, str] = field(default_factory=dict)
    domains: t.Mapping[str, str] = field(default_factory=dict)
    batch: Batch | None = None
    batches_done: int = 0
    done: int = 0
    started: float | None = None
    last: float | None = None
    unavailable: Unavailable = Unavailable()
    calls: Calls = Calls()
    estimate: Estimate | None = None
    outcome: str = ""
    code: str = ""
    why: str = ""
    said: tuple[tuple[float | None, str], ...] = ()

    @property
    def title(self) -> str:
        """The group and the name of the scale set."""
        parts = self.scale_set.split("/")
        return f"{parts[4]}/{parts[8]}" if len(parts) == 9 else self.scale_set


def view(lines: t.Iterable[bytes | str]) -> View:
    """Of a whole journal, or of what there is of it. Raises Refused for a schema that is not known."""
    found = View()
    for event in events(lines):
        found = fold(found, event)
    return found


def fold(before: View, event: Event) -> View:
    """The view after this event. One that is not as the schema has it changes nothing."""
    try:
        return _folded(before, all_printable(event))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return before


def _folded(before: View, event: Event) -> View:
    at = seconds_of(event.get("time"))
    after = replace(
        before,
        scale_set=str(event["scale_set"]),
        rollout=str(event.get("rollout") or ""),
        last=at if at is not None else before.last,
        calls=_calls(before.calls, event),
    )
    if does := FOLDS.get(str(event["event"])):
        after = does(after, event)
    if said := messages.progress(event):
        after = replace(after, said=(*after.said, (at, said))[-LAST_EVENTS:])
    return after


def _calls(before: Calls, event: Event) -> Calls:
    """A module counts from 0: where it counts less than the line before, it is the next call of the module."""
    if "calls" not in event:
        return before
    now, throttled = int(event["calls"]), float(event.get("throttled_seconds", 0))
    if now < before.now:
        before = Calls(before.all, 0, before.throttled, 0.0)
    return replace(before, now=now, throttled_now=throttled)


def _instances(view: View, event: Event) -> View:
    """All of them, so that what was told of others before is over."""
    domains = {str(one): str(label) for label, ids in event["domains"].items() for one in ids}
    return _states(replace(view, states={}, domains=domains), event)


def _states(view: View, event: Event) -> View:
    new = {str(one): str(label) for one, label in event.get("new", {}).items()}
    told = {str(one): str(state) for state, ids in event["states"].items() for one in ids}
    states = {one: state for one, state in {**view.states, **told}.items() if state != "gone"}
    now = int(event["unavailable"])
    unavailable = Unavailable(now, max(now, view.unavailable.most), int(event["allowed"]))
    return replace(view, states=states, domains={**view.domains, **new}, unavailable=unavailable)


def _planned(view: View, event: Event) -> View:
    """A run begins, or plans anew beside another controller."""
    told: dict[str, t.Any] = {
        name: type(usual)(event[name]) for name, usual in vars(Plan()).items() if event.get(name) is not None
    }
    plan = Plan(**told)
    fresh = View(view.scale_set, view.rollout, plan, view.states, view.domains, started=view.last, last=view.last)
    unavailable = replace(view.unavailable, most=view.unavailable.now)
    return replace(fresh, unavailable=unavailable, calls=Calls(now=view.calls.now))


def _batch_begins(view: View, event: Event) -> View:
    ids = tuple(str(one) for one in event["instances"])
    batch = Batch(int(event["number"]), int(event["of"]), str(event["label"]), ids, view.last or 0.0)
    return replace(view, batch=batch)


def _batch_ended(view: View, event: Event) -> View:
    end = seconds_of(event.get("estimated_end"))
    estimate = None if end is None else Estimate(end, int(event["estimated_from_batches"]))
    done = max(0, int(event["total"]) - int(event["remaining"]))
    return replace(view, batches_done=view.batches_done + 1, done=done, estimate=estimate)


def _task_file_due(view: View, event: Event) -> View:
    if event["hook"] != "health_check":
        return view
    return _put(view, event["instances"], {"current": "checking"})


def _task_file_ended(view: View, event: Event) -> View:
    if event["hook"] != "health_check":
        return view
    checked = [one for one, state in view.states.items() if state == "checking"]
    return _put(view, checked, {"checking": "current" if event["outcome"] == "done" else "failed"})


def _put(view: View, ids: t.Iterable[str], states: t.Mapping[str, str]) -> View:
    now = dict(view.states)
    now.update({one: states[now[one]] for one in ids if now.get(one) in states})
    return replace(view, states=now)


def _ended(view: View, event: Event) -> View:
    calls = Calls(now=int(event["all_calls"]), throttled_now=float(event["all_throttled_seconds"]))
    most = max(view.unavailable.most, int(event["max_seen"]))
    return replace(
        view,
        batch=None,
        estimate=None,
        outcome=str(event["outcome"]),
        code=str(event.get("code") or ""),
        why=str(event.get("why") or ""),
        calls=calls,
        unavailable=replace(view.unavailable, most=most),
    )


FOLDS: t.Final[dict[str, t.Callable[[View, Event], View]]] = {
    "instances": _instances,
    "states": _states,
    "planned": _planned,
    "batch_begins": _batch_begins,
    "batch_ended": _batch_ended,
    "task_file_due": _task_file_due,
    "task_file_ended": _task_file_ended,
    "ended": _ended,
}
