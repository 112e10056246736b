# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a rollout for people and programs: as plain data, as text, and as Markdown for a pull request."""

from __future__ import annotations

import json
import re
import typing as t

from .._facts.domains import ranges

Document = t.Mapping[str, t.Any]
Format = t.Literal["text", "json", "markdown"]

_UNKNOWN = (
    "not known: set rollout_seconds_per_instance, or rollout_journal_dir where journals of earlier rollouts of this "
    "scale set are, written by a release with the same schema"
)
_SEVERITIES = ("error", "warning", "info")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


def shown(plan: Document, form: Format) -> t.Any:
    """What a task prints: the lines of a text, or plain data."""
    return dict(plan) if form == "json" else lines(plan, form)


def lines(plan: Document, form: Format) -> list[str]:
    """Those of a file."""
    if form == "json":
        return json.dumps(plan, indent=2, default=str).splitlines()
    return text(plan) if form == "text" else markdown(plan)


def span(seconds: float) -> str:
    """As a person says it: 45 s, 3 min 12 s, 25 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


# -- the parts, as sentences ------------------------------------------------------------------------


def heading(plan: Document) -> str:
    there = _count(plan["there"], "instance")
    parts = [plan["orchestration_mode"], there, _count(plan["domains"], "domain"), plan["location"]]
    return f"{plan['resource_group']}/{plan['name']}  {', '.join(filter(None, parts))}"


def runs(plan: Document) -> str:
    return ", ".join(f"{one['instances']} {one['image']}" for one in plan["running"]) or "no instances"


def outcome(plan: Document) -> str:
    """What a rollout would come to."""
    if plan["errors"]:
        return "would be refused, and nothing written"
    if plan["nothing_to_do"]:
        return "would be unchanged: nothing is to do"
    ids = [one for batch in plan["batches"] for one in batch["instance_ids"]]
    first = "the model is written, then " if plan["write_model"] else ""
    said = f"would be upgraded: {first}{_count(len(ids), 'instance')} in {_count(len(plan['batches']), 'batch')}"
    return f"{said}; it waits first: {plan['in_the_way']}" if plan["in_the_way"] else said


def batch(one: Document, counted: int) -> str:
    ids = one["instance_ids"]
    lasts = f"; about {span(one['seconds'])}" if one["seconds"] is not None else ""
    begun = ", started already" if one["adopted"] else ""
    return (
        f"{one['label']}, {_count(len(ids), 'instance')}: {ranges(ids)}{begun}; {one['available']} of {counted} "
        f"available{lasts}"
    )


def available(plan: Document) -> str:
    most = _count(plan["unavailable"]["max_allowed"], "instance")
    return f"{plan['lowest_available']} of {plan['counted']} at the least; {most} may be unavailable at once"


def duration(plan: Document) -> str:
    seconds, rests_on = plan["duration"]["seconds"], plan["duration"]["rests_on"]
    if seconds is None:
        return _UNKNOWN
    if rests_on == "given":
        return f"about {span(seconds)}, by rollout_seconds_per_instance and without your task files"
    journals = plan["duration"]["rollouts"]
    one = "the journal of 1 earlier rollout" if journals == 1 else f"the journals of {journals} earlier rollouts"
    return f"about {span(seconds)}, by {one} of this scale set"


def canary(plan: Document) -> str:
    price = plan["canary"]
    if price is None:
        return ""
    takes = f", about {span(price['seconds'])}" if price["seconds"] is not None else ""
    return f"{_count(price['batches'], 'batch')} more{takes}; rollout_canary: 0 turns it off"


def calls(plan: Document) -> str:
    found = plan["calls"]
    limits = [
        f"{one['busiest_minute']} {one['name']} (limit {one['a_minute']}, burst {one['burst']})"
        for one in found["limits"]
        if one["calls"]
    ]
    guess = "" if plan["duration"]["rests_on"] != "assumed" else " if an instance takes 3 minutes"
    over = [one["name"] for one in found["limits"] if one["busiest_minute"] > one["burst"]]
    waits = f"; Azure delays the {' and the '.join(over)}, and the rollout waits for it" if over else ""
    return (
        f"about {found['total']}{guess}, {found['writes']} of them writes; in the busiest minute "
        f"{', '.join(limits)}{waits}"
    )


def _reasons(by_id: t.Mapping[str, str]) -> str:
    return ", ".join(f"{one} ({why})" for one, why in by_id.items())


def _facts(plan: Document) -> list[tuple[str, str]]:
    """What is said in one line each, batches and findings aside; empty ones are left out."""
    works = bool(plan["batches"]) and not plan["errors"]
    found = [
        ("runs", runs(plan)),
        ("target", plan["target"]),
        ("outcome", outcome(plan)),
        ("available", available(plan) if works else ""),
        ("duration", duration(plan) if works else ""),
        ("canary", canary(plan) if works else ""),
        ("calls", "" if plan["errors"] else calls(plan)),
        ("suspends", ", ".join(plan["suspend"])),
        ("resumes", ", ".join(plan["resume"])),
        ("checks", ", ".join(ranges(one["instance_ids"]) for one in plan["check"])),
        ("skips", _reasons({**plan["left_alone"], **plan["busy"]})),
    ]
    return [(name, words) for name, words in found if words]


def _findings(plan: Document) -> list[Document]:
    return sorted(plan["findings"], key=lambda one: _SEVERITIES.index(one["severity"]))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 'es' if what == 'batch' else 's'}"


# -- the whole --------------------------------------------------------------------------------------


def text(plan: Document) -> list[str]:
    """Lines."""
    found = [heading(plan), *(f"  {name:<10} {words}" for name, words in _facts(plan))]
    found += [f"  {'batch ' + str(one['number']):<10} {batch(one, plan['counted'])}" for one in plan["batches"]]
    return found + [f"  {one['severity']:<10} {one['code']}: {one['sentence']}" for one in _findings(plan)]


def markdown(plan: Document) -> list[str]:
    """Lines, for a comment or the description of a pull request."""
    name, _gap, about = heading(plan).partition("  ")
    # No heading: a line that starts with two hashes may be a command of Azure Pipelines.
    found = [f"**Plan of the rollout to `{_code(name)}`**", "", _plain(about), "", "| | |", "|---|---|"]
    found += [f"| {name} | {_plain(words)} |" for name, words in _facts(plan)]
    if plan["batches"]:
        found += ["", "| batch | domain | instances | available | about |", "|---|---|---|---|---|"]
    for one in plan["batches"]:
        lasts = span(one["seconds"]) if one["seconds"] is not None else ""
        ids = f"{len(one['instance_ids'])}: {_plain(ranges(one['instance_ids']))}"
        left = f"{one['available']} of {plan['counted']}"
        found.append(f"| {one['number']} | {_plain(one['label'])} | {ids} | {left} | {lasts} |")
    if said := _findings(plan):
        found += ["", *(f"- **{one['severity']}** `{one['code']}`: {_plain(one['sentence'])}" for one in said)]
    return found


def _plain(words: str) -> str:
    """Azure's and the user's words as they are: no markup, no HTML, and nobody is notified."""
    return _MARKDOWN.sub(r"\\\1", words.replace("\n", " ")).replace("@", "&#64;")


def _code(words: str) -> str:
    return words.replace("`", "'").replace("\n", " ")
