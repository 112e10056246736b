# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout that meets a broken image, a sick set or another rollout: it stops, goes back, or never starts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import NEW, OLD, StartSimulator

BROKEN = {"kind": "unhealthy", "image_version": NEW}
ONE_IN_TEN = {**BROKEN, "chance": 0.1}
# The client's own seconds, in proportion to a simulated set that is so many times as fast.
IMPATIENT = {"rollout_health_timeout": 4, "rollout_health_lag": 2}


def model_version(sim: harness.Simulator) -> str:
    profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]
    version: str = profile["storageProfile"]["imageReference"]["version"]
    return version


def message(run: harness.Result) -> str:
    assert run.rc != 0, run.output
    return run.failures[-1]


def result(run: harness.Result) -> dict[str, Any]:
    found: dict[str, Any] = run.fact("rollout_result")
    return found


def test_a_broken_image_stops_at_the_canary(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(100, instance_faults=[{**BROKEN, "chance": 1.0}]), 120)
    run = scenes.roll(sim, variables={**IMPATIENT, "rollout_journal_dir": str(tmp_path)})
    text = message(run)
    judged = scenes.judged(sim)
    assert judged["disks_replaced"] == {judged["ran"][0][0]: 1}
    kept = run.kept["steady_vmss"][f"{scenes.GROUP}/{scenes.NAME}"]
    assert (kept["outcome"], kept["code"]) == ("stopped", "instances_failed")
    assert (kept["instances"]["failed"], kept["instances"]["upgraded"], kept["batches"]) == (1, 0, 1)
    assert Path(kept["journal"]).is_file() and Path(kept["journal"]).parent == tmp_path
    assert len(judged["ran"]) == 1
    canary = judged["ran"][0][0]
    for words in (
        f"instance {canary}",
        "unhealthy",
        "scale set web",
        "resource group shop",
        "Continue",
        "Roll back",
        OLD,
    ):
        assert words in text, text
    assert "steady.vmss.rollback" in text
    assert result(run)["outcome"] == "stopped"
    assert model_version(sim) == OLD
    sim.event({"do": "scale", "scale_set": "web", "capacity": 102})
    deadline = time.monotonic() + 30
    while len(available := scenes.versions(sim)) < 102 and time.monotonic() < deadline:
        time.sleep(0.1)
    new = set(available) - set(map(str, range(100)))
    assert {available[i] for i in new} == {OLD}
    while scenes.judged(sim)["unavailable"]["instance_ids"] != [canary] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert scenes.judged(sim)["unavailable"]["instance_ids"] == [canary]


@pytest.mark.long
def test_rollback_all_leaves_every_instance_and_the_model_on_the_previous_image(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(20, seed=1, instance_faults=[ONE_IN_TEN], automatic_repairs=True), 120)
    run = scenes.roll(sim, variables={**IMPATIENT, "rollout_on_failure": "rollback_all"})
    text = message(run)
    touched = result(run)["instances"]
    assert any(f"instance {key}: not available within 4 s" in text for key in touched), text
    assert set(scenes.versions(sim).values()) == {OLD}
    assert model_version(sim) == OLD
    judged = scenes.judged(sim)
    assert judged["unavailable"] == {**judged["unavailable"], "now": 0}
    assert judged["unavailable"]["max_when_accepted"] <= 4
    assert judged["domains_down_at_once"] == 1
    assert result(run)["outcome"] == "rolled_back"
    assert {one["outcome"] for one in touched.values()} == {"rolled_back"}
    assert scenes.module(sim, "orchestration_service", args={"state": "Running"})["changed"] is False


@pytest.mark.long
def test_rollback_failed_puts_only_those_back_and_lists_the_rest(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(20, seed=1, instance_faults=[ONE_IN_TEN]), 120)
    options = {**IMPATIENT, "rollout_on_failure": "rollback_failed"}
    run = scenes.roll(sim, variables=options)
    text = message(run)
    outcomes = {key: one["outcome"] for key, one in result(run)["instances"].items()}
    back = sorted(key for key, outcome in outcomes.items() if outcome == "rolled_back")
    rest = {key for key, outcome in outcomes.items() if outcome == "upgraded"}
    assert back and rest
    are = f"Instances {', '.join(back)} are" if len(back) > 1 else f"Instance {back[0]} is"
    assert f"{are} back on the previous image" in text
    still = text.partition("Still on the new one: ")[2].partition(".")[0]
    assert set(still.split(", ")) == rest
    versions = scenes.versions(sim)
    assert {key for key, version in versions.items() if version == NEW} == rest
    assert scenes.judged(sim)["unavailable"]["now"] == 0
    assert model_version(sim) == OLD
    # What is left on the new image goes back by the playbook, and stays back when it is run again.
    rollback = {"rollout_resource_group": "shop", "rollout_scale_set": "web", **IMPATIENT}
    rolled = harness.run_playbook("steady.vmss.rollback", sim, extra_vars=rollback)
    assert rolled.rc == 0, rolled.output
    assert result(rolled)["outcome"] == "rolled_back"
    assert set(scenes.versions(sim).values()) == {OLD}
    sim.reset()
    again = harness.run_playbook("steady.vmss.rollback", sim, extra_vars=rollback)
    assert (again.rc, sim.metrics()["writes"], result(again)["outcome"]) == (0, 0, "unchanged")


def test_a_rollback_never_rolls_what_extra_variables_of_a_rollout_say(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2), 120)
    back = {"rollout_resource_group": "shop", "rollout_scale_set": "web", "rollback_image": {"version": OLD}}
    of_a_rollout: list[dict[str, Any]] = [
        {"rollout_image": {"version": NEW}, "rollout_instance_ids": "0"},
        {"rollout_image": ""},  # as a survey gives it; a rollout would roll the newest
        {"rollout_keep_model": "false"},
    ]
    for given in of_a_rollout:
        run = harness.run_playbook("steady.vmss.rollback", sim, extra_vars={**back, **given})
        for words in (*given, "rollback_image", "Nothing was written"):
            assert words in message(run)
    assert sim.metrics()["non_get"] == []
    # Variables of the play yield to the role's.
    role = [{"role": "steady.vmss.rollback", "vars": back}]
    plays = [{"hosts": "localhost", "gather_facts": False, "vars": of_a_rollout[0], "roles": role}]
    run = harness.run_playbook(plays, sim, extra_vars={"rollout_take_over": "yes", "rollout_instance_ids": ""})
    assert (run.rc, result(run)["outcome"], sim.metrics()["non_get"]) == (0, "unchanged", []), run.output


@pytest.mark.long
def test_failures_within_the_threshold_are_left_and_reported(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(10, instance_faults=[{**BROKEN, "instance": "5"}]), 120)
    run = scenes.roll(sim, variables={**IMPATIENT, "rollout_max_unhealthy_upgraded": 1})
    assert (run.rc, result(run)["outcome"]) == (2, "failed"), run.output
    for words in ("is finished", "rollout_max_unhealthy_upgraded (1) allows: instance 5: ", "Roll back", "shop", "web"):
        assert words in message(run)
    assert set(scenes.versions(sim).values()) == {NEW}
    judged = scenes.judged(sim)
    assert judged["unavailable"]["instance_ids"] == ["5"]
    assert set(judged["disks_replaced"].values()) == {1}
    assert {i for i, one in result(run)["instances"].items() if one["outcome"] == "failed"} == {"5"}


@pytest.mark.long
def test_an_instance_that_kept_its_image_within_the_threshold_is_no_success_and_tried_again(
    simulator: StartSimulator,
) -> None:
    """The module alone: nothing stops, the end is a failure that names the instance, and the same again goes on."""
    fault = {
        "kind": "fail",
        "instance": "5",
        "image_version": NEW,
        "disk": "old",
        "code": "VMExtensionProvisioningError",
    }
    sim = simulator(scenes.scenario(10, instance_faults=[fault]), 120)
    scenes.module(sim, "image", args={"image": {**scenes.SERIES, "version": NEW}})
    args = {"max_unhealthy_upgraded": "1", "canary": 0, "health_timeout": 10, "health_lag": 4, "version_lag": 4}
    done = scenes.module(sim, "instance_upgrade", args=args)
    assert (done["failed"], done["changed"], done["rollout_result"]["outcome"]) == (True, True, "failed"), done
    for words in ("instance 5: ", "VMExtensionProvisioningError", "max_unhealthy_upgraded 1 allows", "9 run", "web"):
        assert words in done["msg"]
    assert {i for i, version in scenes.versions(sim).items() if version == OLD} == {"5"}
    sim.faults(clear=True)
    again = scenes.module(sim, "instance_upgrade", args={**args, "max_unhealthy": 1})
    assert (again["failed"], again["rollout_result"]["outcome"]) == (False, "upgraded"), again
    assert set(scenes.versions(sim).values()) == {NEW}


@pytest.mark.long
def test_a_sick_set_is_refused_before_any_write_and_its_sick_go_first(simulator: StartSimulator) -> None:
    sick = {i: {"health": "unhealthy"} for i in ("2", "5", "9")}
    sim = simulator(scenes.scenario(10, instances=sick), 120)
    run = scenes.roll(sim)
    for words in ("3 of 10 instances are unhealthy", "max_unhealthy 20 % allows 2", "2 (", "Nothing was written"):
        assert words in message(run)
    assert sim.metrics()["non_get"] == []
    again = scenes.roll(sim, variables={"rollout_max_unhealthy": "30%", "rollout_canary": 0, **IMPATIENT})
    assert again.rc == 0, again.output
    judged = scenes.judged(sim)
    assert {batch[0] for batch in judged["ran"][:3]} == {"2", "5", "9"}
    assert judged["unavailable"]["max"] <= 3
    assert set(scenes.versions(sim).values()) == {NEW}


@pytest.mark.long
def test_another_rollout_is_refused_until_it_is_taken_over(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(3, instance_faults=[{**BROKEN, "instance": "0"}], automatic_repairs=True), 120)
    stopped = scenes.roll(sim, variables={**IMPATIENT, "rollout_keep_model": True})
    assert "The model keeps the new image" in message(stopped)
    tags = scenes.truth(sim)["document"]["tags"]
    assert (tags["steady-vmss-state"], tags["steady-vmss-suspended"]) == ("stopped", "")
    assert tags["steady-vmss-previous"].endswith(OLD)
    sim.reset()
    other = {"rollout_image": {"version": OLD}, "rollout_max_unhealthy": "100%"}
    refused = message(scenes.roll(sim, variables=other))
    for words in (tags["steady-vmss-rollout"], "2 instances are left", "rollout_take_over", "Nothing was written"):
        assert words in refused, refused
    assert sim.metrics()["non_get"] == []
    taken = scenes.roll(sim, variables={**other, "rollout_take_over": True})
    assert taken.rc == 0, taken.output
    assert model_version(sim) == OLD


@pytest.mark.long
def test_services_come_back_as_they_were(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, automatic_repairs=True), 120)
    assert scenes.module(sim, "orchestration_service", args={"state": "Suspended"})["changed"]
    run = scenes.roll(sim)
    assert run.rc == 0, run.output
    found = scenes.module(sim, "orchestration_service", args={"state": "Suspended"})
    assert (found["changed"], found["after"]["AutomaticRepairs"]) == (False, "Suspended")


def test_a_rollout_that_succeeded_is_not_undone_where_only_following_latest_fails(simulator: StartSimulator) -> None:
    denied = {"operation": "VirtualMachineScaleSets_Update", "action": "error", "status": 403, "after_calls": 1}
    denied |= {"code": "AuthorizationFailed", "times": 9}
    image = {**scenes.SERIES, "version": "latest"}
    sim = simulator(scenes.scenario(2, image=image, running=OLD, faults=[denied]), 120)
    variables = {"rollout_image": "latest", "rollout_follow_latest": True, "rollout_on_failure": "rollback_all"}
    allowed = ["stays open, and its next run closes it"]
    text = message(run := scenes.roll(sim, variables=variables, allow_warnings=allowed))
    assert "could not be set to follow the newest version" in text and "AuthorizationFailed" in text
    assert set(scenes.versions(sim).values()) == {NEW}
    assert model_version(sim) == NEW
    assert result(run)["outcome"] == "failed"
