# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout over 100 and over 10 instances, measured against the least that its own batches can take.

Every figure is a ratio or a count of this one run; the machine's absolute speed does not matter.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import run_playbook, simulator

OLD, NEW = "24.04.202609110", "24.04.202611180"
SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
MOST = 1.06  # of the sum over the batches of the slowest instance and its health lag
VARIABLES = {
    "rollout_resource_group": "shop",
    "rollout_scale_set": "web",
    "rollout_image": NEW,
    "rollout_max_unavailable": "20%",
}


@dataclass(frozen=True)
class Case:
    """`down`: how many instances 20 % are."""

    instances: int
    knobs: dict[str, Any]
    time_scale: float
    down: int
    calls: int


CASES = {
    "100": Case(100, {"upgrade": {"lognormal": 180, "cv": 0.3}, "health_lag": 20}, 4, 20, 85),
    "10": Case(10, {"upgrade": 60, "health_lag": 20}, 1, 2, 70),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", list(CASES))
def test_a_rollout_takes_what_its_batches_take(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    time_scale = float(os.environ.get("BENCH_TIME_SCALE", case.time_scale))
    scale_set = {
        "name": "web",
        "resource_group": "shop",
        "capacity": case.instances,
        "image": {**SERIES, "version": OLD},
        "knobs": case.knobs,
    }
    scenario = {
        "seed": 2026,
        "location": "westeurope",
        "images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]},
        "scale_sets": [scale_set],
    }
    with simulator(scenario, tmp_path / "azure", time_scale=time_scale) as azure:
        run = run_playbook("steady.vmss.upgrade_image", azure, extra_vars=VARIABLES, timeout=3600)
        assert run.rc == 0, run.output
        first = azure.metrics()
        azure.reset()
        again = run_playbook("steady.vmss.upgrade_image", azure, extra_vars=VARIABLES)
        second = azure.metrics()
    slowest = [max(batch["available"].values()) - batch["started"] for batch in first["batches"]]
    least = sum(slowest) / time_scale
    web = first["scale_sets"]["web"]
    for number, (batch, seconds) in enumerate(zip(first["batches"], slowest, strict=True), 1):
        print(f"batch {number}: {len(batch['instance_ids'])} instances, slowest {seconds:.0f} s of Azure's time")
    print(
        f"wall {run.seconds:.1f} s, slowest instances {least:.1f} s, ratio {run.seconds / least:.3f} (at most {MOST})"
    )
    print(f"ARM calls {first['arm_calls']} (at most {case.calls}): {first['by_operation']}")
    print(f"unavailable at most {web['unavailable']['max']} ({case.down} allowed)")
    print(f"domains down at once {web['domains_down_at_once']} (1 allowed)")
    print(f"again: {second['arm_calls']} ARM calls (at most 6), {second['writes']} writes, {again.seconds:.1f} s")
    assert run.seconds >= 240, "raise the run's length: lower BENCH_TIME_SCALE"
    assert run.seconds <= MOST * least
    assert first["arm_calls"] <= case.calls
    assert web["unavailable"]["max"] <= case.down
    assert web["domains_down_at_once"] == 1
    assert set(web["disks_replaced"].values()) == {1}
    assert len(web["disks_replaced"]) == case.instances
    assert again.rc == 0
    assert again.fact("rollout_result")["outcome"] == "unchanged"
    assert again.stats["localhost"]["changed"] == 0
    assert (second["arm_calls"] <= 6, second["writes"]) == (True, 0)
