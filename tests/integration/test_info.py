# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading large scale sets, and touching no instance but the chosen ones."""

from __future__ import annotations

import copy
from typing import Any

import harness
import pytest
from scenes import GROUP, NEW, OLD, SERIES, StartSimulator

MOST_MEGABYTES = 200


def test_1000_instances(simulator: StartSimulator) -> None:
    scale_set = {
        "name": "large",
        "resource_group": GROUP,
        "capacity": 1000,
        "id_gaps": True,
        "image": {**SERIES, "version": OLD},
        "knobs": {"list_order": "shuffled"},
    }
    azure = simulator(
        {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": [scale_set]}, time_scale=60
    )
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Read",
                    "steady.vmss.scale_set_info": {"resource_group": GROUP, "name": "large", "image": {"version": NEW}},
                }
            ],
        }
    ]
    run = harness.run_playbook(play, azure)
    metrics = azure.metrics()
    truth = azure.state()["scale_sets"]["large"]["instances"]
    assert run.rc == 0, run.output
    (large,) = run.tasks[0].result["scale_sets"]
    assert [i["instance_id"] for i in large["instances"]] == sorted(truth, key=int)
    assert all(i["outdated"] and i["available"] for i in large["instances"])
    assert {i["update_domain"] for i in large["instances"]} == {0, 1, 2, 3, 4}
    assert run.peak_memory_mb <= MOST_MEGABYTES  # the module, and ansible-playbook with its result too
    # The scale set, 9 pages of 120, and nothing else.
    assert metrics["by_method"] == {"GET": 10}


CHOICES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "update-domain": ({"rollout_update_domains": [1]}, "update_domain", 1),
    "fault-domain": ({"rollout_fault_domains": "2"}, "fault_domain", 2),
    "zone": ({"rollout_zones": ["2"]}, "zone", "2"),
    "ids": ({"rollout_instance_ids": "1, 4"}, "computer_name", None),
}


@pytest.fixture
def azure(simulator: StartSimulator) -> harness.Simulator:
    common = {
        "resource_group": GROUP,
        "capacity": 6,
        "update_domains": 3,
        "fault_domains": 3,
        "image": {**SERIES, "version": OLD},
        "knobs": {"upgrade": 60, "health_lag": 15, "write": 5},
    }
    sets = [{**common, "name": name, **({"zones": ["1", "2"]} if name == "zone" else {})} for name in CHOICES]
    images = {"platform": [{**SERIES, "versions": [OLD, NEW]}]}
    return simulator({"images": images, "scale_sets": sets}, time_scale=600)


@pytest.mark.long
def test_only_the_chosen_instances_are_touched(azure: harness.Simulator) -> None:
    before = copy.deepcopy(azure.state()["scale_sets"])
    runs = {
        name: harness.start_playbook(
            "steady.vmss.upgrade_instances",
            azure,
            extra_vars={
                "rollout_resource_group": GROUP,
                "rollout_scale_set": name,
                "rollout_image": NEW,
                "rollout_max_unavailable": "100%",
                "rollout_canary": 0,
                **choice,
            },
        )
        for name, (choice, *_dummy) in CHOICES.items()
    }
    results = {name: run.wait() for name, run in runs.items()}
    metrics, after = azure.metrics(), azure.state()["scale_sets"]
    for name, (_dummy, member, value) in CHOICES.items():
        assert results[name].rc == 0, results[name].output
        instances = before[name]["instances"]
        chosen = {key for key, i in instances.items() if i[member] == value} if value is not None else {"1", "4"}
        assert 0 < len(chosen) < 6
        assert set(metrics["scale_sets"][name]["disks_replaced"]) == chosen
        assert {
            key for batch in metrics["batches"] if batch["scale_set"] == name for key in batch["instance_ids"]
        } == chosen
        assert {key for key, i in after[name]["instances"].items() if i["version"] == NEW} == chosen
        untouched = set(instances) - chosen
        moved = {key for key in untouched if after[name]["instances"][key]["os_disk"] != instances[key]["os_disk"]}
        assert moved == set()
        assert set(results[name].fact("rollout_result")["instances"]) == chosen

    azure.reset()
    status = harness.run_playbook(
        "steady.vmss.status",
        azure,
        extra_vars={"rollout_resource_group": GROUP, "rollout_scale_set": "ids"},
        verbosity=1,
    )
    assert status.rc == 0, status.output
    assert azure.metrics()["non_get"] == []
    assert "instance 1, update domain 1" in status.stdout
    assert f"current, available, runs {NEW}" in status.stdout
    assert f"outdated, available, runs {OLD}" in status.stdout
    assert status.stats["localhost"]["changed"] == 0


def test_all_instances_are_never_the_chosen_ones(azure: harness.Simulator) -> None:
    variables = {"rollout_resource_group": GROUP, "rollout_scale_set": "ids", "rollout_image": NEW}
    run = harness.run_playbook("steady.vmss.upgrade_instances", azure, extra_vars={**variables, "rollout_zones": ""})
    assert run.rc == 2
    assert run.failures[0].startswith("option_invalid: Choose instances with rollout_instance_ids")
    assert azure.metrics()["arm_calls"] == 0
