# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approval of an automatic OS upgrade that Azure defers until somebody approves it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._arm import operations
from .._arm.client import Azure, Clock
from .._arm.errors import AzureError
from .._facts import catalogue, domains, problems
from .._facts.domains import Selection
from .._facts.scale_set import ScaleSet
from .._journal import Journal
from .._options import DeferredUpgradeRequest
from .._orchestrator.observation import OS, Watch

_RETRYABLE = (problems.CONFLICT, problems.THROTTLED)
# Azure's words for it are not known: where nothing runs, nothing waits. What else it does not allow is a failure.
_NOT_ALLOWED = "operationnotallowed"


@dataclass(frozen=True)
class Approval:
    """`approved`: the instances that were named to Azure. `current`: those that run the newest version already."""

    approved: tuple[str, ...]
    current: tuple[str, ...]
    note: str = ""
    warnings: t.Sequence[str] = ()  # of the journal


def approve(azure: Azure, clock: Clock, request: DeferredUpgradeRequest, *, check_mode: bool) -> Approval:
    """Approve the instances that are chosen and do not run the newest version. Raises Refused and AzureError."""
    deadline = clock.now() + request.timeout
    scale_set = azure.scale_set(request.resource_group, request.name)
    if not scale_set.deferred_os_upgrade:
        return Approval((), (), f"scale set {scale_set.name} does not defer its automatic OS upgrades")
    journal = Journal(None if check_mode else request.journal, scale_set=scale_set.id)
    tell = journal.teller(clock.now)
    while True:
        waiting, current = _chosen(azure, clock, scale_set, tuple(request.instance_ids))
        if check_mode or not waiting:
            return Approval(waiting, current)
        what = f"approve the deferred upgrade of instances {', '.join(waiting)} of scale set {scale_set.name}"
        tell("write_sent", what=what)
        try:
            ref = azure.approve_upgrade(scale_set, waiting)
        except AzureError as error:
            if error.problem.code.lower() == _NOT_ALLOWED and _nothing_waits(azure, scale_set):
                return Approval((), current, f"no approval is pending now ({error.problem})")
            if error.problem.kind not in _RETRYABLE or clock.now() > deadline:
                raise
            tell("write_waits", what=what, problem=str(error.problem))
            operations.pause(clock, deadline, error.problem)
            scale_set = azure.scale_set(scale_set.resource_group, scale_set.name)
            continue
        end = operations.wait_for_operation(azure, clock, ref, deadline)
        if end is not None and end.problem is not None:
            raise AzureError(end.problem, what, scale_set.name)
        tell("written", what=what)
        return Approval(waiting, current, warnings=journal.warnings)


def _nothing_waits(azure: Azure, scale_set: ScaleSet) -> bool:
    fresh = azure.scale_set(scale_set.resource_group, scale_set.name)
    latest = azure.latest_rolling_upgrade(fresh)
    return fresh.provisioning_state == "Succeeded" and (latest is None or not latest.running)


def _chosen(
    azure: Azure, clock: Clock, scale_set: ScaleSet, wanted: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The instances that an upgrade is still to come to, and those that it has come to."""
    instances = sorted(azure.instances(scale_set), key=domains.instance_order)
    selection = Selection(instance_ids=wanted)
    selection.check(instances, scale_set.name)
    image = scale_set.image
    target = (
        catalogue.newest(image, azure.image_versions(image, scale_set.location), scale_set.location) if image else None
    )
    watch = Watch(scale_set, instances, OS, target, now=clock.now())
    chosen = [i for i in instances if selection.holds(i)]
    waiting = {i.instance_id for i in watch.to_do}
    return (
        tuple(i.instance_id for i in chosen if i.instance_id in waiting),
        tuple(i.instance_id for i in chosen if watch.done(i)),
    )
