# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with Azure, as data that a decision can be made on."""

from __future__ import annotations

import re
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

_CODES: t.Final[dict[Kind, Code]] = {
    REFUSED: "azure_refused",
    CONFLICT: "azure_conflict",
    PRECONDITION: "azure_precondition",
    THROTTLED: "azure_throttled",
    DENIED: "azure_denied",
    MISSING: "azure_not_found",
    LOST: "azure_unanswered",
}


_MOST_CAUSES = 5  # in one sentence
_MOST_TARGETS = 3
_NOTHING_WRITTEN = re.compile(r"[.;] nothing was written\.", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """One failure, in Azure's own code and words. `details` are the innermost causes in the tree of its error."""

    kind: Kind
    code: str  # Azure's own
    message: str
    status: int | None = None
    retry_after: float | None = None
    details: tuple[tuple[str, str, str], ...] = ()  # (code, target, message), the target often an instance or below it
    searched: str = ""  # the subscription in which something is missing
    ours: Code | None = None  # our code, where the kind does not say enough, as of a sign-in

    @property
    def failure_code(self) -> Code:
        """Our code of it."""
        if self.ours:
            return self.ours
        if self.kind == LOST and self.code:  # Azure has answered, that its work failed
            return "azure_failed"
        return _CODES[self.kind]

    def __str__(self) -> str:
        head, causes = _told(self.code, self.message), self.causes
        said = ": ".join(filter(None, (head.rstrip("."), "; ".join(causes)))) if causes else head
        return f"{said} (subscription {self.searched})" if self.searched and self.searched not in said else said

    @property
    def causes(self) -> list[str]:
        """What the details say that code and message do not, each once, with what it is about."""
        head = _told(self.code, self.message)
        found: dict[str, list[str]] = {}
        for code, target, message in self.details:
            said = _told("" if code in head else code, "" if message in head else message)
            if said:
                found.setdefault(_told(code, message) if message not in head else said, []).append(_short(target))
        told = [f"{said}{_about(targets)}" for said, targets in found.items()]
        more = len(told) - _MOST_CAUSES
        return [*told[:_MOST_CAUSES], f"and {more} more"] if more > 0 else told

    def of(self, instance_id: str) -> str:
        """What Azure says of this instance, and of what is below it; "" where it names others or none."""
        mine = dict.fromkeys(_told(code, message) for code, target, message in self.details if _is(target, instance_id))
        return "; ".join(list(mine)[:_MOST_CAUSES])


def _told(code: str, message: str) -> str:
    if f"{code}: " in message:
        return message
    return ": ".join(filter(None, (code, message)))


def with_azures_words(why: str, said: str) -> str:
    """Why an instance failed, with what the operation says of it where that is not told yet."""
    return f"{why}; Azure says of its operation: {said}" if said and said not in why else why


def instance_of(target: str) -> str:
    """The instance that a target names, or is below; the target's last part where it names none."""
    return _virtual_machine(target) or target.rstrip("/").rsplit("/", 1)[-1]


def _virtual_machine(target: str) -> str:
    found = re.search(r"(?:^|/)virtualMachines/([^/]+)", target, re.IGNORECASE)
    return found[1] if found else ""


def _is(target: str, instance_id: str) -> bool:
    """Whether the target is the instance, or something of it: an extension, a network interface, a disk."""
    of_disk = re.split(r"_(?:OsDisk|disk\d)", instance_of(target), maxsplit=1, flags=re.IGNORECASE)[0]
    named = [_virtual_machine(target)] if _virtual_machine(target) else [of_disk, target.split("/", 1)[0]]
    return any(name == instance_id or name.endswith(f"_{instance_id}") for name in named)


def _about(targets: t.Iterable[str]) -> str:
    named = [target for target in dict.fromkeys(targets) if target]
    more = [f"and {len(named) - _MOST_TARGETS} more"] if len(named) > _MOST_TARGETS else []
    listed = " ".join([", ".join(named[:_MOST_TARGETS]), *more])
    return f" (target {listed})" if listed else ""


def _short(target: str) -> str:
    """What follows the resource provider's and the scale set's part of an id."""
    found = re.search(r"/virtualMachines/(.+)", target, re.IGNORECASE)
    return found[1] if found else target.rsplit("/providers/", 1)[-1]


_AS_NOTICED = 0.95  # of the seconds until it was noticed


@dataclass(frozen=True)
class Operation:
    """A long-running operation as its status URL reports it."""

    status: str  # InProgress, Succeeded, Failed, Canceled; unknown words count as InProgress
    problem: Problem | None = None
    retry_after: float | None = None  # seconds that Azure asks to wait before the next look, mostly None
    start: float | None = None  # when it began by Azure's clock, seconds since the epoch
    end: float | None = None  # when it ended by the same

    def took(self, least: float, most: float) -> float:
        """Seconds, by Azure's own times where these can be meant: some of its operations begin when they end.

        `least`, `most`: between which it ended, as it was looked at.
        """
        seconds = self.end - self.start if self.start and self.end else 0.0
        return seconds if seconds > 0 and least <= seconds <= most else max(least, most * _AS_NOTICED)

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
    advice: str = ""


class Refused(Exception):
    """Something that we do not do, with the reason and the way on. `fields` go into the module's result."""

    def __init__(self, code: Code, message: str, **fields: t.Any) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields

    def after_writes(self, sent: t.Sequence[str]) -> Refused:
        """The same of a call that has sent these writes before, so that it cannot say that nothing was written."""
        told = f". Before that, this call sent: {'; '.join(dict.fromkeys(sent))}."
        said = _NOTHING_WRITTEN.sub(lambda _found: told, str(self)) if sent else str(self)
        return Refused(self.code, said, **self.fields)

    def after_earlier_calls(self) -> Refused:
        """The same of a write that is not the rollout's first one."""
        return Refused(self.code, _NOTHING_WRITTEN.sub(". This write was not sent.", str(self)), **self.fields)
