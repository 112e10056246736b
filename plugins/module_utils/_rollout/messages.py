# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout says: while it runs, at its end, and where it stops, to the person who has to go on with it.

A stop is one block, in this order: what failed, what runs now, what is suspended or drained, how to go on, how to go
back, where the journal is.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts import sentences
from . import endings, upgrade_messages
from .memory import Hook, Image, Memory

_NO_SAS = (
    "No SAS is kept: where it needs one, the SAS of the VHD must be given again, as the whole URI, to the module "
    "steady.vmss.image for what the model names now, and as rollout_image or rollback_image in these commands."
)


@dataclass(frozen=True)
class Ways:
    """Commands, and where the journal is: "" where none is kept."""

    go_on: str
    go_back: str
    reimage: str
    journal: str = ""


def ending(memory: Memory, ways: Ways) -> str:
    """Why the rollout was no success, "" where it was one."""
    stop = memory.stop
    if stop is None:
        parts = [_tolerated(memory, ways), memory.resume_failed, memory.latest_failed, _unproven(memory, ways)]
        parts += [] if endings.went_well(memory) else [memory.walk.last_read, _go_on(ways)]
    elif memory.plan is None:
        parts = [stop.why]
    elif stop.refused and stop.code != "hook_failed":
        parts = [stop.why, f"{_unwritten(memory)}.", _still_suspended(memory)]
    elif stop.refused:
        kept = f"{_unwritten(memory)}, and nothing is rolled back. {_model_stays(memory)}"
        parts = [stop.why, kept, _still_suspended(memory), _go_on(ways), _go_back(ways)]
    else:
        sas = _NO_SAS if "vhd_uri" in memory.plan.target else ""
        now = [_model_now(memory), _instances_now(memory), stop.advice, sas]
        left = [_drained(memory), memory.resume_failed, memory.hook_failed]
        parts = [stop.why, *now, *left, _go_on(ways), _go_back(ways), _journal(ways)]
    return " ".join(part for part in parts if part)


def _unwritten(memory: Memory) -> str:
    """Who joins another controller's rollout may have written the upgrade mode before."""
    return "The image was not written" if memory.joins else "Nothing was written"


def _go_on(ways: Ways) -> str:
    return f"Continue, once the cause is fixed: {ways.go_on}"


def _go_back(ways: Ways) -> str:
    return f"Roll back: {ways.go_back}" if ways.go_back else ""


def _journal(ways: Ways) -> str:
    return f"The journal is {ways.journal}" if ways.journal else ""


def this(memory: Memory) -> str:
    """The rollout, by its target and its scale set."""
    plan = memory.planned
    return f"The rollout of {named(plan.target)} to scale set {plan.name} (resource group {plan.resource_group})"


def named(image: Image | None) -> str:
    return ":".join(map(str, (image or {}).values()))


# -- what failed ------------------------------------------------------------------------------------


def stopped(memory: Memory, why: str) -> str:
    return f"{this(memory)} stopped: {why.rstrip('.')}."


def died(memory: Memory) -> str:
    """Of a module that was killed alone, as where the memory is used up."""
    if memory.plan is None:
        return "The module that planned the rollout ended without a result. Nothing was written."
    ids = memory.walk.batch["instance_ids"] if memory.phase == "upgrade" and memory.walk.batch else ()
    of = f" while it upgraded instances {sentences.named(list(ids))}" if ids else ""
    return f"{this(memory)} stopped: its module ended without a result{of}."


def keep_appearing(memory: Memory, rounds: int) -> str:
    return (
        f"After {rounds} rounds instances {sentences.named(list(memory.walk.left))} of scale set "
        f"{memory.planned.name} still do not run the target image."
    )


def hook_failed(memory: Memory, hook: Hook, task: str, words: str | None) -> str:
    """`words`: what the user's task said, None where it is no_log."""
    said = ", and its message is not shown because it is no_log" if words is None else f": {words.rstrip('.')}"
    return f"{this(memory)} {_halted(memory, hook)}: your task '{task}' failed{said}."


def _halted(memory: Memory, hook: Hook) -> str:
    walk, plan = memory.walk, memory.planned
    if memory.phase == "check":
        group = plan.check[walk.checked]
        return f"did not start because of instances {', '.join(group['instance_ids'])}, which already run the image"
    if memory.phase == "check_others":
        return f"stopped because of instances {', '.join(memory.unchecked[0])}, which this run has not upgraded"
    if hook == "before" or walk.batch is None or hook == "after":
        return "did not start" if hook == "before" else f"stopped at rollout_{hook}"
    batch = walk.batch
    return f"stopped at batch {batch['number']}, {batch['label']}, instances {', '.join(batch['instance_ids'])}"


def hook_failed_at_the_stop(task: str, words: str | None) -> str:
    said = ", and its message is not shown because it is no_log" if words is None else f": {words.rstrip('.')}"
    return f"Your task '{task}' of rollout_on_failure_tasks failed{said}."


def resume_failed(memory: Memory, why: str) -> str:
    plan = memory.planned
    return (
        f"{', '.join(plan.resume)} of scale set {plan.name} could not be resumed: {why.rstrip('.')}. The next run of "
        "the same command resumes them."
    )


def latest_failed(why: str) -> str:
    return f"The instances have been upgraded, but the model could not be set to follow the newest version: {why}"


def _tolerated(memory: Memory, ways: Ways) -> str:
    """What failed within the threshold: the rollout is finished, and no success."""
    failed = endings.failed(memory)
    if not failed:
        return ""
    listed = "; ".join(f"instance {one}: {why.rstrip('.')}" for one, why in failed.items())
    return (
        f"{this(memory)} is finished, and failed at what rollout_max_unhealthy_upgraded "
        f"({memory.rules.max_unhealthy_upgraded}) allows: {listed}. The others are upgraded, and the model keeps the "
        f"new image. Retry those that do not run it, once the cause is gone: {ways.go_on} {_go_back(ways)}"
    )


def _unproven(memory: Memory, ways: Ways) -> str:
    if not (ids := endings.unproven(memory)):
        return ""
    return (
        f"{this(memory)} is not finished: an earlier run of it was interrupted, and nothing proves that the image is "
        f"on the disks of instances {', '.join(ids)}. Give them a new OS disk in batches like any other (a Uniform "
        f"scale set can): {ways.reimage}"
    )


def skipped(memory: Memory) -> list[str]:
    """A warning of a rollout that went well."""
    busy = endings.skipped(memory)
    latest = " The model is not set to follow the newest version until then." if memory.planned.follow_latest else ""
    return [f"{upgrade_messages.skipped(memory.planned.name, busy)}{latest}"] if busy else []


def unclosed(memory: Memory) -> list[str]:
    """A warning of a rollout whose end could not be written."""
    if not memory.close_failed:
        return []
    plan = memory.planned
    said = f"the record of rollout {plan.record['id']} on scale set {plan.name} stays open, and its next run closes it"
    return [f"{said}: {memory.close_failed}"]


# -- what runs now ----------------------------------------------------------------------------------


def _model_stays(memory: Memory) -> str:
    plan = memory.planned
    if plan.model == plan.target:
        return "The model names that image, and new instances are made of it."
    return f"The model names {named(plan.model)}, and new instances are made of that."


def _model_now(memory: Memory) -> str:
    plan, back, rules = memory.planned, memory.back, memory.rules
    if memory.stop is not None and memory.stop.code in ("model_members_lost", "cancelled"):
        return ""
    if rules.keep_model and not rules.rolls_back:
        return "The model keeps the new image, and new instances are made of it."
    if plan.all_on_target and not rules.rolls_back:
        return "Every chosen instance already ran the target image when this run began, so the model keeps it."
    if plan.previous is None:
        unknown = "The previous image is not known, so the model keeps the new one, and new instances are made of it."
        return f"{unknown}{_not_trusted(memory)}"
    if back.model_failed:
        return f"The model was not set back to the previous image {named(plan.previous)}: {back.model_failed}"
    again = " again" if back.model_changed else ""
    return f"The model names the previous image {named(plan.previous)}{again}, and new instances are made of that."


def _not_trusted(memory: Memory) -> str:
    recorded = memory.planned.record["previous"]
    if not recorded:
        return ""
    return (
        f" (The rollout record, which others may write, names {recorded}, which is not another version of what the "
        "model names, and no instance runs it. If it is right, give it as rollback_image.)"
    )


def _instances_now(memory: Memory) -> str:
    back, previous = memory.back, named(memory.planned.previous)
    if not back.instance_ids:
        if not memory.walk.unread:
            return memory.walk.last_read
        if back.instances_failed:
            return f"What they run now could not be read: {back.instances_failed} {memory.walk.last_read}"
        return back.instances_now
    ids = ", ".join(back.instance_ids)
    if back.complete:
        still_new = endings.still_new(memory)
        still = f" Still on the new one: {', '.join(still_new)}." if still_new else ""
        return f"Instances {ids} are back on the previous image {previous}.{still}"
    why = back.instances_failed or "what must not be touched was skipped."
    now = back.instances_now or "What they run now was not read."
    return f"Not all of instances {ids} are back on the previous image: {why} {now}"


# -- what is suspended or drained -------------------------------------------------------------------


def _still_suspended(memory: Memory) -> str:
    services = ", ".join(memory.planned.still_suspended)
    if not services:
        return ""
    return (
        f"An earlier rollout has left {services} suspended; the same command resumes them once it can continue, and "
        "the module steady.vmss.orchestration_service with state: Running at once."
    )


def _drained(memory: Memory) -> str:
    if not memory.walk.drained:
        return ""
    return (
        f"rollout_before_batch ran for instances {', '.join(memory.walk.drained)}, and rollout_after_batch did not: "
        "what it did to them, such as draining them, is still in effect."
    )


# -- what a rollout reports -------------------------------------------------------------------------


def report(memory: Memory, result: t.Mapping[str, t.Any]) -> str:
    """How a rollout ended that went well."""
    batches = result["batches"]
    touched = {one for batch in batches for one in batch["instance_ids"]}
    unavailable = result["unavailable"]
    left = f" {len(busy)} instances were skipped." if (busy := endings.skipped(memory)) else ""
    mode = memory.planned.changes_mode and memory.upgrade_mode == "Manual" and not memory.rules.check_mode
    return (
        f"{'It would be ' if memory.rules.check_mode else ''}{result['outcome']}: {len(batches)} batches, "
        f"{len(touched)} instances, at most {unavailable['max_seen']} of {unavailable['max_allowed']} unavailable, "
        f"{result['arm']['calls']} ARM calls.{left}{' The upgrade mode is Manual now.' if mode else ''}"
    )


def progress(event: t.Mapping[str, t.Any]) -> str:
    """One event of the journal for somebody who waits; "" for what tells nothing new and for what others wrote."""
    known = {
        name: sentences.named([str(one) for one in value]) if isinstance(value, list) else value
        for name, value in event.items()
    }
    said = {
        "planned": "{batches} batches, {instances} instances to upgrade to {target}",
        "batch_begins": "batch {number} of {of} begins: {label}, instances {instances}",
        "batch_ended": "batch {number} of {of} ended {outcome} after {seconds} s; remaining: {remaining} instances",
        "upgrade_sent": "Azure accepted the upgrade of instances {instances}",
        "reimage_sent": "Azure accepted the reimage of instances {instances}",
        "start_sent": "Azure accepted the start of instances {instances}",
        "operation_ended": "Azure's operation ended: {status}",
        "upgraded": "instance {instance} is upgraded and available",
        "failed": "instance {instance} failed: {why}",
        "skipped": "continues without instances that another client keeps busy: {instances}",
        "adopted": "waits for instances {instances}, which an earlier run has started",
        "waiting": "no batch may start yet: {reason}",
        "request_failed": "the request failed: {problem}",
        "model_write_waits": "waits to {what}: the scale set is {state} by another client",
        "model_write_sent": "asks Azure to {what}",
        "model_written": "Azure has stored the change of the model",
        "write_sent": "asks Azure to {what}",
        "write_waits": "waits to {what} again: {problem}",
        "written": "it is done: {what}",
        "stopped": "stops: {why}",
    }.get(str(event.get("event")), "")
    try:
        return said.format_map(known)
    except KeyError:  # another module's event of that name
        return ""
