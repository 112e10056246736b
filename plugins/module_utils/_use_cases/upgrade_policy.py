# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade policy is this one: a PATCH of the members asked for, once the scale set is ready for them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._arm import model_write
from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._facts import catalogue
from .._facts.documents import with_model
from .._facts.findings import ERROR, INFO, WARNING, Finding
from .._facts.images import Image
from .._facts.problems import Refused
from .._facts.scale_set import MANUAL, ROLLING, ScaleSet
from .._journal import Journal
from .._options import UpgradePolicyRequest
from .._orchestrator import readiness, upgrade_policy
from .._orchestrator.upgrade_policy import Policy
from .._rollout import record
from . import prerequisites

_RANK = (ERROR, WARNING, INFO)


@dataclass(frozen=True)
class PolicyChange:
    """The policy before and after, as results show it."""

    scale_set: ScaleSet
    before: Policy
    after: Policy
    findings: t.Sequence[Finding]
    note: str = ""
    warnings: t.Sequence[str] = ()  # of the journal

    @property
    def changed(self) -> bool:
        return self.before != self.after


def set_policy(azure: Azure, clock: Clock, request: UpgradePolicyRequest, *, check_mode: bool) -> PolicyChange:
    """Bring the policy to what is asked for. Raises Refused with all that is in the way before anything is written.

    The findings are those of the last document that was judged, which is the one that was written.
    """
    wanted = upgrade_policy.desired(request)
    may = request.azure_may_upgrade
    deadline = clock.now() + request.timeout
    scale_set = with_model(azure.scale_set(request.resource_group, request.name))
    what = f"set the upgrade policy of scale set {scale_set.name}"
    change = _judged(azure, scale_set, wanted, what, may=may)
    if check_mode or not change.changed:
        return change
    found = change.findings

    def judge(fresh: ScaleSet) -> None:
        nonlocal found
        if fresh is not scale_set:
            found = _judged(azure, fresh, wanted, what, may=may).findings

    def done(fresh: ScaleSet) -> bool:
        now = upgrade_policy.stored(fresh)
        return upgrade_policy.current(now) == upgrade_policy.merged(now, wanted)

    def send(fresh: ScaleSet) -> OperationRef | None:
        body = model_write.patch(fresh, {"upgradePolicy": upgrade_policy.patch(upgrade_policy.stored(fresh), wanted)})
        return azure.write_model(fresh, body, what=what)

    journal = Journal(request.journal, scale_set=scale_set.id)
    write = model_write.ModelWrite(what, done, judge, send, tell=journal.teller(clock.now))
    written, note = model_write.write_model_until(azure, clock, scale_set, deadline, write)
    after = upgrade_policy.current(upgrade_policy.stored(written))
    return replace(change, after=after, findings=found, note=note, warnings=journal.warnings)


def _judged(azure: Azure, scale_set: ScaleSet, wanted: Policy, what: str, *, may: bool) -> PolicyChange:
    """What the write would change on this document. Raises Refused where it must not be."""
    before = upgrade_policy.current(upgrade_policy.stored(scale_set))
    later = upgrade_policy.merged(upgrade_policy.stored(scale_set), wanted)
    found = _findings(azure, scale_set, wanted, later, may=may)
    change = PolicyChange(scale_set, before, later, found)
    if change.changed and (errors := readiness.errors(found)):
        purposes = " and ".join(_purposes(wanted)) or "this policy"
        raise Refused(
            "not_ready",
            readiness.refusal(scale_set, purposes, errors),
            findings=[finding.as_dict() for finding in found],
        )
    if change.changed:
        model_write.refuse_beside_rolling_upgrade(azure, scale_set, what)
    return change


def _purposes(wanted: Policy) -> list[str]:
    """What the options ask Azure's orchestrator to do."""
    enabled = wanted.get(upgrade_policy.AUTOMATIC_POLICY, {}).get(upgrade_policy.ENABLED)
    return [
        *([readiness.AUTOMATIC] if enabled else []),
        *([readiness.ROLLING_MODE] if wanted.get("mode") == ROLLING else []),
    ]


def _findings(azure: Azure, scale_set: ScaleSet, wanted: Policy, later: Policy, *, may: bool) -> list[Finding]:
    """What is in the way of what the write would turn on; of what is on already, it is a warning."""
    before = upgrade_policy.current(upgrade_policy.stored(scale_set))
    found: list[Finding] = []
    turned_on = {
        readiness.AUTOMATIC: upgrade_policy.enables(before, later),
        readiness.ROLLING_MODE: before["mode"] != later["mode"],
    }
    for purpose in _purposes(wanted):
        around = prerequisites.read(azure, scale_set, purpose)
        for one in readiness.findings(scale_set, purpose, around, now=azure.server_time):
            severity = one.severity if one.severity != ERROR or turned_on[purpose] else WARNING
            found.append(replace(one, severity=severity))
    found += upgrade_policy.findings(scale_set, later)
    if later != before and later["mode"] != MANUAL:
        instances = azure.instances(scale_set)
        standing = record.standing(scale_set)
        target = _meant(azure, scale_set)
        unproven = upgrade_policy.not_proven(instances, target, standing.started if standing else None)
        found += upgrade_policy.would_bring_instances(scale_set, later, instances, unproven, may=may)
    worst: dict[str, Finding] = {}
    for one in found:
        if one.code not in worst or _RANK.index(one.severity) < _RANK.index(worst[one.code].severity):
            worst[one.code] = one
    return list(worst.values())


def _meant(azure: Azure, scale_set: ScaleSet) -> Image | None:
    """The exact image that a new instance would get now; None where that cannot be told."""
    image = scale_set.image
    if image is None or not image.follows_latest:
        return image
    try:
        return catalogue.newest(image, azure.image_versions(image, scale_set.location), scale_set.location)
    except (AzureError, Refused):
        return None
