# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout did, in the one shape that every role, playbook and module returns."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from . import images, running_image
from .codes import Code
from .images import Image
from .problems import Problem
from .scale_set import Instance
from .times import seconds_of, timestamp

Outcome = t.Literal["unchanged", "upgraded", "refused", "stopped", "rolled_back", "failed", "cancelled"]
InstanceOutcome = t.Literal["upgraded", "failed", "gone", "not_started", "unproven", "rolled_back", "cancelled"]
BatchOutcome = t.Literal["upgraded", "failed", "cancelled"]

_MERGED = ("started", "outcome", "puts_back")
# Under this name a workflow finds it: as an extra variable of the next job it must be none of the roles' own.
STATS: t.Final = "steady_vmss"
ARM_COUNTERS = ("calls", "writes", "retries", "conflicts", "throttled_seconds")


@dataclass(frozen=True)
class BatchReport:
    number: int
    label: str
    instance_ids: tuple[str, ...]
    started: float
    finished: float | None = None
    outcome: BatchOutcome | None = None  # None while it is in progress
    adopted: bool = False
    failed_instance_ids: tuple[str, ...] = ()
    not_started_instance_ids: tuple[str, ...] = ()
    operation_seconds: float = 0.0
    settle_seconds: float = 0.0
    unsettled_seconds: float = 0.0

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "number": self.number,
            "label": self.label,
            "instance_ids": list(self.instance_ids),
            "started": timestamp(self.started),
            "finished": timestamp(self.finished),
            "outcome": self.outcome or "",
            "adopted": self.adopted,
            "failed_instance_ids": list(self.failed_instance_ids),
            "not_started_instance_ids": list(self.not_started_instance_ids),
            "operation_seconds": round(self.operation_seconds, 1),
            "settle_seconds": round(self.settle_seconds, 1),
            "unsettled_seconds": round(self.unsettled_seconds, 1),
        }

    @classmethod
    def from_dict(cls, shown: t.Mapping[str, t.Any]) -> BatchReport:
        """What `as_dict` shows, read back."""
        return cls(
            number=int(shown.get("number") or 0),
            label=str(shown.get("label") or ""),
            instance_ids=tuple(shown.get("instance_ids") or ()),
            started=seconds_of(shown.get("started")) or 0.0,
            finished=seconds_of(shown.get("finished")),
            outcome=shown.get("outcome") or None,
            adopted=bool(shown.get("adopted")),
            failed_instance_ids=tuple(shown.get("failed_instance_ids") or ()),
            not_started_instance_ids=tuple(shown.get("not_started_instance_ids") or ()),
            operation_seconds=float(shown.get("operation_seconds") or 0),
            settle_seconds=float(shown.get("settle_seconds") or 0),
            unsettled_seconds=float(shown.get("unsettled_seconds") or 0),
        )


@dataclass(frozen=True)
class InstanceReport:
    before: Instance
    after: Instance | None
    attempts: int
    seconds_unavailable: float
    outcome: InstanceOutcome
    why: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "image_before": images.show(running_image.running_image(self.before)),
            "image_after": images.show(running_image.running_image(self.after)) if self.after else None,
            "attempts": self.attempts,
            "seconds_unavailable": round(self.seconds_unavailable, 1),
            "outcome": self.outcome,
            "why": self.why,
        }


@dataclass(frozen=True)
class End:
    """How a run ended. `outcome` is None where Azure's upgrade goes on; `code` is of an end that is no success."""

    finished: float | None = None
    outcome: Outcome | None = None
    code: Code | None = None
    why: str = ""
    culprits: t.Sequence[str] = ()  # instances
    problem: Problem | None = None


@dataclass
class Report:
    """One run. `events` are the journal's lines, oldest first, times in seconds since the epoch."""

    started: float
    end: End = End()
    batches: list[BatchReport] = field(default_factory=list)
    instances: dict[str, InstanceReport] = field(default_factory=dict)
    max_unavailable_allowed: int = 0
    max_unavailable_seen: int = 0
    events: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome | None:
        """None while it goes on."""
        return self.end.outcome

    @property
    def upgraded(self) -> list[str]:
        return [i for i, report in self.instances.items() if report.outcome == "upgraded"]

    @property
    def failed(self) -> list[str]:
        return [i for i, report in self.instances.items() if report.outcome == "failed"]

    def event(self, now: float, what: str, **facts: t.Any) -> None:
        self.events.append({"time": timestamp(now), "event": what, **facts})

    def as_dict(
        self, rollout_id: str | None, scale_set_id: str, target: Image | None, previous: Image | None
    ) -> dict[str, t.Any]:
        """`rollout_result`, less the ARM counters."""
        return {
            "id": rollout_id,
            "scale_set": scale_set_id,
            "outcome": self.outcome or "",
            "code": self.end.code,
            "why": self.end.why,
            "target_image": images.show(target),
            "previous_image": images.show(previous),
            "started": timestamp(self.started),
            "finished": timestamp(self.end.finished),
            "batches": [batch.as_dict() for batch in self.batches],
            "instances": {i: report.as_dict() for i, report in self.instances.items()},
            "unavailable": {"max_allowed": self.max_unavailable_allowed, "max_seen": self.max_unavailable_seen},
        }


def merge(results: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """One result of several steps of the same rollout, in order. The last step with an outcome has the last word.

    A step with `puts_back` upgraded its instances to the previous image. A merged result can itself be a step.
    """
    merged: dict[str, t.Any] = {}
    instances: dict[str, t.Any] = {}
    batches: list[t.Any] = []
    arm = dict.fromkeys(ARM_COUNTERS, 0)
    unavailable = {"max_allowed": 0, "max_seen": 0}
    upgraded = False
    for result in results:
        merged.update({k: v for k, v in result.items() if v not in (None, "") and k not in _MERGED})
        merged.setdefault("started", result.get("started"))
        upgraded = upgraded or result.get("outcome") == "upgraded"
        if result.get("outcome"):
            merged["outcome"] = result["outcome"]
        batches += result.get("batches") or []
        for instance_id, report in (result.get("instances") or {}).items():
            earlier = instances.get(instance_id, report)
            back = result.get("puts_back") and report["outcome"] == "upgraded"
            outcome = "rolled_back" if back else report["outcome"]
            instances[instance_id] = {**report, "image_before": earlier["image_before"], "outcome": outcome}
        for name in ARM_COUNTERS:
            arm[name] = round(arm[name] + (result.get("arm") or {}).get(name, 0), 1)
        for name in unavailable:
            unavailable[name] = max(unavailable[name], (result.get("unavailable") or {}).get(name, 0))
    if merged.get("outcome") == "unchanged" and upgraded:
        merged["outcome"] = "upgraded"
    failed = any(report["outcome"] == "failed" for report in instances.values())
    if failed and merged.get("outcome") in ("upgraded", "unchanged"):
        merged["outcome"] = "failed"  # within the threshold, and still no success
        merged.setdefault("code", "instances_failed")
    merged.setdefault("code", None)
    return {**merged, "batches": batches, "instances": instances, "unavailable": unavailable, "arm": arm}


def stats(scale_set: str, result: t.Mapping[str, t.Any], journal: str | None = None) -> dict[str, t.Any]:
    """What `set_stats` keeps of a `rollout_result` for the next job of a workflow, under `scale_set`, `group/name`.

    Ansible merges it with what another host or role of the play has kept, so every member is there each time, and
    none is a dictionary whose members differ. `journal`: the path of its file.
    """
    outcomes = [report["outcome"] for report in (result.get("instances") or {}).values()]
    unavailable = result.get("unavailable") or {}
    kept = {
        "outcome": result.get("outcome") or "refused",
        "code": result.get("code") or "",
        "id": result.get("id") or "",
        "target_image": _named(result.get("target_image")),
        "previous_image": _named(result.get("previous_image")),
        "started": result.get("started") or "",
        "finished": result.get("finished") or "",
        "batches": len(result.get("batches") or ()),
        "instances": {outcome: outcomes.count(outcome) for outcome in t.get_args(InstanceOutcome)},
        "unavailable": {name: unavailable.get(name, 0) for name in ("max_allowed", "max_seen")},
        "arm_calls": (result.get("arm") or {}).get("calls", 0),
        "journal": journal or "",
    }
    return {STATS: {scale_set: kept}}


def _named(shown: t.Mapping[str, t.Any] | None) -> str:
    return ":".join(map(str, (shown or {}).values()))
