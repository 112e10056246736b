"""The simulated scale sets: pure state, moved on by a clock that is handed in. No I/O, no asyncio, no wall time."""

from __future__ import annotations

import copy
import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from . import events, model
from .errors import ArmError, conflict
from .images import Catalogue, Resolved
from .instance import Instance, base36, seeded_uuid
from .instance_faults import InstanceFault
from .knobs import Duration
from .recorder import Recorder
from .scale_set import Operation, ScaleSet


@dataclass
class Waiting:
    """An event that waits for something: `calls` of an operation answered, or disks replaced."""

    action: dict[str, Any]
    operation: str | None
    count: int
    scale_set: str | None
    delay: float


class World:
    def __init__(self, *, started: datetime, seed: int = 1) -> None:
        self.started = started
        self.seed = seed
        self.now = 0.0
        self.quiet = False  # no event comes any more that was scheduled
        self.client = ""  # the name that the client of the present request gives itself
        self.by = "client"  # who acts now; `another client` while an event does
        self.sets: dict[tuple[str, str], ScaleSet] = {}
        self.catalogue = Catalogue()
        self.recorder = Recorder()
        self.operations: dict[str, Operation] = {}
        self.operation_sets: dict[str, ScaleSet] = {}
        self.instance_faults: list[InstanceFault] = []
        self.waiting: list[Waiting] = []
        self.calls: Counter[str] = Counter()
        self.hooks: dict[str, Callable[[Any], None]] = {}
        self._rng = Random(f"{seed}/ids")
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._tie = itertools.count()

    # The clock.

    def at(self, when: float, what: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (max(when, self.now), next(self._tie), what))

    def advance(self, now: float) -> None:
        """Everything that happens until `now`, each thing at its own time."""
        while self._heap and self._heap[0][0] <= now:
            when, _tie, what = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            what()
        self.now = max(self.now, now)

    def timestamp(self, when: float) -> datetime:
        return self.started + timedelta(seconds=when)

    def new_id(self) -> str:
        return seeded_uuid(self._rng)

    def draw(self, owner: ScaleSet, instance: Instance, what: str, duration: Duration) -> float:
        """The n-th draw of its kind for this instance: independent of the order of requests."""
        count = instance.draws[what] = instance.draws.get(what, 0) + 1
        return duration.draw(Random(f"{self.seed}/{owner.name}/{instance.number}/{what}/{count}"))

    # Look-ups.

    def find(self, resource_group: str, name: str) -> ScaleSet | None:
        return self.sets.get((resource_group.lower(), name.lower()))

    def targets(self, owner: ScaleSet, instance_ids: list[str] | None) -> list[Instance]:
        """The instances an action names. Nothing, an empty list and `*` all mean every instance, as in Azure."""
        if not instance_ids or instance_ids == ["*"]:
            return list(owner.instances.values())
        found = {key.lower(): instance for key, instance in owner.instances.items()}
        for instance_id in instance_ids:
            if str(instance_id).lower() not in found:
                raise ArmError(
                    400,
                    "InvalidParameter",
                    f"The provided instanceId {instance_id} is not an active Virtual Machine Scale Set VM instanceId.",
                    target="instanceIds",
                )
        return list({str(i).lower(): found[str(i).lower()] for i in instance_ids}.values())

    # Operations.

    def begin(self, owner: ScaleSet, name: str, kind: str, instances: list[Instance] | None = None) -> Operation:
        operation = Operation(
            self.new_id(), name, kind, self.now, instance_ids=[i.instance_id for i in instances or []]
        )
        owner.operations = [op for op in owner.operations if op.status == "InProgress"] + [operation]
        self.operations[operation.id] = operation
        self.operation_sets[operation.id] = owner
        if kind in ("action", "vm"):
            self.recorder.touched.setdefault(owner.name, set()).update(operation.instance_ids)
        return operation

    def finish(
        self, owner: ScaleSet, operation: Operation, error: dict[str, Any] | None = None, status: str | None = None
    ) -> None:
        if operation.status != "InProgress":
            return
        operation.status = status or ("Failed" if error else "Succeeded")
        operation.error = error
        operation.ended = self.now
        if operation.kind in ("write", "action", "rolling"):
            owner.failed = operation.status == "Failed"
            owner.state_time = self.now
        if operation.status == "Succeeded":
            owner.last_success = self.now
        if owner.knobs.etag_bumps == "any":
            owner.etag += 1

    def admit(self, owner: ScaleSet, instances: list[Instance], kind: str = "action") -> None:
        """Azure runs one operation on a set at a time, and one on an instance."""
        self.refuse_busy(owner)
        if kind == "action" and (owner.running() or self.now < owner.last_success + owner.knobs.conflict_window):
            raise conflict(len(instances))
        if any(instance.busy for instance in instances):
            raise conflict(len(instances))

    def refuse_busy(self, owner: ScaleSet, what: str = "Update Virtual Machine Scale Set") -> None:
        """Nothing is accepted on a set that is being deleted or that has a rolling upgrade under way."""
        if owner.rolling:
            status, code = owner.knobs.rolling_busy.split()
            raise ArmError(
                int(status),
                code,
                f"Operation '{what}' is not allowed on Virtual Machine Scale Set '{owner.name}' since a Rolling "
                "Upgrade is in progress.",
            )
        if owner.deleting:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation '{what}' is not allowed on Virtual Machine Scale Set '{owner.name}' since it is marked for "
                "deletion. For more "
                "information on your operations, please refer to https://aka.ms/activitylog.",
            )

    # Changes of one instance; each goes through the recorder.

    def change(self, owner: ScaleSet, instance: Instance, **values: Any) -> None:
        for name, value in values.items():
            old = getattr(instance, name)
            setattr(instance, name, value)
            if name == "image":
                self.recorder.change(self.now, owner.name, instance.instance_id, name, old.text(), value.text())
            elif name not in ("model", "extensions_pending"):
                self.recorder.change(self.now, owner.name, instance.instance_id, name, old, value)
        if values.get("power") == "running":
            instance.fell = False
        if "provisioning" in values:
            instance.provisioning_time = self.now
        if "health" in values:
            instance.health_time = self.now
        self.recorder.count_instance(self.now, owner, instance)

    def later(self, instance: Instance, when: float, what: Callable[[], object]) -> None:
        """Do it then, unless other work on the instance has begun meanwhile."""
        token = instance.work

        def do() -> None:
            if instance.work == token and not instance.gone:
                what()

        self.at(when, do)

    def set_down_health(self, owner: ScaleSet, instance: Instance) -> None:
        if instance.has_health:
            self.change(owner, instance, health="unknown" if model.rich_health(owner.document) else "unhealthy")

    def start_health(self, owner: ScaleSet, instance: Instance, *, never: bool = False) -> None:
        """The instance is up: its health arrives after a lag, or never."""
        instance.has_health = model.health_source(owner.document) is not None
        if not instance.has_health:
            self.change(owner, instance, health=None, joining=False)
            return
        rich = model.rich_health(owner.document)
        self.change(owner, instance, health="initializing" if rich else "unhealthy")
        lag = self.draw(owner, instance, "health_lag", owner.knobs.health_lag)
        state = "unhealthy" if never else "healthy"
        self.later(instance, self.now + lag, lambda: self.change(owner, instance, health=state, joining=False))

    def new_disk_name(self, owner: ScaleSet, instance_id: str, rng: Random) -> str:
        tail = f"{rng.getrandbits(128):032x}"
        if owner.flexible:
            return f"{instance_id}_disk1_{tail}"
        return f"{owner.name}_{owner.name}_{instance_id}_OsDisk_1_{tail}"

    def place(self, owner: ScaleSet, *, instance_id: str | None = None) -> Instance:
        """A new instance of the present model, placed as Azure does: zones and domains in turn. Not started yet."""
        number = owner.next_number if instance_id is None or owner.flexible else int(instance_id)
        rng = Random(f"{self.seed}/{owner.name}/{number}/identity")
        if owner.id_gaps and instance_id is None and not owner.flexible:
            number += rng.choice((0, 0, 0, 1, 2))
        owner.next_number = max(owner.next_number, number + 1)
        prefix = owner.profile.get("osProfile", {}).get("computerNamePrefix", owner.name[:9])
        if owner.flexible:
            instance_id = instance_id or f"{owner.name}_{rng.getrandbits(32):08x}"
            name, computer = instance_id, prefix + base36(rng.randrange(36**5, 36**6), 6)
        else:
            instance_id = str(number)
            name, computer = f"{owner.name}_{number}", prefix + base36(number, 6)
        zones = owner.zones
        zone = zones[owner.placed % len(zones)] if zones else None
        row = owner.placed // len(zones) if zones else owner.placed
        owner.placed += 1
        instance = Instance(
            instance_id=instance_id,
            name=name,
            number=number,
            zone=zone,
            update_domain=row % owner.update_domains if owner.update_domains else None,
            fault_domain=row % owner.fault_domains if owner.fault_domains else None,
            computer_name=computer,
            vm_id=seeded_uuid(rng),
            generation=owner.generation,
            model=copy.deepcopy(owner.profile),
            image=self.catalogue.resolve(owner.profile["storageProfile"], owner.document["location"]),
            os_disk=self.new_disk_name(owner, instance_id, rng),
            created=self.now,
            disk_time=self.now,
            has_health=model.health_source(owner.document) is not None,
            custom_data=owner.profile.get("osProfile", {}).get("customData"),
        )
        instance.original = instance.image
        owner.instances[instance_id] = instance
        return instance

    def attach(self, owner: ScaleSet, reference: dict[str, Any] | None, name: str | None = None) -> Instance:
        """A VM that was made elsewhere joins a Flexible set: of another image, or None, of a disk of its own."""
        instance = self.place(owner, instance_id=name)
        self.make_attached(instance, reference)
        return instance

    @staticmethod
    def make_attached(instance: Instance, reference: dict[str, Any] | None) -> None:
        text = ":".join(str(value) for key, value in (reference or {}).items() if key != "version") or instance.os_disk
        exact = None if reference is None else reference.get("version")
        instance.image = Resolved("attached", text, exact, instance.image.os)
        instance.original, instance.attached = instance.image, True
        storage = instance.model["storageProfile"]
        storage.pop("imageReference", None)
        if reference is not None:
            storage["imageReference"] = copy.deepcopy(reference)
        else:
            storage.setdefault("osDisk", {})["createOption"] = "Attach"
            instance.model.pop("osProfile", None)

    def create(self, owner: ScaleSet, count: int, seconds: float | None = None) -> float:
        """Scale out by `count`; the time at which the last one is up."""
        end = self.now
        for _instance in range(count):
            instance = self.place(owner)
            instance.joining = True
            instance.provisioning, instance.power, instance.health = "Creating", "starting", None
            self.recorder.change(self.now, owner.name, instance.instance_id, "exists", False, True)
            drawn = self.draw(owner, instance, "create", owner.knobs.create)
            up = self.now + (drawn if seconds is None else seconds)
            struck = self.fault(owner, instance, instance.image, "create")

            def start(instance: Instance = instance, fault: InstanceFault | None = struck) -> None:
                if fault is not None and fault.kind == "fail":
                    self.change(owner, instance, provisioning="Failed", power="stopped", failure=fault.failure())
                    return
                self.change(owner, instance, provisioning="Succeeded", power="running")
                self.start_health(owner, instance, never=fault is not None and fault.kind == "unhealthy")

            self.later(instance, up, start)
            end = max(end, up)
        return end

    def remove(self, owner: ScaleSet, instances: list[Instance], seconds: float | None = None) -> float:
        """Delete instances; the time at which the last one is gone."""
        end = self.now
        for instance in instances:
            instance.work += 1
            when = self.now + (self.draw(owner, instance, "delete", owner.knobs.delete) if seconds is None else seconds)
            self.change(owner, instance, leaving=True, provisioning="Deleting")

            def vanish(instance: Instance = instance) -> None:
                owner.instances.pop(instance.instance_id, None)
                self.change(owner, instance, gone=True)

            self.later(instance, when, vanish)
            end = max(end, when)
        return end

    def fault(self, owner: ScaleSet, instance: Instance, image: Resolved, action: str) -> InstanceFault | None:
        for fault in self.instance_faults:
            profile = instance.model if action in ("reimage", "restore", "repair") else owner.profile
            if fault.matches(owner.name, instance, image, action, profile) and fault.take(
                self.seed, owner.name, instance.number
            ):
                return fault
        return None

    # Noticing, for events that wait.

    def notice_call(self, operation: str) -> None:
        """A request of this operation was answered."""
        self.calls[operation.lower()] += 1
        self._wake(lambda w: w.operation is not None and self.calls[w.operation.lower()] >= w.count)
        self.advance(self.now)

    def notice_replaced(self) -> None:
        self._wake(lambda w: w.operation is None and self.recorder.replaced_total(w.scale_set) >= w.count)

    def _wake(self, due: Callable[[Waiting], bool]) -> None:
        ready = [w for w in self.waiting if due(w)]
        self.waiting = [w for w in self.waiting if w not in ready]
        for waiting in ready:
            self.at(self.now + waiting.delay, partial(events.occur, self, waiting.action))
