# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`rollout_busy: skip`: only who is busy is skipped, is named, and the rollout claims no more than it did."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Protocol

from draw import RECORD, Case
from reasons import AT_WORK
from world import World

# A look takes several requests, of which some may be slow or lost.
LOOK = 180.0
STOPPED = ("stopped", "stopping")
SUCCESS = ("upgraded", "unchanged")


class Warned(Protocol):
    @property
    def warnings(self) -> list[str]: ...


def named(result: dict[str, Any] | None) -> dict[str, str]:
    """Whom the rollout has skipped, and why."""
    return (result or {}).get("busy") or {}


def asked_for(case: Case) -> bool:
    return bool(case.variables.get("rollout_busy") == "skip")


def skips(case: Case, before: World, world: World, run: Warned, result: dict[str, Any] | None) -> Iterator[str]:
    """All that is wrong with what was skipped, and with what was not."""
    outcome, found = (result or {}).get("outcome", "refused"), named(result)
    if found and not asked_for(case):
        yield f"{sorted(found)} are skipped, and nobody has asked for that"
    look = world.last_read
    # A stop names whom it had skipped by then, and the way back may take long.
    since = look - LOOK if outcome in SUCCESS else world.first_read
    idle = sorted(key for key in found if not _busy(before, world, key, since, look))
    if idle:
        yield f"{idle} are skipped as busy, and were idle when they were last looked at"
    ours = {key for one in world.metrics["actions"] if one["by"] == "client" for key in one["instance_ids"]}
    if begun := sorted(ours & {*found}):
        yield f"{begun} are skipped, and this rollout has begun work on them itself"
    if unchosen := sorted(
        key for key in found if key in world.instances and not case.chosen(key, world.instances[key])
    ):
        yield f"{unchosen} are skipped, and were not chosen"
    if outcome in SUCCESS:
        yield from _claims(world, run, result or {}, found)
    yield from _waited(case, before, world, result)
    yield from _touched(case, world)


def _claims(world: World, run: Warned, result: dict[str, Any], found: dict[str, str]) -> Iterator[str]:
    """A success that has skipped somebody names each, and leaves the rollout open for the next run."""
    if not found:
        return
    said = " ".join(text for text in run.warnings if "skipped" in text)
    if silent := sorted(key for key in found if not re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", said)):
        yield f"{silent} were skipped, and no warning names them"
    if claimed := sorted(key for key in found if key in result.get("instances", {})):
        yield f"{claimed} were skipped, and are called {[result['instances'][key]['outcome'] for key in claimed]}"
    tags = world.scale_set["document"].get("tags") or {}
    if tags.get("steady-vmss-state") == "finished" and tags.get(RECORD) == result.get("id"):
        yield f"{sorted(found)} were skipped, and the record says finished"


def _waited(case: Case, before: World, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """Nobody who was busy before the rollout began may stop it."""
    if not asked_for(case) or (result or {}).get("code") != "instances_busy":
        return
    look = world.last_read
    busy = [key for key in world.instances if _busy(before, world, key, look - LOOK, look)]
    if busy and all(_always_busy(before, world, key, world.first_read, look) for key in busy):
        yield f"it stopped for {busy}, which were busy all the time and are to be skipped"


def _touched(case: Case, world: World) -> Iterator[str]:
    """What was stopped when it was last looked at is skipped, but for what this rollout has begun work on."""
    if not asked_for(case):
        return
    ours: set[str] = set()
    shown = {key for event in world.happened("show") for key in event["instance_ids"]}
    for action in world.metrics["actions"]:
        if action["by"] != "client":
            continue
        if stopped := sorted({*action.get("stopped", ())} - ours - shown):
            yield f"{action['action']} of {stopped}, which somebody has stopped and which are to be skipped"
        ours |= {*action["instance_ids"]}


def _states(before: World, world: World, key: str) -> Iterator[tuple[float, float, bool]]:
    """Since when, until when, and whether another client's work or wish was in the way of the instance."""
    state = {**before.instances.get(key, {"provisioning": "Creating", "power": "starting", "busy": None})}
    since = -math.inf
    for entry in world.timeline:
        if entry["instance"] == key and entry["what"] in ("provisioning", "power", "busy"):
            yield since, entry["time"], _is_busy(state)
            since, state[entry["what"]] = entry["time"], entry["to"]
    yield since, math.inf, _is_busy(state)


def _is_busy(state: dict[str, Any]) -> bool:
    return bool(state["busy"] or state["provisioning"] in AT_WORK or state["power"] in STOPPED)


def _busy(before: World, world: World, key: str, since: float, until: float) -> bool:
    """Whether it was busy, or was shown in words of tomorrow, at some time between."""
    words = any(
        key in event["instance_ids"] and event["time"] <= until and event["time"] + float(event["seconds"]) >= since
        for event in world.happened("show")
    )
    return words or any(b and t <= until and end >= since for t, end, b in _states(before, world, key))


def _always_busy(before: World, world: World, key: str, since: float, until: float) -> bool:
    there = [b for t, end, b in _states(before, world, key) if t < until and end > since and end > t]
    return key in before.instances and all(there)
