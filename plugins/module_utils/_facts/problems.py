# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with Azure, as data that a decision can be made on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .codes import Code

# How sure we are that Azure did nothing, which decides whether a request may be planned anew at once.
Kind = t.Literal["refused", "conflict", "precondition", "throttled", "denied", "missing", "lost"]
REFUSED: t.Final = "refused"  # Azure answered no: nothing was started
CONFLICT: t.Final = "conflict"  # something else works on the scale set: nothing was started
PRECONDITION: t.Final = "precondition"  # 412: somebody wrote since we read
THROTTLED: t.Final = "throttled"
DENIED: t.Final = "denied"  # 401, 403
MISSING: t.Final = "missing"  # 404
LOST: t.Final = "lost"  # 5xx, a lost connection, an unreadable answer: it may have been started
# Azure surely did nothing, or a fresh read can tell whether it did.
RETRYABLE: t.Final = (PRECONDITION, CONFLICT, LOST, THROTTLED)

CODE_OF: t.Final[dict[Kind, Code]] = {
    REFUSED: "azure_refused",
    CONFLICT: "azure_conflict",
    PRECONDITION: "azure_precondition",
    THROTTLED: "azure_throttled",
    DENIED: "azure_denied",
    MISSING: "azure_not_found",
    LOST: "azure_unanswered",
}


@dataclass(frozen=True)
class Problem:
    """One failure, in Azure's own code and words."""

    kind: Kind
    code: str  # Azure's own
    message: str
    status: int | None = None
    retry_after: float | None = None
    details: tuple[tuple[str, str, str], ...] = ()  # (code, target, message), the target often an instance id

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message

    def of(self, instance_id: str) -> str:
        """What Azure says of this instance in the details, else of the whole."""
        for code, target, message in self.details:
            if target == instance_id or target.endswith((f"/{instance_id}", f"_{instance_id}")):
                return f"{code}: {message}"
        return str(self)


@dataclass(frozen=True)
class Operation:
    """A long-running operation as its status URL reports it."""

    status: str  # InProgress, Succeeded, Failed, Canceled; unknown words count as InProgress
    problem: Problem | None = None
    retry_after: float | None = None  # seconds that Azure asks to wait before the next look, mostly None
    end: float | None = None  # when it ended by Azure's clock, seconds since the epoch

    @property
    def ended(self) -> bool:
        return self.status in ("Succeeded", "Failed", "Canceled")


class Cancelled(BaseException):
    """Whoever asked for this is gone: nothing more is sent. No Exception, for nothing may go on after it.

    `fields` go into the module's result.
    """

    def __init__(self, why: str, **fields: t.Any) -> None:
        super().__init__(why)
        self.fields = fields


class Failure(t.NamedTuple):
    """Why a module fails that has a result all the same, in full sentences."""

    code: Code
    message: str


class Refused(Exception):
    """Something that we do not do, with the reason and the way on. `fields` go into the module's result."""

    def __init__(self, code: Code, message: str, **fields: t.Any) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields
