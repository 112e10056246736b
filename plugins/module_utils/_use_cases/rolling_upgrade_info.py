# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's latest rolling upgrade of a scale set, and the OS upgrades that it remembers."""

from __future__ import annotations

import typing as t

from .._arm.client import Azure
from .._facts import images
from .._facts.scale_set import PastUpgrade
from .._facts.times import timestamp
from .._options import RollingUpgradeInfoRequest
from .._orchestrator import messages, stop_reason
from . import views


def read(azure: Azure, request: RollingUpgradeInfoRequest) -> dict[str, t.Any]:
    """Azure's latest upgrade of a scale set and, where asked for, the OS upgrades that it remembers."""
    one = azure.scale_set(request.resource_group, request.name)
    found: dict[str, t.Any] = {"latest": views.rolling_upgrade(azure.latest_rolling_upgrade(one))}
    if request.history:
        found["history"] = [past_upgrade(entry) for entry in azure.os_upgrade_history(one)]
    said = [messages.past(entry) for entry in found.get("history", ())]
    return {**found, "sentences": {"latest": messages.latest(found["latest"]), "history": said}}


def past_upgrade(one: PastUpgrade) -> dict[str, t.Any]:
    """An entry of the OS upgrade history, its error translated."""
    reason, restore = stop_reason.of(one.problem), one.restore_problem
    return {
        "code": one.code,
        "started": timestamp(one.started),
        "ended": timestamp(one.ended),
        "started_by": one.started_by,
        "target_image": images.show(one.target),
        "counts": dict(one.counts),
        "restored": one.restored,
        "not_restored": one.not_restored,
        "restore_error": str(restore) if restore else "",
        "reason": reason.as_dict() if reason else None,
    }
