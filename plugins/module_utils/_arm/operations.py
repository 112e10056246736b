# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One write, awaited: the operation polled to its end, a Conflict or throttling planned anew inside a deadline."""

from __future__ import annotations

import typing as t

from .._facts import pacing, problems
from .._facts.problems import Operation, Problem
from .client import Azure, Clock, OperationRef
from .errors import AzureError

RETRY = 5.0
_SHOWS_WITHIN = 180.0  # seconds that a read may be behind a write
_MOST_FAILED = 2  # operations that Azure ended as failed
_MOST_SENT = 5  # requests that Azure took and that had no effect


def wait_for_operation(azure: Azure, clock: Clock, ref: OperationRef, deadline: float) -> Operation | None:
    """The operation's end; None where Azure no longer knows it or the deadline passed: a fresh read tells then."""
    started = clock.now()
    while clock.now() <= deadline:
        clock.sleep(pacing.next_poll(clock.now() - started))
        try:
            operation = azure.operation(ref)
        except AzureError as error:
            if error.problem.kind == problems.MISSING:
                return None
            raise
        if operation.ended:
            return operation
    return None


def pause(clock: Clock, deadline: float, problem: Problem) -> None:
    """As long as Azure asks, and never past the deadline."""
    clock.sleep(min(problem.retry_after or RETRY, max(0.0, deadline - clock.now()) + 1.0))


def write_until(
    clock: Clock,
    deadline: float,
    done: t.Callable[[], bool],
    write: t.Callable[[], Operation | None],
    what: str,
    scale_set: str,
    tell: t.Callable[..., None],
) -> None:
    """Write until a fresh read says `done`. Raises AzureError with the last problem where it never does.

    `write` returns its operation's end, as `wait_for_operation` does. One that failed twice is not sent until
    the deadline passes.
    A write that Azure has done, or may have, is looked for as long as reads may lag behind before it is sent again.
    `tell`: gets an event of the journal and its facts.
    """
    last = Problem(problems.LOST, "", "the write had no effect within the timeout")
    failed = taken = 0
    sent: float | None = None  # when a write was done that does not show yet
    while not done():
        if failed >= _MOST_FAILED or taken >= _MOST_SENT or clock.now() > deadline:
            raise AzureError(last, what, scale_set)
        if sent is not None and (waited := clock.now() - sent) < _SHOWS_WITHIN:
            clock.sleep(pacing.next_look(waited))
            continue
        tell("write_sent", what=what)
        try:
            operation = write()
        except AzureError as error:
            if error.problem.kind not in problems.RETRYABLE:
                raise
            last = error.problem
            tell("write_waits", what=what, problem=str(last))
            sent = clock.now() if error.problem.kind == problems.LOST else None
            pause(clock, deadline, error.problem)
        else:
            taken += 1
            refused = operation.problem if operation else None
            sent = None if refused else clock.now()
            if operation and refused:
                last = refused
                failed += operation.status == "Failed"
                tell("write_waits", what=what, problem=str(refused))
                clock.sleep(RETRY)
    if taken or sent is not None:
        tell("written", what=what)
