# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's real throttling buckets, which fill by the wall clock, and 100 instances."""

from __future__ import annotations

import sys
from pathlib import Path

from draw import GROUP, NAME, NEW, OLD, SERIES
from harness import run_playbook, simulator
from world import World

# Batches follow each other faster than in Azure, so the buckets are harder to live with than there.
TIME_SCALE = 10


def test_100_instances(tmp_path: Path) -> None:
    scale_set = {
        "name": NAME,
        "resource_group": GROUP,
        "capacity": 100,
        "image": {**SERIES, "version": OLD},
        "knobs": {"upgrade": {"lognormal": 120, "cv": 0.3}, "health_lag": 20},
    }
    world = {
        "server": {"throttle": "on"},
        "images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]},
        "scale_sets": [scale_set],
        # One that no care avoids: another client has emptied the bucket.
        "faults": [
            {
                "operation": "VirtualMachineScaleSetVMs_List",
                "action": "throttle",
                "retry_after": 5,
                "after_calls": 3,
                "times": 1,
            }
        ],
    }
    variables = {
        "rollout_resource_group": GROUP,
        "rollout_scale_set": NAME,
        "rollout_image": {**SERIES, "version": NEW},
        "rollout_health_lag": 12,
        "rollout_version_lag": 12,
    }
    with simulator(world, tmp_path / "azure", TIME_SCALE) as sim:
        run = run_playbook("steady.vmss.upgrade_image", sim, extra_vars=variables, timeout=1200)
        after = World.of(sim)
    assert run.rc == 0, run.output[-5000:]
    arm = run.fact("rollout_result")["arm"]
    sys.stdout.write(f"throttled: {run.seconds:.0f} s, {after.metrics['throttles']} rejected, {arm}\n")
    assert after.metrics["throttles"] <= 2
    assert 5 <= arm["throttled_seconds"] <= 10 * after.metrics["throttles"]
    assert {i["version"] for i in after.instances.values()} == {NEW}
    assert after.figures["disks_replaced"] == dict.fromkeys(after.instances, 1)
    assert after.figures["unavailable"]["max"] <= 20
