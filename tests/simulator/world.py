"""The simulated scale sets: pure state, moved on by a clock that is handed in. No I/O, no asyncio, no wall time."""

from __future__ import annotations

import copy
import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from . import events, model
from .errors import ArmError, conflict
from .images import Catalogue, Resolved, reference_text
from .instance import Instance, Shown, base36, seeded_uuid
from .instance_faults import InstanceFault
from .knobs import Duration, Knobs
from .recorder import Recorder


@dataclass
class Operation:
    """An asynchronous operation. `kind`: `write` (of the model), `action` (on instances) or `vm` (on one instance)."""

    id: str
    name: str
    kind: str
    started: float
    ended: float | None = None
    status: str = "InProgress"
    error: dict[str, Any] | None = None
    instance_ids: list[str] = field(default_factory=list)


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
    rolling_latest: dict[str, Any] | None = None
    os_history: list[dict[str, Any]] = field(default_factory=list)

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

    def running(self, kind: str | None = None) -> list[Operation]:
        """The operations on the set itself that still run."""
        return [
            op
            for op in self.operations
            if op.status == "InProgress" and op.kind in ((kind,) if kind else ("write", "action"))
        ]

    def provisioning_state(self, now: float) -> str:
        if self.deleting:
            return "Deleting"
        if any(now >= op.started + self.knobs.set_updating_late for op in self.running()):
            return "Updating"
        return "Failed" if self.failed else "Succeeded"


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

    def next_event(self) -> float | None:
        return self._heap[0][0] if self._heap else None

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
        return operation

    def finish(
        self, owner: ScaleSet, operation: Operation, error: dict[str, Any] | None = None, status: str | None = None
    ) -> None:
        if operation.status != "InProgress":
            return
        operation.status = status or ("Failed" if error else "Succeeded")
        operation.error = error
        operation.ended = self.now
        if operation.kind != "vm":
            owner.failed = operation.status == "Failed"
            owner.state_time = self.now
        if operation.status == "Succeeded":
            owner.last_success = self.now
        if owner.knobs.etag_bumps == "any":
            owner.etag += 1

    def admit(self, owner: ScaleSet, instances: list[Instance], kind: str = "action") -> None:
        """Azure runs one operation on a set at a time, and one on an instance."""
        self._refuse_deleting(owner)
        if kind == "action" and (owner.running() or self.now < owner.last_success + owner.knobs.conflict_window):
            raise conflict(len(instances))
        if any(instance.busy for instance in instances):
            raise conflict(len(instances))

    def _refuse_deleting(self, owner: ScaleSet) -> None:
        if owner.deleting:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'Update Virtual Machine Scale Set' is not allowed on Virtual Machine Scale Set '{owner.name}' since "
                "it is marked for deletion. For more information on your operations, please refer to https://aka.ms/activitylog.",
            )

    # Changes of one instance; each goes through the recorder.

    def change(self, owner: ScaleSet, instance: Instance, **values: Any) -> None:
        for name, value in values.items():
            old = getattr(instance, name)
            setattr(instance, name, value)
            if name == "image":
                self.recorder.change(self.now, owner.name, instance.instance_id, name, old.text(), value.text())
            elif name != "model":
                self.recorder.change(self.now, owner.name, instance.instance_id, name, old, value)
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
        """A new instance of the present model, placed as Azure does: zones and domains in turn. It is not started yet."""
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
        )
        owner.instances[instance_id] = instance
        return instance

    def create(self, owner: ScaleSet, count: int) -> float:
        """Scale out by `count`; the time at which the last one is up."""
        end = self.now
        for _ in range(count):
            instance = self.place(owner)
            instance.joining = True
            instance.provisioning, instance.power, instance.health = "Creating", "starting", None
            self.recorder.change(self.now, owner.name, instance.instance_id, "exists", False, True)
            up = self.now + self.draw(owner, instance, "create", owner.knobs.create)
            never = self._fault(owner, instance, instance.image, "create")

            def start(instance: Instance = instance, fault: InstanceFault | None = never) -> None:
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

    def _fault(self, owner: ScaleSet, instance: Instance, image: Resolved, action: str) -> InstanceFault | None:
        for fault in self.instance_faults:
            if fault.matches(owner.name, instance, image, action) and fault.take(
                self.seed, owner.name, instance.number
            ):
                return fault
        return None

    # Model writes.

    def write(self, owner: ScaleSet, document: dict[str, Any], name: str = "write") -> Operation:
        """Store a whole new document. A running write is preempted by a newer one; a running action refuses it."""
        self._refuse_deleting(owner)
        if owner.running("action"):
            raise conflict()
        old = owner.document
        knobs = owner.knobs
        model.check(old, document, self.catalogue, knobs)
        new_generation = self._costs_generation(owner, old, document)
        if new_generation:
            used = {instance.generation for instance in owner.instances.values()}
            if len(used) >= knobs.model_limit:
                raise ArmError(
                    400,
                    "BadRequest",
                    f"Virtual Machine Scale Set '{owner.name}' has reached its limit of {knobs.model_limit} models that may be "
                    "referenced by one or more VMs belonging to the Virtual Machine Scale Set. Upgrade the VMs to the latest "
                    "model of the Virtual Machine Scale Set before trying again.",
                )
        for running in owner.running("write"):
            self.finish(
                owner,
                running,
                {
                    "code": "OperationPreempted",
                    "message": "Operation execution has been preempted by a more recent operation.",
                },
                "Canceled",
            )
        owner.document = document
        owner.etag += 1
        owner.generation += new_generation
        operation = self.begin(owner, name, "write")
        end = self.now + knobs.write.draw(Random(f"{self.seed}/{owner.name}/write/{owner.etag}"))
        end = max(end, self._scale(owner))
        if old["properties"].get("virtualMachineProfile") != document["properties"].get("virtualMachineProfile"):
            if owner.mode == "Automatic":
                end = max(end, self._upgrade_all(owner, list(owner.instances.values()), operation))
            elif owner.mode == "Rolling":
                self._roll(owner, operation, self._batches(owner))
                return operation
        self.at(end, lambda: self.finish(owner, operation, self._errors(owner, operation)))
        return operation

    def _costs_generation(self, owner: ScaleSet, old: dict[str, Any], new: dict[str, Any]) -> bool:
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        if changed == {"tags"}:
            return owner.knobs.tags_cost_generation
        if changed == {"sku"}:
            bare = [{k: v for k, v in (d.get("sku") or {}).items() if k != "capacity"} for d in (old, new)]
            return owner.knobs.capacity_costs_generation or bare[0] != bare[1]
        return True

    def _scale(self, owner: ScaleSet) -> float:
        there = [i for i in owner.instances.values() if not i.leaving]
        missing = owner.capacity - len(there)
        if missing > 0:
            extra = owner.knobs.overprovision_extra
            end = self.create(owner, missing + extra)
            if extra:
                surplus = list(owner.instances.values())[-extra:]
                self.at(end, partial(self.remove, owner, surplus))
            return end
        if missing < 0:
            removable = [i for i in there if not i.protect_scale_in]
            return self.remove(owner, sorted(removable, key=lambda i: i.number)[missing:])
        return self.now

    def _batches(self, owner: ScaleSet) -> list[list[Instance]]:
        """Azure's rolling order: zone by zone, update domain by update domain, floor(percent) at a time, at least one."""
        policy = owner.document["properties"].get("upgradePolicy", {}).get("rollingUpgradePolicy", {})
        size = max(1, len(owner.instances) * int(policy.get("maxBatchInstancePercent", 20)) // 100)
        behind = [i for i in owner.instances.values() if i.generation != owner.generation and not i.protect_actions]
        behind.sort(key=lambda i: (i.zone or "", i.update_domain or 0, i.number))
        batches: list[list[Instance]] = []
        for _domain, group in itertools.groupby(behind, key=lambda i: i.domain):
            batches += [list(batch) for batch in itertools.batched(group, size)]
        return batches

    def _roll(self, owner: ScaleSet, operation: Operation, batches: list[list[Instance]]) -> None:
        if operation.status != "InProgress":
            return
        if not batches:
            self.finish(owner, operation, self._errors(owner, operation))
            return
        end = self._upgrade_all(owner, batches[0], operation)
        lag = max((owner.knobs.health_lag.median, 0.0))
        self.at(end + lag, lambda: self._roll(owner, operation, batches[1:]))

    def _upgrade_all(self, owner: ScaleSet, instances: list[Instance], operation: Operation) -> float:
        live = [i for i in instances if not i.gone and not i.leaving and not i.busy]
        return max((self._upgrade_one(owner, i, operation) for i in live), default=self.now)

    # Actions on instances.

    def upgrade(self, owner: ScaleSet, instance_ids: list[str] | None) -> Operation:
        """manualupgrade: bring the named instances to the present model, all at once, with no look at their health."""
        instances = self.targets(owner, instance_ids)
        self.admit(owner, instances)
        protected = [i for i in instances if i.protect_actions]
        if protected and owner.knobs.protected_upgrade == "refuse":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'manualUpgrade' is not allowed on instance '{protected[0].instance_id}' since it is protected from "
                "scale set actions.",
            )
        instances = [i for i in instances if not i.protect_actions]
        operation = self.begin(owner, "manualupgrade", "action", instances)
        end = self.now + owner.knobs.noop.median
        working = [i for i in instances if i.generation != owner.generation]
        end = max([end, *(self._upgrade_one(owner, i, operation) for i in working)])
        if working:
            self.recorder.accept(self.now, owner, "upgrade", working)
        self._end_action(owner, operation, end)
        return operation

    def _end_action(self, owner: ScaleSet, operation: Operation, end: float) -> None:
        end = max(self.now, end - owner.knobs.operation_early)
        self.at(end, lambda: self.finish(owner, operation, self._errors(owner, operation)))

    def _errors(self, owner: ScaleSet, operation: Operation) -> dict[str, Any] | None:
        failed = [
            (key, owner.instances[key].failure)
            for key in operation.instance_ids
            if key in owner.instances and owner.instances[key].failure and owner.instances[key].provisioning == "Failed"
        ]
        if not failed:
            return None
        first = failed[0][1] or {}
        details = [{"code": f["code"], "target": key, "message": f["message"]} for key, f in failed if f]
        return {"code": first["code"], "message": first["message"], "details": details}

    def _upgrade_one(self, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
        same = reference_text(instance.model.get("storageProfile", {})) == reference_text(
            owner.profile["storageProfile"]
        )
        target = self.catalogue.resolve(owner.profile["storageProfile"], owner.document["location"])
        if instance.instance_id not in operation.instance_ids:
            operation.instance_ids.append(instance.instance_id)
        if same and owner.knobs.same_reference_reimages and target != instance.image:
            same = False
        if same or owner.knobs.upgrade_keeps_disk:
            return self._apply_model(owner, instance, operation)
        seconds = self.draw(owner, instance, "upgrade", owner.knobs.upgrade)
        return self._replace(owner, instance, operation, "upgrade", target, seconds, owner.profile, owner.generation)

    def _apply_model(self, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
        """The model is applied and the disk stays: the instance is Updating for a while but keeps running."""
        end = self.now + self.draw(owner, instance, "model_only", owner.knobs.model_only)
        instance.work += 1
        profile, generation = copy.deepcopy(owner.profile), owner.generation
        self.change(owner, instance, provisioning="Updating", busy=operation.id)

        def apply() -> None:
            self.recorder.up(self.now, owner.name, instance.instance_id)
            self.change(
                owner, instance, provisioning="Succeeded", busy=None, model=profile, generation=generation, failure=None
            )
            if instance.has_health != (model.health_source(owner.document) is not None):
                self.start_health(owner, instance)

        self.later(instance, end, apply)
        return end

    def _replace(
        self,
        owner: ScaleSet,
        instance: Instance,
        operation: Operation,
        action: str,
        target: Resolved,
        seconds: float,
        profile: dict[str, Any],
        generation: int,
    ) -> float:
        """Down now, a new OS disk half way, up again after `seconds`; health comes later still."""
        knobs = owner.knobs
        fault = self._fault(owner, instance, target, action)
        if fault is not None and fault.seconds is not None:
            seconds = fault.seconds
        asleep = instance.power == "deallocated" and knobs.deallocated_upgrade == "stays" and action == "upgrade"
        profile = copy.deepcopy(profile)
        old_exact, old_health = instance.image.exact, instance.shown_health(self.now)
        instance.work += 1
        end = self.now + seconds
        self.change(
            owner,
            instance,
            provisioning="Updating",
            busy=operation.id,
            failure=None,
            **({} if asleep else {"power": "stopped"}),
        )
        if not asleep:
            self.set_down_health(owner, instance)
        if old_health is not None and old_health[0] == "healthy" and knobs.health_linger:
            instance.old_health = Shown(old_health, self.now + seconds / 2 + knobs.health_linger)

        def new_disk() -> None:
            if fault is None or fault.disk == "new":
                rng = Random(f"{self.seed}/{owner.name}/{instance.number}/disk/{instance.work}")
                self.change(owner, instance, image=target, os_disk=self.new_disk_name(owner, instance.instance_id, rng))
                instance.disk_time = self.now
                self.recorder.replaced(owner.name, instance.instance_id, action)
                self._notice_replaced()
            self.change(owner, instance, model=profile, generation=generation)

        def up() -> None:
            if knobs.exact_version_late:
                instance.old_exact = Shown(old_exact, self.now + knobs.exact_version_late)
            self.recorder.up(self.now, owner.name, instance.instance_id)
            if fault is not None and fault.kind == "fail":
                power = "running" if fault.disk == "new" else "stopped"
                failure = {"code": fault.code, "message": fault.message}
                self.change(owner, instance, provisioning="Failed", power=power, failure=failure, busy=None)
                return
            power = {} if asleep else {"power": "running"}
            self.change(owner, instance, provisioning="Succeeded", busy=None, **power)
            if not asleep:
                self.start_health(owner, instance, never=fault is not None and fault.kind == "unhealthy")

        instance.old_exact = Shown(old_exact, end)
        self.later(instance, self.now + seconds / 2, new_disk)
        self.later(instance, end, up)
        return end

    def reimage(
        self, owner: ScaleSet, instance_ids: list[str] | None, *, kind: str = "action", exact: str | None = None
    ) -> Operation:
        """New OS disks from each instance's own applied model: a reimage is no upgrade."""
        instances = self.targets(owner, instance_ids)
        self.admit(owner, instances, kind)
        images = {i.instance_id: self._own_image(owner, i, exact) for i in instances}
        if kind == "action":
            instances = [i for i in instances if not i.protect_actions]
        operation = self.begin(owner, "reimage", kind, instances)
        end = self.now + owner.knobs.noop.median
        for i in instances:
            seconds = self.draw(owner, i, "reimage", owner.knobs.reimage)
            end = max(
                end,
                self._replace(owner, i, operation, "reimage", images[i.instance_id], seconds, i.model, i.generation),
            )
        self.recorder.accept(self.now, owner, "reimage", instances)
        self._end_action(owner, operation, end)
        return operation

    def _own_image(self, owner: ScaleSet, instance: Instance, exact: str | None) -> Resolved:
        storage = instance.model["storageProfile"]
        if exact is not None:
            storage = {**storage, "imageReference": {**storage.get("imageReference", {}), "version": exact}}
        return self.catalogue.resolve(storage, owner.document["location"])

    def power(self, owner: ScaleSet, instance_ids: list[str] | None, action: str, *, kind: str = "action") -> Operation:
        """`start`, `poweroff`, `deallocate` or `restart`."""
        instances = self.targets(owner, instance_ids)
        self.admit(owner, instances, kind)
        operation = self.begin(owner, action, kind, instances)
        duration: Duration = getattr(owner.knobs, action)
        goal = {"start": "running", "restart": "running", "poweroff": "stopped", "deallocate": "deallocated"}[action]
        end = self.now
        for instance in instances:
            when = self.now + self.draw(owner, instance, action, duration)
            end = max(end, when)
            self.set_power(owner, instance, goal, when, operation.id)
        self._end_action(owner, operation, end)
        return operation

    def set_power(self, owner: ScaleSet, instance: Instance, goal: str, when: float, busy: str | None = None) -> None:
        already = instance.power == goal
        instance.work += 1
        on_the_way = {"running": "starting", "stopped": "stopping", "deallocated": "deallocating"}[goal]
        self.change(owner, instance, provisioning="Updating", power=on_the_way, busy=busy)

        def done() -> None:
            self.change(owner, instance, provisioning="Succeeded", power=goal, busy=None, failure=None)
            if goal != "running":
                self.set_down_health(owner, instance)
            elif not already or instance.health != "healthy":
                self.start_health(owner, instance)

        self.later(instance, when, done)

    def delete_instances(self, owner: ScaleSet, instance_ids: list[str] | None, *, kind: str = "action") -> Operation:
        instances = self.targets(owner, instance_ids)
        self.admit(owner, instances, kind)
        operation = self.begin(owner, "delete", kind, instances)
        owner.document.setdefault("sku", {})["capacity"] = max(0, owner.capacity - len(instances))
        self._end_action(owner, operation, self.remove(owner, instances))
        return operation

    def delete_set(self, owner: ScaleSet) -> Operation:
        operation = self.begin(owner, "deleteSet", "action")
        owner.deleting = True

        def gone() -> None:
            self.finish(owner, operation)
            self.sets.pop((owner.resource_group.lower(), owner.name.lower()), None)

        self.at(self.remove(owner, list(owner.instances.values())) + 1, gone)
        return operation

    def orchestrate(self, owner: ScaleSet, service: str, action: str) -> Operation:
        """setOrchestrationServiceState: `Suspend` or `Resume`."""
        self.admit(owner, [])
        operation = self.begin(owner, "setOrchestrationServiceState", "action")

        def done() -> None:
            owner.services[service] = "Suspended" if action == "Suspend" else "Running"
            self.finish(owner, operation)

        self.at(self.now + owner.knobs.orchestration.median, done)
        return operation

    def protect(self, owner: ScaleSet, instance: Instance, scale_in: bool, actions: bool) -> Operation:
        self.admit(owner, [instance], "vm")
        if actions and not scale_in:
            raise ArmError(
                400, "BadRequest", "protectFromScaleIn must be true when protectFromScaleSetActions is true."
            )
        operation = self.begin(owner, "updateInstance", "vm", [instance])
        self.change(owner, instance, protect_scale_in=scale_in, protect_actions=actions)
        instance.etag += 1
        self.at(self.now + owner.knobs.noop.median, lambda: self.finish(owner, operation))
        return operation

    # Noticing, for events that wait.

    def notice_call(self, operation: str) -> None:
        """A request of this operation was answered."""
        self.calls[operation.lower()] += 1
        self._wake(lambda w: w.operation is not None and self.calls[w.operation.lower()] >= w.count)
        self.advance(self.now)

    def _notice_replaced(self) -> None:
        self._wake(lambda w: w.operation is None and self.recorder.replaced_total(w.scale_set) >= w.count)

    def _wake(self, due: Callable[[Waiting], bool]) -> None:
        ready = [w for w in self.waiting if due(w)]
        self.waiting = [w for w in self.waiting if w not in ready]
        for waiting in ready:
            self.at(self.now + waiting.delay, partial(events.trigger, self, waiting.action))
