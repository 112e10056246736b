"""A simulated scale set whose instances run the old version of an image of which a newer one is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from simulator import wire_rolling
from simulator.scale_set import ScaleSet
from simulator.scenario import build
from simulator.wire import Wire
from simulator.world import World

OLD, NEW = "1.0.1", "1.0.2"
IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": "latest"}
FIXED = {"upgrade": 60, "health_lag": 20, "write": 10, "noop": 1, "create": 30, "delete": 5}


def started(
    capacity: int = 10,
    *,
    policy: dict[str, Any] | None = None,
    automatic: dict[str, Any] | None = None,
    faults: list[dict[str, Any]] | None = None,
    knobs: dict[str, Any] | None = None,
    published: bool = True,
    properties: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[World, ScaleSet]:
    """A set whose instances run the old version of an image of which (as a rule) a newer one is there."""
    upgrade_policy: dict[str, Any] = {"rollingUpgradePolicy": policy or {}}
    if automatic is not None:
        upgrade_policy["automaticOSUpgradePolicy"] = automatic
    data = {
        "images": {
            "platform": [
                {"publisher": "p", "offer": "o", "sku": "s", "versions": [OLD, NEW] if published else [OLD]},
            ]
        },
        "instance_faults": faults or [],
        "scale_sets": [
            {
                "name": "web",
                "resource_group": "rg",
                "capacity": capacity,
                "image": IMAGE,
                "running": OLD,
                "knobs": {**FIXED, "automatic_delay": 100, "automatic_first_delay": 200, **(knobs or {})},
                "properties": {"upgradePolicy": upgrade_policy, **(properties or {})},
                **more,
            }
        ],
    }
    world = build(data, datetime(2026, 1, 1)).world
    owner = world.find("rg", "web")
    assert owner is not None
    return world, owner


def versions(owner: ScaleSet) -> list[str | None]:
    return [i.image.exact for i in owner.instances.values()]


def finished(world: World, owner: ScaleSet, seconds: float = 36000) -> str:
    world.advance(world.now + seconds)
    assert owner.upgrade is not None and not owner.upgrade.running
    return owner.upgrade.code


def latest(world: World, owner: ScaleSet, version: str = "2026-04-01") -> dict[str, Any]:
    body = wire_rolling.latest(Wire(world, "s"), owner, version)
    assert body is not None
    properties: dict[str, Any] = body["properties"]
    return properties


def history(world: World, owner: ScaleSet) -> list[dict[str, Any]]:
    return [item["properties"] for item in wire_rolling.history(Wire(world, "s"), owner, "2026-04-01")]
