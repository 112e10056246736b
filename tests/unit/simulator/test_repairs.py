"""Automatic repairs, and the rolling upgrades that Azure starts by itself."""

from __future__ import annotations

from typing import Any

import pytest
from simulator import actions, events
from simulator.errors import ArmError
from simulator.scale_set import ScaleSet
from simulator.world import World

from .test_world import scenario

SICK = {"do": "unhealthy", "instance": "2"}


def sick(**policy: Any) -> tuple[World, ScaleSet]:
    world = scenario(automatic_repairs=policy or True).world
    owner = world.find("rg", "web")
    assert owner is not None
    events.trigger(world, SICK)
    return world, owner


def repaired(world: World) -> dict[str, int]:
    return dict(world.recorder.repairs.get("web", {}))


def test_an_instance_is_replaced_once_the_grace_period_is_over() -> None:
    world, owner = sick()
    world.advance(590)
    assert repaired(world) == {}
    world.advance(720)
    assert repaired(world) == {"2": 1}
    assert sorted(owner.instances) == ["0", "1", "3", "4", "5"]
    assert owner.capacity == 5
    assert all(i.available for i in owner.instances.values())


@pytest.mark.parametrize("action", ["Reimage", "Restart"])
def test_an_instance_is_repaired_in_place(action: str) -> None:
    world, owner = sick(repairAction=action, gracePeriod="PT20M")
    disk = owner.instances["2"].os_disk
    world.advance(1190)
    assert repaired(world) == {}
    world.advance(1400)
    assert repaired(world) == {"2": 1}
    assert owner.instances["2"].available
    assert (owner.instances["2"].os_disk != disk) == (action == "Reimage")
    assert world.recorder.disks_replaced == {}, "a repair is nobody's upgrade"


def test_suspended_repairs_repair_nothing_until_they_are_resumed() -> None:
    world, owner = sick()
    actions.orchestrate(world, owner, "AutomaticRepairs", "Suspend")
    world.advance(5000)
    assert owner.service_states() == {"AutomaticRepairs": "Suspended"}
    assert repaired(world) == {}
    actions.orchestrate(world, owner, "AutomaticRepairs", "Resume")
    world.advance(5100)
    assert repaired(world) == {"2": 1}


def test_without_a_policy_nothing_is_repaired_and_nothing_is_shown() -> None:
    world = scenario().world
    events.trigger(world, SICK)
    world.advance(5000)
    assert repaired(world) == {}
    assert [owner.service_states() for owner in world.sets.values()] == [{}]


def test_zone_balancing_is_a_service_too() -> None:
    policy = {"automaticZoneRebalancingPolicy": {"enabled": True}}
    world = scenario(properties={"resiliencyPolicy": policy}).world
    assert [owner.service_states() for owner in world.sets.values()] == [{"AutomaticZoneRebalancing": "Running"}]


def test_a_rolling_upgrade_of_azure_refuses_all_else_while_it_runs() -> None:
    world = scenario().world
    owner = world.find("rg", "web")
    assert owner is not None
    events.trigger(world, {"do": "rolling_upgrade", "seconds": 60})
    with pytest.raises(ArmError, match="Rolling Upgrade is in progress"):
        actions.upgrade(world, owner, ["0"])
    world.advance(61)
    actions.upgrade(world, owner, ["0"])


def test_a_batch_tells_what_its_client_could_know() -> None:
    world = scenario(10).world
    owner = world.find("rg", "web")
    assert owner is not None
    owner.generation += 1
    events.trigger(world, {**SICK, "instance": "7"})
    world.recorder.read(world.now, owner)
    events.trigger(world, {**SICK, "instance": "8"})
    actions.upgrade(world, owner, ["0", "7"])
    [batch] = [batch.as_dict() for batch in world.recorder.batches]
    assert (batch["there_then"], batch["down_already"], batch["taken_down"]) == (10, ["7"], ["0"])
    assert batch["unavailable_when_accepted"] == 3
