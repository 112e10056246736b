"""The instances of Flexible sets as the virtual machines they are, and the network interfaces of all instances."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import actions
from .compute import BASE, GROUP, MACHINE, PERMISSION, SET, VM, Service
from .errors import ArmError, resource_not_found
from .instance import Instance
from .knobs import Knobs
from .protocol import Reply, Request, Router
from .scale_set import ScaleSet


class Machines(Service):
    def routes(self, router: Router) -> None:
        add = router.add
        nics = f"{PERMISSION}/virtualMachines/networkInterfaces/read"
        add(
            "GET",
            VM + "/networkInterfaces",
            "NetworkInterfaces_ListVirtualMachineScaleSetVMNetworkInterfaces",
            None,
            nics,
            self.vm_nics,
        )
        add(
            "GET",
            VM + "/networkInterfaces/{nic}",
            "NetworkInterfaces_GetVirtualMachineScaleSetNetworkInterface",
            None,
            nics,
            self.vm_nic,
        )
        add(
            "GET",
            SET + "/networkInterfaces",
            "NetworkInterfaces_ListVirtualMachineScaleSetNetworkInterfaces",
            None,
            nics,
            self.set_nics,
        )
        network = GROUP + "/providers/Microsoft.Network/networkInterfaces"
        add("GET", network, "NetworkInterfaces_List", None, "Microsoft.Network/networkInterfaces/read", self.group_nics)
        add(
            "GET",
            network + "/{nic}",
            "NetworkInterfaces_Get",
            None,
            "Microsoft.Network/networkInterfaces/read",
            self.group_nic,
        )
        machines, read = "VirtualMachines_", "Microsoft.Compute/virtualMachines/read"
        provider = "/providers/Microsoft.Compute/virtualMachines"
        add("GET", GROUP + provider, machines + "List", "HighCostGet", read, self.list_machines)
        add("GET", BASE + provider, machines + "ListAll", "HighCostGet", read, self.list_machines)
        add("GET", MACHINE, machines + "Get", "LowCostGet", read, self.get_machine)
        add("GET", MACHINE + "/instanceView", machines + "InstanceView", "LowCostGet", read, self.get_machine_view)
        for name, operation in (
            ("start", "Start"),
            ("restart", "Restart"),
            ("poweroff", "PowerOff"),
            ("deallocate", "Deallocate"),
        ):
            permission = f"Microsoft.Compute/virtualMachines/{name}/action"
            add("POST", f"{MACHINE}/{name}", machines + operation, "UpdateVM", permission, self.power_machine(name))
        permission = "Microsoft.Compute/virtualMachines/reimage/action"
        add("POST", MACHINE + "/reimage", machines + "Reimage", "UpdateVM", permission, self.reimage_machine)

    def machine(self, request: Request) -> tuple[ScaleSet, Instance]:
        group, name = request.parameters["group"], request.parameters["machine"]
        for owner in self.world.sets.values():
            if owner.flexible and owner.resource_group.lower() == group.lower():
                for instance in owner.instances.values():
                    if instance.name.lower() == name.lower():
                        return owner, instance
        self.check_group(group)
        raise resource_not_found("Microsoft.Compute/virtualMachines", name, group)

    def list_machines(self, request: Request) -> Reply:
        group = request.parameters.get("group")
        if group is not None:
            self.check_group(group)
        text = request.query.get("$filter", "")
        wanted = re.fullmatch(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'?([^']+?)'?\s*", text, re.IGNORECASE)
        if text and wanted is None:
            raise ArmError(400, "BadRequest", f"The $filter '{text}' is not supported.", target="$filter")
        view = "instanceview" in request.query.get("$expand", "").lower()
        found = [
            (owner, instance)
            for owner in self.world.sets.values()
            if owner.flexible
            and (group is None or owner.resource_group.lower() == group.lower())
            and (wanted is None or self.wire.set_id(owner).lower() == wanted[1].lower())
            for instance in owner.instances.values()
        ]
        for owner in {owner.name: owner for owner, _instance in found}.values():
            self.world.recorder.read(self.world.now, owner, self.world.client)
        size = found[0][0].knobs.page_size if found else Knobs().page_size
        found.sort(key=lambda pair: pair[1].name)
        show = self.wire.virtual_machine
        return self.page(
            request,
            found,
            lambda pair: str(pair[1].name),
            lambda pair: show(pair[0], pair[1], request.api_version, view=view),
            size,
        )

    def get_machine(self, request: Request) -> Reply:
        owner, instance = self.machine(request)
        view = "instanceview" in request.query.get("$expand", "").lower()
        return Reply(200, self.wire.virtual_machine(owner, instance, request.api_version, view=view))

    def get_machine_view(self, request: Request) -> Reply:
        return Reply(200, self.wire.instance_view(*self.machine(request)))

    def power_machine(self, action: str) -> Callable[[Request], Reply]:
        def handle(request: Request) -> Reply:
            owner, instance = self.machine(request)
            operation = actions.power(self.world, owner, [instance.instance_id], action, kind="vm")
            return self.asynchronous(owner, operation, request, status=202)

        return handle

    def reimage_machine(self, request: Request) -> Reply:
        owner, instance = self.machine(request)
        disk = instance.model.get("storageProfile", {}).get("osDisk", {})
        if "diffDiskSettings" not in disk:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Reimage is only supported for a VM with an ephemeral OS disk; VM '{instance.name}' has none.",
            )
        operation = actions.reimage(self.world, owner, [instance.instance_id], kind="vm")
        return self.asynchronous(owner, operation, request, status=202)

    # Network interfaces.

    def vm_nics(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, {"value": [self.wire.nic(owner, self.instance(owner, request))]})

    def vm_nic(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, self.wire.nic(owner, self.instance(owner, request)))

    def set_nics(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, {"value": [self.wire.nic(owner, instance) for instance in owner.instances.values()]})

    def _group_nics(self, request: Request) -> list[dict[str, Any]]:
        group = request.parameters["group"]
        self.check_group(group)
        return [
            self.wire.nic(owner, instance)
            for owner in self.world.sets.values()
            if owner.flexible and owner.resource_group.lower() == group.lower()
            for instance in owner.instances.values()
        ]

    def group_nics(self, request: Request) -> Reply:
        return Reply(200, {"value": self._group_nics(request)})

    def group_nic(self, request: Request) -> Reply:
        name = request.parameters["nic"]
        for nic in self._group_nics(request):
            if nic["name"].lower() == name.lower():
                return Reply(200, nic)
        raise resource_not_found("Microsoft.Network/networkInterfaces", name, request.parameters["group"])
