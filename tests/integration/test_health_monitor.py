# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health source: exactly one, written once, and nothing else of the model changes."""

from __future__ import annotations

import copy
from typing import Any

import harness
import pytest
import scenes
from scenes import NAME, StartSimulator

EXTENSION = "application_health_extension"
BALANCER = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shop/providers/Microsoft.Network/"
    "loadBalancers/web-lb"
)
PROBE = f"{BALANCER}/probes/health"
BOOT = {
    "name": "boot",
    "properties": {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "settings": {"timestamp": 7},
        "protectedSettings": {"commandToExecute": "run --secret"},
        "aMemberOfTomorrow": 1,
    },
}
HTTP = {"source": EXTENSION, "protocol": "http", "port": 8080, "request_path": "/health"}
BARE: dict[str, Any] = {"health": "none", "extensions": [BOOT]}


def monitor(sim: harness.Simulator, args: dict[str, Any], **options: Any) -> dict[str, Any]:
    return scenes.module(sim, "health_monitor", args=args, **options)


def profile(sim: harness.Simulator, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = scenes.truth(sim, name)["document"]["properties"]["virtualMachineProfile"]
    return found


def extensions(sim: harness.Simulator) -> dict[str, dict[str, Any]]:
    return {one["name"]: one["properties"] for one in profile(sim).get("extensionProfile", {}).get("extensions", [])}


def probe(sim: harness.Simulator) -> str | None:
    return (profile(sim)["networkProfile"].get("healthProbe") or {}).get("id")


def writes(sim: harness.Simulator) -> list[str]:
    return [call["operation"].rpartition("_")[0] + " " + call["method"] for call in sim.metrics()["non_get"]]


@pytest.mark.parametrize("os", ["Linux", "Windows"])
def test_the_extension_is_added_beside_the_others_once(simulator: StartSimulator, os: str) -> None:
    sim = simulator(scenes.scenario(2, {"protected_settings": "drop"}, os=os, **BARE), 60)
    before = scenes.truth(sim)["document"]
    planned = monitor(sim, HTTP, check=True, diff=True)
    assert planned["changed"] and sim.metrics()["non_get"] == []
    done = monitor(sim, {**HTTP, "interval_in_seconds": 10, "number_of_probes": 3}, diff=True)
    assert done["changed"] and not done["failed"], done
    assert done["before"] == {EXTENSION: None, "load_balancer_probe": None}
    assert done["diff"]["after"] == done["after"]
    assert planned["after"][EXTENSION]["health_states"] == "binary"
    assert "whole_model: true" in done["notes"][0]

    now = extensions(sim)
    assert now.pop("boot") == BOOT["properties"], "its protected settings too"
    (name, mine), *others = now.items()
    assert others == [] and name == mine["type"] == f"ApplicationHealth{os}"
    assert mine["publisher"] == "Microsoft.ManagedServices" and mine["typeHandlerVersion"] == "1.0"
    wanted = {"protocol": "http", "port": 8080, "requestPath": "/health", "intervalInSeconds": 10, "numberOfProbes": 3}
    assert mine["settings"] == wanted
    rest = [copy.deepcopy(one) for one in (before, scenes.truth(sim)["document"])]
    for document in rest:
        document["properties"]["virtualMachineProfile"].pop("extensionProfile", None)
    assert rest[0] == rest[1]
    assert writes(sim) == ["VirtualMachineScaleSetExtensions PUT"]

    sim.reset()
    again = monitor(sim, HTTP)
    assert not again["changed"] and again["before"] == done["after"] and again["notes"] == []
    assert sim.metrics()["non_get"] == []


@pytest.mark.long
def test_from_binary_to_rich_and_to_tcp(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1, health="binary"), 60)
    sequenced = {"virtualMachineProfile": {"extensionProfile": profile(sim)["extensionProfile"]}}
    sequenced["virtualMachineProfile"]["extensionProfile"]["extensions"][0]["properties"]["suppressFailures"] = True
    sim.event({"do": "write", "scale_set": NAME, "patch": {"properties": sequenced}})
    done = monitor(sim, {"source": EXTENSION, "health_states": "rich", "grace_period": 300})
    assert done["changed"], done
    (mine,) = extensions(sim).values()
    assert mine["typeHandlerVersion"] == "2.0" and mine["suppressFailures"] is True
    assert mine["settings"] == {
        "protocol": "http",
        "port": 80,
        "requestPath": "/health",
        "gracePeriod": 300,
        "intervalInSeconds": 5,
        "numberOfProbes": 1,
    }
    done = monitor(sim, {"source": EXTENSION, "protocol": "tcp", "port": 22, "health_states": "binary"})
    assert done["changed"], done
    (mine,) = extensions(sim).values()
    assert mine["typeHandlerVersion"] == "1.0"
    assert set(mine["settings"]) == {"protocol", "port", "intervalInSeconds", "numberOfProbes"}


@pytest.mark.long
@pytest.mark.parametrize("patch", ["merge", "replace"])
def test_one_source_takes_the_place_of_the_other_only_where_asked(simulator: StartSimulator, patch: str) -> None:
    knobs = {"patch_members": patch, "protected_settings": "drop"}
    sim = simulator(scenes.scenario(1, knobs, **{**BARE, "health": "rich"}), 60)
    to_probe = {"source": "load_balancer_probe", "probe_id": PROBE}
    refused = monitor(sim, to_probe)
    assert refused["failed"]
    for words in (f"has the health source {EXTENSION}", "only one", "replace: true", "Nothing was written"):
        assert words in refused["msg"]
    assert sim.metrics()["non_get"] == []

    network = profile(sim)["networkProfile"]
    done = monitor(sim, {**to_probe, "replace": True})
    assert done["changed"] and not done["failed"], done
    assert probe(sim) == PROBE and extensions(sim) == {"boot": BOOT["properties"]}
    assert {**profile(sim)["networkProfile"], "healthProbe": None} == {**network, "healthProbe": None}
    # Nothing needs one, so Azure never sees two.
    assert writes(sim) == ["VirtualMachineScaleSetExtensions DELETE", "VirtualMachineScaleSets PATCH"]

    done = monitor(sim, {**HTTP, "replace": True})
    assert done["changed"] and not done["failed"], done
    assert probe(sim) is None and set(extensions(sim)) == {"boot", "ApplicationHealthLinux"}
    assert not monitor(sim, HTTP)["changed"]


@pytest.mark.parametrize("sources", ["two", "one"])
def test_what_needs_a_source_is_never_without(simulator: StartSimulator, sources: str) -> None:
    sim = simulator(scenes.scenario(1, {"health_sources": sources}, health="rich", automatic_repairs=True), 60)
    done = monitor(sim, {"source": "load_balancer_probe", "probe_id": PROBE, "replace": True})
    if sources == "two":
        assert writes(sim) == ["VirtualMachineScaleSets PATCH", "VirtualMachineScaleSetExtensions DELETE"]
        assert (done["failed"], probe(sim), extensions(sim)) == (False, PROBE, {})
    else:
        assert done["failed"] and "takes one health source" in done["msg"] and "automatic repairs" in done["msg"], done
        assert (probe(sim), set(extensions(sim))) == (None, {"ApplicationHealthLinux"})


def test_a_probe_that_azure_keeps_is_told_how_to_take_away(simulator: StartSimulator) -> None:
    """Whether null in a PATCH takes a member away is unverified."""
    sim = simulator(scenes.scenario(1, {"patch_null": "ignore", "write": 1}, health="probe"), 60)
    result = monitor(sim, {"state": "absent"})
    assert result["failed"] and probe(sim) is not None
    for words in ("take away the health probe of scale set web", "did not store it", "az vmss update -g shop -n web"):
        assert words in result["msg"]
    assert "--remove virtualMachineProfile.networkProfile.healthProbe" in result["msg"]


def test_absent_takes_it_away_unless_it_is_needed(simulator: StartSimulator) -> None:
    latest = {"image": {**scenes.SERIES, "version": "latest"}}
    automatic = {"upgradePolicy": {"mode": "Rolling", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}}
    busy = scenes.scale_set(1, name="busy", properties=automatic, automatic_repairs=True, **latest)
    sim = simulator(scenes.several(scenes.scale_set(1, **{**BARE, "health": "rich"}), busy), 60)
    refused = monitor(sim, {"state": "absent", "name": "busy"})
    assert refused["failed"]
    for words in ("automatic OS image upgrades are on", "the upgrade mode is Rolling", "automatic repairs are on"):
        assert words in refused["msg"]
    assert sim.metrics()["non_get"] == []
    assert monitor(sim, {"state": "absent"})["changed"]
    assert set(extensions(sim)) == {"boot"}
    sim.reset()
    assert not monitor(sim, {"state": "absent"})["changed"]
    assert sim.metrics()["non_get"] == []


@pytest.mark.long
def test_bad_input_is_named_at_once_and_nothing_is_written(simulator: StartSimulator) -> None:
    flexible = scenes.scale_set(1, name="flexible", orchestration="Flexible", health="none")
    sim = simulator(scenes.several(scenes.scale_set(1, **BARE), flexible), 60)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        (
            {**HTTP, "port": 0, "interval_in_seconds": 4, "number_of_probes": 25, "grace_period": 14401},
            ["port 0", "interval_in_seconds 4", "number_of_probes 25", "grace_period 14401", "5 to 60", "1 to 24"],
        ),
        ({"source": EXTENSION}, ["protocol is missing"]),
        ({"source": EXTENSION, "protocol": "https"}, ["needs a request_path"]),
        ({"source": EXTENSION, "protocol": "tcp", "request_path": "/"}, ["needs a port", "takes no request_path"]),
        ({**HTTP, "grace_period": 60}, ["health_states rich"]),
        ({**HTTP, "extension_name": "Boot"}, ["another extension has the name Boot"]),
        ({"source": "load_balancer_probe", "probe_id": "health", "port": 1}, ["resource id", "port: a load balancer"]),
        ({"source": "load_balancer_probe", "probe_id": PROBE, "name": "flexible"}, ["is Flexible"]),
        ({}, ["source"]),
    ]
    for args, words in cases:
        result = monitor(sim, args)
        assert result["failed"], args
        for word in words:
            assert word in result["msg"], (args, result["msg"])
    assert sim.metrics()["non_get"] == []
