# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`enable_automatic_upgrades` with each condition broken, refused in one sentence, repaired as it says, and working."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import end_to_end
import harness
import pytest
import scenes
import test_preconditions as preconditions
from end_to_end import (
    FORMS,
    Act,
    Condition,
    cancel,
    of_form,
    roll,
    scale_set,
)
from scenes import StartSimulator
from test_preconditions import BROKEN, CLUSTERS, GALLERY, JAMMY, NETWORK, WINDOWS, balancer, fabric, system

PLAYBOOK = "enable_automatic_upgrades"
LATEST = {**JAMMY, "version": "latest"}
RUNNING = "22.04.2"
COMMON = {"rollout_max_unavailable": 1, "rollout_health_lag": 2}
FOLLOW = {"rollout_follow_latest": True}
MONITOR: dict[str, Any] = {
    "health_monitor_source": "application_health_extension",
    "health_monitor_protocol": "http",
    "health_monitor_port": "80",
    "health_monitor_request_path": "/health",
}
REPLACE = {**MONITOR, "health_monitor_replace": True}
PROBE = {
    "health_monitor_source": "load_balancer_probe",
    "health_monitor_probe_id": f"{NETWORK}/loadBalancers/good-lb/probes/health",
}
LET_AZURE = {"azure_may_upgrade": True}
MANUAL = {"rollout_upgrade_mode": "Manual"}
UNIFORM = ("Uniform", "zonal")
BEHIND = {"instances": {"0": {"generation_behind": 1}}}


# What another client does.


def publish(sim: harness.Simulator, _name: str, image: str, **more: Any) -> None:
    sim.publish({"gallery": "company", "image": image, "version": "1.0.0", **more})


def write(sim: harness.Simulator, name: str, **profile: Any) -> None:
    patch = {"properties": {"virtualMachineProfile": profile}}
    sim.event({"do": "write", "scale_set": name, "patch": patch})


def rewrite(sim: harness.Simulator, name: str, kind: str, **changes: Any) -> None:
    """Members of the extension of that type, in the model."""
    profile = scenes.truth(sim, name)["document"]["properties"]["virtualMachineProfile"]
    extensions = profile["extensionProfile"]["extensions"]
    for one in extensions:
        if one["properties"]["type"] == kind:
            one["properties"] |= changes
    write(sim, name, extensionProfile={"extensions": extensions})


def system_is(os: str, **configuration: Any) -> Act:
    return partial(write, **system(os, **configuration)["virtualMachineProfile"])


def fabric_is(node_type: str, durability: str) -> Act:
    properties = fabric(node_type, durability)["properties"]
    return partial(rewrite, kind="ServiceFabricLinuxNode", **properties)


def put(sim: harness.Simulator, name: str, interval: int) -> None:
    sim.event({"do": "resource", "resource": balancer(name, "Standard", interval)})


def raise_durability(sim: harness.Simulator, name: str) -> None:
    cluster = copy.deepcopy(next(one for one in preconditions.RESOURCES if one["id"] == CLUSTERS))
    for node_type in cluster["value"][0]["properties"]["nodeTypes"]:
        node_type["durabilityLevel"] = "Silver"
    sim.event({"do": "resource", "resource": cluster})
    fabric_is("bronze", "Silver")(sim, name)


def module(sim: harness.Simulator, name: str, module: str, **args: Any) -> None:
    result = scenes.module(sim, module, args={"name": name, **args}, allow_warnings=["Azure brings its"])
    assert result["changed"], result


def broken(name: str, **more: Any) -> Condition:
    """The condition of that name there, with how it is repaired."""
    members, said, remedy = BROKEN[name]
    members = {**members, **more.pop("members", {})}
    return Condition(**{"said": said, "remedy": remedy, "members": members, **more})


FABRIC = {"members": {"upgrade_mode": "Automatic"}, "forms": UNIFORM}
HELD: dict[str, dict[str, Any]] = {"elsewhere": {"regions": ["northeurope"]}, "excluded": {"exclude_from_latest": True}}
CONDITIONS: dict[str, Condition] = {
    "pinned": broken("pinned", repaired_by=FOLLOW),
    "pinned-gallery": broken("pinned-gallery", repaired_by=FOLLOW),
    "managed": broken("managed", repaired_by={"rollout_scale_set": "managed-anew"}),
    **{
        name: broken(
            name,
            breaks=partial(publish, image=name, **held),
            repair=partial(publish, image=name, regions=["westeurope"]),
        )
        for name, held in HELD.items()
    },
    "no-health": broken("no-health", repaired_by=MONITOR),
    "two-sources": broken("two-sources", repaired_by=REPLACE),
    # A zonal set takes no Basic load balancer, and a Flexible one no probe.
    "basic": broken("basic", repaired_by=PROBE, forms=("Uniform",)),
    "slow-probe": broken("slow-probe", repair=partial(put, interval=15), forms=UNIFORM),
    "flexible-probe": broken("flexible-probe", repaired_by=REPLACE, forms=("Flexible",)),
    "flexible-surge": broken(
        "flexible-surge", repaired_by={"upgrade_policy_rolling": {"max_surge": False}}, forms=("Flexible",)
    ),
    "windows-update": broken("windows-update", repair=system_is("Windows", enableAutomaticUpdates=False)),
    "patch-mode": broken("patch-mode", repair=system_is("Linux", patchSettings={"patchMode": "ImageDefault"})),
    "expired": broken("expired", repair=partial(rewrite, kind="CustomScript", settings={"fileUris": []})),
    "fabric-probe": broken(
        "fabric-probe",
        repair=partial(
            module, module="health_monitor", state="absent", source="load_balancer_probe", azure_may_upgrade=True
        ),
        **FABRIC,
    ),
    "fabric-bronze": broken("fabric-bronze", repair=raise_durability, **FABRIC),
    "fabric-old": broken("fabric-old", repair=fabric_is("silver", "Silver"), **FABRIC),
    "fabric-other": broken("fabric-other", repair=fabric_is("silver", "Silver"), **FABRIC),
    "fabric-pinned": Condition(
        "pins image",
        "imageReference.version=latest",
        {
            "image": {**JAMMY, "version": RUNNING},
            "health": "none",
            "extensions": [fabric("silver", "Silver")],
            "upgrade_mode": "Automatic",
        },
        repair=partial(write, storageProfile={"imageReference": {"version": "latest"}}),
        forms=UNIFORM,
    ),
    "windows-patch-mode": Condition(
        "has patch mode AutomaticByPlatform",
        "patchMode=Manual",
        {
            "os": "Windows",
            "image": {**WINDOWS, "version": "latest"},
            "properties": system("Windows", patchSettings={"patchMode": "AutomaticByPlatform"}),
        },
        repair=system_is("Windows", patchSettings={"patchMode": "Manual"}),
    ),
    "upgrade-running": Condition(
        "a rolling upgrade of Azure's is running", "cancel_upgrade", breaks=roll, repair=cancel
    ),
    **{
        mode.lower(): Condition(
            f"mode {mode}",
            "rollout_upgrade_mode: Manual",
            {"image": {**JAMMY, "version": "22.04.1"}, "upgrade_mode": mode},
            given=FOLLOW,
            repaired_by=MANUAL,
        )
        for mode in ("Rolling", "Automatic")
    },
    **{
        f"{mode.lower()}-behind": Condition(
            f"in mode {mode}, Azure may bring them to it",
            "steady.vmss.instance_upgrade and whole_model: true",
            {"upgrade_mode": mode, **BEHIND},
            repair=partial(module, module="instance_upgrade", whole_model=True, max_unavailable=1, health_lag=2),
            forms=UNIFORM,
        )
        for mode in ("Rolling", "Automatic")
    },
    **{
        f"{mode.lower()}-unproven": Condition(
            f"in mode {mode}, Azure may bring them to it",
            "azure_may_upgrade: true",
            {"upgrade_mode": mode, **BEHIND},
            repaired_by=LET_AZURE,
        )
        for mode in ("Rolling", "Automatic")
    },
    **{
        f"{mode.lower()}-unproven-manual": Condition(
            f"in mode {mode}, Azure may bring them to it",
            "rollout_upgrade_mode: Manual",
            {"upgrade_mode": mode, **BEHIND},
            repaired_by=MANUAL,
        )
        for mode in ("Rolling", "Automatic")
    },
    "automatic-no-health-manual": Condition(
        "in upgrade mode Automatic",
        "Set the mode to Manual first",
        {"upgrade_mode": "Automatic", "health": "none"},
        given=MONITOR,
        repaired_by=MANUAL,
        forms=UNIFORM,
    ),
    "automatic-no-health": Condition(
        "in upgrade mode Automatic",
        "azure_may_upgrade: true",
        {"upgrade_mode": "Automatic", "health": "none"},
        given=MONITOR,
        repaired_by=LET_AZURE,
        most_down=3,
        forms=UNIFORM,
    ),
    "no-protocol": Condition(
        "protocol is missing",
        "http, https or tcp",
        {"health": "none"},
        given={**MONITOR, "health_monitor_protocol": ""},
        repaired_by=MONITOR,
    ),
    "kept-probe": Condition(
        "has the health source load_balancer_probe, and Azure takes only one",
        "replace: true",
        {"health": "probe"},
        given=MONITOR,
        repaired_by=REPLACE,
        forms=UNIFORM,
    ),
    "given-slow-probe": Condition(
        "asks every 120 s",
        "below 120",
        {"health": "none"},
        given={**PROBE, "health_monitor_probe_id": f"{NETWORK}/loadBalancers/given-slow-probe-lb/probes/health"},
        repair=partial(put, interval=15),
        forms=UNIFORM,
    ),
    "pinned-elsewhere": Condition(
        "northeurope",
        "Replicate",
        {"image": {"id": f"{GALLERY}/nowhere/versions/1.0.0"}},
        given=FOLLOW,
        breaks=partial(publish, image="nowhere", regions=["northeurope"]),
        repair=partial(publish, image="nowhere", regions=["westeurope"]),
    ),
    "batch-of-3": Condition(
        "max_batch_instance_percent 3 is out of range",
        "Azure takes 5 to 100",
        given={"upgrade_policy_rolling": "max_batch_instance_percent=3"},
        repaired_by={"upgrade_policy_rolling": "max_batch_instance_percent=20"},
    ),
    "flexible-rollback": Condition(
        "where Azure cannot roll failed instances back",
        "rollback_failed_instances_on_policy_breach false",
        given={"upgrade_policy_rolling": "rollback_failed_instances_on_policy_breach=true"},
        repaired_by={"upgrade_policy_rolling": "rollback_failed_instances_on_policy_breach=false"},
        forms=("Flexible",),
    ),
}
SAMPLE = {name: CONDITIONS[name] for name in ("no-health", "patch-mode")}


def world(conditions: Mapping[str, Condition], form: str) -> dict[str, Any]:
    pictures = ("web", *HELD, "nowhere")
    gallery = {
        "name": "company",
        "resource_group": "images",
        "images": [{"name": picture, "versions": [{"version": "1.0.0"}]} for picture in pictures],
    }
    plain = {"image": LATEST}
    sets = [scale_set(name, form, one.members, **plain) for name, one in conditions.items()]
    if "managed" in conditions:
        sets.append(scale_set("managed-anew", form, {"image": {"id": f"{GALLERY}/web"}}))
    more = [balancer("good", "Standard", 15), balancer("kept-probe", "Standard", 15)]
    more.append(balancer("given-slow-probe", "Standard", 120))
    return {
        **preconditions.SCENARIO,
        "images": {**preconditions.SCENARIO["images"], "galleries": [gallery]},
        "resources": [*preconditions.RESOURCES, *more],
        "scale_sets": sets,
    }


def broken_and_repaired(simulator: StartSimulator, conditions: Mapping[str, Condition], form: str) -> None:
    sim = simulator(world(conditions, form), 120)
    wrong = end_to_end.broken(sim, PLAYBOOK, conditions, COMMON)
    wrong += end_to_end.repaired(sim, PLAYBOOK, conditions, COMMON)
    for name, condition in conditions.items():
        policy = scenes.truth(sim, condition.repaired(name))["document"]["properties"].get("upgradePolicy", {})
        if not policy.get("automaticOSUpgradePolicy", {}).get("enableAutomaticOSUpgrade"):
            wrong.append(f"{name}: automatic upgrades are not on")
    assert not wrong, "\n".join(wrong)


def test_every_precondition_is_among_them() -> None:
    assert set(BROKEN) <= set(CONDITIONS)


def test_a_condition_is_broken_and_repaired(simulator: StartSimulator) -> None:
    broken_and_repaired(simulator, SAMPLE, "zonal")


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_each_condition_is_broken_and_repaired(simulator: StartSimulator, form: str) -> None:
    broken_and_repaired(simulator, of_form(CONDITIONS, form), form)
