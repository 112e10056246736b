# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private addresses of instances, read without the network SDK."""

from __future__ import annotations

import typing as t

from .._facts import documents
from .._facts.scale_set import ScaleSet
from . import reading
from .connection import Connection, as_json
from .instance_ids import explicit_ids

# Network interfaces are read without the network SDK. The first is the newest that scale sets' own interfaces have.
_SCALE_SET_INTERFACES = "2018-10-01"
_INTERFACES = "2023-09-01"


class Addresses(Connection):
    def addresses(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> dict[str, list[str]]:
        """The private addresses of these instances by instance id, each one's primary address first."""
        found: dict[str, list[str]] = {one: [] for one in explicit_ids(ids)}
        by_lower = {one.lower(): one for one in found}
        for interface in self._interfaces(scale_set, list(found)):
            owner = str(documents.at(interface, "properties", "virtualMachine", "id") or interface.get("id") or "")
            instance = by_lower.get(reading.part_of_id(owner, "virtualMachines").lower())
            if instance is not None:
                mine = reading.private_addresses(interface)
                primary = documents.at(interface, "properties", "primary") is True
                found[instance] = mine + found[instance] if primary else found[instance] + mine
        return found

    def _interfaces(self, scale_set: ScaleSet, ids: list[str]) -> t.Iterator[dict[str, t.Any]]:
        """In few calls: all of a Flexible set's resource group; of a Uniform set one instance's, or all."""
        if scale_set.flexible:
            group = scale_set.id[: max(0, scale_set.id.lower().find("/providers/"))]
            url = self._url(group, "/providers/Microsoft.Network/networkInterfaces", _INTERFACES)
        else:
            one = f"/virtualMachines/{ids[0]}" if len(ids) == 1 else ""
            url = self._url(scale_set.id, f"{one}/networkInterfaces", _SCALE_SET_INTERFACES)
        attempted = f"read the addresses of scale set {scale_set.name}"
        body = as_json(self._get(attempted, scale_set.name, url))
        for page in self._following(attempted, scale_set.name, body):
            yield from page
