# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hook events: what Azure asks before it goes on with an automatic OS upgrade, and what is answered.

Members: https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-set-life-cycle-hook-events
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._facts.domains import ranges
from .._facts.problems import Refused
from .._facts.times import seconds_of, timestamp

WAITING = "Waiting"
APPROVED = "Approved"
REJECTED = "Rejected"


@dataclass(frozen=True)
class Target:
    """What an event is about: an instance, or the scale set itself, whose `instance_id` is ""."""

    resource_id: str
    instance_id: str
    state: str  # Waiting, Approved, Rejected


@dataclass(frozen=True)
class LifecycleEvent:
    """One question of Azure's. Times are Azure's clock in seconds since the epoch."""

    name: str
    type: str  # UpgradeAutoOSScheduling, UpgradeAutoOSRollingBatchStarting
    active: bool
    targets: tuple[Target, ...] = ()
    default_action: str = ""  # what Azure does where nobody answers: Approve, Reject
    created: float | None = None
    wait_until: float | None = None
    max_wait_until: float | None = None

    @property
    def waiting(self) -> list[Target]:
        return [target for target in self.targets if target.state == WAITING] if self.active else []

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "type": self.type,
            "active": self.active,
            "default_action": self.default_action,
            "created": timestamp(self.created),
            "wait_until": timestamp(self.wait_until),
            "max_wait_until": timestamp(self.max_wait_until),
            "targets": [
                {"resource_id": one.resource_id, "instance_id": one.instance_id, "state": one.state}
                for one in self.targets
            ],
        }


def chosen(
    events: t.Sequence[LifecycleEvent], name: str, instance_ids: t.Sequence[str], scale_set: str
) -> list[tuple[LifecycleEvent, list[str]]]:
    """The event of that name, or every active one where it is "", with those of the instances that it is about.

    Raises Refused for a name that Azure does not know, and for an instance that no such event is about.
    """
    found = [event for event in events if (event.name.lower() == name.lower() if name else event.active)]
    if name and not found:
        known = ", ".join(event.name for event in events) or "none"
        raise Refused("event_not_found", f"scale set {scale_set} has no lifecycle hook event {name}. It has: {known}.")
    there = {target.instance_id for event in found for target in event.targets}
    if missing := sorted(set(instance_ids) - there):
        about = ranges(there - {""}) or "none"
        raise Refused(
            "event_not_found",
            f"no lifecycle hook event of scale set {scale_set} is about instance {', '.join(missing)}. There are such "
            f"events about: {about}.",
        )
    pairs = [(event, [i for i in instance_ids if i in {one.instance_id for one in event.targets}]) for event in found]
    return [(event, ids) for event, ids in pairs if ids or not instance_ids]


def answer(event: LifecycleEvent, state: str, instance_ids: t.Sequence[str]) -> dict[str, t.Any] | None:
    """The PATCH that sets these targets to Approved or Rejected, None where they are.

    It names every target of the event, for whether Azure merges or replaces the list is unverified. Without ids those
    that wait are meant. Raises Refused where the word comes too late.
    """
    named = [one for one in event.targets if one.instance_id in instance_ids]
    wanted = named if instance_ids else event.waiting if event.active else event.targets
    changed = [one for one in wanted if one.state != state]
    if not changed:
        return None
    if late := [one for one in changed if not event.active or one.state != WAITING]:
        names = ", ".join(one.instance_id or "the scale set" for one in late)
        how = f"is answered already: {names} {late[0].state.lower()}"
        if not event.active and late[0].state == WAITING:
            how = f"is over, and took its default action ({event.default_action or 'unknown'}): {names}"
        raise Refused("event_closed", f"lifecycle hook event {event.name} {how}.")
    states = {one.resource_id: state for one in changed}
    targets = [
        {"resource": {"id": one.resource_id}, "actionState": states.get(one.resource_id, one.state)}
        for one in event.targets
    ]
    return {"properties": {"targetResources": targets}}


def patched(event: LifecycleEvent, body: dict[str, t.Any] | None) -> LifecycleEvent:
    """The event as it will be after a PATCH that `answer` or `delay` made."""
    properties = (body or {}).get("properties", {})
    states = {one["resource"]["id"]: one["actionState"] for one in properties.get("targetResources", ())}
    return replace(
        event,
        targets=tuple(replace(one, state=states.get(one.resource_id, one.state)) for one in event.targets),
        wait_until=seconds_of(properties.get("waitUntil")) or event.wait_until,
    )


def not_stored(asked: LifecycleEvent, now: LifecycleEvent | None) -> str:
    """What of a PATCH Azure does not show: `asked` is the event as `patched` makes it. "" where it shows all."""
    if now is None:
        return f"lifecycle hook event {asked.name} is gone"
    states = {one.resource_id.lower(): one.state for one in now.targets}
    wrong = [
        f"{one.instance_id or 'the scale set'} is {states.get(one.resource_id.lower(), 'gone')}, not {one.state}"
        for one in asked.targets
        if one.state != WAITING and states.get(one.resource_id.lower()) != one.state
    ]
    if asked.wait_until is not None and now.active and (now.wait_until or 0.0) < asked.wait_until - 1:
        wrong.append(f"it waits until {timestamp(now.wait_until)}, not {timestamp(asked.wait_until)}")
    return f"lifecycle hook event {asked.name}: {', '.join(wrong)}" if wrong else ""


def delay(event: LifecycleEvent, until: float) -> dict[str, t.Any] | None:
    """The PATCH that makes Azure wait at least so long, None where it does. Raises Refused where it will not."""
    if event.wait_until is not None and event.wait_until >= until:
        return None
    if not event.active:
        raise Refused("event_closed", f"lifecycle hook event {event.name} is over and cannot be delayed.")
    if event.max_wait_until is not None and until > event.max_wait_until:
        raise Refused(
            "event_delay_too_long",
            f"lifecycle hook event {event.name} cannot be delayed until {timestamp(until)}: Azure waits until "
            f"{timestamp(event.max_wait_until)} at most.",
        )
    return {"properties": {"waitUntil": timestamp(until)}}
