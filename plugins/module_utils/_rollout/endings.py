# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rollout ends: what goes back after a stop, what its record says then, and its result."""

from __future__ import annotations

import typing as t

from .._facts.report import Outcome, merge
from .memory import Image, Memory


def went_well(memory: Memory) -> bool:
    return memory.stop is None and not (memory.resume_failed or memory.latest_failed)


def sets_back(memory: Memory) -> bool:
    """Whether a stop writes the previous image into the model, so that nothing new is made of the one that failed."""
    plan, rules = memory.planned, memory.rules
    if _writes_no_more(memory) or plan.previous is None:
        return False
    return rules.rolls_back or not (rules.keep_model or plan.all_on_target)


def _writes_no_more(memory: Memory) -> bool:
    """Not even back: the model is not what it was."""
    return memory.stop is not None and memory.stop.code in ("model_members_lost", "cancelled")


def to_put_back(memory: Memory) -> list[str]:
    """The instances that failed, or those of the batch whose tasks failed, or all that were upgraded."""
    walk = memory.walk
    if memory.rules.on_failure == "rollback_failed":
        found = _instances(memory, "failed") or walk.blamed
    else:
        found = [*_instances(memory, "failed", "upgraded"), *walk.suspects]
    return list(dict.fromkeys([*found, *walk.unread]))


def still_new(memory: Memory) -> list[str]:
    """What runs the target and was not put back."""
    return [one for one in _instances(memory, "upgraded") if one not in memory.back.instance_ids]


def failed(memory: Memory) -> dict[str, str]:
    """The instances that failed, with the reason."""
    instances = memory.result.get("instances", {})
    return {one: instances[one].get("why", "") for one in _instances(memory, "failed")}


def _instances(memory: Memory, *outcomes: str) -> list[str]:
    return [one for one, report in memory.result.get("instances", {}).items() if report["outcome"] in outcomes]


def unproven(memory: Memory) -> list[str]:
    """What no run has proven, and what this one did not reimage: the rollout is not finished."""
    return list(memory.walk.unproven) if went_well(memory) and not memory.rules.check_mode else []


def skipped(memory: Memory) -> t.Mapping[str, str]:
    """What other clients kept busy to the end: the rollout succeeds without it, and its next run goes on with it."""
    return memory.walk.busy if memory.stop is None and not memory.rules.check_mode else {}


def closes(memory: Memory) -> bool:
    """Whether the record is to say how the rollout ended: wherever there is one, and the model is what it means."""
    plan = memory.planned
    if plan.nothing_to_do:
        return plan.close_record
    meant = not (_writes_no_more(memory) or memory.back.model_failed or memory.latest_written)
    return meant and not memory.rules.check_mode and not unproven(memory) and not skipped(memory)


def ended_record(memory: Memory) -> dict[str, t.Any]:
    record = memory.planned.record
    suspended = record["suspended"] if memory.resume_failed else []
    return {**record, "suspended": suspended, "state": _ended_state(memory)}


def _ended_state(memory: Memory) -> str:
    plan = memory.planned
    if plan.abandoned:  # a way back that is stopped would go forth the next time
        return "rolled_back" if plan.record["state"] == "going_back" else "stopped"
    if memory.stop is None:
        return "rolled_back" if goes_back(memory) else "finished"
    if goes_back(memory):
        return "going_back"
    return "rolled_back" if memory.back.complete else "stopped"


def goes_back(memory: Memory) -> bool:
    """Whether this rollout is the way back of an earlier one, by the role rollback."""
    plan = memory.plan
    return plan is not None and plan.record["state"] == "going_back" and not plan.abandoned


def model_image(memory: Memory) -> Image:
    """What the model names at the end."""
    plan = memory.planned
    if plan.abandoned and not plan.write_model and plan.model is not None:
        return plan.model  # which may follow the newest version
    back = memory.stop is not None and sets_back(memory)
    return plan.previous if back and plan.previous is not None else plan.target


def result(memory: Memory) -> dict[str, t.Any]:
    """`rollout_result`, less what only the caller knows: the count of calls, and when it ended."""
    stop, plan = memory.stop, memory.plan
    steps: list[t.Mapping[str, t.Any]] = [memory.result]
    if stop is not None and not stop.refused:
        steps.append({"outcome": _outcome(memory), "code": stop.code, "why": stop.why})
        steps += [{"target_image": plan.target, "previous_image": plan.previous}] if plan else []
    elif memory.resume_failed:
        steps.append({"outcome": "failed"})
    elif unproven(memory):
        steps.append({"outcome": "failed", "code": "instances_unproven"})
    merged = {**merge(steps), "busy": dict(memory.walk.busy)}
    if goes_back(memory) and merged["outcome"] == "upgraded":
        merged["outcome"] = "rolled_back"
    return merged


def _outcome(memory: Memory) -> Outcome:
    if memory.stop is not None and memory.stop.code == "cancelled":
        return "cancelled"
    return "rolled_back" if memory.back.complete else "stopped"
