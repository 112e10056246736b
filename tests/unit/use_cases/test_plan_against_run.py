# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan says is what then runs, on random scale sets: the batches, how long they take, what Azure is asked."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions, UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_plan_info

from ..asking import fitting, request
from ..examples import THOROUGH
from ..play import NEW, NEWER, SET, Play, of_version, scenario
from ..refusals import refused
from ..simulated import Simulated

OURS = {"suspend_services": True}


def draw(rng: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A scale set of the simulator's, and the options of a rollout."""
    capacity = rng.randint(2, 18)
    changes: dict[str, Any] = {
        "knobs": {
            "upgrade": rng.choice([45, 90, 180, 400]),
            "health_lag": rng.choice([5, 15, 40]),
            "write": rng.choice([5, 15, 40]),
        },
        "health": rng.choice(["rich", "binary", "none"]),
    }
    kind = rng.choice(["Uniform", "zonal", "Flexible"])
    if kind == "Flexible":
        changes |= {"orchestration": "Flexible", "fault_domains": rng.choice([1, 3])}
    else:
        changes |= {"zones": ["1", "2", "3"]} if kind == "zonal" else {"update_domains": rng.choice([1, 3, 5])}
        if rng.random() < 0.4:
            changes["automatic_repairs"] = True
    if rng.random() < 0.4:
        states: list[dict[str, Any]] = [{"power": "deallocated"}, {"protect_actions": True}, {"version": NEW}]
        changes["instances"] = {str(one): rng.choice(states) for one in rng.sample(range(capacity), 1)}
    options: dict[str, Any] = {
        "max_unavailable": rng.choice(["20%", "34%", "50%", "1"]),
        "order_by": rng.choice(["domain", "domain", "none"] + ["zone"] * (kind == "zonal")),
        "pause": rng.choice([0, 0, 20]),
    }
    if rng.random() < 0.3:
        options["canary"] = rng.choice([0, 2])
    if rng.random() < 0.3:
        options["batch_size"] = ["1", "30%"]
    return scenario(capacity, **changes), options


def plan(azure: Simulated, options: dict[str, Any], version: str, **more: Any) -> dict[str, Any]:
    wire = connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, azure.clock, azure.session())
    asked = {**fitting(UpgradePlanInfoRequest, options), **SET, **OURS, "image": of_version(version), **more}
    return upgrade_plan_info.look_ahead(wire, request(UpgradePlanInfoRequest, asked))


def ids(batches: list[dict[str, Any]]) -> list[list[str]]:
    return [one["instance_ids"] for one in batches]


def rolled(azure: Simulated, options: dict[str, Any], version: str, journal: Path) -> tuple[Play, float, int]:
    """The rollout, the seconds that it took, and the calls."""
    began = azure.now()
    play = Play(azure, azure.options, version, journal_dir=str(journal), **options).run()
    assert play.outcome in ("upgraded", "unchanged"), play.why
    return play, azure.now() - began, play.azure.usage.calls


@pytest.mark.parametrize("seed", range(27 if THOROUGH else 6))
def test_what_the_plan_says_is_what_then_runs(seed: int, tmp_path: Path) -> None:
    rng = Random(f"plan/{seed}")
    drawn, options = draw(rng)
    azure = Simulated(drawn)
    knobs, has_health = drawn["scale_sets"][0]["knobs"], drawn["scale_sets"][0]["health"] != "none"
    one = knobs["upgrade"] + (knobs["health_lag"] if has_health else 0)

    first = plan(azure, options, NEW, seconds_per_instance=one)
    done, seconds, _calls = rolled(azure, options, NEW, tmp_path)
    assert ids(first["batches"]) == ids(done.batches)
    assert first["duration"]["seconds"] == pytest.approx(seconds, rel=0.2)

    azure.sleep(60)  # nobody waits for the last write of a rollout
    again = plan(azure, options, NEWER, journal_dir=str(tmp_path))
    done, seconds, calls = rolled(azure, options, NEWER, tmp_path)
    assert ids(again["batches"]) == ids(done.batches)
    assert again["duration"] == {"rests_on": "journals", "rollouts": 1, "seconds": again["duration"]["seconds"]}
    assert again["duration"]["seconds"] == pytest.approx(seconds, rel=0.2)
    assert again["calls"]["total"] == pytest.approx(calls, rel=0.1)
    assert again["calls"]["writes"] == done.azure.usage.writes
    most_down = max(one["counted"] - one["lowest_available"] for one in (first, again))
    assert most_down == azure.metrics()["scale_sets"]["web"]["unavailable"]["max"]


@pytest.mark.parametrize("seconds", [0, 86_401, 1e308])
def test_seconds_that_nobody_means_are_refused(seconds: float) -> None:
    azure = Simulated(scenario(2))
    with refused("option_invalid", "seconds_per_instance"):
        plan(azure, {}, NEW, seconds_per_instance=seconds)
    assert not [one for one in azure.sent if "virtualMachineScaleSets" in one.path], "before Azure is asked"
