"""Lifecycle hooks of automatic OS upgrades: events that wait for a client's word, or for their default action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ArmError
from .upgrade_policy import seconds

if TYPE_CHECKING:
    from .scale_set import ScaleSet
    from .world import World

SCHEDULING = "UpgradeAutoOSScheduling"
BATCH = "UpgradeAutoOSRollingBatchStarting"
DONE = {"Approve": "Approved", "Reject": "Rejected"}


@dataclass
class HookEvent:
    """`targets` maps instance id ("" is the set itself) to Waiting, Approved or Rejected."""

    name: str
    type: str
    created: float
    wait_until: float
    max_wait_until: float
    default_action: str
    targets: dict[str, str]
    then: Callable[[list[str]], None]
    state: str = "Active"


def ask(
    world: World, owner: ScaleSet, kind: str, instance_ids: list[str], then: Callable[[list[str]], None]
) -> str | None:
    """The new event's name; without a hook of this kind `then` is called at once with all targets approved."""
    targets = instance_ids or [""]
    hooks = (owner.document["properties"].get("lifecycleHooksProfile") or {}).get("lifecycleHooks") or []
    hook: dict[str, Any] | None = next((h for h in hooks if h.get("type") == kind), None)
    if hook is None:
        then(targets)
        return None
    event = HookEvent(
        world.new_id(),
        kind,
        world.now,
        world.now + seconds(str(hook.get("waitDuration", "PT30M"))),
        world.now + owner.knobs.hook_max_wait,
        str(hook.get("defaultAction", "Approve")),
        dict.fromkeys(targets, "Waiting"),
        then,
    )
    owner.hook_events[event.name] = event
    world.at(event.wait_until, lambda: _expire(world, event))
    return event.name


def _expire(world: World, event: HookEvent) -> None:
    if event.state != "Active":
        return
    if world.now < event.wait_until:
        world.at(event.wait_until, lambda: _expire(world, event))
        return
    for target, state in event.targets.items():
        if state == "Waiting":
            event.targets[target] = DONE[event.default_action]
    _settle(world, event)


def _settle(world: World, event: HookEvent) -> None:
    if event.state == "Active" and "Waiting" not in event.targets.values():
        event.state = "Completed"
        approved = [target for target, state in event.targets.items() if state == "Approved"]
        world.at(world.now, lambda: event.then(approved))


def update(world: World, event: HookEvent, states: dict[str, str], wait_until: float | None) -> None:
    """A client's word: `states` by instance id, and a later (or sooner) end of the wait."""
    if event.state != "Active":
        raise ArmError(
            409, "OperationNotAllowed", f"The lifecycle hook event '{event.name}' is not active and cannot be updated."
        )
    for target, state in states.items():
        if target not in event.targets or state not in ("Waiting", *DONE.values()):
            message = f"The target resource '{target}' or its action state '{state}' is invalid."
            raise ArmError(400, "InvalidParameter", message, target="targetResources")
    if wait_until is not None and wait_until > event.max_wait_until:
        raise ArmError(400, "InvalidParameter", "waitUntil must not be later than maxWaitUntil.", target="waitUntil")
    event.targets |= states
    if wait_until is not None:
        event.wait_until = wait_until
        world.at(wait_until, lambda: _expire(world, event))
    _settle(world, event)


def close(owner: ScaleSet, name: str | None) -> None:
    """The upgrade that asked is over."""
    if name is not None and name in owner.hook_events:
        owner.hook_events[name].state = "Completed"
