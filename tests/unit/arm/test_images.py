# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import VHD, Image, parse

from ..fake_azure import SUBSCRIPTION, FakeAzure

PLATFORM = parse("Canonical:ubuntu:22_04:22.04.2")
CATALOGUE = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/Canonical"
    "/artifacttypes/vmimage/offers/ubuntu/skus/22_04/versions"
)
OTHER = "/subscriptions/44444444-4444-4444-4444-444444444444/resourceGroups/images/providers/Microsoft.Compute"
GALLERY = f"{OTHER}/galleries/ours/images/web"
LOCATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus"


def test_platform_versions_come_in_azures_order(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", CATALOGUE, (200, {}, [{"name": "22.04.10"}, {"name": "22.04.9"}]))
    found = azure.image_versions(PLATFORM, "westus")
    assert [one.version for one in found] == ["22.04.10", "22.04.9"]
    assert str(found[0].image) == "Canonical:ubuntu:22_04:22.04.10"
    assert found[0].regions is None


def test_facts_of_a_platform_version(azure: Azure, arm: FakeAzure) -> None:
    properties = {
        "osDiskImage": {"operatingSystem": "Linux"},
        "architecture": "x64",
        "hyperVGeneration": "V2",
        "plan": {"name": "n", "product": "p", "publisher": "q"},
    }
    arm.on("GET", f"{CATALOGUE}/22.04.2", (200, {}, {"name": "22.04.2", "properties": properties}))
    found = azure.image_facts(PLATFORM, "westus")
    assert (found.found, found.os_type, found.architecture, found.generation) == (True, "Linux", "x64", "V2")
    assert found.purchase_plan == {"name": "n", "product": "p", "publisher": "q"}
    assert azure.usage.calls == 1


def test_gallery_versions_of_another_subscription_are_paged(azure: Azure, arm: FakeAzure) -> None:
    more = f"https://management.azure.com{GALLERY}/versions?api-version=2023-07-03&$skiptoken=x"
    arm.on(
        "GET",
        f"{GALLERY}/versions",
        (200, {}, {"value": [{"name": "1.0.0"}], "nextLink": more}),
        (200, {}, {"value": [{"name": "1.1.0"}]}),
    )
    assert [one.version for one in azure.image_versions(parse(GALLERY), "westus")] == ["1.0.0", "1.1.0"]


def test_facts_of_a_gallery_version(azure: Azure, arm: FakeAzure) -> None:
    publishing = {"targetRegions": [{"name": "West US"}]}
    version = {"name": "1.0.0", "properties": {"provisioningState": "Creating", "publishingProfile": publishing}}
    arm.on("GET", f"{GALLERY}/versions/1.0.0", (200, {}, version))
    definition = {"osType": "Windows", "hyperVGeneration": "V1", "architecture": "Arm64"}
    arm.on("GET", GALLERY, (200, {}, {"name": "web", "properties": definition}))
    found = azure.image_facts(parse(f"{GALLERY}/versions/1.0.0"), "westus")
    assert (found.os_type, found.architecture, found.generation) == ("Windows", "Arm64", "V1")
    assert found.version is not None
    assert (found.version.regions, found.version.provisioning_state) == (("westus",), "Creating")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/SharedGalleries/unique/images/web", f"{LOCATION}/sharedGalleries/unique/images/web"),
        ("/CommunityGalleries/public-1/images/web", f"{LOCATION}/communityGalleries/public-1/images/web"),
    ],
)
def test_shared_and_community_galleries(azure: Azure, arm: FakeAzure, text: str, path: str) -> None:
    version = {"name": "1.0.0", "properties": {"excludeFromLatest": True}}
    arm.on("GET", f"{path}/versions", (200, {}, {"value": [version]}))
    arm.on("GET", f"{path}/versions/1.0.0", (200, {}, version))
    arm.on("GET", path, (200, {}, {"properties": {"osType": "Linux"}}))
    listed = azure.image_versions(parse(text), "westus")[0]
    assert (listed.image.id, listed.excluded_from_latest, listed.regions) == (
        f"{text}/versions/1.0.0",
        True,
        ("westus",),
    )
    assert azure.image_facts(listed.image, "westus").os_type == "Linux"


def test_facts_of_a_managed_image(azure: Azure, arm: FakeAzure) -> None:
    properties = {"provisioningState": "Succeeded", "storageProfile": {"osDisk": {"osType": "Linux"}}}
    arm.on("GET", f"{OTHER}/images/golden", (200, {}, {"location": "West US", "properties": properties}))
    found = azure.image_facts(parse(f"{OTHER}/images/golden"), "westus")
    assert found.found and found.os_type == "Linux" and found.version is not None
    assert found.version.regions == ("westus",)


@pytest.mark.parametrize(
    "text",
    [
        "Canonical:ubuntu:22_04:0.0.1",
        f"{GALLERY}/versions/9.9.9",
        f"{OTHER}/images/gone",
        "/SharedGalleries/u/images/w",
    ],
)
def test_an_image_that_does_not_exist(azure: Azure, text: str) -> None:
    assert not azure.image_facts(parse(text), "westus").found


def test_a_catalogue_that_does_not_exist_is_an_error_that_names_it(azure: Azure) -> None:
    with pytest.raises(
        AzureError, match="Cannot list the versions of image Canonical:ubuntu:22_04 in westus: ResourceNotFound"
    ):
        azure.image_versions(PLATFORM, "westus")


def test_nothing_is_asked_of_a_vhd(azure: Azure, arm: FakeAzure) -> None:
    image = Image(VHD, id="https://s/a.vhd?sig=x")
    assert azure.image_facts(image, "westus").found and azure.image_versions(image, "westus") == []
    assert arm.requests == []
