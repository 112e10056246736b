# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a rollout, from live state: read, resolve the target, check, and lay out the batches."""

from __future__ import annotations

import typing as t
import uuid
from collections import Counter
from dataclasses import dataclass, replace

from .._arm.client import Azure
from .._arm.errors import AzureError
from .._facts import catalogue, images, problems, running_image
from .._facts.documents import with_model
from .._facts.domains import Selection, select
from .._facts.findings import ERROR
from .._facts.images import Image
from .._facts.limits import parse_limit, read_limit
from .._facts.problems import Refused
from .._facts.scale_set import MANUAL, RUNNING, SUSPENDED, ImageFacts, ImageVersion, ScaleSet, ServiceState
from .._facts.times import seconds_of
from .._journal import earlier
from .._model import security_type
from .._options import PolicyOptions, RecordOptions, SelectionOptions, UpgradePlanInfoRequest
from .._rollout import image_preflight, pace, plan_document, preflight, record, resume, upgrade_messages
from .._rollout.batches import Batch, Wait, course, next_batch, on_target, remaining_batches, unchecked_batches
from .._rollout.forecast import LIMITS, Forecast, Frame, forecast
from .._rollout.policy import Policy, Thresholds
from .._rollout.record import Record
from .._rollout.survey import Survey
from . import views

_REPAIRS = "AutomaticRepairs"
_Read = t.TypeVar("_Read")


@dataclass(frozen=True)
class Plan:
    """What a rollout would do now.

    `record` is what its write puts on the set, or what stands there already. `write_model`: the image, the mode or
    the record is to be written before the first action. `close_record`: nothing is left of a rollout whose record says
    otherwise. `all_on_target`: a breach is then no reason to go back. `check`: what runs the target already, and may
    not have passed the user's check. `unproven`: what an earlier run has left without a proof.
    `security_type`: what the write makes the model's, None where it stays. `abandoned`: the record is that of a rollout
    whose target the model names no more.
    """

    survey: Survey
    findings: list[preflight.Finding]
    record: Record
    previous: Image | None
    write_model: bool
    close_record: bool
    all_on_target: bool
    replaces_rollout: str  # the id of the record on the set that this rollout's may replace, "" for none
    follow_latest: bool
    services: t.Mapping[str, ServiceState]  # the states of the orchestration services
    check: t.Sequence[Batch] = ()
    unproven: t.Sequence[str] = ()
    security_type: str | None = None
    abandoned: bool = False
    image: ImageFacts | None = None  # what the catalogue knows of the target
    list_calls: int = 1  # that one look at the instances takes

    @property
    def to_suspend(self) -> list[str]:
        return [name for name in self.record.suspended if self.services.get(name) == RUNNING]

    @property
    def still_suspended(self) -> list[str]:
        """What an interrupted rollout left suspended."""
        return [name for name in self.record.suspended if self.services.get(name) == SUSPENDED]

    @property
    def nothing_to_do(self) -> bool:
        return not (self.write_model or self.follow_latest or self.survey.remaining or self.still_suspended)

    @property
    def errors(self) -> list[str]:
        """Why the rollout may not go on; a set on which nothing is to do may be as it likes."""
        return [] if self.nothing_to_do else [str(one) for one in self.findings if one.severity == ERROR]

    @property
    def begins(self) -> bool:
        """Whether it is a new rollout, so that no earlier run of it can have left anything half way."""
        return self.record.id != self.replaces_rollout


def policy_of(request: PolicyOptions, *, whole_model: bool = False) -> Policy:
    """Raises Refused for limits that cannot be."""
    return Policy(
        max_unavailable=read_limit(request.max_unavailable, "max_unavailable"),
        batch_sizes=tuple(size for text in request.batch_size if (size := parse_limit(text, "batch_size"))),
        canary=request.canary,
        order_by=request.order_by,
        thresholds=Thresholds(
            read_limit(request.max_unhealthy, "max_unhealthy", least=0),
            read_limit(request.max_unhealthy_upgraded, "max_unhealthy_upgraded", least=0),
        ),
        include_deallocated=request.include_deallocated,
        downgrade=request.downgrade,
        whole_model=whole_model,
        unproven=request.unproven,
        busy=request.busy,
    )


def selection_of(request: SelectionOptions) -> Selection:
    return select(request.instance_ids, request.update_domains, request.fault_domains, request.zones)


def exact_image(azure: Azure, target: Image, scale_set: ScaleSet) -> tuple[Image, ImageFacts]:
    """The exact image, and what the catalogue knows of it. Raises Refused where `latest` means nothing usable."""
    return exact_of(azure, target, scale_set, versions_of(azure, target, scale_set))


def versions_of(azure: Azure, target: Image, scale_set: ScaleSet) -> list[ImageVersion]:
    """The versions among which `latest` is one; empty of an exact image. Raises Refused."""
    if reason := images.type_switch(target, scale_set.image):
        raise Refused("image_type", f"scale set {scale_set.name} cannot take image {target}: {reason}")
    return azure.image_versions(target, scale_set.location) if target.follows_latest else []


def exact_of(
    azure: Azure, target: Image, scale_set: ScaleSet, versions: t.Sequence[ImageVersion]
) -> tuple[Image, ImageFacts]:
    if target.follows_latest:
        target = catalogue.newest(target, versions, scale_set.location)
    version = next((one for one in versions if images.same(one.image, target)), None)
    return target, azure.image_facts(target, scale_set.location, version)


def make(azure: Azure, request: UpgradePlanInfoRequest) -> Plan:
    """Read the scale set, its instances, its rolling upgrade and the image; decide the rest. Raises Refused."""
    policy, selection = policy_of(request), selection_of(request)
    wanted = images.parse(request.image) if request.image else None
    scale_set = with_model(azure.scale_set(request.resource_group, request.name))
    wanted = wanted or scale_set.image
    if wanted is None:
        raise Refused("model_without_image", f"the model of scale set {scale_set.name} names no image; give one.")
    calls = azure.usage.calls
    instances = tuple(azure.instances(scale_set))
    list_calls = azure.usage.calls - calls
    standing = record.standing(scale_set)
    if standing is None or not standing.selects(selection):
        selection.check(instances, scale_set.name)  # of one that goes on, some may be gone meanwhile
    wanted = images.complete(wanted, scale_set.image)
    # What an unfinished rollout has started may show the health of the old disk still.
    lag = request.health_lag if standing and standing.resumable else 0.0
    survey = Survey(scale_set, instances, wanted, policy, selection, read_at=azure.server_time, health_lag=lag)
    target, facts = exact_image(azure, resume.resumed(survey, standing) or wanted, scale_set)
    names_target = images.same(scale_set.image, target)
    ours = standing if names_target else None
    survey = replace(
        survey,
        target=target,
        model_names_target=names_target,
        since=ours.started if ours else None,
        unfinished=ours is not None and ours.resumable,
    )
    ran = resume.images_before(survey.outdated, scale_set.image, target)
    reported = [image for i in instances for image in (running_image.running_image(i), i.image)]
    recorded = resume.way_back(ours.previous_image, scale_set.image, reported) if ours else None
    if request.going_back and images.same(recorded, target):
        recorded = None  # what the instances run now is what it goes back from
    previous = recorded or next(iter(ran), None)
    follows = bool(scale_set.image and scale_set.image.follows_latest and images.same_series(scale_set.image, target))
    stays_on_latest = request.follow_latest
    settled = names_target or (follows and (wanted.follows_latest or stays_on_latest) and not survey.to_do)
    to_manual = request.upgrade_mode == MANUAL
    services = _services(azure, scale_set)
    on_set = record.read(scale_set.tags)
    security = _security_type(request, survey, on_set)
    # Under the open record of a rollout that the model has left a kill would leave no trace of this one.
    replaces = names_target and ours is None and on_set is not None and on_set.open and bool(survey.remaining)
    suspend = request.suspend_services and bool(survey.remaining)
    mine = Record(
        id=ours.id if ours else uuid.uuid4().hex,
        target=str(target),
        previous=str(previous or ""),
        selection=record.in_words(selection),
        started=ours.started if ours else azure.server_time or 0.0,
        suspended=_suspended(scale_set, services, suspend and (not settled or ours is not None or replaces)),
        state=record.GOING_BACK if request.going_back else record.IN_PROGRESS,
        security=security_type.word(scale_set) if security else ours.security if ours else "",
    )
    if ours and (not survey.remaining or (ours.open and ours.selects(selection))):
        mine = ours
    # What an abandoned rollout left suspended is resumed under its own record, which is closed then.
    abandoned = record.abandoned(scale_set) if settled and not survey.remaining else None
    if abandoned:
        mine = replace(abandoned, suspended=_suspended(scale_set, services, suspend=False))
    needs_mode = to_manual and scale_set.upgrade_mode != MANUAL
    write_model = not settled or replaces or needs_mode or (ours or mine) != mine
    if write_model:
        record.with_record(scale_set.tags, mine)  # tags that would not fit are refused now, not at the write
    unproven = [i.instance_id for i in survey.unproven] if ours and ours.resumable else []
    closes_own = ours is not None and ours.resumable and not survey.remaining and not unproven
    passed = on_set is not None and on_set.names(target) and on_set.state == record.FINISHED
    asked = preflight.Request(
        to_manual=to_manual,
        take_over=request.take_over,
        managed_elsewhere=request.managed_elsewhere,
        protected=request.protected,
        repairs_suspended=_REPAIRS in mine.suspended or services.get(_REPAIRS) == SUSPENDED,
        passed=passed or request.going_back,
        security_type=security_type.kind_of(security) if security else None,
    )
    plan = Plan(
        survey=survey,
        findings=[],
        record=mine,
        previous=previous,
        write_model=write_model,
        close_record=closes_own or abandoned is not None,
        abandoned=abandoned is not None,
        image=facts,
        all_on_target=names_target and not survey.to_do,
        replaces_rollout=on_set.id if on_set else "",
        follow_latest=stays_on_latest and not (settled and follows),
        services=services,
        unproven=unproven,
        security_type=security,
        list_calls=list_calls,
    )
    observed = preflight.Observed(
        images=image_preflight.Known(
            target=facts,
            replaced=_facts_before(azure, scale_set, previous, target),
            previous=_previous_version(azure, scale_set, previous) if write_model else None,
        ),
        rolling_upgrade=azure.latest_rolling_upgrade(scale_set),
        standing=standing,
        ran=() if ours else ran,
        now=azure.server_time,
        permissions=None if plan.nothing_to_do else azure.permissions(scale_set),
        services=bool(plan.to_suspend or plan.still_suspended),
    )
    plan = replace(plan, findings=preflight.findings(survey, observed, asked))
    if passed or request.going_back or (plan.nothing_to_do and not closes_own):
        return plan
    return replace(plan, check=unchecked_batches(survey))


def _security_type(request: UpgradePlanInfoRequest, survey: Survey, on_set: Record | None) -> str | None:
    """What the model's security type is to become with the image, None where it stays. A way back takes back what the
    rollout before it has changed. Raises Refused where no image would be written with it.
    """
    scale_set = survey.scale_set
    back = request.going_back and on_set is not None and images.same(on_set.previous_image, survey.target)
    wanted = on_set.security if back and on_set and on_set.security else request.security_type
    if security_type.stands(scale_set, wanted):
        return None
    if not survey.model_names_target:
        return wanted
    if request.going_back:
        return None
    raise Refused(
        "security_type",
        f"scale set {scale_set.name} names {survey.target} already, with security type "
        f"{security_type.current(scale_set)}: a rollout changes the security type only together with the image, for "
        "instances that run the image would keep the type they have. Choose another image, or write the type alone "
        "with steady.vmss.image and bring the instances to it with steady.vmss.instance_upgrade, whole_model: true and "
        "unproven: reimage. Nothing was written.",
    )


def _services(azure: Azure, scale_set: ScaleSet) -> dict[str, ServiceState]:
    """Read only where the set has some, or where a rollout may have left one suspended."""
    earlier = record.read(scale_set.tags)
    if scale_set.automatic_repairs or scale_set.zone_rebalancing or (earlier and earlier.suspended):
        return azure.services(scale_set)
    return {}


def _suspended(scale_set: ScaleSet, services: t.Mapping[str, ServiceState], suspend: bool) -> tuple[str, ...]:
    """What an earlier rollout suspended and never put back, and what runs and is to be suspended.

    What the user suspended stays so. Nothing is suspended without a record on the set that says so.
    """
    earlier = record.read(scale_set.tags)
    ours = earlier.suspended if earlier else ()
    return tuple(
        name
        for name, state in sorted(services.items())
        if (state == RUNNING and suspend) or (state == SUSPENDED and name in ours)
    )


def _facts_before(azure: Azure, scale_set: ScaleSet, previous: Image | None, target: Image) -> ImageFacts | None:
    """Of the image that is replaced, where the target is no other version of the same one; None where it may not be
    read. Azure knows them of an exact platform version, and of a gallery image whatever the version.
    """
    model = scale_set.image
    if model is None or images.same_series(model, target):
        return None
    before = previous if model.kind == images.PLATFORM and model.follows_latest else model
    if before is None or before.kind == images.VHD:
        return None
    return _where_allowed(azure.image_facts, before, scale_set.location)


def _previous_version(azure: Azure, scale_set: ScaleSet, previous: Image | None) -> ImageVersion | None:
    """What tells whether one could go back to it; None where it may not be read or is gone."""
    if previous is None or previous.follows_latest:
        return None
    return _where_allowed(azure.image_version, previous, scale_set.location)


def _where_allowed(read: t.Callable[[Image, str], _Read], image: Image, location: str) -> _Read | None:
    try:
        return read(image, location)
    except AzureError as error:
        if error.problem.kind not in (problems.DENIED, problems.MISSING):
            raise
        return None


def as_result(plan: Plan) -> dict[str, t.Any]:
    survey = plan.survey
    following = next_batch(survey)
    return {
        "rollout_id": plan.record.id,
        "scale_set": survey.scale_set.id,
        "target_image": images.show(survey.target),
        "latest_image": images.show(survey.target.following_latest()),
        "previous_image": images.show(plan.previous),
        "model_image": images.show(survey.scale_set.image),
        "security_type": plan.security_type,
        "write_model": plan.write_model,
        "close_record": plan.close_record,
        "all_on_target": plan.all_on_target,
        "replaces_rollout": plan.replaces_rollout,
        "begins": plan.begins,
        "follow_latest": plan.follow_latest,
        "suspend": plan.to_suspend,
        "resume": list(plan.record.suspended),
        "left_suspended": plan.still_suspended,
        "nothing_to_do": plan.nothing_to_do,
        "record": plan.record.as_dict(),
        "errors": plan.errors,
        "findings": [finding.as_dict() for finding in plan.findings],
        "check": [batch.as_dict(0) for batch in plan.check],
        "batches": [batch.as_dict(number) for number, batch in enumerate(remaining_batches(survey), 1)],
        "next_batch": following.as_dict(1) if isinstance(following, Batch) else None,
        "in_the_way": following.reason if isinstance(following, Wait) else "",
        "left": survey.left,
        "busy": survey.passed_over,
        "unproven": list(plan.unproven),
        "on_target": on_target(survey),
        "outdated": [i.instance_id for i in survey.outdated],
        "left_alone": survey.skipped,
        "instances": [views.instance(i, survey) for i in survey.instances],
        "instances_now": upgrade_messages.instances_now(survey, survey.read_at),
        "unavailable": {"max_allowed": survey.max_unavailable, "now": len(survey.unavailable)},
    }


def record_from(options: RecordOptions | None) -> Record | None:
    """The record as `as_result` shows it, read back."""
    if options is None:
        return None
    return Record(
        id=options.id,
        target=options.target,
        previous=options.previous or "",
        selection=options.selection or "all",
        started=seconds_of(options.started) or 0.0,
        suspended=tuple(options.suspended or ()),
        state=options.state,
        security=options.security or "",
    )


# -- what a rollout would take ----------------------------------------------------------------------


def look_ahead(azure: Azure, request: UpgradePlanInfoRequest) -> dict[str, t.Any]:
    """The module's result: the plan, what it takes, and both as a document. Raises Refused."""
    seconds = request.seconds_per_instance
    if seconds is not None and not 0 < seconds <= pace.MOST:
        bounds = f"more than 0 and at most {pace.MOST:g}"
        raise Refused(
            "option_invalid", f"seconds_per_instance is {seconds:g}, but must be {bounds}. Nothing was written."
        )
    plan = make(azure, request)
    result = as_result(plan)
    ahead = _ahead(plan, request, azure.usage.calls)
    document = {**_about(plan), **result, **ahead}
    for name in ("instances", "instances_now", "outdated", "on_target", "left", "latest_image", "next_batch", "record"):
        document.pop(name)  # for another module, or told otherwise
    form = request.format
    return {
        **result,
        **ahead,
        "shown": plan_document.shown(document, form),
        "lines": plan_document.lines(document, form),
    }


def _about(plan: Plan) -> dict[str, t.Any]:
    survey = plan.survey
    scale_set = survey.scale_set
    ran = Counter(str(running_image.running_image(i) or "not reported by Azure") for i in survey.instances)
    return {
        "name": scale_set.name,
        "resource_group": scale_set.resource_group,
        "location": scale_set.location,
        "orchestration_mode": scale_set.orchestration_mode,
        "domains": len(set(survey.domain_of.values())),
        "running": [{"image": image, "instances": count} for image, count in ran.most_common()],
        "target": str(survey.target),
        "there": len(survey.instances),
    }


def expected(plan: Plan, request: UpgradePlanInfoRequest, plan_calls: int) -> dict[str, t.Any]:
    """Seconds, None where nothing tells how long an instance takes, and calls of the rollout that has this plan."""
    usual = _pace(plan, request)
    found = forecast(remaining_batches(plan.survey), _frame(plan, request, plan_calls), usual)
    return {"expected_seconds": round(found.seconds) if usual.known else None, "expected_calls": found.total}


def _ahead(plan: Plan, request: UpgradePlanInfoRequest, plan_calls: int) -> dict[str, t.Any]:
    survey, steps = plan.survey, list(course(plan.survey))
    usual, frame = _pace(plan, request), _frame(plan, request, plan_calls)
    found = forecast([batch for batch, _available in steps], frame, usual)
    known = usual.known
    numbered = enumerate(zip(steps, found.batches, strict=True), 1)
    return {
        "batches": [
            {**batch.as_dict(number), "available": available, "seconds": round(seconds) if known else None}
            for number, ((batch, available), seconds) in numbered
        ],
        "counted": len(survey.counted),
        "lowest_available": min((available for _batch, available in steps), default=_available(survey)),
        "duration": {
            "seconds": round(found.seconds) if known else None,
            "rests_on": usual.rests_on,
            "rollouts": usual.rollouts,
        },
        "canary": _canary(survey, len(steps), found, known, lambda batches: forecast(batches, frame, usual)),
        "calls": _calls(found),
    }


def _available(survey: Survey) -> int:
    return len(survey.counted) - len(survey.unavailable)


def _canary(
    survey: Survey, batches: int, found: Forecast, known: bool, ahead: t.Callable[[list[Batch]], Forecast]
) -> dict[str, t.Any] | None:
    """What it costs: the batches and seconds that a rollout without one would not take; None where there is none."""
    plain = remaining_batches(replace(survey, policy=replace(survey.policy, canary=0)))
    if batches <= len(plain):
        return None
    seconds = round(found.seconds - ahead(plain).seconds)
    return {"batches": batches - len(plain), "seconds": seconds if known else None}


def _calls(found: Forecast) -> dict[str, t.Any]:
    """Against what Azure lets one scale set be asked in a minute."""
    limits = [
        {
            "name": limit.name,
            "calls": found.calls.get(kind, 0),
            "busiest_minute": found.peaks[kind],
            "a_minute": limit.a_minute,
            "burst": limit.burst,
        }
        for kind, limit in LIMITS.items()
    ]
    writes = found.calls.get("writes", 0) + found.calls.get("upgrades", 0)
    return {"total": found.total, "writes": writes, "limits": limits}


def _pace(plan: Plan, request: UpgradePlanInfoRequest) -> pace.Pace:
    """By what the user says, else by journals. Raises Refused."""
    scale_set, seconds = plan.survey.scale_set, request.seconds_per_instance
    if seconds is None and request.journal_dir:
        told = pace.of_journals(earlier(request.journal_dir, scale_set.name, scale_set.id))
        if told:
            return told
    usual = pace.ASSUMED if seconds is None else seconds
    return pace.given(usual, scale_set.has_health_source, request.healthy_for, assumed=seconds is None)


def _frame(plan: Plan, request: UpgradePlanInfoRequest, plan_calls: int) -> Frame:
    survey = plan.survey
    to_manual = request.upgrade_mode == MANUAL and survey.scale_set.upgrade_mode != MANUAL
    works = not plan.nothing_to_do
    return Frame(
        plan_calls=plan_calls,
        list_calls=plan.list_calls,
        writes=plan.write_model + (plan.write_model and to_manual),
        suspends=len(plan.to_suspend),
        resumes=len(plan.record.suspended) if works else 0,
        closes=works or plan.close_record,
        pause=request.pause,
        has_health_source=survey.scale_set.has_health_source,
        health_lag=request.health_lag,
    )
