"""The JSON of rolling upgrades, their history and their lifecycle hook events."""

from __future__ import annotations

from typing import Any

from . import upgrade_policy
from .lifecycle_hooks import HookEvent
from .rolling_upgrade import RollingUpgrade
from .scale_set import ScaleSet
from .wire import SETS, Wire

KIND = f"{SETS}/rollingUpgrades"
# The history goes back two months, five upgrades at most.
HISTORY_SECONDS = 61 * 86400
HISTORY_LENGTH = 5


def latest(wire: Wire, owner: ScaleSet, api_version: str) -> dict[str, Any] | None:
    """None where nothing was ever rolled."""
    upgrade = owner.upgrade
    properties = owner.rolling_latest if upgrade is None else _properties(wire, owner, upgrade, api_version)
    if properties is None:
        return None
    return {"type": KIND, "location": owner.document["location"], "properties": properties}


def _properties(wire: Wire, owner: ScaleSet, upgrade: RollingUpgrade, api_version: str) -> dict[str, Any]:
    hidden = () if api_version >= upgrade_policy.LATER else upgrade_policy.LATER_DEFAULTS
    properties: dict[str, Any] = {
        "policy": {key: value for key, value in upgrade.policy.items() if key not in hidden},
        "runningStatus": {
            "lastAction": upgrade.last_action,
            "lastActionTime": wire.time(upgrade.last_action_time),
            "code": code(owner, upgrade, api_version),
            "startTime": wire.time(upgrade.started),
        },
        "progress": upgrade.progress(),
    }
    if upgrade.error is not None and not upgrade.running:
        properties["error"] = dict(upgrade.error)
    return properties


def code(owner: ScaleSet, upgrade: RollingUpgrade, api_version: str) -> str:
    """RollingBack is a word of 2026-04-01."""
    if upgrade.code == "RollingBack" and not (owner.knobs.rolling_back_shown and api_version >= "2026-04-01"):
        return "RollingForward"
    return upgrade.code


def history(wire: Wire, owner: ScaleSet, api_version: str) -> list[dict[str, Any]]:
    """The newest first; what the scenario says was there before comes last."""
    since = wire.world.now - HISTORY_SECONDS
    upgrades = [u for u in reversed(owner.upgrades) if u.kind == "os" and (u.ended is None or u.ended >= since)]
    items = [_historical(wire, owner, upgrade, api_version) for upgrade in upgrades]
    return [*items, *owner.os_history][:HISTORY_LENGTH]


def _historical(wire: Wire, owner: ScaleSet, upgrade: RollingUpgrade, api_version: str) -> dict[str, Any]:
    status = {"code": code(owner, upgrade, api_version), "startTime": wire.time(upgrade.started)}
    if upgrade.ended is not None:
        member = owner.knobs.history_end
        for name in ("completedTime", "endTime") if member == "both" else (member,):
            status[name] = wire.time(upgrade.ended)
    properties: dict[str, Any] = {"runningStatus": status, "progress": upgrade.progress()}
    if upgrade.error is not None and not upgrade.running:
        properties["error"] = dict(upgrade.error)
    properties["startedBy"] = upgrade.started_by
    properties["targetImageReference"] = upgrade.target_reference
    properties["rollbackInfo"] = {
        "successfullyRolledbackInstanceCount": upgrade.restored,
        "failedRolledbackInstanceCount": upgrade.restore_failed,
    }
    return {"type": KIND, "location": owner.document["location"], "properties": properties}


def hook_event(wire: Wire, owner: ScaleSet, event: HookEvent) -> dict[str, Any]:
    base = wire.set_id(owner)

    def resource(target: str) -> str:
        return wire.instance_id(owner, owner.instances[target]) if target in owner.instances else base

    return {
        "name": event.name,
        "id": f"{base}/lifecycleHookEvents/{event.name}",
        "type": f"{SETS}/lifecycleHookEvents",
        "properties": {
            "type": event.type,
            "waitUntil": wire.time(event.wait_until),
            "maxWaitUntil": wire.time(event.max_wait_until),
            "timeCreated": wire.time(event.created),
            "defaultAction": event.default_action,
            "targetResources": [
                {"resource": {"id": resource(target)}, "actionState": state} for target, state in event.targets.items()
            ],
            "state": event.state,
        },
    }
