# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stopped rollout says to the person who has to go on with it."""

from __future__ import annotations

from collections import Counter

from . import running_image
from .plan import Survey
from .result import Report


def stopped(survey: Survey, report: Report) -> str:
    """What was attempted, what happened, and what runs where now."""
    scale_set = survey.scale_set
    counted = Counter(
        str(running_image.running_image(i) or "an image that Azure does not report") for i in survey.instances
    )
    runs = ", ".join(f"{number} run {image}" for image, number in counted.most_common())
    unavailable = ", ".join(i.instance_id for i in survey.unavailable) or "none"
    return (
        f"The rollout of {survey.target} to scale set {scale_set.name} (resource group "
        f"{scale_set.resource_group}) stopped: "
        f"{report.why}. Of {len(survey.instances)} instances {runs or 'none is left'}; unavailable: {unavailable}. "
        "Nothing more is touched."
    )


def new_instances(survey: Survey) -> str:
    return f"The model names {survey.scale_set.image}, and new instances are made of that."
