# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each precondition of automatic OS upgrades broken in turn: one sentence, the remedy, no write."""

from __future__ import annotations

import copy
from typing import Any

import harness
import pytest
import scenes
import side_by_side
from scenes import GROUP, StartSimulator

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"  # the simulator's
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
CLUSTERS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ServiceFabric/clusters"
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries/company/images"
JAMMY = {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-LTS-Gen2"}
WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-Datacenter-g2"}
UNKNOWN = {"publisher": "Somebody", "offer": "own-linux", "sku": "server"}
ENABLE = {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
ENDPOINT = f"https://westeurope.servicefabric.azure.com/runtime/clusters/{SUBSCRIPTION}"


def extension(kind: str, **properties: Any) -> dict[str, Any]:
    plain = {"publisher": "Microsoft.Test", "type": kind, "typeHandlerVersion": "1.1", "settings": {}}
    return {"name": kind, "properties": {**plain, **properties}}


def fabric(node_type: str, durability: str, version: str = "1.1") -> dict[str, Any]:
    settings = {"clusterEndpoint": ENDPOINT, "nodeTypeRef": node_type, "durabilityLevel": durability}
    return extension("ServiceFabricLinuxNode", typeHandlerVersion=version, settings=settings)


def system(os: str, **configuration: Any) -> dict[str, Any]:
    return {"virtualMachineProfile": {"osProfile": {f"{os.lower()}Configuration": configuration}}}


def balancer(name: str, sku: str, interval: int, rules: int = 0) -> dict[str, Any]:
    probe = {"intervalInSeconds": interval, "numberOfProbes": 2, "loadBalancingRules": [{"id": "rule"}] * rules}
    probes = {"probes": [{"name": "health", "properties": probe}]}
    return {
        "id": f"{NETWORK}/loadBalancers/{name}-lb",
        "name": f"{name}-lb",
        "sku": {"name": sku},
        "properties": probes,
    }


SIGNED = "https://account.blob.core.windows.net/boot/run.sh?sp=r&se=2020-01-01T00%3A00%3A00Z&sig=c2VjcmV0"
PLACES = {"singlePlacementGroup": False}
# The scale set's members; words of the sentence; words of the remedy.
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "pinned": ({"image": {**JAMMY, "version": "22.04.2"}}, "pins image", "steady.vmss.image"),
    "pinned-gallery": ({"image": {"id": f"{GALLERY}/web/versions/1.0.0"}}, "pins image", f"{GALLERY}/web'"),
    "managed": (
        {"image": {"id": f"{GALLERY.partition('/galleries')[0]}/images/golden"}},
        "custom images get automatic OS image upgrades only from a gallery",
        "create a scale set from there",
    ),
    "elsewhere": (
        {"capacity": 0, "image": {"id": f"{GALLERY}/elsewhere"}},
        "not replicated to westeurope",
        "Replicate",
    ),
    "excluded": (
        {"capacity": 0, "image": {"id": f"{GALLERY}/excluded"}},
        "it is excluded from latest",
        "do not exclude it",
    ),
    "no-health": ({"health": "none"}, "has no health source", "steady.vmss.health_monitor"),
    "two-sources": (
        {"health": "probe", "extensions": [extension("ApplicationHealthLinux")]},
        "has 2 health sources (application_health_extension, load_balancer_probe)",
        "replace: true",
    ),
    "basic": ({"health": "probe", "properties": PLACES}, "to a Basic load balancer", "Standard load balancer"),
    "slow-probe": ({"health": "probe"}, "asks every 120 s", "below 120"),
    "flexible-probe": (
        {"orchestration": "Flexible", "health": "probe"},
        "which Flexible orchestration does not support",
        "replace: true",
    ),
    "flexible-surge": (
        {"orchestration": "Flexible", "properties": {"upgradePolicy": {"rollingUpgradePolicy": {"maxSurge": True}}}},
        "automatic OS image upgrades and max surge exclude each other",
        "max_surge to false",
    ),
    "windows-update": (
        {
            "os": "Windows",
            "image": {**WINDOWS, "version": "latest"},
            "properties": system("Windows", enableAutomaticUpdates=True),
        },
        "Windows Update is on",
        "enableAutomaticUpdates=false",
    ),
    "patch-mode": (
        {"properties": system("Linux", patchSettings={"patchMode": "AutomaticByPlatform"})},
        "has patch mode AutomaticByPlatform",
        "patchMode=ImageDefault",
    ),
    "expired": (
        {"extensions": [extension("CustomScript", settings={"fileUris": [SIGNED]})]},
        "expired at 2020-01-01T00%3A00%3A00Z",
        "Write a new one into the model first",
    ),
    "fabric-probe": (
        {"health": "probe", "extensions": [fabric("silver", "Silver")]},
        "Service Fabric cluster and has a load balancer probe",
        "state: absent",
    ),
    "fabric-bronze": (
        {"health": "none", "extensions": [fabric("bronze", "Bronze")]},
        "has durability Bronze",
        "Raise durabilityLevel",
    ),
    "fabric-old": (
        {"health": "none", "extensions": [fabric("silver", "Silver", "1.0")]},
        "has typeHandlerVersion 1.0",
        "typeHandlerVersion 1.1",
    ),
    "fabric-other": (
        {"health": "none", "extensions": [fabric("silver", "Gold")]},
        "has durability Gold, and the cluster's node type Silver",
        "Make them the same",
    ),
}
# What does not stand in the way, but is said. None: nothing is to be said.
SAID: dict[str, tuple[dict[str, Any], str | None]] = {
    "ready": ({}, None),
    "ready-gallery": ({"image": {"id": f"{GALLERY}/web"}}, None),
    "ready-windows": ({"os": "Windows", "image": {**WINDOWS, "version": "latest"}}, None),
    "ready-flexible": ({"orchestration": "Flexible"}, None),
    "ready-probe": ({"health": "probe", "properties": PLACES}, None),
    "unknown-image": ({"image": {**UNKNOWN, "version": "latest"}}, "not among those known"),
    "shared-probe": ({"health": "probe"}, "separate probe"),
    "unread-probe": ({"health": "probe"}, "the load balancer probe health was not checked: ResourceNotFound"),
    "vault": (
        {"properties": {"virtualMachineProfile": {"osProfile": {"secrets": [{"sourceVault": {"id": "/v"}}]}}}},
        "whether they can be read is not checked",
    ),
    "held-back": ({"image": {"id": f"{GALLERY}/held"}}, "version 1.1.0"),
}
RESOURCES = [
    balancer("two-sources", "Standard", 15),
    balancer("basic", "Basic", 15),
    balancer("flexible-probe", "Standard", 15),
    balancer("slow-probe", "Standard", 120),
    balancer("fabric-probe", "Standard", 15),
    balancer("ready-probe", "Standard", 15),
    balancer("shared-probe", "Standard", 15, rules=1),
    {
        "id": CLUSTERS,
        "value": [
            {
                "name": "mesh",
                "properties": {
                    "clusterEndpoint": ENDPOINT,
                    "nodeTypes": [
                        {"name": name, "durabilityLevel": name.capitalize()} for name in ("silver", "bronze")
                    ],
                },
            }
        ],
    },
]
SCENARIO: dict[str, Any] = {
    "images": {
        "platform": [
            {**JAMMY, "versions": ["22.04.1", "22.04.2"]},
            {**WINDOWS, "os": "Windows", "versions": ["20348.1"]},
            {**UNKNOWN, "versions": ["1.0.0"]},
        ],
        "managed": [{"name": "golden", "resource_group": "images"}],
        "galleries": [
            {
                "name": "company",
                "resource_group": "images",
                "images": [
                    {"name": "web", "versions": [{"version": "1.0.0"}]},
                    {"name": "elsewhere", "versions": [{"version": "1.0.0", "regions": ["northeurope"]}]},
                    {"name": "excluded", "versions": [{"version": "1.0.0", "exclude_from_latest": True}]},
                    {"name": "held", "versions": [{"version": "1.0.0"}, {"version": "1.1.0", "state": "Creating"}]},
                ],
            }
        ],
    },
    "server": {"buckets": 100},
    "resources": RESOURCES,
}


def scale_sets(cases: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    plain = {"resource_group": GROUP, "capacity": 1, "image": {**JAMMY, "version": "latest"}, "knobs": scenes.QUICK}
    return [{**copy.deepcopy(plain), "name": name, **members[0]} for name, members in cases.items()]


def set_policies(
    sim: harness.Simulator, names: list[str], options: dict[str, Any], **more: Any
) -> dict[str, harness.Result]:
    cases = {name: {"resource_group": GROUP, "name": name, **options} for name in names}
    return side_by_side.run_module(sim, "upgrade_policy", cases, env={"ANSIBLE_FORKS": "4"}, **more)


def test_each_broken_precondition_is_named_with_its_remedy_and_nothing_is_written(simulator: StartSimulator) -> None:
    sim = simulator({**SCENARIO, "scale_sets": scale_sets(BROKEN)}, 60)
    runs = set_policies(sim, list(BROKEN), ENABLE)
    for name, (_members, sentence, remedy) in BROKEN.items():
        result = runs[name].tasks[-1].result
        errors = [one for one in result["findings"] if one["severity"] == "error"]
        assert runs[name].rc == 2 and len(errors) == 1, (name, result)
        for words in (f"scale set {name}", "nothing was written", sentence, remedy):
            assert words in result["msg"], (name, result["msg"])
        assert sentence in errors[0]["message"] and remedy in errors[0]["remedy"], name
        assert "2)" not in result["msg"]
    assert sim.metrics()["non_get"] == []
    assert "c2VjcmV0" not in runs["expired"].output


@pytest.mark.long
def test_what_is_only_said(simulator: StartSimulator) -> None:
    sim = simulator({**SCENARIO, "scale_sets": scale_sets(SAID)}, 60)
    said = [words for _members, words in SAID.values() if words]
    runs = set_policies(sim, list(SAID), ENABLE, allow_warnings=[*said, "is newer than 1.0.0"])
    for name, (_members, words) in SAID.items():
        result = runs[name].tasks[-1].result
        assert runs[name].rc == 0 and result["changed"], (name, result)
        sentences = [one["sentence"] for one in result["findings"]]
        assert len(sentences) == (words is not None), (name, sentences)
        assert words is None or words in sentences[0], (name, sentences)
        assert words is None or any(words in shown for shown in runs[name].warnings), (name, runs[name].warnings)
        policy = scenes.truth(sim, name)["document"]["properties"]["upgradePolicy"]
        assert policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] is True, name
    assert {call["status"] for call in sim.metrics()["non_get"]} == {200}


def test_all_that_is_missing_stands_in_one_message(simulator: StartSimulator) -> None:
    bare = {"name": "bare", "os": "Windows", "image": {**WINDOWS, "version": "20348.1"}, "health": "none"}
    configuration = {"enableAutomaticUpdates": True, "patchSettings": {"patchMode": "AutomaticByPlatform"}}
    members = {"bare": ({**bare, "properties": system("Windows", **configuration)},)}
    sim = simulator({**SCENARIO, "scale_sets": scale_sets(members)}, 60)
    result = scenes.module(sim, "upgrade_policy", args={**ENABLE, "name": "bare", "mode": "Rolling"})
    assert result["failed"]
    for words in ("1) ", "2) ", "3) ", "4) ", "pins image", "no health source", "Windows Update", "patch mode"):
        assert words in result["msg"]
    assert "5) " not in result["msg"]
    assert sim.metrics()["non_get"] == []


UNREAD: dict[str, dict[str, Any]] = {
    "probe": {"health": "probe"},
    "cluster": {"health": "none", "extensions": [fabric("silver", "Silver")]},
}


@pytest.mark.parametrize("what", sorted(UNREAD))
def test_what_cannot_be_read_is_said_to_be_unchecked(simulator: StartSimulator, what: str) -> None:
    sim = simulator({**SCENARIO, "resources": [], "scale_sets": scale_sets({"web": (UNREAD[what],)})}, 60)
    options = {"args": ENABLE, "check": True, "allow_warnings": ["was not checked"]}
    result = scenes.module(sim, "upgrade_policy", **options)
    assert result["changed"] and not result["failed"], result
    (one,) = result["findings"]
    assert one["severity"] == "warning" and "was not checked" in one["message"] and "NotFound" in one["message"]
    assert sim.metrics()["non_get"] == []
