# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's own upgrades of other sets than the plain one, and runs that are killed or disturbed."""

from __future__ import annotations

import time
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

LATEST = {**scenes.SERIES, "version": "latest"}
PROMPT = {"poll_interval": 1, "health_timeout": 5}


def world(capacity: int, knobs: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return scenes.scenario(capacity, knobs, **{"image": LATEST, "running": OLD, **members})


def upgrade(sim: harness.Simulator, **options: Any) -> dict[str, Any]:
    return scenes.module(sim, "rolling_upgrade", args={"state": "completed", **PROMPT, **options})


def truths(sim: harness.Simulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sim.metrics()["rolling_upgrades"]
    return found


def test_flexible(simulator: StartSimulator) -> None:
    sim = simulator(world(3, orchestration="Flexible"), 240)
    done = upgrade(sim)
    assert (done["failed"], done["rollout_result"]["outcome"]) == (False, "upgraded"), done
    assert set(scenes.versions(sim).values()) == {NEW}
    assert upgrade(sim)["changed"] is False


@pytest.mark.long
def test_zones_label_what_was_seen(simulator: StartSimulator) -> None:
    sim = simulator(world(6, zones=["1", "2", "3"]), 60)
    done = upgrade(sim)
    assert done["rollout_result"]["outcome"] == "upgraded", done
    assert all("zone" in batch["label"] for batch in done["rollout_result"]["batches"])
    assert scenes.judged(sim)["zones_down_at_once"] == 1


def test_surge_replaces_the_instances(simulator: StartSimulator) -> None:
    policy = {"upgradePolicy": {"rollingUpgradePolicy": {"maxSurge": True}}}
    sim = simulator(world(3, properties=policy), 240)
    done = upgrade(sim)
    assert (done["failed"], done["rollout_result"]["outcome"]) == (False, "upgraded"), done
    versions = scenes.versions(sim)
    assert set(versions.values()) == {NEW} and not {"0", "1", "2"} & set(versions)
    outcomes = {i: one["outcome"] for i, one in done["rollout_result"]["instances"].items()}
    assert outcomes == {**dict.fromkeys(("0", "1", "2"), "gone"), **dict.fromkeys(versions, "upgraded")}


def test_protected_instances_are_told(simulator: StartSimulator) -> None:
    sim = simulator(world(3, instances={"1": {"protect_actions": True}}), 240)
    done = upgrade(sim)
    assert (done["done"], done["left_alone"]) == (["0", "2"], {"1": "protected from scale set actions"}), done
    assert upgrade(sim)["changed"] is False


def test_a_write_in_mode_rolling_is_awaited(simulator: StartSimulator) -> None:
    sim = simulator(world(4, upgrade_mode="Rolling"), 60)
    profile = {"virtualMachineProfile": {"licenseType": "RHEL_BYOS"}}
    sim.event({"do": "write", "scale_set": NAME, "patch": {"properties": profile}})
    done = upgrade(sim)
    assert (done["failed"], set(scenes.versions(sim).values())) == (False, {NEW}), done
    assert [one["kind"] for one in truths(sim)][:1] == ["model"] and len(truths(sim)) <= 2
    assert done["adopted"] or len(truths(sim)) == 2


@pytest.mark.long
def test_a_killed_run_goes_on_with_the_upgrade_that_runs(simulator: StartSimulator) -> None:
    sim = simulator(world(8), 20)
    variables = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, "azure_rolling_upgrade_poll_interval": 1}
    first = harness.start_playbook("steady.vmss.trigger_os_upgrade", sim, extra_vars=variables)
    deadline = time.monotonic() + 60
    while NEW not in scenes.versions(sim).values() and time.monotonic() < deadline:
        time.sleep(0.1)
    first.kill()
    second = harness.run_playbook("steady.vmss.trigger_os_upgrade", sim, extra_vars=variables)
    assert second.rc == 0, second.output
    assert set(scenes.versions(sim).values()) == {NEW}
    assert second.fact("rollout_result")["outcome"] == "upgraded"
    assert len(truths(sim)) == 1
    assert set(scenes.judged(sim)["disks_replaced"].values()) == {1}


@pytest.mark.long
def test_throttled_and_broken_reads_do_not_end_the_wait(simulator: StartSimulator) -> None:
    faults = [
        {"operation": "*_GetLatest", "action": "throttle", "retry_after": 1, "times": 2, "after_calls": 2},
        {"operation": "*_GetLatest", "action": "error", "status": 503, "times": 2, "after_calls": 5},
    ]
    sim = simulator(world(4, faults=faults), 240)
    done = upgrade(sim)
    assert (done["failed"], done["rollout_result"]["outcome"]) == (False, "upgraded"), done
    assert len(truths(sim)) == 1


def test_a_forbidden_start_names_the_permission(simulator: StartSimulator) -> None:
    sim = simulator(world(2, faults=[{"operation": "*_StartOSUpgrade", "action": "forbidden"}]), 240)
    done = upgrade(sim)
    assert done["failed"] and done["code"] == "azure_denied" and "osRollingUpgrade/action" in done["msg"], done
    assert done["changed"] is False


def test_a_history_that_may_not_be_read_is_no_failure(simulator: StartSimulator) -> None:
    sim = simulator(world(2, faults=[{"operation": "*_GetOSUpgradeHistory", "action": "forbidden"}]), 240)
    done = upgrade(sim)
    assert (done["failed"], done["rollout_result"]["outcome"], done["started_by"]) == (False, "upgraded", ""), done


@pytest.mark.long
def test_an_upgrade_that_waits_for_a_word_says_so(simulator: StartSimulator) -> None:
    enabled = {"enableAutomaticOSUpgrade": True, "osRollingUpgradeDeferral": True}
    properties = {"upgradePolicy": {"automaticOSUpgradePolicy": enabled}}
    knobs = {"automatic_delay": 1, "automatic_first_delay": 1}
    sim = simulator(world(2, knobs, running=None, properties=properties), 60)
    sim.publish({**scenes.SERIES, "version": "24.04.202612010"})
    deadline = time.monotonic() + 20
    while not truths(sim) and time.monotonic() < deadline:
        time.sleep(0.1)
    done = upgrade(sim, timeout=3)
    assert done["failed"] and done["code"] == "upgrade_not_ended" and "3 s" in done["msg"]
    assert "It may wait for an approval (steady.vmss.deferred_upgrade). Wait further" in done["msg"], done["msg"]
