# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out what `_rollout.rolling_upgrade` decides about Azure's own upgrades: sends, waits, and reads."""

from __future__ import annotations

import typing as t

from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._facts import catalogue, images, problems, running_image
from .._facts.images import Image
from .._facts.problems import Cancelled, Failure, Operation, Problem, Refused
from .._facts.scale_set import Instance, PastUpgrade, RollingUpgrade, ScaleSet
from .._facts.times import seconds_of
from .._journal import Journal
from .._options import RollingUpgradeRequest
from .._orchestrator import messages, readiness
from .._orchestrator.history import entry_of
from .._orchestrator.observation import OS, Watch, verdict
from .._orchestrator.rolling_upgrade import CANCELLED, COMPLETED, RollingRun
from .._orchestrator.steps import Cancel, Finished, Known, Look, Patience, Start, Step
from .._rollout import resume
from . import prerequisites, views

Findings = list[dict[str, str]]

# How long Azure may take to start the first automatic upgrade of a scale set; later ones start sooner.
WAIT_FOR_AZURE = 10800
_MOST_CHANGES = 5  # of the set between its reads before one start
NONE = "none"  # option upgrade_known: there was no upgrade


def run(
    azure: Azure, clock: Clock, request: RollingUpgradeRequest, *, check_mode: bool
) -> tuple[dict[str, t.Any], Failure | None]:
    """Bring Azure's upgrade to the state. Returns the module's result and, where it failed, why."""
    _check(request)
    scale_set = azure.scale_set(request.resource_group, request.name)
    latest = azure.latest_rolling_upgrade(scale_set)
    idle = request.state == CANCELLED and (latest is None or not latest.running)
    instances = [] if idle else azure.instances(scale_set)
    watch = _watch(azure, clock, scale_set, instances, request)
    machine = RollingRun(
        watch,
        latest,
        now=clock.now(),
        wanted=request.state,
        patience=_patience(request, scale_set),
        current_started=seconds_of(request.upgrade_started),
        known=_known(request),
        history=_history(azure, scale_set) if latest is not None and latest.running and not idle else None,
        failed_attempt=_failed_attempt(azure, scale_set, latest, watch, request),
        retry_anyway=request.wait_for_start is not None,
    )
    first = machine.next(clock.now())
    if isinstance(first, Finished) and machine.report.outcome == "unchanged":
        _refuse_pinned(scale_set, request)
    findings = _ready(azure, scale_set, watch) if isinstance(first, Start) else None
    result: dict[str, t.Any] = {
        "before": views.rolling_upgrade(latest),
        "findings": [] if findings is None else findings,
        "automatic_os_upgrade": scale_set.automatic_os_upgrade,
    }
    if check_mode:
        previous = _previous(machine.watch)
        result |= _planned(azure, machine, first, previous)
        result |= _report(request, result, check_mode=True)
        code = machine.report.end.code
        return result, Failure(code, messages.stopped(machine, previous)) if code else None
    journal = Journal(request.journal, scale_set=scale_set.id)
    read_at = None
    try:
        _carry_out(azure, clock, machine, first, journal, judged=scale_set if findings is not None else None)
        if machine.report.end.problem is not None:  # nothing was read after it
            read_at = machine.watch.read_at
    except AzureError as error:
        read_at = machine.watch.read_at
        machine.give_up(clock.now(), error.code, error.problem, error.attempted)
        journal.write(machine.report.events[-1:])
    except Refused as refusal:
        machine.not_ready(clock.now(), refusal.code, str(refusal.after_writes(azure.written)))
        journal.write(machine.report.events[-1:])
        result |= refusal.fields
    except Cancelled as cancelled:
        machine.cancel(clock.now(), str(cancelled))
        journal.write(machine.report.events[-1:])
        result |= _result(azure, machine, _previous(machine.watch), journal.warnings)
        raise Cancelled(str(cancelled), **result) from None
    previous = _previous(machine.watch)
    result |= _result(azure, machine, previous, journal.warnings)
    result |= _report(request, result, check_mode=False)
    code, outcome = machine.report.end.code, machine.report.outcome
    if code is None or (request.state == CANCELLED and outcome != "failed"):
        return result, None
    message = messages.stopped(machine, previous, read_at)
    result["rollout_result"]["message"] = message
    return result, Failure(code, message)


def _report(request: RollingUpgradeRequest, result: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    if request.state != CANCELLED:
        return {}
    return {"report": messages.cancellation(result, check_mode=check_mode)}


def _previous(watch: Watch) -> Image | None:
    """What the instances ran before that were to be upgraded."""
    asked = [watch.before[i] for i in sorted(watch.asked)]
    before = resume.images_before(asked, watch.scale_set.image, watch.target) if watch.target else []
    return next(iter(before), None)


def _check(request: RollingUpgradeRequest) -> None:
    if request.poll_interval <= 0:
        raise Refused(
            "option_invalid",
            f"poll_interval {request.poll_interval} is not a valid interval; write seconds, more than 0.",
        )
    started = request.upgrade_started
    if started and seconds_of(started) is None:
        raise Refused(
            "option_invalid", f"upgrade_started '{started}' is not a time. Write it like 2026-11-21T02:00:04Z."
        )
    known = request.upgrade_known
    if known and known != NONE and seconds_of(known) is None:
        raise Refused(
            "option_invalid", f"upgrade_known '{known}' is neither {NONE} nor a time like 2026-11-21T02:00:04Z."
        )


def _known(request: RollingUpgradeRequest) -> Known | None:
    given = request.upgrade_known
    return Known(seconds_of(given)) if given else None


def _refuse_pinned(scale_set: ScaleSet, request: RollingUpgradeRequest) -> None:
    """A pinned model has nothing newer to offer, which is no success of Azure's: it would refuse the start."""
    if request.state == CANCELLED or request.type != OS:
        return
    found = [one for one in readiness.findings(scale_set, readiness.OS_UPGRADE) if one.code == "image_pinned"]
    if found:
        shown = [one.as_dict() for one in found]
        raise Refused("not_ready", readiness.refusal(scale_set, readiness.OS_UPGRADE, found), findings=shown)


def _patience(request: RollingUpgradeRequest, scale_set: ScaleSet) -> Patience:
    given = request.wait_for_start
    wait = WAIT_FOR_AZURE if given is None else given
    return Patience(
        start=float(wait) if scale_set.automatic_os_upgrade and request.type == OS else 0.0,
        upgrade=float(request.timeout),
        settle=float(request.health_timeout),
        poll=float(request.poll_interval),
    )


def _watch(
    azure: Azure, clock: Clock, scale_set: ScaleSet, instances: t.Sequence[Instance], request: RollingUpgradeRequest
) -> Watch:
    kind = request.type
    target = since = None
    if kind == OS and instances:
        try:
            target = _target(azure, scale_set)
        except (AzureError, Refused):
            if request.state != CANCELLED:
                raise  # a cancellation does not wait for the catalogue: Azure's history names the target later
    if target and any(verdict(i, target, None) == running_image.UNPROVEN for i in instances):
        since = _proof(azure, scale_set, target)
    return Watch(scale_set, instances, kind, target, now=clock.now(), since=since)


def _target(azure: Azure, scale_set: ScaleSet) -> Image:
    """What Azure would install now. A pinned model is told as it is; a start is refused for it later."""
    model = scale_set.image
    if model is None:
        raise Refused("model_without_image", f"the model of scale set {scale_set.name} names no image.")
    if not model.follows_latest:
        return model
    return catalogue.newest(model, azure.image_versions(model, scale_set.location), scale_set.location)


def _proof(azure: Azure, scale_set: ScaleSet, target: Image) -> float | None:
    """When the last upgrade to the target that was completed started: a disk made since then holds it."""
    done = [
        one.started
        for one in _history(azure, scale_set) or ()
        if one.code == "Completed" and one.started is not None and images.same(one.target, target)
    ]
    return max(done, default=None)


def _failed_attempt(
    azure: Azure, scale_set: ScaleSet, latest: RollingUpgrade | None, watch: Watch, request: RollingUpgradeRequest
) -> PastUpgrade | None:
    """Azure's own attempt at the target that has not reached every instance, where one by Azure would be waited for."""
    waits = request.state == COMPLETED and scale_set.automatic_os_upgrade and request.wait_for_start != 0
    if not waits or latest is None or latest.running or not watch.to_do:
        return None
    found = entry_of(_history(azure, scale_set) or (), latest.started)
    by_azure = found is not None and found.started_by == "Platform" and images.same(found.target, watch.target)
    return found if by_azure else None


def _history(azure: Azure, scale_set: ScaleSet) -> list[PastUpgrade] | None:
    """It only adds to what the instances tell, so one that may not be read is no failure: None."""
    try:
        return azure.os_upgrade_history(scale_set)
    except AzureError as error:
        if error.problem.kind not in (problems.DENIED, problems.REFUSED):
            raise
        return None


def _ready(azure: Azure, scale_set: ScaleSet, watch: Watch) -> Findings:
    """Refuse to start what Azure would refuse, with every remedy in one message. Returns the findings."""
    purpose = readiness.OS_UPGRADE if watch.kind == OS else readiness.EXTENSION_UPGRADE
    found = readiness.findings(scale_set, purpose, prerequisites.read(azure, scale_set, purpose), now=azure.server_time)
    if watch.kind == OS:
        found = [*readiness.of_the_instances(scale_set, watch.now.values()), *found]
    shown = [one.as_dict() for one in found]
    if readiness.errors(found):
        raise Refused("not_ready", readiness.refusal(scale_set, purpose, found), findings=shown)
    return shown


def _refuse_unready(azure: Azure, scale_set: ScaleSet, watch: Watch, judged: ScaleSet | None) -> None:
    """Before a start, which carries no ETag: what is there must be what was judged. Raises Refused, AzureError."""
    for _try in range(_MOST_CHANGES):
        fresh = azure.scale_set(scale_set.resource_group, scale_set.name)
        if fresh == judged:
            return
        _ready(azure, fresh, watch)
        judged = fresh
    problem = Problem(problems.PRECONDITION, "", "another client changed the scale set at each read before the start")
    raise AzureError(problem, f"start a rolling upgrade of scale set {scale_set.name}", scale_set.name)


def _carry_out(
    azure: Azure, clock: Clock, machine: RollingRun, step: Step, journal: Journal, *, judged: ScaleSet | None
) -> None:
    """`judged`: the set as it was found ready just now. Raises Refused before a start that Azure would not take."""
    ref: OperationRef | None = None
    told = 0
    while True:
        journal.write(machine.report.events[told:])
        told = len(machine.report.events)
        if isinstance(step, Finished):
            return
        if isinstance(step, Start):
            _refuse_unready(azure, machine.watch.scale_set, machine.watch, judged)
            judged = None
        if isinstance(step, Start | Cancel):
            ref = _send(azure, clock, machine, step) or ref
        elif isinstance(step, Look):
            if (seconds := step.at - clock.now()) > 0:
                clock.sleep(seconds)
            _look(azure, clock, machine, step, ref)
        step = machine.next(clock.now())


def _send(azure: Azure, clock: Clock, machine: RollingRun, step: Step) -> OperationRef | None:
    """One request, sent once. What Azure answers decides how it goes on."""
    start = azure.start_os_upgrade if machine.watch.kind == OS else azure.start_extension_upgrade
    send = azure.cancel_rolling_upgrade if isinstance(step, Cancel) else start
    try:
        ref = send(machine.watch.scale_set)
    except AzureError as error:
        if error.code.startswith("sign_in"):
            raise  # Azure was not even asked
        machine.refused(clock.now(), error.problem)
        return None
    machine.accepted(clock.now())
    return ref


def _look(azure: Azure, clock: Clock, machine: RollingRun, step: Look, ref: OperationRef | None) -> None:
    scale_set = machine.watch.scale_set
    fresh = azure.scale_set(scale_set.resource_group, scale_set.name) if step.scale_set else None
    latest = azure.latest_rolling_upgrade(scale_set)
    machine.saw(
        clock.now(),
        latest,
        instances=azure.instances(scale_set) if step.instances else None,
        scale_set=fresh,
        operation=_operation(azure, ref) if step.operation and ref else None,
        history=_history(azure, scale_set) if step.history else None,
    )


def _operation(azure: Azure, ref: OperationRef) -> Operation | None:
    try:
        return azure.operation(ref)
    except AzureError as error:
        if error.problem.kind != problems.MISSING:
            raise
        return None


def _result(azure: Azure, machine: RollingRun, previous: Image | None, warnings: t.Sequence[str]) -> dict[str, t.Any]:
    report, watch = machine.report, machine.watch
    shown = report.as_dict(_id(machine), watch.scale_set.id, watch.target, previous)
    touched = {
        i: one
        for i, one in shown["instances"].items()
        if one["outcome"] in ("upgraded", "failed") and i not in watch.earlier and not machine.was_over
    }
    rolled_back = report.outcome == "rolled_back" and not machine.was_over
    return {
        "changed": machine.acted or bool(touched) or rolled_back,
        "rollout_result": {**shown, "arm": azure.usage.as_dict()},
        "after": views.rolling_upgrade(machine.latest),
        "upgrade_started": _started(machine.current),
        "adopted": machine.adopted,
        "reason": machine.reason.as_dict() if machine.reason else None,
        "started_by": machine.history_entry.started_by if machine.history_entry else "",
        "restored": machine.restored,
        "put_back": watch.put_back(report.instances),
        **_lists(watch),
        "warnings": list(warnings),
        "diff": {
            "before": {i: one["image_before"] for i, one in touched.items()},
            "after": {i: one["image_after"] for i, one in touched.items()},
        },
    }


def _id(machine: RollingRun) -> str | None:
    """Azure's upgrades have no id; this one is when it started."""
    started = _started(machine.current)
    return f"azure-{started}" if started else None


def _started(upgrade: RollingUpgrade | None) -> str | None:
    shown = views.rolling_upgrade(upgrade)
    return shown["started"] if shown else None


def _lists(watch: Watch) -> dict[str, t.Any]:
    """The instances that run the target, those that do not yet, and those that Azure passes over."""
    left = [i.instance_id for i in watch.to_do]
    passed, unproven = watch.skipped, watch.unproven
    return {
        "done": [i for i in watch.now if i not in left and i not in passed and i not in unproven],
        "not_done": left,
        "unproven": unproven,
        "left_alone": {i: why for i, why in passed.items() if i not in unproven},
    }


def _planned(azure: Azure, machine: RollingRun, first: Step, previous: Image | None) -> dict[str, t.Any]:
    """Check mode: what the first decision was, and which instances it is about."""
    words = {Start: "start", Cancel: "cancel", Look: "wait"}
    planned = words.get(type(first), "none")
    report, watch = machine.report, machine.watch
    ids = [i.instance_id for i in watch.to_do] if planned in ("start", "wait") else []
    shown = report.as_dict(_id(machine), watch.scale_set.id, watch.target, previous)
    if planned != "none":
        shown["outcome"] = "stopped" if planned == "cancel" else "upgraded"
        label = "in batches that Azure chooses"
        shown["batches"] = [{"number": 1, "label": label, "instance_ids": ids}] if ids else []
    # An upgrade of which Azure tells no start cannot be told from another one.
    known = NONE if machine.latest is None else _started(machine.latest) or ""
    return {
        "changed": planned in ("start", "cancel"),
        "planned": planned,
        "upgrade_known": known,
        "rollout_result": {**shown, "arm": azure.usage.as_dict()},
        "after": views.rolling_upgrade(machine.latest),
        "upgrade_started": _started(machine.current),
        "adopted": machine.adopted,
        **_lists(watch),
        "diff": {
            "before": {i: images.show(running_image.running_image(watch.now[i])) for i in ids},
            "after": {i: images.show(watch.target) for i in ids},
        },
    }
