# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set that most tests roll an image through, and what the simulator says became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import harness

StartSimulator = Callable[..., harness.Simulator]  # the fixture `simulator`

SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW = "24.04.202610010", "24.04.202611180"
GROUP, NAME = "shop", "web"
QUICK = {"upgrade": 60, "health_lag": 15, "write": 5, "create": 60, "model_only": 10}


def scenario(capacity: int, knobs: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """One scale set of `capacity` instances that runs OLD while NEW exists; `members` are more of the scale set's."""
    top = {key: members.pop(key) for key in ("events", "faults", "instance_faults", "server") if key in members}
    scale_set = {"name": NAME, "resource_group": GROUP, "capacity": capacity, "image": {**SERIES, "version": OLD}}
    return {
        "images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]},
        "scale_sets": [{**scale_set, **members, "knobs": {**QUICK, **(knobs or {})}}],
        **top,
    }


def roll(sim: harness.Simulator, playbook: str = "steady.vmss.upgrade_image", **options: Any) -> harness.Result:
    """Run the rollout to NEW; `variables` are more of the role's, the rest is `run_playbook`'s."""
    variables = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, "rollout_image": {"version": NEW}}
    return harness.run_playbook(playbook, sim, extra_vars={**variables, **options.pop("variables", {})}, **options)


def module(sim: harness.Simulator, name: str, **options: Any) -> dict[str, Any]:
    """Run one module on the scale set; `args` are more of the module's, the rest is `run_playbook`'s."""
    return harness.run_module(name, {"resource_group": GROUP, "name": NAME, **options.pop("args", {})}, sim, **options)


def truth(sim: harness.Simulator) -> dict[str, Any]:
    """The scale set as it really is: document, operations, instances."""
    found: dict[str, Any] = sim.state()["scale_sets"][NAME]
    return found


def versions(sim: harness.Simulator) -> dict[str, str]:
    """What each instance really runs."""
    return {key: instance["version"] for key, instance in truth(sim)["instances"].items()}


def judged(sim: harness.Simulator) -> dict[str, Any]:
    """The simulator's figures of the scale set, with its `batches` by instance ids."""
    metrics = sim.metrics()
    return {**metrics["scale_sets"][NAME], "ran": [batch["instance_ids"] for batch in metrics["batches"]]}


def name_new(sim: harness.Simulator) -> None:
    """Another hand has written NEW into the model, long ago."""
    reference = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW}}}}
    sim.event({"do": "write", "scale_set": NAME, "patch": {"properties": reference}})
    while any(operation["status"] == "InProgress" for operation in truth(sim)["operations"]):
        time.sleep(0.02)
    sim.reset()
