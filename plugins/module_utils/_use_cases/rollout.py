# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out what `_rollout.rollout` decides, each step by its own use case, until a task file of the user's is due or
the rollout has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from dataclasses import replace
from pathlib import PurePath

from .._arm.client import Azure, Clock
from .._arm.errors import AzureError
from .._facts import commands, images
from .._facts.images import ImageError
from .._facts.just_read import JustRead
from .._facts.problems import Cancelled, Failure, Refused
from .._facts.report import merge
from .._facts.times import timestamp
from .._journal import Journal, file_name, keep, refuse_unwritable
from .._options import (
    BACK,
    BETWEEN_CALLS,
    ConnectionOptions,
    HookOptions,
    ImageRequest,
    InstanceUpgradeRequest,
    OrchestrationServiceRequest,
    RecordOptions,
    RolloutRequest,
    ScaleSetInfoRequest,
    UpgradePlanInfoRequest,
    part,
    set_by_user,
)
from .._rollout import instance_states, journal_facts, messages, record, rollout
from .._rollout.memory import Memory, Planned, Rules, remembered
from .._rollout.messages import Ways
from .._rollout.steps import (
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
from . import image, instance_upgrade, orchestration_service, scale_set_info, upgrade_plan_info

Result = dict[str, t.Any]

_OURS = {"resource_group", "name", *BETWEEN_CALLS}  # no variables of a user's, or called otherwise


def roll_out(azure: Azure, clock: Clock, request: RolloutRequest, *, check_mode: bool) -> tuple[Result, Failure | None]:
    """The next part of a rollout. Returns the module's result, and where the rollout was no success, why."""
    return Driver(azure, clock, request, check_mode=check_mode).run()


def _entry(request: RolloutRequest, *, check_mode: bool) -> tuple[Memory, Seen | None]:
    """Where this call begins, and what came of the last step of the one before. Raises Refused."""
    if request.memory is None:
        hooks = tuple(name for name in _HOOKS if getattr(request, name))
        rules = Rules(
            hooks=t.cast(t.Any, hooks),
            on_failure=request.on_failure,
            keep_model=request.keep_model,
            pause=request.pause,
            max_unhealthy_upgraded=request.max_unhealthy_upgraded,
            check_mode=check_mode,
            asked={name: getattr(request, name) for name in _KEPT},
        )
        return rollout.begin(rules), None
    memory = remembered(request.memory)
    if request.died:
        return memory, Seen(failed=Failed("task_failed", messages.died(memory)))
    ended = request.hook
    if ended is None or ended.outcome == "done":
        return memory, Seen()
    task = ended.task or "a task without a name"
    if memory.phase == "on_failure_tasks":
        return memory, Seen(failed=Failed("hook_failed", messages.hook_failed_at_the_stop(task, ended.words)))
    hook = t.cast(t.Any, "health_check" if memory.phase in ("check", "check_others") else memory.phase)
    return memory, Seen(failed=Failed("hook_failed", messages.hook_failed(memory, hook, task, ended.words)))


_HOOKS = [one.name for one in dataclasses.fields(HookOptions)]
_OF_EACH_CALL = {"image", *BETWEEN_CALLS, *(one.name for one in dataclasses.fields(ConnectionOptions))} - {"back"}
_KEPT = [one.name for one in dataclasses.fields(RolloutRequest) if one.name not in _OF_EACH_CALL]


class Driver:
    """Runs the steps of one call, and puts its result together."""

    def __init__(self, azure: Azure, clock: Clock, request: RolloutRequest, *, check_mode: bool) -> None:
        self.azure, self.clock, self.check_mode = azure, clock, check_mode
        self.memory, self.seen = _entry(request, check_mode=check_mode)
        asked = self.memory.rules.asked
        request = replace(request, **{name: asked[name] for name in _KEPT if name in asked})
        self.request = replace(request, **BACK) if request.back else request
        self.changed = False
        self.findings: list[dict[str, str]] | None = None
        self.images: list[t.Any] = []  # that the model named, before this call and after it
        self.warnings: list[str] = []
        self._journal: Journal | None = None
        self._read: JustRead | None = None

    def run(self) -> tuple[Result, Failure | None]:
        """Steps until one is not ours to do. What is kept is the memory of the step in progress."""
        request, check_mode = self.request, self.check_mode
        memory, seen = self.memory, self.seen
        if memory.plan is not None:
            self._open_journal(memory.plan)
            self._note_entry()
        while True:
            stopped = memory.stop
            step, memory = rollout.decide(seen, memory)
            if memory.stop is not None and stopped is None:
                self.note("rollout_stops", code=memory.stop.code, why=memory.stop.why, refused=memory.stop.refused)
            if isinstance(step, RunHook | Finished):
                return self.answer(step, memory)
            if request.work_dir and not check_mode:
                keep(f"{request.work_dir}/memory.json", memory.as_dict())
            try:
                seen = self.carry_out(step, memory)
            except Cancelled as cancelled:
                done = _less_calls(cancelled.fields.get("rollout_result") or {})
                self.note("cancelled", why=str(cancelled))
                result, _failure = self.answer(Finished(), rollout.cancelled(memory, str(cancelled), done))
                raise Cancelled(str(cancelled), **result) from None

    def carry_out(self, step: Step, memory: Memory) -> Seen:
        """One step, and what came of it."""
        does: dict[type[Step], t.Callable[[t.Any, Memory], Seen]] = {
            Plan: self._plan,
            Show: self._show,
            Write: self._write,
            SetServices: self._set_services,
            Upgrade: self._upgrade,
            PutBack: self._put_back,
            Look: self._look,
            Wait: self._wait,
        }
        try:
            return does[type(step)](step, memory)
        except (AzureError, Refused, ImageError) as error:
            if isinstance(error, Refused) and memory.stop is None:
                self.findings = error.fields.get("findings", self.findings)
            return Seen(failed=Failed(error.code, self._said(step, memory, _words(error, memory))))

    def _said(self, step: Step, memory: Memory, why: str) -> str:
        if isinstance(step, SetServices) and step.state == "Running":
            return messages.resume_failed(memory, why)
        return messages.latest_failed(why) if isinstance(step, Write) and step.why == "latest" else why

    # -- the steps ------------------------------------------------------------------------------

    def _plan(self, _step: Plan, _memory: Memory) -> Seen:
        request = self.request
        if request.journal_dir:
            refuse_unwritable(request.journal_dir)
        wanted = _way_back(self.azure, request) if request.back and not request.image else request.image
        asked = part(UpgradePlanInfoRequest, request, image=wanted, going_back=request.back)
        began = self.clock.now()
        made = upgrade_plan_info.make(self.azure, asked)
        self._read = JustRead(began, image=made.image)
        shown = upgrade_plan_info.as_result(made)
        self.findings = shown["findings"]
        planned = _planned(made, shown)
        works = not planned.nothing_to_do
        result = {
            "id": shown["rollout_id"],
            "scale_set": shown["scale_set"],
            "target_image": shown["target_image"],
            "previous_image": shown["previous_image"],
            "started": timestamp(self.clock.now()),
            "outcome": "upgraded" if self.check_mode and works else "unchanged",
            "batches": shown["batches"] if self.check_mode else [],
            "unavailable": {"max_allowed": made.survey.max_unavailable, "max_seen": len(made.survey.unavailable)},
        }
        self.changed = works and not planned.errors if self.check_mode else self.changed
        left, unproven = shown["left"], shown["unproven"]
        self._open_journal(planned)
        self.note("instances", **instance_states.snapshot(made.survey))
        facts = journal_facts.planned(made.survey, planned, request.image, shown)
        self.note("planned", **facts, **upgrade_plan_info.expected(made, asked, self.azure.usage.calls))
        others = {name: shown[name] for name in ("busy", "on_target")}
        seen = Instances(shown["next_batch"], left, unproven, shown["instances_now"], **others)
        return Seen(plan=planned, result=result, instances=seen)

    def _show(self, step: Show, memory: Memory) -> Seen:
        plan = memory.planned
        asked = part(
            ScaleSetInfoRequest, self.request, image=None, instance_ids=list(step.instance_ids), addresses=True
        )
        (found,) = scale_set_info.read(self.azure, replace(asked, name=plan.name))
        return Seen(shown=tuple(found["instances"]))

    def _write(self, step: Write, memory: Memory) -> Seen:
        asked = ImageRequest(
            **self._place(),
            image=self._spelled(step.image),
            security_type=t.cast(t.Any, step.security_type or None),
            upgrade_mode=self.request.upgrade_mode if step.why == "begin" else None,
            record=RecordOptions(**step.record),
            replaces=dict(step.replaces) or None,
            replaces_rollout=step.replaces_rollout,
            latest_must_mean=dict(memory.planned.target) if step.why == "latest" else None,
            journal=t.cast(t.Any, self._path(memory)),
        )
        known = self._read.now(self.clock.now()).image if self._read else None
        change = image.set_image(self.azure, self.clock, asked, check_mode=self.check_mode, known=known)
        self._read = JustRead(self.clock.now(), change.after)
        self.changed = self.changed or change.changed
        self.warnings += change.warnings
        written = memory.planned.write_model and memory.result["outcome"] != "unchanged"
        if step.why == "end" and (written or not memory.planned.begins):
            self.warnings += filter(None, [record.removed(change.after, step.record["id"])])
        named = [change.shown_before, change.shown_after]
        self.images = [*self.images[:1], named[1]] if self.images else named
        joined = step.why == "begin" and change.joined
        return Seen(changed=change.changed, joined=joined, upgrade_mode=change.after.upgrade_mode)

    def _spelled(self, shown: t.Mapping[str, t.Any]) -> t.Any:
        """A VHD's URI is shown without its SAS: the user's own spelling is written where it means the same."""
        if "vhd_uri" in shown and self.request.image:
            with contextlib.suppress(ImageError):
                if images.show(images.parse(self.request.image)) == shown:
                    return self.request.image
        return dict(shown)

    def _set_services(self, step: SetServices, memory: Memory) -> Seen:
        asked = OrchestrationServiceRequest(
            **self._place(),
            services=t.cast(t.Any, list(step.services)),
            state=step.state,
            journal=t.cast(t.Any, self._path(memory)),
        )
        before, after, warnings = orchestration_service.set_state(
            self.azure, self.clock, asked, check_mode=self.check_mode
        )
        self.changed = self.changed or before != after
        self.warnings += warnings
        return Seen(changed=before != after)

    def _upgrade(self, step: Upgrade, memory: Memory) -> Seen:
        batch, began = memory.walk.batch, self.clock.now()
        begins = journal_facts.batch_begins(memory, batch) if batch else {}
        if batch:
            self.note("batch_begins", **begins)
        asked = self._of_instances(
            memory,
            batch=list(step.instance_ids),
            rollout=memory.planned.record["id"],
            begins=memory.planned.begins,
            wait_only=not step.instance_ids,
            busy_before=list(memory.walk.busy_before),
            earlier_batches=memory.result["batches"],
        )
        seen = self._brought(asked, memory)
        if batch and seen.instances:
            now, left = self.clock.now(), len(seen.instances.left)
            ended = {"number": batch["number"], "of": begins["of"], "seconds": round(now - began)}
            self.note("batch_ended", **ended, **journal_facts.batch_ended(memory, seen.result, left, now))
        return seen

    def _put_back(self, step: PutBack, memory: Memory) -> Seen:
        """Those that are gone by now are passed over."""
        ids = list(step.instance_ids)
        self.note("rollback_begins", instances=ids, target=messages.named(memory.planned.previous))
        asked = self._of_instances(
            memory,
            image=dict(memory.planned.previous or {}),
            batch=ids,
            rollout=memory.planned.record["id"],
            touched=ids,
            downgrade=True,
            canary=0,
            max_unhealthy="100%",
            **_EVERYONE,
        )
        plain = replace(asked, batch_size=(), unproven="report", max_unhealthy_upgraded="0", busy="wait")
        return self._brought(plain, memory)

    def _look(self, step: Look, memory: Memory) -> Seen:
        ids = list(step.instance_ids)
        asked = self._of_instances(memory, image=None, batch=ids, touched=ids, downgrade=True, **_EVERYONE)
        result, _failure = instance_upgrade.upgrade(self.azure, self.clock, asked, check_mode=True)
        return Seen(instances=_instances(result))

    def _wait(self, step: Wait, _memory: Memory) -> Seen:
        self.azure.check_wanted()
        self.clock.sleep(step.seconds)
        return Seen()

    def _brought(self, asked: InstanceUpgradeRequest, memory: Memory) -> Seen:
        result, failure, self._read = instance_upgrade.upgrade_next(
            self.azure, self.clock, asked, check_mode=False, read=self._read
        )
        self.changed = self.changed or result["changed"]
        self.warnings += result["warnings"]
        done, failed = result["rollout_result"], None
        if failure:
            why = done["why"] if memory.stop else messages.stopped(memory, done["why"])
            failed = Failed(failure.code, why, failure.advice)
        return Seen(failed=failed, result=_less_calls(done), instances=_instances(result))

    def _of_instances(self, memory: Memory, **options: t.Any) -> InstanceUpgradeRequest:
        usual = {"image": dict(memory.planned.target), "journal": self._path(memory)}
        return part(InstanceUpgradeRequest, self.request, **{**usual, **options})

    def _place(self) -> dict[str, t.Any]:
        return {name: getattr(self.request, name) for name in ("resource_group", "name")}

    # -- the journal ----------------------------------------------------------------------------

    def _path(self, memory: Memory) -> str | None:
        plan = memory.planned
        directory = self.request.journal_dir or self.request.work_dir
        return f"{directory}/{file_name(plan.name, plan.record['id'])}" if directory and not self.check_mode else None

    def _open_journal(self, plan: Planned) -> None:
        """Raises Refused where it cannot be written."""
        path = self._path(Memory(Rules(), plan=plan))
        self._journal = Journal(path, scale_set=plan.scale_set, rollout=plan.record["id"])

    def note(self, event: str, **facts: t.Any) -> None:
        if self._journal is not None:
            usage = self.azure.usage
            calls = {"calls": usage.calls, "throttled_seconds": round(usage.throttled_seconds, 1)}
            self._journal.write([{"time": timestamp(self.clock.now()), "event": event, **facts, **calls}])

    def _note_entry(self) -> None:
        """How the user's task file ended that the last call has asked for."""
        memory, ended = self.memory, self.request.hook
        if self.request.died:
            self.note("module_died", phase=memory.phase)
        elif ended is not None:
            facts = {"task": ended.task, "words": ended.words} if ended.outcome != "done" else {}
            self.note("task_file_ended", **self._task_file(memory.phase), outcome=ended.outcome, **facts)

    def _task_file(self, phase: str) -> dict[str, t.Any]:
        hook = "health_check" if phase in ("check", "check_others") else phase
        return {"hook": hook, "file": PurePath(str(getattr(self.request, hook, ""))).name}

    # -- the result -----------------------------------------------------------------------------

    def answer(self, step: Step, memory: Memory) -> tuple[Result, Failure | None]:
        """What the module returns."""
        calls = {"arm": self.azure.usage.as_dict()}
        memory = replace(memory, result=merge([memory.result, calls]))
        before, after = image.without_same_type(*self.images) if self.images else (None, None)
        diff = {"diff": {"before": before or {}, "after": after or {}}} if before != after else {}
        common = {"changed": self.changed, "warnings": self.warnings, "findings": self.findings or [], **diff}
        journal = self._path(memory) if self.request.journal_dir and memory.plan else None
        said = messages.ending(memory, ways(self.request, memory, journal))
        if isinstance(step, RunHook):
            file, failure = getattr(self.request, step.hook), said if memory.stop else ""
            due = {"hook": step.hook, "file": file, "batch": step.batch, "failure": failure}
            ids = [one["instance_id"] for one in (step.batch or {}).get("instances", ())]
            self.note("task_file_due", **self._task_file(step.hook), instances=ids)
            return {**common, "next": due, "hooks_due": rollout.hooks_due(memory), "memory": memory.as_dict()}, None
        result = {**rollout.endings.result(memory), "finished": timestamp(self.clock.now())}
        if memory.plan:
            self.note("ended", **journal_facts.ended(memory, result))
        ended = {"next": None, "hooks_due": 0, "memory": None}
        whole = {**common, **ended, "rollout_result": result, "journal": journal}
        whole["warnings"] = (
            [*self.warnings, *messages.skipped(memory), *messages.unclosed(memory)] if memory.plan else self.warnings
        )
        if said:
            return {**whole, "report": None}, Failure(result["code"] or "task_failed", said)
        return {**whole, "report": self._report(memory, result)}, None

    def _report(self, memory: Memory, result: Result) -> dict[str, t.Any]:
        plan = memory.planned
        return {
            "ended": messages.report(memory, result),
            "target": plan.target,
            "previous": plan.previous,
            "batches": [f"{one['label']}: {','.join(one['instance_ids'])}" for one in plan.batches],
            "findings": [one["sentence"] for one in self.findings or ()],
        }


def ways(request: RolloutRequest, memory: Memory, journal: str | None = None) -> Ways:
    """The commands that go on and back under the same rules: all that the user set."""
    place = {"resource_group": request.resource_group, "scale_set": request.name}
    given = set_by_user(request)
    signed_in = {f"rollout_{one.name}": given.pop(one.name, None) for one in dataclasses.fields(ConnectionOptions)}
    signed_in = {name: value for name, value in signed_in.items() if value is not None}
    more = {f"rollout_{name}": _as_given(value) for name, value in given.items() if name not in _OURS}
    target = memory.plan.record["target"] if memory.plan else more.get("rollout_image", "")
    going = {f"rollout_{name}": value for name, value in place.items()} | {**more, "rollout_image": target}
    back = {f"rollout_{name}": value for name, value in place.items()}
    playbook = "upgrade_image"
    if request.back:
        ids = {"rollback_instance_ids": request.instance_ids} if request.instance_ids else {}
        ours = {f"rollout_{name}" for name in ("image", "instance_ids", *BACK)}
        others = {name: value for name, value in more.items() if name not in ours}
        going = {**back, **ids, **others, "rollback_image": target}
        playbook = "rollback"
    return Ways(
        go_on=commands.playbook(playbook, {**going, **signed_in}),
        go_back="" if request.back else commands.playbook("rollback", {**back, **signed_in}),
        reimage=commands.playbook(playbook, {**going, "rollout_unproven": "reimage", **signed_in}),
        journal=journal or "",
    )


def _words(error: Exception, memory: Memory) -> str:
    """Less what the message of this stop says already, as where the sign-in has ended."""
    stop = memory.stop
    words = error.problem.message.rstrip(".") if isinstance(error, AzureError) else ""
    told = stop is not None and words and words in f"{stop.why} {memory.back.model_failed}"
    return str(error).replace(words, "as above") if told else str(error)


_EVERYONE: t.Final[dict[str, t.Any]] = {"instance_ids": (), "update_domains": (), "fault_domains": (), "zones": ()}


def _as_given(value: t.Any) -> t.Any:
    return f"{value:g}" if isinstance(value, float) else value


def _less_calls(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Without the count of calls, which is that of the whole module, and the words that this rollout says itself."""
    return {name: value for name, value in result.items() if name not in ("arm", "message")}


def _instances(result: t.Mapping[str, t.Any]) -> Instances:
    of_batch = result["batch_now"] or {}
    return Instances(
        next_batch=result["next_batch"],
        left=result["left"],
        unproven=result["unproven"],
        now=result["instances_now"],
        batch_now=of_batch.get("sentence", ""),
        complete=of_batch.get("complete", False),
        busy=result["busy"],
        on_target=result["on_target"],
    )


def _planned(made: upgrade_plan_info.Plan, shown: t.Mapping[str, t.Any]) -> Planned:
    scale_set = made.survey.scale_set
    return Planned(
        scale_set=scale_set.id,
        name=scale_set.name,
        resource_group=scale_set.resource_group,
        target=shown["target_image"],
        latest=shown["latest_image"],
        previous=shown["previous_image"],
        model=shown["model_image"],
        record=shown["record"],
        replaces_rollout=made.replaces_rollout,
        begins=made.begins,
        write_model=made.write_model,
        close_record=made.close_record,
        abandoned=made.abandoned,
        all_on_target=made.all_on_target,
        follow_latest=made.follow_latest,
        nothing_to_do=made.nothing_to_do,
        suspend=tuple(made.to_suspend),
        resume=tuple(made.record.suspended),
        still_suspended=tuple(made.still_suspended),
        check=tuple(shown["check"]),
        batches=tuple(shown["batches"]),
        errors=tuple(made.errors),
        security_type=made.security_type or "",
        changes_mode=any(one["code"] == "upgrade_mode" for one in shown["findings"]),
    )


def _way_back(azure: Azure, request: RolloutRequest) -> images.Image | dict[str, str]:
    """The image that the record of the last rollout names as the one before. Raises Refused where nothing proves it."""
    (found,) = scale_set_info.read(azure, part(ScaleSetInfoRequest, request, image=None, instances=False))
    record = found["rollout"] or {}
    if back := record.get("way_back"):
        return t.cast(dict[str, str], back)
    recorded = messages.named(record.get("previous_image"))
    not_trusted = (
        f"The record names {recorded}, and others may write it: by itself a rollback goes only to another version of "
        "what the model names, or to what Azure reports of an instance or an upgrade of its own. "
        if recorded
        else ""
    )
    raise Refused(
        "rollback_image_unknown",
        f"Scale set {request.name} (resource group {request.resource_group}) carries no rollout record that names a "
        "previous image, or its instances have come to run something else since, as by an upgrade of Azure's own. "
        f"{not_trusted}Give the image to go back to as rollback_image. Nothing was written.",
    )
