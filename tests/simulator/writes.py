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


def write(
    world: World,
    owner: ScaleSet,
    document: dict[str, Any],
    name: str = "write",
    *,
    creating: float | None = None,
    ends_after: float | None = None,
) -> Operation:
    """Store a whole new document. A running write is preempted by a newer one; a running action refuses it.

    New instances take `creating` seconds; the write ends after `ends_after`, also where they are not there yet.
    """
    world.refuse_busy(owner)
    if owner.running("action"):
        raise conflict()
    old = owner.document
    knobs = owner.knobs
    model.check(old, document, world.catalogue, knobs)
    new_generation, new_model = _begins(owner, old, document)
    if new_model and len(owner.models()) >= knobs.model_limit:
        raise ArmError(
            400,
            "BadRequest",
            f"Virtual Machine Scale Set '{owner.name}' has reached its limit of {knobs.model_limit} models "
            "that may be referenced by one or more VMs belonging to the Virtual Machine Scale Set. Upgrade the VMs "
            "to the latest model of the Virtual Machine Scale Set before trying again.",
        )
    written = world.recorder.wrote(world.now, owner, name, world.by, document, world.client)
    for running in owner.running("write"):
        world.finish(owner, running, PREEMPTED, "Canceled")
    owner.document = document
    owner.etag += 1
    owner.generation += new_generation
    if new_generation and not new_model:
        last = owner.generation - 1
        owner.same_model[owner.generation] = owner.same_model.get(last, last)
    repairs.watch(world, owner)
    automatic_upgrades.watch(world, owner, enabled_now=not upgrade_policy.automatic(old))
    operation = world.begin(owner, name, "write")
    end = world.now + knobs.write.draw(Random(f"{world.seed}/{owner.name}/write/{owner.etag}"))
    end = max(end, _scale(world, owner, creating))
    if ends_after is not None:
        end = world.now + ends_after
    changed = old["properties"].get("virtualMachineProfile") != document["properties"].get("virtualMachineProfile")
    moved = upgrade_policy.of(old).get("mode", "Manual") != owner.mode
    any_write = new_generation and owner.mode == "Automatic" and knobs.automatic_acts_on == "any"
    if changed or any_write or (moved and knobs.mode_change_acts):
        if owner.mode == "Automatic":
            end = max(end, _upgrade_all(world, owner, list(owner.instances.values()), operation))
            written["upgraded"] = list(operation.instance_ids)
        elif owner.mode == "Rolling":
            orchestrator.start_model(world, owner, operation)
            return operation
    world.at(end, partial(_end_write, world, owner, operation))
    return operation


def _end_write(world: World, owner: ScaleSet, operation: Operation) -> None:
    if owner.knobs.failed_instance_fails_write:
        operation.instance_ids += [key for key in owner.instances if key not in operation.instance_ids]
    world.finish(owner, operation, actions.errors(owner, operation))


def _begins(owner: ScaleSet, old: dict[str, Any], new: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the write begins a generation (no instance has applied it), and a model that counts against the limit."""
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if changed == {"tags"}:
        return True, owner.knobs.tags_write_is_a_model
    if changed == {"sku"}:
        bare = [{k: v for k, v in (d.get("sku") or {}).items() if k != "capacity"} for d in (old, new)]
        costs = owner.knobs.capacity_costs_generation or bare[0] != bare[1]
        return costs, costs
    return True, True


def _scale(world: World, owner: ScaleSet, creating: float | None = None) -> float:
    there = [i for i in owner.instances.values() if not i.leaving]
    missing = owner.capacity - len(there)
    if missing > 0:
        extra = owner.knobs.overprovision_extra
        end = world.create(owner, missing + extra, creating)
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
