# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook plan writes nothing, and what it says is what then runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness
import scenes
import side_by_side
from scenes import GROUP, NEW, OLD, SERIES, StartSimulator

SETS = {
    "uniform": {"capacity": 7, "update_domains": 3},
    "zonal": {"capacity": 6, "zones": ["1", "2", "3"], "automatic_repairs": True},
    "flexible": {"capacity": 5, "orchestration": "Flexible", "upgrade_mode": "Automatic"},
}
FORMS = {"uniform": "json", "zonal": "markdown", "flexible": ""}


def shown(run: harness.Result) -> Any:
    return run.of("ansible.builtin.debug")[-1].result["msg"]


def test_what_the_plan_says_is_what_then_runs(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.several(*(scenes.scale_set(name=name, **members) for name, members in SETS.items())), 120)
    image = {"rollout_image": NEW, "rollout_max_unavailable": "34%"}
    rolls = {name: {"rollout_resource_group": GROUP, "rollout_scale_set": name, **image} for name in SETS}
    plans = {
        name: {
            **given,
            "rollout_seconds_per_instance": "75",
            "rollout_format": FORMS[name],
            "rollout_output": f"{tmp_path}/{name}.out",
        }
        for name, given in rolls.items()
    }
    planned = side_by_side.run_playbook(sim, "plan", plans)
    assert sim.metrics()["non_get"] == []
    # The last one is refused as the rollout would be, and shown all the same.
    assert {name: run.rc for name, run in planned.items()} == {"uniform": 0, "zonal": 0, "flexible": 2}
    assert "Set rollout_upgrade_mode: Manual" in planned["flexible"].failures[-1]
    found = {name: run.of("upgrade_plan_info")[0].result["batches"] for name, run in planned.items()}

    document = json.loads((tmp_path / "uniform.out").read_text(encoding="utf-8"))
    assert document == shown(planned["uniform"])
    assert document["batches"] == found["uniform"] and document["running"] == [
        {"image": ":".join([*SERIES.values(), OLD]), "instances": 7}
    ]
    lines = shown(planned["zonal"])
    assert lines == (tmp_path / "zonal.out").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"**Plan of the rollout to `{GROUP}/zonal`**" and "| suspends | AutomaticRepairs |" in lines
    assert "  outcome    would be refused, and nothing written" in shown(planned["flexible"])

    rolls["flexible"]["rollout_upgrade_mode"] = "Manual"
    runs = side_by_side.roll_out(sim, rolls)
    for name, run in runs.items():
        result = run.fact("rollout_result")
        assert result["outcome"] == "upgraded", run.output
        assert [one["instance_ids"] for one in result["batches"]] == [one["instance_ids"] for one in found[name]], name
