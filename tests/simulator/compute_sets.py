"""Scale sets: reading and writing them, actions on their instances, and the operations these begin."""

from __future__ import annotations

from collections.abc import Callable

from . import actions, model, writes
from .compute import BASE, GROUP, PERMISSION, SET, Service
from .errors import ArmError
from .knobs import Knobs
from .protocol import Reply, Request, Router
from .scale_set import Operation, ScaleSet
from .scenario import default_document
from .throttle import OF_ALL
from .wire import SETS


class ScaleSets(Service):
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
        for name, operation, policy, handler in (
            ("manualupgrade", "UpdateInstances", act + OF_ALL, self.manual_upgrade),
            ("reimage", "Reimage", act + OF_ALL, self.reimage),
            ("reimageall", "ReimageAll", act + OF_ALL, self.reimage),
            ("start", "Start", act + OF_ALL, self.power("start")),
            ("restart", "Restart", act + OF_ALL, self.power("restart")),
            ("redeploy", "Redeploy", act + OF_ALL, self.power("restart")),
            ("poweroff", "PowerOff", gone + OF_ALL, self.power("poweroff")),
            ("deallocate", "Deallocate", gone, self.power("deallocate")),
            ("delete", "DeleteInstances", act, self.delete_instances),
            ("setOrchestrationServiceState", "SetOrchestrationServiceState", act, self.orchestrate),
        ):
            add("POST", f"{SET}/{name}", sets + operation, policy, f"{PERMISSION}/{name}/action", handler)
        operations = BASE + "/providers/Microsoft.Compute/locations/{location}/operations/{operation}"
        add(
            "GET",
            operations,
            "Operations_Get",
            "GetOperation",
            "Microsoft.Compute/locations/operations/read",
            self.poll,
        )

    # Scale sets.

    def shown(self, owner: ScaleSet, request: Request, *, state: str | None = None, status: int = 200) -> Reply:
        reply = Reply(status, self.wire.scale_set(owner, request.api_version, state=state))
        if "etag" in reply.body:
            reply.headers["ETag"] = reply.body["etag"]
        return reply

    def get(self, request: Request) -> Reply:
        owner = self.owner(request)
        self.world.recorder.read_model(self.world.now, owner, self.world.client)
        return self.shown(owner, request)

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

    def put(self, request: Request) -> Reply:
        owner = self.world.find(request.parameters["group"], request.parameters["set"])
        if owner is None:
            return self._create(request)
        self.check_etag(owner.etag, request)
        operation = writes.write(self.world, owner, model.put(owner.document, request.json(), owner.knobs), "put")
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
        document = model.put(empty, body, Knobs())
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
            raise self.not_allowed(owner, "VirtualMachineScaleSets.instanceView.GET")
        return Reply(200, self.wire.set_view(owner))

    def skus(self, request: Request) -> Reply:
        sku = {k: v for k, v in self.owner(request).document["sku"].items() if k != "capacity"}
        capacity = {"minimum": 0, "maximum": 1000, "defaultCapacity": 1, "scaleType": "Automatic"}
        return Reply(200, {"value": [{"resourceType": SETS, "sku": sku, "capacity": capacity}]})

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
            raise self.not_allowed(owner, "VirtualMachineScaleSets.reimage.POST")
        body = request.json()
        force = bool(body.get("forceUpdateOSDiskForEphemeral")) and request.api_version >= "2024-03-01"
        operation = actions.reimage(self.world, owner, self._ids(request), exact=body.get("exactVersion"), force=force)
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
