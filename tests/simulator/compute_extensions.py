"""The extensions of a scale set's model, one by one: each write is a write of the model."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from . import model, writes
from .compute import PERMISSION, SET, Service
from .errors import ArmError
from .extensions import extensions_of
from .protocol import Reply, Request, Router
from .scale_set import ScaleSet
from .wire import SETS


class Extensions(Service):
    def routes(self, router: Router) -> None:
        add, get, act = router.add, "GetVMScaleSet", "VMScaleSetActions"
        name, right = "VirtualMachineScaleSetExtensions_", f"{PERMISSION}/extensions"
        one = SET + "/extensions/{extension}"
        add("GET", SET + "/extensions", name + "List", get, f"{right}/read", self.list_extensions)
        add("GET", one, name + "Get", get, f"{right}/read", self.get_extension)
        add("PUT", one, name + "CreateOrUpdate", act, f"{right}/write", self.put)
        add("PATCH", one, name + "Update", act, f"{right}/write", self.patch)
        add("DELETE", one, name + "Delete", act, f"{right}/delete", self.delete)

    def shown(self, owner: ScaleSet, extension: dict[str, Any], state: str | None = None) -> dict[str, Any]:
        writing = any(op.name == "extension" for op in owner.running("write"))
        if writing and owner.knobs.extension_answers == "recorded":
            state = state or "Creating"
        state = state or owner.provisioning_state(self.world.now)
        properties = {
            k: copy.deepcopy(v) for k, v in (extension.get("properties") or {}).items() if k != "protectedSettings"
        }
        return {
            "name": extension["name"],
            "id": f"{self.wire.set_id(owner)}/extensions/{extension['name']}",
            "type": f"{SETS}/extensions",
            "properties": {**properties, "provisioningState": state},
        }

    def list_extensions(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, {"value": [self.shown(owner, extension) for extension in extensions_of(owner.profile)]})

    def get_extension(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, self.shown(owner, self._stored(owner, request)))

    def _stored(self, owner: ScaleSet, request: Request) -> dict[str, Any]:
        wanted = request.parameters["extension"].lower()
        for extension in extensions_of(owner.profile):
            if str(extension["name"]).lower() == wanted:
                return extension
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")

    def put(self, request: Request) -> Reply:
        owner, name = self.owner(request), request.parameters["extension"]
        there = name.lower() in {str(e["name"]).lower() for e in extensions_of(owner.profile)}
        properties = dict(request.json().get("properties") or {})
        kept = self._stored(owner, request).get("properties") or {} if there else {}
        if "forceUpdateTag" in kept:
            properties.setdefault("forceUpdateTag", kept["forceUpdateTag"])
        return self._write(owner, request, {"properties": properties}, there=there)

    def patch(self, request: Request) -> Reply:
        owner = self.owner(request)
        stored = self._stored(owner, request)
        given = request.json().get("properties") or {}
        properties = model.merge(stored.get("properties"), given)
        if "settings" in given and owner.knobs.extension_patch_settings == "replace":
            properties["settings"] = given["settings"]
        reply = self._write(owner, request, {"properties": properties}, there=True)
        if owner.knobs.extension_answers == "recorded":  # what was sent, and a success that is none yet
            sent = {key: value for key, value in given.items() if key != "protectedSettings"}
            reply.body["properties"] = {**sent, "provisioningState": "Succeeded"}
        return reply

    def delete(self, request: Request) -> Reply:
        owner = self.owner(request)
        try:
            stored = self._stored(owner, request)
        except ArmError:
            return Reply(204)
        kept = [e for e in extensions_of(owner.profile) if e is not stored]
        operation = writes.write(self.world, owner, self._with(owner, kept), "deleteExtension")
        return self.asynchronous(owner, operation, request, status=202)

    def _write(self, owner: ScaleSet, request: Request, body: dict[str, Any], *, there: bool) -> Reply:
        """Replaces the extension in its place, or adds it at the end."""
        name = request.parameters["extension"]
        given = {"name": name, **body}
        given["properties"].pop("provisioningState", None)
        listed = extensions_of(owner.profile)
        if there:
            stored = self._stored(owner, request)
            given["name"] = stored["name"]
            listed = [given if extension is stored else extension for extension in listed]
        else:
            listed = [*listed, given]
        operation = writes.write(self.world, owner, self._with(owner, listed), "extension")
        whole = there and owner.knobs.extension_answers == "whole"
        status, state = (200, "Updating") if whole else (201, "Creating")
        shown = self.shown(owner, self._stored(owner, request), state)
        return self.asynchronous(owner, operation, request, status=status, body=shown)

    def _with(self, owner: ScaleSet, listed: list[dict[str, Any]]) -> dict[str, Any]:
        """The stored document with these extensions and no other change."""
        body = {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": listed}}}}
        return model.patched(owner.document, body, dataclasses.replace(owner.knobs, patch_lists="replace"))
