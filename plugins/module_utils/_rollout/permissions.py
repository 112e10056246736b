# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the principal may do what the rollout is going to ask of Azure.

Advice only: a deny assignment, a lock or a policy may forbid what every role allows, and a model may join resources
elsewhere; of these only the action itself tells. An action that no role allows is certain.
"""

from __future__ import annotations

import typing as t

from .._facts.findings import ERROR, INFO, Finding
from .._facts.permissions import Permissions
from .survey import Survey

_SETS = "Microsoft.Compute/virtualMachineScaleSets"
READ = f"{_SETS}/read"  # what the preflight has just done
WRITE = f"{_SETS}/write"
UPGRADE = f"{_SETS}/manualupgrade/action"
REIMAGED = f"{_SETS}/reimage/action"
START = f"{_SETS}/start/action"
SERVICES = f"{_SETS}/setOrchestrationServiceState/action"
ROLE = "Virtual Machine Contributor"  # the built-in one that has them all


def findings(survey: Survey, permissions: Permissions, *, services: bool) -> t.Iterator[Finding]:
    """Of a rollout that has something to do. `services`: some are to be suspended or resumed."""
    name = survey.scale_set.name
    if not permissions.not_known and not permissions.allows(READ):
        permissions = Permissions(not_known=f"Azure's list lacks {READ}, which was allowed just now")
    if permissions.not_known:
        yield Finding(
            INFO,
            "permissions_not_checked",
            f"whether this principal may do all that the rollout needs on scale set {name} could not be read: "
            f"{permissions.not_known}.",
            "Microsoft.Authorization/permissions/read allows this check before anything is written.",
        )
        return
    needed, possible = _actions(survey, services=services)
    if lacking := [action for action in needed if not permissions.allows(action)]:
        yield Finding(
            ERROR,
            "permission_missing",
            f"this principal's roles do not allow {', '.join(lacking)} on scale set {name}.",
            f"Assign the role {ROLE}, or add {'it' if len(lacking) == 1 else 'them'} to the custom role.",
        )
    if lacking := [action for action in possible if not permissions.allows(action)]:
        yield Finding(
            INFO,
            "permission_missing",
            f"this principal's roles do not allow {', '.join(lacking)} on scale set {name}, which the rollout asks for "
            "only where Azure leaves an instance's disk as it was, or an instance deallocated.",
            f"The role {ROLE} has {'it' if len(lacking) == 1 else 'them'}.",
        )


def _actions(survey: Survey, *, services: bool) -> tuple[list[str], list[str]]:
    """Those that will be asked for, and those that may be."""
    needed = {WRITE} | ({SERVICES} if services else set())
    possible = {START} if survey.to_do else set()
    for instance in survey.to_do:
        needed.add(REIMAGED if instance in survey.unproven else UPGRADE)
    if survey.to_do and not survey.scale_set.flexible:
        possible.add(REIMAGED)
    return sorted(needed), sorted(possible - needed)
