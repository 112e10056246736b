# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out what `_rollout.upgrade` decides: reads, sends, waits, and tells it what came of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._arm.instance_ids import explicit_ids
from .._facts import images, problems, running_image
from .._facts.documents import with_model
from .._facts.images import Image
from .._facts.problems import Cancelled, Failure, Refused
from .._facts.report import BatchReport
from .._facts.scale_set import Instance, ScaleSet
from .._facts.times import timestamp
from .._journal import Journal
from .._options import InstanceUpgradeRequest
from .._rollout import instance_states, record, upgrade_messages
from .._rollout.batches import Batch, next_batch, on_target
from .._rollout.record import Record
from .._rollout.survey import Survey
from .._rollout.upgrade import Upgrade
from .._rollout.upgrade_steps import REIMAGE, START, UPGRADE, Finished, Look, Poll, Send
from .._rollout.verification import Patience
from . import upgrade_plan_info


def upgrade(
    azure: Azure, clock: Clock, request: InstanceUpgradeRequest, *, check_mode: bool, new_model: Image | None = None
) -> tuple[dict[str, t.Any], Failure | None]:
    """Upgrade what is chosen. Returns the module's result and, where the work stopped, why.

    `new_model`: in check mode, the image of a model that would be written before.
    """
    survey, rollout = survey_of(azure, request)
    if check_mode and (new_model or request.model_will_change):
        survey = _once_written(survey, new_model or survey.target)
    machine = start(survey, request, clock.now())
    if request.rollout:  # what another client has changed since the call before stops it
        machine.saw(clock.now(), survey.instances, survey.scale_set, read_at=survey.read_at)
    earlier = request.earlier_batches
    untold = upgrade_messages.untold(survey)
    if check_mode:
        planned = _result(azure, machine, rollout, earlier, planned=machine.planned())
        return {**planned, "warnings": [*untold, *upgrade_messages.down_on_target(survey)]}, None
    of_rollout = rollout.id if rollout else request.rollout or None
    journal = Journal(request.journal, scale_set=survey.scale_set.id, rollout=of_rollout)
    read_at = None
    try:
        carry_out(azure, clock, machine, journal)
    except AzureError as error:
        read_at = machine.read_at
        machine.give_up(clock.now(), error.code, error.problem, error.attempted)
        journal.write(machine.report.events[-1:])
    except Cancelled as cancelled:
        machine.cancel(clock.now(), str(cancelled))
        journal.write(machine.report.events[-1:])
        raise Cancelled(
            str(cancelled), **_result(azure, machine, rollout, earlier), warnings=journal.warnings
        ) from None
    result = {**_result(azure, machine, rollout, earlier), "warnings": [*untold, *journal.warnings]}
    if result["busy"] and not (request.batch or request.wait_only):
        result["warnings"].append(upgrade_messages.skipped(survey.scale_set.name, result["busy"]))
    report = machine.report
    if report.end.code is None or (report.outcome == "failed" and request.batch):
        return result, None  # one batch is not the whole of a rollout
    if report.outcome == "failed":
        return result, Failure(report.end.code, upgrade_messages.tolerated(machine.survey, report))
    stopped = upgrade_messages.stopped(machine.survey, report, read_at)
    result["rollout_result"]["message"] = stopped
    more = f"{upgrade_messages.new_instances(machine.survey)} {upgrade_messages.go_on(machine.survey)}"
    return result, Failure(report.end.code, f"{stopped} {more}", upgrade_messages.advice(machine.survey))


def _once_written(survey: Survey, image: Image) -> Survey:
    """With a model of this image, which no instance has got. Of a Flexible set Azure never tells who has got it."""
    behind = tuple(
        i if i.latest_model_applied is None else replace(i, latest_model_applied=False) for i in survey.instances
    )
    return replace(survey, scale_set=replace(survey.scale_set, image=image), target=image, instances=behind)


def _result(
    azure: Azure,
    machine: Upgrade,
    rollout: Record | None,
    earlier: t.Sequence[t.Any],
    planned: t.Sequence[Batch] | None = None,
) -> dict[str, t.Any]:
    """`rollout_result` is of its own, for at the top of a result Ansible takes `finished` and `started` as its own."""
    survey = machine.survey
    previous = rollout.previous_image if rollout else None
    result = machine.report.as_dict(rollout.id if rollout else None, survey.scale_set.id, survey.target, previous)
    if planned is not None:
        numbered = enumerate(planned, len(earlier) + 1)
        result["batches"] = [batch.as_dict(number) for number, batch in numbered]
        result["outcome"] = "upgraded" if planned else "unchanged"
    touched = [i for batch in planned for i in batch.instance_ids] if planned is not None else machine.report.upgraded
    by_id = {i.instance_id: i for i in survey.instances}
    return {
        "changed": bool(touched or machine.report.batches),
        "rollout_result": {**result, "arm": azure.usage.as_dict()},
        **what_follows(machine, earlier),
        "notes": upgrade_messages.kept_disks(survey, machine.report),
        "instances_now": upgrade_messages.instances_now(survey, machine.read_at),
        "batch_now": upgrade_messages.batch_now(survey, machine.only) if machine.only else None,
        "diff": {
            "before": {i: before_of(machine, by_id, i) for i in touched},
            "after": {i: images.show(survey.target) for i in touched},
        },
    }


def before_of(machine: Upgrade, by_id: t.Mapping[str, Instance], instance_id: str) -> dict[str, str] | None:
    report = machine.report.instances.get(instance_id)
    instance = report.before if report else by_id[instance_id]
    return images.show(running_image.running_image(instance))


def survey_of(azure: Azure, request: InstanceUpgradeRequest) -> tuple[Survey, Record | None]:
    """The scale set as it is, and the rollout that stands on it for this target.

    Raises Refused where the model does not name the target and the call is part of no rollout, which stops at that.
    """
    if request.batch:
        explicit_ids(request.batch)
    policy = upgrade_plan_info.policy_of(request, whole_model=request.whole_model)
    selection = upgrade_plan_info.selection_of(request)
    scale_set = with_model(azure.scale_set(request.resource_group, request.name))
    wanted = images.parse(request.image) if request.image else None
    if request.rollout and wanted is not None and scale_set.image is not None:
        target = images.complete(wanted, scale_set.image)
    else:
        target = _target(scale_set, wanted, whole_model=policy.whole_model)
    instances = tuple(azure.instances(scale_set))
    if not (request.batch or request.wait_only or request.earlier_batches or request.touched):
        selection.check(instances, scale_set.name)  # of a rollout that goes on, some may be gone meanwhile
    standing, found = record.standing(scale_set), record.read(scale_set.tags)
    rollout = request.rollout or (found.id if found else "")
    if not request.rollout and (words := record.of_another(scale_set, rollout)):
        raise Refused("rollout_changed", f"{words}. This call upgraded nothing. Let that rollout end first.")
    survey = Survey(
        scale_set,
        instances,
        target,
        policy,
        selection,
        rollout=rollout,
        in_manual=bool(request.rollout),
        since=standing.started if standing else None,
        unfinished=standing is not None and standing.resumable,
        inherited=frozenset() if request.begins else None,
        busy_before=frozenset(request.busy_before),
        read_at=azure.server_time,
    )
    return survey, standing


def _target(scale_set: ScaleSet, wanted: Image | None, *, whole_model: bool) -> Image:
    model = scale_set.image
    if model is None:
        raise Refused("model_without_image", f"the model of scale set {scale_set.name} names no image.")
    if model.follows_latest and not whole_model:
        raise Refused(
            "model_not_pinned",
            f"the model of scale set {scale_set.name} names {model}: Azure then reports every instance as up to date, "
            "however old its image is. Pin an exact version first with steady.vmss.image, or run the playbook "
            "steady.vmss.upgrade_image.",
        )
    if wanted is not None and not images.same(model, images.complete(wanted, model)):
        raise Refused(
            "model_names_another_image",
            f"the model of scale set {scale_set.name} names {model}, not {wanted}: instances upgraded now would run "
            "that. Write the model first with steady.vmss.image.",
        )
    return model


def start(survey: Survey, request: InstanceUpgradeRequest, now: float) -> Upgrade:
    """The state machine for this call's part of the rollout."""
    patience = Patience(
        upgrade=request.upgrade_timeout,
        health=request.health_timeout,
        healthy_for=request.healthy_for,
        health_lag=request.health_lag,
        version_lag=request.version_lag,
    )
    return Upgrade(
        survey,
        patience,
        now=now,
        only=request.batch,
        earlier=[BatchReport.from_dict(one) for one in request.earlier_batches],
        wait_only=request.wait_only,
        touched=request.touched,
    )


def carry_out(azure: Azure, clock: Clock, upgrade: Upgrade, journal: Journal) -> None:
    """Run the state machine to its end. A read that Azure keeps refusing ends it with AzureError."""
    ref: OperationRef | None = None
    telling = _Telling(azure, clock, upgrade, journal)
    while True:
        step = upgrade.next(clock.now())
        telling.tell()
        if isinstance(step, Finished):
            return
        if isinstance(step, Send):
            ref = _send(azure, clock, upgrade, step)
        elif isinstance(step, Poll):
            _sleep_until(clock, step.at)
            _poll(azure, clock, upgrade, ref)
        elif isinstance(step, Look):
            _sleep_until(clock, step.at)
            _look(azure, clock, upgrade, step)


class _Telling:
    """Writes into the journal what the machine says, and each state that an instance takes."""

    def __init__(self, azure: Azure, clock: Clock, upgrade: Upgrade, journal: Journal) -> None:
        self._azure, self._clock, self._upgrade, self._journal = azure, clock, upgrade, journal
        self._told = 0
        self._states: instance_states.States | None = None
        self._judged: tuple[Survey, frozenset[str]] | None = None

    def tell(self) -> None:
        events = self._upgrade.report.events
        lines = [*events[self._told :], *self._of_instances(self._upgrade.survey, self._upgrade.at_work)]
        self._told = len(events)
        usage = self._azure.usage
        calls = {"calls": usage.calls, "throttled_seconds": round(usage.throttled_seconds, 1)}
        self._journal.write({**line, **calls} for line in lines)

    def _of_instances(self, survey: Survey, at_work: frozenset[str]) -> t.Iterator[dict[str, t.Any]]:
        if self._judged is not None and self._judged[0] is survey and self._judged[1] == at_work:
            return
        if self._states is None:
            yield self._line("instances", instance_states.snapshot(survey, at_work))
        elif changed := instance_states.changes(self._states, survey, at_work):
            yield self._line("states", changed)
        self._judged, self._states = (survey, at_work), instance_states.states(survey, at_work)

    def _line(self, event: str, facts: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"time": timestamp(self._clock.now()), "event": event, **facts}


def _sleep_until(clock: Clock, at: float) -> None:
    if (seconds := at - clock.now()) > 0:
        clock.sleep(seconds)


def _look(azure: Azure, clock: Clock, upgrade: Upgrade, step: Look) -> None:
    scale_set = upgrade.survey.scale_set
    fresh = azure.scale_set(scale_set.resource_group, scale_set.name) if step.model else None
    instances = azure.instances(fresh or scale_set)
    remaining = azure.usage.reads_remaining("HighCostGetVMScaleSet")
    upgrade.saw(clock.now(), instances, fresh, remaining, azure.server_time)


def _send(azure: Azure, clock: Clock, upgrade: Upgrade, step: Send) -> OperationRef | None:
    calls = {UPGRADE: azure.upgrade_instances, REIMAGE: azure.reimage_instances, START: azure.start_instances}
    try:
        ref = calls[step.kind](upgrade.survey.scale_set, step.instance_ids)
    except AzureError as error:
        pause = upgrade.refused(clock.now(), error.problem)
        azure.usage.throttled_seconds += pause if error.problem.kind == problems.THROTTLED else 0
        return None
    upgrade.accepted(clock.now())
    return ref


def _poll(azure: Azure, clock: Clock, upgrade: Upgrade, ref: OperationRef | None) -> None:
    operation = None
    try:
        operation = azure.operation(ref) if ref else None
    except AzureError as error:
        if error.problem.kind != problems.MISSING:
            raise
    upgrade.saw_operation(clock.now(), operation, azure.usage.reads_remaining("GetOperation"))


def what_follows(upgrade: Upgrade, earlier: t.Sequence[t.Any]) -> dict[str, t.Any]:
    """The next batch of the whole selection after this call, and what is left."""
    survey = upgrade.survey
    following = next_batch(survey)
    number = len(earlier) + len(upgrade.report.batches) + 1
    return {
        "next_batch": following.as_dict(number) if isinstance(following, Batch) else None,
        "left": survey.left,
        "busy": survey.passed_over,
        "unproven": [i.instance_id for i in survey.unproven],
        "on_target": on_target(survey),
        "outdated": [i.instance_id for i in survey.outdated],
        "left_alone": survey.skipped,
    }
