"""Faults of the protocol: what a request may get instead of, or beside, its answer."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from random import Random

ACTIONS = ("error", "forbidden", "throttle", "lost_before", "lost_answer", "reset", "truncated", "html", "delay")


@dataclass
class WireFault:
    """Strikes requests whose operation id matches `operation` (a pattern, no matter the case).

    `action`: `error` answers `status`, `code`, `message` instead of doing the work; `forbidden` answers 403 and names
    the permission that is missing (`permission` narrows it to requests that need one of that pattern); `throttle`
    answers 429 as an empty bucket does, without Retry-After where none is given; `lost_before` closes the connection
    unanswered and undone; `lost_answer` does the work, then closes; `reset` does the work, then aborts the connection;
    `truncated` and `html` do the work and spoil the answer; `delay` answers `seconds` late. The first `after_calls`
    matching calls pass, then at most `times` are struck, each with `chance`.
    """

    operation: str = "*"
    action: str = "error"
    status: int = 500
    code: str = "InternalServerError"
    message: str = "The server encountered an error. Please retry."
    retry_after: int | None = None
    bare: bool = False
    method: str | None = None
    scale_set: str | None = None
    permission: str | None = None
    after_calls: int = 0
    times: int | None = None
    chance: float = 1.0
    seconds: float = 0.0
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action: {self.action!r} is none of {', '.join(ACTIONS)}")

    def strikes(self, operation: str, method: str, scale_set: str | None, permission: str, seed: int) -> bool:
        if not fnmatch.fnmatchcase(operation.lower(), self.operation.lower()):
            return False
        if self.permission is not None and not fnmatch.fnmatchcase(permission.lower(), self.permission.lower()):
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        if self.scale_set is not None and (scale_set or "").lower() != self.scale_set.lower():
            return False
        self.seen += 1
        if self.seen <= self.after_calls or (self.times is not None and self.struck >= self.times):
            return False
        if self.chance < 1.0 and Random(f"{seed}/{self.operation}/{self.action}/{self.seen}").random() >= self.chance:
            return False
        self.struck += 1
        return True
