# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hook events of a scale set: listed, answered, delayed."""

from __future__ import annotations

import typing as t

from .._arm import reading
from .._arm.client import Azure
from .._arm.errors import AzureError
from .._facts import documents, problems
from .._facts.problems import Refused
from .._facts.scale_set import ScaleSet
from .._facts.times import seconds_of
from .._options import LifecycleEventRequest
from .._orchestrator import lifecycle_events
from .._orchestrator.lifecycle_events import LifecycleEvent, Target

_STATES = {"approved": lifecycle_events.APPROVED, "rejected": lifecycle_events.REJECTED}

Events = list[dict[str, t.Any]]


def set_state(azure: Azure, request: LifecycleEventRequest, *, check_mode: bool) -> tuple[Events, Events]:
    """Answer or delay the events that are chosen; returns all events before and after.

    Each is judged as it is at its answer, which is what was read last, and read back. Raises Refused and AzureError.
    """
    state, until = request.state, seconds_of(request.until)
    if state == "delayed" and until is None:
        raise Refused(
            "option_invalid", f"until '{request.until or ''}' is not a time. Write it like 2026-11-21T04:00:00Z."
        )
    scale_set = azure.scale_set(request.resource_group, request.name)
    before = after = _events(azure, scale_set)
    name, ids = request.event or "", request.instance_ids

    def body(event: LifecycleEvent, mine: list[str]) -> dict[str, t.Any] | None:
        if until is not None and state == "delayed":
            return lifecycle_events.delay(event, until)
        return lifecycle_events.answer(event, _STATES[state], mine)

    chosen = lifecycle_events.chosen(before, name, ids, scale_set.name) if state != "listed" else []
    patches = {event.name: patch for event, mine in chosen if (patch := body(event, mine))}
    if check_mode:
        after = [lifecycle_events.patched(event, patches.get(event.name)) for event in before]
    done: list[str] = []
    for event_name in () if check_mode else patches:
        try:
            after = _answer(azure, scale_set, event_name, ids, body, after)
        except (Refused, AzureError) as error:
            if not done:
                raise
            raise Refused(error.code, f"{str(error).rstrip('.')}. Answered before that: {', '.join(done)}.") from error
        done.append(event_name)
    return [event.as_dict() for event in before], [event.as_dict() for event in after]


def _answer(
    azure: Azure,
    scale_set: ScaleSet,
    name: str,
    ids: t.Sequence[str],
    body: t.Callable[[LifecycleEvent, list[str]], dict[str, t.Any] | None],
    fresh: list[LifecycleEvent],
) -> list[LifecycleEvent]:
    """Answer one event as it was just read, and read it back; returns all events.

    Raises Refused where it is no longer to be answered so, and where Azure does not show the answer.
    """
    event = _named(fresh, name)
    if event is None:
        raise Refused("event_not_found", f"lifecycle hook event {name} of scale set {scale_set.name} is gone.")
    there = {target.instance_id for target in event.targets}
    patch = body(event, [i for i in ids if i in there])
    if patch is None:
        return fresh
    azure.write_lifecycle_event(scale_set, name, patch)
    after = _events(azure, scale_set)
    if wrong := lifecycle_events.not_stored(lifecycle_events.patched(event, patch), _named(after, name)):
        raise Refused(
            "write_not_stored", f"Azure took the answer and does not show it for scale set {scale_set.name}: {wrong}."
        )
    return after


def _named(events: t.Iterable[LifecycleEvent], name: str) -> LifecycleEvent | None:
    return next((event for event in events if event.name == name), None)


def _events(azure: Azure, scale_set: ScaleSet) -> list[LifecycleEvent]:
    """None where the scale set has never had a hook."""
    try:
        return [read(item) for item in azure.lifecycle_events(scale_set)]
    except AzureError as error:
        if error.problem.kind != problems.MISSING:
            raise
        return []


def read(document: t.Mapping[str, t.Any]) -> LifecycleEvent:
    properties = documents.at(document, "properties")
    listed = documents.at(properties, "targetResources")
    targets = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return LifecycleEvent(
        name=str(document.get("name") or ""),
        type=str(documents.at(properties, "type") or ""),
        active=str(documents.at(properties, "state") or "").lower() == "active",
        targets=tuple(_target(item) for item in targets),
        default_action=str(documents.at(properties, "defaultAction") or ""),
        created=reading.moment(documents.at(properties, "timeCreated")),
        wait_until=reading.moment(documents.at(properties, "waitUntil")),
        max_wait_until=reading.moment(documents.at(properties, "maxWaitUntil")),
    )


def _target(item: t.Mapping[str, t.Any]) -> Target:
    resource_id = str(documents.at(item, "resource", "id") or "")
    state = str(documents.at(item, "actionState") or "")
    return Target(resource_id, reading.part_of_id(resource_id, "virtualMachines"), state[:1].upper() + state[1:])
