# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan asks Azure of the image that is replaced."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_plan_info

from ..asking import request
from ..fake_azure import SUBSCRIPTION, WEB, Answer, FakeAzure

SERIES = {"publisher": "Canonical", "offer": "ubuntu"}
OFFER = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/Canonical"
    "/artifacttypes/vmimage/offers/ubuntu/skus"
)
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/i/providers/Microsoft.Compute/galleries/ours/images"
OPTIONS = {"resource_group": "rg", "name": "web"}


def answer(**properties: Any) -> Answer:
    return 200, {}, {"name": "1.0.0", "location": "westus", "properties": properties}


def serve(arm: FakeAzure, model: dict[str, str], runs: dict[str, str]) -> None:
    """A scale set of that model, with one instance that runs `runs`."""
    body = answer(virtualMachineProfile={"storageProfile": {"imageReference": model}})[2]
    arm.on("GET", WEB, (200, {}, {**body, "id": WEB, "name": "web"}))
    running = {"PowerState/running", "ProvisioningState/succeeded"}
    instance = {
        "instanceId": "0",
        "name": "web_0",
        "properties": {
            "provisioningState": "Succeeded",
            "storageProfile": {"imageReference": runs},
            "instanceView": {"statuses": [{"code": code} for code in sorted(running)]},
        },
    }
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [instance]}))


def codes(azure: Azure, image: object) -> set[str]:
    return {
        finding.code
        for finding in upgrade_plan_info.make(
            azure, request(UpgradePlanInfoRequest, {**OPTIONS, "image": image})
        ).findings
    }


def test_latest_of_another_generation_is_refused(azure: Azure, arm: FakeAzure) -> None:
    latest = {**SERIES, "sku": "server", "version": "latest"}
    serve(arm, latest, {**latest, "exactVersion": "1.0.0"})
    arm.on("GET", f"{OFFER}/server-gen2/versions/1.0.0", answer(hyperVGeneration="V2", architecture="x64"))
    arm.on("GET", f"{OFFER}/server/versions/1.0.0", answer(hyperVGeneration="V1", architecture="x64"))
    assert "image_generation" in codes(azure, "Canonical:ubuntu:server-gen2:1.0.0")
    arm.on("GET", f"{OFFER}/server/versions/1.0.0", answer(hyperVGeneration="V2", architecture="Arm64"))
    assert "image_architecture" in codes(azure, "Canonical:ubuntu:server-gen2:1.0.0")


@pytest.mark.parametrize("version", ["", "/versions/1.0.0"])
def test_gallery_images_are_compared_by_their_definitions(azure: Azure, arm: FakeAzure, version: str) -> None:
    serve(arm, {"id": f"{GALLERY}/one{version}"}, {"id": f"{GALLERY}/one{version}"})
    for name, generation in (("one", "V1"), ("two", "V2")):
        arm.on("GET", f"{GALLERY}/{name}/versions/1.0.0", answer(provisioningState="Succeeded"))
        arm.on("GET", f"{GALLERY}/{name}", answer(osType="Linux", hyperVGeneration=generation))
    assert "image_generation" in codes(azure, f"{GALLERY}/two/versions/1.0.0")


@pytest.mark.parametrize("status", [403, 404])
def test_an_old_image_that_cannot_be_read_is_no_obstacle(azure: Azure, arm: FakeAzure, status: int) -> None:
    serve(arm, {"id": f"{GALLERY}/one/versions/1.0.0"}, {"id": f"{GALLERY}/one/versions/1.0.0"})
    refused = (status, {}, {"error": {"code": "No", "message": "No."}})
    arm.on("GET", f"{GALLERY}/one/versions/1.0.0", refused)
    arm.on("GET", f"{GALLERY}/two/versions/1.0.0", answer(provisioningState="Succeeded"))
    arm.on("GET", f"{GALLERY}/two", answer(osType="Linux", hyperVGeneration="V2"))
    assert not {code for code in codes(azure, f"{GALLERY}/two/versions/1.0.0") if code.startswith("image_")}


def test_the_new_image_must_be_readable(azure: Azure, arm: FakeAzure) -> None:
    serve(arm, {"id": f"{GALLERY}/one/versions/1.0.0"}, {"id": f"{GALLERY}/one/versions/1.0.0"})
    arm.on("GET", f"{GALLERY}/two/versions/1.0.0", (403, {}, {"error": {"code": "No", "message": "No."}}))
    with pytest.raises(AzureError, match=r"read image .*/two/"):
        codes(azure, f"{GALLERY}/two/versions/1.0.0")


RIGHTS = f"{WEB}/providers/Microsoft.Authorization/permissions"
PINNED = {**SERIES, "sku": "server", "version": "1.0.0"}


@pytest.mark.parametrize(("version", "asked"), [("1.0.0", 0), ("2.0.0", 1)])
def test_permissions_are_asked_for_once_and_only_where_something_is_to_do(
    azure: Azure, arm: FakeAzure, version: str, asked: int
) -> None:
    serve(arm, PINNED, {**PINNED, "exactVersion": "1.0.0"})
    for one in ("1.0.0", "2.0.0"):
        arm.on("GET", f"{OFFER}/server/versions/{one}", answer())
    upgrade = "Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action"
    arm.on("GET", RIGHTS, (200, {}, {"value": [{"actions": ["*"], "notActions": [upgrade]}]}))
    options = {**OPTIONS, "image": f"Canonical:ubuntu:server:{version}"}
    plan = upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, options))
    assert plan.nothing_to_do is not bool(asked)
    assert [path for _method, path in arm.sent()].count(RIGHTS) == asked
    assert [upgrade in f.message for f in plan.findings if f.severity == "error"] == [True] * asked


@pytest.mark.parametrize("target", ["1.0.0", "2.0.0"])
def test_a_rollback_goes_from_what_runs_now_to_its_target(azure: Azure, arm: FakeAzure, target: str) -> None:
    """The model is set back already, and the record, of this rollback or of the rollout before, knows only where to."""
    old, new = ({**SERIES, "sku": "server", "version": version} for version in ("1.0.0", "2.0.0"))
    serve(arm, old, {**new, "exactVersion": "2.0.0"})
    body = arm.answers["GET", WEB.lower()][0][2]
    tags = {
        "rollout": "0" * 32,
        "target": f"Canonical:ubuntu:server:{target}",
        "previous": "Canonical:ubuntu:server:1.0.0",
    }
    tags |= {"started": "2026-11-21T02:00:00Z", "state": "going_back"}
    body["tags"] = {f"steady-vmss-{name}": value for name, value in tags.items()}
    arm.on("GET", WEB, (200, {}, body))
    arm.on("GET", f"{OFFER}/server/versions/1.0.0", answer(hyperVGeneration="V2"))
    options = {**OPTIONS, "image": "Canonical:ubuntu:server:1.0.0", "going_back": True, "downgrade": True}
    plan = upgrade_plan_info.as_result(upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, options)))
    assert plan["target_image"]["version"] == "1.0.0"
    assert plan["previous_image"]["version"] == "2.0.0"
