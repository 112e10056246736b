# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A write of a scale set's model or policy, awaited and read back, that never goes on top of another client's."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts import commands
from .._facts.problems import LOST, PRECONDITION, RETRYABLE, Operation, Problem, Refused
from .._facts.scale_set import AT_WORK, ScaleSet
from . import operations
from .client import Azure, Clock, OperationRef
from .errors import AzureError

Body = dict[str, t.Any]

_TRIES = 2  # of writes that Azure says it has done, and that nobody sees
_MOST_SENT = 5  # writes that Azure took and that did not come to stand; each may cost one of a set's 10 models


@dataclass(frozen=True)
class ModelWrite:
    """One wish for the model.

    `what` completes the sentence "could not …"; `otherwise` is a command that does it by hand. `done` tells by a fresh
    read whether it stands. `judge` raises Refused where it must not go onto this document; it is asked before each
    `send`, of the very document whose ETag the write carries: what was true of an earlier one proves nothing. Where
    the API has no ETag (`has_etag` False), the set is read again right before it is sent, and must still be the same.
    `tell`: gets an event of the journal and its facts. `awaits`: the operation's end as well, as before any action, for
    Azure takes one at a time.
    """

    what: str
    done: t.Callable[[ScaleSet], bool]
    judge: t.Callable[[ScaleSet], None]
    send: t.Callable[[ScaleSet], OperationRef | None]
    otherwise: str | None = None
    has_etag: bool = True
    tell: t.Callable[..., None] = lambda _event, **_facts: None
    awaits: bool = True


def write_model_until(
    azure: Azure, clock: Clock, scale_set: ScaleSet, deadline: float, write: ModelWrite
) -> tuple[ScaleSet, str]:
    """Send until a fresh read of the scale set says that the write is done. Raises Refused and AzureError.

    Returns the scale set, and what Azure says of an operation that failed or was cancelled although its write stands in
    the model, as it does where an instance was failed before.
    """
    try:
        return _until(azure, clock, scale_set, deadline, write)
    except Refused as refusal:
        raise refusal.after_writes(azure.written) from refusal


def _until(azure: Azure, clock: Clock, scale_set: ScaleSet, deadline: float, write: ModelWrite) -> tuple[ScaleSet, str]:
    problem: Problem | None = None
    cancelled: Problem | None = None
    in_vain = taken = 0
    waits = False

    def counted(fresh: ScaleSet) -> OperationRef | None:
        nonlocal taken
        if not (write.has_etag and fresh.etag):
            _refuse_changed(azure, fresh, write)
        write.tell("model_write_sent", what=write.what)
        ref = write.send(fresh)
        taken += 1
        return ref

    while not write.done(scale_set):
        if problem:
            raise AzureError(problem, write.what, scale_set.name)
        _refuse_in_vain(scale_set, write, in_vain, taken)
        if scale_set.provisioning_state in AT_WORK:
            if clock.now() > deadline:
                raise Refused(
                    "scale_set_updating",
                    f"could not {write.what}: the set is still {scale_set.provisioning_state} by another client. "
                    f"Nothing was written. See what runs: {_activity_log(scale_set)}",
                )
            if not waits:
                write.tell("model_write_waits", what=write.what, state=scale_set.provisioning_state)
            waits = True
            clock.sleep(operations.RETRY)
        else:
            waits = False
            write.judge(scale_set)
            operation, problem = _send(azure, clock, scale_set, deadline, counted, awaits=write.awaits)
            in_vain += bool(operation and operation.status == "Succeeded" and not problem)
            cancelled = operation.problem if operation and operation.status == "Canceled" else None
        scale_set = azure.scale_set(scale_set.resource_group, scale_set.name)
    said = problem or cancelled
    note = f"Azure stored it, and says of the operation: {said}" if said else ""
    if taken:
        write.tell("model_written", what=write.what, note=note)
    return scale_set, note


def _refuse_changed(azure: Azure, judged: ScaleSet, write: ModelWrite) -> None:
    """What Azure does with an ETag, as near as can be: the judgement took its time, and others write meanwhile."""
    if azure.scale_set(judged.resource_group, judged.name) != judged:
        problem = Problem(PRECONDITION, "", "another client changed the scale set between its read and the write")
        raise AzureError(problem, write.what, judged.name)


def _refuse_in_vain(scale_set: ScaleSet, write: ModelWrite, in_vain: int, taken: int) -> None:
    """`in_vain`: writes that Azure says it has done; `taken`: those that it took."""
    if in_vain >= _TRIES:
        hint = f" Do it manually: {write.otherwise}" if write.otherwise else ""
        raise Refused(
            "write_not_stored",
            f"could not {write.what}: Azure took the write {in_vain} times and did not store it.{hint}",
        )
    if taken >= _MOST_SENT:
        raise Refused(
            "write_taken_back",
            f"could not {write.what}: Azure took the write {taken} times, and each time it was cancelled or taken "
            f"back. See who else writes: {_activity_log(scale_set)}",
        )


def _activity_log(scale_set: ScaleSet) -> str:
    return commands.az("monitor activity-log list", scale_set.resource_group, "", "--offset", "1h")


def _send(
    azure: Azure,
    clock: Clock,
    scale_set: ScaleSet,
    deadline: float,
    send: t.Callable[[ScaleSet], OperationRef | None],
    *,
    awaits: bool,
) -> tuple[Operation | None, Problem | None]:
    """The operation's end where it is awaited, and why nothing more is sent.

    Returns for whatever a fresh read decides about: 412, Conflict, a lost answer, preemption, failure.
    """
    try:
        ref = send(scale_set)
        operation = operations.wait_for_operation(azure, clock, ref, deadline) if ref and awaits else None
    except AzureError as error:
        if error.problem.kind not in RETRYABLE or clock.now() > deadline:
            raise
        operations.pause(clock, deadline, error.problem)
        return None, None
    if operation and operation.status == "Failed":
        return operation, operation.problem
    if clock.now() > deadline:
        end = operation.status if operation else "not seen to end"
        return operation, Problem(LOST, "", f"the timeout passed, and the last write was {end}")
    return operation, None


def refuse_beside_rolling_upgrade(azure: Azure, scale_set: ScaleSet, what: str) -> None:
    """While one of Azure's own rolling upgrades runs, it refuses every other write."""
    latest = azure.latest_rolling_upgrade(scale_set)
    if latest is not None and latest.running:
        raise Refused(
            "rolling_upgrade_running",
            f"could not {what}: a rolling upgrade of Azure's is running ({latest.code}). Nothing was written. Wait for "
            "it, or cancel it: " + commands.of("cancel_upgrade", scale_set),
        )


def patch(scale_set: ScaleSet, properties: t.Mapping[str, t.Any]) -> Body:
    """A PATCH of these properties that also carries every tag, for whether PATCH merges tags is unverified."""
    body: Body = {"properties": dict(properties)}
    if scale_set.tags:
        body["tags"] = dict(scale_set.tags)
    if scale_set.purchase_plan:
        body["plan"] = dict(scale_set.purchase_plan)
    return body
