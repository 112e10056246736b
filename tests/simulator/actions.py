"""What may be done to instances: upgrade, reimage, power, delete, protect. Each begins an operation of the world."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from . import model, upgrade_policy
from .errors import ArmError
from .extensions import extension_order
from .images import Resolved, reference_text
from .instance import Instance, Shown
from .knobs import Duration
from .scale_set import Operation, ScaleSet

if TYPE_CHECKING:
    from .instance_faults import InstanceFault
    from .world import World


def upgrade(world: World, owner: ScaleSet, instance_ids: list[str] | None) -> Operation:
    """manualupgrade: bring the named instances to the present model, all at once, with no look at their health."""
    instances = world.targets(owner, instance_ids)
    world.admit(owner, instances)
    world.recorder.named(world.now, owner, "upgrade", instances, world.by)
    protected = [i for i in instances if i.protect_actions]
    if protected and owner.knobs.protected_upgrade == "refuse":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'manualUpgrade' is not allowed on instance '{protected[0].instance_id}' since it is protected "
            "from scale set actions.",
        )
    instances = [i for i in instances if not i.protect_actions]
    operation = world.begin(owner, "manualupgrade", "action", instances)
    owner.etag += 1  # as recorded, also where nothing is to do
    end = world.now + owner.knobs.noop.median
    before = world.recorder.before(owner, world.client)
    working = [
        i for i in instances if i.generation != owner.generation or i.provisioning in ("Failed", "Canceled") or i.fell
    ]
    operation.charge = len(working)  # what is up to date costs nothing
    end = max([end, *(upgrade_one(world, owner, i, operation) for i in working)])
    if working:
        world.recorder.accept(world.now, owner, "upgrade", working, before, world.by)
    _end_action(world, owner, operation, end)
    return operation


def _end_action(world: World, owner: ScaleSet, operation: Operation, end: float) -> None:
    end = max(world.now, end - owner.knobs.operation_early)
    world.at(end, lambda: world.finish(owner, operation, errors(owner, operation)))


def errors(owner: ScaleSet, operation: Operation) -> dict[str, Any] | None:
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


def upgrade_one(world: World, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
    same = reference_text(instance.model.get("storageProfile", {})) == reference_text(owner.profile["storageProfile"])
    target = world.catalogue.resolve(owner.profile["storageProfile"], owner.document["location"])
    if instance.instance_id not in operation.instance_ids:
        operation.instance_ids.append(instance.instance_id)
    if same and owner.knobs.same_reference_reimages and target != instance.image:
        same = False
    other_data = owner.profile.get("osProfile", {}).get("customData") != instance.custom_data
    if instance.fell or (other_data and owner.knobs.custom_data_upgrade == "replaces"):
        same = False
    if same or owner.knobs.upgrade_keeps_disk:
        return _apply_model(world, owner, instance, operation)
    seconds = world.draw(owner, instance, "upgrade", owner.knobs.upgrade)
    return _replace(world, owner, instance, operation, "upgrade", target, seconds, owner.profile, owner.generation)


def replace_image(world: World, owner: ScaleSet, instance: Instance, operation: Operation, target: Resolved) -> float:
    """A rolling OS upgrade brings the image that was newest at its start, and the model with it."""
    if instance.instance_id not in operation.instance_ids:
        operation.instance_ids.append(instance.instance_id)
    seconds = world.draw(owner, instance, "upgrade", owner.knobs.upgrade)
    return _replace(world, owner, instance, operation, "upgrade", target, seconds, owner.profile, owner.generation)


@dataclass(frozen=True)
class Previous:
    """What an instance was before an upgrade, for the upgrade to restore."""

    image: Resolved
    os_disk: str
    profile: dict[str, Any]
    generation: int

    @classmethod
    def of(cls, instance: Instance) -> Previous:
        return cls(instance.image, instance.os_disk, instance.model, instance.generation)


def restore(world: World, owner: ScaleSet, instance: Instance, operation: Operation, previous: Previous) -> float:
    """The previous OS disk comes back as it was."""
    seconds = world.draw(owner, instance, "upgrade", owner.knobs.upgrade)
    image, profile, generation, disk = previous.image, previous.profile, previous.generation, previous.os_disk
    return _replace(world, owner, instance, operation, "restore", image, seconds, profile, generation, disk=disk)


def update_extensions(world: World, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
    """The model's extensions, one after the other in their order, on an instance that keeps running."""
    if instance.instance_id not in operation.instance_ids:
        operation.instance_ids.append(instance.instance_id)
    profile = {k: v for k, v in copy.deepcopy(instance.model).items() if k != "extensionProfile"}
    if "extensionProfile" in owner.profile:
        profile["extensionProfile"] = copy.deepcopy(owner.profile["extensionProfile"])
    generation = owner.generation if profile == owner.profile else instance.generation
    order = extension_order(profile)
    fault = world.fault(owner, instance, instance.image, "extension")
    instance.work += 1
    world.change(owner, instance, provisioning="Updating", busy=operation.id, failure=None, extensions_pending=order)
    each = [world.draw(owner, instance, "extension_upgrade", owner.knobs.extension_upgrade) for _name in order]

    def up() -> None:
        world.recorder.up(world.now, owner.name, instance.instance_id)
        world.change(owner, instance, model=profile, generation=generation, extensions_pending=[])
        _settle(world, owner, instance, fault, asleep=False, power="running")

    return _provision_extensions(world, owner, instance, world.now, each, up)


def _provision_extensions(
    world: World, owner: ScaleSet, instance: Instance, start: float, each: list[float], then: Callable[[], None]
) -> float:
    """One extension after the other; the time at which the last one is there."""

    def provisioned() -> None:
        world.change(owner, instance, extensions_pending=instance.extensions_pending[1:])

    when = start
    for seconds in each:
        when += seconds
        world.later(instance, when, provisioned)
    world.later(instance, when, then)
    return when


def _apply_model(world: World, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
    """The model is applied and the disk stays: the instance is Updating for a while but keeps running."""
    end = world.now + world.draw(owner, instance, "model_only", owner.knobs.model_only)
    instance.work += 1
    profile, generation = copy.deepcopy(owner.profile), owner.generation
    fault = world.fault(owner, instance, instance.image, "apply")
    world.change(owner, instance, provisioning="Updating", busy=operation.id)

    def apply() -> None:
        world.recorder.up(world.now, owner.name, instance.instance_id)
        failure = fault.failure() if fault is not None and fault.kind == "fail" else None
        state, mended = "Failed" if failure else "Succeeded", instance.failure is not None and not failure
        world.change(
            owner, instance, provisioning=state, busy=None, model=profile, generation=generation, failure=failure
        )
        if mended or instance.has_health != (model.health_source(owner.document) is not None):
            world.start_health(owner, instance)

    world.later(instance, end, apply)
    return end


def _replace(
    world: World,
    owner: ScaleSet,
    instance: Instance,
    operation: Operation,
    action: str,
    target: Resolved,
    seconds: float,
    profile: dict[str, Any],
    generation: int,
    *,
    disk: str | None = None,
) -> float:
    """Down now, a new OS disk half way (or `disk`, which was there before), up again after `seconds`; then the
    extensions, and health comes later still.
    """
    knobs = owner.knobs
    fault = world.fault(owner, instance, target, action)
    if fault is not None and fault.seconds is not None:
        seconds = fault.seconds
    stays = knobs.fallen_upgrade if instance.fell else knobs.deallocated_upgrade
    asleep = instance.power == "deallocated" and stays == "stays" and action == "upgrade"
    profile = copy.deepcopy(profile)
    old_exact, old_health = instance.image.exact, instance.shown_health(world.now)
    instance.work += 1
    start = world.now + notified(owner, instance, action)
    end = start + seconds
    power = instance.power if asleep else "stopped"
    world.change(owner, instance, provisioning="Updating", busy=operation.id, failure=None)
    _take_down(world, owner, instance, power, start)
    if old_health is not None and old_health[0] == "healthy" and knobs.health_linger:
        instance.old_health = Shown(old_health, start + seconds / 2 + knobs.health_linger)

    def new_disk() -> None:
        if fault is None or fault.disk == "new":
            rng = Random(f"{world.seed}/{owner.name}/{instance.number}/disk/{instance.work}")
            name = disk or world.new_disk_name(owner, instance.instance_id, rng)
            world.change(owner, instance, image=target, os_disk=name)
            instance.disk_time = world.now
            instance.custom_data = profile.get("osProfile", {}).get("customData")
            world.recorder.replaced(owner.name, instance.instance_id, action)
            world.notice_replaced()
        world.change(owner, instance, model=profile, generation=generation)

    def up() -> None:
        if knobs.exact_version_late:
            instance.old_exact = Shown(old_exact, world.now + knobs.exact_version_late)
        world.recorder.up(world.now, owner.name, instance.instance_id)
        if each:
            world.change(owner, instance, power="running", extensions_pending=extension_order(profile))
            _provision_extensions(world, owner, instance, world.now, each, done)
        else:
            done()

    def done() -> None:
        _settle(world, owner, instance, fault, asleep=asleep, power=instance.power if asleep else "running")

    each: list[float] = []
    if knobs.extension.median and not asleep and (fault is None or fault.disk == "new"):
        each = [world.draw(owner, instance, "extension", knobs.extension) for _name in extension_order(profile)]
    instance.old_exact = Shown(old_exact, end)
    world.later(instance, start + seconds / 2, new_disk)
    world.later(instance, end, up)
    return end + sum(each)


def _take_down(world: World, owner: ScaleSet, instance: Instance, power: str, start: float) -> None:
    """Now, or once it has been held up for so long."""

    def down() -> None:
        world.change(owner, instance, power=power)
        if power == "stopped":
            world.set_down_health(owner, instance)

    if start > world.now:
        world.later(instance, start, down)
    else:
        down()


def _settle(
    world: World, owner: ScaleSet, instance: Instance, fault: InstanceFault | None, *, asleep: bool, power: str
) -> None:
    """The work is done, or has failed; health comes after a lag."""
    if fault is not None and fault.kind == "fail":
        goal = fault.power or ("running" if fault.disk == "new" else "stopped")
        instance.fell = goal == "deallocated"
        world.change(owner, instance, provisioning="Failed", power=goal, failure=fault.failure(), busy=None)
        return
    world.change(owner, instance, provisioning="Succeeded", power=power, busy=None)
    if not asleep:
        world.start_health(owner, instance, never=fault is not None and fault.kind == "unhealthy")


def reimage(
    world: World,
    owner: ScaleSet,
    instance_ids: list[str] | None,
    *,
    kind: str = "action",
    exact: str | None = None,
    force: bool = False,
) -> Operation:
    """New OS disks from each instance's own applied model: a reimage is no upgrade.

    An ephemeral disk goes back to the image that the instance was created from, unless `force`
    (forceUpdateOSDiskForEphemeral).
    """
    instances = world.targets(owner, instance_ids)
    world.admit(owner, instances, kind)
    images = {i.instance_id: _own_image(world, owner, i, exact, force=force) for i in instances}
    world.recorder.named(world.now, owner, "reimage", instances, world.by)
    if kind == "action":
        instances = [i for i in instances if not i.protect_actions]
    operation = world.begin(owner, "reimage", kind, instances)
    before = world.recorder.before(owner, world.client)
    end = world.now + owner.knobs.noop.median
    for i in instances:
        seconds = world.draw(owner, i, "reimage", owner.knobs.reimage)
        end = max(
            end,
            _replace(world, owner, i, operation, "reimage", images[i.instance_id], seconds, i.model, i.generation),
        )
    world.recorder.accept(world.now, owner, "reimage", instances, before, world.by)
    _end_action(world, owner, operation, end)
    return operation


def _own_image(world: World, owner: ScaleSet, instance: Instance, exact: str | None, *, force: bool) -> Resolved:
    storage = instance.model["storageProfile"]
    if "diffDiskSettings" in storage.get("osDisk", {}) and instance.original and not (force or exact):
        return instance.original
    if exact is not None:
        storage = {**storage, "imageReference": {**storage.get("imageReference", {}), "version": exact}}
    return world.catalogue.resolve(storage, owner.document["location"])


def repair(world: World, owner: ScaleSet, instance: Instance, operation: Operation) -> float:
    """A repair by reimage; the time at which the instance is up."""
    seconds = world.draw(owner, instance, "reimage", owner.knobs.reimage)
    image = _own_image(world, owner, instance, None, force=True)
    return _replace(world, owner, instance, operation, "repair", image, seconds, instance.model, instance.generation)


def power(
    world: World, owner: ScaleSet, instance_ids: list[str] | None, action: str, *, kind: str = "action"
) -> Operation:
    """`start`, `poweroff`, `deallocate` or `restart`."""
    instances = world.targets(owner, instance_ids)
    world.admit(owner, instances, kind)
    world.recorder.named(world.now, owner, action, instances, world.by)
    operation = world.begin(owner, action, kind, instances)
    duration: Duration = getattr(owner.knobs, action)
    goal = {"start": "running", "restart": "running", "poweroff": "stopped", "deallocate": "deallocated"}[action]
    end = world.now
    for instance in instances:
        when = world.now + world.draw(owner, instance, action, duration)
        end = max(end, when)
        set_power(world, owner, instance, goal, when, operation.id)
    _end_action(world, owner, operation, end)
    return operation


def evict(world: World, owner: ScaleSet, instance: Instance) -> None:
    """A Spot instance is taken away, with no operation that a client could follow."""
    if owner.profile.get("evictionPolicy") == "Delete":
        world.remove(owner, [instance])
        return
    when = world.now + world.draw(owner, instance, "deallocate", owner.knobs.deallocate)
    set_power(world, owner, instance, "deallocated", when)


def notified(owner: ScaleSet, instance: Instance, action: str) -> float:
    """Seconds for which an instance holds its new image up, having been told of it: all that it may."""
    profile = (instance.model.get("scheduledEventsProfile") or {}).get("osImageNotificationProfile") or {}
    holds = {"reimage": ("reimage",), "all": ("reimage", "upgrade"), "nothing": ()}[owner.knobs.notification_holds]
    asked = profile.get("enable") and action in holds and instance.power == "running"
    return upgrade_policy.seconds(str(profile.get("notBeforeTimeout") or "PT15M")) if asked else 0.0


def set_power(
    world: World, owner: ScaleSet, instance: Instance, goal: str, when: float, busy: str | None = None
) -> None:
    already = instance.power == goal
    instance.work += 1
    on_the_way = {"running": "starting", "stopped": "stopping", "deallocated": "deallocating"}[goal]
    world.change(owner, instance, provisioning="Updating", power=on_the_way, busy=busy)

    def done() -> None:
        world.change(owner, instance, provisioning="Succeeded", power=goal, busy=None, failure=None)
        if goal != "running":
            world.set_down_health(owner, instance)
        elif not already or instance.health != "healthy":
            world.start_health(owner, instance)

    world.later(instance, when, done)


def delete_instances(
    world: World, owner: ScaleSet, instance_ids: list[str] | None, *, kind: str = "action"
) -> Operation:
    instances = world.targets(owner, instance_ids)
    world.admit(owner, instances, kind)
    operation = world.begin(owner, "delete", kind, instances)
    owner.document.setdefault("sku", {})["capacity"] = max(0, owner.capacity - len(instances))
    _end_action(world, owner, operation, world.remove(owner, instances))
    return operation


def delete_set(world: World, owner: ScaleSet) -> Operation:
    if owner.rolling:
        world.refuse_busy(owner, "Delete Virtual Machine Scale Set")
    operation = world.begin(owner, "deleteSet", "action")
    operation.charge = len(owner.instances)
    owner.deleting = True

    def gone() -> None:
        world.finish(owner, operation)
        world.sets.pop((owner.resource_group.lower(), owner.name.lower()), None)

    world.at(world.remove(owner, list(owner.instances.values())) + 1, gone)
    return operation


def orchestrate(world: World, owner: ScaleSet, service: str, action: str) -> Operation:
    """setOrchestrationServiceState: `Suspend` or `Resume`."""
    beside = owner.knobs.orchestration_beside
    if beside:
        world.refuse_busy(owner)
    else:
        world.admit(owner, [])
    operation = world.begin(owner, "setOrchestrationServiceState", "service" if beside else "action")
    others = owner.running("action") if beside else []

    def done() -> None:
        if any(op.status == "InProgress" for op in others):
            world.at(world.now + 1, done)  # it ends with what ran when it came
            return
        owner.services[service] = "Suspended" if action == "Suspend" else "Running"
        world.finish(owner, operation)

    world.at(world.now + owner.knobs.orchestration.median, done)
    return operation


def protect(world: World, owner: ScaleSet, instance: Instance, scale_in: bool, actions: bool) -> Operation:
    world.admit(owner, [instance], "vm")
    if actions and not scale_in:
        raise ArmError(400, "BadRequest", "protectFromScaleIn must be true when protectFromScaleSetActions is true.")
    operation = world.begin(owner, "updateInstance", "vm", [instance])
    world.change(owner, instance, protect_scale_in=scale_in, protect_actions=actions)
    instance.etag += 1
    world.at(world.now + owner.knobs.noop.median, lambda: world.finish(owner, operation))
    return operation
