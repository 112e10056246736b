# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set that remembers what is written to it, with an ETag, and other clients that write between two requests."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import requests

from .fake_azure import SUBSCRIPTION, WEB, Answer, FakeAzure

POLL = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one"
SUCCEEDED: dict[str, Any] = {"status": "Succeeded"}
FAILED = {"status": "Failed", "error": {"code": "InternalExecutionError", "message": "An internal error."}}
PREEMPTED = {"status": "Canceled", "error": {"code": "OperationPreempted", "message": "By a newer one."}}
REFERENCE = {"publisher": "Canonical", "offer": "ubuntu", "sku": "server"}
HEALTH = {
    "name": "health",
    "properties": {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": "1.0",
        "settings": {"protocol": "tcp", "port": 22, "intervalInSeconds": 5, "numberOfProbes": 1},
    },
}
PROBE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/lb/probes/health"


def merged(stored: Any, given: Any) -> Any:
    """What a PATCH makes of a document."""
    if not (isinstance(stored, dict) and isinstance(given, dict)):
        return given
    result = {**stored, **{name: merged(stored.get(name), value) for name, value in given.items()}}
    return {name: value for name, value in result.items() if value is not None}


class Stored:
    """Answers for one scale set. `at`: by the number of a read of the set (from 1), what another client then writes,
    after the answer is made, so that our write meets it. `ends`: of the operations, the last one stays.
    """

    def __init__(self, arm: FakeAzure, *extensions: dict[str, Any], mode: str = "Manual", **properties: Any) -> None:
        self.arm = arm
        self.etag = 1
        self.reads = 0
        self.at: dict[int, Callable[[], None]] = {}
        self.refuses: dict[str, Answer] = {}  # by method and last part of the path
        self.ends: list[dict[str, Any]] = [SUCCEEDED]
        self.instances: list[dict[str, Any]] = []
        self.stores = True
        profile = {
            "storageProfile": {"imageReference": {**REFERENCE, "version": "1.0.0"}, "osDisk": {"osType": "Linux"}},
            "networkProfile": {},
            "extensionProfile": {"extensions": [copy.deepcopy(one) for one in extensions]},
        }
        members = {"upgradePolicy": {"mode": mode}, "virtualMachineProfile": profile, "provisioningState": "Succeeded"}
        self.document: dict[str, Any] = {
            "id": WEB,
            "name": "web",
            "location": "westus",
            "sku": {"name": "s", "capacity": 10},
            "properties": {**members, **properties},
        }
        arm.on("GET", WEB, self._read)
        arm.on("PATCH", WEB, self._patch)
        arm.on("GET", POLL, self._poll)
        arm.on("GET", f"{WEB}/virtualMachines", lambda _request: (200, {}, {"value": self.instances}))

    @property
    def profile(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["properties"]["virtualMachineProfile"]
        return found

    @property
    def extensions(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one["properties"] for one in self.profile["extensionProfile"]["extensions"]}

    def sources(self) -> list[str]:
        found = ["extension"] if any("Health" in one["type"] for one in self.extensions.values()) else []
        return found + (["probe"] if self.profile["networkProfile"].get("healthProbe") else [])

    def writes(self) -> list[str]:
        """What was sent, as "PATCH web"."""
        return [f"{method} {path.rpartition('/')[2]}" for method, path in self.arm.sent() if method != "GET"]

    def change(self, **properties: Any) -> None:
        """Another client's PATCH."""
        self.document = merged(self.document, {"properties": properties})
        self.etag += 1

    def extend(self, name: str, properties: dict[str, Any] | None) -> None:
        """Another client's write of one extension; None takes it away."""
        listed = [one for one in self.profile["extensionProfile"]["extensions"] if one["name"] != name]
        listed += [] if properties is None else [{"name": name, "properties": properties}]
        self.profile["extensionProfile"]["extensions"] = listed
        self.etag += 1

    def serve(self, name: str) -> None:
        """Answer for writes of this extension."""
        for method in ("PUT", "PATCH", "DELETE"):
            self.arm.on(method, f"{WEB}/extensions/{name}", self._extension)

    def _read(self, _request: requests.PreparedRequest) -> Answer:
        self.reads += 1
        answer = (200, {"ETag": f'"{self.etag}"'}, copy.deepcopy(self.document))
        self.at.pop(self.reads, lambda: None)()
        return answer

    def _refusal(self, request: requests.PreparedRequest) -> Answer | None:
        return self.refuses.get(f"{request.method} {str(request.url).partition('?')[0].rpartition('/')[2]}")

    def _patch(self, request: requests.PreparedRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        if request.headers.get("If-Match") != f'"{self.etag}"':
            return 412, {}, {"error": {"code": "PreconditionFailed", "message": "Etag provided does not match."}}
        if self.stores:
            self.change(**json.loads(request.body or b"{}").get("properties", {}))
        return 200, self._begun, self.document

    def _extension(self, request: requests.PreparedRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        name = str(request.url).partition("?")[0].rpartition("/")[2]
        if request.method == "DELETE":
            self.extend(name, None)
            return 202, self._begun, None
        given = dict(json.loads(request.body or b"{}")["properties"])
        if self.stores:
            self.extend(name, given if request.method == "PUT" else {**self.extensions.get(name, {}), **given})
        return 201, self._begun, {"name": name, "properties": given}

    @property
    def _begun(self) -> dict[str, str]:
        return {"Azure-AsyncOperation": f"https://management.azure.com{POLL}"}

    def _poll(self, _request: requests.PreparedRequest) -> Answer:
        end = self.ends[0] if len(self.ends) == 1 else self.ends.pop(0)
        return 200, {}, end
