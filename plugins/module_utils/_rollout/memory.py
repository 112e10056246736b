# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout remembers from one step to the next and cannot read from Azure: small, frozen, plain data."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from .._facts.codes import Code
from .._facts.problems import Refused
from .._options import OnFailure

VERSION = 1

Hook = t.Literal["before", "before_batch", "health_check", "after_batch", "after", "on_failure_tasks"]
BATCH_HOOKS: tuple[Hook, ...] = ("before_batch", "health_check", "after_batch")
Phase = t.Literal[
    "plan",
    "check",
    "before",
    "write",
    "suspend",
    "before_batch",
    "upgrade",
    "health_check",
    "after_batch",
    "pause",
    "check_others",
    "after",
    "write_back",
    "put_back",
    "look",
    "resume",
    "latest",
    "close",
    "on_failure_tasks",
    "finished",
]
PHASES: tuple[Phase, ...] = t.get_args(Phase)
Image = t.Mapping[str, t.Any]  # as results show it, without a SAS
Batch = t.Mapping[str, t.Any]  # number, label, instance_ids


@dataclass(frozen=True)
class Rules:
    """What the user asked of the sequence. `hooks`: those that are given.

    `asked`: all options of the first call but the sign-in and the image, by which the rollout goes on: what a task file
    sets in the middle of it changes nothing.
    """

    hooks: t.Sequence[Hook] = ()
    on_failure: OnFailure = "stop"
    keep_model: bool = False
    pause: float = 0.0
    max_unhealthy_upgraded: str = ""
    check_mode: bool = False
    asked: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def rolls_back(self) -> bool:
        return self.on_failure != "stop"


@dataclass(frozen=True)
class Planned:
    """What preflight decided, and all that comes later rests on. `errors`: what is in the way, in sentences.

    `begins`: no earlier run of this rollout can have left anything half way. `security_type`: what the model's becomes
    with the target, "" where it stays. `abandoned`: the record is of a rollout whose target the model names no
    more.
    """

    scale_set: str
    name: str
    resource_group: str
    target: Image
    latest: Image
    previous: Image | None
    model: Image | None
    record: t.Mapping[str, t.Any]
    replaces_rollout: str
    begins: bool
    write_model: bool
    close_record: bool
    all_on_target: bool
    follow_latest: bool
    nothing_to_do: bool
    suspend: t.Sequence[str]
    resume: t.Sequence[str]
    still_suspended: t.Sequence[str]
    check: t.Sequence[Batch]
    batches: t.Sequence[Batch]
    errors: t.Sequence[str]
    changes_mode: bool = False
    security_type: str = ""
    abandoned: bool = False


@dataclass(frozen=True)
class Stop:
    """Why it stopped, in whole sentences. `refused`: before anything was written."""

    code: Code
    why: str
    advice: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Back:
    """What the stop has put back. A failure is a sentence, "" for none."""

    model_changed: bool = False
    model_failed: str = ""
    instance_ids: t.Sequence[str] = ()
    complete: bool = False
    instances_failed: str = ""
    instances_now: str = ""


@dataclass(frozen=True)
class Batches:
    """Where the walk is. `turns`: calls that are left of this round. `checked`: groups that have passed the check.

    `shown`: the batch as the user's tasks see it, where it has been read for them. `drained`: those that the tasks
    before the batch ran for, and the tasks after it did not. `blamed`: of the batch whose tasks failed. `suspects`: of
    all groups, where the check of one failed. `unread`: of which nobody has told what became. `last_read`: what all
    instances run, as a sentence. `busy`: those that are skipped until the end, with the reason; `busy_before`: those of
    them that were when the rollout began. `waited`: it has come back to them, and they are still busy. `on_target`:
    what was read last to run the target, or may. `passed`: what has passed the user's check.
    """

    batch: Batch | None = None
    following: Batch | None = None
    left: t.Sequence[str] = ()
    round: int = 1
    turns: int = 0
    checked: int = 0
    shown: t.Sequence[t.Mapping[str, t.Any]] | None = None
    drained: t.Sequence[str] = ()
    blamed: t.Sequence[str] = ()
    suspects: t.Sequence[str] = ()
    unread: t.Sequence[str] = ()
    unproven: t.Sequence[str] = ()
    last_read: str = ""
    busy: t.Mapping[str, str] = field(default_factory=dict)
    busy_before: t.Sequence[str] = ()
    waited: bool = False
    on_target: t.Sequence[str] = ()
    passed: t.Sequence[str] = ()


@dataclass(frozen=True)
class Memory:
    """All of it. `result`: `rollout_result` so far. `…_failed`: why a step after the batches failed, "" for none.

    `joins`: another controller has begun the same rollout meanwhile, and this run goes on with its record.
    """

    rules: Rules
    phase: Phase = "plan"
    plan: Planned | None = None
    joins: bool = False
    walk: Batches = Batches()
    stop: Stop | None = None
    back: Back = Back()
    resume_failed: str = ""
    latest_failed: str = ""
    latest_written: bool = False
    close_failed: str = ""
    hook_failed: str = ""
    upgrade_mode: str = ""
    result: t.Mapping[str, t.Any] = field(default_factory=dict)
    version: int = VERSION

    @property
    def planned(self) -> Planned:
        if self.plan is None:
            raise RuntimeError("nothing is planned yet")
        return self.plan

    @property
    def unchecked(self) -> list[list[str]]:
        """What runs the target and has not passed the user's check, in groups of no more than may be unavailable."""
        found = [one for one in self.walk.on_target if one not in self.walk.passed]
        size = max(1, self.result.get("unavailable", {}).get("max_allowed", 1))
        return [found[first : first + size] for first in range(0, len(found), size)]

    def as_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


def remembered(shown: t.Mapping[str, t.Any]) -> Memory:
    """What `as_dict` shows, read back. Raises Refused for what another version has written."""
    if shown.get("version") != VERSION:
        raise Refused(
            "memory_not_usable",
            f"this memory of a rollout is of version {shown.get('version')!r}, and this release reads version "
            f"{VERSION}. Start the rollout again with the release that is installed now: it reads from Azure where the "
            "earlier one stopped. Nothing was written by this call.",
        )
    try:
        found = t.cast(Memory, _read(Memory, shown))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused("memory_not_usable", f"this is no memory of a rollout: {error}. Nothing was written.") from error
    whole = isinstance(found.rules, Rules) and isinstance(found.walk, Batches) and isinstance(found.back, Back)
    whole = whole and isinstance(found.rules.asked, dict) and isinstance(found.plan, Planned | None)
    if not whole or found.phase not in PHASES or (found.plan is None and found.phase not in ("plan", "finished")):
        missing = "this is no memory of a rollout: parts of it are missing. Nothing was written."
        raise Refused("memory_not_usable", missing)
    return found


def _read(kind: t.Any, value: t.Any) -> t.Any:
    """A value as its class has it: a part as its own class, a list as a tuple."""
    if value is None or not dataclasses.is_dataclass(kind):
        return tuple(value) if isinstance(value, list) else value
    hints = t.get_type_hints(kind)
    return t.cast(type, kind)(**{name: _read(_part(hints[name]), one) for name, one in value.items()})


def _part(hint: t.Any) -> t.Any:
    return next((one for one in (hint, *t.get_args(hint)) if dataclasses.is_dataclass(one)), None)
