# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure may send null for every member that is not required: the plan has an answer or a refusal with words."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image as image_change
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_plan_info

from ..asking import request
from ..fake_azure import SUBSCRIPTION, WEB, FakeAzure
from ..refusals import refused
from ..stored import HEALTH, PROBE

REQUIRED = {("id",), ("name",), ("location",), ("instanceId",), ("value",)}
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/i/providers/Microsoft.Compute/galleries/ours/images/one"
TARGET = f"{GALLERY}/versions/2.0.0"
SET: dict[str, Any] = {
    "id": WEB,
    "name": "web",
    "location": "westus",
    "sku": {"name": "Standard_B2s", "tier": "Standard", "capacity": 1},
    "zones": ["1"],
    "tags": {"team": "shop"},
    "plan": {"publisher": "p", "product": "o", "name": "n"},
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "orchestrationMode": "Uniform",
        "provisioningState": "Succeeded",
        "upgradePolicy": {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": False}},
        "automaticRepairsPolicy": {"enabled": False},
        "resiliencyPolicy": {"automaticZoneRebalancingPolicy": {"enabled": False}},
        "virtualMachineProfile": {
            "osProfile": {"linuxConfiguration": {}},
            "securityProfile": {"securityType": "TrustedLaunch"},
            "networkProfile": {"healthProbe": {"id": PROBE}},
            "extensionProfile": {"extensions": [HEALTH]},
            "storageProfile": {
                "imageReference": {"id": f"{GALLERY}/versions/1.0.0"},
                "osDisk": {"osType": "Linux", "diskSizeGB": 30, "diffDiskSettings": {"option": "Local"}},
            },
        },
    },
}
INSTANCE: dict[str, Any] = {
    "id": f"{WEB}/virtualMachines/0",
    "instanceId": "0",
    "name": "web_0",
    "zones": ["1"],
    "resources": [HEALTH],
    "properties": {
        "latestModelApplied": False,
        "provisioningState": "Succeeded",
        "timeCreated": "2026-05-01T12:00:00Z",
        "protectionPolicy": {"protectFromScaleSetActions": False},
        "storageProfile": {
            "imageReference": {"id": f"{GALLERY}/versions/1.0.0", "exactVersion": "1.0.0"},
            "osDisk": {"name": "disk", "managedDisk": {"id": "disk"}},
        },
        "instanceView": {
            "platformUpdateDomain": 0,
            "vmHealth": {"status": {"code": "HealthState/healthy", "time": "2026-05-01T12:00:00Z"}},
            "disks": [{"name": "disk", "statuses": [{"code": "ProvisioningState/succeeded"}]}],
            "statuses": [{"code": "ProvisioningState/succeeded", "time": "2026-05-01T12:00:00Z"}],
        },
    },
}
VERSION = {
    "name": "2.0.0",
    "location": "westus",
    "properties": {
        "provisioningState": "Succeeded",
        "publishingProfile": {
            "targetRegions": [{"name": "West US", "excludeFromLatest": False}],
            "endOfLifeDate": "2026-05-01T12:00:00Z",
        },
        "storageProfile": {"osDiskImage": {"sizeInGB": 30}},
    },
}
DEFINITION = {
    "name": "one",
    "location": "westus",
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "features": [{"name": "SecurityType", "value": "TrustedLaunch"}],
        "purchasePlan": {"publisher": "p", "product": "o", "name": "n"},
    },
}
OPERATION = {"status": "Failed", "endTime": "2026-05-01T12:00:00Z", "error": {"code": "A", "details": [{"code": "B"}]}}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        if (*path, name) not in REQUIRED:
            yield (*path, name)
        yield from paths(member, (*path, name))


def nulled(document: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = None
    return changed


def plan(azure: Azure, arm: FakeAzure, **changed: Any) -> None:
    documents = {"set": SET, "instance": INSTANCE, "version": VERSION, "definition": DEFINITION, **changed}
    arm.on("GET", WEB, (200, {}, documents["set"]))
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [documents["instance"]]}))
    arm.on("GET", TARGET, (200, {}, documents["version"]))
    arm.on("GET", f"{GALLERY}/versions/1.0.0", (200, {}, documents["version"]))
    arm.on("GET", GALLERY, (200, {}, documents["definition"]))
    options = {"resource_group": "rg", "name": "web", "image": TARGET}
    made = upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, options))
    upgrade_plan_info.as_result(made)
    image_change.image_patch(made.survey.scale_set, images.parse(TARGET), made.record)


@pytest.mark.parametrize(
    ("which", "document"),
    [("set", SET), ("instance", INSTANCE), ("version", VERSION), ("definition", DEFINITION)],
    ids=["set", "instance", "version", "definition"],
)
def test_a_plan_with_any_member_null(azure: Azure, arm: FakeAzure, which: str, document: Any) -> None:
    plan(azure, arm)
    refusals: dict[tuple[Any, ...], str] = {}
    for path in paths(document):
        try:
            plan(azure, arm, **{which: nulled(document, path)})
        except Refused as refusal:
            refusals[path] = str(refusal)
    assert [path for path, said in refusals.items() if "None" in said] == []


def test_an_operation_with_any_member_null() -> None:
    for path in paths(OPERATION):
        problem = reading.operation(nulled(OPERATION, path)).problem
        assert problem is None or "None" not in str(problem), path


@pytest.mark.parametrize("profile", ["absent", None])
def test_a_set_without_a_model_is_refused_at_the_plan(azure: Azure, arm: FakeAzure, profile: str | None) -> None:
    document = copy.deepcopy(SET)
    document["properties"]["orchestrationMode"] = "Flexible"
    del document["properties"]["virtualMachineProfile"]
    if profile is None:
        document["properties"]["virtualMachineProfile"] = None
    with refused("model_missing", "created one by one"):
        plan(azure, arm, set=document)
    assert {method for method, _path in arm.sent()} <= {"GET", "POST"}, "POST signs in"
