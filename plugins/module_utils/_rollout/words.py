# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stopped rollout says to the person who has to go on with it."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from . import model_limit, running_image
from .model import Instance
from .plan import Survey
from .result import Report

_MOST_NAMED = 50  # instance ids in one sentence


def stopped(survey: Survey, report: Report) -> str:
    """What was attempted, what happened, and what runs where now."""
    scale_set = survey.scale_set
    models = f" {said}" if (said := model_limit.used(survey.instances)) else ""
    return (
        f"The rollout of {survey.target} to scale set {scale_set.name} (resource group "
        f"{scale_set.resource_group}) stopped: "
        f"{report.why}. {runs(survey.instances, survey.unavailable)} Nothing more is touched.{models}"
    )


def runs(instances: t.Collection[Instance], unavailable: t.Iterable[Instance]) -> str:
    """How many instances run what, and which are unavailable."""
    running = defaultdict(list)
    for instance in instances:
        image = running_image.running_image(instance) or "an image that Azure does not report"
        running[str(image)].append(instance.instance_id)
    most, *others = sorted(running.items(), key=lambda found: -len(found[1])) or [("any image", [])]
    listed = [f"{len(most[1])} run {most[0]}", *(f"{len(ids)} run {image} ({_named(ids)})" for image, ids in others)]
    sick = [i.instance_id for i in unavailable]
    named = f"instance{'s' if len(sick) > 1 else ''} {_named(sick)}" if sick else "none"
    return f"Of {len(instances)} instances {', '.join(listed)}; unavailable: {named}."


def _named(ids: list[str]) -> str:
    more = [f"and {len(ids) - _MOST_NAMED} more"] if len(ids) > _MOST_NAMED else []
    return ", ".join([*ids[:_MOST_NAMED], *more])


def new_instances(survey: Survey) -> str:
    return f"The model names {survey.scale_set.image}, and new instances are made of that."
