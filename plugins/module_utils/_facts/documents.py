# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of Azure's documents, found whatever is absent or null."""

from __future__ import annotations

import typing as t

from .problems import Refused
from .scale_set import ScaleSet


def with_model(scale_set: ScaleSet) -> ScaleSet:
    """The scale set, where it has a model. Raises Refused: a Flexible one may have none."""
    if not profile(scale_set):
        raise Refused(
            "model_missing",
            f"scale set {scale_set.name} has no VM profile: its VMs were created one by one, so there is no model to "
            "change and to upgrade them to. Give the scale set a VM profile first, or replace the VMs one by one.",
        )
    return scale_set


def profile(scale_set: ScaleSet) -> dict[str, t.Any]:
    """The model: `virtualMachineProfile`."""
    found = at(scale_set.document, "properties", "virtualMachineProfile")
    return found if isinstance(found, dict) else {}


def at(document: object, *path: str) -> t.Any:
    """The member at the path, None where any step of it is missing or null."""
    for name in path:
        document = document.get(name) if isinstance(document, t.Mapping) else None
    return document


def extensions(scale_set: ScaleSet) -> list[dict[str, t.Any]]:
    listed = at(profile(scale_set), "extensionProfile", "extensions")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
