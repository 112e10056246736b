# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of each instance in one word, as the journal keeps it and the map shows it."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from .._facts import availability, running_image
from .._facts.scale_set import Instance
from .survey import Survey

State = t.Literal[
    "current",
    "outdated",
    "down",
    "starting",
    "checking",
    "unhealthy",
    "failed",
    "protected",
    "deallocated",
    "skipped",
    "unproven",
    "gone",
]
States = t.Mapping[str, State]  # by instance id
_WITH_A_REASON = ("failed", "unhealthy", "skipped")


def states(survey: Survey, at_work: t.Collection[str] = ()) -> dict[str, State]:
    """By instance id. `at_work`: what this rollout has asked Azure to upgrade, and has not seen to the end."""
    return {i.instance_id: _state(survey, i, i.instance_id in at_work) for i in survey.instances}


def snapshot(survey: Survey, at_work: t.Collection[str] = ()) -> dict[str, t.Any]:
    """The facts of the event `instances`: all of them, by domain in the order of the rollout, and by state."""
    now = states(survey, at_work)
    by_domain = defaultdict(list)
    for instance_id, domain in survey.domain_of.items():
        by_domain[domain].append(instance_id)
    domains = {domain.label: ids for domain, ids in sorted(by_domain.items())}
    return {"domains": domains, **_shown(survey, now, at_work)}


def changes(before: States, survey: Survey, at_work: t.Collection[str] = ()) -> dict[str, t.Any] | None:
    """The facts of the event `states`: what is otherwise than `before`, None where all is as it was."""
    now = states(survey, at_work)
    changed: dict[str, State] = {one: state for one, state in now.items() if before.get(one) != state}
    changed |= {one: "gone" for one in before if one not in now}
    if not changed:
        return None
    new = {one: survey.domain_of[one].label for one in changed if one not in before}
    return {**_shown(survey, changed, at_work), **({"new": new} if new else {})}


def _shown(survey: Survey, shown: States, at_work: t.Collection[str]) -> dict[str, t.Any]:
    by_state = defaultdict(list)
    for instance_id, state in shown.items():
        by_state[state].append(instance_id)
    unavailable = {i.instance_id for i in survey.unavailable}.union(at_work)
    why = {
        i.instance_id: reason
        for i in survey.instances
        if shown.get(i.instance_id) in _WITH_A_REASON and (reason := _why(survey, i))
    }
    counts = {"unavailable": len(unavailable), "allowed": survey.max_unavailable}
    return {"states": dict(by_state), **counts, **({"why": why} if why else {})}


def _state(survey: Survey, instance: Instance, at_work: bool) -> State:
    if instance.instance_id in survey.excluded:
        return "failed"
    if not survey.is_counted(instance):
        return "gone" if instance.provisioning.lower() == "deleting" else "deallocated"
    verdict = survey.verdicts[instance.instance_id]
    if at_work and verdict != running_image.CURRENT:
        return "down"
    if not survey.available(instance):
        return _unavailable(instance)
    if at_work:
        return "checking"
    return "current" if verdict == running_image.CURRENT else _waiting(survey, instance)


def _unavailable(instance: Instance) -> State:
    if instance.provisioning == "Failed":
        return "unhealthy"
    if availability.in_service(instance):
        return "unhealthy" if instance.health == "unhealthy" else "starting"
    return "down"


def _waiting(survey: Survey, instance: Instance) -> State:
    """Of one in service that is not proven to run the target."""
    if instance.protected_from_actions:
        return "protected"
    verdict = survey.verdicts[instance.instance_id]
    if verdict == running_image.UNPROVEN:
        return "unproven"
    chosen = survey.selection.holds(instance) and verdict == running_image.OUTDATED
    return "outdated" if chosen and not survey.is_passed_over(instance) else "skipped"


def _why(survey: Survey, instance: Instance) -> str:
    if not survey.selection.holds(instance):
        return "not chosen"
    verdict = survey.verdicts[instance.instance_id]
    if verdict == running_image.NEWER:
        return "newer than the target"
    return survey.skip_reason(instance) or ("" if survey.available(instance) else survey.why_unavailable(instance))
