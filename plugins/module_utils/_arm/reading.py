# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's JSON to our plain data. Missing, unknown and oddly typed members never raise.

Members: https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-sets/get
"""

from __future__ import annotations

import typing as t

from .._facts import images, problems
from .._facts.documents import at
from .._facts.foreign_text import LONGEST_MESSAGE, printable
from .._facts.images import Image
from .._facts.permissions import Grant, Permissions
from .._facts.problems import Operation, Problem
from .._facts.scale_set import (
    AUTOMATIC,
    FLEXIBLE,
    MANUAL,
    NOT_RUNNING,
    ROLLING,
    RUNNING,
    SUSPENDED,
    UNIFORM,
    ImageFacts,
    ImageVersion,
    Instance,
    PastUpgrade,
    Retirement,
    RollingUpgrade,
    ScaleSet,
    ServiceState,
    UpgradeMode,
)
from .._facts.times import seconds_of
from .error_tree import words
from .errors import CONFLICT_CODES, error_member, problem_of
from .redaction import message_text, name_text

Document = t.Mapping[str, t.Any]

_HEALTH_EXTENSIONS = ("applicationhealthlinux", "applicationhealthwindows")
# 2000 to 2100: any other is no time of Azure's, and no arithmetic is safe there.
_FIRST_MOMENT, _LAST_MOMENT = 946684800.0, 4102444800.0
_LARGEST = 10**12
_COUNTS = ("successful", "failed", "inProgress", "pending")


def moment(value: object) -> float | None:
    """Seconds since the epoch of a time that Azure can mean."""
    seconds = seconds_of(value)
    return seconds if seconds is not None and _FIRST_MOMENT <= seconds < _LAST_MOMENT else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_MOST_EXTENSIONS = 100  # of an instance that are told of; Azure's documents have a dozen


def dicts(value: object) -> list[dict[str, t.Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _word(value: object) -> str:
    """A state's name, capitalised as Azure's documents do; "" for anything but text (an old API sent 0)."""
    return value[:1].upper() + value[1:] if isinstance(value, str) else ""


def _upgrade_mode(value: object) -> UpgradeMode:
    """Without a policy (Flexible) it is Manual. A mode that is not known is taken for the one that acts at once."""
    word = _word(value)
    modes: dict[str, UpgradeMode] = {"": MANUAL, MANUAL: MANUAL, ROLLING: ROLLING}
    return modes.get(word[:1] + word[1:].lower(), AUTOMATIC)


def service_state(value: object) -> ServiceState:
    """A state that is not known is taken for one that nothing can be done about."""
    states: dict[object, ServiceState] = {RUNNING: RUNNING, SUSPENDED: SUSPENDED}
    return states.get(value, NOT_RUNNING) if isinstance(value, str) else NOT_RUNNING


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST else None


def _text(value: object) -> str:
    """A name, an id or a code; "" for what is none. A number is taken for its digits."""
    return value if isinstance(value, str) else str(value) if _whole(value) is not None else ""


def _names(value: object) -> tuple[str, ...]:
    return tuple(text for item in value if (text := _text(item))) if isinstance(value, list) else ()


def _strings(value: object) -> dict[str, str]:
    return {str(name): str(item) for name, item in value.items() if item is not None} if isinstance(value, dict) else {}


def part_of_id(resource_id: str, collection: str) -> str:
    """The name after a collection in a resource id: part_of_id("/subscriptions/s/…", "subscriptions") is "s"."""
    parts = resource_id.strip("/").split("/")
    names = {key.lower(): name for key, name in zip(parts[::2], parts[1::2], strict=False)}
    return names.get(collection.lower(), "")


def region(name: object) -> str:
    """Azure names a region "West Europe" in one place and "westeurope" in another."""
    return str(name or "").replace(" ", "").lower()


def scale_set(document: Document, etag: str | None = None) -> ScaleSet:
    """A scale set; `etag` is the header, used where the body has none."""
    properties = at(document, "properties")
    profile = at(properties, "virtualMachineProfile")
    os_disk = at(profile, "storageProfile", "osDisk")
    policy = at(properties, "upgradePolicy")
    extensions = dicts(at(profile, "extensionProfile", "extensions"))
    resource_id = _text(document.get("id"))
    automatic = at(policy, "automaticOSUpgradePolicy")
    return ScaleSet(
        id=resource_id,
        name=_text(document.get("name")),
        resource_group=part_of_id(resource_id, "resourceGroups"),
        location=region(document.get("location")),
        orchestration_mode=FLEXIBLE if _word(at(properties, "orchestrationMode")) == FLEXIBLE else UNIFORM,
        capacity=_whole(at(document, "sku", "capacity")) or 0,
        zones=_names(document.get("zones")),
        provisioning_state=_word(at(properties, "provisioningState")),
        upgrade_mode=_upgrade_mode(at(policy, "mode")),
        automatic_os_upgrade=at(automatic, "enableAutomaticOSUpgrade") is True,
        deferred_os_upgrade=at(automatic, "osRollingUpgradeDeferral") is True,
        automatic_repairs=at(properties, "automaticRepairsPolicy", "enabled") is True,
        zone_rebalancing=at(properties, "resiliencyPolicy", "automaticZoneRebalancingPolicy", "enabled") is True,
        health_sources=_health_sources(properties, profile, extensions),
        service_fabric=any(_extension_type(item).startswith("servicefabric") for item in extensions),
        image=images.from_wire(at(profile, "storageProfile", "imageReference"), at(os_disk, "image", "uri")),
        os_type=_os_type(profile, os_disk),
        ephemeral_os_disk=str(at(os_disk, "diffDiskSettings", "option")).lower() == "local",
        purchase_plan=_strings(document.get("plan")) or None,
        tags=_strings(document.get("tags")),
        etag=_text(document.get("etag")) or etag,
        document=document,
    )


def _extension_type(extension: Document) -> str:
    return str(at(extension, "properties", "type") or "").lower()


def _health_sources(properties: object, profile: object, extensions: list[dict[str, t.Any]]) -> tuple[str, ...]:
    found = {
        "application_health_extension": any(_extension_type(item) in _HEALTH_EXTENSIONS for item in extensions),
        "load_balancer_probe": bool(at(profile, "networkProfile", "healthProbe", "id")),
        "external_health_policy": bool(at(properties, "externalHealthPolicy") or at(profile, "externalHealthPolicy")),
    }
    return tuple(name for name, present in found.items() if present)


def _os_type(profile: object, os_disk: object) -> str:
    if named := _word(at(os_disk, "osType")):
        return named
    for name in ("Linux", "Windows"):
        if at(profile, "osProfile", f"{name.lower()}Configuration") is not None:
            return name
    return ""


def instance(document: Document) -> Instance:
    """A VM of a Uniform scale set, or a virtual machine of a Flexible one, with its instance view."""
    properties = at(document, "properties")
    view = at(properties, "instanceView")
    storage = at(properties, "storageProfile")
    os_disk = at(storage, "osDisk")
    name = _text(document.get("name"))
    statuses = dicts(at(view, "statuses"))
    provisioned = _status(statuses, "ProvisioningState")
    health = at(view, "vmHealth", "status")
    update_domain, fault_domain = at(view, "platformUpdateDomain"), at(view, "platformFaultDomain")
    return Instance(
        instance_id=_text(document.get("instanceId")) or name,
        name=name,
        computer_name=_text(at(properties, "osProfile", "computerName")) or _text(at(view, "computerName")),
        zone=next(iter(_names(document.get("zones"))), None),
        update_domain=_whole(update_domain),
        fault_domain=_whole(fault_domain if fault_domain is not None else at(properties, "platformFaultDomain")),
        power=_code(_status(statuses, "PowerState"), 1),
        provisioning=_word(at(properties, "provisioningState")) or _word(_code(provisioned, 1)),
        provisioning_time=moment(at(provisioned, "time")),
        error=_failure(statuses, dicts(at(view, "extensions"))[:_MOST_EXTENSIONS]),
        health=_code(health, -1) or None,
        health_time=moment(at(health, "time")),
        extensions_settled=_extensions_settled(dicts(at(view, "extensions"))),
        image=images.from_wire(at(storage, "imageReference"), at(os_disk, "image", "uri")),
        exact_version=_text(at(storage, "imageReference", "exactVersion")) or None,
        os_disk=_os_disk(os_disk),
        os_disk_time=_os_disk_time(view, at(os_disk, "name")),
        latest_model_applied=_truth(at(properties, "latestModelApplied")),
        protected_from_scale_in=at(properties, "protectionPolicy", "protectFromScaleIn") is True,
        protected_from_actions=at(properties, "protectionPolicy", "protectFromScaleSetActions") is True,
        created=moment(at(properties, "timeCreated")),
        extension_versions=tuple(
            (name_text(item.get("name")), name_text(item.get("typeHandlerVersion")))
            for item in dicts(at(view, "extensions"))[:_MOST_EXTENSIONS]
        ),
    )


def _status(statuses: list[dict[str, t.Any]], kind: str) -> dict[str, t.Any] | None:
    """The status whose code is "kind/…"."""
    return next((item for item in statuses if str(item.get("code")).lower().startswith(f"{kind.lower()}/")), None)


def _code(status: object, part: int) -> str:
    """One part of a status code like "PowerState/running", in lower case."""
    parts = str(at(status, "code") or "").lower().split("/")
    return parts[part] if -len(parts) <= part < len(parts) else ""


def _extensions_settled(extensions: list[dict[str, t.Any]]) -> bool:
    codes = [_code(_status(dicts(item.get("statuses")), "ProvisioningState"), 1) for item in extensions]
    return all(code in ("", "succeeded") for code in codes)


def _failure(statuses: list[dict[str, t.Any]], extensions: list[dict[str, t.Any]]) -> str | None:
    """What Azure says of a failed VM or extension: "code: message"; a bare "failed" of a VM says nothing."""
    views = [("", statuses)] + [
        (f"extension {name_text(item.get('name'))}: ", dicts(item.get("statuses"))) for item in extensions
    ]
    found = []
    for prefix, group in views:
        status = _status(group, "ProvisioningState")
        if status and _code(status, 1) == "failed":
            code = name_text(str(status["code"]).rsplit("/", maxsplit=1)[-1])
            said = message_text(words(status.get("message")))
            shown = f"{code}: {said or message_text(status.get('displayStatus'))}"
            found += [f"{prefix}{shown}"] if prefix or said or code.lower() != "failed" else []
    return printable("; ".join(found), LONGEST_MESSAGE) or None


def _os_disk(os_disk: object) -> str | None:
    uri = at(os_disk, "vhd", "uri")
    return (
        _text(at(os_disk, "managedDisk", "id"))
        or (images.without_query(str(uri)) if uri else "")
        or _text(at(os_disk, "name"))
        or None
    )


def _os_disk_time(view: object, name: object) -> float | None:
    for disk in dicts(at(view, "disks")):
        if name and disk.get("name") == name:
            return moment(at(_status(dicts(disk.get("statuses")), "ProvisioningState"), "time"))
    return None


def permissions(document: Document) -> Permissions:
    """Microsoft.Authorization/permissions, its first page."""
    listed = at(document, "value")
    grants = tuple(Grant(_texts(at(one, "actions")), _texts(at(one, "notActions"))) for one in dicts(listed))
    if not isinstance(listed, list) or len(grants) != len(listed) or not all(one.actions for one in grants):
        return Permissions(grants, "Azure's list of them has an unknown form")
    return Permissions(grants, "Azure's list of them has more pages" if at(document, "nextLink") else "")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def rolling_upgrade(document: Document) -> RollingUpgrade:
    """rollingUpgrades/latest, which has neither id nor name."""
    properties = at(document, "properties")
    status = at(properties, "runningStatus")
    return RollingUpgrade(
        code=_word(at(status, "code")),
        started=moment(at(status, "startTime")),
        counts=_counts(at(properties, "progress")),
        problem=_problem_from(at(properties, "error")),
        last_action=_word(at(status, "lastAction")),
        last_action_time=moment(at(status, "lastActionTime")),
        policy=dict(policy) if isinstance(policy := at(properties, "policy"), dict) else {},
    )


def past_upgrade(document: Document) -> PastUpgrade:
    """One item of osUpgradeHistory. Azure sent `completedTime` in 2019; newer documents name it `endTime`."""
    properties = at(document, "properties")
    status, rollback = at(properties, "runningStatus"), at(properties, "rollbackInfo")
    return PastUpgrade(
        code=_word(at(status, "code")),
        started=moment(at(status, "startTime")),
        ended=moment(at(status, "endTime") or at(status, "completedTime")),
        counts=_counts(at(properties, "progress")),
        started_by=_word(at(properties, "startedBy")),
        target=images.from_wire(at(properties, "targetImageReference")),
        problem=_problem_from(at(properties, "error")),
        restored=_whole(at(rollback, "successfullyRolledbackInstanceCount")) or 0,
        not_restored=_whole(at(rollback, "failedRolledbackInstanceCount")) or 0,
        restore_problem=_problem_from(at(rollback, "rollbackError")),
    )


def _counts(progress: object) -> dict[str, int]:
    found = {name: _whole(at(progress, f"{name}InstanceCount")) or 0 for name in _COUNTS}
    return {"in_progress" if name == "inProgress" else name: count for name, count in found.items()}


def _problem_from(error: object) -> Problem | None:
    return problem_of(error, problems.REFUSED) if isinstance(error, dict) and error else None


def operation(document: object, retry_after: float | None = None) -> Operation:
    """A long-running operation's status document. A body without a status belongs to one that has succeeded."""
    status = at(document, "status")
    if status is None:
        return Operation("Succeeded")
    known = {"succeeded": "Succeeded", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}
    word = known.get(str(status).lower(), "InProgress")
    if word == "InProgress":
        return Operation(word, retry_after=retry_after)
    start, end = moment(at(document, "startTime")), moment(at(document, "endTime"))
    if word == "Succeeded":
        return Operation(word, start=start, end=end)
    error = error_member(document)
    preempted = str(error.get("code") or "").lower() in CONFLICT_CODES
    found = problem_of(error, problems.CONFLICT if preempted else problems.LOST)
    if not error:
        found = Problem(problems.LOST, "", f"the operation ended as {word} and Azure gave no reason")
    return Operation(word, found, start=start, end=end)


def image_version(document: Document, image: Image, location: str | None = None) -> ImageVersion:
    """One version of a platform, gallery, shared or community gallery image.

    `location` is where a shared or community gallery was asked: such a version does not tell its other regions.
    """
    properties = at(document, "properties")
    publishing = at(properties, "publishingProfile")
    targets = dicts(at(publishing, "targetRegions"))
    version = _text(document.get("name"))
    regions = (
        tuple(region(item.get("name")) for item in targets) if publishing else (region(location),) if location else None
    )
    return ImageVersion(
        version=version,
        image=image.with_version(version),
        provisioning_state=_word(at(properties, "provisioningState")) or "Succeeded",
        excluded_from_latest=(at(publishing, "excludeFromLatest") or at(properties, "excludeFromLatest")) is True,
        regions=regions,
        excluded_regions=tuple(region(item.get("name")) for item in targets if item.get("excludeFromLatest") is True),
        published=_text(at(publishing, "publishedDate")) or _text(at(properties, "publishedDate")) or None,
        retirement=_retirement(properties),
        disk_gb=_disk_gb(properties),
    )


def _retirement(properties: object) -> Retirement | None:
    """Whether a gallery's version can be used after its end of life Azure does not say; a platform image's cannot."""
    status = at(properties, "imageDeprecationStatus")
    if (state := _word(at(status, "imageState"))) in ("ScheduledForDeprecation", "Deprecated"):
        return Retirement(
            at=moment(at(status, "scheduledDeprecationTime")),
            over=state == "Deprecated",
            alternative=_text(at(status, "alternativeOption", "value")),
        )
    ends = moment(at(properties, "publishingProfile", "endOfLifeDate")) or moment(at(properties, "endOfLifeDate"))
    return Retirement(ends, final=False) if ends is not None else None


def managed_image(document: Document, image: Image) -> ImageVersion:
    """A managed image as the only version of itself; it serves its own region only."""
    location = document.get("location")
    return ImageVersion(
        version="",
        image=image,
        provisioning_state=_word(at(document, "properties", "provisioningState")) or "Succeeded",
        regions=(region(location),) if location else None,
    )


def image_facts(image: Image, definition: Document, version: ImageVersion | None) -> ImageFacts:
    """`definition` is a platform image version, a gallery's image definition or a managed image."""
    properties = at(definition, "properties")
    features = {_text(item.get("name")): _text(item.get("value")) for item in dicts(at(properties, "features"))}
    os_type = (
        at(properties, "osDiskImage", "operatingSystem")
        or at(properties, "osType")
        or at(properties, "storageProfile", "osDisk", "osType")
    )
    return ImageFacts(
        image=image,
        version=version,
        os_type=_word(os_type) or None,
        architecture=_text(at(properties, "architecture")) or None,
        generation=_text(at(properties, "hyperVGeneration")) or None,
        purchase_plan=_strings(at(properties, "plan") or at(properties, "purchasePlan")) or None,
        specialized="specialized" in (os_state.lower() for os_state in _os_states(properties)),
        disk_gb=version.disk_gb if version and version.disk_gb else _disk_gb(properties),
        security_type=features.get("SecurityType") or None,
    )


def _os_states(properties: object) -> list[str]:
    return [_text(at(properties, "osState")), _text(at(properties, "storageProfile", "osDisk", "osState"))]


def _disk_gb(properties: object) -> int | None:
    """Of the OS disk: of a platform image, a gallery's image version, a managed image."""
    return (
        _whole(at(properties, "osDiskImage", "sizeInGb"))
        or _whole(at(properties, "storageProfile", "osDiskImage", "sizeInGB"))
        or _whole(at(properties, "storageProfile", "osDisk", "diskSizeGB"))
    )


def private_addresses(interface: Document) -> list[str]:
    """The private addresses of a network interface, its primary one first."""
    configurations = dicts(at(interface, "properties", "ipConfigurations"))
    configurations.sort(key=lambda item: at(item, "properties", "primary") is not True)
    found = [at(item, "properties", "privateIPAddress") for item in configurations]
    return [address for address in map(_text, found) if address]
