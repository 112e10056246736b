# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances and Azure's upgrades as the results of several modules show them."""

from __future__ import annotations

import typing as t

from .._facts import availability, images, running_image
from .._facts.scale_set import Instance, RollingUpgrade
from .._facts.times import timestamp
from .._orchestrator import stop_reason
from .._rollout.survey import Survey


def instance(one: Instance, survey: Survey) -> dict[str, t.Any]:
    """An instance, judged: `outdated` is null where nothing proves what is on its disk."""
    verdict = survey.verdicts[one.instance_id]
    has_health_source = survey.scale_set.has_health_source
    return {
        "instance_id": one.instance_id,
        "name": one.name,
        "computer_name": one.computer_name,
        "zone": one.zone,
        "update_domain": one.update_domain,
        "fault_domain": one.fault_domain,
        "power": one.power,
        "provisioning": one.provisioning,
        "health": one.health,
        "health_time": timestamp(one.health_time),
        "image": images.show(running_image.running_image(one)),
        "latest_model_applied": one.latest_model_applied,
        "verdict": verdict,
        "outdated": None if verdict == running_image.UNPROVEN else verdict == running_image.OUTDATED,
        "available": availability.available(one, has_health_source),
        "why_unavailable": availability.why_unavailable(one, has_health_source),
        "protected_from_scale_in": one.protected_from_scale_in,
        "protected_from_scale_set_actions": one.protected_from_actions,
    }


def rolling_upgrade(one: RollingUpgrade | None) -> dict[str, t.Any] | None:
    """Azure's latest upgrade, its error translated."""
    if one is None:
        return None
    reason = stop_reason.of(one.problem)
    return {
        "code": one.code,
        "running": one.running,
        "started": timestamp(one.started),
        "last_action": one.last_action,
        "last_action_time": timestamp(one.last_action_time),
        "counts": dict(one.counts),
        "policy": dict(one.policy),
        "reason": reason.as_dict() if reason else None,
    }
