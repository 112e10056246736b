"""Automatic OS upgrades: the platform starts a rolling upgrade some time after a newer image has appeared."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

from . import orchestrator, upgrade_policy
from .errors import ArmError
from .images import follows_latest, version_key

if TYPE_CHECKING:
    from .scale_set import ScaleSet
    from .world import World

# Simulated seconds until the next try where something else is under way on the set.
BUSY_RETRY = 60


def watch(world: World, owner: ScaleSet, *, enabled_now: bool = False) -> None:
    """Where automatic OS upgrades are on and an instance is behind: the platform comes, later the first time."""
    if not upgrade_policy.automatic(owner.document) or owner.automatic_due is not None or not wanted(world, owner):
        return
    delay = owner.knobs.automatic_first_delay if enabled_now else owner.knobs.automatic_delay
    count = len(owner.upgrades)
    _at(world, owner, world.now + delay.draw(Random(f"{world.seed}/{owner.name}/automatic/{count}")))


def _at(world: World, owner: ScaleSet, when: float) -> None:
    owner.automatic_due = when
    world.at(when, partial(_come, world, owner))


def wanted(world: World, owner: ScaleSet) -> str | None:
    """The image that the platform would roll now; None where no instance is behind, or it has tried that before."""
    storage = owner.profile.get("storageProfile") or {}
    if not follows_latest(storage):
        return None
    try:
        target = world.catalogue.resolve(storage, owner.document["location"])
    except ArmError:
        return None
    if target.text() in owner.automatic_tried:
        return None
    behind = [
        i
        for i in owner.instances.values()
        if not i.protect_actions
        and i.image.identity == target.identity
        and version_key(i.image.exact or "") < version_key(target.exact or "")
    ]
    return target.text() if behind else None


def _come(world: World, owner: ScaleSet) -> None:
    owner.automatic_due = None
    target = wanted(world, owner)
    if owner.deleting or target is None or not upgrade_policy.automatic(owner.document):
        return
    try:
        orchestrator.start_os(world, owner, started_by="Platform")
    except ArmError as refused:
        if owner.rolling or refused.code == "Conflict":
            _at(world, owner, world.now + BUSY_RETRY)
        return
    owner.automatic_tried.add(target)
