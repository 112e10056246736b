# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.images import Image, parse
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import FLEXIBLE, ImageVersion, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import readiness
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.readiness import NodeType, Prerequisites, Probe

GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/company/images/web"
MANAGED = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/golden"
JAMMY = parse("Canonical:0001-com-ubuntu-server-jammy:22_04-LTS-Gen2:latest")
NOW = 1_780_000_000.0  # 2026-05-28
PROBE = Probe(interval=15, load_balancer_sku="Standard")
EXTENSION, PROBES = ("application_health_extension",), ("load_balancer_probe",)
FABRIC: dict[str, Any] = {
    "publisher": "Microsoft.Azure.ServiceFabric",
    "type": "ServiceFabricNode",
    "typeHandlerVersion": "1.1",
    "settings": {"durabilityLevel": "Silver", "nodeTypeRef": "front", "clusterEndpoint": "https://c"},
}
SILVER = Prerequisites(node_type=NodeType("Silver"))


def scale_set(profile: dict[str, Any] | None = None, **members: Any) -> ScaleSet:
    """One that is ready for automatic upgrades, but for what is given."""
    properties = members.pop("properties", {})
    document = {"properties": {"singlePlacementGroup": True, **properties, "virtualMachineProfile": profile or {}}}
    plain: dict[str, Any] = {"health_sources": EXTENSION, "image": JAMMY, "os_type": "Linux"}
    return ScaleSet("id", "web", "shop", "westeurope", document=document, **{**plain, **members})


def fabric(**changes: Any) -> ScaleSet:
    extension = copy.deepcopy(FABRIC)
    for name, value in changes.items():
        target = extension["settings"] if name in extension["settings"] else extension
        target[name] = value
    profile = {"extensionProfile": {"extensions": [{"name": "fabric", "properties": extension}]}}
    return scale_set(profile, service_fabric=True, health_sources=())


def versions(**fields: Any) -> Prerequisites:
    image = parse(GALLERY)
    older = ImageVersion("1.9.0", image, regions=("westeurope",))
    return Prerequisites(versions=(older, replace(ImageVersion("1.10.0", image, regions=("westeurope",)), **fields)))


def windows(**configuration: Any) -> dict[str, Any]:
    return {"osProfile": {"windowsConfiguration": configuration}}


def signed(expiry: str) -> dict[str, Any]:
    uri = f"https://a.blob.core.windows.net/c/boot.sh?sp=r&se={expiry}&sig=secret"
    return {"extensionProfile": {"extensions": [{"name": "boot", "properties": {"settings": {"fileUris": [uri]}}}]}}


def probed(**members: Any) -> ScaleSet:
    balancer = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/lb"
    profile = {"networkProfile": {"healthProbe": {"id": f"{balancer}/probes/health"}}}
    return scale_set(profile, **{"health_sources": PROBES, **members})


Broken = tuple[ScaleSet, Prerequisites, str]
# One precondition broken in each; the words are of the sentence or the remedy.
ERRORS: dict[str, Broken] = {
    "image_pinned": (
        scale_set(image=JAMMY.with_version("22.04.202611180")),
        Prerequisites(),
        "steady.vmss.image with image: {version: latest}",
    ),
    "image_pinned in a gallery": (
        scale_set(image=parse(f"{GALLERY}/versions/1.9.0")),
        Prerequisites(),
        f"image: '{GALLERY}'",
    ),
    "image_custom": (scale_set(image=parse(MANAGED)), Prerequisites(), "create a scale set from there"),
    "image_custom vhd": (
        scale_set(image=parse("https://a/b.vhd?sig=secret")),
        Prerequisites(),
        "names the vhd image https://a/b.vhd,",
    ),
    "image_not_usable": (
        scale_set(image=parse(GALLERY)),
        Prerequisites(versions=(ImageVersion("1.9.0", parse(GALLERY), regions=("northeurope",)),)),
        "not replicated to westeurope (it is in northeurope)",
    ),
    "image_not_usable excluded": (
        scale_set(image=parse(GALLERY)),
        Prerequisites(versions=(ImageVersion("1.9.0", parse(GALLERY), excluded_from_latest=True),)),
        "do not exclude it from latest",
    ),
    "image_not_usable none": (scale_set(), Prerequisites(versions=()), "it has no versions"),
    "no_health_source": (scale_set(health_sources=()), Prerequisites(), "steady.vmss.health_monitor"),
    "health_sources": (
        scale_set(health_sources=("application_health_extension", "external_health_policy")),
        Prerequisites(),
        "2 health sources (application_health_extension, external_health_policy)",
    ),
    "probe_flexible": (
        probed(orchestration_mode=FLEXIBLE),
        Prerequisites(probe=PROBE),
        "Use the Application Health extension",
    ),
    "load_balancer_basic": (
        probed(properties={"singlePlacementGroup": False}),
        Prerequisites(probe=replace(PROBE, load_balancer_sku="Basic")),
        "Standard load balancer",
    ),
    "probe_interval": (probed(), Prerequisites(probe=replace(PROBE, interval=120)), "asks every 120 s"),
    "windows_updates": (
        scale_set(windows(enableAutomaticUpdates=True), os_type="Windows"),
        Prerequisites(),
        "-n web --set virtualMachineProfile.osProfile.windowsConfiguration.enableAutomaticUpdates=false",
    ),
    "windows_updates left out": (scale_set(windows(), os_type="Windows"), Prerequisites(), "Windows Update is on"),
    "patch_mode": (
        scale_set({"osProfile": {"linuxConfiguration": {"patchSettings": {"patchMode": "AutomaticByPlatform"}}}}),
        Prerequisites(),
        "linuxConfiguration.patchSettings.patchMode=ImageDefault",
    ),
    "patch_mode of Windows": (
        scale_set(
            windows(enableAutomaticUpdates=False, patchSettings={"patchMode": "AutomaticByPlatform"}), os_type="Windows"
        ),
        Prerequisites(),
        "windowsConfiguration.patchSettings.patchMode=Manual",
    ),
    "expired_sas": (scale_set(signed("2026-05-01T00%3A00%3A00Z")), Prerequisites(), "Write a new one"),
    "service_fabric_probe": (
        replace(fabric(), health_sources=PROBES),
        SILVER,
        "steady.vmss.health_monitor and state: absent",
    ),
    "service_fabric_durability": (
        fabric(durabilityLevel="Bronze"),
        Prerequisites(node_type=NodeType("Bronze")),
        "has durability Bronze",
    ),
    "service_fabric_version": (fabric(typeHandlerVersion="1.0"), SILVER, "typeHandlerVersion 1.0"),
    "service_fabric_mismatch": (fabric(), Prerequisites(node_type=NodeType("Gold")), "the cluster's node type Gold"),
}
NOT_READ = {"image": "AuthorizationFailed: no", "probe": "NotFound: no", "cluster": "AuthorizationFailed: no"}
WARNINGS: dict[str, Broken] = {
    "image_support_unknown": (scale_set(image=parse("a:b:c:latest")), Prerequisites(), "a:b:c:latest"),
    "image_version_held_back": (scale_set(image=parse(GALLERY)), versions(excluded_from_latest=True), "1.10.0"),
    "image_not_checked": (scale_set(), Prerequisites(not_read=NOT_READ), "AuthorizationFailed"),
    "probe_not_checked": (probed(), Prerequisites(not_read={"probe": "NotFound: no"}), "NotFound"),
    "probe_shared": (probed(), Prerequisites(probe=replace(PROBE, rules=1)), "a probe of its own"),
    "service_fabric_not_checked": (fabric(), Prerequisites(not_read={"cluster": "denied"}), "denied"),
}
READY: dict[str, tuple[ScaleSet, Prerequisites]] = {
    "plain": (scale_set(), Prerequisites()),
    "gallery": (scale_set(image=parse(GALLERY)), versions()),
    "community gallery": (scale_set(image=Image("community_gallery", id="/CommunityGalleries/a/Images/b")), versions()),
    "probe": (probed(), Prerequisites(probe=PROBE)),
    "Basic in one placement group": (probed(), Prerequisites(probe=replace(PROBE, load_balancer_sku="Basic"))),
    "Windows": (scale_set(windows(enableAutomaticUpdates=False), os_type="Windows"), Prerequisites()),
    "SAS": (scale_set(signed("2099-05-01T00%3A00%3A00Z")), Prerequisites()),
    "Service Fabric": (fabric(), SILVER),
    "Service Fabric, stateless": (
        fabric(durabilityLevel="Bronze"),
        Prerequisites(node_type=NodeType("Bronze", stateless=True)),
    ),
}


def found(broken: Broken, purpose: str = readiness.AUTOMATIC) -> list[tuple[str, str]]:
    owner, around, _words = broken
    return [(one.severity, one.code) for one in readiness.findings(owner, purpose, around, now=NOW)]


@pytest.mark.parametrize("name", sorted(READY))
def test_ready(name: str) -> None:
    owner, around = READY[name]
    assert readiness.findings(owner, readiness.AUTOMATIC, around, now=NOW) == []


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_a_broken_precondition_is_one_sentence_with_its_remedy(name: str) -> None:
    owner, around, words = ERRORS[name]
    (one,) = readiness.findings(owner, readiness.AUTOMATIC, around, now=NOW)
    assert (one.severity, one.code) == ("error", name.partition(" ")[0])
    assert words in str(one) and one.remedy
    message = readiness.refusal(owner, readiness.AUTOMATIC, [one])
    assert message.startswith("scale set web is not ready for automatic OS image upgrades; nothing was written. 1) ")
    assert "secret" not in message


@pytest.mark.parametrize("name", sorted(WARNINGS))
def test_what_is_only_warned_of(name: str) -> None:
    owner, around, words = WARNINGS[name]
    (one,) = readiness.findings(owner, readiness.AUTOMATIC, around, now=NOW)
    assert (one.severity, one.code) == ("warning", name) and words in str(one)


def test_key_vaults_are_named_as_unchecked() -> None:
    secrets = {"osProfile": {"secrets": [{"sourceVault": {"id": "/vaults/v"}}]}}
    (one,) = readiness.findings(scale_set(secrets), readiness.AUTOMATIC, now=NOW)
    assert (one.severity, one.code) == ("info", "key_vault") and "not checked" in str(one)


def test_all_that_is_broken_is_in_one_message() -> None:
    owner = scale_set(
        windows(enableAutomaticUpdates=True, patchSettings={"patchMode": "AutomaticByPlatform"}),
        image=parse("a:b:c:1.0.0"),
        os_type="Windows",
        health_sources=(),
    )
    everything = readiness.findings(owner, readiness.AUTOMATIC, now=NOW)
    assert [one.code for one in readiness.errors(everything)] == [
        "image_pinned",
        "no_health_source",
        "windows_updates",
        "patch_mode",
    ]
    message = readiness.refusal(owner, readiness.AUTOMATIC, everything)
    assert [number for number in "12345" if f" {number}) " in message] == ["1", "2", "3", "4"]
    assert all(str(one) in message for one in readiness.errors(everything))
    assert "not among those known" not in message


def test_two_sources_of_a_flexible_set_are_one_condition() -> None:
    both = probed(orchestration_mode=FLEXIBLE, health_sources=(*EXTENSION, *PROBES))
    (one,) = readiness.errors(readiness.findings(both, readiness.AUTOMATIC, Prerequisites(probe=PROBE)))
    assert one.code == "health_sources" and "Keep the Application Health extension" in one.remedy


def test_a_pinned_set_of_service_fabric_is_told_a_way_that_is_open_to_it() -> None:
    """steady.vmss.image leaves it alone, for its mode is Automatic."""
    (pinned,) = readiness.errors(readiness.findings(replace(fabric(), image=parse("a:b:c:1.0.0")), readiness.AUTOMATIC))
    assert pinned.code == "image_pinned" and "steady.vmss.image" not in pinned.remedy
    assert "az vmss update -g shop -n web --set virtualMachineProfile.storageProfile.imageReference.version=latest" in (
        pinned.remedy
    )


def test_what_each_purpose_needs() -> None:
    pinned = replace(ERRORS["image_pinned"][0], health_sources=())
    around = Prerequisites()
    assert found((pinned, around, ""), readiness.ROLLING_MODE) == [("error", "no_health_source")]
    assert found((pinned, around, ""), readiness.OS_UPGRADE) == [
        ("error", "image_pinned"),
        ("warning", "no_health_source"),
    ]
    assert found((pinned, around, ""), readiness.EXTENSION_UPGRADE) == [("warning", "no_health_source")]
    assert found((fabric(), SILVER, ""), readiness.ROLLING_MODE) == [("error", "service_fabric_mode")]
    for purpose in (readiness.ROLLING_MODE, readiness.OS_UPGRADE, readiness.EXTENSION_UPGRADE):
        assert found(ERRORS["windows_updates"], purpose) == [], "Windows Update is Azure's matter only beside automatic"
        assert found(ERRORS["health_sources"], purpose) == [("error", "health_sources")]


def test_a_signature_is_not_called_expired_without_azures_clock() -> None:
    owner, around, _words = ERRORS["expired_sas"]
    assert readiness.findings(owner, readiness.AUTOMATIC, around) == []


MEMBERS = [
    "extensions",
    "properties",
    "type",
    "settings",
    "healthProbe",
    "id",
    "linuxConfiguration",
    "windowsConfiguration",
    "patchSettings",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3),
    max_leaves=8,
)


@given(
    profile=st.dictionaries(
        st.sampled_from(["osProfile", "networkProfile", "extensionProfile", "storageProfile"]), JSON, max_size=3
    ),
    os_type=st.sampled_from(["Linux", "Windows", ""]),
    purpose=st.sampled_from(
        [readiness.AUTOMATIC, readiness.ROLLING_MODE, readiness.OS_UPGRADE, readiness.EXTENSION_UPGRADE]
    ),
)
def test_no_shape_of_a_model_breaks_it(profile: dict[str, Any], os_type: str, purpose: str) -> None:
    readiness.findings(scale_set(profile, os_type=os_type), purpose, now=NOW)
