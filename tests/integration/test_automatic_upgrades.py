# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic OS image upgrades turned on for a bare set, and off again, by the playbooks."""

from __future__ import annotations

from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, StartSimulator

BARE: dict[str, Any] = {"health": "none", "update_domains": 2}
MONITOR = {
    "health_monitor_source": "application_health_extension",
    "health_monitor_protocol": "http",
    "health_monitor_port": "80",
    "health_monitor_request_path": "/health",
}
GIVEN: dict[str, Any] = {
    **MONITOR,
    "rollout_follow_latest": True,
    "rollout_max_unavailable": 2,
    "upgrade_policy_rolling": {"max_batch_instance_percent": 10, "max_unhealthy_upgraded_instance_percent": 0},
    "upgrade_policy_disable_automatic_rollback": False,
}
# The image of the scenes; and what a check says of the mode that the first write changes.
UNKNOWN = ["not among those known", "Azure brings its 2 instances to the new model"]


def play(sim: harness.Simulator, name: str, variables: dict[str, Any], **options: Any) -> harness.Result:
    # Of wall seconds, and so a long time in the simulator.
    given = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, "rollout_health_lag": 2, **variables}
    return harness.run_playbook(f"steady.vmss.{name}", sim, extra_vars=given, allow_warnings=UNKNOWN, **options)


def writes(sim: harness.Simulator) -> list[str]:
    return [call["operation"].removeprefix("VirtualMachineScaleSet") for call in sim.metrics()["non_get"]]


@pytest.mark.long
def test_a_bare_manual_set_gets_all_that_is_missing_and_off_again(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(4, **BARE), 120)
    checked = play(sim, "enable_automatic_upgrades", GIVEN, check=True)
    assert checked.rc == 0, checked.output
    (planned,) = checked.of("automatic_upgrades")
    assert "image_support_unknown" in [one["code"] for one in planned.result["findings"]]
    assert len(planned.result["batches"]) == 2 and planned.result["batches"][0] in checked.stdout, checked.output
    assert sim.metrics()["non_get"] == []

    run = play(sim, "enable_automatic_upgrades", GIVEN)
    assert run.rc == 0, run.output
    assert writes(sim)[:3] == ["s_Update", "Extensions_CreateOrUpdate", "s_Update"]
    assert set(writes(sim)[3:]) == {"s_UpdateInstances"}
    assert run.of("automatic_upgrades")[0].result["batches"] == planned.result["batches"]
    properties = scenes.truth(sim)["document"]["properties"]
    assert properties["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"] == "latest"
    policy = properties["upgradePolicy"]
    assert policy["mode"] == "Manual"
    assert policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] is True
    assert policy["automaticOSUpgradePolicy"]["useRollingUpgradePolicy"] is True
    assert policy["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 10
    assert policy["rollingUpgradePolicy"]["maxUnhealthyUpgradedInstancePercent"] == 0
    instances = scenes.truth(sim)["instances"].values()
    assert [i["latest_model_applied"] and i["available"] for i in instances] == [True] * 4
    assert scenes.judged(sim)["unavailable"]["max"] <= 2

    sim.reset()
    again = play(sim, "enable_automatic_upgrades", GIVEN)
    assert again.rc == 0 and again.stats["localhost"]["changed"] == 0, again.output
    assert sim.metrics()["non_get"] == []

    off = play(sim, "disable_automatic_upgrades", {})
    assert off.rc == 0 and off.stats["localhost"]["changed"] == 1, off.output
    policy = scenes.truth(sim)["document"]["properties"]["upgradePolicy"]
    assert policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] is False
    assert policy["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 10
    sim.reset()
    off = play(sim, "disable_automatic_upgrades", {})
    assert off.rc == 0 and off.stats["localhost"]["changed"] == 0, off.output
    assert sim.metrics()["non_get"] == []


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_the_instances_are_left_as_they_are_where_that_is_asked_for(simulator: StartSimulator, check: bool) -> None:
    sim = simulator(scenes.scenario(2, **BARE), 120)
    run = play(sim, "enable_automatic_upgrades", {**GIVEN, "rollout_upgrade_instances": "false"}, check=check)
    assert run.rc == 0 and "The instances are as they were." in run.stdout, run.output
    assert writes(sim) == ([] if check else ["s_Update", "Extensions_CreateOrUpdate", "s_Update"])


@pytest.mark.parametrize("unset", [{}, {"health_monitor_source": "", "upgrade_policy_rolling": ""}])
def test_what_is_not_put_right_is_named_before_anything_is_written(
    simulator: StartSimulator, unset: dict[str, Any]
) -> None:
    sim = simulator(scenes.scenario(1, **BARE), 120)
    run = play(sim, "enable_automatic_upgrades", unset)
    assert run.rc == 2
    for words in ("pins image", "steady.vmss.image", "no health source", "health_monitor", "Nothing was written."):
        assert words in run.failures[-1]
    half = play(sim, "enable_automatic_upgrades", MONITOR)
    assert half.rc == 2 and "no health source" not in half.failures[-1] and "pins image" in half.failures[-1]
    assert sim.metrics()["non_get"] == []


@pytest.mark.long
def test_members_that_nobody_asked_for_stay_and_false_is_asked_for(simulator: StartSimulator) -> None:
    policy = {"useRollingUpgradePolicy": True, "osRollingUpgradeDeferral": True, "disableAutomaticRollback": True}
    latest = {"image": {**scenes.SERIES, "version": "latest"}, "running": scenes.NEW}
    properties = {"upgradePolicy": {"automaticOSUpgradePolicy": policy}}
    sim = simulator(scenes.scenario(1, **latest, properties=properties), 120)

    def automatic() -> dict[str, Any]:
        found: dict[str, Any] = scenes.truth(sim)["document"]["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"]
        return found

    unset = ("disable_automatic_rollback", "os_rolling_upgrade_deferral")  # the others are not given at all
    run = play(sim, "enable_automatic_upgrades", {f"upgrade_policy_{name}": "" for name in unset})
    assert (run.rc, automatic()) == (0, {**policy, "enableAutomaticOSUpgrade": True}), run.output
    given = {
        "upgrade_policy_rolling": "max_batch_instance_percent=10",
        "upgrade_policy_disable_automatic_rollback": False,
    }
    run = play(sim, "enable_automatic_upgrades", {**given, "upgrade_policy_use_rolling_upgrade_policy": False})
    assert run.rc == 0, run.output
    assert (automatic()["useRollingUpgradePolicy"], automatic()["disableAutomaticRollback"]) == (False, False)
    run = play(sim, "enable_automatic_upgrades", {**given, "upgrade_policy_use_rolling_upgrade_policy": ""})
    assert (run.rc, automatic()["useRollingUpgradePolicy"]) == (0, True), run.output


@pytest.mark.parametrize("mode", [pytest.param("Rolling", marks=pytest.mark.long), "Automatic"])
def test_a_mode_that_answers_the_image_is_refused_before_anything_is_written_or_left(
    simulator: StartSimulator, mode: str
) -> None:
    sim = simulator(scenes.scenario(2, **BARE, upgrade_mode=mode), 120)
    run = play(sim, "enable_automatic_upgrades", GIVEN)
    assert run.rc == 2 and "rollout_upgrade_mode: Manual" in run.failures[-1], run.output
    assert sim.metrics()["non_get"] == []
    run = play(
        sim,
        "enable_automatic_upgrades",
        {**GIVEN, "rollout_upgrade_mode": "Manual", "rollout_max_unavailable": 1},
    )
    assert run.rc == 0 and f"The upgrade mode was {mode} and is Manual now." in run.output, run.output
    assert scenes.truth(sim)["document"]["properties"]["upgradePolicy"]["mode"] == "Manual"
    assert scenes.judged(sim)["unavailable"]["max"] <= 1


def test_a_health_source_that_is_wrong_is_refused_before_the_image_is_written(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, **BARE), 120)
    for wrong, word in (({"health_monitor_protocol": ""}, "protocol"), ({"health_monitor_port": "0"}, "port")):
        run = play(sim, "enable_automatic_upgrades", {**GIVEN, **wrong})
        assert run.rc == 2 and word in run.failures[-1], run.output
    assert sim.metrics()["non_get"] == []
