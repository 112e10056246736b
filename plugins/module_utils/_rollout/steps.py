# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine of a rollout asks for, and how it is told what came of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._facts.codes import Code
from .memory import Batch, Hook, Image, Planned

Writing = t.Literal["begin", "back", "latest", "end"]


class Step:
    """One thing to do. All but RunHook, which is the play's, and Finished is done where the machine runs."""


@dataclass(frozen=True)
class Plan(Step):
    """Read the scale set, resolve the target and lay out the batches."""


@dataclass(frozen=True)
class Show(Step):
    """Read these instances with their addresses, for the user's tasks."""

    instance_ids: t.Sequence[str]


@dataclass(frozen=True)
class RunHook(Step):
    """Run the user's task file of this name; `batch` as its tasks see it, None where they see none."""

    hook: Hook
    batch: Batch | None = None


@dataclass(frozen=True)
class Write(Step):
    """Make the model name this image, and the tags hold this record, while it names the one that is replaced.
    `security_type`: what the model's becomes in the same write, "" where it stays."""

    why: Writing
    image: Image
    replaces: Image
    record: t.Mapping[str, t.Any]
    replaces_rollout: str
    security_type: str = ""


@dataclass(frozen=True)
class SetServices(Step):
    services: t.Sequence[str]
    state: t.Literal["Suspended", "Running"]


@dataclass(frozen=True)
class Upgrade(Step):
    """Bring the batch to the target; without instances wait until a batch may start."""

    instance_ids: t.Sequence[str]


@dataclass(frozen=True)
class PutBack(Step):
    """Bring these instances to the previous image, which the model names again."""

    instance_ids: t.Sequence[str]


@dataclass(frozen=True)
class Look(Step):
    """Read what became of instances that may have been touched."""

    instance_ids: t.Sequence[str]


@dataclass(frozen=True)
class Wait(Step):
    seconds: float


@dataclass(frozen=True)
class Finished(Step):
    """The rollout has ended, and its memory says how."""


@dataclass(frozen=True)
class Failed:
    """Why a step failed, in whole sentences. `advice`: what its user may need to know to go on."""

    code: Code
    why: str
    advice: str = ""


@dataclass(frozen=True)
class Instances:
    """The instances after a step. `next_batch`, `left`, `busy`, `unproven` and `on_target` are of the rollout, the rest
    of the step's own. `busy`: those that are skipped until the end, with the reason; `left` is without them.

    `now`: what all of them run, as a sentence. `batch_now`: what those of the step run. `complete`: all as they should.
    """

    next_batch: Batch | None
    left: t.Sequence[str]
    unproven: t.Sequence[str]
    now: str
    batch_now: str = ""
    complete: bool = False
    busy: t.Mapping[str, str] = field(default_factory=dict)
    on_target: t.Sequence[str] = ()


@dataclass(frozen=True)
class Seen:
    """What came of the step that was asked for last. `result`: its part of `rollout_result`.

    `joined`: nothing was written, for another controller has begun the same rollout at the same moment.
    """

    failed: Failed | None = None
    changed: bool = False
    joined: bool = False
    result: t.Mapping[str, t.Any] = field(default_factory=dict)
    plan: Planned | None = None
    shown: t.Sequence[t.Mapping[str, t.Any]] | None = None
    instances: Instances | None = None
    upgrade_mode: str = ""
