# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stopped upgrade of instances says to the person who has to go on with it."""

from __future__ import annotations

import typing as t

from .._facts import availability, commands, model_limit, running_image, sentences
from .._facts.domains import instance_order
from .._facts.report import Report
from .._facts.times import timestamp
from .batches import who_has_it
from .policy import REPORT
from .survey import Survey


def stopped(survey: Survey, report: Report, read_at: float | None = None) -> str:
    """What was attempted, what happened, and what runs where now. `read_at`: of what Azure tells no more."""
    runs = sentences.runs(survey.instances, survey.unavailable, _unproven(survey))
    scale_set = survey.scale_set
    what = f"The rollout of {survey.target} to scale set {scale_set.name} (resource group {scale_set.resource_group})"
    said = f"{what} stopped: {report.end.why.rstrip('.')}. {sentences.as_last_read(runs, read_at)}"
    more = ("No other instance is upgraded.", _give_a_disk(survey), model_limit.used(survey.instances))
    return " ".join(filter(None, (said, *more)))


def advice(survey: Survey) -> str:
    """What one may need to know to go on: how to prove what is unproven, and where the limit of models is near."""
    return " ".join(filter(None, (_give_a_disk(survey), model_limit.near(survey.instances))))


def _unproven(survey: Survey) -> set[str]:
    return {i.instance_id for i in survey.unproven}


def _give_a_disk(survey: Survey) -> str:
    """The way on for instances that are down, and of which nothing proves what they run."""
    down = [i.instance_id for i in survey.unproven if not survey.available(i)]
    if not down or survey.scale_set.flexible:
        return ""
    return f"Instances {sentences.named(down)} get a new OS disk by rollout_unproven: reimage."


def tolerated(survey: Survey, report: Report) -> str:
    """What a rollout says that has finished although instances have failed, as its threshold allowed."""
    failed = "; ".join(f"instance {i}: {report.instances[i].why}" for i in report.failed)
    return (
        f"The upgrade of scale set {survey.scale_set.name} (resource group {survey.scale_set.resource_group}) to "
        f"{survey.target} is finished, and failed at what max_unhealthy_upgraded "
        f"{survey.policy.thresholds.unhealthy_upgraded} allows: {failed}. "
        f"{sentences.runs(survey.instances, survey.unavailable)} "
        "The same command again retries those that do not run the image."
    )


def skipped(name: str, busy: t.Mapping[str, str]) -> str:
    """Of instances that other clients kept busy to the end; it fails nothing, for the user asked for that."""
    listed = ", ".join(f"{one} ({why})" for one, why in busy.items())
    return (
        f"Instances {listed} of scale set {name} were skipped, because another client is changing them or has stopped "
        "them. They do not run the image: run the same again when they are free."
    )


def untold(survey: Survey) -> list[str]:
    """What is left undone because Azure does not tell whether instances have got all of the model."""
    unproven = [i.instance_id for i in survey.chosen() if survey.verdicts[i.instance_id] == running_image.UNPROVEN]
    if not survey.policy.whole_model or not unproven:
        return []
    scale_set = survey.scale_set
    said = (
        f"Azure does not tell whether instances {sentences.named(unproven)} of scale set {scale_set.name} have got "
        "all of the model, as it never does of a Flexible one's, so they are left as they are. "
        "Bring them to it some at a time: "
        + commands.az("vmss update-instances", scale_set.resource_group, scale_set.name, "--instance-ids", "...")
    )
    return [said]


def down_on_target(survey: Survey) -> list[str]:
    """What check mode cannot wait for."""
    if not survey.down_on_target:
        return []
    words = who_has_it(survey, survey.down_on_target)
    return [f"scale set {survey.scale_set.name}: {words}; without check mode the call waits for that, or fails."]


def kept_disks(survey: Survey, report: Report) -> list[str]:
    """What an upgrade to the whole model may not have brought: nothing shows whether the model has such a change."""
    kept = [
        i
        for i in report.upgraded
        if (after := report.instances[i].after) and not running_image.disk_replaced(after, report.instances[i].before)
    ]
    if not survey.policy.whole_model or survey.policy.unproven != REPORT or not kept:
        return []
    way = "delete it and scale out by one instead" if survey.scale_set.flexible else "set unproven: reimage for that"
    return [
        (
            f"instances {sentences.named(kept)} of scale set {survey.scale_set.name} have the model and kept "
            f"their OS disks: what Azure brings only with a new disk, such as custom data, has not reached them; {way}."
        )
    ]


def batch_now(survey: Survey, instance_ids: t.Sequence[str]) -> dict[str, t.Any]:
    """What these instances run now, as it was read last. `there`: those that run the image and serve."""
    found = [i for i in survey.instances if i.instance_id in instance_ids]
    there, down, others, changing = [], [], [], []
    for one in sorted(found, key=instance_order):
        current = survey.verdicts[one.instance_id] == running_image.CURRENT
        why = availability.why_unavailable(one, survey.scale_set.has_health_source) if survey.is_counted(one) else ""
        if not availability.settled(one):
            changing.append(f"{one.instance_id} ({one.provisioning})")
        elif not current:
            runs_now = running_image.running_image(one) or "an image that Azure does not report"
            proof = ", as nothing proves" if survey.verdicts[one.instance_id] == running_image.UNPROVEN else ""
            others.append(f"{one.instance_id} ({runs_now}{proof}{f'; {why}' if why else ''})")
        elif why:
            down.append(f"{one.instance_id} ({why})")
        else:
            there.append(one.instance_id)
    said = {
        f"on {survey.target} and in service": there,
        f"on {survey.target} and not in service": down,
        "on another image": others,
        "still being changed": changing,
    }
    listed = "; ".join(f"{word}: {sentences.named(ids)}" for word, ids in said.items() if ids)
    return {
        "there": there,
        "complete": len(there) == len(found),
        "sentence": f"Instances {listed}." if listed else "None of the instances is left.",
    }


def instances_now(survey: Survey, read_at: float | None) -> str:
    """For who has to tell it when Azure cannot be asked any more."""
    scale_set = survey.scale_set
    runs = sentences.runs(survey.instances, survey.unavailable, _unproven(survey))
    when = f" at {timestamp(read_at)}" if read_at else ""
    return f"Scale set {scale_set.name} (resource group {scale_set.resource_group}) as last read{when}: {runs}"


def go_on(survey: Survey) -> str:
    """The command that goes on with it. No playbook of ours brings the whole model and nothing else."""
    if survey.policy.whole_model:
        return "Continue, once the cause is fixed: run the same again."
    scale_set = survey.scale_set
    place = {"rollout_resource_group": scale_set.resource_group, "rollout_scale_set": scale_set.name}
    command = commands.playbook("upgrade_image", {**place, "rollout_image": str(survey.target)})
    return f"Continue, once the cause is fixed: {command}"


def new_instances(survey: Survey) -> str:
    return f"The model names {survey.scale_set.image}, and new instances are made of that."
