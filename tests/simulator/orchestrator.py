"""Azure's own orchestrator: rolls an OS image, extensions or a model through a set, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from . import actions, lifecycle_hooks, model, upgrade_policy
from .errors import ArmError
from .images import exact_reference, follows_latest, version_key
from .rolling_batches import Candidate, batch_size, exceeds, next_batch
from .rolling_upgrade import RollingUpgrade
from .scale_set import Operation

if TYPE_CHECKING:
    from .images import Resolved
    from .instance import Instance
    from .scale_set import ScaleSet
    from .world import World

UNHEALTHY = "Instance found to be unhealthy or unreachable."
NOT_LATEST = (
    "The OS Rolling Upgrade API cannot be used on a Virtual Machine Scale Set unless the Virtual Machine Scale Set has "
    "some unprotected instances which have imageReference.version set to latest."
)
# Simulated seconds between two looks at the health of a batch.
EVERY = 5


# Starting and cancelling.


def start_os(world: World, owner: ScaleSet, *, started_by: str = "User") -> RollingUpgrade:
    """osRollingUpgrade, or the same begun by the platform."""
    world.refuse_busy(owner, "osRollingUpgrade")
    members = _members(owner)
    storages = [i.model["storageProfile"] for i in members]
    if owner.knobs.rolling_needs_latest == "model":
        storages = [owner.profile["storageProfile"]] if members else []
    if not any(owner.knobs.rolling_needs_latest == "nothing" or follows_latest(s) for s in storages):
        raise _refusal(owner, NOT_LATEST)
    if owner.knobs.rolling_needs_health and model.health_source(owner.document) is None:
        raise _refusal(owner, upgrade_policy.HEALTH_REFUSALS["Rolling"])
    world.admit(owner, members)
    storage = owner.profile["storageProfile"]
    target = world.catalogue.resolve(storage, owner.document["location"])
    by_platform = started_by == "Platform"
    operation = world.begin(owner, "automaticOSUpgrade" if by_platform else "osRollingUpgrade", "rolling")
    automatic = upgrade_policy.automatic(owner.document)
    upgrade = RollingUpgrade(
        kind="os",
        started_by=started_by,
        policy=upgrade_policy.rolling(owner.document, by_platform=by_platform),
        operation=operation,
        started=world.now,
        pending=[i.instance_id for i in members],
        target=target,
        target_reference=exact_reference(storage, target),
        restores=by_platform and not automatic.get("disableAutomaticRollback"),
        approved=set() if by_platform and automatic.get("osRollingUpgradeDeferral") else None,
    )
    return _begin(world, owner, upgrade)


def start_extensions(world: World, owner: ScaleSet) -> RollingUpgrade:
    world.refuse_busy(owner, "extensionRollingUpgrade")
    members = _members(owner)
    world.admit(owner, members)
    operation = world.begin(owner, "extensionRollingUpgrade", "rolling")
    policy, pending = upgrade_policy.rolling(owner.document), [i.instance_id for i in members]
    return _begin(world, owner, RollingUpgrade("extension", "User", policy, operation, world.now, pending))


def start_model(world: World, owner: ScaleSet, operation: Operation) -> RollingUpgrade:
    """What a write does in mode Rolling: its operation ends with the upgrade."""
    policy = upgrade_policy.rolling(owner.document)
    pending = [i.instance_id for i in _members(owner) if i.generation != owner.generation]
    return _begin(world, owner, RollingUpgrade("model", "User", policy, operation, world.now, pending))


def _members(owner: ScaleSet) -> list[Instance]:
    return [i for i in owner.instances.values() if not i.protect_actions and not i.leaving]


def _refusal(owner: ScaleSet, message: str) -> ArmError:
    status, code = owner.knobs.rolling_refusal.split()
    return ArmError(int(status), code, message)


def _begin(world: World, owner: ScaleSet, upgrade: RollingUpgrade) -> RollingUpgrade:
    upgrade.last_action_time = world.now
    owner.upgrade = upgrade
    owner.upgrades.append(upgrade)
    world.recorder.rolling_upgrades.append((owner.name, upgrade))
    world.recorder.change(world.now, owner.name, "", "rolling upgrade", None, f"{upgrade.kind} by {upgrade.started_by}")
    wait = owner.knobs.rolling_prepare.draw(Random(f"{world.seed}/{owner.name}/prepare/{len(owner.upgrades)}"))
    world.at(world.now + wait, partial(_schedule, world, owner, upgrade))
    return upgrade


def cancel(world: World, owner: ScaleSet) -> Operation:
    """The batch under way is finished; what waits is not begun. Both operations end Succeeded."""
    upgrade = owner.upgrade
    if upgrade is None or not upgrade.running:
        if not owner.rolling or owner.rolling_latest is None:
            raise ArmError(409, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.")
        operation = world.begin(owner, "cancel", "cancel")
        owner.rolling_latest["runningStatus"] |= {"code": "Cancelled", "lastAction": "Cancel"}
        world.finish(owner, operation)
        return operation
    operation = world.begin(owner, "cancel", "cancel")
    upgrade.last_action, upgrade.last_action_time = "Cancel", world.now
    upgrade.cancellations.append(operation)
    if not upgrade.busy:
        _end(world, owner, upgrade, "Cancelled")
    return operation


def approve(world: World, owner: ScaleSet, instance_ids: list[str] | None) -> None:
    """Instances of a deferred upgrade may be upgraded; None means all of them."""
    upgrade = owner.upgrade
    if upgrade is None or not upgrade.running or upgrade.approved is None:
        raise ArmError(409, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to approve.")
    upgrade.approved.update(i.instance_id for i in world.targets(owner, instance_ids))
    if upgrade.awaiting_approval:
        world.at(world.now, partial(_next, world, owner, upgrade, upgrade.turn))


# Batch after batch.


def _schedule(world: World, owner: ScaleSet, upgrade: RollingUpgrade) -> None:
    """Before the first batch: the hook that may put the whole upgrade off."""
    if not upgrade.running:
        return
    if upgrade.started_by != "Platform":
        _next(world, owner, upgrade, upgrade.turn)
        return

    def decided(approved: list[str]) -> None:
        upgrade.hook_event = None
        if not upgrade.running:
            return
        if approved:
            _next(world, owner, upgrade, upgrade.turn)
        else:
            _end(world, owner, upgrade, "Cancelled")

    upgrade.hook_event = lifecycle_hooks.ask(world, owner, lifecycle_hooks.SCHEDULING, [], decided)


def _next(world: World, owner: ScaleSet, upgrade: RollingUpgrade, turn: int) -> None:
    if not upgrade.running or upgrade.turn != turn:
        return
    upgrade.turn += 1
    upgrade.awaiting_approval = []
    upgrade.pending = [key for key in upgrade.pending if key in owner.instances]
    if upgrade.cancellations:
        _end(world, owner, upgrade, "Cancelled")
    elif not upgrade.pending:
        _end(world, owner, upgrade, "Completed")
    elif not _fit_to_go_on(world, owner, upgrade):
        return
    else:
        batch = _choose(owner, upgrade)
        if not batch:
            upgrade.awaiting_approval = list(upgrade.pending)
            return
        _ask(world, owner, upgrade, batch)


def _choose(owner: ScaleSet, upgrade: RollingUpgrade) -> list[str]:
    waiting = [
        Candidate(i.instance_id, i.number, i.zone, i.domain[1], not i.unhealthy)
        for i in (owner.instances[key] for key in upgrade.pending)
        if upgrade.approved is None or i.instance_id in upgrade.approved
    ]
    there = _counted(owner)
    size = batch_size(len(there), int(upgrade.policy["maxBatchInstancePercent"]))
    batch = next_batch(waiting, size, upgrade.policy)
    if owner.knobs.rolling_batch_shrinks:
        elsewhere = sum(i.unhealthy for i in there if i.instance_id not in batch)
        batch = batch[: max(1, size - elsewhere)]
    return batch


def _counted(owner: ScaleSet) -> list[Instance]:
    return [i for i in owner.instances.values() if not i.leaving and not i.joining and i.power != "deallocated"]


def _fit_to_go_on(world: World, owner: ScaleSet, upgrade: RollingUpgrade) -> bool:
    there = _counted(owner)
    unhealthy = sum(i.unhealthy for i in there)
    limit = int(upgrade.policy["maxUnhealthyInstancePercent"])
    if not exceeds(unhealthy, len(there), limit):
        return True
    first = not upgrade.batches
    how = "failed due to exceeding" if first else "failed after exceeding"
    when = " before the Rolling Upgrade started" if first else ""
    upgrade.error = {
        "code": f"MaxUnhealthyInstancePercentExceeded{'Before' if first else 'In'}RollingUpgrade",
        "message": f"Rolling Upgrade {how} the MaxUnhealthyInstancePercent value defined in the RollingUpgradePolicy"
        f"{when}. {unhealthy * 100 // len(there)}% of instances are in an unhealthy state - more than the threshold of "
        f"{limit}%. To apply upgrades, consider increasing the MaxUnhealthyInstancePercent value.",
    }
    _fault(world, owner, upgrade)
    return False


def _ask(world: World, owner: ScaleSet, upgrade: RollingUpgrade, batch: list[str]) -> None:
    """The hook before a batch, which may take instances out of it."""

    def decided(approved: list[str]) -> None:
        upgrade.hook_event = None
        if not upgrade.running:
            return
        upgrade.rejected += [key for key in batch if key not in approved]
        upgrade.pending = [key for key in upgrade.pending if key not in batch]
        _batch(world, owner, upgrade, [key for key in batch if key in approved and key in owner.instances])

    if upgrade.started_by == "Platform":
        upgrade.hook_event = lifecycle_hooks.ask(world, owner, lifecycle_hooks.BATCH, batch, decided)
    else:
        decided(batch)


def _batch(world: World, owner: ScaleSet, upgrade: RollingUpgrade, batch: list[str]) -> None:
    upgrade.busy, upgrade.in_progress = True, batch
    upgrade.batches.append(batch)
    instances = [owner.instances[key] for key in batch]
    working = [i for i in instances if _behind(owner, upgrade, i)]
    surge = upgrade.policy.get("maxSurge") and upgrade.kind != "extension" and owner.knobs.surge_quota
    if not working:
        wait = owner.knobs.rolling_noop.draw(Random(f"{world.seed}/{owner.name}/noop/{world.now}"))
        world.at(world.now + wait, partial(_judge, world, owner, upgrade, []))
    elif surge:
        end = world.create(owner, len(working))
        new = list(owner.instances.values())[-len(working) :]
        judge = partial(_surged, world, owner, upgrade, [i.instance_id for i in working], new)
        world.at(end, partial(_wait, world, owner, new, end, judge))
    else:
        before = world.recorder.before(owner)
        upgrade.worked_on += [i.instance_id for i in working]
        upgrade.previous |= {i.instance_id: actions.Previous.of(i) for i in working}
        end = max(_work(world, owner, upgrade, i) for i in working)
        world.recorder.accept(world.now, owner, f"rolling {upgrade.kind} upgrade", working, before, "Azure")
        judge = partial(_judge, world, owner, upgrade, [i.instance_id for i in working])
        world.at(end, partial(_wait, world, owner, working, end, judge))


def _behind(owner: ScaleSet, upgrade: RollingUpgrade, instance: Instance) -> bool:
    """Whether there is anything to do: an instance newer than the target is left alone."""
    if upgrade.kind == "model":
        return instance.generation != owner.generation
    if upgrade.kind == "extension":
        return instance.power != "deallocated"
    target: Resolved | None = upgrade.target
    if target is None or target.identity != instance.image.identity:
        return True
    return version_key(instance.image.exact or "") < version_key(target.exact or "")


def _work(world: World, owner: ScaleSet, upgrade: RollingUpgrade, instance: Instance) -> float:
    if upgrade.kind == "extension":
        return actions.update_extensions(world, owner, instance, upgrade.operation)
    if upgrade.target is not None:
        return actions.replace_image(world, owner, instance, upgrade.operation, upgrade.target)
    return actions.upgrade_one(world, owner, instance, upgrade.operation)


def _wait(world: World, owner: ScaleSet, instances: list[Instance], end: float, then: Callable[[], None]) -> None:
    """Until all are healthy, or for so long as Azure waits; longer for those that still initialize."""
    waited = world.now - end
    sick = [i for i in instances if not i.gone and i.power != "deallocated" and not i.available]
    patience = owner.knobs.rolling_health_wait
    starting = [i for i in sick if i.health == "initializing" and i.provisioning == "Succeeded"]
    hopeless = bool(sick) and all(i.provisioning == "Failed" for i in sick)
    if not sick or hopeless or (waited >= patience and not (starting and waited < _grace(owner))):
        then()
    else:
        world.at(world.now + EVERY, partial(_wait, world, owner, instances, end, then))


def _grace(owner: ScaleSet) -> float:
    for extension in model.profile_of(owner.document).get("extensionProfile", {}).get("extensions", []):
        grace = (extension.get("properties", {}).get("settings") or {}).get("gracePeriod")
        if isinstance(grace, int):
            return float(grace)
    return 0.0


def _surged(world: World, owner: ScaleSet, upgrade: RollingUpgrade, working: list[str], new: list[Instance]) -> None:
    """The new instances stand in for the old ones, or go again where one of them is not healthy."""
    upgrade.worked_on += working
    if all(i.available for i in new):
        world.remove(owner, [owner.instances[key] for key in working if key in owner.instances])
    else:
        upgrade.failed += working
        world.remove(owner, [i for i in new if not i.gone])
    _judge(world, owner, upgrade, working)


def _judge(world: World, owner: ScaleSet, upgrade: RollingUpgrade, worked_on: list[str]) -> None:
    """After a batch: who failed, what is restored, and whether the upgrade goes on."""
    there = [key for key in upgrade.in_progress if key in owner.instances]
    failed = [key for key in worked_on if key in owner.instances and owner.instances[key].unhealthy]
    upgrade.failed += [key for key in failed if key not in upgrade.failed]
    upgrade.successful += [key for key in there if key not in upgrade.failed]
    upgrade.in_progress = []
    upgrade.error = _too_many_failed(owner, upgrade) or upgrade.error
    on_breach = upgrade.policy.get("rollbackFailedInstancesOnPolicyBreach") and upgrade.kind != "extension"
    if upgrade.error and on_breach and not owner.flexible and not upgrade.restores:
        upgrade.code = "RollingBack"
        _restore(world, owner, upgrade, [key for key in upgrade.failed if key in owner.instances])
    elif upgrade.restores and failed:
        _restore(world, owner, upgrade, failed)
    else:
        _go_on(world, owner, upgrade)


def _too_many_failed(owner: ScaleSet, upgrade: RollingUpgrade) -> dict[str, str] | None:
    limit = int(upgrade.policy["maxUnhealthyUpgradedInstancePercent"])
    upgraded, there = upgrade.worked_on, owner.instances
    sick = [key for key in upgraded if key in upgrade.failed or (key in there and there[key].unhealthy)]
    if not exceeds(len(sick), len(upgraded), limit):
        return None
    first = owner.instances.get(sick[0])
    inner = (first.failure or {}).get("message", UNHEALTHY) if first is not None else UNHEALTHY
    return {
        "code": "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
        "message": "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in "
        f"the RollingUpgradePolicy. {len(sick) * 100 // len(upgraded)}% of instances are in an unhealthy state after "
        f"being upgraded - more than the threshold of {limit}%. The most impactful error is: {inner}. First failed "
        f"instance ID is: {sick[0]}.",
    }


def _restore(world: World, owner: ScaleSet, upgrade: RollingUpgrade, failed: list[str]) -> None:
    """The previous OS disks come back."""
    instances = [owner.instances[key] for key in failed if key in upgrade.previous]
    ends = [actions.restore(world, owner, i, upgrade.operation, upgrade.previous[i.instance_id]) for i in instances]

    def restored() -> None:
        good = sum(i.available for i in instances)
        upgrade.restored += good
        upgrade.restore_failed += len(instances) - good
        _go_on(world, owner, upgrade)

    end = max(ends, default=world.now)
    world.at(end, partial(_wait, world, owner, instances, end, restored))


def _go_on(world: World, owner: ScaleSet, upgrade: RollingUpgrade) -> None:
    upgrade.busy = False
    if upgrade.error:
        _fault(world, owner, upgrade)
        return
    pause = upgrade_policy.seconds(str(upgrade.policy["pauseTimeBetweenBatches"])) if upgrade.pending else 0.0
    if upgrade.cancellations:
        pause = 0.0
    world.at(world.now + pause, partial(_next, world, owner, upgrade, upgrade.turn))


def _fault(world: World, owner: ScaleSet, upgrade: RollingUpgrade) -> None:
    _end(world, owner, upgrade, "Faulted", dict(upgrade.error or {}))


def _end(
    world: World, owner: ScaleSet, upgrade: RollingUpgrade, code: str, error: dict[str, Any] | None = None
) -> None:
    upgrade.code, upgrade.ended, upgrade.busy, upgrade.awaiting_approval = code, world.now, False, []
    lifecycle_hooks.close(owner, upgrade.hook_event)
    world.recorder.change(world.now, owner.name, "", "rolling upgrade", "RollingForward", code)
    for operation in upgrade.cancellations:
        world.finish(owner, operation)
    world.finish(owner, upgrade.operation, error)
    if owner.knobs.rolling_start_moves and upgrade.kind == "os":
        upgrade.operation.started = world.now
