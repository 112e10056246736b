# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hook events, which the oldest supported SDK has no operations for."""

from __future__ import annotations

import typing as t

from .._facts.scale_set import ScaleSet
from .connection import Connection, as_json, as_object

_LIFECYCLE_EVENTS = "2025-11-01"  # the first that has them


class LifecycleEvents(Connection):
    def lifecycle_events(self, scale_set: ScaleSet) -> list[dict[str, t.Any]]:
        """What Azure asks before it goes on with an automatic OS upgrade, as it sent it."""
        attempted = f"list the lifecycle hook events of scale set {scale_set.name}"
        url = self._url(scale_set.id, "/lifecycleHookEvents", _LIFECYCLE_EVENTS)
        body = as_json(self._get(attempted, scale_set.name, url))
        return [item for page in self._following(attempted, scale_set.name, body) for item in page]

    def write_lifecycle_event(self, scale_set: ScaleSet, name: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """PATCH of one lifecycle hook event; returns it as Azure answers."""
        url = self._url(scale_set.id, f"/lifecycleHookEvents/{name}", _LIFECYCLE_EVENTS)
        attempted = f"answer lifecycle hook event {name} of scale set {scale_set.name}"
        return as_object(self._request("PATCH", attempted, scale_set.name, url, body))
