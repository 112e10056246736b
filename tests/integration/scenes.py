# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set that most tests roll an image through, and what the simulator says became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import harness
import side_by_side

StartSimulator = Callable[..., harness.Simulator]  # the fixture `simulator`

SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW = "24.04.202610010", "24.04.202611180"
GROUP, NAME = "shop", "web"
QUICK = {"upgrade": 60, "health_lag": 15, "write": 5, "create": 60, "model_only": 10}


def scale_set(
    capacity: int, knobs: Mapping[str, Any] | None = None, name: str = NAME, **members: Any
) -> dict[str, Any]:
    """One of `capacity` instances that runs OLD; `members` are more of the scenario's."""
    image = {**SERIES, "version": OLD}
    plain = {"name": name, "resource_group": GROUP, "capacity": capacity, "image": image}
    return {**plain, **members, "knobs": {**QUICK, **(knobs or {})}}


def scenario(capacity: int, knobs: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """A world of that one scale set, where NEW exists."""
    top = {key: members.pop(key) for key in ("events", "faults", "instance_faults", "seed", "server") if key in members}
    return several(scale_set(capacity, knobs, **members), **top)


def several(*scale_sets: Mapping[str, Any], **top: Any) -> dict[str, Any]:
    return {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": list(scale_sets), **top}


def roll(sim: harness.Simulator, playbook: str = "steady.vmss.upgrade_image", **options: Any) -> harness.Result:
    """Run the rollout to NEW; `variables` are more of the role's, the rest is `run_playbook`'s."""
    variables = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, "rollout_image": {"version": NEW}}
    return harness.run_playbook(playbook, sim, extra_vars={**variables, **options.pop("variables", {})}, **options)


def module(sim: harness.Simulator, name: str, **options: Any) -> dict[str, Any]:
    """Run one module on the scale set; `args` are more of the module's, the rest is `run_playbook`'s."""
    return harness.run_module(name, {"resource_group": GROUP, "name": NAME, **options.pop("args", {})}, sim, **options)


def truth(sim: harness.Simulator, name: str = NAME) -> dict[str, Any]:
    """The scale set as it really is: document, operations, instances."""
    found: dict[str, Any] = sim.state()["scale_sets"][name]
    return found


def versions(sim: harness.Simulator, name: str = NAME) -> dict[str, str]:
    """What each instance really runs."""
    return {key: instance["version"] for key, instance in truth(sim, name)["instances"].items()}


def judged(sim: harness.Simulator, name: str = NAME) -> dict[str, Any]:
    """The simulator's figures of the scale set, with its `batches`, and their instance ids as `ran`."""
    metrics = sim.metrics()
    batches = [batch for batch in metrics["batches"] if batch["scale_set"] == name]
    return {**metrics["scale_sets"][name], "batches": batches, "ran": [batch["instance_ids"] for batch in batches]}


def name_new(sim: harness.Simulator, *names: str) -> None:
    """Another hand has written NEW into the models, long ago."""
    reference = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW}}}}
    for name in names or [NAME]:
        sim.event({"do": "write", "scale_set": name, "patch": {"properties": reference}})
        while any(operation["status"] == "InProgress" for operation in truth(sim, name)["operations"]):
            time.sleep(0.02)
    sim.reset()


def upgrade(
    sim: harness.Simulator, options: Mapping[str, Mapping[str, Any]], **common: Any
) -> dict[str, dict[str, Any]]:
    """The module instance_upgrade on each scale set, side by side, with the set's own options. Results by scale set."""
    name_new(sim, *options)
    common = {"resource_group": GROUP, "max_unavailable": 1, **common}
    cases = {name: {"name": name, **common, **own} for name, own in options.items()}
    runs = side_by_side.run_module(sim, "instance_upgrade", cases, env={"ANSIBLE_FORKS": str(len(cases))})
    return {name: {"failed": run.rc != 0, **run.tasks[-1].result} for name, run in runs.items()}
