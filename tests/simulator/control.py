"""`/_simulator/*`: the judge's figures, the inner truth, and levers for tests. Loopback only."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from . import events
from .arm import Arm
from .errors import ArmError
from .instance import Instance
from .knobs import KnobError
from .protocol import Reply, Request
from .scale_set import ScaleSet
from .scenario import ScenarioError, instance_fault, schedule, wire_fault

TOKEN_HEADER = "x-simulator-token"


class Control:
    def __init__(self, arm: Arm, time_scale: float, token: str = "") -> None:
        self.arm = arm
        self.token = token
        self.world = arm.world
        self.time_scale = time_scale
        self.paths: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "metrics"): self.metrics,
            ("GET", "timeline"): self.timeline,
            ("GET", "state"): self.state,
            ("GET", "secrets"): self.secrets,
            ("POST", "faults"): self.faults,
            ("POST", "publish"): self.publish,
            ("POST", "events"): self.events,
            ("POST", "reset_metrics"): self.reset_metrics,
        }

    def handle(self, request: Request) -> Reply:
        what = self.paths.get((request.method, request.path.strip("/").partition("/")[2]))
        if what is None:
            known = ", ".join(f"{method} /_simulator/{path}" for method, path in self.paths)
            return Reply(404, {"error": {"code": "NotFound", "message": f"There are {known}."}})
        if what == self.secrets and not self._may_ask(request):
            message = f"{TOKEN_HEADER} must be SIMULATOR_TOKEN of environment.sh: any local user can ask."
            return Reply(403, {"error": {"code": "Forbidden", "message": message}})
        try:
            return Reply(200, what(request))
        except (ArmError, ScenarioError, KnobError, events.EventError, ValueError) as error:
            return Reply(400, {"error": {"code": "BadRequest", "message": str(error)}})

    def _may_ask(self, request: Request) -> bool:
        return bool(self.token) and hmac.compare_digest(
            request.headers.get(TOKEN_HEADER, "").encode(), self.token.encode()
        )

    def metrics(self, _request: Request) -> dict[str, Any]:
        """Times are simulated seconds; divide by `time_scale` for wall seconds."""
        arm = self.arm
        return {
            "time": self.world.now,
            "time_scale": self.time_scale,
            "arm_calls": arm.by_method.total(),
            "writes": arm.by_method.total() - arm.by_method["GET"],
            "accepted_writes": arm.accepted_writes,
            "conflicts": arm.by_status[409],
            "preconditions_failed": arm.by_status[412],
            "throttles": arm.by_status[429],
            "unauthorized": arm.by_status[401],
            "by_operation": dict(arm.by_operation),
            "first_answers": arm.first_answers,
            "by_method": dict(arm.by_method),
            "by_status": {str(status): count for status, count in arm.by_status.items()},
            "by_action": dict(arm.by_action),
            "non_get": arm.not_get,
            "auxiliary_tokens": arm.auxiliary_tokens[True],
            "tokens_issued": arm.login.issued,
            "sign_ins_refused": arm.login.refused,
            **self.world.recorder.as_dict(),
        }

    def timeline(self, _request: Request) -> list[dict[str, Any]]:
        return [{**entry, "wall": entry["time"] / self.time_scale} for entry in self.world.recorder.timeline]

    def state(self, _request: Request) -> dict[str, Any]:
        return {"time": self.world.now, "scale_sets": {o.name: self._set(o) for o in self.world.sets.values()}}

    def _set(self, owner: ScaleSet) -> dict[str, Any]:
        operations = [
            {
                "id": op.id,
                "name": op.name,
                "kind": op.kind,
                "status": op.status,
                "started": op.started,
                "ended": op.ended,
            }
            for op in self.world.operations.values()
            if self.world.operation_sets[op.id] is owner
        ]
        return {
            "resource_group": owner.resource_group,
            "document": owner.document,
            "etag": owner.etag,
            "generation": owner.generation,
            "provisioning_state": owner.provisioning_state(self.world.now),
            "services": owner.service_states(),
            "operations": operations,
            "rolling_upgrade": None if owner.upgrade is None else owner.upgrade.as_dict(),
            "hook_events": {name: event.targets for name, event in owner.hook_events.items()},
            "automatic_upgrade_due": owner.automatic_due,
            "instances": {key: self._instance(owner, instance) for key, instance in owner.instances.items()},
        }

    def _instance(self, owner: ScaleSet, instance: Instance) -> dict[str, Any]:
        return {
            "image": instance.image.identity,
            "version": instance.image.exact,
            "kind": instance.image.kind,
            "generation": instance.generation,
            "latest_model_applied": instance.generation == owner.generation,
            "power": instance.power,
            "provisioning": instance.provisioning,
            "health": instance.health,
            "available": instance.available,
            "busy": instance.busy is not None,
            "attached": instance.attached,
            "fell": instance.fell,
            "custom_data": instance.custom_data,
            "joining": instance.joining,
            "leaving": instance.leaving,
            "zone": instance.zone,
            "update_domain": instance.update_domain,
            "fault_domain": instance.fault_domain,
            "os_disk": instance.os_disk,
            "computer_name": instance.computer_name,
            "protect_scale_in": instance.protect_scale_in,
            "protect_actions": instance.protect_actions,
            "failure": instance.failure,
            "disks_replaced": self.world.recorder.replaced_of(owner.name, instance.instance_id),
        }

    def secrets(self, _request: Request) -> dict[str, Any]:
        """Everything that must appear in no output."""
        return {"secret": self.arm.account.secret, "tokens": list(self.arm.login.tokens)}

    def faults(self, request: Request) -> dict[str, Any]:
        """One fault, a list of them, or `{"faults": […], "instance_faults": […], "clear": true}`."""
        body = self._fault_lists(request)
        if body.pop("clear", False):
            self.arm.faults.clear()
            self.world.instance_faults.clear()
        self.arm.faults += [wire_fault(entry, "faults") for entry in body.get("faults", [])]
        self.world.instance_faults += [
            instance_fault(entry, "instance_faults") for entry in body.get("instance_faults", [])
        ]
        return {"faults": len(self.arm.faults), "instance_faults": len(self.world.instance_faults)}

    def _fault_lists(self, request: Request) -> dict[str, Any]:
        given = json.loads(request.body or b"{}")
        if isinstance(given, dict) and (not given or {"faults", "instance_faults", "clear"} & set(given)):
            return given
        entries = given if isinstance(given, list) else [given]
        return {
            "faults": [entry for entry in entries if "kind" not in entry],
            "instance_faults": [entry for entry in entries if "kind" in entry],
        }

    def publish(self, request: Request) -> dict[str, Any]:
        events.trigger(self.world, {"do": "publish", **request.json()})
        return {}

    def events(self, request: Request) -> dict[str, Any]:
        """An event now, or with `at` (simulated seconds since the start) or `when` as in a scenario."""
        body = request.json()
        if "at" in body or "when" in body:
            schedule(self.world, body, "event")
        else:
            events.trigger(self.world, body)
        return {}

    def reset_metrics(self, _request: Request) -> dict[str, Any]:
        self.arm.reset_counts()
        self.world.recorder.reset()
        return {}
