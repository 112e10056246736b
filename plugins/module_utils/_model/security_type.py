# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model's security type, which Azure takes together with the image that needs it, and what is written for it."""

from __future__ import annotations

import typing as t

from .._facts.documents import at, profile
from .._facts.scale_set import ScaleSet

STANDARD: t.Final = "Standard"
TRUSTED_LAUNCH: t.Final = "TrustedLaunch"
TYPES = (STANDARD, TRUSTED_LAUNCH)

# What `az vmss update --security-type` sets where nobody says otherwise.
_UEFI = {"secureBootEnabled": False, "vTpmEnabled": True}

Document = t.Mapping[str, t.Any]


def current(scale_set: ScaleSet) -> str:
    """Whether Azure shows Standard or leaves it out differs by api-version."""
    return str(at(profile(scale_set), "securityProfile", "securityType") or STANDARD)


def stands(scale_set: ScaleSet, wanted: str | None) -> bool:
    return wanted is None or current(scale_set).lower() == wanted.lower()


def desired(document: Document, wanted: str) -> dict[str, t.Any]:
    """The whole securityProfile, for whether a PATCH merges it is unverified; null takes a member away."""
    before = at(document, "properties", "virtualMachineProfile", "securityProfile") or {}
    if wanted == STANDARD:
        return {**before, "securityType": STANDARD, "uefiSettings": None}
    return {**before, "securityType": wanted, "uefiSettings": {**_UEFI, **(before.get("uefiSettings") or {})}}


def written(document: Document, wanted: str) -> dict[str, t.Any]:
    """The document that the write is to make of this one, where nothing else changes."""
    return _with(document, desired(document, wanted))


def plain(document: Document) -> dict[str, t.Any]:
    """The document without what says as little as nothing: Azure may show it, and may leave it out."""
    found = at(document, "properties", "virtualMachineProfile", "securityProfile") or {}
    uefi = {name: value for name, value in (found.get("uefiSettings") or {}).items() if value is not False}
    kind = None if found.get("securityType") == STANDARD else found.get("securityType")
    return _with(document, {**found, "securityType": kind, "uefiSettings": uefi})


def _with(document: Document, security: Document) -> dict[str, t.Any]:
    properties = document.get("properties") or {}
    model = {**(properties.get("virtualMachineProfile") or {}), "securityProfile": security}
    return {**document, "properties": {**properties, "virtualMachineProfile": model}}
