# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout of two instances in two domains, as it should go; a test of the judge spoils something."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import judge
from draw import GROUP, NAME, NEW, OLD, RECORD, SERIES, Case
from world import World

SECRET = "s3cr3t-of-the-principal"
VERSION = "properties.virtualMachineProfile.storageProfile.imageReference.version"
OURS, THEIRS = "7f3c" * 8, "dead" * 8


@dataclass
class Ended:
    """What the judge reads of a run."""

    rc: int = 0
    output: str = "PLAY RECAP"
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Secretive:
    """What the judge reads of a simulator."""

    def secrets(self) -> list[str]:
        return [SECRET]


def document(version: str) -> dict[str, Any]:
    profile = {"storageProfile": {"imageReference": {**SERIES, "version": version}}}
    return {"tags": {"owner": "shop"}, "sku": {"capacity": 2}, "properties": {"virtualMachineProfile": profile}}


def instance(version: str, update_domain: int) -> dict[str, Any]:
    where = {"zone": None, "fault_domain": 0, "update_domain": update_domain}
    calm = {"power": "running", "available": True}
    calm |= {"provisioning": "Succeeded"} | dict.fromkeys(
        ("leaving", "protect_actions", "attached", "fell", "busy"), False
    )
    return {"version": version, **where, **calm}


def write(time: float, changes: dict[str, list[Any]], by: str = "client", **met: Any) -> dict[str, Any]:
    calm = {
        "mode": "Manual",
        "automatic_os_upgrade": False,
        "planned_on": 5.0,
        "tags": {"owner": "shop"},
        "upgraded": [],
    }
    return {"time": time, "by": by, "changes": changes, **calm, **met}


def theirs(time: float, changes: dict[str, list[Any]], **met: Any) -> dict[str, Any]:
    return write(time, changes, "another client", **met)


def action(key: str, what: str = "upgrade", time: float = 390.0, **flags: list[str]) -> dict[str, Any]:
    none: dict[str, list[str]] = {name: [] for name in ("spared", "protected", "stopped", "attached", "fallen")}
    return {"time": time, "by": "client", "action": what, "instance_ids": [key], **none, **flags}


def changed(time: float, key: str, what: str, to: Any) -> dict[str, Any]:
    return {"time": time, "instance": key, "what": what, "to": to}


@dataclass
class Rollout:
    """A rollout of two instances in two domains, as it should go; a test spoils something."""

    case: Case
    before: World
    after: World
    run: Ended
    result: dict[str, Any]
    asked: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def good(cls) -> Rollout:
        scenario: dict[str, Any] = {"scale_sets": [{"instances": {}}], "events": [], "faults": []}
        variables = {"rollout_resource_group": GROUP, "rollout_image": {**SERIES, "version": NEW}}
        case = Case(0, scenario, variables, "1", "domain")
        services = {"AutomaticRepairs": "Running"}
        metrics = {"batches": [], "non_get": [], "scale_sets": {NAME: {"disks_replaced": {}}}}
        metrics |= {"model_writes": [], "actions": [], "first_answers": {}, "accepted_writes": 0, "events": []}
        old = {"0": instance(OLD, 0), "1": instance(OLD, 1)}
        before = World({"instances": old, "document": document(OLD), "services": services}, metrics, [])
        batches = [
            {
                "by": "client",
                "instance_ids": [key],
                "taken_down": [key],
                "down_already": [],
                "there_then": 2,
                "model_read": 100.0 * number - 1,
                "started": 100.0 * number,
                "available": {key: 100.0 * number + 50},
            }
            for number, key in enumerate("01", 1)
        ]
        posts = [{"method": "POST", "operation": judge.UPGRADE, "instance_ids": [key]} for key in "01"]
        figures = {"disks_replaced": {"0": 1, "1": 1}, "domains_down_at_once": 1, "last_read": 400.0}
        after = World(
            {
                "instances": {"0": instance(NEW, 0), "1": instance(NEW, 1)},
                "document": document(NEW),
                "services": services,
            },
            {
                "batches": batches,
                "non_get": posts,
                "accepted_writes": 3,
                "scale_sets": {NAME: figures},
                "model_writes": [write(10, {VERSION: [OLD, NEW], f"tags.{RECORD}": [None, OURS]})],
                "actions": [action(key, time=100.0 * number) for number, key in enumerate("01", 1)],
                "events": [],
                "first_answers": {"VirtualMachineScaleSets_Get": 5.0},
            },
            [
                {"what": what, "instance": key, "to": NEW, "time": 100.0 * number + 30}
                for number, key in enumerate("01", 1)
                for what in ("image", "os_disk")
            ],
        )
        reports = {key: {"outcome": "upgraded", "image_after": {"version": NEW}} for key in "01"}
        result = {"outcome": "upgraded", "previous_image": {**SERIES, "version": OLD}, "instances": reports}
        return cls(case, before, copy.deepcopy(after), Ended(), result)

    def wrong(self, journals: Path) -> list[str]:
        case, before, after, run, asked = self.case, self.before, self.after, self.run, self.asked
        return list(judge.everything(case, before, after, run, self.result, Secretive(), journals, asked))

    @property
    def written(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.after.metrics["model_writes"]
        return found

    def stops(self, after: int, *, model: str = OLD, said: str = "") -> None:
        """It stopped after so many batches, with that image in the model."""
        self.result["outcome"], self.run.rc, self.run.failures = "stopped", 2, [f"scale set {NAME} {said}"]
        self.after.scale_set["document"] = document(model)
        for key in "01"[after:]:
            self.after.instances[key] = instance(OLD, int(key))
            self.result["instances"].pop(key, None)
        self.after.timeline[2 * after :] = []
        for name in ("batches", "actions"):
            self.after.metrics[name][after:] = []
        if model == OLD:
            self.written.append(write(300, {VERSION: [NEW, OLD]}, tags={RECORD: OURS}))

    def happens(self, time: float, do: str, *keys: str) -> None:
        """Another client does it, as was drawn."""
        self.case.events.append({"do": do})
        self.after.metrics["events"].append({"do": do, "time": time, "instance_ids": [*keys]})

    def worked_on(self, time: float, key: str, by: str) -> None:
        """Somebody else's work on an instance."""
        batch = {"by": by, "instance_ids": [key], "started": time, "taken_down": [], "available": {}}
        self.after.metrics["batches"].append(batch)

    def checked(self, *passed: bool) -> None:
        self.case = replace(self.case, check={"kind": "always"})
        self.asked = [
            {"number": number, "instance_ids": [str(number - 1)], "passed": one, "time": 100.0 * number + 60}
            for number, one in enumerate(passed, 1)
        ]


def wrong_after(change: Callable[[Rollout], None], directory: Path) -> list[str]:
    """What the judge finds of the good rollout once this has happened to it."""
    rollout = Rollout.good()
    change(rollout)
    return rollout.wrong(directory)
