# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole rollout as a state machine, from preflight to report: `decide` what is due, do it, and tell what came of it.

It holds nothing: all that it knows is what was just seen, and a memory that a play can keep. Read from top to bottom:
the phases in their order are the rollout.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._facts.report import merge
from . import endings, messages
from .memory import BATCH_HOOKS, PHASES, Back, Batch, Batches, Hook, Memory, Phase, Rules, Stop
from .steps import (
    Failed,
    Finished,
    Look,
    Plan,
    PutBack,
    RunHook,
    Seen,
    SetServices,
    Show,
    Step,
    Upgrade,
    Wait,
    Write,
)

MOST_ROUNDS = 5  # how often instances of the old image may appear while the others are upgraded


def begin(rules: Rules) -> Memory:
    return Memory(rules)


def decide(seen: Seen | None, memory: Memory) -> tuple[Step, Memory]:
    """The next step, and what to remember until it is done. `seen`: what came of the last one, None at the start."""
    if seen is not None:
        memory = _LEARN[memory.phase](seen, memory)
    while (step := _ASK[memory.phase](memory)) is None:
        memory = _on(memory)
    return step, memory


def cancelled(memory: Memory, why: str, result: t.Mapping[str, t.Any]) -> Memory:
    """Whoever asked for it is gone: nothing more is sent, and the next run goes on."""
    return replace(memory, phase="finished", stop=Stop("cancelled", why), result=_with(memory, result))


def hooks_due(memory: Memory) -> int:
    """How often a task file of the user's is still run, this time included, where all goes well."""
    if memory.stop is not None or memory.phase == "finished":
        return 1
    hooks, position, walk = memory.rules.hooks, PHASES.index(memory.phase), memory.walk
    each = [hook for hook in BATCH_HOOKS if hook in hooks]
    ahead_of = [hook for hook in ("before", "after") if PHASES.index(hook) >= position]
    once = [hook for hook in ahead_of if hook in hooks and not (memory.joins and hook == "before")]
    groups = len(memory.planned.check) - walk.checked if memory.phase == "check" else 0
    upgraded = memory.phase in ("health_check", "after_batch")
    of_this_batch = [hook for hook in each if upgraded and PHASES.index(hook) >= position]
    ahead = len(memory.planned.batches) - len(memory.result.get("batches", ()))
    if ahead <= 0:
        ahead = len(walk.left)
    if memory.phase == "check_others":
        groups, ahead = len(memory.unchecked), 0
    return len(once) + groups + len(of_this_batch) + len(each) * ahead


def _on(memory: Memory, **changes: t.Any) -> Memory:
    """The phase after this one: the next below, or the next batch."""
    if memory.phase == "pause" and memory.stop is None and not memory.rules.check_mode:
        walk = replace(memory.walk, batch=memory.walk.following, shown=None)
        memory = replace(memory, walk=walk)
        if _goes_on(memory) and _works(memory):
            return replace(memory, phase="before_batch", **changes)
    return replace(memory, phase=PHASES[PHASES.index(memory.phase) + 1], **changes)


def _stop(memory: Memory, failed: Failed, **changes: t.Any) -> Memory:
    """Nothing more is upgraded."""
    stop = Stop(failed.code, failed.why, failed.advice)
    return replace(memory, phase="write_back", stop=stop, **changes)


def _refuse(memory: Memory, failed: Failed) -> Memory:
    """The end before anything is written."""
    result = merge([memory.result, {"outcome": "refused", "code": failed.code}])
    stop = Stop(failed.code, failed.why, failed.advice, refused=True)
    return replace(memory, phase="finished", stop=stop, result=result)


def _with(memory: Memory, *results: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return merge([memory.result, *results])


# -- what is asked for, None where nothing is due ---------------------------------------------------


def _works(memory: Memory) -> bool:
    """Whether the rollout goes forward."""
    return memory.stop is None and not memory.planned.nothing_to_do


def _goes_on(memory: Memory) -> bool:
    """Whether there is a batch to do, or to wait for; what was busy comes last."""
    walk = memory.walk
    return bool(walk.left) or (bool(walk.busy) and not walk.waited)


def _hook(memory: Memory, hook: Hook) -> Step | None:
    return RunHook(hook) if hook in memory.rules.hooks and not memory.rules.check_mode else None


def _hook_of(memory: Memory, hook: Hook, batch: Batch) -> Step | None:
    """The batch is read for the user's tasks once."""
    if _hook(memory, hook) is None:
        return None
    if memory.walk.shown is None:
        return Show(batch["instance_ids"])
    shown = {"number": batch["number"], "label": batch["label"], "instances": memory.walk.shown}
    return RunHook(hook, shown)


def _check(memory: Memory) -> Step | None:
    """What runs the target already has passed nothing that this run knows of: no rerun walks past a failing check."""
    group = _group(memory)
    return _hook_of(memory, "health_check", group) if group and memory.stop is None else None


def _group(memory: Memory) -> Batch | None:
    groups = memory.planned.check
    return groups[memory.walk.checked] if memory.walk.checked < len(groups) else None


def _before(memory: Memory) -> Step | None:
    return _hook(memory, "before") if _works(memory) and not memory.joins else None


def _write(memory: Memory) -> Step | None:
    plan = memory.planned
    if not _works(memory) or not plan.write_model:
        return None
    return Write("begin", plan.target, plan.model or {}, plan.record, plan.replaces_rollout, plan.security_type)


def _suspend(memory: Memory) -> Step | None:
    services = memory.planned.suspend
    return SetServices(services, "Suspended") if _works(memory) and services else None


def _batch_hook(hook: Hook) -> t.Callable[[Memory], Step | None]:
    def ask(memory: Memory) -> Step | None:
        batch = memory.walk.batch
        return _hook_of(memory, hook, batch) if _works(memory) and batch else None

    return ask


def _upgrade(memory: Memory) -> Step | None:
    due = _works(memory) and _goes_on(memory) and not memory.rules.check_mode
    return Upgrade(in_flight(memory)) if due else None


def in_flight(memory: Memory) -> t.Sequence[str]:
    """The batch of this turn; without one something is in the way, and is waited for."""
    ids: t.Sequence[str] = memory.walk.batch["instance_ids"] if memory.walk.batch else ()
    return ids


def _pause(memory: Memory) -> Step | None:
    rules = memory.rules
    due = _works(memory) and _goes_on(memory) and in_flight(memory) and not rules.check_mode
    return Wait(rules.pause) if due and rules.pause > 0 else None


def _check_others(memory: Memory) -> Step | None:
    """What others have brought to the target meanwhile has passed nothing either."""
    group = _others(memory)
    return _hook_of(memory, "health_check", group) if group and _works(memory) else None


def _others(memory: Memory) -> Batch | None:
    groups = memory.unchecked
    return {"number": 0, "label": "not upgraded by this run", "instance_ids": groups[0]} if groups else None


def _after(memory: Memory) -> Step | None:
    return _hook(memory, "after") if _works(memory) else None


def _write_back(memory: Memory) -> Step | None:
    """New instances are not made of an image that failed."""
    plan = memory.planned
    if memory.stop is None or not endings.sets_back(memory) or plan.previous is None:
        return None
    record = {**plan.record, "state": "stopped"}
    return Write("back", plan.previous, plan.target, record, plan.record["id"], plan.record.get("security") or "")


def _put_back(memory: Memory) -> Step | None:
    if memory.stop is None or not memory.rules.rolls_back or not endings.sets_back(memory) or memory.back.model_failed:
        return None
    ids = endings.to_put_back(memory)
    return PutBack(ids) if ids else None


def _look(memory: Memory) -> Step | None:
    """At a batch of which nobody has told what became."""
    unread = memory.walk.unread
    return Look(unread) if memory.stop is not None and unread and not memory.back.instance_ids else None


def _resume(memory: Memory) -> Step | None:
    services, done = memory.planned.resume, memory.planned.nothing_to_do and memory.stop is None
    return SetServices(services, "Running") if services and not done else None


def _latest(memory: Memory) -> Step | None:
    """After the services, for a rollout that has succeeded is not undone where only this fails."""
    plan = memory.planned
    unwritten = memory.rules.check_mode and plan.write_model
    if memory.stop is not None or not plan.follow_latest or memory.resume_failed or unwritten or memory.walk.busy:
        return None
    return Write("latest", plan.latest, plan.target, endings.ended_record(memory), plan.record["id"])


def _close(memory: Memory) -> Step | None:
    """The last write of all: what it leaves open, the next run closes."""
    if not endings.closes(memory):
        return None
    image = endings.model_image(memory)
    return Write("end", image, image, endings.ended_record(memory), memory.planned.record["id"])


def _on_failure(memory: Memory) -> Step | None:
    return _hook(memory, "on_failure_tasks") if memory.stop is not None else None


# -- what came of it --------------------------------------------------------------------------------


def _learn_plan(seen: Seen, memory: Memory) -> Memory:
    if memory.joins:
        return _learn_plan_again(seen, memory)
    memory = _planned(seen, memory)
    if seen.failed:
        return _refuse(memory, seen.failed)
    if errors := memory.planned.errors:
        return _refuse(memory, Failed("preflight_failed", " ".join(errors)))
    return _on(memory)


def _learn_plan_again(seen: Seen, memory: Memory) -> Memory:
    """Where it fails the plan is the first one still, so that nothing of the other controller's is set back."""
    if seen.failed:
        return _stop(memory, seen.failed)
    again = _planned(seen, memory)
    if errors := again.planned.errors:
        return _stop(memory, Failed("preflight_failed", " ".join(errors)))
    # Where the other's has ended by now, this one begins again, and what that one has left is checked first.
    return _on(again) if again.planned.write_model else replace(again, phase="suspend")


def _planned(seen: Seen, memory: Memory) -> Memory:
    """As planned now."""
    results = [memory.result, seen.result] if memory.result else [seen.result]
    memory = replace(memory, plan=seen.plan, result=merge(results))
    plan, now = memory.plan, seen.instances
    if plan is not None and now is not None:
        walk = Batches(
            batch=now.next_batch,
            left=tuple(now.left),
            turns=max(len(plan.batches), 1),
            unproven=tuple(now.unproven),
            last_read=now.now,
            busy=now.busy,
            busy_before=tuple(now.busy) if plan.begins else (),
            on_target=tuple(now.on_target),
        )
        memory = replace(memory, walk=walk)
    return memory


def _learn_check(seen: Seen, memory: Memory) -> Memory:
    group = _group(memory)
    if seen.failed and group is not None and memory.rules.rolls_back:
        suspects = tuple(one for batch in memory.planned.check for one in batch["instance_ids"])
        walk = replace(memory.walk, blamed=tuple(group["instance_ids"]), suspects=suspects, batch=None)
        return _stop(memory, seen.failed, walk=walk)
    if seen.failed:
        return _refuse(memory, seen.failed)
    if seen.shown is not None:
        return replace(memory, walk=replace(memory.walk, shown=seen.shown))
    return replace(memory, walk=replace(_passed(memory, group), checked=memory.walk.checked + 1))


def _passed(memory: Memory, group: Batch | None) -> Batches:
    passed = (*memory.walk.passed, *(group["instance_ids"] if group else ()))
    return replace(memory.walk, passed=passed, shown=None)


def _learn_check_others(seen: Seen, memory: Memory) -> Memory:
    group = _others(memory)
    if seen.failed:
        ids = tuple(group["instance_ids"]) if group else ()
        return _stop(memory, seen.failed, walk=replace(memory.walk, blamed=ids, suspects=ids, batch=None))
    if seen.shown is not None:
        return replace(memory, walk=replace(memory.walk, shown=seen.shown))
    return replace(memory, walk=_passed(memory, group))


def _learn_before(seen: Seen, memory: Memory) -> Memory:
    return _refuse(memory, seen.failed) if seen.failed else _on(memory)


def _learn_write(seen: Seen, memory: Memory) -> Memory:
    memory = replace(memory, upgrade_mode=seen.upgrade_mode)
    if seen.failed:
        return _stop(memory, seen.failed)
    if seen.joined:
        return replace(memory, phase="plan", joins=True, result=_with(memory, {"outcome": "upgraded"}))
    return _on(memory, result=_with(memory, {"outcome": "upgraded"}))


def _learn_or_stop(seen: Seen, memory: Memory) -> Memory:
    return _stop(memory, seen.failed) if seen.failed else _on(memory)


def _learn_batch_hook(seen: Seen, memory: Memory) -> Memory:
    if seen.shown is not None:
        return replace(memory, walk=replace(memory.walk, shown=seen.shown))
    ids, walk = in_flight(memory), memory.walk
    if memory.phase == "before_batch":  # some of its tasks may have run where one failed
        walk = replace(walk, drained=(*walk.drained, *ids))
    elif seen.failed:
        walk = replace(walk, blamed=ids)
    elif memory.phase == "health_check":
        walk = replace(walk, passed=(*walk.passed, *ids))
    elif memory.phase == "after_batch":
        walk = replace(walk, drained=tuple(one for one in walk.drained if one not in ids))
    memory = replace(memory, walk=walk)
    return _stop(memory, seen.failed) if seen.failed else _on(memory)


def _learn_upgrade(seen: Seen, memory: Memory) -> Memory:
    memory = replace(memory, result=_with(memory, seen.result))
    walk = replace(memory.walk, turns=memory.walk.turns - 1)
    if (now := seen.instances) is not None:
        unproven = tuple(one for one in walk.unproven if one in now.unproven)
        walk = replace(
            walk,
            following=now.next_batch,
            left=tuple(now.left),
            unproven=unproven,
            last_read=now.now,
            busy=now.busy,
            busy_before=tuple(one for one in walk.busy_before if one in now.busy),
            waited=not (in_flight(memory) or now.left),
            on_target=tuple(now.on_target),
        )
    memory = replace(memory, walk=walk)
    if seen.failed:
        unread = in_flight(memory) if now is None else ()
        return _stop(memory, seen.failed, walk=replace(walk, unread=tuple(unread)))
    if walk.turns > 0 or not walk.left:
        return _on(memory)
    if walk.round < MOST_ROUNDS:
        return _on(replace(memory, walk=replace(walk, round=walk.round + 1, turns=2 * len(walk.left))))
    return _stop(memory, Failed("instances_keep_appearing", messages.keep_appearing(memory, MOST_ROUNDS)))


def _learn_write_back(seen: Seen, memory: Memory) -> Memory:
    failed = seen.failed.why if seen.failed else ""
    return _on(memory, back=Back(model_changed=seen.changed, model_failed=failed))


def _learn_put_back(seen: Seen, memory: Memory) -> Memory:
    now, failed = seen.instances, seen.failed.why if seen.failed else ""
    back = replace(
        memory.back,
        instance_ids=tuple(endings.to_put_back(memory)),
        complete=now is not None and now.complete and seen.result.get("outcome") in ("upgraded", "unchanged"),
        instances_failed=failed,
        instances_now=now.batch_now if now else "",
    )
    return _on(memory, back=back, result=_with(memory, {**seen.result, "puts_back": True}))


def _learn_look(seen: Seen, memory: Memory) -> Memory:
    now, failed = seen.instances, seen.failed.why if seen.failed else ""
    back = replace(memory.back, instances_failed=failed, instances_now=now.batch_now if now else "")
    return _on(memory, back=back)


def _learn_resume(seen: Seen, memory: Memory) -> Memory:
    if seen.failed is None:
        return _on(memory)
    code = {} if memory.stop else {"code": seen.failed.code}
    return _on(memory, resume_failed=seen.failed.why, result=_with(memory, code))


def _learn_latest(seen: Seen, memory: Memory) -> Memory:
    if seen.failed is None:
        step = {"outcome": "upgraded" if seen.changed else ""}
        return _on(memory, latest_written=seen.changed, result=_with(memory, step))
    step = {"outcome": "failed", "code": seen.failed.code}
    return _on(memory, latest_failed=seen.failed.why, result=_with(memory, step))


def _learn_close(seen: Seen, memory: Memory) -> Memory:
    return _on(memory, close_failed=seen.failed.why if seen.failed else "")


def _learn_on_failure(seen: Seen, memory: Memory) -> Memory:
    return _on(memory, hook_failed=seen.failed.why if seen.failed else "")


_ASK: dict[Phase, t.Callable[[Memory], Step | None]] = {
    "plan": lambda _memory: Plan(),
    "check": _check,
    "before": _before,
    "write": _write,
    "suspend": _suspend,
    "before_batch": _batch_hook("before_batch"),
    "upgrade": _upgrade,
    "health_check": _batch_hook("health_check"),
    "after_batch": _batch_hook("after_batch"),
    "pause": _pause,
    "check_others": _check_others,
    "after": _after,
    "write_back": _write_back,
    "put_back": _put_back,
    "look": _look,
    "resume": _resume,
    "latest": _latest,
    "close": _close,
    "on_failure_tasks": _on_failure,
    "finished": lambda _memory: Finished(),
}
_LEARN: dict[Phase, t.Callable[[Seen, Memory], Memory]] = {
    "plan": _learn_plan,
    "check": _learn_check,
    "before": _learn_before,
    "write": _learn_write,
    "suspend": _learn_or_stop,
    "before_batch": _learn_batch_hook,
    "upgrade": _learn_upgrade,
    "health_check": _learn_batch_hook,
    "after_batch": _learn_batch_hook,
    "pause": _learn_or_stop,
    "check_others": _learn_check_others,
    "after": _learn_or_stop,
    "write_back": _learn_write_back,
    "put_back": _learn_put_back,
    "look": _learn_look,
    "resume": _learn_resume,
    "latest": _learn_latest,
    "close": _learn_close,
    "on_failure_tasks": _learn_on_failure,
    "finished": lambda _seen, memory: memory,
}
