# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protection of instances from scale-in and from the scale set's actions."""

from __future__ import annotations

import typing as t

from .._arm import operations
from .._arm.client import Azure, Clock
from .._facts import commands
from .._facts.problems import Operation, Refused
from .._facts.scale_set import Instance, ScaleSet
from .._journal import Journal
from .._options import InstanceProtectionRequest, ProtectionOptions, given

Protection = dict[str, bool]
_FIELDS = {"from_scale_in": "protectFromScaleIn", "from_scale_set_actions": "protectFromScaleSetActions"}
# Azure only reports these; a PUT that carried them back would say nothing.
_READ_ONLY = (
    "instanceView",
    "latestModelApplied",
    "modelDefinitionApplied",
    "provisioningState",
    "timeCreated",
    "vmId",
)


def protect(
    azure: Azure, clock: Clock, request: InstanceProtectionRequest, *, check_mode: bool
) -> tuple[dict[str, Protection], dict[str, Protection], list[str]]:
    """Bring the instances' protection to what the options say; returns it before and after, by instance id, and
    warnings of the journal.

    Raises Refused for an instance that the scale set does not have, and for what Azure would refuse.
    """
    scale_set = azure.scale_set(request.resource_group, request.name)
    known = {i.instance_id: i for i in azure.instances(scale_set)}
    if unknown := [i for i in request.instance_ids if i not in known]:
        raise Refused("selection_not_found", f"scale set {scale_set.name} has no instance {', '.join(unknown)}.")
    before = {i: _now(azure, scale_set, known[i], request) for i in request.instance_ids}
    after = {i: _wanted(i, now, request) for i, now in before.items()}
    deadline = clock.now() + request.timeout
    journal = Journal(None if check_mode else request.journal, scale_set=scale_set.id)
    for instance_id in [] if check_mode else [i for i in before if before[i] != after[i]]:
        document = _Document(azure, scale_set, instance_id, request)
        operations.write_until(
            clock,
            deadline,
            document.stands,
            lambda document=document: document.write(clock, deadline),  # type: ignore[misc]
            f"protect instance {instance_id} of scale set {scale_set.name}",
            scale_set.name,
            journal.teller(clock.now),
        )
        after[instance_id] = document.now
    return before, after, journal.warnings


def _now(azure: Azure, scale_set: ScaleSet, instance: Instance, request: InstanceProtectionRequest) -> Protection:
    """Raises Refused where Azure does not show it: whether a write is needed, and whether it was stored, is unknown."""
    if not scale_set.flexible:
        return {
            "from_scale_in": instance.protected_from_scale_in,
            "from_scale_set_actions": instance.protected_from_actions,
        }
    # The instances of a Flexible set are listed as virtual machines, which have no protection policy.
    document = azure.instance_document(scale_set, instance.instance_id)
    policy = (document.get("properties") or {}).get("protectionPolicy")
    if policy is None:
        named = ["--instance-id", instance.instance_id]
        for name, value in given(request, ProtectionOptions).items():
            named += [f"--protect-{name.replace('_', '-')}", str(value).lower()]
        raise Refused(
            "protection_not_shown",
            f"Azure does not show whether instance {instance.instance_id} of the Flexible scale set {scale_set.name} "
            "is protected, so nothing was written. Keep it out of a rollout by naming the others in "
            "rollout_instance_ids, or set it manually: "
            + commands.az("vmss update", scale_set.resource_group, scale_set.name, *named),
        )
    return {name: bool(policy.get(field)) for name, field in _FIELDS.items()}


def _wanted(instance_id: str, now: Protection, request: InstanceProtectionRequest) -> Protection:
    wanted = {**now, **given(request, ProtectionOptions)}
    if wanted["from_scale_set_actions"] and not wanted["from_scale_in"]:
        if request.from_scale_in is False:
            raise Refused(
                "options_conflict",
                f"instance {instance_id}: Azure does not protect an instance from the scale set's actions and not from "
                "scale-in. Leave from_scale_in out, or set from_scale_set_actions to false too.",
            )
        wanted["from_scale_in"] = True
    return wanted


class _Document:
    """One instance's resource, read before each write: what is not asked for stays as it is there."""

    def __init__(self, azure: Azure, scale_set: ScaleSet, instance_id: str, request: InstanceProtectionRequest) -> None:
        self._azure, self._scale_set, self._id, self._request = azure, scale_set, instance_id, request
        self._document: dict[str, t.Any] = {}

    @property
    def now(self) -> Protection:
        policy = (self._document.get("properties") or {}).get("protectionPolicy") or {}
        return {name: bool(policy.get(field)) for name, field in _FIELDS.items()}

    def stands(self) -> bool:
        self._document = self._azure.instance_document(self._scale_set, self._id)
        return self.now == _wanted(self._id, self.now, self._request)

    def write(self, clock: Clock, deadline: float) -> Operation | None:
        properties = {k: v for k, v in (self._document.get("properties") or {}).items() if k not in _READ_ONLY}
        body = {k: v for k, v in self._document.items() if k != "resources"}
        wanted = _wanted(self._id, self.now, self._request)
        policy = {**(properties.get("protectionPolicy") or {}), **{_FIELDS[name]: wanted[name] for name in _FIELDS}}
        body["properties"] = {**properties, "protectionPolicy": policy}
        ref = self._azure.write_instance(self._scale_set, self._id, body)
        return operations.wait_for_operation(self._azure, clock, ref, deadline)
