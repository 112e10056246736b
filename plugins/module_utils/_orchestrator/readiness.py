# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's own orchestrator needs of a scale set, and what is missing of it.

Requirements: https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-automatic-upgrade
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._facts import catalogue, commands, documents, images, model_references
from .._facts.findings import ERROR, INFO, WARNING, Finding
from .._facts.images import Image
from .._facts.scale_set import ImageVersion, Instance, ScaleSet

# What the scale set is to be ready for; the words stand in messages.
AUTOMATIC = "automatic OS image upgrades"
ROLLING_MODE = "upgrade mode Rolling"
OS_UPGRADE = "a rolling OS upgrade"
EXTENSION_UPGRADE = "a rolling extension upgrade"
_OF_THE_IMAGE = (AUTOMATIC, OS_UPGRADE)

LONGEST_PROBE_INTERVAL = 120  # seconds; Azure waits 5 minutes for a batch's health
# Skus by publisher and offer, as Microsoft lists them; more are added from time to time.
SUPPORTED = {
    ("canonical", "0001-com-ubuntu-server-focal"): "20_04-lts 20_04-lts-gen2 20_04-lts-arm64",
    ("canonical", "0001-com-ubuntu-server-jammy"): "22_04-lts 22_04-lts-gen2 22_04-lts-arm64",
    ("canonical", "0001-com-ubuntu-pro-microsoft"): "pro-fips-20_04-gen2",
    ("canonical", "ubuntu-24_04-lts"): "server-arm64",
    ("microsoftcblmariner", "cbl-mariner"): (
        "cbl-mariner-2 cbl-mariner-2-arm64 cbl-mariner-2-gen2 cbl-mariner-2-fips cbl-mariner-2-gen2-fips"
    ),
    ("microsoftcblmariner", "azure-linux"): "azure-linux-gen2 azure-linux-3 azure-linux-arm64",
    ("microsoftsqlserver", "sql2017-ws2019"): "enterprise",
    ("microsoftsqlserver", "sql2019-ws2022"): "enterprise",
    ("microsoftsqlserver", "sql2022-ws2022"): "enterprise-gen2",
    ("microsoftwindowsserver", "windowsserver"): (
        "2012-r2-datacenter 2016-datacenter 2016-datacenter-gensecond 2016-datacenter-gs 2016-datacenter-smalldisk "
        "2016-datacenter-with-containers 2016-datacenter-with-containers-gs 2019-datacenter 2019-datacenter-core "
        "2019-datacenter-core-smalldisk 2019-datacenter-core-with-containers 2019-datacenter-gensecond "
        "2019-datacenter-gs 2019-datacenter-smalldisk 2019-datacenter-with-containers "
        "2019-datacenter-with-containers-gs 2022-datacenter 2022-datacenter-smalldisk 2022-datacenter-azure-edition "
        "2022-datacenter-azure-edition-core 2022-datacenter-azure-edition-core-smalldisk 2022-datacenter-core "
        "2022-datacenter-core-smalldisk 2022-datacenter-g2 2022-datacenter-smalldisk-g2 "
        "datacenter-core-20h2-with-containers-smalldisk-gs"
    ),
}


@dataclass(frozen=True)
class Probe:
    """The load balancer probe that is the health source."""

    interval: float  # seconds
    load_balancer_sku: str  # Basic, Standard, …
    rules: int = 0  # load balancing rules that use it too


@dataclass(frozen=True)
class NodeType:
    """The scale set's node type, as the Service Fabric cluster knows it."""

    durability: str
    stateless: bool = False


@dataclass(frozen=True)
class Prerequisites:
    """What lies outside of the scale set's own document. None where it was not needed or not readable."""

    versions: tuple[ImageVersion, ...] | None = None  # of the image that the model names
    probe: Probe | None = None
    node_type: NodeType | None = None
    not_read: t.Mapping[str, str] = field(default_factory=dict)  # "image", "probe" or "cluster": why


def findings(
    scale_set: ScaleSet, purpose: str, around: Prerequisites = Prerequisites(), *, now: float | None = None
) -> list[Finding]:
    """What stands in the way of `purpose`, errors first. `now`: Azure's clock, None where it is not known."""
    found = [
        *(_image(scale_set, purpose, around) if purpose in _OF_THE_IMAGE else ()),
        *_health(scale_set, purpose, around),
        *(_system(scale_set, purpose) if purpose == AUTOMATIC else ()),
        *_service_fabric(scale_set, purpose, around),
        *(
            replace(one, severity=ERROR) if one.code == "expired_sas" else one
            for one in model_references.findings(scale_set.document, now)
        ),
    ]
    return sorted(found, key=lambda one: (ERROR, WARNING, INFO).index(one.severity))


def of_the_instances(scale_set: ScaleSet, instances: t.Iterable[Instance]) -> list[Finding]:
    """Azure starts an OS upgrade only where an instance that is not protected has a model that follows the newest."""
    images_now = [one.image for one in instances if not one.protected_from_actions]
    if not images_now or any(one is None or one.follows_latest for one in images_now):
        return []
    if scale_set.image is None or not scale_set.image.follows_latest:
        return []  # the finding of the model says it
    return [
        Finding(
            ERROR,
            "instances_pinned",
            f"the model of scale set {scale_set.name} follows the newest version and no instance has that model yet: "
            f"they name {', '.join(sorted({str(one) for one in images_now})[:3])}, and Azure starts no rolling OS "
            "upgrade.",
            "Bring an instance to the model first, with steady.vmss.instance_upgrade and whole_model: true.",
        )
    ]


def errors(found: t.Iterable[Finding]) -> list[Finding]:
    return [one for one in found if one.severity == ERROR]


def refusal(scale_set: ScaleSet, purpose: str, found: t.Iterable[Finding]) -> str:
    """All errors and their remedies in one message."""
    sentences = [f"{number}) {one}" for number, one in enumerate(errors(found), 1)]
    return f"scale set {scale_set.name} is not ready for {purpose}; nothing was written. {' '.join(sentences)}"


def service_fabric_extension(scale_set: ScaleSet) -> dict[str, t.Any]:
    """The properties of the Service Fabric node extension, {} where the set has none."""
    for one in documents.extensions(scale_set):
        properties = one.get("properties")
        if str(documents.at(properties, "type")).lower().startswith("servicefabric"):
            return dict(properties or {})
    return {}


def _update(scale_set: ScaleSet, path: str, value: str) -> str:
    setting = f"virtualMachineProfile.{path}={value}"
    return commands.az("vmss update", scale_set.resource_group, scale_set.name, "--set", setting)


def _image(scale_set: ScaleSet, purpose: str, around: Prerequisites) -> t.Iterator[Finding]:
    this = f"scale set {scale_set.name}"
    image = scale_set.image
    if image is None or image.kind in (images.MANAGED, images.VHD):
        kind = image.kind.replace("_", " ") if image else "unknown"
        yield Finding(
            ERROR,
            "image_custom",
            f"the model of {this} names the {kind} image {image}, and custom images get {purpose} only from a gallery.",
            "Put the image into an Azure Compute Gallery and create a scale set from there: Azure never changes a "
            "set's image type.",
        )
        return
    if not image.follows_latest:
        following = image.following_latest()
        wanted = "{version: latest}" if image.kind == images.PLATFORM else f"'{following}'"
        write = f"steady.vmss.image with image: {wanted}."
        if scale_set.service_fabric:  # which steady.vmss.image leaves alone, for its mode is Automatic
            name, value = ("version", "latest") if image.kind == images.PLATFORM else ("id", str(following))
            write = _update(scale_set, f"storageProfile.imageReference.{name}", value)
            write += ". Azure upgrades the instances at once."
        yield Finding(
            ERROR,
            "image_pinned",
            f"the model of {this} pins image {image}, but for {purpose} it has to follow the newest.",
            f"Write {following} into the model: {write}",
        )
    if purpose == AUTOMATIC and image.kind == images.PLATFORM and not _is_supported(image):
        yield Finding(
            WARNING,
            "image_support_unknown",
            f"platform image {image} is not among those known to get automatic OS image upgrades.",
            "Compare Microsoft's list of supported OS images, to which more are added.",
        )
    yield from _versions(scale_set, image, around)


def _is_supported(image: Image) -> bool:
    return image.sku.lower() in SUPPORTED.get((image.publisher.lower(), image.offer.lower()), "").split()


def _versions(scale_set: ScaleSet, image: Image, around: Prerequisites) -> t.Iterator[Finding]:
    if why := around.not_read.get("image"):
        yield Finding(WARNING, "image_not_checked", f"the versions of image {image} were not checked: {why}.")
    if around.versions is None:
        return
    reasons = {one.version: catalogue.why_not(one, scale_set.location, as_latest=True) for one in around.versions}
    newest = images.newest(version for version, why in reasons.items() if why is None)
    if newest is None:
        listed = "; ".join(f"{version}: {why}" for version, why in reasons.items()) or "it has no versions"
        yield Finding(
            ERROR,
            "image_not_usable",
            f"no version of image {image} can be the newest in {scale_set.location} ({listed}).",
            "Replicate a version to the region and do not exclude it from latest.",
        )
        return
    for version, why in reasons.items():
        if why and images.version_key(version) > images.version_key(newest):
            yield Finding(
                WARNING,
                "image_version_held_back",
                f"version {version} of image {image} is newer than {newest} and will not be installed: {why}.",
            )


def _health(scale_set: ScaleSet, purpose: str, around: Prerequisites) -> t.Iterator[Finding]:
    this = f"scale set {scale_set.name}"
    sources = scale_set.health_sources
    if len(sources) > 1:
        yield Finding(
            ERROR,
            "health_sources",
            f"{this} has {len(sources)} health sources ({', '.join(sources)}), and Azure takes only one.",
            f"{'Keep the Application Health extension' if scale_set.flexible else 'Choose one'} with "
            "steady.vmss.health_monitor and replace: true.",
        )
    if scale_set.service_fabric:
        if "load_balancer_probe" in sources:
            yield Finding(
                ERROR,
                "service_fabric_probe",
                f"{this} belongs to a Service Fabric cluster and has a load balancer probe as its health source, which "
                "Azure refuses.",
                "Remove it with steady.vmss.health_monitor and state: absent; Service Fabric watches the health.",
            )
        return
    if not sources:
        yield Finding(
            ERROR if purpose in (AUTOMATIC, ROLLING_MODE) else WARNING,
            "no_health_source",
            f"{this} has no health source, so Azure cannot see whether an upgraded instance works.",
            "Add the Application Health extension or a load balancer probe with steady.vmss.health_monitor.",
        )
    if "load_balancer_probe" in sources:
        yield from probe_findings(scale_set, around)


def probe_findings(scale_set: ScaleSet, around: Prerequisites) -> t.Iterator[Finding]:
    """Of the load balancer probe that the model names."""
    this = f"scale set {scale_set.name}"
    reference = documents.at(documents.profile(scale_set), "networkProfile", "healthProbe", "id")
    name = str(reference or "").rpartition("/")[2]
    if scale_set.flexible and len(scale_set.health_sources) == 1:  # else the finding of several says it
        yield Finding(
            ERROR,
            "probe_flexible",
            f"the health source of {this} is the load balancer probe {name}, which Flexible "
            "orchestration does not support.",
            "Use the Application Health extension: steady.vmss.health_monitor with replace: true.",
        )
    if why := around.not_read.get("probe"):
        yield Finding(WARNING, "probe_not_checked", f"the load balancer probe {name} was not checked: {why}.")
    probe = around.probe
    if probe is None:
        return
    several = documents.at(scale_set.document, "properties", "singlePlacementGroup") is False
    if several and probe.load_balancer_sku.lower() == "basic":
        yield Finding(
            ERROR,
            "load_balancer_basic",
            f"{this} may have several placement groups, and its health probe {name} belongs to a Basic load balancer.",
            "Use the probe of a Standard load balancer, or the Application Health extension.",
        )
    if probe.interval >= LONGEST_PROBE_INTERVAL:
        yield Finding(
            ERROR,
            "probe_interval",
            f"the health probe {name} of {this} asks every {probe.interval:g} s, which is not less than two minutes.",
            f"Set the probe's intervalInSeconds below {LONGEST_PROBE_INTERVAL}.",
        )
    if probe.rules:
        yield Finding(
            WARNING,
            "probe_shared",
            f"the health probe {name} of {this} also decides where the load balancer sends traffic.",
            "Use a separate probe for the health of the instances.",
        )


def _system(scale_set: ScaleSet, purpose: str) -> t.Iterator[Finding]:
    this = f"scale set {scale_set.name}"
    system = f"{scale_set.os_type.lower()}Configuration"
    configuration = documents.at(documents.profile(scale_set), "osProfile", system)
    # Left out, Azure takes it for true.
    if scale_set.os_type == "Windows" and documents.at(configuration, "enableAutomaticUpdates") is not False:
        yield Finding(
            ERROR,
            "windows_updates",
            f"Windows Update is on in the model of {this} (enableAutomaticUpdates), and patches beside the image.",
            f"Turn it off: {_update(scale_set, 'osProfile.windowsConfiguration.enableAutomaticUpdates', 'false')}",
        )
    mode = str(documents.at(configuration, "patchSettings", "patchMode") or "")
    if mode.lower() == "automaticbyplatform":
        other = "Manual" if scale_set.os_type == "Windows" else "ImageDefault"
        yield Finding(
            ERROR,
            "patch_mode",
            f"the model of {this} has patch mode {mode}, which is not compatible with {purpose}.",
            f"Change it: {_update(scale_set, f'osProfile.{system}.patchSettings.patchMode', other)}",
        )


def _service_fabric(scale_set: ScaleSet, purpose: str, around: Prerequisites) -> t.Iterator[Finding]:
    this = f"scale set {scale_set.name}"
    extension = service_fabric_extension(scale_set)
    if not extension:
        return
    if purpose == ROLLING_MODE:
        yield Finding(
            ERROR,
            "service_fabric_mode",
            f"Service Fabric manages {this} and upgrades its update domains itself, which only mode Automatic allows.",
            "Keep the mode Automatic.",
        )
        return
    durability = str(documents.at(extension, "settings", "durabilityLevel") or "Bronze")
    stateless = around.node_type is not None and around.node_type.stateless
    if durability.lower() not in ("silver", "gold") and not stateless:
        yield Finding(
            ERROR,
            "service_fabric_durability",
            f"the Service Fabric extension of {this} has durability {durability}, and {purpose} need Silver or Gold.",
            "Raise durabilityLevel both in the cluster's node type and in the extension.",
        )
    version = str(extension.get("typeHandlerVersion") or "")
    if images.version_key(version) < (1, 1):
        yield Finding(
            ERROR,
            "service_fabric_version",
            f"the Service Fabric extension of {this} has typeHandlerVersion {version or 'none'}, and "
            f"{purpose} need 1.1 or newer.",
            "Write typeHandlerVersion 1.1 or newer into the model with steady.vmss.extension.",
        )
    yield from _service_fabric_cluster(this, durability, around)


def _service_fabric_cluster(this: str, durability: str, around: Prerequisites) -> t.Iterator[Finding]:
    if around.node_type and around.node_type.durability.lower() != durability.lower():
        yield Finding(
            ERROR,
            "service_fabric_mismatch",
            f"the Service Fabric extension of {this} has durability {durability}, and the cluster's node type "
            f"{around.node_type.durability}.",
            "Make them the same.",
        )
    if around.node_type is None:
        why = around.not_read.get("cluster", "it was not found")
        yield Finding(
            WARNING,
            "service_fabric_not_checked",
            f"the durability of the Service Fabric cluster was not checked: {why}.",
        )
