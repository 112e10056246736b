# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic OS upgrades that wait for somebody's word: deferred ones, and lifecycle hooks."""

from __future__ import annotations

import time
from typing import Any

import harness
import pytest
import scenes
from scenes import NEW, OLD, StartSimulator

LATEST = {**scenes.SERIES, "version": "latest"}
KNOBS = {"automatic_delay": 1, "automatic_first_delay": 1}


def automatic(capacity: int, *, hooks: list[dict[str, str]] | None = None, **policy: Any) -> dict[str, Any]:
    enabled = {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True, **policy}}
    properties: dict[str, Any] = {"upgradePolicy": enabled}
    if hooks:
        properties["lifecycleHooksProfile"] = {"lifecycleHooks": hooks}
    return scenes.scenario(capacity, KNOBS, image=LATEST, running=None, properties=properties)


def publish(sim: harness.Simulator) -> str:
    newest = "24.04.202612010"
    sim.publish({**scenes.SERIES, "version": newest})
    return newest


def wait_for(condition: Any, seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_deferred_upgrade_goes_where_it_is_approved(simulator: StartSimulator) -> None:
    sim = simulator(automatic(3, osRollingUpgradeDeferral=True), 60)
    none = scenes.module(sim, "deferred_upgrade")
    assert (none["changed"], none["current"], sim.metrics()["non_get"]) == (False, ["0", "1", "2"], [])
    newest = publish(sim)
    wait_for(lambda: sim.metrics()["rolling_upgrades"])
    planned = scenes.module(sim, "deferred_upgrade", check=True)
    assert (planned["changed"], planned["approved"], sim.metrics()["non_get"]) == (True, ["0", "1", "2"], [])
    one = scenes.module(sim, "deferred_upgrade", args={"instance_ids": ["1"]})
    assert (one["changed"], one["approved"]) == (True, ["1"]), one
    wait_for(lambda: scenes.versions(sim) == {"0": NEW, "1": newest, "2": NEW})
    rest = scenes.module(sim, "deferred_upgrade")
    assert (rest["approved"], rest["current"]) == (["0", "2"], ["1"])
    wait_for(lambda: set(scenes.versions(sim).values()) == {newest})
    sim.reset()
    again = scenes.module(sim, "deferred_upgrade")
    assert (again["changed"], sim.metrics()["non_get"]) == (False, [])


def test_nothing_to_approve_is_no_failure(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, image=LATEST, running=OLD), 60)
    done = scenes.module(sim, "deferred_upgrade")
    assert (done["failed"], done["changed"]) == (False, False) and "does not defer" in done["note"]
    deferring = simulator(
        scenes.scenario(
            2,
            image=LATEST,
            running=OLD,
            properties={"upgradePolicy": {"automaticOSUpgradePolicy": {"osRollingUpgradeDeferral": True}}},
        ),
        60,
    )
    refused = scenes.module(deferring, "deferred_upgrade", args={"instance_ids": ["*"]})
    assert refused["failed"] and refused["code"] == "selection_not_found" and "*" in refused["msg"]
    early = scenes.module(deferring, "deferred_upgrade")
    assert (early["failed"], early["changed"]) == (False, False) and "no approval is pending" in early["note"], early


@pytest.mark.long
def test_hooks_are_listed_delayed_and_answered(simulator: StartSimulator) -> None:
    hooks = [{"type": "UpgradeAutoOSScheduling", "waitDuration": "PT2H", "defaultAction": "Reject"}]
    hooks.append({"type": "UpgradeAutoOSRollingBatchStarting", "waitDuration": "PT2H", "defaultAction": "Reject"})
    sim = simulator(automatic(2, hooks=hooks), 30)
    assert scenes.module(sim, "lifecycle_event")["before"] == []
    newest = publish(sim)

    def asked(kind: str) -> Any:
        listed = scenes.module(sim, "lifecycle_event")["after"]
        return [event for event in listed if event["active"] and event["type"] == kind]

    (scheduling,) = wait_for(lambda: asked("UpgradeAutoOSScheduling"))
    assert scheduling["targets"][0]["instance_id"] == "" and scheduling["default_action"] == "Reject"
    much_later = scheduling["max_wait_until"]
    late = {"state": "delayed", "event": scheduling["name"], "until": much_later}
    delayed = scenes.module(sim, "lifecycle_event", args=late)
    assert (delayed["changed"], delayed["after"][0]["wait_until"]) == (True, much_later), delayed
    assert scenes.module(sim, "lifecycle_event", args=late)["changed"] is False
    too_late = scenes.module(sim, "lifecycle_event", args={**late, "until": "2099-01-01T00:00:00Z"})
    assert too_late["failed"] and too_late["code"] == "event_delay_too_long" and much_later in too_late["msg"]
    approve = {"state": "approved", "event": scheduling["name"]}
    assert scenes.module(sim, "lifecycle_event", args=approve, check=True)["changed"] is True
    assert scenes.module(sim, "lifecycle_event", args=approve)["changed"] is True
    assert scenes.module(sim, "lifecycle_event", args=approve)["changed"] is False
    (first,) = wait_for(lambda: asked("UpgradeAutoOSRollingBatchStarting"))
    assert {one["state"] for one in first["targets"]} == {"Waiting"}
    scenes.module(sim, "lifecycle_event", args={"state": "approved"})
    (second,) = wait_for(lambda: [e for e in asked("UpgradeAutoOSRollingBatchStarting") if e["name"] != first["name"]])
    ids = [one["instance_id"] for one in second["targets"]]
    rejected = scenes.module(sim, "lifecycle_event", args={"state": "rejected", "instance_ids": ids})
    assert rejected["changed"] is True
    wait_for(lambda: sorted(scenes.versions(sim).values()) == sorted([NEW, newest]))
    contrary = scenes.module(
        sim, "lifecycle_event", args={"state": "approved", "event": second["name"], "instance_ids": ids}
    )
    assert contrary["failed"] and contrary["code"] == "event_closed"
