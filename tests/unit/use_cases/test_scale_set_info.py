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


@pytest.mark.parametrize(
    ("published", "newest", "said"),
    [
        (["1.0.0", "1.10.0", "1.9.0"], "1.10.0", "Canonical:ubuntu:server:1.10.0, which 0 of 1 instances"),
        (["1.0.0"], "1.0.0", ""),
    ],
)
def test_a_pinned_model_is_told_with_what_has_been_published_since(
    azure: Azure, arm: FakeAzure, published: list[str], newest: str, said: str
) -> None:
    serve(arm, pinned=PLATFORM)
    path = "providers/Microsoft.Compute/locations/westus/publishers/Canonical/artifacttypes/vmimage/offers/ubuntu/skus"
    arm.on("GET", f"/subscriptions/{SUBSCRIPTION}/{path}/server/versions", (200, {}, [{"name": n} for n in published]))
    (pinned,) = scale_set_info.read(azure, request(ScaleSetInfoRequest, {**OPTIONS, "newest": True}))
    assert [i["verdict"] for i in pinned["instances"]] == ["current"], "of the model's image"
    assert pinned["newest_image"] == {**PLATFORM, "version": newest}
    assert said in pinned["sentences"]["scale_set"] and ("newest" in pinned["sentences"]["scale_set"]) == bool(said)


def test_where_nothing_tells_the_newest_version_the_rest_is_shown(azure: Azure, arm: FakeAzure) -> None:
    managed = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/i/providers/Microsoft.Compute/images/web"
    serve(arm, managed={"id": managed}, platform=PLATFORM)
    asked = request(ScaleSetInfoRequest, {**OPTIONS, "newest": True})
    for one in scale_set_info.read(azure, asked):
        assert one["newest_image"] is None and one["newest_problem"]
        assert len(one["instances"]) == 1 and "newest" not in one["sentences"]["scale_set"]
