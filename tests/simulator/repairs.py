"""Automatic repairs: an instance unhealthy for longer than the grace period is replaced, reimaged or restarted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import actions
from .upgrade_policy import seconds

if TYPE_CHECKING:
    from .instance import Instance
    from .scale_set import ScaleSet
    from .world import World

# Simulated seconds between two looks at a set's health.
EVERY = 30
# Azure repairs so many percent of a set at once, at least one instance.
AT_ONCE = 5


def watch(world: World, owner: ScaleSet) -> None:
    """Look from now on, where the policy is on and nobody looks yet."""
    if owner.repairs_enabled and not owner.repairs_watched:
        owner.repairs_watched = True
        world.at(world.now + EVERY, partial(_look, world, owner))


def _look(world: World, owner: ScaleSet) -> None:
    owner.repairs_watched = False
    if owner.deleting:
        return
    if owner.service_states().get("AutomaticRepairs") == "Running" and not owner.rolling:
        grace = seconds(str(owner.repairs_policy.get("gracePeriod", "PT10M")))
        sick = [i for i in owner.instances.values() if _sick_since(i) is not None]
        due = [i for i in sick if world.now - (_sick_since(i) or 0.0) > grace]
        for instance in due[: max(1, len(owner.instances) * AT_ONCE // 100)]:
            _repair(world, owner, instance)
    watch(world, owner)


def _sick_since(instance: Instance) -> float | None:
    """The grace period begins anew with each change of the instance's state."""
    settled = instance.provisioning in ("Succeeded", "Failed") and not (instance.busy or instance.leaving)
    if not settled or instance.health != "unhealthy" or instance.power != "running" or instance.protect_actions:
        return None
    return max(instance.health_time, instance.provisioning_time)


def _repair(world: World, owner: ScaleSet, instance: Instance) -> None:
    action = str(owner.repairs_policy.get("repairAction", "Replace"))
    world.recorder.repaired(world.now, owner.name, instance.instance_id, action)
    if action == "Replace":
        world.remove(owner, [instance])
        world.create(owner, 1)
        return
    operation = world.begin(owner, f"repair by {action}", "repair", [instance])
    if action == "Reimage":
        end = actions.repair(world, owner, instance, operation)
    else:
        end = world.now + owner.knobs.restart.median
        actions.set_power(world, owner, instance, "running", end, operation.id)
    world.at(end, partial(world.finish, owner, operation))
