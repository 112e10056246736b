# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._facts import images, problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import Image
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
ID = "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/virtualMachineScaleSets/web"
UBUNTU = {"publisher": "Canonical", "offer": "ubuntu", "sku": "22_04", "version": "latest"}
GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/shared/images/web"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-05-01T12:00:00Z", NOON),
        ("2026-05-01T12:00:00.1234567+00:00", NOON + 0.1234567),
        ("2026-05-01T05:00:00.5-07:00", NOON + 0.5),
        ("2026-05-01T17:30:00+0530", NOON),
        ("2026-05-01 12:00:00", NOON),
        ("2026-05-01T12:00", NOON),
        ("2026-13-01T12:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
        (0, None),
    ],
)
def test_a_time(text: Any, seconds: float | None) -> None:
    assert reading.moment(text) == (pytest.approx(seconds, abs=1e-4) if seconds else None)


def vm(**changes: Any) -> dict[str, Any]:
    return {"instanceId": "4", "name": "web_4", "properties": changes}


def view(**changes: Any) -> dict[str, Any]:
    return vm(instanceView=changes)


def status(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "level": "Info", **more}


def test_instance_of_a_uniform_scale_set() -> None:
    document = vm(
        latestModelApplied=False,
        provisioningState="Updating",
        protectionPolicy={"protectFromScaleIn": True, "protectFromScaleSetActions": True},
        osProfile={"computerName": "web000004"},
        storageProfile={
            "imageReference": {**UBUNTU, "exactVersion": "22.04.1"},
            "osDisk": {"name": "disk_a", "managedDisk": {"id": "/disks/disk_a"}},
        },
        instanceView={
            "platformUpdateDomain": 0,
            "platformFaultDomain": 2,
            "disks": [
                {"name": "data"},
                {"name": "disk_a", "statuses": [status("ProvisioningState/succeeded", time="2026-05-01T12:00:00Z")]},
            ],
            "vmHealth": {"status": status("HealthState/Initializing", time="2026-05-01T12:00:01Z")},
            "statuses": [
                status("ProvisioningState/updating", time="2026-05-01T12:00:02Z"),
                status("PowerState/running"),
            ],
            "extensions": [
                {"name": "health", "typeHandlerVersion": "2.0.1", "statuses": [status("ProvisioningState/succeeded")]}
            ],
        },
    )
    assert reading.instance({**document, "zones": ["2"]}) == Instance(
        instance_id="4",
        name="web_4",
        computer_name="web000004",
        zone="2",
        update_domain=0,
        fault_domain=2,
        power="running",
        provisioning="Updating",
        provisioning_time=NOON + 2,
        health="initializing",
        health_time=NOON + 1,
        image=Image(images.PLATFORM, "Canonical", "ubuntu", "22_04", "latest"),
        exact_version="22.04.1",
        os_disk="/disks/disk_a",
        os_disk_time=NOON,
        latest_model_applied=False,
        protected_from_scale_in=True,
        protected_from_actions=True,
        extension_versions=(("health", "2.0.1"),),
    )


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        ({}, "instance_id", ""),
        ({"name": "web_1a"}, "instance_id", "web_1a"),
        ({"zones": [None]}, "zone", None),
        (vm(provisioningState=0), "provisioning", ""),
        (
            vm(provisioningState=0, instanceView={"statuses": [status("ProvisioningState/updating")]}),
            "provisioning",
            "Updating",
        ),
        (vm(provisioningState="Brandnew"), "provisioning", "Brandnew"),
        (vm(), "power", ""),
        (view(statuses=[status("PowerState/deallocated")]), "power", "deallocated"),
        (view(statuses="odd"), "power", ""),
        (view(vmHealth={"status": {"code": "HealthState/unknown"}}), "health", "unknown"),
        (view(vmHealth={"status": {}}), "health", None),
        (view(vmHealth={}), "health", None),
        (view(), "extensions_settled", True),
        (view(extensions=[{"statuses": [status("ProvisioningState/transitioning")]}]), "extensions_settled", False),
        (view(extensions=[{"statuses": [status("ProvisioningState/failed/9")]}]), "extensions_settled", False),
        (view(extensions=[{"name": "x", "statuses": None}]), "extensions_settled", True),
        (
            view(statuses=[status("ProvisioningState/failed/OSProvisioningTimedOut", message="late\n now")]),
            "error",
            "OSProvisioningTimedOut: late now",
        ),
        (
            view(extensions=[{"name": "x", "statuses": [status("ProvisioningState/failed/9", message="u?sig=1")]}]),
            "error",
            "extension x: 9: u?sig=***",
        ),
        (view(statuses=[status("ProvisioningState/succeeded")]), "error", None),
        (
            view(statuses=[{**status("ProvisioningState/failed"), "displayStatus": "Provisioning failed"}]),
            "error",
            None,
        ),
        (
            view(extensions=[{"name": "x", "statuses": [status("ProvisioningState/failed", displayStatus="Failed")]}]),
            "error",
            "extension x: failed: Failed",
        ),
        (
            view(statuses=[status("ProvisioningState/failed", message='{"error": {"code": "B", "message": "b"}}')]),
            "error",
            "failed: B: b",
        ),
        (vm(storageProfile={"osDisk": {"vhd": {"uri": "https://s/a.vhd?sig=1"}}}), "os_disk", "https://s/a.vhd"),
        (vm(storageProfile={"osDisk": {"name": "disk"}}), "os_disk", "disk"),
        (vm(platformFaultDomain=3), "fault_domain", 3),
        (vm(storageProfile={"imageReference": {"id": GALLERY, "exactVersion": "1.2.0"}}), "exact_version", "1.2.0"),
        (vm(), "latest_model_applied", None),
    ],
)
def test_instance_tolerates(document: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(reading.instance(document), field) == value


def profile(**changes: Any) -> dict[str, Any]:
    return {"id": ID, "properties": {"virtualMachineProfile": changes}}


def extension(kind: str) -> dict[str, Any]:
    return profile(extensionProfile={"extensions": [{"properties": {"type": kind}}]})


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        ({"id": ID}, "resource_group", "RG"),
        ({"id": ID}, "orchestration_mode", "Uniform"),
        ({"id": ID}, "upgrade_mode", "Manual"),
        ({"id": ID, "location": "West Europe"}, "location", "westeurope"),
        ({"id": ID, "sku": {"capacity": 5}}, "capacity", 5),
        ({"id": ID, "zones": ["1", "2"]}, "zones", ("1", "2")),
        ({"id": ID, "properties": {"orchestrationMode": "Flexible"}}, "orchestration_mode", "Flexible"),
        ({"id": ID, "properties": {"upgradePolicy": {"mode": "rolling"}}}, "upgrade_mode", "Rolling"),
        ({"id": ID, "properties": {"upgradePolicy": {"mode": "Surge"}}}, "upgrade_mode", "Automatic"),
        (
            {
                "id": ID,
                "properties": {"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}},
            },
            "automatic_os_upgrade",
            True,
        ),
        ({"id": ID, "properties": {"automaticRepairsPolicy": {"enabled": True}}}, "automatic_repairs", True),
        (
            {"id": ID, "properties": {"externalHealthPolicy": {"expiryDuration": "PT5M"}}},
            "health_sources",
            ("external_health_policy",),
        ),
        (extension("ApplicationHealthWindows"), "health_sources", ("application_health_extension",)),
        (extension("CustomScript"), "health_sources", ()),
        (extension("ServiceFabricLinuxNode"), "service_fabric", True),
        (profile(networkProfile={"healthProbe": {"id": "/probe"}}), "health_sources", ("load_balancer_probe",)),
        (profile(storageProfile={"osDisk": {"osType": "Windows"}}), "os_type", "Windows"),
        (profile(osProfile={"linuxConfiguration": {}}), "os_type", "Linux"),
        (profile(storageProfile={"osDisk": {"diffDiskSettings": {"option": "Local"}}}), "ephemeral_os_disk", True),
        (
            profile(storageProfile={"osDisk": {"image": {"uri": "https://s/a.vhd?sig=1"}}}),
            "image",
            Image(images.VHD, id="https://s/a.vhd?sig=1"),
        ),
        ({"id": ID, "plan": {"name": "n", "promotionCode": None}}, "purchase_plan", {"name": "n"}),
        ({"id": ID, "tags": {"a": "b"}}, "tags", {"a": "b"}),
        ({"id": ID, "etag": '"2"'}, "etag", '"2"'),
        ({"id": ID}, "etag", '"header"'),
    ],
)
def test_scale_set(document: dict[str, Any], field: str, value: Any) -> None:
    found = reading.scale_set(document, '"header"')
    assert getattr(found, field) == value
    assert found.document is document


@pytest.mark.parametrize(
    ("document", "status_word", "kind", "text"),
    [
        ({"status": "Running"}, "InProgress", None, None),
        ({"status": "succeeded"}, "Succeeded", None, None),
        ({}, "Succeeded", None, None),
        (
            {"status": "Failed", "error": {"code": "VMExtensionProvisioningError", "message": "m"}},
            "Failed",
            problems.LOST,
            "VMExtensionProvisioningError: m",
        ),
        (
            {"status": "Canceled", "error": {"code": "OperationPreempted", "message": "m"}},
            "Canceled",
            problems.CONFLICT,
            "OperationPreempted: m",
        ),
        (
            {"status": "Cancelled"},
            "Canceled",
            problems.LOST,
            "the operation ended as Canceled and Azure gave no reason",
        ),
    ],
)
def test_operation(document: Any, status_word: str, kind: str | None, text: str | None) -> None:
    found = reading.operation(document)
    assert found.status == status_word
    assert (found.problem.kind, str(found.problem)) == (kind, text) if found.problem else kind is None


def test_operation_keeps_the_details_of_each_instance() -> None:
    details = [{"code": "AllocationFailed", "target": "5", "message": "none left"}]
    found = reading.operation({"status": "Failed", "error": {"code": "X", "message": "m", "details": details}})
    assert found.problem is not None and found.problem.details == (("AllocationFailed", "5", "none left"),)


def test_rolling_upgrade() -> None:
    found = reading.rolling_upgrade(
        {
            "properties": {
                "runningStatus": {"code": "RollingForward", "startTime": "2026-05-01T12:00:00Z"},
                "progress": {"successfulInstanceCount": 1, "pendingInstanceCount": 2},
                "error": {"code": "C", "message": "m"},
            }
        }
    )
    assert found.running and found.started == NOON and str(found.problem) == "C: m"
    assert found.counts == {"successful": 1, "failed": 0, "in_progress": 0, "pending": 2}
    assert not reading.rolling_upgrade({}).running


def test_gallery_version() -> None:
    targets = [{"name": "West Europe"}, {"name": "eastus", "excludeFromLatest": True}]
    publishing = {"excludeFromLatest": True, "publishedDate": "2026-05-01T12:00:00Z", "targetRegions": targets}
    document = {"name": "1.2.0", "properties": {"provisioningState": "Creating", "publishingProfile": publishing}}
    found = reading.image_version(document, Image(images.GALLERY, id=GALLERY))
    assert found.image.id == f"{GALLERY}/versions/1.2.0"
    assert (found.regions, found.excluded_regions) == (("westeurope", "eastus"), ("eastus",))
    assert (found.provisioning_state, found.excluded_from_latest) == ("Creating", True)


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59.9999999-23:59",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2026-11-27T02:00:00Z\n; x",
        "2026-11-27T02:00:00." + "9" * 4000,
        "٢026-11-27T02:00:00Z",
    ],
)
def test_a_time_that_no_upgrade_has_is_none(text: str) -> None:
    assert reading.moment(text) is None


def test_of_very_many_failed_extensions_some_are_told_and_none_is_overlooked() -> None:
    """A guest may report as many as it likes: their text is cleaned of so many, their state is read of each."""
    failed = {"code": "ProvisioningState/failed/Bad", "message": "no answer " * 50}
    extensions = [
        {"name": f"e{n}", "statuses": [failed if n > 100 else {"code": "ProvisioningState/succeeded"}]}
        for n in range(20_000)
    ]
    began = time.process_time()
    found = reading.instance({"properties": {"instanceView": {"extensions": extensions}}})
    assert not found.extensions_settled and len(found.extension_versions) == 100
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        ("Running", "Running"),
        ("Suspended", "Suspended"),
        ("NotRunning", "NotRunning"),
        ("New", "NotRunning"),
        (0, "NotRunning"),
    ],
)
def test_a_services_state_is_one_of_three(sent: object, state: str) -> None:
    assert reading.service_state(sent) == state
