"""What may happen to the simulated world by another client, at a time of the scenario or by POST /_simulator/events."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from . import actions, automatic_upgrades, model, upgrade_policy, writes
from .errors import PREEMPTED, ArmError, conflict
from .images import GalleryVersion, Resolved
from .instance import Shown

if TYPE_CHECKING:
    from .instance import Instance
    from .scale_set import ScaleSet
    from .world import World


class EventError(ValueError):
    """The event names something that is not there, or lacks a member."""


def _set(world: World, event: dict[str, Any]) -> ScaleSet:
    name = event.get("scale_set")
    found = [owner for owner in world.sets.values() if name in (None, owner.name)]
    if len(found) != 1:
        raise EventError(
            f"scale_set: {name!r} names {len(found)} scale sets; there are {[s.name for s in world.sets.values()]}"
        )
    return found[0]


def _instances(world: World, event: dict[str, Any]) -> tuple[ScaleSet, list[Instance]]:
    """`instance: "3"`, `instances: ["3", "4"]`, or `pick: 7`: the eighth of those there are then, counted round."""
    owner = _set(world, event)
    if "pick" in event:
        there = [i for i in owner.instances.values() if not i.leaving]
        return owner, [there[int(event["pick"]) % len(there)]] if there else []
    names = [str(name) for name in event.get("instances", [event.get("instance")])]
    missing = [name for name in names if name not in owner.instances]
    if missing:
        raise EventError(f"instance: {owner.name} has no {missing}; it has {list(owner.instances)}")
    return owner, [owner.instances[name] for name in names]


def _scale(world: World, event: dict[str, Any]) -> None:
    """`creating`: the new instances take so many seconds; `ends_after`: the write is over by then all the same."""
    owner = _set(world, event)
    document = copy.deepcopy(owner.document)
    document["sku"]["capacity"] = int(event["capacity"])
    creating, ends_after = (float(event[key]) if key in event else None for key in ("creating", "ends_after"))
    writes.write(world, owner, document, "autoscale", creating=creating, ends_after=ends_after)


def _write(world: World, event: dict[str, Any]) -> None:
    """`patch` is merged: whoever writes knows what is there."""
    owner = _set(world, event)
    merging = dataclasses.replace(owner.knobs, patch_tags="merge", patch_os_disk="merge")
    writes.write(world, owner, model.patched(owner.document, event["patch"], merging), "write")
    world.recorder.change(world.now, owner.name, "", "written by another client", None, event["patch"])


def _publish(world: World, event: dict[str, Any]) -> None:
    """A new version of a platform image (publisher, offer, sku) or of a gallery image (gallery, image).

    One that a gallery image has already is changed: where it is replicated, and whether `latest` may mean it.
    """
    version = str(event["version"])
    if "gallery" in event:
        image = world.catalogue.gallery_image(event.get("family", "gallery"), event["gallery"], event["image"])
        if image is None:
            raise EventError(f"there is no image {event['image']!r} in gallery {event['gallery']!r}")
        regions = list(event.get("regions") or (image.versions[-1].regions if image.versions else []))
        image.versions[:] = [known for known in image.versions if known.version != version]
        image.versions.append(
            GalleryVersion(
                version, regions, bool(event.get("exclude_from_latest")), event.get("state", "Succeeded"), world.now
            )
        )
        _noticed(world)
        return
    platform = world.catalogue.platform_image(event["publisher"], event["offer"], event["sku"])
    if platform is None:
        raise EventError(f"there is no platform image {event['publisher']}:{event['offer']}:{event['sku']}")
    if version not in platform.versions:
        platform.versions.append(version)
    _noticed(world)


def _noticed(world: World) -> None:
    for owner in world.sets.values():
        automatic_upgrades.watch(world, owner)


def _remove(world: World, event: dict[str, Any]) -> None:
    """Instances vanish: an eviction (capacity stays) or, with `scale_in: true`, a scale-in."""
    owner, instances = _instances(world, event)
    if event.get("scale_in"):
        owner.document["sku"]["capacity"] = owner.capacity - len(instances)
        owner.etag += 1
    world.remove(owner, instances, float(event.get("seconds", 0)))


def _fail(world: World, event: dict[str, Any]) -> None:
    owner, instances = _instances(world, event)
    for instance in instances:
        failure = {
            "code": event.get("code", "InternalExecutionError"),
            "message": event.get("message", "An internal execution error occurred."),
        }
        instance.work += 1
        world.change(owner, instance, provisioning="Failed", failure=failure, busy=None)


def _unhealthy(world: World, event: dict[str, Any]) -> None:
    owner, instances = _instances(world, event)
    for instance in instances:
        instance.old_health = None
        world.change(owner, instance, health="unhealthy")


def _healthy(world: World, event: dict[str, Any]) -> None:
    owner, instances = _instances(world, event)
    for instance in instances:
        world.change(owner, instance, health="healthy", joining=False)


def _power(world: World, event: dict[str, Any]) -> None:
    """`power: running | stopped | deallocated`, at once."""
    owner, instances = _instances(world, event)
    for instance in instances:
        actions.set_power(world, owner, instance, event["power"], world.now + float(event.get("seconds", 0)))


def _disk(world: World, event: dict[str, Any]) -> None:
    """The instance runs another version without anybody's upgrade (an earlier rollout, another client)."""
    owner, instances = _instances(world, event)
    for instance in instances:
        old = instance.image
        world.change(owner, instance, image=Resolved(old.kind, old.identity, str(event["version"]), old.os, old.plan))


def _preempt(world: World, event: dict[str, Any]) -> None:
    """What runs on the set ends Canceled, as if something newer had come; the instances go on."""
    owner = _set(world, event)
    for operation in (*owner.running("write"), *owner.running("action")):
        world.finish(owner, operation, PREEMPTED, "Canceled")


def _show(world: World, event: dict[str, Any]) -> None:
    """For `seconds` Azure shows other words for an instance: `provisioning`, `power`, `health`. The truth stays."""
    _owner, instances = _instances(world, event)
    words = {what: str(event[what]) for what in ("provisioning", "power", "health") if what in event}
    for instance in instances:
        instance.other_words = Shown(words, world.now + float(event["seconds"]))


def _rolling(world: World, event: dict[str, Any]) -> None:
    """Azure itself rolls something through the set for `seconds`: it refuses all else, and touches no disk."""
    owner = _set(world, event)
    world.refuse_busy(owner, "rolling upgrade")
    began = f"{world.timestamp(world.now):%FT%T}.0000000+00:00"
    status = {"lastAction": "Start", "lastActionTime": began, "code": "RollingForward", "startTime": began}
    counts = dict.fromkeys(("successfulInstanceCount", "failedInstanceCount", "inProgressInstanceCount"), 0)
    latest = {
        "policy": upgrade_policy.rolling(owner.document),
        "runningStatus": status,
        "progress": {**counts, "pendingInstanceCount": len(owner.instances)},
    }
    owner.rolling_latest, owner.upgrade = latest, None

    def end() -> None:
        if owner.rolling_latest is latest and status["code"] == "RollingForward":
            status["code"] = "Completed"
            latest["progress"] = {**counts, "successfulInstanceCount": len(owner.instances), "pendingInstanceCount": 0}

    world.at(world.now + float(event["seconds"]), end)


def _mend(world: World, _event: dict[str, Any]) -> None:
    """What made instances fail is put right: no instance fault strikes any more."""
    world.instance_faults.clear()


def _policy(world: World, event: dict[str, Any]) -> None:
    """Azure Policy adds `extension` where there is none of its name, and `tags`."""
    owner = _set(world, event)
    document = copy.deepcopy(owner.document)
    document["tags"] = {**document.get("tags", {}), **event.get("tags", {})}
    extension = event.get("extension")
    if extension:
        there = model.profile_of(document).setdefault("extensionProfile", {}).setdefault("extensions", [])
        if all(one["name"] != extension["name"] for one in there):
            there.append(copy.deepcopy(extension))
    writes.write(world, owner, document, "Azure Policy")


def _service(world: World, event: dict[str, Any]) -> None:
    """An orchestration service is suspended or resumed: `service`, `action: Suspend | Resume`."""
    actions.orchestrate(world, _set(world, event), event.get("service", "AutomaticRepairs"), event["action"])


def _protect(world: World, event: dict[str, Any]) -> None:
    """`scale_in` and `actions`, both true where left out."""
    owner, instances = _instances(world, event)
    for instance in instances:
        everything = bool(event.get("actions", True))
        actions.protect(world, owner, instance, bool(event.get("scale_in", True)), everything)


def _work(world: World, event: dict[str, Any]) -> None:
    """Another client works on instances for `seconds`; then they are as `ends` says: Succeeded, Failed, Canceled."""
    owner, instances = _instances(world, event)
    world.refuse_busy(owner)
    if any(instance.busy for instance in instances):
        raise conflict(len(instances))
    ends = str(event.get("ends", "Succeeded"))
    failure = {"code": event.get("code", "InternalExecutionError"), "message": event.get("message", "It failed.")}

    def end(instance: Instance) -> None:
        world.change(owner, instance, provisioning=ends, busy=None, failure=failure if ends == "Failed" else None)

    for instance in instances:
        instance.work += 1
        world.change(owner, instance, provisioning="Updating", busy="another client")
        world.later(instance, world.now + float(event["seconds"]), partial(end, instance))


def _canceled(world: World, event: dict[str, Any]) -> None:
    """What was done to instances is cancelled half way: provisioning state Canceled, and nobody works on them."""
    owner, instances = _instances(world, event)
    for instance in instances:
        instance.work += 1
        power = "running" if instance.power != "deallocated" else instance.power
        world.change(owner, instance, provisioning="Canceled", power=power, busy=None)


def _attach(world: World, event: dict[str, Any]) -> None:
    """A VM made elsewhere joins a Flexible set: of another `image`, or without one, of a disk of its own."""
    owner = _set(world, event)
    if not owner.flexible:
        raise EventError(f"attach: {owner.name} is no Flexible scale set")
    instance = world.attach(owner, event.get("image"), event.get("name"))
    owner.document["sku"]["capacity"] = owner.capacity + 1
    owner.etag += 1
    world.recorder.change(world.now, owner.name, instance.instance_id, "exists", False, True)
    world.start_health(owner, instance)


def _upgrade(world: World, event: dict[str, Any]) -> None:
    """Another client brings instances to the model."""
    owner, instances = _instances(world, event)
    actions.upgrade(world, owner, [instance.instance_id for instance in instances])


def _quiet(world: World, _event: dict[str, Any]) -> None:
    """From now on nothing comes that was scheduled."""
    world.quiet = True


EVENTS: dict[str, Callable[[World, dict[str, Any]], None]] = {
    "scale": _scale,
    "write": _write,
    "publish": _publish,
    "remove": _remove,
    "fail": _fail,
    "unhealthy": _unhealthy,
    "healthy": _healthy,
    "power": _power,
    "running_version": _disk,
    "preempt": _preempt,
    "show": _show,
    "rolling_upgrade": _rolling,
    "mend": _mend,
    "quiet": _quiet,
    "policy": _policy,
    "service": _service,
    "protect": _protect,
    "work": _work,
    "canceled": _canceled,
    "attach": _attach,
    "upgrade": _upgrade,
}


def occur(world: World, event: dict[str, Any]) -> None:
    """An event that was scheduled; `{"do": "quiet"}` has called it off."""
    if not world.quiet:
        trigger(world, event)


def trigger(world: World, event: dict[str, Any]) -> None:
    """`{"do": "scale", "scale_set": "web", "capacity": 5}`. Where Azure refuses, the other client has lost, or tries
    again `retry` seconds later.
    """
    name = event.get("do", "")
    if name in world.hooks:
        world.hooks[name](event)
        return
    if name not in EVENTS:
        raise EventError(f"do: {name!r} is none of {', '.join(sorted([*EVENTS, *world.hooks]))}")
    acting, world.by = world.by, "another client"
    named: list[Instance] = []
    try:
        if {"pick", "instance", "instances"} & event.keys():
            named = _instances(world, event)[1]  # before the event, for it may take them away
        EVENTS[name](world, event)
        world.recorder.happened(world.now, event, [instance.instance_id for instance in named])
    except KeyError as missing:
        raise EventError(f"{name}: {missing.args[0]} is missing") from missing
    except ArmError as refused:
        world.recorder.change(world.now, str(event.get("scale_set", "")), "", f"{name} refused", None, str(refused))
        if "retry" in event:
            world.at(world.now + float(event["retry"]), partial(occur, world, event))
    finally:
        world.by = acting
