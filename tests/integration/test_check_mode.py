# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode is the same plan, not carried out; and where nothing is left to do, nothing is written."""

from __future__ import annotations

from typing import Any

import harness
import scenes
from scenes import StartSimulator

# Six of eight take part: one is protected, one deallocated; one is sick and goes first, beside the rest of its domain.
SCENE: dict[str, Any] = {
    "update_domains": 2,
    "instances": {
        "2": {"protect_scale_in": True, "protect_actions": True},
        "3": {"power": "deallocated"},
        "5": {"health": "unhealthy"},
    },
}
POLICY = {"max_unavailable": "50%", "canary": 1}


def ids(batches: list[dict[str, Any]]) -> list[list[str]]:
    return [batch["instance_ids"] for batch in batches]


def labels(batches: list[dict[str, Any]]) -> list[str]:
    return [batch["label"] for batch in batches]


def assert_only_read(sim: harness.Simulator) -> None:
    metrics = sim.metrics()
    assert metrics["non_get"] == [] and set(metrics["by_method"]) == {"GET"}
    assert sim.timeline() == []
    assert [operation["name"] for operation in scenes.truth(sim)["operations"]] == []


def test_check_mode_names_the_batches_that_then_run_and_the_second_run_does_nothing(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(8, **SCENE), 120)
    sim.reset()
    variables = {f"rollout_{name}": value for name, value in POLICY.items()}

    checked = scenes.roll(sim, check=True, diff=True, variables=variables)
    assert checked.rc == 0, checked.output
    assert_only_read(sim)
    planned = checked.fact("rollout_result")
    assert planned["outcome"] == "upgraded"
    assert checked.stats["localhost"]["changed"] == 1  # the model's image, which is all that it could look at
    assert len(ids(planned["batches"])) >= 3 and "5" in ids(planned["batches"])[0]

    run = scenes.roll(sim, variables=variables)
    assert run.rc == 0, run.output
    done = run.fact("rollout_result")
    assert ids(done["batches"]) == ids(planned["batches"]) == scenes.judged(sim)["ran"]
    assert labels(done["batches"]) == labels(planned["batches"])
    expected = dict.fromkeys("014567", scenes.NEW) | {"2": scenes.OLD, "3": scenes.OLD}
    assert scenes.versions(sim) == expected
    assert not [operation for operation in sim.metrics()["by_operation"] if "NetworkInterfaces" in operation]

    sim.reset()
    before = scenes.truth(sim)
    again = scenes.roll(sim, variables=variables)
    assert again.rc == 0, again.output
    assert again.stats["localhost"]["changed"] == 0
    assert again.fact("rollout_result")["outcome"] == "unchanged"
    metrics = sim.metrics()
    assert metrics["writes"] == 0 and metrics["non_get"] == [] and sim.timeline() == []
    assert metrics["arm_calls"] == again.fact("rollout_result")["arm"]["calls"] <= 6
    assert scenes.truth(sim) == before


def test_modules_in_check_mode_only_read(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(8, **SCENE), 120)
    sim.reset()
    image = {"image": {"version": scenes.NEW}}
    checked = scenes.module(sim, "image", args=image, check=True, diff=True)
    assert checked["changed"] and not checked["failed"], checked
    assert checked["diff"]["after"]["version"] == scenes.NEW
    assert_only_read(sim)

    scenes.name_new(sim)
    operations = scenes.truth(sim)["operations"]
    planned = scenes.module(sim, "instance_upgrade", args=POLICY, check=True, diff=True)
    assert planned["changed"] and not planned["failed"], planned
    assert sim.metrics()["non_get"] == [] and sim.timeline() == []
    assert scenes.truth(sim)["operations"] == operations

    done = scenes.module(sim, "instance_upgrade", args=POLICY, diff=True)
    assert done["changed"] and not done["failed"], done
    first, second = planned["rollout_result"]["batches"], done["rollout_result"]["batches"]
    assert ids(first) == ids(second) == scenes.judged(sim)["ran"]
    assert [batch["number"] for batch in first] == [batch["number"] for batch in second]
    assert done["diff"] == planned["diff"]
    assert set(done["diff"]["after"]) == set("014567")

    sim.reset()
    again = scenes.module(sim, "instance_upgrade", args=POLICY)
    assert not again["changed"] and not again["failed"], again
    assert again["rollout_result"]["outcome"] == "unchanged"
    assert sim.metrics()["writes"] == 0
