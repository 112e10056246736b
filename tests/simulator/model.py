"""Writing a scale set's document: how PUT and PATCH combine with what is stored, and what Azure refuses."""

from __future__ import annotations

import copy
from typing import Any

from . import upgrade_policy
from .errors import ArmError
from .extensions import extension_order, extensions_of
from .images import Catalogue, Resolved, reference_kind, reference_text
from .knobs import Knobs

MOST_TAGS, TAG_NAME, TAG_VALUE = 50, 512, 256
READ_ONLY = ("provisioningState", "uniqueId", "timeCreated")
IDENTITY_MEMBERS = ("id", "sharedGalleryImageId", "communityGalleryImageId", "publisher", "offer")
REPAIRS = {"enabled": False, "gracePeriod": "PT10M", "repairAction": "Replace"}
WRITABLE = ("location", "tags", "sku", "plan", "zones", "identity", "extendedLocation", "properties")


def merge(stored: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396): objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(stored) if isinstance(stored, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def profile_of(document: dict[str, Any]) -> dict[str, Any]:
    profile: dict[str, Any] = document.get("properties", {}).get("virtualMachineProfile", {})
    return profile


def without_nulls(body: Any) -> Any:
    """What is left of a patch where null means nothing."""
    if not isinstance(body, dict):
        return body
    return {key: without_nulls(value) for key, value in body.items() if value is not None}


def storage_of(document: dict[str, Any]) -> dict[str, Any]:
    storage: dict[str, Any] = profile_of(document).get("storageProfile", {})
    return storage


def _writable(body: dict[str, Any]) -> dict[str, Any]:
    body = {key: copy.deepcopy(value) for key, value in body.items() if key in WRITABLE}
    for member in READ_ONLY:
        (body.get("properties") or {}).pop(member, None)
    return body


def patched(stored: dict[str, Any], body: dict[str, Any], knobs: Knobs) -> dict[str, Any]:
    body = _writable(body)
    if knobs.patch_null == "ignore":
        body = without_nulls(body)
    result: dict[str, Any] = merge(stored, body)
    _patch_members_of_the_resource(stored, body, result, knobs)
    named = body.get("properties") or {}
    given = storage_of(body) if named.get("virtualMachineProfile") else {}
    if given.get("osDisk") and knobs.patch_os_disk == "replace":
        storage_of(result)["osDisk"] = copy.deepcopy(given["osDisk"])
    if given.get("imageReference"):
        storage_of(result)["imageReference"] = _named_image(stored, given["imageReference"])
    if knobs.patch_members == "replace":
        if named.get("upgradePolicy"):
            result["properties"]["upgradePolicy"] = copy.deepcopy(named["upgradePolicy"])
        network = (named.get("virtualMachineProfile") or {}).get("networkProfile")
        if network:
            profile_of(result)["networkProfile"] = copy.deepcopy(network)
    if knobs.patch_lists == "merge" and named.get("virtualMachineProfile"):
        listed = extensions_of(profile_of(body))
        if listed:
            others = [e for e in extensions_of(profile_of(stored)) if e["name"] not in {new["name"] for new in listed}]
            profile_of(result)["extensionProfile"]["extensions"] = copy.deepcopy(others) + copy.deepcopy(listed)
    _clean(stored, result)
    if knobs.protected_settings == "keep":
        _keep_protected_settings(stored, result)
    if knobs.image_write_loses and reference_text(storage_of(stored)) != reference_text(storage_of(result)):
        _lose(profile_of(result), knobs.image_write_loses)
    return result


def _patch_members_of_the_resource(
    stored: dict[str, Any], body: dict[str, Any], result: dict[str, Any], knobs: Knobs
) -> None:
    """Those that do not simply merge."""
    if isinstance(body.get("identity"), dict):
        identity = _identity(stored.get("identity"), body["identity"])
        result.pop("identity", None)
        result |= {"identity": identity} if identity else {}
    if "tags" in body and knobs.patch_tags == "replace":
        result["tags"] = {name: value for name, value in (body["tags"] or {}).items() if value is not None}


def _lose(profile: dict[str, Any], path: str) -> None:
    """A member of the model that nobody named is gone, as `storageProfile.dataDisks` once was."""
    *above, last = path.split(".")
    for key in above:
        profile = profile.get(key) or {}
    profile.pop(last, None)


def _keep_protected_settings(stored: dict[str, Any], document: dict[str, Any]) -> None:
    """Nobody can read them, so that a document that was read and written back leaves them out."""
    kept = {str(e["name"]): e.get("properties", {}) for e in extensions_of(profile_of(stored))}
    for extension in extensions_of(profile_of(document)):
        old, new = kept.get(str(extension["name"]), {}), extension.setdefault("properties", {})
        if "protectedSettings" in old and not {"protectedSettings", "protectedSettingsFromKeyVault"} & new.keys():
            new["protectedSettings"] = old["protectedSettings"]


def _named_image(stored: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Naming another image replaces the reference; a version or sku alone (az puts it so) completes the stored one."""
    old = storage_of(stored).get("imageReference", {})
    keep = old if "publisher" in old and not any(m in reference for m in IDENTITY_MEMBERS[:3]) else {}
    named: dict[str, Any] = merge(keep, reference)
    return named


def put(stored: dict[str, Any], body: dict[str, Any], knobs: Knobs) -> dict[str, Any]:
    """A PUT replaces what it names; what it leaves out of the model (the image reference above all) stays."""
    body = _writable(body)
    result = copy.deepcopy(stored)
    for key in WRITABLE[:-1]:
        if key in body:
            result[key] = body[key]
    if _spelled(body.get("location")) == _spelled(stored.get("location")):
        result["location"] = stored.get("location")
    result["tags"] = body.get("tags") or {}
    properties = result["properties"]
    for key, value in (body.get("properties") or {}).items():
        if key == "upgradePolicy" and isinstance(value, dict):
            properties[key] = upgrade_policy.put(properties.get(key) or {}, value)
            continue
        if key == "automaticRepairsPolicy" and isinstance(value, dict):
            properties[key] = merge(properties.get(key), value)
            continue
        if key != "virtualMachineProfile" or not isinstance(value, dict):
            properties[key] = value
            continue
        profile = properties.setdefault(key, {})
        for member, part in value.items():
            if member == "storageProfile" and isinstance(part, dict):
                profile[member] = {**profile.get(member, {}), **part}
                if part.get("imageReference"):
                    profile[member]["imageReference"] = _named_image(stored, part["imageReference"])
            else:
                profile[member] = part
    _clean(stored, result)
    if knobs.protected_settings == "keep":
        _keep_protected_settings(stored, result)
    return result


def _spelled(location: Any) -> str:
    """Azure takes `eastus` for "East US"."""
    return str(location or "").replace(" ", "").lower()


def _identity(stored: Any, given: dict[str, Any]) -> dict[str, Any] | None:
    """Naming one user's identity keeps the others, null takes one away whatever its case, type None all of it."""
    if str(given.get("type", "")).lower() == "none":
        return None
    named = {str(name).lower(): (name, value) for name, value in (given.get("userAssignedIdentities") or {}).items()}
    there: dict[str, Any] = (stored or {}).get("userAssignedIdentities") or {}
    kept = {name: value for name, value in there.items() if name.lower() not in named}
    kept |= {name: value for name, value in named.values() if value is not None}
    result = {**(stored or {}), **given}
    return {
        **{k: v for k, v in result.items() if k != "userAssignedIdentities"},
        **({"userAssignedIdentities": kept} if kept else {}),
    }


def _clean(stored: dict[str, Any], document: dict[str, Any]) -> None:
    repairs = document["properties"].get("automaticRepairsPolicy")
    if isinstance(repairs, dict):
        document["properties"]["automaticRepairsPolicy"] = {**REPAIRS, **repairs}
    storage_of(document).get("imageReference", {}).pop("exactVersion", None)
    upgrade_policy.complete(stored, document)


def health_source(document: dict[str, Any]) -> str | None:
    """`external` (reported to Azure from outside), `extension`, `probe` or None."""
    return next(iter(_sources(document)), None)


def _sources(document: dict[str, Any]) -> list[str]:
    profile = profile_of(document)
    extensions = profile.get("extensionProfile", {}).get("extensions", [])
    external = (document.get("properties", {}).get("externalHealthPolicy") or {}).get("enabled")
    monitored = any(str(e.get("properties", {}).get("type", "")).startswith("ApplicationHealth") for e in extensions)
    probed = (profile.get("networkProfile", {}).get("healthProbe") or {}).get("id")
    found = {"external": external, "extension": monitored, "probe": probed}
    return [name for name, there in found.items() if there]


def rich_health(document: dict[str, Any]) -> bool:
    """Whether the health extension knows Initializing and Unknown (version 2)."""
    for extension in profile_of(document).get("extensionProfile", {}).get("extensions", []):
        properties = extension.get("properties", {})
        if str(properties.get("type", "")).startswith("ApplicationHealth"):
            return str(properties.get("typeHandlerVersion", "1.0")).startswith("2")
    return False


def check(old: dict[str, Any] | None, new: dict[str, Any], catalogue: Catalogue, knobs: Knobs) -> None:
    """Raises ArmError where Azure would refuse the write (API.md sections 2.7 and 3.1)."""
    upgrade_policy.check(new, knobs, health_source(new))
    if knobs.health_sources == "one" and len(_sources(new)) > 1:
        raise ArmError(400, "BadRequest", f"A scale set takes one health source, not {' and '.join(_sources(new))}.")
    extension_order(profile_of(new))
    _check_tags(new.get("tags") or {})
    if old is not None:
        _check_immutable(old, new)
    storage = storage_of(new)
    kind = reference_kind(storage)
    if old is not None and reference_kind(storage_of(old)) not in (None, kind):
        raise ArmError(409, "OperationNotAllowed", "The Image type for a Virtual Machine Scale Set may not be changed.")
    same_image = old is not None and reference_text(storage_of(old)) == reference_text(storage)
    if same_image and _security_type(old) == _security_type(new):
        return
    resolved = catalogue.resolve(storage, new["location"], knobs.missing_image)
    if old is not None:
        _check_security(old, new, resolved, knobs)
    disk_os = storage.get("osDisk", {}).get("osType")
    if old is not None and resolved.os and disk_os and resolved.os != disk_os:
        raise ArmError(
            409, "PropertyChangeNotAllowed", "Changing property 'osDisk.osType' is not allowed.", target="osDisk.osType"
        )
    if resolved.plan and not new.get("plan"):
        raise ArmError(
            400,
            "VMMarketplaceInvalidInput",
            "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image "
            "requires Plan information in the request.",
        )


def _security_type(document: dict[str, Any] | None) -> str:
    return str((profile_of(document or {}).get("securityProfile") or {}).get("securityType") or "Standard")


def _check_security(old: dict[str, Any], new: dict[str, Any], resolved: Resolved, knobs: Knobs) -> None:
    """Trusted Launch needs generation 2 and, with data disks, new instances (API.md section 2.9); the words are not
    recorded. A generation changes only with the type."""
    before, after = _security_type(old), _security_type(new)
    if after == "TrustedLaunch" and resolved.generation == "V1":
        raise ArmError(400, "BadRequest", "Security type TrustedLaunch is not supported for generation 1 images.")
    if before == after:
        return
    surge = (upgrade_policy.of(new).get("rollingUpgradePolicy") or {}).get("maxSurge")
    if storage_of(new).get("dataDisks") and not surge:
        raise ArmError(409, "OperationNotAllowed", "The security type of a scale set with data disks may not change.")
    if before == "TrustedLaunch" and knobs.security_back == "refuse":
        name = "securityProfile.securityType"
        raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)


def _check_tags(tags: dict[str, Any]) -> None:
    """Azure Resource Manager's limits, which hold for every resource; the words and codes are not recorded."""
    if len(tags) > MOST_TAGS:
        raise ArmError(400, "TooManyTags", f"The maximum number of tags on a resource is {MOST_TAGS}.")
    for name, value in tags.items():
        if not name or len(name) > TAG_NAME or set(name) & set("<>%&\\?/"):
            raise ArmError(400, "InvalidTagName", f"The tag name '{name}' is invalid.", target="tags")
        if not isinstance(value, str) or len(value) > TAG_VALUE:
            raise ArmError(
                400,
                "InvalidTagValueLength",
                f"Tag value too large. Following tag value '{value}' exceeded the maximum length. Maximum allowed "
                f"length for tag value - '{TAG_VALUE}' characters.",
                target="tags",
            )


def _check_immutable(old: dict[str, Any], new: dict[str, Any]) -> None:
    pairs = [
        ("location", _spelled(old.get("location")), _spelled(new.get("location"))),
        ("orchestrationMode", old["properties"].get("orchestrationMode"), new["properties"].get("orchestrationMode")),
        ("priority", profile_of(old).get("priority", "Regular"), profile_of(new).get("priority", "Regular")),
    ]
    for name, before, after in pairs:
        if before != after:
            message = f"Changing property '{name}' is not allowed."
            raise ArmError(409, "PropertyChangeNotAllowed", message, target=name)
