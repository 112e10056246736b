# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator's figures at one moment, and what of them is asked often."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from draw import NAME
from harness import Simulator

IMAGE = re.compile(r"properties[.]virtualMachineProfile[.]storageProfile[.](imageReference|osDisk[.]image)\b")
MODE = "properties.upgradePolicy.mode"


@dataclass(frozen=True)
class World:
    """The simulator's figures at one moment."""

    scale_set: dict[str, Any]
    metrics: dict[str, Any]
    timeline: list[dict[str, Any]]

    @classmethod
    def of(cls, sim: Simulator) -> World:
        return cls(sim.state()["scale_sets"][NAME], sim.metrics(), sim.timeline())

    @property
    def instances(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.scale_set["instances"]
        return found

    @property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = self.metrics["scale_sets"][NAME]
        return found

    def batches(self, by: str = "client") -> list[dict[str, Any]]:
        return [batch for batch in self.metrics["batches"] if batch["by"] == by]

    def writes(self, by: str = "client") -> list[dict[str, Any]]:
        """The writes of the set itself."""
        return [write for write in self.metrics["model_writes"] if write["by"] == by]

    @property
    def first_read(self) -> float:
        """When the rollout first read the set."""
        found: float = self.metrics["first_answers"].get("VirtualMachineScaleSets_Get", math.inf)
        return found

    @property
    def last_read(self) -> float:
        """When the rollout last read the instances."""
        found: float = self.figures["last_read"]
        return found

    def happened(self, *names: str) -> list[dict[str, Any]]:
        """What other clients have done by now, of what was drawn."""
        return [event for event in self.metrics["events"] if event["do"] in names]

    def model_image(self) -> str:
        """The version that the model names, or the id."""
        storage = self.scale_set["document"]["properties"]["virtualMachineProfile"]["storageProfile"]
        reference: dict[str, str] = storage["imageReference"]
        return reference.get("version") or reference["id"]

    def changes(self, what: str) -> Iterator[dict[str, Any]]:
        return (entry for entry in self.timeline if entry["what"] == what)


def of_image(write: dict[str, Any]) -> bool:
    return any(IMAGE.match(path) for path in write["changes"])


def new_tags(write: dict[str, Any]) -> dict[str, Any]:
    found = {path[5:]: new for path, (_old, new) in write["changes"].items() if path.startswith("tags.")}
    return {name: value for name, value in found.items() if value is not None}


def image_change(write: dict[str, Any]) -> str:
    return ", ".join(f"{old} to {new}" for path, (old, new) in write["changes"].items() if IMAGE.match(path))


def worker(world: World, key: str, by_then: float = math.inf) -> tuple[float, str]:
    """When work that replaces the disk of this instance was last begun by then, and by whom; "" where nobody has."""
    begun = [(one["started"], one["by"]) for one in world.metrics["batches"] if key in one["instance_ids"]]
    begun += [(one["time"], one["by"]) for one in world.metrics["model_writes"] if key in one["upgraded"]]
    begun += [(entry["time"], "Azure") for entry in world.changes("repair") if entry["instance"] == key]
    begun += [
        (one["time"], "another client") for one in world.happened("running_version") if key in one["instance_ids"]
    ]
    return max((one for one in begun if one[0] <= by_then), default=(-math.inf, ""))


def moved_by_others(world: World, key: str, since: float = -math.inf) -> bool:
    """Whether somebody else was the last to work on its disk, and began that after `since`."""
    when, who = worker(world, key)
    return who not in ("", "client") and when > since
