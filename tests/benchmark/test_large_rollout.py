# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout over 100 instances, measured against the least that its own batches can take.

Every figure is a ratio or a count of this one run; the machine's absolute speed does not matter.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness import run_playbook, simulator

TIME_SCALE = float(os.environ.get("BENCH_TIME_SCALE", "4"))
OLD, NEW = "24.04.202609110", "24.04.202611180"
SCENARIO = {
    "seed": 2026,
    "location": "westeurope",
    "images": {
        "platform": [
            {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "versions": [OLD, NEW]},
        ]
    },
    "scale_sets": [
        {
            "name": "web",
            "resource_group": "shop",
            "capacity": 100,
            "image": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": OLD},
            "knobs": {"upgrade": {"lognormal": 180, "cv": 0.3}, "health_lag": 20},
        }
    ],
}
VARIABLES = {
    "rollout_resource_group": "shop",
    "rollout_scale_set": "web",
    "rollout_image": NEW,
    "rollout_max_unavailable": "20%",
}


@pytest.mark.filterwarnings("default")
def test_100_instances(tmp_path: Path) -> None:
    with simulator(SCENARIO, tmp_path / "azure", time_scale=TIME_SCALE) as azure:
        run = run_playbook("steady.vmss.upgrade_image", azure, extra_vars=VARIABLES, timeout=3600)
        assert run.rc == 0, run.output
        first = azure.metrics()
        azure.reset()
        again = run_playbook("steady.vmss.upgrade_image", azure, extra_vars=VARIABLES)
        second = azure.metrics()
    least = sum(max(batch["available"].values()) - batch["started"] for batch in first["batches"]) / TIME_SCALE
    web = first["scale_sets"]["web"]
    for number, batch in enumerate(first["batches"], 1):
        slowest = max(batch["available"].values()) - batch["started"]
        print(f"batch {number}: {len(batch['instance_ids'])} instances, slowest {slowest:.0f} s of Azure's time")
    print(f"wall {run.seconds:.1f} s, slowest instances {least:.1f} s, ratio {run.seconds / least:.3f} (at most 1.10)")
    print(f"ARM calls {first['arm_calls']} (at most 100): {first['by_operation']}")
    print(f"unavailable at most {web['unavailable']['max']} (20 allowed)")
    print(f"domains down at once {web['domains_down_at_once']} (1 allowed)")
    print(f"again: {second['arm_calls']} ARM calls (at most 6), {second['writes']} writes, {again.seconds:.1f} s")
    assert run.seconds >= 240, "raise the run's length: lower BENCH_TIME_SCALE"
    assert run.seconds <= 1.10 * least
    assert first["arm_calls"] <= 100
    assert web["unavailable"]["max"] <= 20
    assert web["domains_down_at_once"] == 1
    assert set(web["disks_replaced"].values()) == {1}
    assert len(web["disks_replaced"]) == 100
    assert again.rc == 0
    assert again.fact("rollout_result")["outcome"] == "unchanged"
    assert again.stats["localhost"]["changed"] == 0
    assert (second["arm_calls"] <= 6, second["writes"]) == (True, 0)
