# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of a whole rollout: every phase, every end, whatever fails at whatever step, without Azure or a play."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._rollout import endings, memory, messages, rollout
from ansible_collections.steady.vmss.plugins.module_utils._rollout.memory import (
    Hook,
    Memory,
    Planned,
    Rules,
    remembered,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.messages import Ways
from ansible_collections.steady.vmss.plugins.module_utils._rollout.steps import (
    Failed,
    Finished,
    Instances,
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

OLD, NEW = {"version": "1.0.1"}, {"version": "1.0.2"}
RECORD = {
    "id": "7" * 32,
    "target": "1.0.2",
    "previous": "1.0.1",
    "selection": "all",
    "started": "2026-11-27T02:00:00Z",
    "suspended": ["AutomaticRepairs"],
    "state": "in_progress",
}
PLAN = Planned(
    scale_set="/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web",
    name="web",
    resource_group="shop",
    target=NEW,
    latest={"version": "latest"},
    previous=OLD,
    model=OLD,
    record=RECORD,
    replaces_rollout="",
    begins=True,
    write_model=True,
    close_record=False,
    all_on_target=False,
    follow_latest=False,
    nothing_to_do=False,
    suspend=("AutomaticRepairs",),
    resume=("AutomaticRepairs",),
    still_suspended=(),
    check=(),
    batches=tuple({"number": n, "label": "none", "instance_ids": [str(n - 1)]} for n in (1, 2, 3)),
    errors=(),
)
THEIRS = {**RECORD, "id": "8" * 32}
JOINED = replace(PLAN, record=THEIRS, replaces_rollout="8" * 32, begins=False, write_model=False)
DONE = replace(JOINED, nothing_to_do=True, batches=())
IN_THE_WAY = replace(JOINED, errors=("It is locked.",))
CHECKED = ({"number": 0, "label": "target", "instance_ids": ["9"]},)
ENDED = replace(PLAN, record={**RECORD, "id": "9" * 32}, replaces_rollout="8" * 32, check=CHECKED)
HOOKS: tuple[Hook, ...] = get_args(Hook)
WAYS = Ways("go-on", "go-back", "reimage", "/var/log/web.jsonl")
OF_THE_OTHER = {"number": 0, "label": "not upgraded by this run", "instances": ({"instance_id": "7"},)}
FAILED = Failed("azure_denied", "It was not allowed.")


@dataclass
class World:
    """Answers each step as a set of three instances would. `fails`: the number of the step that fails.

    `again`: what is planned once another controller has begun the same rollout, in the place of our first write.
    """

    plan: Planned = PLAN
    fails: int | None = None
    complete: bool = True
    read: bool = True  # whether a failed upgrade has read the instances
    again: Planned | None = None
    others: tuple[str, ...] = ()  # that another client has brought to the target
    steps: list[Step] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    def answer(self, step: Step) -> Seen:
        self.steps.append(step)
        failed = FAILED if len(self.steps) - 1 == self.fails else None
        if isinstance(step, Plan):
            return Seen(
                plan=self.plan, failed=failed, result={"id": "7" * 32, "outcome": "unchanged"}, instances=self.seen()
            )
        if isinstance(step, Show):
            return Seen(failed=failed) if failed else Seen(shown=tuple({"instance_id": i} for i in step.instance_ids))
        if isinstance(step, Upgrade):
            return self.upgrade(step, failed)
        if isinstance(step, PutBack):
            self.new = [i for i in self.new if i not in step.instance_ids] if not failed else self.new
            return Seen(failed=failed, result=result(step.instance_ids, "upgraded"), instances=self.seen())
        if isinstance(step, Write) and step.why == "begin" and self.again and not failed:
            self.plan, self.again = self.again, None
            return Seen(joined=True)
        return Seen(
            failed=failed, changed=isinstance(step, Write), instances=self.seen() if isinstance(step, Look) else None
        )

    def upgrade(self, step: Upgrade, failed: Failed | None) -> Seen:
        ids = list(step.instance_ids)
        if failed:
            known = self.seen() if self.read else None
            return Seen(failed=failed, result=result(ids, "failed") if self.read else {}, instances=known)
        self.new += ids
        return Seen(result=result(ids, "upgraded"), instances=self.seen())

    def seen(self) -> Instances:
        left = [str(n) for n in range(3) if str(n) not in self.new] if not self.plan.nothing_to_do else []
        following = {"number": 4 - len(left), "label": "none", "instance_ids": left[:1]} if left else None
        seen = Instances(following, left, (), "As last read.", "They are where they should be.", self.complete)
        return replace(seen, on_target=(*self.new, *self.others))


def result(ids: Any, outcome: str) -> dict[str, Any]:
    report = {"image_before": OLD, "image_after": NEW, "outcome": outcome, "why": "sick" if outcome == "failed" else ""}
    batch = {"number": 1, "instance_ids": list(ids), "outcome": outcome}
    end = "stopped" if outcome == "failed" else "upgraded"
    return {"outcome": end, "instances": dict.fromkeys(ids, report), "batches": [batch]}


def run(world: World, rules: Rules, *, through_json: bool = False) -> Memory:
    """To the end; `through_json` with what JSON keeps of the memory between two steps, as between two tasks."""
    kept, seen = rollout.begin(rules), None
    for _number in range(200):
        step, kept = rollout.decide(seen, kept)
        if through_json:
            again = remembered(json.loads(json.dumps(kept.as_dict())))
            assert json.dumps(again.as_dict()) == json.dumps(kept.as_dict())
            kept = again
        if isinstance(step, Finished):
            return kept
        seen = world.answer(step)
    raise AssertionError("it does not end")


def kinds(world: World) -> list[str]:
    return [
        f"{type(step).__name__} {getattr(step, 'why', getattr(step, 'hook', getattr(step, 'state', '')))}".strip()
        for step in world.steps
    ]


def worlds() -> Iterator[tuple[World, Rules]]:
    """Every rule, and whatever the rollout can find, with each step failing once."""
    plans = [
        PLAN,
        replace(PLAN, previous=None),
        replace(PLAN, all_on_target=True, write_model=False),
        replace(PLAN, follow_latest=True, suspend=(), resume=()),
        replace(PLAN, check=({"number": 0, "label": "target", "instance_ids": ["9"]},)),
        replace(PLAN, nothing_to_do=True, close_record=True, write_model=False, batches=()),
        replace(PLAN, record={**RECORD, "state": "going_back"}),
    ]
    joins: list[tuple[Planned, Planned | None]] = [(PLAN, again) for again in (JOINED, DONE, ENDED)]
    hooks: list[tuple[Hook, ...]] = [(), HOOKS]
    ways = (("stop", False), ("stop", True), ("rollback_failed", False), ("rollback_all", False))
    found = [(plan, None) for plan in plans] + joins
    for (plan, again), (on_failure, keep), given in itertools.product(found, ways, hooks):
        rules = Rules(hooks=given, on_failure=on_failure, keep_model=keep)  # type: ignore[arg-type]
        whole = World(plan, again=again)
        run(whole, rules)
        for fails in (None, *range(len(whole.steps))):
            yield World(plan, fails=fails, again=again), rules
            if fails is not None and isinstance(whole.steps[fails], Upgrade):
                yield World(plan, fails=fails, read=False, again=again), rules


def test_a_rollout_in_its_order() -> None:
    world = World()
    ended = run(world, Rules(hooks=HOOKS, pause=5.0), through_json=True)
    batch = ["Show", "RunHook before_batch", "Upgrade", "RunHook health_check", "RunHook after_batch"]
    assert kinds(world) == [
        "Plan",
        "RunHook before",
        "Write begin",
        "SetServices Suspended",
        *batch,
        "Wait",
        *batch,
        "Wait",
        *batch,
        "RunHook after",
        "SetServices Running",
        "Write end",
    ]
    assert endings.result(ended)["outcome"] == "upgraded" and messages.ending(ended, WAYS) == ""


@pytest.mark.parametrize("through_json", [False, True])
def test_who_joins_the_same_rollout_plans_again_and_goes_on_with_the_record_that_stands(through_json: bool) -> None:
    """What the other one has upgraded meanwhile is that one's to check, and the tasks before it all have run."""
    world = World(again=replace(JOINED, check=CHECKED))
    ended = run(world, Rules(hooks=("before", "health_check")), through_json=through_json)
    batch = ["Upgrade", "Show", "RunHook health_check"]
    planned = ["Plan", "RunHook before", "Write begin", "Plan", "SetServices Suspended"]
    assert kinds(world) == [*planned, *batch * 3, "SetServices Running", "Write end"]
    assert ended.planned.record == THEIRS and endings.result(ended)["outcome"] == "upgraded"
    (closed,) = (step for step in world.steps if isinstance(step, Write) and step.why == "end")
    assert closed.replaces_rollout == closed.record["id"] == THEIRS["id"]


def test_who_joins_a_rollout_that_has_ended_by_then_begins_again_and_checks_what_it_left() -> None:
    world = World(again=ENDED)
    run(world, Rules(hooks=("before", "health_check")))
    begun = ["Plan", "RunHook before", "Write begin", "Plan", "Show", "RunHook health_check", "Write begin"]
    assert kinds(world)[:8] == [*begun, "SetServices Suspended"]


def test_who_joins_and_finds_all_done_does_nothing() -> None:
    world = World(again=DONE)
    ended = run(world, Rules())
    assert kinds(world) == ["Plan", "Write begin", "Plan"] and ended.stop is None


@pytest.mark.parametrize("fails", [None, 2])
def test_what_is_in_the_way_of_who_joins_stops_it_under_its_own_plan(fails: int | None) -> None:
    """So nothing of the other controller's is set back: the write names a record that is not there."""
    world = World(again=JOINED if fails else IN_THE_WAY, fails=fails)
    ended = run(world, Rules())
    assert ended.stop is not None and ended.planned.record == RECORD
    assert ended.stop.code == (FAILED.code if fails else "preflight_failed")
    assert not [step for step in world.steps if isinstance(step, Upgrade)]
    (back,) = (step for step in world.steps if isinstance(step, Write) and step.why == "back")
    assert back.replaces_rollout == RECORD["id"]


def test_without_hooks_nothing_is_asked_of_the_play() -> None:
    world = World()
    run(world, Rules())
    assert kinds(world)[3:-2] == ["SetServices Suspended", *["Upgrade"] * 3] or "RunHook" not in " ".join(kinds(world))
    assert not any(isinstance(step, RunHook | Show | Wait) for step in world.steps)


def test_whatever_fails_it_ends_and_no_rule_is_broken() -> None:
    count = 0
    for world, rules in worlds():
        count += 1
        ended = run(world, rules)
        judge(world, rules, ended)
    assert count > 500


def judge(world: World, rules: Rules, ended: Memory) -> None:
    steps, outcome = world.steps, endings.result(ended)["outcome"]
    said = messages.ending(ended, WAYS)
    assert outcome in ("unchanged", "upgraded", "refused", "stopped", "rolled_back", "failed")
    assert (outcome in ("unchanged", "upgraded") or (outcome == "rolled_back" and ended.stop is None)) == (said == "")
    writes = [step for step in steps if isinstance(step, Write)]
    if outcome == "refused":
        acted = [step for step in steps if isinstance(step, Write | Upgrade | PutBack | SetServices)]
        assert len(acted) == ended.joins, "but for the write in whose place another controller's stands"
        return
    if world.fails is not None and ended.stop is not None:
        after = steps[world.fails + 1 :]
        assert not [step for step in after if isinstance(step, Upgrade)], "nothing more is upgraded"
        assert not [step for step in after if isinstance(step, RunHook) and step.hook != "on_failure_tasks"]
        back = [step for step in after if isinstance(step, Write) and step.why == "back"]
        known, kept = world.plan.previous is not None, rules.keep_model or world.plan.all_on_target
        assert bool(back) == (known and (rules.rolls_back or not kept))
        assert not [step for step in after if isinstance(step, PutBack)] or (rules.rolls_back and back)
        assert bool([step for step in after if isinstance(step, SetServices)]) == bool(world.plan.resume)
        assert "go-on" in said and "go-back" in said and said.index("go-on") < said.index("go-back")
    begun = [step for step in writes if step.why == "begin"]
    assert len(begun) <= 1 + ended.joins and len({step.record["id"] for step in begun}) == len(begun)
    assert [step.why for step in writes].count("end") <= 1
    ends = [step for step in writes if step.why == "end"]
    for step in ends:
        assert steps.index(step) == max(n for n, one in enumerate(steps) if not isinstance(one, RunHook))
        assert step.record["state"] in ("finished", "stopped", "rolled_back", "going_back")
        assert (step.record["suspended"] == []) == (not ended.resume_failed)
        assert (step.record["state"] == "finished") == (ended.stop is None and not endings.goes_back(ended))


def hooks_run(world: World, hooks: tuple[Hook, ...]) -> list[tuple[RunHook, int]]:
    """The task files in their order, each with how many are said to be due then, of a rollout that goes well."""
    kept, seen, asked = rollout.begin(Rules(hooks=hooks)), None, []
    while True:
        step, kept = rollout.decide(seen, kept)
        if isinstance(step, Finished):
            assert kept.stop is None
            return asked
        if isinstance(step, RunHook):
            asked.append((step, rollout.hooks_due(kept)))
        seen = world.answer(step)


@pytest.mark.parametrize("hooks", [("health_check",), ("before", "after"), ("before_batch", "after_batch"), HOOKS])
def test_the_play_is_told_how_many_task_files_are_due(hooks: tuple[Hook, ...]) -> None:
    """Exactly, where all goes well: a loop of that length runs nothing in vain."""
    world = World(replace(PLAN, check=({"number": 0, "label": "target", "instance_ids": ["9"]},)))
    due = [number for _step, number in hooks_run(world, hooks)]
    assert due == list(range(len(due), 0, -1)) and due


@pytest.mark.parametrize("hooks", [("health_check",), HOOKS])
def test_what_others_have_upgraded_is_checked_in_groups_before_the_end(hooks: tuple[Hook, ...]) -> None:
    """At every one of them a task file is due: a loop of none would ask for ever."""
    world = World(others=("7", "8"))
    asked = hooks_run(world, hooks)
    due, checks = [number for _step, number in asked], [step for step, _number in asked if step.hook == "health_check"]
    checked = [[one["instance_id"] for one in step.batch["instances"]] for step in checks if step.batch]
    assert checked == [["0"], ["1"], ["2"], ["7"], ["8"]]
    assert min(due) == 1 and due[-2:] == [2, 1]


@pytest.mark.parametrize(
    ("on_failure", "back"), [("stop", []), ("rollback_failed", ["7"]), ("rollback_all", ["0", "1", "2", "7"])]
)
def test_what_others_have_upgraded_goes_back_where_it_fails_the_check(on_failure: Any, back: list[str]) -> None:
    rules, good = Rules(hooks=("health_check",), on_failure=on_failure), World(others=("7",))
    run(good, rules)
    (check,) = (n for n, one in enumerate(good.steps) if isinstance(one, RunHook) and one.batch == OF_THE_OTHER)
    world = World(others=("7",), fails=check)
    ended = run(world, rules)
    assert ended.stop is not None and "Write back" in kinds(world)
    assert [list(step.instance_ids) for step in world.steps if isinstance(step, PutBack)] == ([back] if back else [])


def test_check_mode_is_the_same_plan_and_nothing_else() -> None:
    world = World()
    ended = run(world, Rules(hooks=HOOKS, pause=5.0, check_mode=True))
    assert kinds(world) == ["Plan", "Write begin", "SetServices Suspended", "SetServices Running"]
    assert ended.stop is None


def test_instances_that_keep_appearing_stop_it() -> None:
    world = World()
    world.upgrade = lambda _step, _failed: Seen(result={}, instances=world.seen())  # type: ignore[method-assign]
    ended = run(world, Rules())
    assert ended.stop is not None and ended.stop.code == "instances_keep_appearing"
    assert len([step for step in world.steps if isinstance(step, Upgrade)]) == 3 + (rollout.MOST_ROUNDS - 1) * 2 * 3


@pytest.mark.parametrize("at", range(7))
def test_a_cancelled_rollout_sends_nothing_more(at: int) -> None:
    world, kept, seen = World(), rollout.begin(Rules(on_failure="rollback_all", hooks=HOOKS)), None
    for _number in range(at + 1):
        step, kept = rollout.decide(seen, kept)
        seen = world.answer(step)
    step, kept = rollout.decide(None, rollout.cancelled(kept, "SIGTERM was received", {}))
    assert isinstance(step, Finished)
    assert endings.result(kept)["outcome"] == "cancelled"


def second_batch_fails() -> tuple[World, Memory]:
    rules, whole = Rules(hooks=("before_batch", "after_batch")), World()
    run(whole, rules)
    upgrades = [number for number, step in enumerate(whole.steps) if isinstance(step, Upgrade)]
    world = World(fails=upgrades[1])
    return world, run(world, rules, through_json=True)


def test_who_was_prepared_and_not_taken_back_is_named() -> None:
    """The first batch went through; the second failed between the tasks before and the tasks after it."""
    ended = second_batch_fails()[1]
    assert ended.walk.drained == ("1",)
    assert "rollout_before_batch ran for instance 1, and rollout_after_batch did not" in messages.ending(ended, WAYS)


def test_a_stop_is_one_block_in_one_order() -> None:
    said = messages.ending(second_batch_fails()[1], WAYS)
    parts = [
        "It was not allowed.",
        "The model names",
        "As last read.",
        "ran for instance",
        "Continue",
        "Roll back",
        "journal",
    ]
    assert [said.count(part) for part in parts] == [1] * len(parts)
    assert [said.index(part) for part in parts] == sorted(said.index(part) for part in parts)
    assert ".." not in said


def test_a_memory_of_another_version_is_refused_in_words() -> None:
    _step, kept = rollout.decide(None, rollout.begin(Rules()))
    shown = {**kept.as_dict(), "version": memory.VERSION + 1}
    with pytest.raises(Refused, match=f"of version {memory.VERSION + 1}, and this release reads") as refused:
        remembered(shown)
    assert refused.value.code == "memory_not_usable"
    with pytest.raises(Refused, match="is no memory of a rollout"):
        remembered({"version": memory.VERSION, "something": 1})


def test_each_phase_is_asked_and_learned_from() -> None:
    asks, learns = vars(rollout)["_ASK"], vars(rollout)["_LEARN"]
    assert tuple(asks) == tuple(learns) == memory.PHASES
    assert {one.name for one in fields(Memory)} >= {
        "rules",
        "phase",
        "plan",
        "walk",
        "stop",
        "back",
        "result",
        "version",
    }
