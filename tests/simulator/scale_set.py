"""One scale set as Azure keeps it, and the operations on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import model
from .instance import Instance
from .knobs import Knobs
from .lifecycle_hooks import HookEvent
from .rolling_upgrade import RollingUpgrade


@dataclass
class Operation:
    """`kind`: `write` (of the model), `action` (on instances), `rolling` (an upgrade of Azure's own), `cancel` (of
    one), `vm` (on one instance, by a client), `service` (suspended or resumed) or `repair`.
    """

    id: str
    name: str
    kind: str
    started: float
    ended: float | None = None
    status: str = "InProgress"
    error: dict[str, Any] | None = None
    instance_ids: list[str] = field(default_factory=list)
    charge: int | None = None  # VMs that the request is charged for, those it names if None


@dataclass
class ScaleSet:
    """`document` is what a client may write: location, tags, sku, properties, …"""

    name: str
    resource_group: str
    document: dict[str, Any]
    knobs: Knobs
    unique_id: str
    created: float
    update_domains: int | None = 5
    fault_domains: int | None = 5
    id_gaps: bool = False
    generation: int = 1
    same_model: dict[int, int] = field(default_factory=dict)
    etag: int = 1
    instances: dict[str, Instance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    next_number: int = 0
    placed: int = 0
    last_success: float = float("-inf")
    failed: bool = False
    state_time: float = 0.0
    deleting: bool = False
    services: dict[str, str] = field(default_factory=dict)
    repairs_watched: bool = False
    rolling_latest: dict[str, Any] | None = None
    os_history: list[dict[str, Any]] = field(default_factory=list)
    upgrade: RollingUpgrade | None = None
    upgrades: list[RollingUpgrade] = field(default_factory=list)
    hook_events: dict[str, HookEvent] = field(default_factory=dict)
    automatic_due: float | None = None
    automatic_tried: set[str] = field(default_factory=set)

    @property
    def flexible(self) -> bool:
        return bool(self.document["properties"].get("orchestrationMode") == "Flexible")

    @property
    def zones(self) -> list[str]:
        return list(self.document.get("zones") or [])

    @property
    def capacity(self) -> int:
        return int(self.document.get("sku", {}).get("capacity", 0))

    @property
    def profile(self) -> dict[str, Any]:
        return model.profile_of(self.document)

    @property
    def mode(self) -> str:
        return str(self.document["properties"].get("upgradePolicy", {}).get("mode", "Manual"))

    @property
    def repairs_policy(self) -> dict[str, Any]:
        policy: dict[str, Any] = self.document["properties"].get("automaticRepairsPolicy") or {}
        return policy

    @property
    def repairs_enabled(self) -> bool:
        return bool(self.repairs_policy.get("enabled"))

    def service_states(self) -> dict[str, str]:
        """The orchestration services and their states: what was set, else what the policies mean."""
        states = dict(self.services)
        properties = self.document["properties"]
        zones = (properties.get("resiliencyPolicy") or {}).get("automaticZoneRebalancingPolicy") or {}
        for name, policy in (("AutomaticRepairs", self.repairs_policy), ("AutomaticZoneRebalancing", zones)):
            if policy:
                states.setdefault(name, "Running" if policy.get("enabled") else "NotRunning")
        return states

    def models(self) -> set[int]:
        """The models that instances refer to. Some writes begin a generation without being a model of their own."""
        return {self.same_model.get(i.generation, i.generation) for i in self.instances.values()}

    @property
    def rolling(self) -> bool:
        """Whether a rolling upgrade of Azure's own is under way."""
        if self.upgrade is not None and self.upgrade.running:
            return True
        status = (self.rolling_latest or {}).get("runningStatus", {})
        return bool(status.get("code") == "RollingForward")

    def running(self, kind: str | None = None) -> list[Operation]:
        """The operations on the set itself that still run."""
        return [
            op
            for op in self.operations
            if op.status == "InProgress" and op.kind in ((kind,) if kind else ("write", "action", "rolling"))
        ]

    def provisioning_state(self, now: float) -> str:
        if self.deleting:
            return "Deleting"
        shown = [op for op in self.running() if op.kind != "rolling" or self.knobs.rolling_shows_updating]
        if any(now >= op.started + self.knobs.set_updating_late for op in shown):
            return "Updating"
        return "Failed" if self.failed else "Succeeded"
