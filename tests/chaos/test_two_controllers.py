# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers with the same target share the work: together they take down no more than one may."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from draw import GROUP, NAME, NEW, OLD, SERIES
from harness import simulator, start_playbook
from world import World

VARIABLES = {
    "rollout_resource_group": GROUP,
    "rollout_scale_set": NAME,
    "rollout_image": {**SERIES, "version": NEW},
    "rollout_max_unavailable": "20%",
    "rollout_health_lag": 4,
    "rollout_version_lag": 4,
}


@pytest.mark.parametrize("apart", [0.0, 12.0], ids=["at once", "one after the other"])
def test_the_same_target(apart: float, tmp_path: Path) -> None:
    scale_set = {
        "name": NAME,
        "resource_group": GROUP,
        "capacity": 20,
        "image": {**SERIES, "version": OLD},
        "knobs": {"upgrade": {"uniform": [40, 80]}, "health_lag": 30, "write": 10},
    }
    world = {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": [scale_set]}
    with simulator(world, tmp_path / "azure", 20) as sim:
        runs = []
        for number in range(2):
            directory = tmp_path / f"controller-{number}"
            runs.append(start_playbook("steady.vmss.upgrade_image", sim, extra_vars=VARIABLES, directory=directory))
            time.sleep(0 if number else apart)
        results = [run.wait(600) for run in runs]
        after = World.of(sim)
    outcomes = [result.fact("rollout_result")["outcome"] for result in results]
    shares = [result.fact("rollout_result")["instances"] for result in results]
    sys.stdout.write(f"two controllers: {outcomes}, {[len(share) for share in shares]} instances\n")
    assert [result.rc for result in results] == [0, 0], [result.failures for result in results]
    assert set(outcomes) <= {"upgraded", "unchanged"}
    assert after.figures["unavailable"]["max"] <= 4
    assert after.figures["domains_down_at_once"] == 1
    assert after.figures["disks_replaced"] == dict.fromkeys(after.instances, 1)
    assert {i["version"] for i in after.instances.values()} == {NEW}
