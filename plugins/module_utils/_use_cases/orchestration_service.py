# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic repairs and zone balancing, suspended and resumed."""

from __future__ import annotations

import typing as t

from .._arm import operations
from .._arm.client import Azure, Clock
from .._facts.problems import Operation, Refused
from .._facts.scale_set import NOT_RUNNING, RUNNING, SUSPENDED, ServiceState
from .._journal import Journal
from .._options import OrchestrationServiceRequest

_ACTIONS: dict[ServiceState, str] = {SUSPENDED: "Suspend", RUNNING: "Resume"}

States = dict[str, ServiceState]


def set_state(
    azure: Azure, clock: Clock, request: OrchestrationServiceRequest, *, check_mode: bool
) -> tuple[States, States, list[str]]:
    """Bring the services to the state; returns their states before and after, and warnings of the journal.

    A service that does not run stays so.
    """
    scale_set = azure.scale_set(request.resource_group, request.name)
    wanted: ServiceState = request.state
    services: list[str] = list(request.services)
    found = azure.services(scale_set)
    before: States = {name: found.get(name, NOT_RUNNING) for name in services}
    after: States = {name: state if state == NOT_RUNNING else wanted for name, state in before.items()}
    deadline = clock.now() + request.timeout
    journal = Journal(None if check_mode else request.journal, scale_set=scale_set.id)
    tell = journal.teller(clock.now)
    for service in [] if check_mode else [name for name in services if before[name] != after[name]]:
        _set(azure, clock, scale_set, service, wanted, deadline, tell)
    return before, after, journal.warnings


def _set(
    azure: Azure,
    clock: Clock,
    scale_set: t.Any,
    service: str,
    wanted: ServiceState,
    deadline: float,
    tell: t.Callable[..., None],
) -> None:
    def done() -> bool:
        state = azure.services(scale_set).get(service, NOT_RUNNING)
        if state == NOT_RUNNING:
            raise Refused(
                "service_not_running",
                f"scale set {scale_set.name} does not run {service} any more, so it cannot be set {wanted}.",
            )
        return state == wanted

    def write() -> Operation | None:
        ref = azure.set_service_state(scale_set, service, _ACTIONS[wanted])
        return operations.wait_for_operation(azure, clock, ref, deadline)

    what = f"{_ACTIONS[wanted].lower()} {service} of scale set {scale_set.name}"
    operations.write_until(clock, deadline, done, write, what, scale_set.name, tell)
