# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the journal says of a plan, of a batch that has ended, and of the end: all that a view of it needs."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._facts.running_image import running_image
from .._facts.times import seconds_of, timestamp
from . import estimate, messages
from .memory import Batch, Memory, Planned
from .survey import Survey

Facts = dict[str, t.Any]

_MOST_IMAGES = 5  # that instances are said to run


def planned(survey: Survey, plan: Planned, asked: t.Any, shown: t.Mapping[str, t.Any]) -> Facts:
    """`asked`: the image as the user gave it. `shown`: the plan as upgrade_plan_info shows it."""
    scale_set = survey.scale_set
    version = asked.get("version", "") if isinstance(asked, t.Mapping) else str(asked or "")
    ran = Counter(str(running_image(i) or "an image that Azure does not report") for i in survey.instances)
    return {
        "resource_group": scale_set.resource_group,
        "name": scale_set.name,
        "orchestration_mode": scale_set.orchestration_mode,
        "location": scale_set.location,
        "there": len(survey.instances),
        "domains": _domains({domain.label for domain in survey.domain_of.values()}),
        "running": dict(ran.most_common(_MOST_IMAGES)),
        "target": messages.named(plan.target),
        "latest": str(version).rpartition(":")[2].lower() == "latest",
        "limit": str(survey.policy.max_unavailable),
        "allowed": survey.max_unavailable,
        "batches": len(plan.batches),
        "sizes": [len(batch["instance_ids"]) for batch in plan.batches],
        "instances": len(shown["left"]),
        "findings": [f"{one['code']}: {one['sentence']}" for one in shown["findings"]],
    }


def _domains(labels: t.Collection[str]) -> str:
    """How many, and of which kind where there is one."""
    kinds = {label.rpartition(" ")[0] for label in labels}
    word = kinds.pop() if len(kinds) == 1 else "domain"
    word = "domain" if word == "all" or "," in word else word
    return f"{len(labels)} {word}{'' if len(labels) == 1 else 's'}"


def batch_begins(memory: Memory, batch: Batch) -> Facts:
    """`canary`: it is the first one, and smaller than those that follow it."""
    number, ids = batch["number"], list(batch["instance_ids"])
    sizes = [len(one["instance_ids"]) for one in memory.planned.batches]
    return {
        "number": number,
        "of": max(len(sizes), len(memory.result["batches"]) + 1),
        "label": batch["label"],
        "instances": ids,
        "canary": number == 1 and len(ids) < max(sizes, default=0),
        "adopted": bool(batch.get("adopted")),
    }


def batch_ended(memory: Memory, result: t.Mapping[str, t.Any], left: int, now: float) -> Facts:
    """How it ended, how much is done, and when all will be. `result`: of the batch. `left`: instances still to do."""
    plan, reports = memory.planned, result["instances"]
    outcomes = Counter(report["outcome"] for report in reports.values())
    facts = {
        "outcome": result["outcome"],
        "remaining": left,
        "total": max(sum(len(batch["instance_ids"]) for batch in plan.batches), left),
        "size": len(reports),
        "upgraded": outcomes["upgraded"],
        "failed": outcomes["failed"],
    }
    done = [*memory.result["batches"], *result["batches"]]
    ahead = [len(batch["instance_ids"]) for batch in plan.batches[len(done) :]] or [left]
    seconds, rests_on = estimate.seconds_left(done, ahead if left else (), now)
    if rests_on:
        facts |= {"estimated_end": timestamp(now + seconds), "estimated_from_batches": rests_on}
    return facts


def ended(memory: Memory, result: t.Mapping[str, t.Any]) -> Facts:
    """`result`: `rollout_result`."""
    started, finished = (seconds_of(result[name]) or 0.0 for name in ("started", "finished"))
    plan, arm, unavailable = memory.planned, result["arm"], result["unavailable"]
    return {
        "outcome": result["outcome"],
        "code": result["code"],
        "why": memory.stop.why if memory.stop else "",
        "target": messages.named(plan.target),
        "total": sum(len(batch["instance_ids"]) for batch in plan.batches),
        "outcomes": dict(Counter(report["outcome"] for report in result["instances"].values())),
        "batches": len(result["batches"]),
        "seconds": round(finished - started),
        "max_allowed": unavailable["max_allowed"],
        "max_seen": unavailable["max_seen"],
        "all_calls": arm["calls"],
        "all_throttled_seconds": arm["throttled_seconds"],
        "resumed": list(plan.resume) if not (memory.resume_failed or plan.nothing_to_do) else [],
    }
