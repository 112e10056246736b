# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be done is refused in one clear sentence before anything is written: Azure sees nothing but GET."""

from __future__ import annotations

import json
import re
from typing import Any

import harness
import pytest
import side_by_side
from scenes import NEW, OLD, SERIES, StartSimulator

GALLERIES = "/subscriptions/{subscription}/resourceGroups/images/providers/Microsoft.Compute/galleries/company/images"
MANAGED = "/subscriptions/{subscription}/resourceGroups/images/providers/Microsoft.Compute/images"
NODE = {
    "name": "node",
    "properties": {
        "publisher": "Microsoft.Azure.ServiceFabric",
        "type": "ServiceFabricLinuxNode",
        "typeHandlerVersion": "1.1",
        "settings": {"durabilityLevel": "Silver"},
    },
}
AUTOMATIC = {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
ROLLING = {
    "runningStatus": {"code": "RollingForward", "startTime": "2026-11-21T01:00:00Z"},
    "progress": {"pendingInstanceCount": 3},
}
SETS: dict[str, dict[str, Any]] = {
    "web": {},
    "single": {"capacity": 1},
    "newest": {"image": {**SERIES, "version": "latest"}, "running": OLD},
    "automatic": {"upgrade_mode": "Automatic"},
    "rolling": {"upgrade_mode": "Rolling"},
    "watched": {"properties": {"upgradePolicy": AUTOMATIC}},
    "cluster": {"extensions": [NODE]},
    "upgrading": {"rolling_latest": ROLLING},
    "labelled": {"tags": {f"tag-{number}": "x" for number in range(48)}},
    "gallery": {"image": {"id": f"{GALLERIES}/web/versions/1.0.0"}},
    "managed": {"image": {"id": f"{MANAGED}/golden"}},
}
SCENARIO = {
    "images": {
        "platform": [
            {**SERIES, "versions": [OLD, NEW]},
            {**SERIES, "sku": "windows", "os": "Windows", "versions": ["1.0.0"]},
            {**SERIES, "sku": "sold", "versions": ["1.0.0"], "plan": {"publisher": "p", "product": "o", "name": "s"}},
        ],
        "managed": [{"name": "golden", "resource_group": "images"}],
        "galleries": [
            {
                "name": "company",
                "resource_group": "images",
                "images": [
                    {
                        "name": "web",
                        "versions": [
                            {"version": "1.0.0"},
                            {"version": "1.1.0", "state": "Creating"},
                            {"version": "1.2.0", "regions": ["northeurope"]},
                        ],
                    },
                    {"name": "hidden", "versions": [{"version": "2.0.0", "exclude_from_latest": True}]},
                ],
            }
        ],
    },
    "scale_sets": [
        {"resource_group": "shop", "capacity": 3, "image": {**SERIES, "version": OLD}, "name": name, **members}
        for name, members in SETS.items()
    ],
}
URN = "Canonical:ubuntu-24_04-lts:server"
# What the role is given beside the scale set `web` and the image NEW, and what its message must hold.
ROLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no scale set": ({"rollout_scale_set": "nope"}, ["nope", "ResourceNotFound", "shop"]),
    "no resource group": ({"rollout_resource_group": "nope"}, ["web", "ResourceGroupNotFound", "'nope'"]),
    "no subscription": (
        {"subscription": "99999999-0000-4000-8000-000000000000"},
        ["web", "SubscriptionNotFound", "99999999"],
    ),
    "no name": ({"rollout_scale_set": ""}, ["rollout_scale_set"]),
    "no group": ({"rollout_resource_group": ""}, ["rollout_resource_group"]),
    "no sku": ({"rollout_image": "Canonical:ubuntu-24_04-lts:nope:1.0.0"}, ["nope:1.0.0 does not exist", "image_info"]),
    "no version": ({"rollout_image": "9.9.9"}, [f"{URN}:9.9.9 does not exist in westeurope", "image_info"]),
    "no managed image": (
        {"rollout_scale_set": "managed", "rollout_image": f"{MANAGED}/nope"},
        ["images/nope does not exist"],
    ),
    "no gallery version": (
        {"rollout_scale_set": "gallery", "rollout_image": f"{GALLERIES}/web/versions/7.0.0"},
        ["versions/7.0.0 does not exist"],
    ),
    "a version being made": (
        {"rollout_scale_set": "gallery", "rollout_image": f"{GALLERIES}/web/versions/1.1.0"},
        ["1.1.0", "cannot be used for scale set gallery", "provisioning state is Creating", "wait until it is ready"],
    ),
    "a version elsewhere": (
        {"rollout_scale_set": "gallery", "rollout_image": f"{GALLERIES}/web/versions/1.2.0"},
        ["1.2.0", "not replicated to westeurope", "northeurope", "Replicate it"],
    ),
    "only excluded versions": (
        {"rollout_scale_set": "gallery", "rollout_image": f"{GALLERIES}/hidden"},
        ["images/hidden has no version that can be used in westeurope", "2.0.0: it is excluded from latest"],
    ),
    "no such instance": ({"rollout_instance_ids": "0,77"}, ["scale set web has no instance 77", "It has: 0-2"]),
    "no such update domain": ({"rollout_update_domains": [9]}, ["web has no update domain 9", "It has: 0-2"]),
    "no such fault domain": ({"rollout_fault_domains": "9"}, ["web has no fault domain 9", "It has: 0-2"]),
    "a domain in words": ({"rollout_update_domains": "first"}, ["update domain 'first' is not a number"]),
    "none unavailable": ({"rollout_max_unavailable": 0}, ["max_unavailable '0' would never", "the least is 1"]),
    "negative": ({"rollout_max_unavailable": -1}, ["max_unavailable '-1' is neither a number of instances"]),
    "over 100 %": ({"rollout_max_unavailable": "101%"}, ["max_unavailable '101%' is more than all instances"]),
    "text": ({"rollout_max_unavailable": "some"}, ["max_unavailable 'some' is neither", "percent ('20%')"]),
    "empty batches": ({"rollout_batch_size": "0"}, ["batch_size '0' would never"]),
    "negative canary": ({"rollout_canary": "-1"}, ["canary -1 is negative"]),
    "canary in words": ({"rollout_canary": "one"}, ["canary", "one"]),
    "unknown order": ({"rollout_order_by": "name"}, ["order_by", "domain, fault_domain, zone, none", "name"]),
    "a timeout in words": ({"rollout_health_timeout": "soon"}, ["rollout_health_timeout", "soon"]),
    "a pause in words": ({"rollout_pause": "short"}, ["rollout_pause", "short"]),
    "Automatic": (
        {"rollout_scale_set": "automatic"},
        ["automatic is in upgrade mode Automatic", "every instance at once", "rollout_upgrade_mode: Manual"],
    ),
    "Rolling": (
        {"rollout_scale_set": "rolling"},
        ["rolling is in upgrade mode Rolling", "rollout_upgrade_mode: Manual"],
    ),
    "to Rolling": ({"rollout_upgrade_mode": "Rolling"}, ["upgrade_mode", "Manual", "Rolling"]),
    "automatic OS upgrade": (
        {"rollout_scale_set": "watched"},
        ["watched has automatic OS image upgrades on", "steady.vmss.disable_automatic_upgrades"],
    ),
    "Service Fabric": (
        {"rollout_scale_set": "cluster"},
        ["cluster is managed by Service Fabric", "Upgrade it through"],
    ),
    "a rolling upgrade": (
        {"rollout_scale_set": "upgrading"},
        ["upgrading has a rolling upgrade of Azure's running (RollingForward)", "az vmss rolling-upgrade cancel"],
    ),
    "two forms": (
        {"rollout_image": {"id": f"{MANAGED}/golden", "version": NEW}},
        ["an image has one form, and version, id are of several"],
    ),
    "no image at all": ({"rollout_image": "the new one"}, ["'the new one' names no image", "Write a URN"]),
    "platform to managed": (
        {"rollout_image": f"{MANAGED}/golden"},
        [
            "web cannot take image",
            "The Image type for a Virtual Machine Scale Set may not be changed",
            "create a scale set",
        ],
    ),
    "gallery to platform": (
        {"rollout_scale_set": "gallery", "rollout_image": f"{URN}:{NEW}"},
        ["gallery cannot take image", "may not be changed"],
    ),
    "a version for a gallery": (
        {"rollout_scale_set": "gallery"},
        ["the image lacks publisher, offer, sku", "names no platform image"],
    ),
    "another OS": (
        {"rollout_image": {"sku": "windows", "version": "1.0.0"}},
        ["is Windows", "web is Linux", "Choose an image"],
    ),
    "no plan": (
        {"rollout_image": {"sku": "sold", "version": "1.0.0"}},
        ["sold under the plan p/o/s", "web carries none", "Create a scale set with that plan"],
    ),
    "too many tags": (
        {"rollout_scale_set": "labelled"},
        ["the rollout record needs", "has 48 others", "Remove some"],
    ),
    "no task file": (
        {"rollout_before_batch": "drain.yml"},
        ["rollout_before_batch = drain.yml: there is no such file in"],
    ),
    "no journal": ({"rollout_journal_dir": "/dev/null/journal"}, ["/dev/null/journal"]),
}


def given(azure: harness.Simulator, value: Any) -> Any:
    """With the simulator's subscription filled in."""
    if isinstance(value, dict):
        return {key: given(azure, item) for key, item in value.items()}
    return value.replace("{subscription}", azure.subscription) if isinstance(value, str) else value


@pytest.fixture
def azure(simulator: StartSimulator) -> harness.Simulator:
    return simulator(SCENARIO, time_scale=600)


def failed(azure: harness.Simulator, runs: dict[str, harness.Result], wanted: dict[str, list[str]]) -> None:
    """Each case failed with its words, and Azure saw no write."""
    told = {case: runs[case].failures for case in wanted}
    wrong = {
        case: messages
        for case, messages in told.items()
        if not messages or len(messages[-1]) > 1200 or not all(part in messages[-1] for part in wanted[case])
    }
    assert wrong == {}, json.dumps(wrong, indent=1)
    whole = next(iter(runs.values()))
    assert not re.search(r"Traceback|MODULE FAILURE|Unexpected|\bNone\b", whole.output), whole.output
    assert azure.metrics()["non_get"] == []


@pytest.mark.long
def test_the_role_refuses(azure: harness.Simulator) -> None:
    standard = {"rollout_resource_group": "shop", "rollout_scale_set": "web", "rollout_image": NEW}
    cases = {case: given(azure, {**standard, **more}) for case, (more, _dummy) in ROLE.items()}
    runs = side_by_side.roll_out(azure, cases)
    failed(azure, runs, {case: parts for case, (_dummy, parts) in ROLE.items()})
    assert all("Nothing" in run.failures[0] for case, run in runs.items() if case in ("Automatic", "no plan"))


# The same of the modules alone: what `image` and `instance_upgrade` are given, and what their messages must hold.
IMAGE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no version": ({"image": "9.9.9"}, [f"{URN}:9.9.9 does not exist in westeurope"]),
    "Automatic": ({"name": "automatic", "image": NEW}, ["automatic is in upgrade mode Automatic"]),
    "to managed": ({"image": f"{MANAGED}/golden"}, ["web cannot take image", "may not be changed"]),
}
UPGRADE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "another image": ({"image": NEW}, [f"web names {URN}:{OLD}, not", "Write the model first with steady.vmss.image"]),
    "latest": ({"name": "newest"}, [f"newest says {URN}:latest", "Pin an exact version first"]),
    "no such instance": ({"instance_ids": ["77"]}, ["scale set web has no instance 77"]),
    "none unavailable": ({"max_unavailable": "0%"}, ["max_unavailable '0%' would never"]),
}
EXTENSION: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no extension": ({"extension": ""}, ["extension is empty; ", "extension_name"]),
    "no name": ({"extension": "boot", "name": ""}, ["name is empty; in the role rollout it is rollout_scale_set."]),
}


@pytest.mark.parametrize(
    ("module", "given_to"), [("image", IMAGE), ("instance_upgrade", UPGRADE), ("extension", EXTENSION)]
)
def test_the_modules_refuse(
    azure: harness.Simulator, module: str, given_to: dict[str, tuple[dict[str, Any], list[str]]]
) -> None:
    standard = {"resource_group": "shop", "name": "web"}
    cases = {case: given(azure, {**standard, **more}) for case, (more, _dummy) in given_to.items()}
    runs = side_by_side.run_module(azure, module, cases)
    failed(azure, runs, {case: words for case, (_dummy, words) in given_to.items()})


def test_a_set_of_one_is_told_that_it_will_be_down(azure: harness.Simulator) -> None:
    standard = {"rollout_resource_group": "shop", "rollout_scale_set": "single", "rollout_image": NEW}
    run = harness.run_playbook("steady.vmss.upgrade_image", azure, extra_vars=standard, check=True)
    assert run.rc == 0, run.output
    (warning,) = [f for f in run.of("rollout")[0].result["findings"] if f["code"] == "all_down"]
    assert "single has 1 instance" in warning["message"] and "nothing serves" in warning["message"]
    assert warning["message"] in run.stdout
    assert azure.metrics()["non_get"] == []
