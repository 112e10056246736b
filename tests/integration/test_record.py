# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout ends, its record says how, and what another client wrote meanwhile is never written over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

GET = "VirtualMachineScaleSets_Get"
IMPATIENT = {"rollout_health_timeout": 4, "rollout_health_lag": 4, "rollout_version_lag": 4}
SET = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}


def tags(sim: harness.Simulator) -> dict[str, str]:
    """The record's tags, by the name behind the prefix."""
    found = scenes.truth(sim)["document"]["tags"]
    return {name.removeprefix("steady-vmss-"): value for name, value in found.items() if "steady-vmss-" in name}


def model(sim: harness.Simulator) -> dict[str, Any]:
    found: dict[str, Any] = scenes.truth(sim)["document"]["properties"]
    return found


def model_version(sim: harness.Simulator) -> str:
    version: str = model(sim)["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"]
    return version


@pytest.mark.long
def test_a_finished_rollout_is_finished(simulator: StartSimulator) -> None:
    """An instance falls sick later, the operator suspends the repairs: the same command reports, and writes nothing."""
    sim = simulator(scenes.scenario(5, automatic_repairs=True), 120)
    assert scenes.roll(sim, variables=IMPATIENT).rc == 0
    found = tags(sim)
    assert (found["state"], found["suspended"]) == ("finished", "")
    assert scenes.module(sim, "orchestration_service", args={"state": "Suspended"})["changed"]
    sim.event({"do": "unhealthy", "instance": "2"})
    sim.reset()
    again = scenes.roll(sim, variables=IMPATIENT)
    assert (again.rc, again.fact("rollout_result")["outcome"]) == (0, "unchanged"), again.output
    assert sim.metrics()["non_get"] == [] and model_version(sim) == NEW
    assert "already unavailable: 2" in again.output


@pytest.mark.long
def test_a_failing_way_to_the_older_image_goes_back_to_what_ran(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(2), 120)
    assert scenes.roll(sim, variables=IMPATIENT).rc == 0
    check = tmp_path / "check.yml"
    check.write_text('[{ansible.builtin.fail: {msg: "no answer"}}]', encoding="utf-8")
    older = {**IMPATIENT, "rollout_image": {"version": OLD}, "rollout_downgrade": True}
    run = scenes.roll(
        sim, variables={**older, "rollout_health_check": str(check), "rollout_on_failure": "rollback_all"}
    )
    assert (run.rc, run.fact("rollout_result")["outcome"]) == (2, "rolled_back"), run.output
    assert run.fact("rollout_result")["previous_image"]["version"] == NEW
    assert (model_version(sim), set(scenes.versions(sim).values()), tags(sim)["state"]) == (NEW, {NEW}, "rolled_back")


def test_another_client_between_our_read_and_our_write_is_not_written_over(simulator: StartSimulator) -> None:
    """Upgrade mode Automatic: with the image in the model all instances would go down at once."""
    automatic = {"do": "write", "scale_set": NAME, "patch": {"properties": {"upgradePolicy": {"mode": "Automatic"}}}}
    sim = simulator(scenes.scenario(8, events=[{**automatic, "when": {"calls": {GET: 2}}}]), 120)
    run = scenes.roll(sim, variables=IMPATIENT)
    result = run.fact("rollout_result")
    assert (run.rc, result["outcome"], model_version(sim)) == (2, "stopped", OLD), run.output
    assert "upgrade mode Automatic" in run.failures[-1] and "Manual now" not in run.output
    assert scenes.judged(sim)["unavailable"]["max"] == 0
    assert model(sim)["upgradePolicy"]["mode"] == "Automatic"


def test_data_disks_that_the_write_lost_stop_it_before_an_instance_is_touched(simulator: StartSimulator) -> None:
    disks = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 64}]
    profile = {"virtualMachineProfile": {"storageProfile": {"dataDisks": disks}}}
    knobs = {"image_write_loses": "storageProfile.dataDisks"}
    sim = simulator(scenes.scenario(2, knobs, properties=profile), 120)
    run = scenes.roll(sim, variables={**IMPATIENT, "rollout_on_failure": "rollback_all"})
    assert (run.rc, run.fact("rollout_result")["outcome"]) == (2, "stopped")
    for word in ("dataDisks was", "64", "No instance was touched", "Roll back"):
        assert word in run.failures[-1], run.failures
    assert [call["method"] for call in sim.metrics()["non_get"]] == ["PATCH"]
    assert sum(scenes.judged(sim)["disks_replaced"].values()) == 0


@pytest.mark.long
def test_a_refused_role_leaves_no_result_of_another(simulator: StartSimulator) -> None:
    sim = simulator(
        scenes.several(scenes.scale_set(2), scenes.scale_set(2, name="other", upgrade_mode="Automatic")), 120
    )
    image = {"rollout_image": {"version": NEW}, **IMPATIENT}

    def role(name: str) -> dict[str, Any]:
        variables = {"rollout_resource_group": GROUP, "rollout_scale_set": name, **image}
        return {"ansible.builtin.include_role": {"name": "steady.vmss.rollout"}, "vars": variables}

    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [role(NAME), role("other")]}]
    run = harness.run_playbook(plays, sim)
    assert run.rc == 2 and "Automatic" in run.failures[-1]
    assert run.fact("rollout_result")["outcome"] == "refused" and run.fact("rollout_result")["instances"] == {}
    kept = run.kept["steady_vmss"]
    assert {name: one["outcome"] for name, one in kept.items()} == {"shop/web": "upgraded", "shop/other": "refused"}


@pytest.mark.long
def test_asking_for_manual_writes_the_mode_and_says_what_was_read_back(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, upgrade_mode="Automatic"), 120)
    variables = {**IMPATIENT, "rollout_image": {"version": OLD}}
    unasked = scenes.roll(sim, variables=variables)
    assert (unasked.rc, sim.metrics()["non_get"]) == (0, []) and "Manual now" not in unasked.output
    asked = scenes.roll(sim, variables={**variables, "rollout_upgrade_mode": "Manual"})
    assert asked.rc == 0 and "The upgrade mode is Manual now" in asked.output, asked.output
    assert model(sim)["upgradePolicy"]["mode"] == "Manual" and sum(scenes.judged(sim)["disks_replaced"].values()) == 0
