# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between two calls of the module: what the play has to run, and what its end says to the rollout."""

from __future__ import annotations

import typing as t

from .._options import HookEndOptions
from . import messages, rollout
from .memory import Hook, Memory
from .steps import Failed, RunHook, Seen


def ended(memory: Memory, hook: HookEndOptions | None) -> Seen:
    """What came of the user's tasks."""
    if hook is None or hook.outcome == "done":
        return Seen()
    task = hook.task or "a task without a name"
    if memory.phase == "on_failure_tasks":
        return Seen(failed=Failed("hook_failed", messages.hook_failed_at_the_stop(task, hook.words)))
    which: Hook = "health_check" if memory.phase in ("check", "check_others") else t.cast(Hook, memory.phase)
    return Seen(failed=Failed("hook_failed", messages.hook_failed(memory, which, task, hook.words)))


def due(step: RunHook, memory: Memory, failure: str = "") -> dict[str, t.Any]:
    """The part of a result that asks the play for a task file. `failure`: why the rollout has stopped."""
    file = memory.rules.asked.get(step.hook)
    asked = {"hook": step.hook, "file": file, "batch": step.batch, "failure": failure}
    return {"next": asked, "hooks_due": rollout.hooks_due(memory), "memory": memory.as_dict()}


def at_once(memory: Memory) -> dict[str, t.Any] | None:
    """What is due after tasks that went well, where Azure need not be asked before; None where the module is to run."""
    step, memory = rollout.decide(Seen(), memory)
    return due(step, memory) if isinstance(step, RunHook) and memory.stop is None else None
