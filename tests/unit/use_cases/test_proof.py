# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proof of an upgrade asks of Azure, and what a plan says is to be checked before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ImageRequest,
    InstanceUpgradeRequest,
    UpgradePlanInfoRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout import record
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image, instance_upgrade, upgrade_plan_info

from ..asking import request
from ..fake_azure import SUBSCRIPTION, WEB, FakeAzure, FakeClock
from ..refusals import refused

SERIES = {"publisher": "Canonical", "offer": "ubuntu", "sku": "server"}
OLD, NEW = "1.0.0", "2.0.0"
STARTED = {"Azure-AsyncOperation": f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/operations/one"}
OPTIONS = {"resource_group": "rg", "name": "web", "image": f"Canonical:ubuntu:server:{NEW}"}
VERSIONS = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/Canonical"
    "/artifacttypes/vmimage/offers/ubuntu/skus/server/versions"
)
RUNNING = [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]


def instance(number: int, version: str, **properties: Any) -> dict[str, Any]:
    storage = {"imageReference": {**SERIES, "version": version, "exactVersion": version}}
    usual = {"provisioningState": "Succeeded", "storageProfile": storage, "instanceView": {"statuses": RUNNING}}
    return {"instanceId": str(number), "name": f"web_{number}", "properties": {**usual, **properties}}


def serve(arm: FakeAzure, model: str, runs: str, state: str = "", *, os_disk: dict[str, Any] | None = None) -> None:
    """A scale set whose model names `model`; `runs` has one digit an instance. `state`: of the record, to NEW."""
    tags: dict[str, str] = {}
    if state:
        to, back = (f"Canonical:ubuntu:server:{version}" for version in (NEW, OLD))
        tags = record.Record("0" * 32, to, back, "all", 1_700_000_000.0, state=state).tags()
    storage = {"imageReference": {**SERIES, "version": model}, "osDisk": os_disk or {}}
    properties = {"virtualMachineProfile": {"storageProfile": storage}}
    document = {"id": WEB, "name": "web", "location": "westus", "tags": tags, "properties": properties}
    arm.on("GET", WEB, (200, {}, document))
    found = [instance(n, NEW if one == "2" else OLD) for n, one in enumerate(runs)]
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": found}))
    arm.on("GET", f"{VERSIONS}/{NEW}", (200, {}, {"name": NEW, "location": "westus", "properties": {}}))


def check(azure: Azure, **options: Any) -> list[list[str]]:
    plan = upgrade_plan_info.as_result(
        upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, {**OPTIONS, "max_unavailable": "2", **options}))
    )
    assert {group["number"] for group in plan["check"]} <= {0}
    return [group["instance_ids"] for group in plan["check"]]


@pytest.mark.parametrize(
    ("model", "runs", "state", "expected"),
    [
        (OLD, "22211", "stopped", [["0", "1"], ["2"]]),  # the model was set back, and the refused image still runs
        (NEW, "22211", "in_progress", [["0", "1"], ["2"]]),  # a run was killed
        (NEW, "22222", "in_progress", [["0", "1"], ["2", "3"], ["4"]]),  # it was killed before its last check
        (OLD, "22211", "", [["0", "1"], ["2"]]),  # whoever put it there
        (NEW, "22211", "", [["0", "1"], ["2"]]),
        (NEW, "22211", "finished", []),  # it has passed
        (NEW, "22222", "finished", []),
        (NEW, "22222", "", []),  # nothing is to do, so nothing would be written
        (OLD, "11111", "", []),
    ],
)
def test_what_runs_the_target_is_checked_before_anything_is_written(
    azure: Azure, arm: FakeAzure, model: str, runs: str, state: str, expected: list[list[str]]
) -> None:
    serve(arm, model, runs, state)
    assert check(azure) == expected
    assert {method for method, _path in arm.sent()} == {"GET"}


def test_a_way_back_is_not_held_up_by_a_check(azure: Azure, arm: FakeAzure) -> None:
    serve(arm, OLD, "22211", "stopped")
    assert check(azure, going_back=True) == []


def unproven(arm: FakeAzure, state: str) -> None:
    """Azure reports no exact version, and disks that are older than the record."""
    serve(arm, NEW, "22", state)
    storage = {"imageReference": {**SERIES, "version": NEW}, "osDisk": {"name": "disk"}}
    disks = [{"name": "disk", "statuses": [{"code": "ProvisioningState/succeeded", "time": "2023-01-01T00:00:00Z"}]}]
    view = {"statuses": RUNNING, "disks": disks}
    found = [instance(n, NEW, storageProfile=storage, instanceView=view) for n in range(2)]
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": found}))


def test_what_an_unfinished_rollout_left_unproven_keeps_its_record_open(azure: Azure, arm: FakeAzure) -> None:
    unproven(arm, "in_progress")
    plan = upgrade_plan_info.as_result(upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, OPTIONS)))
    assert (plan["unproven"], plan["left"], plan["close_record"]) == (["0", "1"], [], False)
    plan = upgrade_plan_info.as_result(
        upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, {**OPTIONS, "unproven": "reimage"}))
    )
    assert plan["left"] == ["0", "1"] and [batch["instance_ids"] for batch in plan["batches"]] == [["0"], ["1"]]
    unproven(arm, "finished")
    assert (
        upgrade_plan_info.as_result(upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, OPTIONS)))["unproven"]
        == []
    )


@pytest.mark.parametrize(("os_disk", "sent"), [({}, False), ({"diffDiskSettings": {"option": "Local"}}, True)])
def test_an_ephemeral_disk_is_reimaged_with_the_models_image(
    azure: Azure, arm: FakeAzure, os_disk: dict[str, Any], sent: bool
) -> None:
    serve(arm, NEW, "1", os_disk=os_disk)
    arm.on("POST", f"{WEB}/reimage", (202, STARTED, None))
    azure.reimage_instances(azure.scale_set("rg", "web"), ["0"])
    body = json.loads(arm.requests[-1].body)
    assert body == {"instanceIds": ["0"], **({"forceUpdateOSDiskForEphemeral": True} if sent else {})}


def test_a_start_names_its_instances(azure: Azure, arm: FakeAzure) -> None:
    serve(arm, NEW, "1")
    arm.on("POST", f"{WEB}/start", (202, STARTED, None))
    azure.start_instances(azure.scale_set("rg", "web"), ["0"])
    assert json.loads(arm.requests[-1].body) == {"instanceIds": ["0"]}
    with refused("instance_ids_invalid"):
        azure.start_instances(azure.scale_set("rg", "web"), [])


def test_when_an_instance_was_made() -> None:
    shown = {"timeCreated": "2026-11-21T02:00:00.1234567+00:00"}
    assert reading.instance({"properties": shown}).created == 1795226400.1234567
    assert reading.instance({"properties": {}}).created is None


def test_a_call_tells_what_its_instances_run_now(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    serve(arm, NEW, "21")
    options = {**OPTIONS, "batch": ["0", "1"], "touched": ["0", "1"]}
    result, failure = instance_upgrade.upgrade(azure, clock, request(InstanceUpgradeRequest, options), check_mode=True)
    assert failure is None and result["batch_now"]["there"] == ["0"] and not result["batch_now"]["complete"]
    assert f"on another image: 1 (Canonical:ubuntu:server:{OLD})" in result["batch_now"]["sentence"]
    result, _stopped = instance_upgrade.upgrade(azure, clock, request(InstanceUpgradeRequest, OPTIONS), check_mode=True)
    assert result["batch_now"] is None and result["notes"] == []


def test_the_record_says_when_the_model_was_made_to_name_the_target_and_not_when_that_was_planned(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    """An instance that was made in between is made of the image before."""
    serve(arm, OLD, "11")
    plan = {"id": "1" * 32, "target": f"Canonical:ubuntu:server:{NEW}", "started": "2026-11-21T01:00:00Z"}
    document = arm.answers["GET", WEB.lower()][0][2]
    dated = {"Date": "Sat, 21 Nov 2026 02:00:00 GMT"}
    arm.on("GET", WEB, lambda _request: (200, dated, document))

    def patch(request: Any) -> Any:
        sent = json.loads(request.body)
        document["tags"] = sent["tags"]
        document["properties"].update(sent.get("properties") or {})
        return 200, dated, document

    arm.on("PATCH", WEB, patch)
    options = {**OPTIONS, "record": plan, "timeout": 60, "replaces": f"Canonical:ubuntu:server:{OLD}"}
    image.set_image(azure, clock, request(ImageRequest, options), check_mode=False)
    assert document["tags"]["steady-vmss-started"] == "2026-11-21T02:00:00Z"
    ended = {**options, "record": {**plan, "state": "finished"}, "replaces": None, "replaces_rollout": "1" * 32}
    dated["Date"] = "Sat, 21 Nov 2026 03:00:00 GMT"
    image.set_image(azure, clock, request(ImageRequest, ended), check_mode=False)
    tags = document["tags"]
    assert (tags["steady-vmss-started"], tags["steady-vmss-state"]) == ("2026-11-21T02:00:00Z", "finished")
