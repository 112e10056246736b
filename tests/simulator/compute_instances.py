"""The instances of a set, below it; what a Flexible set shows of them there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from . import actions
from .compute import PERMISSION, SET, VM, Service
from .errors import ArmError
from .instance import Instance
from .protocol import Reply, Request, Router
from .scale_set import ScaleSet


class Instances(Service):
    def routes(self, router: Router) -> None:
        add = router.add
        vms, one, act = "VirtualMachineScaleSetVMs_", "GetVMScaleSetVM", "VMScaleSetVMActions"
        right = f"{PERMISSION}/virtualMachines"
        add("GET", SET + "/virtualMachines", vms + "List", "HighCostGetVMScaleSet", f"{right}/read", self.list_vms)
        add("GET", VM, vms + "Get", one, f"{right}/read", self.get_vm)
        add("GET", VM + "/instanceView", vms + "GetInstanceView", one, f"{right}/instanceView/read", self.get_vm_view)
        add("PUT", VM, vms + "Update", act, f"{right}/write", self.put_vm)
        add("DELETE", VM, vms + "Delete", act, f"{right}/delete", self.delete_vm)
        for name, operation, handler in (
            ("reimage", "Reimage", self.reimage_vm),
            ("reimageall", "ReimageAll", self.reimage_vm),
            ("start", "Start", self.power_vm("start")),
            ("restart", "Restart", self.power_vm("restart")),
            ("redeploy", "Redeploy", self.power_vm("restart")),
            ("poweroff", "PowerOff", self.power_vm("poweroff")),
            ("deallocate", "Deallocate", self.power_vm("deallocate")),
            ("simulateEviction", "SimulateEviction", self.evict_vm),
        ):
            add("POST", f"{VM}/{name}", vms + operation, act, f"{right}/{name}/action", handler)

    def list_vms(self, request: Request) -> Reply:
        owner = self.owner(request)
        instances = self._filtered(owner, request.query.get("$filter"))
        selected = "$select" in request.query
        view = "instanceview" in request.query.get("$expand", "").lower()

        def item(instance: Instance) -> dict[str, Any]:
            if owner.flexible:
                return self.wire.flexible_item(owner, instance, request.api_version)
            if selected:
                return self.wire.selected_item(owner, instance)
            return self.wire.instance_item(owner, instance, request.api_version, view=view)

        key = self._order(owner)
        self.world.recorder.read(self.world.now, owner, self.world.client)
        reply = self.page(request, sorted(instances, key=key), key, item, owner.knobs.page_size)
        listed = len(reply.body["value"])
        twice = bool(owner.document["properties"].get("overprovision"))  # those that are gone by now are charged too
        return self.batched(reply, listed * (2 if twice else 1)) if listed else reply

    def _order(self, owner: ScaleSet) -> Callable[[Instance], str]:
        if owner.knobs.list_order == "shuffled":
            return lambda i: hashlib.md5(i.instance_id.encode(), usedforsecurity=False).hexdigest()
        return lambda i: i.instance_id

    def _filtered(self, owner: ScaleSet, text: str | None) -> list[Instance]:
        instances = list(owner.instances.values())
        if not text:
            return instances
        flag = re.fullmatch(r"\s*properties/latestModelApplied eq (true|false)\s*", text, re.IGNORECASE)
        if flag is not None:
            wanted = flag[1].lower() == "true"
            return [i for i in instances if (i.generation == owner.generation) == wanted]
        state = re.fullmatch(
            r"\s*startswith\(instanceView/statuses/code,\s*'([^']*)'\)\s*eq\s*true\s*", text, re.IGNORECASE
        )
        if state is not None:
            prefix = state[1].lower()
            return [
                i
                for i in instances
                if f"powerstate/{i.power}".startswith(prefix)
                or f"provisioningstate/{i.provisioning}".lower().startswith(prefix)
            ]
        raise ArmError(400, "InvalidParameter", f"The $filter '{text}' is not supported.", target="$filter")

    def get_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self.batched(self._vm_shown(owner, self.instance(owner, request), request), 1)

    def _vm_shown(self, owner: ScaleSet, instance: Instance, request: Request) -> Reply:
        if owner.flexible:
            return Reply(200, self.wire.flexible_item(owner, instance, request.api_version))
        view = "instanceview" in request.query.get("$expand", "").lower()
        return Reply(200, self.wire.instance_item(owner, instance, request.api_version, view=view))

    def get_vm_view(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self.batched(Reply(200, self.wire.instance_view(owner, self.instance(owner, request))), 1)

    def put_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        instance = self.instance(owner, request)
        if request.api_version >= "2025-11-01":
            self.check_etag(instance.etag, request)
        body = request.json()
        policy = (body.get("properties") or {}).get("protectionPolicy") or {}
        scale_in = bool(policy.get("protectFromScaleIn", instance.protect_scale_in))
        everything = bool(policy.get("protectFromScaleSetActions", instance.protect_actions))
        operation = actions.protect(self.world, owner, instance, scale_in, everything)
        if isinstance(body.get("tags"), dict):
            instance.tags = {k: v for k, v in body["tags"].items() if owner.document.get("tags", {}).get(k) != v}
        shown = self._vm_shown(owner, instance, request)
        return self.asynchronous(owner, operation, request, status=200, body=shown.body)

    def delete_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        try:
            instance = self.instance(owner, request)
        except ArmError:
            return Reply(204)
        operation = actions.delete_instances(self.world, owner, [instance.instance_id], kind="vm")
        return self.asynchronous(owner, operation, request, status=202)

    def reimage_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        if owner.flexible:
            raise self.not_allowed(owner, "VirtualMachineScaleSetVMs.reimage.POST")
        instance = self.instance(owner, request)
        body = request.json()
        force = bool(body.get("forceUpdateOSDiskForEphemeral")) and request.api_version >= "2024-03-01"
        operation = actions.reimage(
            self.world, owner, [instance.instance_id], kind="vm", exact=body.get("exactVersion"), force=force
        )
        return self.asynchronous(owner, operation, request, status=202)

    def evict_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        instance = self.instance(owner, request)
        if owner.profile.get("priority") not in ("Spot", "Low"):
            raise self.not_allowed(owner, "VirtualMachineScaleSetVMs.simulateEviction.POST")
        actions.evict(self.world, owner, instance)
        return Reply(204)

    def power_vm(self, action: str) -> Callable[[Request], Reply]:
        def handle(request: Request) -> Reply:
            owner = self.owner(request)
            instance = self.instance(owner, request)
            operation = actions.power(self.world, owner, [instance.instance_id], action, kind="vm")
            return self.asynchronous(owner, operation, request, status=202)

        return handle
