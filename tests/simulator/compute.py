"""Microsoft.Compute/virtualMachineScaleSets: what each operation of Azure answers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from . import actions, model, writes
from .errors import ArmError, resource_not_found
from .instance import Instance
from .knobs import Knobs
from .protocol import Reply, Request, Router
from .scale_set import Operation, ScaleSet
from .scenario import Account, default_document
from .wire import SETS, Wire
from .world import World

BASE = "/subscriptions/{subscription}"
GROUP = BASE + "/resourceGroups/{group}"
SET = GROUP + "/providers/Microsoft.Compute/virtualMachineScaleSets/{set}"
VM = SET + "/virtualMachines/{vm}"
MACHINE = GROUP + "/providers/Microsoft.Compute/virtualMachines/{machine}"
PERMISSION = "Microsoft.Compute/virtualMachineScaleSets"
SIGNATURE = hashlib.sha512(b"simulated").hexdigest() * 32


class Compute:
    def __init__(self, world: World, wire: Wire, account: Account, groups: dict[str, str], location: str) -> None:
        self.world = world
        self.wire = wire
        self.account = account
        self.groups = groups
        self.location = location

    def routes(self, router: Router) -> None:
        add = router.add
        get, high, act, gone = "GetVMScaleSet", "HighCostGetVMScaleSet", "VMScaleSetActions", "DeleteVMScaleSet"
        sets = "VirtualMachineScaleSets_"
        add("GET", SET, sets + "Get", get, f"{PERMISSION}/read", self.get)
        add("PUT", SET, sets + "CreateOrUpdate", "CreateVMScaleSet", f"{PERMISSION}/write", self.put)
        add("PATCH", SET, sets + "Update", act, f"{PERMISSION}/write", self.patch)
        add("DELETE", SET, sets + "Delete", gone, f"{PERMISSION}/delete", self.delete)
        provider = "/providers/Microsoft.Compute/virtualMachineScaleSets"
        add("GET", GROUP + provider, sets + "List", "ListVMScaleSet", f"{PERMISSION}/read", self.list_group)
        add("GET", BASE + provider, sets + "ListAll", "ListVMScaleSet", f"{PERMISSION}/read", self.list_all)
        by_location = BASE + "/providers/Microsoft.Compute/locations/{location}/virtualMachineScaleSets"
        add("GET", by_location, sets + "ListByLocation", "ListVMScaleSet", f"{PERMISSION}/read", self.list_all)
        add("GET", SET + "/instanceView", sets + "GetInstanceView", high, f"{PERMISSION}/instanceView/read", self.view)
        add("GET", SET + "/skus", sets + "ListSkus", get, f"{PERMISSION}/skus/read", self.skus)
        history = f"{PERMISSION}/osUpgradeHistory/read"
        add("GET", SET + "/osUpgradeHistory", sets + "GetOSUpgradeHistory", get, history, self.history)
        rolling = "VirtualMachineScaleSetRollingUpgrades_"
        latest = f"{PERMISSION}/rollingUpgrades/read"
        add("GET", SET + "/rollingUpgrades/latest", rolling + "GetLatest", get, latest, self.rolling_latest)
        cancel = f"{PERMISSION}/rollingUpgrades/action"
        add("POST", SET + "/rollingUpgrades/cancel", rolling + "Cancel", act, cancel, self.rolling_cancel)
        for name, operation, policy, handler in (
            ("manualupgrade", "UpdateInstances", act, self.manual_upgrade),
            ("reimage", "Reimage", act, self.reimage),
            ("reimageall", "ReimageAll", act, self.reimage),
            ("start", "Start", act, self.power("start")),
            ("restart", "Restart", act, self.power("restart")),
            ("redeploy", "Redeploy", act, self.power("restart")),
            ("poweroff", "PowerOff", gone, self.power("poweroff")),
            ("deallocate", "Deallocate", gone, self.power("deallocate")),
            ("delete", "DeleteInstances", act, self.delete_instances),
            ("setOrchestrationServiceState", "SetOrchestrationServiceState", act, self.orchestrate),
        ):
            add("POST", f"{SET}/{name}", sets + operation, policy, f"{PERMISSION}/{name}/action", handler)
        self._instance_routes(router)
        operations = BASE + "/providers/Microsoft.Compute/locations/{location}/operations/{operation}"
        add(
            "GET",
            operations,
            "Operations_Get",
            "GetOperation",
            "Microsoft.Compute/locations/operations/read",
            self.poll,
        )

    def _instance_routes(self, router: Router) -> None:
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
        ):
            add("POST", f"{VM}/{name}", vms + operation, act, f"{right}/{name}/action", handler)
        nics = f"{right}/networkInterfaces/read"
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

    # Look-ups and answers.

    def owner(self, request: Request) -> ScaleSet:
        group, name = request.parameters["group"], request.parameters["set"]
        owner = self.world.find(group, name)
        if owner is not None:
            return owner
        self.check_group(group)
        raise resource_not_found(SETS, name, group)

    def check_group(self, group: str) -> None:
        if group.lower() not in self.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")

    def instance(self, owner: ScaleSet, request: Request) -> Instance:
        wanted = request.parameters["vm"].lower()
        for key, instance in owner.instances.items():
            if key.lower() == wanted:
                return instance
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")

    def machine(self, request: Request) -> tuple[ScaleSet, Instance]:
        group, name = request.parameters["group"], request.parameters["machine"]
        for owner in self.world.sets.values():
            if owner.flexible and owner.resource_group.lower() == group.lower():
                for instance in owner.instances.values():
                    if instance.name.lower() == name.lower():
                        return owner, instance
        self.check_group(group)
        raise resource_not_found("Microsoft.Compute/virtualMachines", name, group)

    def batched(self, reply: Reply, charge: int) -> Reply:
        reply.headers["x-ms-request-charge"] = str(charge)
        return reply

    def asynchronous(
        self, owner: ScaleSet, operation: Operation, request: Request, *, status: int, body: Any = None
    ) -> Reply:
        """An accepted operation: Azure-AsyncOperation always, Location only beside an empty 202."""
        knobs, version = owner.knobs, request.api_version
        url = (
            f"{request.base_url}/subscriptions/{self.account.subscription}/providers/Microsoft.Compute/locations/"
            f"{owner.document['location']}/operations/{operation.id}?p={owner.unique_id}"
        )
        tail = f"&api-version={version}"
        if knobs.poll_url == "long" or (knobs.poll_url == "auto" and version >= "2024"):
            tail += (
                f"&t=638{operation.id.replace('-', '')}&c={SIGNATURE[:2600]}&s={SIGNATURE[:1200]}&h={SIGNATURE[:43]}"
            )
        headers = {"Azure-AsyncOperation": url + tail, "azure-asyncnotification": "Enabled"}
        if status == 202:
            headers["Location"] = url + "&monitor=true" + tail
        if knobs.retry_after_initial is not None:
            headers["Retry-After"] = str(knobs.retry_after_initial)
        return self.batched(Reply(status, body, headers), len(operation.instance_ids))

    def poll(self, request: Request) -> Reply:
        operation = self.world.operations.get(request.parameters["operation"].lower())
        if operation is None:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        knobs = self.world.operation_sets[operation.id].knobs
        if operation.ended is not None and self.world.now > operation.ended + knobs.operation_lifetime:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        ended = operation.status != "InProgress"
        wait = knobs.retry_after_terminal if ended else knobs.retry_after_poll
        headers = {} if wait is None else {"Retry-After": str(wait)}
        if request.query.get("monitor", "").lower() == "true":
            if not ended:
                return Reply(202, None, headers)
            if operation.error is not None:
                raise ArmError(
                    409, operation.error["code"], operation.error["message"], details=operation.error.get("details")
                )
            return Reply(200, None, headers)
        return Reply(200, self.wire.operation(operation), headers)

    # Scale sets.

    def shown(self, owner: ScaleSet, request: Request, *, state: str | None = None, status: int = 200) -> Reply:
        reply = Reply(status, self.wire.scale_set(owner, request.api_version, state=state))
        if "etag" in reply.body:
            reply.headers["ETag"] = reply.body["etag"]
        return reply

    def get(self, request: Request) -> Reply:
        return self.shown(self.owner(request), request)

    def list_group(self, request: Request) -> Reply:
        self.check_group(request.parameters["group"])
        return self.list_all(request)

    def list_all(self, request: Request) -> Reply:
        group, location = request.parameters.get("group"), request.parameters.get("location")
        owners = [
            owner
            for owner in self.world.sets.values()
            if (group is None or owner.resource_group.lower() == group.lower())
            and (location is None or owner.document["location"].lower() == location.lower())
        ]
        owners.sort(key=lambda owner: owner.name)
        return self.page(
            request,
            owners,
            lambda owner: str(owner.name),
            lambda owner: self.wire.scale_set(owner, request.api_version),
            200,
        )

    def check_etag(self, etag: int, request: Request) -> None:
        if request.api_version < "2024-03-01":
            return
        given = request.headers.get("if-match")
        if given is not None and given != "*" and given.strip('"') != str(etag):
            raise ArmError(
                412,
                "PreconditionFailed",
                f'Etag provided in if-match header {given} does not match etag "{etag}" of resource.',
            )
        if request.headers.get("if-none-match") == "*":
            raise ArmError(412, "PreconditionFailed", "The resource exists already; if-none-match header is '*'.")

    def put(self, request: Request) -> Reply:
        owner = self.world.find(request.parameters["group"], request.parameters["set"])
        if owner is None:
            return self._create(request)
        self.check_etag(owner.etag, request)
        operation = writes.write(self.world, owner, model.put(owner.document, request.json()), "put")
        return self._written(owner, operation, request, 200, "Updating")

    def patch(self, request: Request) -> Reply:
        owner = self.owner(request)
        self.check_etag(owner.etag, request)
        operation = writes.write(self.world, owner, model.patched(owner.document, request.json(), owner.knobs), "patch")
        return self._written(owner, operation, request, 200, "Updating")

    def _written(self, owner: ScaleSet, operation: Operation, request: Request, status: int, state: str) -> Reply:
        shown = self.shown(owner, request, state=state)
        reply = self.asynchronous(owner, operation, request, status=status, body=shown.body)
        reply.headers |= shown.headers
        return reply

    def _create(self, request: Request) -> Reply:
        group, name = request.parameters["group"], request.parameters["set"]
        self.check_group(group)
        if "if-match" in request.headers:
            raise ArmError(412, "PreconditionFailed", "The resource does not exist; an if-match header was provided.")
        body = request.json()
        flexible = (body.get("properties") or {}).get("orchestrationMode") == "Flexible"
        document = default_document(self.account, name, group, body.get("location", self.location), flexible=flexible)
        empty = {**document, "sku": {**document["sku"], "capacity": 0}}
        document = model.put(empty, body)
        model.check(None, document, self.world.catalogue, Knobs())
        owner = ScaleSet(
            name, self.groups[group.lower()], document, Knobs(), self.world.new_id(), self.world.now,
            update_domains=None if flexible else 5, fault_domains=None if flexible else 5, etag=0,
        )  # fmt: skip
        self.world.sets[(group.lower(), name.lower())] = owner
        operation = writes.write(self.world, owner, document, "create")
        return self._written(owner, operation, request, 201, "Creating")

    def delete(self, request: Request) -> Reply:
        owner = self.world.find(request.parameters["group"], request.parameters["set"])
        if owner is None:
            return Reply(204)
        return self.asynchronous(owner, actions.delete_set(self.world, owner), request, status=202)

    def view(self, request: Request) -> Reply:
        owner = self.owner(request)
        if owner.flexible:
            raise self._not_allowed(owner, "VirtualMachineScaleSets.instanceView.GET")
        return Reply(200, self.wire.set_view(owner))

    def _not_allowed(self, owner: ScaleSet, what: str) -> ArmError:
        return ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{what}' is not allowed on Virtual Machine Scale Set '{owner.name}'.",
        )

    def skus(self, request: Request) -> Reply:
        sku = {k: v for k, v in self.owner(request).document["sku"].items() if k != "capacity"}
        capacity = {"minimum": 0, "maximum": 1000, "defaultCapacity": 1, "scaleType": "Automatic"}
        return Reply(200, {"value": [{"resourceType": SETS, "sku": sku, "capacity": capacity}]})

    def history(self, request: Request) -> Reply:
        return Reply(200, {"value": self.owner(request).os_history})

    def rolling_latest(self, request: Request) -> Reply:
        owner = self.owner(request)
        if owner.rolling_latest is None:
            raise ArmError(404, "NotFound", "There is no rolling upgrade of this Virtual Machine Scale Set.")
        kind = f"{SETS}/rollingUpgrades"
        return Reply(200, {"type": kind, "location": owner.document["location"], "properties": owner.rolling_latest})

    def rolling_cancel(self, request: Request) -> Reply:
        self.owner(request)
        raise ArmError(409, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.")

    # Actions on the instances of a set.

    def _ids(self, request: Request) -> list[str] | None:
        ids = request.json().get("instanceIds")
        return None if ids is None else [str(i) for i in ids]

    def manual_upgrade(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self.asynchronous(owner, actions.upgrade(self.world, owner, self._ids(request)), request, status=202)

    def reimage(self, request: Request) -> Reply:
        owner = self.owner(request)
        if owner.flexible:
            raise self._not_allowed(owner, "VirtualMachineScaleSets.reimage.POST")
        operation = actions.reimage(self.world, owner, self._ids(request), exact=request.json().get("exactVersion"))
        return self.asynchronous(owner, operation, request, status=202)

    def power(self, action: str) -> Callable[[Request], Reply]:
        def handle(request: Request) -> Reply:
            owner = self.owner(request)
            return self.asynchronous(
                owner, actions.power(self.world, owner, self._ids(request), action), request, status=202
            )

        return handle

    def delete_instances(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self.asynchronous(
            owner, actions.delete_instances(self.world, owner, self._ids(request)), request, status=202
        )

    def orchestrate(self, request: Request) -> Reply:
        owner, body = self.owner(request), request.json()
        service, action = body.get("serviceName"), body.get("action")
        if service not in ("AutomaticRepairs", "AutomaticZoneRebalancing") or action not in ("Suspend", "Resume"):
            raise ArmError(
                400, "InvalidParameter", f"The value '{service}' or '{action}' is invalid.", target="serviceName"
            )
        return self.asynchronous(owner, actions.orchestrate(self.world, owner, service, action), request, status=202)

    # One instance.

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
        reply = self.page(request, sorted(instances, key=key), key, item, owner.knobs.page_size)
        return self.batched(reply, len(reply.body["value"]))

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

    def page(
        self,
        request: Request,
        things: list[Any],
        key: Callable[[Any], str],
        item: Callable[[Any], dict[str, Any]],
        size: int,
    ) -> Reply:
        """`things` in the order of `key`; the token names the last one seen, so that churn between pages does no harm."""
        token = request.query.get("$skiptoken")
        if token is not None:
            try:
                after = base64.urlsafe_b64decode(token).decode()
            except ValueError as error:
                raise ArmError(400, "InvalidParameter", "The $skiptoken is invalid.") from error
            things = [thing for thing in things if key(thing) > after]
        body: dict[str, Any] = {"value": [item(thing) for thing in things[:size]]}
        if len(things) > size:
            token = quote(base64.urlsafe_b64encode(key(things[size - 1]).encode()).decode())
            query = "&".join(
                p for p in request.query_string.split("&") if not p.lower().startswith(("$skiptoken", "%24skiptoken"))
            )
            body["nextLink"] = f"{request.base_url}{request.path}?{query}&$skiptoken={token}"
        return Reply(200, body)

    def get_vm(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self._vm_shown(owner, self.instance(owner, request), request)

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
        actions = bool(policy.get("protectFromScaleSetActions", instance.protect_actions))
        operation = actions.protect(self.world, owner, instance, scale_in, actions)
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
            raise self._not_allowed(owner, "VirtualMachineScaleSetVMs.reimage.POST")
        instance = self.instance(owner, request)
        operation = actions.reimage(
            self.world, owner, [instance.instance_id], kind="vm", exact=request.json().get("exactVersion")
        )
        return self.asynchronous(owner, operation, request, status=202)

    def power_vm(self, action: str) -> Callable[[Request], Reply]:
        def handle(request: Request) -> Reply:
            owner = self.owner(request)
            instance = self.instance(owner, request)
            operation = actions.power(self.world, owner, [instance.instance_id], action, kind="vm")
            return self.asynchronous(owner, operation, request, status=202)

        return handle

    # A Flexible instance as a virtual machine.

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
        size = found[0][0].knobs.page_size if found else Knobs().page_size
        found.sort(key=lambda pair: pair[1].name)
        show = self.wire.virtual_machine
        return self.page(
            request,
            found,
            lambda pair: str(pair[1].name),
            lambda pair: show(*pair, request.api_version, view=view),
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
