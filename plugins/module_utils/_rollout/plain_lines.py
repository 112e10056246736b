# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout as plain lines, for whatever is no terminal: a log, a pipe, a CI job. And as the summary of a job."""

from __future__ import annotations

import typing as t
from itertools import groupby

from .._facts.domains import ranges
from .._facts.foreign_text import LONGEST_MESSAGE, printable
from .._facts.journal_lines import Event
from .._facts.times import seconds_of, timestamp
from . import messages

_MOST_IDS = 60  # characters of the ids of a batch
_MOST_SIZES = 8
_TIMES = "\N{MULTIPLICATION SIGN}"
_ENDINGS = {
    "upgraded": "DONE",
    "unchanged": "UNCHANGED",
    "refused": "REFUSED",
    "stopped": "STOPPED",
    "rolled_back": "ROLLED BACK",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
}
# Of a batch, which is said as a whole; and what stops it, which is said with the code.
_NOT_SAID = {"upgraded", "upgrade_sent", "operation_ended", "stopped"}


def lines(event: Event, *, named: bool = False) -> list[str]:
    """What one event of a rollout says, [] for nothing. `named`: with the scale set, where several are rolled."""
    try:
        said = _SAYS.get(str(event.get("event")), _other)(event)
    except (AttributeError, KeyError, TypeError, ValueError):
        return []
    title = f"{_title(event)}  " if named else ""
    at = f"{clock(seconds_of(event.get('time')))}Z  {title}"
    return [printable(line.replace("\0", at), LONGEST_MESSAGE) for line in said]


def _title(event: Event) -> str:
    parts = str(event.get("scale_set")).split("/")
    return f"{parts[4]}/{parts[8]}" if len(parts) == 9 else "?"


def _planned(event: Event) -> list[str]:
    there = event["there"]
    what = f"{event['orchestration_mode']}, {there} instances, {event['domains']}"
    first = f"{_title(event)}  {what}, {event['location']}"
    ran = ", ".join(f"{short_image(image)} {_TIMES}{count}" for image, count in event["running"].items())
    latest = " (latest)" if event["latest"] else ""
    limit = f"limit {event['allowed']}" + (f" ({event['limit']})" if "%" in event["limit"] else "")
    second = f"  now {ran or 'no instances'}   to {short_image(event['target'])}{latest}   {limit}   {_sizes(event)}"
    return [first, f"{second}{_expected(event)}"]


def _expected(event: Event) -> str:
    seconds, calls = event.get("expected_seconds"), event.get("expected_calls")
    if not event["sizes"] or calls is None:
        return ""
    return f"{'' if seconds is None else f', about {lasted(seconds)}'}, about {calls} calls"


def _sizes(event: Event) -> str:
    sizes = list(event["sizes"])
    if not sizes:
        return "nothing to upgrade"
    canary = sizes[0] < max(sizes)
    rest = sizes[1:] if canary else sizes
    if len(rest) <= _MOST_SIZES:
        listed = "+".join(map(str, rest))
    else:
        runs = [(size, len(list(alike))) for size, alike in groupby(rest)]
        listed = "+".join(f"{count}{_TIMES}{size}" if count > 1 else str(size) for size, count in runs[:_MOST_SIZES])
        listed += "+…" if len(runs) > _MOST_SIZES else ""
    return f"canary {sizes[0]}, then {listed}" if canary else f"batches {listed}"


def _batch_begins(event: Event) -> list[str]:
    ids = [str(one) for one in event["instances"]]
    shown = ranges(ids)
    if len(shown) > _MOST_IDS:
        shown = f"{shown[:_MOST_IDS].rpartition(',')[0]},…"
    word = f"instance {shown}" if len(ids) == 1 else f"{len(ids)} instances {shown}"
    goes_on = ", started by an earlier run" if event.get("adopted") else ""
    canary = " canary" if event["canary"] else ""
    return [f"\0batch {event['number']}/{event['of']}{canary}  {event['label']}  {word}{goes_on}"]


def _batch_ended(event: Event) -> list[str]:
    size, upgraded, failed = event["size"], event["upgraded"], event["failed"]
    parts = [f"upgraded {upgraded}/{size}", f"failed {failed}/{size}" if failed else ""]
    done = f"{event['total'] - event['remaining']}/{event['total']}"
    end = seconds_of(event.get("estimated_end"))
    about = f", end about {clock(end)[:5]}Z" if end is not None else ""
    return [f"\0  {'  '.join(filter(None, parts))}  {lasted(event['seconds'])}   {done}{about}"]


def _task_file_ended(event: Event) -> list[str]:
    if event["outcome"] == "done":
        return [f"\0  {event['file']} ok"]
    return [f"\0  {event['file']} failed"]


def _rollout_stops(event: Event) -> list[str]:
    return [f"\0{'is refused' if event['refused'] else 'stops'}: {event['code']}: {event['why']}"]


def _rollback_begins(event: Event) -> list[str]:
    ids = [str(one) for one in event["instances"]]
    return [f"\0rolls {len(ids)} instances back to {short_image(event['target'])}: {ranges(ids)[:_MOST_IDS]}"]


def _ended(event: Event) -> list[str]:
    return [ending(event)]


def ending(event: Event) -> str:
    """The last line of a rollout, of its event `ended`."""
    word, title = _ENDINGS.get(event["outcome"], str(event["outcome"]).upper()), _title(event)
    calls = f"{event['all_calls']} calls"
    most = f"never more than {event['max_seen']} of {event['max_allowed']} unavailable"
    if event["outcome"] == "unchanged":
        return f"{word}  {title} runs {short_image(event['target'])}: nothing to do, {calls}"
    if event["outcome"] == "refused":
        return f"{word}  {title}: {event['code']}, nothing was upgraded, {calls}"
    upgraded = event["outcomes"].get("upgraded", 0)
    back = event["outcomes"].get("rolled_back", 0)
    done = f"{back} rolled back" if back else f"{upgraded}/{max(event['total'], upgraded)}"
    counted = f"{done} in {lasted(event['seconds'])}"
    resumed = "; repairs resumed" if "AutomaticRepairs" in event["resumed"] else ""
    on = f" on {short_image(event['target'])}" if event["outcome"] == "upgraded" else f" ({event['code']})"
    return f"{word}  {title}{on}: {counted}, {most}, {calls}{resumed}"


def _other(event: Event) -> list[str]:
    if event.get("event") in _NOT_SAID:
        return []
    said = messages.progress(event)
    return [f"\0  {said}"] if said else []


_SAYS: t.Final[dict[str, t.Callable[[Event], list[str]]]] = {
    "planned": _planned,
    "batch_begins": _batch_begins,
    "batch_ended": _batch_ended,
    "task_file_ended": _task_file_ended,
    "rollout_stops": _rollout_stops,
    "rollback_begins": _rollback_begins,
    "ended": _ended,
}


# -- parts of lines -----------------------------------------------------------------------------------


def clock(at: float | None) -> str:
    """The time of the day, UTC."""
    return (timestamp(at) or "--:--:--Z")[-9:-1]


def lasted(seconds: float) -> str:
    """Whole seconds as people say them: 3m12s, 1h02m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60:02}s" if whole < 3600 else f"{whole // 3600}h{whole % 3600 // 60:02}m"


def short_image(image: str) -> str:
    """Its version where it has one, else what it is called."""
    if image.count(":") == 3 and "/" not in image:
        return image.rpartition(":")[2]
    name = image.rstrip("/").rpartition("/")[2]
    return name or image
