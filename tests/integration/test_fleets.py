# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of scale set is upgraded wholly, in the order asked for, one domain at a time."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
import side_by_side
from scenes import NEW, OLD, SERIES, StartSimulator

WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-azure-edition"}
WINDOWS_OLD, WINDOWS_NEW = "20348.4171.250903", "20348.4297.251106"
SET = {
    "resource_group": "shop",
    "capacity": 4,
    "update_domains": 2,
    "image": {**SERIES, "version": OLD},
    "knobs": {"upgrade": {"lognormal": 60, "cv": 0.1}, "health_lag": 15, "write": 5, "start": 5, "create": 60},
}
SETS: dict[str, dict[str, Any]] = {
    # Every instance of a zonal set reports update domain 0.
    "zonal": {"capacity": 6, "zones": ["1", "2", "3"], "update_domains": 1},
    "flexible": {"orchestration": "Flexible", "capacity": 12},
    "windows": {"os": "Windows", "health": "probe", "image": {**WINDOWS, "version": WINDOWS_OLD}},
    "blind": {"health": "none"},
    "large": {"capacity": 180, "id_gaps": True, "update_domains": 5},
    "racks": {"capacity": 3, "fault_domains": 3, "update_domains": 5},
    "thirds": {"capacity": 10},
    "joined": {"capacity": 3, "update_domains": 3, "instances": {"1": {"power": "deallocated"}}},
}
SETS["large"]["knobs"] = {**SET["knobs"], "page_size": 120, "list_order": "shuffled"}
SCENARIO = {
    "images": {
        "platform": [
            {**SERIES, "versions": [OLD, NEW]},
            {**WINDOWS, "versions": [WINDOWS_OLD, WINDOWS_NEW], "os": "Windows"},
        ]
    },
    # The client's reads come faster than Azure's wall-clock buckets would refill.
    "server": {"buckets": 100},
    "scale_sets": [{**SET, "name": name, **members} for name, members in SETS.items()],
    # A deallocated instance of the old image is started while the others are upgraded.
    "events": [
        {"when": {"upgraded": 1}, "do": "power", "scale_set": "joined", "instance": "1", "power": "running"},
    ],
}
VARIABLES: dict[str, dict[str, Any]] = {
    "zonal": {"rollout_max_unavailable": "50%", "rollout_canary": 0},
    "flexible": {"rollout_max_unavailable": 6},
    "windows": {"rollout_max_unavailable": "50%"},
    "blind": {"rollout_max_unavailable": "50%"},
    "large": {"rollout_canary": 0},
    "racks": {"rollout_order_by": "fault_domain", "rollout_batch_size": 1},
    "thirds": {"rollout_batch_size": "30%", "rollout_max_unavailable": "50%", "rollout_canary": 0},
    "joined": {"rollout_max_unavailable": 2},
}


@pytest.mark.long
def test_fleets(simulator: StartSimulator) -> None:
    azure = simulator(SCENARIO, time_scale=300)
    cases = {
        name: {
            "rollout_resource_group": "shop",
            "rollout_scale_set": name,
            "rollout_image": WINDOWS_NEW if name == "windows" else NEW,
            **more,
        }
        for name, more in VARIABLES.items()
    }
    runs = side_by_side.roll_out(azure, cases)
    metrics, state = azure.metrics(), azure.state()["scale_sets"]
    assert {name: run.failures for name, run in runs.items()} == {name: [] for name in SETS}
    for name, run in runs.items():
        instances, figures = state[name]["instances"], metrics["scale_sets"][name]
        wanted = WINDOWS_NEW if name == "windows" else NEW
        assert {i["version"] for i in instances.values()} == {wanted}, name
        assert all(i["available"] for i in instances.values()), name
        assert figures["disks_replaced"] == dict.fromkeys(instances, 1), name
        assert figures["reimages"] == {}, name
        result = run.fact("rollout_result")
        assert result["outcome"] == "upgraded", name
        assert figures["unavailable"]["max"] <= result["unavailable"]["max_allowed"], name
        assert set(result["instances"]) == set(instances), name
        by_fault_domain = name == "racks"
        assert figures["fault_domains_down_at_once" if by_fault_domain else "domains_down_at_once"] == 1, name

    def batches(name: str) -> list[list[str]]:
        return [batch["instance_ids"] for batch in metrics["batches"] if batch["scale_set"] == name]

    def walk(name: str, member: str) -> list[Any]:
        """The member's values in the order in which the simulator saw them go down."""
        in_order = [state[name]["instances"][one][member] for batch in batches(name) for one in batch]
        return [value for value, _dummy in groupby(in_order)]

    assert walk("zonal", "zone") == ["1", "2", "3"]
    assert metrics["scale_sets"]["zonal"]["zones_down_at_once"] == 1
    assert [len(batch) for batch in batches("zonal")] == [2, 2, 2]

    assert [len(batch) for batch in batches("flexible")] == [1, 6, 5]  # the canary first
    assert all(not one.isdigit() for batch in batches("flexible") for one in batch)

    warned = [f["code"] for f in runs["blind"].of("rollout")[0].result["findings"]]
    assert "no_health_source" in warned
    assert runs["windows"].of("rollout")[0].result["findings"] == []

    assert len(state["large"]["instances"]) == 180
    assert max(map(int, state["large"]["instances"])) > 180  # there are gaps
    assert walk("large", "update_domain") == [0, 1, 2, 3, 4]
    assert [len(batch) for batch in batches("large")] == [36] * 5

    assert walk("racks", "fault_domain") == [0, 1, 2]
    assert [len(batch) for batch in batches("racks")] == [1] * 3
    assert [len(batch) for batch in batches("thirds")] == [3, 2, 3, 2]

    assert sorted(batches("joined")) == [["0"], ["1"], ["2"]]
    planned = runs["joined"].of("rollout")[0].result["report"]["batches"]
    assert not any("1" in batch.partition(": ")[2].split(",") for batch in planned)  # it was not in the plan
