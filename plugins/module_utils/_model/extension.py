# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One extension of the model: what it is, what is asked of it, and what is to be written for that."""

from __future__ import annotations

import typing as t

from .._facts import documents
from .._facts.problems import Refused
from .._facts.scale_set import ScaleSet
from .._options import ExtensionOptions, ExtensionRequest, given

# As Azure names them, by the module's options. Protected settings are no part: Azure never shows them.
MEMBERS = {
    "publisher": "publisher",
    "type": "type",
    "type_handler_version": "typeHandlerVersion",
    "auto_upgrade_minor_version": "autoUpgradeMinorVersion",
    "enable_automatic_upgrade": "enableAutomaticUpgrade",
    "provision_after_extensions": "provisionAfterExtensions",
    "force_update_tag": "forceUpdateTag",
}
REQUIRED = ("publisher", "type", "type_handler_version")

Shown = dict[str, t.Any]


def find(scale_set: ScaleSet, name: str) -> dict[str, t.Any] | None:
    for one in documents.extensions(scale_set):
        if str(one.get("name")).lower() == name.lower():
            return one
    return None


def current(found: t.Mapping[str, t.Any] | None) -> Shown | None:
    """The extension in the words of the module's options, None where there is none."""
    if found is None:
        return None
    properties = found.get("properties") or {}
    members = {option: properties.get(wire) for option, wire in MEMBERS.items()}
    return {**members, "settings": dict(properties.get("settings") or {})}


def desired(request: ExtensionRequest) -> Shown:
    """The members that the options give."""
    return given(request, ExtensionOptions)


def refuse_nothing(request: ExtensionRequest) -> None:
    """Raises Refused where an extension is to be present, and nothing of it is given."""
    nothing = not request.protected_settings and all(value == {} for value in desired(request).values())
    if request.state == "present" and nothing:
        names = "settings, protected_settings and force_update_tag"
        raise Refused(
            "nothing_asked",
            f"nothing of extension {request.extension} is given. Nothing was written. Give at least one of {names}, in "
            "the playbook recover_credentials extension_settings, extension_protected_settings and "
            "extension_force_update_tag.",
        )


def merged(before: Shown | None, request: ExtensionRequest) -> Shown:
    """What the extension is to be. Raises Refused where a new one lacks something."""
    given = desired(request)
    if before is None:
        if missing := [name for name in REQUIRED if not given.get(name)]:
            raise Refused(
                "extension_incomplete",
                f"the model has no extension {request.extension}, and a new one needs {', '.join(missing)}. Nothing "
                "was written.",
            )
        before = current({}) or {}
    return {**before, **given, "settings": {**before["settings"], **given.get("settings", {})}}


def writes_protected(before: Shown | None, request: ExtensionRequest) -> bool:
    """Whether the protected settings are to be written. Only a force_update_tag tells that they are there already."""
    if not request.protected_settings:
        return False
    tag = request.force_update_tag
    return before is None or not tag or before["force_update_tag"] != tag


def stands(now: Shown | None, request: ExtensionRequest) -> bool:
    """Whether the extension is what is asked for. Members that are not asked for are other clients' business."""
    return now is not None and all(
        now.get(name) == value if name != "settings" else {**now["settings"], **value} == now["settings"]
        for name, value in desired(request).items()
    )


def document(wanted: Shown, request: ExtensionRequest, *, protected: bool) -> dict[str, t.Any]:
    """The members to write: those asked for, with the settings whole, for whether PATCH merges them is unverified.

    `wanted`: as `merged` makes it of what was read last, so that the settings of others are written back as they are.
    """
    properties: dict[str, t.Any] = {MEMBERS[name]: value for name, value in desired(request).items() if name in MEMBERS}
    if request.settings is not None:
        properties["settings"] = wanted["settings"]
    if protected:
        properties["protectedSettings"] = request.protected_settings
    return {"name": request.extension, "properties": properties}
