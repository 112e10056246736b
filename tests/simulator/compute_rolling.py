"""Azure's own rolling upgrades: starting, watching, cancelling and approving them, their history and their hooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from . import lifecycle_hooks, orchestrator, wire_rolling
from .compute import PERMISSION, SET, VM, Service
from .errors import ArmError
from .lifecycle_hooks import HookEvent
from .protocol import Reply, Request, Router
from .rolling_upgrade import RollingUpgrade
from .scale_set import ScaleSet
from .world import World


class RollingUpgrades(Service):
    def routes(self, router: Router) -> None:
        add, get, act = router.add, "GetVMScaleSet", "VMScaleSetActions"
        sets, rolling = "VirtualMachineScaleSets_", "VirtualMachineScaleSetRollingUpgrades_"
        read = f"{PERMISSION}/rollingUpgrades/read"
        add("GET", SET + "/rollingUpgrades/latest", rolling + "GetLatest", get, read, self.latest)
        history = f"{PERMISSION}/osUpgradeHistory/read"
        add("GET", SET + "/osUpgradeHistory", sets + "GetOSUpgradeHistory", get, history, self.history)
        for path, operation, handler in (
            ("osRollingUpgrade", rolling + "StartOSUpgrade", self.start(orchestrator.start_os)),
            ("extensionRollingUpgrade", rolling + "StartExtensionUpgrade", self.start(orchestrator.start_extensions)),
            ("rollingUpgrades/cancel", rolling + "Cancel", self.cancel),
            ("approveRollingUpgrade", sets + "ApproveRollingUpgrade", self.approve),
        ):
            right = f"{PERMISSION}/{path.replace('rollingUpgrades/cancel', 'rollingUpgrades')}/action"
            add("POST", f"{SET}/{path}", operation, act, right, handler)
        one = f"{PERMISSION}/virtualMachines/approveRollingUpgrade/action"
        operation = "VirtualMachineScaleSetVMs_ApproveRollingUpgrade"
        add("POST", f"{VM}/approveRollingUpgrade", operation, "VMScaleSetVMActions", one, self.approve_one)
        events, hooks = SET + "/lifecycleHookEvents", "VirtualMachineScaleSetLifeCycleHookEvents_"
        right = f"{PERMISSION}/lifecycleHookEvents"
        add("GET", events, hooks + "List", get, f"{right}/read", self.list_hook_events)
        add("GET", events + "/{event}", hooks + "Get", get, f"{right}/read", self.get_hook_event)
        add("PATCH", events + "/{event}", hooks + "Update", act, f"{right}/write", self.patch_hook_event)

    def latest(self, request: Request) -> Reply:
        owner = self.owner(request)
        body = wire_rolling.latest(self.wire, owner, request.api_version)
        if body is None:
            status, code = owner.knobs.rolling_none.split()
            raise ArmError(int(status), code, "There is no rolling upgrade of this Virtual Machine Scale Set.")
        return Reply(200, body)

    def history(self, request: Request) -> Reply:
        return Reply(200, {"value": wire_rolling.history(self.wire, self.owner(request), request.api_version)})

    def start(self, begin: Callable[[World, ScaleSet], RollingUpgrade]) -> Callable[[Request], Reply]:
        def handle(request: Request) -> Reply:
            owner = self.owner(request)
            return self.asynchronous(owner, begin(self.world, owner).operation, request, status=202)

        return handle

    def cancel(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self.asynchronous(owner, orchestrator.cancel(self.world, owner), request, status=202)

    def approve(self, request: Request) -> Reply:
        owner = self.owner(request)
        ids = request.json().get("instanceIds")
        return self._approved(owner, None if ids is None else [str(i) for i in ids], request)

    def approve_one(self, request: Request) -> Reply:
        owner = self.owner(request)
        return self._approved(owner, [self.instance(owner, request).instance_id], request)

    def _approved(self, owner: ScaleSet, ids: list[str] | None, request: Request) -> Reply:
        orchestrator.approve(self.world, owner, ids)
        operation = self.world.begin(owner, "approveRollingUpgrade", "approval")
        self.world.at(self.world.now + owner.knobs.noop.median, partial(self.world.finish, owner, operation))
        return self.asynchronous(owner, operation, request, status=202)

    # Lifecycle hook events.

    def hook_event(self, owner: ScaleSet, request: Request) -> HookEvent:
        event = owner.hook_events.get(request.parameters["event"].lower())
        if event is None:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        return event

    def list_hook_events(self, request: Request) -> Reply:
        owner = self.owner(request)
        events = owner.hook_events.values()
        return Reply(200, {"value": [wire_rolling.hook_event(self.wire, owner, event) for event in events]})

    def get_hook_event(self, request: Request) -> Reply:
        owner = self.owner(request)
        return Reply(200, wire_rolling.hook_event(self.wire, owner, self.hook_event(owner, request)))

    def patch_hook_event(self, request: Request) -> Reply:
        owner = self.owner(request)
        event = self.hook_event(owner, request)
        properties = request.json().get("properties") or {}
        states = {
            _target(str((entry.get("resource") or {}).get("id", ""))): str(entry.get("actionState"))
            for entry in properties.get("targetResources") or []
        }
        lifecycle_hooks.update(self.world, event, states, self._seconds(properties.get("waitUntil")))
        return Reply(200, wire_rolling.hook_event(self.wire, owner, event))

    def _seconds(self, timestamp: Any) -> float | None:
        if timestamp is None:
            return None
        try:
            moment = datetime.fromisoformat(str(timestamp))
        except ValueError as error:
            raise ArmError(400, "InvalidParameter", f"'{timestamp}' is no timestamp.", target="waitUntil") from error
        started = self.world.started
        return (moment - started.replace(tzinfo=started.tzinfo or moment.tzinfo)).total_seconds()


def _target(resource: str) -> str:
    """The instance id that a resource id ends with; "" for the set itself."""
    head, _dummy, tail = resource.rpartition("/")
    return tail if head.lower().endswith("/virtualmachines") else ""
