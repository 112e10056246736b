# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure asks for 30 s between two polls since 2023 (azure-powershell AutoRollback, azure-sdk-for-net
VirtualMachineScaleSetOperationsTests/Update): a batch waits as long as it is asked to, and is hardly slower for it.
"""

from __future__ import annotations

from typing import Any

import pytest

from ..play import Play
from ..simulated import Reply, Request, Simulated
from .test_between import play, simulated

ASKED = {"retry_after_poll": 30, "retry_after_initial": 10}
SLOWER = 1.1  # times as long, at the most


def rolled(**knobs: Any) -> tuple[Play, Simulated, list[float], float]:
    """The run, and the seconds between two polls of one operation on instances."""
    azure = simulated(10, health="rich", knobs=knobs)
    polls: list[tuple[str, float]] = []
    gaps: list[float] = []

    def polled(request: Request, _reply: Reply) -> None:
        operation = azure.world.operations.get(request.path.rpartition("/")[2].lower())
        if operation is not None and operation.kind == "action":
            if polls and polls[-1][0] == request.path:
                gaps.append(azure.now() - polls[-1][1])
            polls.append((request.path, azure.now()))

    azure.after.append(polled)
    began = azure.now()
    run = play(azure, max_unavailable="20%")
    return run, azure, gaps, azure.now() - began


@pytest.mark.parametrize("upgrade", [20, 75, 100, {"lognormal": 75, "cv": 0.1}])
def test_a_rollout_stays_prompt_where_azure_asks_for_30_seconds(upgrade: Any) -> None:
    plain, quick, gaps, seconds = rolled(upgrade=upgrade)
    asked, slow, kept, longer = rolled(upgrade=upgrade, **ASKED)
    assert plain.outcome == asked.outcome == "upgraded" and len(plain.batches) == len(asked.batches) == 6
    assert min(gaps) < 10, "nobody asked for it"
    assert min(kept) >= 30, "sooner than it was asked to"
    assert longer <= seconds * SLOWER, (seconds, longer)
    assert quick.metrics()["unavailable"]["max"] == slow.metrics()["unavailable"]["max"] == 2
