"""Writing a scale set's model: preemption, generations, scaling, and the modes that act on a write."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from . import actions, automatic_upgrades, model, orchestrator, repairs, upgrade_policy
from .errors import PREEMPTED, ArmError, conflict
from .instance import Instance
from .scale_set import Operation, ScaleSet

if TYPE_CHECKING:
    from .world import World


def write(world: World, owner: ScaleSet, document: dict[str, Any], name: str = "write") -> Operation:
    """Store a whole new document. A running write is preempted by a newer one; a running action refuses it."""
    world.refuse_busy(owner)
    if owner.running("action"):
        raise conflict()
    old = owner.document
    knobs = owner.knobs
    model.check(old, document, world.catalogue, knobs)
    new_generation = _costs_generation(owner, old, document)
    if new_generation:
        used = {instance.generation for instance in owner.instances.values()}
        if len(used) >= knobs.model_limit:
            raise ArmError(
                400,
                "BadRequest",
                f"Virtual Machine Scale Set '{owner.name}' has reached its limit of {knobs.model_limit} models "
                "that may be referenced by one or more VMs belonging to the Virtual Machine Scale Set. Upgrade the VMs "
                "to the latest model of the Virtual Machine Scale Set before trying again.",
            )
    for running in owner.running("write"):
        world.finish(owner, running, PREEMPTED, "Canceled")
    owner.document = document
    owner.etag += 1
    owner.generation += new_generation
    repairs.watch(world, owner)
    automatic_upgrades.watch(world, owner, enabled_now=not upgrade_policy.automatic(old))
    operation = world.begin(owner, name, "write")
    end = world.now + knobs.write.draw(Random(f"{world.seed}/{owner.name}/write/{owner.etag}"))
    end = max(end, _scale(world, owner))
    changed = old["properties"].get("virtualMachineProfile") != document["properties"].get("virtualMachineProfile")
    moved = upgrade_policy.of(old).get("mode", "Manual") != owner.mode
    if changed or (moved and knobs.mode_change_acts):
        if owner.mode == "Automatic":
            end = max(end, _upgrade_all(world, owner, list(owner.instances.values()), operation))
        elif owner.mode == "Rolling":
            orchestrator.start_model(world, owner, operation)
            return operation
    world.at(end, partial(_end_write, world, owner, operation))
    return operation


def _end_write(world: World, owner: ScaleSet, operation: Operation) -> None:
    if owner.knobs.failed_instance_fails_write:
        operation.instance_ids += [key for key in owner.instances if key not in operation.instance_ids]
    world.finish(owner, operation, actions.errors(owner, operation))


def _costs_generation(owner: ScaleSet, old: dict[str, Any], new: dict[str, Any]) -> bool:
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if changed == {"tags"}:
        return owner.knobs.tags_cost_generation
    if changed == {"sku"}:
        bare = [{k: v for k, v in (d.get("sku") or {}).items() if k != "capacity"} for d in (old, new)]
        return owner.knobs.capacity_costs_generation or bare[0] != bare[1]
    return True


def _scale(world: World, owner: ScaleSet) -> float:
    there = [i for i in owner.instances.values() if not i.leaving]
    missing = owner.capacity - len(there)
    if missing > 0:
        extra = owner.knobs.overprovision_extra
        end = world.create(owner, missing + extra)
        if extra:
            surplus = list(owner.instances.values())[-extra:]
            world.at(end, partial(world.remove, owner, surplus))
        return end
    if missing < 0:
        removable = [i for i in there if not i.protect_scale_in]
        return world.remove(owner, sorted(removable, key=lambda i: i.number)[missing:])
    return world.now


def _upgrade_all(world: World, owner: ScaleSet, instances: list[Instance], operation: Operation) -> float:
    live = [i for i in instances if not i.gone and not i.leaving and not i.busy]
    return max((actions.upgrade_one(world, owner, i, operation) for i in live), default=world.now)
