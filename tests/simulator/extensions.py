"""The order in which an instance's extensions are provisioned."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from .errors import ArmError


def extensions_of(profile: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (profile.get("extensionProfile") or {}).get("extensions") or []
    return found


def extension_order(profile: dict[str, Any]) -> list[str]:
    """Names, each after those it names in `provisionAfterExtensions`; raises ArmError where they go in a circle."""
    names = [str(extension["name"]) for extension in extensions_of(profile)]
    after = {
        str(extension["name"]): [
            name for name in extension.get("properties", {}).get("provisionAfterExtensions") or [] if name in names
        ]
        for extension in extensions_of(profile)
    }
    try:
        return list(TopologicalSorter(after).static_order())
    except CycleError as error:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The extensions {', '.join(error.args[1])} wait for one another.",
            target="provisionAfterExtensions",
        ) from error
