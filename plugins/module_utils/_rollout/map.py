# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map of a scale set: a row a domain, a cell an instance; above it where the rollout stands, below it the last
events.
"""

from __future__ import annotations

import typing as t
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass

from .._facts.foreign_text import printable
from .journal_view import View
from .plain_lines import clock, lasted, short_image


@dataclass(frozen=True)
class Look:
    """Of a state: its letter, and its colour as the parameters of a terminal's SGR."""

    letter: str
    colour: str = ""


# The colours of Okabe and Ito, which the colour-blind tell apart too, as near as 256 colours come and as can
# be read on black and on white. What needs a look stands out without them too: its letter is upper case.
LOOKS: t.Final[dict[str, Look]] = {
    "failed": Look("F", "7;1;38;5;166"),
    "unhealthy": Look("U", "1;38;5;166"),
    "down": Look("D", "1;38;5;172"),
    "starting": Look("S", "38;5;172"),
    "checking": Look("K", "38;5;38"),
    "outdated": Look("o", "38;5;244"),
    "current": Look("c", "38;5;32"),
    "unproven": Look("?", "38;5;169"),
    "protected": Look("p", "38;5;169"),
    "deallocated": Look("z", "38;5;244"),
    "skipped": Look("x", "38;5;169"),
}
_ORDER = list(LOOKS)  # the first is the most urgent
_UNKNOWN = Look("?")

Span = tuple[str, str]  # text, and the state that it is coloured by, "" for none
Line = tuple[Span, ...]


def frame(views: t.Sequence[View], size: tuple[int, int], now: float, events: int = 3) -> list[Line]:
    """The maps of several scale sets, one below the other. `size`: columns and lines. `events`: the last ones."""
    width, height = size
    shown = [view for view in views if view.states]
    if not shown or width < 20:
        return []
    each = height // len(shown)
    if each < 8:
        return [_summary(view, width, now) for view in shown][:height]
    return [line for view in shown for line in one_map(view, (width, each), now, events)]


def one_map(view: View, size: tuple[int, int], now: float, events: int = 3) -> list[Line]:
    """At most so many lines, none wider than the columns."""
    width, height = size
    head = [((fit(line, width), ""),) for line in header(view, now)]
    tail = [((fit(line, width), ""),) for line in _last_events(view, min(events, max(0, height - len(head) - 6)))]
    room = max(1, height - len(head) - len(tail) - 1)
    rows, most = _rows(view, width, room)
    legend = _legend(view, width, most)
    return [*head, *rows[:room], legend, *tail][:height]


def header(view: View, now: float) -> list[str]:
    """Where it stands. `now`: POSIX seconds."""
    plan, unavailable, calls = view.plan, view.unavailable, view.calls
    counted = f"{len(view.states)} instances"
    what = ", ".join(filter(None, (plan.orchestration_mode, counted, plan.domains, plan.location)))
    target = f"   to {short_image(plan.target)}" if plan.target else ""
    down = f"unavailable {unavailable.now} now, {unavailable.most} at most, {unavailable.allowed} allowed"
    throttled = f"throttled for {calls.throttled:.0f} s" if calls.throttled else "not throttled"
    return [
        f"{view.title}  {what}{target}",
        f"{_batch(view, now)}{_done(view)}",
        _times(view, now),
        f"{down}   {calls.all} calls, {throttled}",
    ]


def _batch(view: View, now: float) -> str:
    batch = view.batch
    if view.outcome:
        return view.outcome + (f" ({view.code})" if view.code else "")
    if batch is None:
        return f"{view.plan.batches} batches planned" if view.plan.batches else "no batch yet"
    return f"batch {batch.number}/{batch.of} {short_label(batch.label)} for {lasted(now - batch.begun)}"


def _done(view: View) -> str:
    return f"   {view.done}/{view.plan.instances} instances done" if view.plan.instances else ""


def _times(view: View, now: float) -> str:
    if view.started is None:
        return ""
    until = view.last if view.outcome and view.last is not None else now
    elapsed = f"elapsed {lasted(until - view.started)}"
    if view.outcome or not view.plan.batches:
        return elapsed
    if view.estimate is None:
        return elapsed if view.batches_done else f"{elapsed}   end unknown before a batch"
    many = view.estimate.from_batches
    rests = "the last batch" if many == 1 else f"the last {many} batches"
    return f"{elapsed}   end about {clock(view.estimate.end)[:5]}Z, by {rests}"


def _summary(view: View, width: int, now: float) -> Line:
    unavailable = view.unavailable
    return ((fit(f"{view.title}  {_batch(view, now)}{_done(view)}   unavailable {unavailable.now}", width), ""),)


def _last_events(view: View, many: int) -> list[str]:
    said = [one for one in view.said if one[1]]
    return [f"{clock(at)}  {printable(words)}" for at, words in said[len(said) - many :]] if many else []


# -- the rows -----------------------------------------------------------------------------------------


def _rows(view: View, width: int, room: int) -> tuple[list[Line], int]:
    """The rows, and how many instances a cell is at the most: the widest form that fits."""
    domains = _by_domain(view)
    label = max((len(short_label(one)) for one in domains), default=0)
    if label + 4 > width // 2:
        label = width // 4
    tail = max((len(_tail(one)) for one in view.states), default=1)
    for cell in (tail + 2, 1):
        rows = _wrapped(view, domains, (label, cell), width)
        if len(rows) <= room:
            return rows, 1
    largest = max(map(len, domains.values()))
    for many in range(1, largest + 1):
        columns = sum(len(short_label(one)) + 3 + -(-len(ids) // many) for one, ids in domains.items())
        if columns > room * width and many < largest:
            continue
        rows = _flowing(view, domains, many, width)
        if len(rows) <= room:
            break
    return rows, many


def _by_domain(view: View) -> dict[str, list[str]]:
    found = defaultdict(list)
    for one, label in view.domains.items():
        if one in view.states:
            found[label].append(one)
    if rest := [one for one in view.states if one not in view.domains]:
        found["other"] += rest
    return dict(found)


def _wrapped(view: View, domains: t.Mapping[str, list[str]], sizes: tuple[int, int], width: int) -> list[Line]:
    """Each domain begins a line. `sizes`: columns of the label and of a cell; a cell of one is a letter."""
    label, cell = sizes
    each = max(1, (width - label - 2) // cell)
    rows: list[Line] = []
    for domain, ids in domains.items():
        for first in range(0, len(ids), each):
            head = short_label(domain)[:label] if not first else ""
            cells = [(_cell(view, one, cell), view.states[one]) for one in ids[first : first + each]]
            rows.append(((f"{head:<{label}}  ", ""), *_joined(cells)))
    return rows


def _flowing(view: View, domains: t.Mapping[str, list[str]], many: int, width: int) -> list[Line]:
    """One domain after the other on the same line. `many`: instances of a cell, which shows the most urgent of them."""
    spans: list[Span] = []
    for domain, ids in domains.items():
        spans += [(f"{short_label(domain)} ", "")]
        groups = [ids[first : first + many] for first in range(0, len(ids), many)]
        urgent = [min((view.states[one] for one in group), key=_urgency) for group in groups]
        spans += [(_look(state).letter, state) for state in urgent] + [("  ", "")]
    lines: list[list[Span]] = [[]]
    column = 0
    for text, state in spans:
        if column + len(text) > width:
            lines.append([])
            column = 0
        lines[-1].append((text[:width], state))
        column += len(text)
    return [_joined(line) for line in lines]


def _cell(view: View, one: str, columns: int) -> str:
    letter = _look(view.states[one]).letter
    return letter if columns == 1 else f"{letter}{_tail(one):<{columns - 1}}"


def _tail(instance_id: str) -> str:
    """Enough of an id to know it by: of a Flexible set's, what follows the name of the set."""
    return printable(instance_id).rpartition("_")[2][-10:]


def _joined(spans: t.Sequence[Span]) -> Line:
    """Neighbours of one state as one span."""
    found: list[Span] = []
    for text, state in spans:
        if found and found[-1][1] == state:
            found[-1] = (found[-1][0] + text, state)
        else:
            found.append((text, state))
    return tuple(found)


def _legend(view: View, width: int, many: int) -> Line:
    counts = Counter(view.states.values())
    spans: list[Span] = []
    for state in sorted(counts, key=_urgency):
        spans += [(_look(state).letter, state), (f" {counts[state]} {state}  ", "")]
    if many > 1:
        spans.append((f"(a letter is up to {many} instances, the most urgent of them)", ""))
    shown: list[Span] = []
    for text, state in spans:
        left = width - sum(len(one) for one, _state in shown)
        shown += [(text[:left], state)] if left > 0 else []
    return tuple(shown)


def _urgency(state: str) -> int:
    return _ORDER.index(state) if state in LOOKS else len(_ORDER)


def _look(state: str) -> Look:
    return LOOKS.get(state, _UNKNOWN)


def short_label(label: str) -> str:
    """Of a domain: `zone 1, update domain 0` as `zone 1 UD 0`."""
    short = printable(label).replace("update domain", "UD").replace("fault domain", "FD")
    return short.replace(",", "").replace("all instances", "all")


# -- as text ------------------------------------------------------------------------------------------


def fit(text: str, width: int) -> str:
    """No more of the text than the columns hold: what East Asia writes takes two of them."""
    columns = 0
    for position, one in enumerate(text):
        columns += 2 if unicodedata.east_asian_width(one) in "WF" else 1
        if columns > width:
            return text[:position]
    return text


def plain(line: Line) -> str:
    return "".join(text for text, _state in line).rstrip()


def coloured(line: Line) -> str:
    """For a terminal."""
    return "".join(
        f"\x1b[{colour}m{text}\x1b[0m" if (colour := _look(state).colour if state else "") else text
        for text, state in line
    )
