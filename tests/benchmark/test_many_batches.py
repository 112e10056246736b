# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""300 batches of one instance: more turns than Ansible nests includes, more results than one argument carries."""

from __future__ import annotations

from pathlib import Path

from harness import run_playbook, simulator

OLD, NEW = "24.04.202609110", "24.04.202611180"
INSTANCES = 300
SCENARIO = {
    "images": {
        "platform": [{"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "versions": [OLD, NEW]}]
    },
    "server": {"buckets": 100},
    "scale_sets": [
        {
            "name": "web",
            "resource_group": "shop",
            "capacity": INSTANCES,
            "image": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": OLD},
            "knobs": {"upgrade": 60, "health_lag": 5, "write": 5},
        }
    ],
}
VARIABLES = {
    "rollout_resource_group": "shop",
    "rollout_scale_set": "web",
    "rollout_image": NEW,
    "rollout_batch_size": "1",
}


def test_300_batches(tmp_path: Path) -> None:
    with simulator(SCENARIO, tmp_path / "azure", time_scale=600) as azure:
        run = run_playbook("steady.vmss.upgrade_image", azure, extra_vars=VARIABLES, timeout=3600)
        metrics = azure.metrics()
        instances = azure.state()["scale_sets"]["web"]["instances"]
    assert run.rc == 0, run.output[-5000:]
    result = run.fact("rollout_result")
    calls = metrics["arm_calls"] / INSTANCES
    print(f"{run.seconds:.0f} s, {run.seconds / INSTANCES:.2f} s and {calls:.1f} ARM calls for each batch")
    print(f"at most {run.peak_memory_mb:.0f} MB in one process")
    assert [batch["instance_ids"] for batch in metrics["batches"]] == [
        [instance] for domain in range(5) for instance in sorted(instances, key=int) if int(instance) % 5 == domain
    ]
    assert {instance["version"] for instance in instances.values()} == {NEW}
    assert {instance["disks_replaced"] for instance in instances.values()} == {1}
    assert metrics["scale_sets"]["web"]["unavailable"]["max"] == 1
    assert [batch["number"] for batch in result["batches"]] == list(range(1, INSTANCES + 1))
    assert (result["outcome"], len(result["instances"])) == ("upgraded", INSTANCES)
