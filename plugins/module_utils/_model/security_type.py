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
_SECURE_BOOT, _NO_VTPM = "-secure-boot", "-no-vtpm"
# What a record keeps of a model: a type, with what of its firmware is not as usual.
WORDS = (*TYPES, *(f"{TRUSTED_LAUNCH}{more}" for more in (_SECURE_BOOT, _NO_VTPM, _SECURE_BOOT + _NO_VTPM)))

# What `az vmss update --security-type` sets where nobody says otherwise.
_UEFI = {"secureBootEnabled": False, "vTpmEnabled": True}

Document = t.Mapping[str, t.Any]


def current(scale_set: ScaleSet) -> str:
    """Whether Azure shows Standard or leaves it out differs by api-version."""
    return str(at(profile(scale_set), "securityProfile", "securityType") or STANDARD)


def word(scale_set: ScaleSet) -> str:
    """One of WORDS, by which a rollout that changes the type goes back; another type of Azure's as it is."""
    kind, uefi = current(scale_set), at(profile(scale_set), "securityProfile", "uefiSettings") or {}
    if kind != TRUSTED_LAUNCH:
        return kind
    boot = _SECURE_BOOT if uefi.get("secureBootEnabled") else ""
    return f"{kind}{boot}{_NO_VTPM if uefi.get('vTpmEnabled') is False else ''}"


def kind_of(wanted: str) -> str:
    """The type alone."""
    return wanted.partition("-")[0]


def stands(scale_set: ScaleSet, wanted: str | None) -> bool:
    return wanted is None or current(scale_set).lower() == kind_of(wanted).lower()


def desired(document: Document, wanted: str) -> dict[str, t.Any]:
    """The whole securityProfile, for whether a PATCH merges it is unverified; null takes a member away."""
    before = at(document, "properties", "virtualMachineProfile", "securityProfile") or {}
    if wanted == STANDARD:
        return {**before, "securityType": STANDARD, "uefiSettings": None}
    recorded = {}
    if kind_of(wanted) != wanted:
        recorded = {"secureBootEnabled": _SECURE_BOOT in wanted, "vTpmEnabled": _NO_VTPM not in wanted}
    uefi = {**_UEFI, **(before.get("uefiSettings") or {}), **recorded}
    return {**before, "securityType": kind_of(wanted), "uefiSettings": uefi}


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
