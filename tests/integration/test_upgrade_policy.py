# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade policy: what is asked for is written, once, and nothing else changes."""

from __future__ import annotations

import copy
import time
from typing import Any

import harness
import pytest
import scenes
from scenes import NAME, StartSimulator

LATEST = {"image": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}}
UNKNOWN = ["not among those known"]  # the image of the scenes
STORED = {
    "mode": "Manual",
    "aMemberOfTomorrow": {"depth": [1]},
    "rollingUpgradePolicy": {"maxBatchInstancePercent": 25, "maxUnhealthyInstancePercent": 50, "aMemberOfTomorrow": 7},
    "automaticOSUpgradePolicy": {"disableAutomaticRollback": True},
}
CROWDED: dict[str, Any] = {
    "tags": {"environment": "production", "empty": ""},
    "properties": {"upgradePolicy": STORED, "aMemberOfTomorrow": [None]},
}
POLICY: dict[str, Any] = {
    "rolling_upgrade_policy": {
        "max_batch_instance_percent": 10,
        "max_unhealthy_instance_percent": 40,
        "max_unhealthy_upgraded_instance_percent": 0,
        "pause_time_between_batches": "PT1M30S",
        "enable_cross_zone_upgrade": True,
        "prioritize_unhealthy_instances": True,
        "rollback_failed_instances_on_policy_breach": True,
    },
    "automatic_os_upgrade_policy": {
        "enable_automatic_os_upgrade": True,
        "use_rolling_upgrade_policy": True,
        "os_rolling_upgrade_deferral": True,
    },
}


def set_policy(sim: harness.Simulator, args: dict[str, Any], **options: Any) -> dict[str, Any]:
    return scenes.module(sim, "upgrade_policy", args=args, **{"allow_warnings": UNKNOWN, **options})


def policy_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["properties"]["upgradePolicy"]
    return found


@pytest.mark.parametrize("patch", ["merge", pytest.param("replace", marks=pytest.mark.long)])
def test_the_members_asked_for_are_written_once_and_nothing_is_lost(simulator: StartSimulator, patch: str) -> None:
    knobs = {"patch_tags": patch, "patch_members": patch}
    sim = simulator(scenes.scenario(2, knobs, **LATEST, **CROWDED), 60)
    before = scenes.truth(sim)["document"]

    planned = set_policy(sim, POLICY, check=True, diff=True)
    assert planned["changed"] and sim.metrics()["non_get"] == []
    done = set_policy(sim, POLICY, diff=True)
    assert done["changed"] and not done["failed"], done
    assert (done["before"], done["after"], done["diff"]) == (planned["before"], planned["after"], planned["diff"])
    assert done["diff"] == {"before": done["before"], "after": done["after"]}
    for section, members in POLICY.items():
        assert members.items() <= done["after"][section].items()

    after = scenes.truth(sim)["document"]
    policy = policy_of(after)
    assert policy["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 10
    assert policy["rollingUpgradePolicy"]["pauseTimeBetweenBatches"] == "PT1M30S"
    assert policy["rollingUpgradePolicy"]["aMemberOfTomorrow"] == 7
    assert policy["automaticOSUpgradePolicy"]["disableAutomaticRollback"] is True
    assert policy["aMemberOfTomorrow"] == {"depth": [1]} and policy["mode"] == "Manual"
    rest = [copy.deepcopy(document) for document in (before, after)]
    for document in rest:
        del document["properties"]["upgradePolicy"]
    assert rest[0] == rest[1]
    assert [call["method"] for call in sim.metrics()["non_get"]] == ["PATCH"]

    sim.reset()
    again = set_policy(sim, POLICY)
    assert not again["changed"] and again["before"] == again["after"] == done["after"]
    assert sim.metrics()["non_get"] == [] and again["arm"]["calls"] <= 6


@pytest.mark.long
def test_one_member_leaves_the_others(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1, **LATEST, **CROWDED), 60)
    turned_on = {"enable_automatic_os_upgrade": True}
    assert set_policy(sim, {"automatic_os_upgrade_policy": turned_on})["changed"]
    off = set_policy(sim, {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": False}})
    assert off["changed"] and off["findings"] == []
    policy = policy_of(scenes.truth(sim)["document"])
    assert policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] is False
    assert policy["automaticOSUpgradePolicy"]["disableAutomaticRollback"] is True
    assert policy["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 25
    # What Azure takes for given anyway needs no write.
    sim.reset()
    assert not set_policy(sim, {"mode": "Manual", "rolling_upgrade_policy": {"max_surge": False}})["changed"]
    assert sim.metrics()["non_get"] == []


def test_what_is_out_of_range_is_refused_before_any_call(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1), 60)
    wrong = {"max_batch_instance_percent": 4, "pause_time_between_batches": "soon", "max_surge": True}
    result = set_policy(sim, {"rolling_upgrade_policy": wrong})
    assert result["failed"]
    for words in ("max_batch_instance_percent 4 is out of range: Azure takes 5 to 100", "'soon' is not a duration"):
        assert words in result["msg"]
    assert sim.metrics()["arm_calls"] == 0


def test_another_hands_write_meanwhile_is_not_undone(simulator: StartSimulator) -> None:
    """It comes between our read and our write: 412, a fresh read, and both stand."""
    theirs = {"properties": {"upgradePolicy": {"rollingUpgradePolicy": {"maxUnhealthyInstancePercent": 60}}}}
    event = {"when": {"calls": {"VirtualMachineScaleSets_Get": 1}}, "do": "write", "scale_set": NAME, "patch": theirs}
    sim = simulator(scenes.scenario(1, {"write": 20}, events=[event], **LATEST), 60)
    result = set_policy(sim, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}})
    assert result["changed"] and not result["failed"], result
    policy = policy_of(scenes.truth(sim)["document"])["rollingUpgradePolicy"]
    assert (policy["maxBatchInstancePercent"], policy["maxUnhealthyInstancePercent"]) == (10, 60)
    writes = [one for one in scenes.truth(sim)["operations"] if one["kind"] == "write"]
    assert [one["status"] for one in writes] == ["Succeeded", "Succeeded"], "neither preempted the other"
    assert sim.metrics()["preconditions_failed"] == 1


def test_it_does_not_write_beside_a_rolling_upgrade(simulator: StartSimulator) -> None:
    running = {"runningStatus": {"code": "RollingForward", "startTime": "2026-11-21T00:00:00Z"}, "progress": {}}
    sim = simulator(scenes.scenario(1, **LATEST, rolling_latest=running), 60)
    result = set_policy(sim, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}})
    assert result["failed"]
    for words in (
        "set the upgrade policy of scale set web",
        "rolling upgrade",
        "cancel_upgrade",
        "Nothing was written",
    ):
        assert words in result["msg"]
    assert sim.metrics()["non_get"] == []


def test_mode_automatic_is_refused_while_instances_are_behind(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(3), 60)
    scenes.name_new(sim)
    refused = set_policy(sim, {"mode": "Automatic"})
    assert refused["failed"]
    for words in ("3 of 3 instances of scale set web", "to it at once", "whole_model: true", "azure_may_upgrade: true"):
        assert words in refused["msg"]
    assert sim.metrics()["non_get"] == []


def test_mode_rolling_needs_a_health_source(simulator: StartSimulator) -> None:
    sim = simulator(scenes.several(scenes.scale_set(1, health="none"), scenes.scale_set(1, name="healthy")), 60)
    refused = set_policy(sim, {"mode": "Rolling"})
    assert refused["failed"] and refused["code"] == "not_ready" and "health_monitor" in refused["msg"]
    assert "no_health_source" in [one["code"] for one in refused["findings"]]
    assert "upgrade mode Rolling" in refused["msg"] and sim.metrics()["non_get"] == []
    done = set_policy(sim, {"mode": "Rolling", "name": "healthy"})
    assert done["changed"] and done["after"]["mode"] == "Rolling", done
    assert policy_of(scenes.truth(sim, "healthy")["document"])["mode"] == "Rolling"
    assert sim.timeline() == []


def test_a_write_that_fails_for_an_instance_that_was_failed_before_is_told(simulator: StartSimulator) -> None:
    failure = {"code": "VMExtensionProvisioningError", "message": "It has expired."}
    knobs = {"failed_instance_fails_write": True}
    sim = simulator(scenes.scenario(2, knobs, instances={"0": {"failure": failure}}), 60)
    result = set_policy(sim, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}})
    assert result["changed"] and not result["failed"], result
    assert failure["code"] in result["note"] and "Azure stored it" in result["note"]
    assert [call["method"] for call in sim.metrics()["non_get"]] == ["PATCH"]


def test_a_lost_answer_is_read_back(simulator: StartSimulator) -> None:
    lost = {"operation": "VirtualMachineScaleSets_Update", "action": "lost_answer", "times": 1}
    sim = simulator(scenes.scenario(1, faults=[lost]), 60)
    started = time.monotonic()
    result = set_policy(sim, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}})
    assert result["changed"] and not result["failed"], result
    assert [call["method"] for call in sim.metrics()["non_get"]] == ["PATCH"]
    assert time.monotonic() - started < 60
