"""`upgradePolicy`: how Azure completes it, what it refuses, and which policy a rolling upgrade goes by."""

from __future__ import annotations

import copy
import re
from typing import Any

from .errors import ArmError
from .images import follows_latest, reference_kind
from .knobs import Knobs

DEFAULTS: dict[str, Any] = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}
# Shown and completed from this api-version on.
LATER = "2022-11-01"
LATER_DEFAULTS: dict[str, Any] = {"maxSurge": False, "rollbackFailedInstancesOnPolicyBreach": False}
RANGES = {
    "maxBatchInstancePercent": (5, 100),
    "maxUnhealthyInstancePercent": (5, 100),
    "maxUnhealthyUpgradedInstancePercent": (0, 100),
}
HEALTH_REFUSALS = {
    "Rolling": "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a health probe or "
    "health extension was not provided.",
    "automatic": "Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because a health probe or "
    "health extension was not specified.",
}


def seconds(duration: str) -> float:
    """Of an ISO 8601 duration such as PT10M, PT1H30M or P1D."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration)
    if found is None or duration in ("P", "PT"):
        raise ValueError(f"{duration!r} is no duration such as PT10M")
    return sum(float(part or 0) * size for part, size in zip(found.groups(), (86400, 3600, 60, 1), strict=True))


def of(document: dict[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = document["properties"].get("upgradePolicy") or {}
    return policy


def automatic(document: dict[str, Any]) -> dict[str, Any]:
    """The automatic OS upgrade policy; {} where it is not enabled."""
    policy: dict[str, Any] = of(document).get("automaticOSUpgradePolicy") or {}
    return policy if policy.get("enableAutomaticOSUpgrade") else {}


def rolling(document: dict[str, Any], *, by_platform: bool = False) -> dict[str, Any]:
    """The complete policy that an upgrade goes by: the platform's takes the set's only where it is told to."""
    given: dict[str, Any] = of(document).get("rollingUpgradePolicy") or {}
    if by_platform and not automatic(document).get("useRollingUpgradePolicy"):
        given = {}
    return {**DEFAULTS, **LATER_DEFAULTS, **{key: value for key, value in given.items() if value is not None}}


def put(stored: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A PUT replaces the members it names; those it leaves out stay (recorded in 2019)."""
    return {**stored, **{key: copy.deepcopy(value) for key, value in given.items() if value is not None}}


def complete(stored: dict[str, Any], document: dict[str, Any]) -> None:
    """What Azure makes of a policy that was written: modes in their own spelling, partial policies whole."""
    policy = document["properties"].get("upgradePolicy")
    if not isinstance(policy, dict):
        return
    if isinstance(policy.get("mode"), str):
        policy["mode"] = policy["mode"].capitalize()
    kept = of(stored).get("rollingUpgradePolicy")
    given = policy.get("rollingUpgradePolicy")
    if given is not None or kept is not None or policy.get("mode") == "Rolling" or automatic(document):
        # Once there it cannot be removed.
        given = given or kept or {}
        policy["rollingUpgradePolicy"] = {**DEFAULTS, **{k: v for k, v in given.items() if v is not None}}
    if "automaticOSUpgradePolicy" in policy:
        defaults = {"enableAutomaticOSUpgrade": False, "disableAutomaticRollback": False}
        policy["automaticOSUpgradePolicy"] = {**defaults, **(policy["automaticOSUpgradePolicy"] or {})}
    windows = _windows(document)
    if automatic(document) and not automatic(stored) and windows.get("enableAutomaticUpdates"):
        windows["enableAutomaticUpdates"] = False


def shown(document: dict[str, Any], api_version: str, *, always: bool = False) -> None:
    """In a document to be shown: later api-versions show every default of what was sent or is needed (or `always`),
    earlier ones know fewer members."""
    policy = document["properties"].get("upgradePolicy")
    flexible = document["properties"].get("orchestrationMode") == "Flexible"
    if not isinstance(policy, dict):
        return
    given = policy.get("rollingUpgradePolicy")
    if api_version >= LATER:
        if given is not None or (always and not flexible):
            policy["rollingUpgradePolicy"] = {**DEFAULTS, **LATER_DEFAULTS, **(given or {})}
    elif given is not None:
        policy["rollingUpgradePolicy"] = {k: v for k, v in given.items() if k not in LATER_DEFAULTS}


def _windows(document: dict[str, Any]) -> dict[str, Any]:
    profile = document["properties"].get("virtualMachineProfile") or {}
    windows: dict[str, Any] = (profile.get("osProfile") or {}).get("windowsConfiguration") or {}
    return windows


def check(new: dict[str, Any], knobs: Knobs, health: str | None) -> None:
    """Raises ArmError where Azure refuses the policy. `health` is the set's health source."""
    policy = of(new)
    mode = policy.get("mode", "Manual")
    if mode not in ("Manual", "Automatic", "Rolling"):
        raise _invalid("upgradePolicy.mode", f"The value {mode!r} of parameter upgradePolicy.mode is invalid.")
    _check_rolling(policy.get("rollingUpgradePolicy") or {}, knobs)
    if mode == "Rolling" and health is None:
        raise ArmError(400, "BadRequest", HEALTH_REFUSALS["Rolling"])
    if (fabric := _fabric(new)) is not None and knobs.fabric_policy == "refuse":
        _check_fabric(new, mode, health, str((fabric.get("settings") or {}).get("durabilityLevel", "")))
    if automatic(new):
        _check_automatic(new, health)


def _check_rolling(policy: dict[str, Any], knobs: Knobs) -> None:
    for name, (low, high) in RANGES.items():
        value = policy.get(name, DEFAULTS[name])
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _invalid(
                f"rollingUpgradePolicy.{name}",
                f"The value '{value}' of parameter 'rollingUpgradePolicy.{name}' is out of range. The value must be "
                f"between {low} and {high}, inclusive.",
            )
    pause = policy.get("pauseTimeBetweenBatches", "PT0S")
    try:
        seconds(str(pause))
    except ValueError as error:
        name = "rollingUpgradePolicy.pauseTimeBetweenBatches"
        raise _invalid(name, f"The value '{pause}' of parameter '{name}' is invalid.") from error
    batch, unhealthy = (policy.get(n, 20) for n in ("maxBatchInstancePercent", "maxUnhealthyInstancePercent"))
    if knobs.unhealthy_below_batch == "refuse" and unhealthy < batch:
        raise _invalid(
            "rollingUpgradePolicy.maxUnhealthyInstancePercent",
            "The value of 'maxUnhealthyInstancePercent' must not be less than 'maxBatchInstancePercent'.",
        )


def _check_automatic(new: dict[str, Any], health: str | None) -> None:
    profile = new["properties"].get("virtualMachineProfile") or {}
    if new["properties"].get("orchestrationMode") == "Flexible" and rolling(new).get("maxSurge"):
        message = "Automatic OS Upgrade with MaxSurge is not supported for Virtual Machine Scale Sets in Flexible mode."
        raise ArmError(400, "BadRequest", message)
    if health is None and _fabric(new) is None:
        raise ArmError(400, "BadRequest", HEALTH_REFUSALS["automatic"])
    storage = profile.get("storageProfile") or {}
    if reference_kind(storage) not in ("platform", "gallery", "shared", "community") or not follows_latest(storage):
        raise ArmError(
            400,
            "BadRequest",
            "virtualMachineScaleSets with Automatic OS Upgrade enabled must use Platform or Gallery Image with version "
            "set to 'latest'.",
        )
    windows = _windows(new)
    linux = (profile.get("osProfile") or {}).get("linuxConfiguration") or {}
    if windows.get("enableAutomaticUpdates"):
        raise _invalid(
            "windowsConfiguration.enableAutomaticUpdates",
            "The property 'windowsConfiguration.enableAutomaticUpdates' must be false when Automatic OS Upgrade is "
            "enabled.",
        )
    for settings in (windows, linux):
        if (settings.get("patchSettings") or {}).get("patchMode") == "AutomaticByPlatform":
            raise _invalid(
                "patchSettings.patchMode",
                "The value 'AutomaticByPlatform' of parameter 'patchSettings.patchMode' is not allowed when Automatic "
                "OS Upgrade is enabled.",
            )


def _fabric(document: dict[str, Any]) -> dict[str, Any] | None:
    """The properties of the set's Service Fabric extension."""
    profile = document["properties"].get("virtualMachineProfile") or {}
    for extension in (profile.get("extensionProfile") or {}).get("extensions") or []:
        properties: dict[str, Any] = extension.get("properties") or {}
        if "servicefabric" in str(properties.get("type", "")).lower():
            return properties
    return None


def _check_fabric(new: dict[str, Any], mode: str, health: str | None, durability: str) -> None:
    """API.md section 3.10; the words are ours."""
    if mode != "Automatic":
        raise _invalid("upgradePolicy.mode", f"Service Fabric takes upgrade mode Automatic only, not {mode}.")
    if health is not None:
        raise ArmError(400, "BadRequest", "Service Fabric tells health by itself; a health probe is not supported.")
    if automatic(new) and durability.lower() not in ("silver", "gold"):
        raise ArmError(400, "BadRequest", f"Automatic OS Upgrade is not supported with durability {durability}.")


def _invalid(target: str, message: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)
