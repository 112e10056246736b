# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be told of one scale set hides nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import ScaleSetInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import scale_set_info

from ..asking import request
from ..fake_azure import GROUP, SUBSCRIPTION, FakeAzure

SETS = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets"
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/i/providers/Microsoft.Compute/galleries/ours/images/web"
PLATFORM = {"publisher": "Canonical", "offer": "ubuntu", "sku": "server", "version": "1.0.0"}
OPTIONS: dict[str, Any] = {"resource_group": "rg", "instances": True, "instance_ids": [], "addresses": False}


def serve(arm: FakeAzure, **models: dict[str, str]) -> None:
    found = []
    for name, model in models.items():
        properties = {"virtualMachineProfile": {"storageProfile": {"imageReference": model}}}
        found.append({"id": f"{SETS}/{name}", "name": name, "location": "westus", "properties": properties})
        instance = {"storageProfile": {"imageReference": {**model, "exactVersion": "1.0.0"}}, "instanceView": {}}
        vms = {"value": [{"instanceId": "0", "name": f"{name}_0", "properties": instance}]}
        arm.on("GET", f"{SETS}/{name}/virtualMachines", (200, {}, vms))
    arm.on("GET", SETS, (200, {}, {"value": found}))


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ((403, {}, {"error": {"code": "AuthorizationFailed", "message": "You may not."}}), "You may not"),
        ((404, {}, {"error": {"code": "ResourceNotFound", "message": "It is gone."}}), "It is gone"),
        ((200, {}, {"value": []}), "web"),
    ],
)
def test_an_image_that_cannot_be_resolved(azure: Azure, arm: FakeAzure, versions: Any, words: str) -> None:
    serve(arm, broken={"id": GALLERY}, sound=PLATFORM)
    arm.on("GET", f"{GALLERY}/versions", versions)
    broken, sound = scale_set_info.read(azure, request(ScaleSetInfoRequest, OPTIONS))
    assert broken["target_image"] is None and words in broken["target_problem"]
    assert [(i["instance_id"], i["verdict"], i["outdated"]) for i in broken["instances"]] == [("0", "unproven", None)]
    assert (sound["target_image"], sound["target_problem"]) == (PLATFORM, "")
    assert [i["verdict"] for i in sound["instances"]] == ["current"]


def test_an_image_that_does_not_fit_one_of_the_sets(azure: Azure, arm: FakeAzure) -> None:
    serve(arm, gallery={"id": f"{GALLERY}/versions/1.0.0"}, platform=PLATFORM)
    gallery, platform = scale_set_info.read(
        azure, request(ScaleSetInfoRequest, {**OPTIONS, "image": {"version": "2.0.0"}})
    )
    assert "names no platform image" in gallery["target_problem"]
    assert platform["instances"][0]["outdated"] is True
