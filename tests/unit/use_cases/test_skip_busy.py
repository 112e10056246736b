# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout beside a client that keeps instances busy, from the plan to the next run, on a simulated Azure."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_plan_info

from ..asking import request
from ..play import NEW, OLD, SET, of_version
from ..simulated import Simulated
from .test_between import kept, ours, play, settled, simulated

SKIP = {"busy": "skip", "max_unavailable": "3", "max_unhealthy": "50%", "canary": 0}
PLAN = {**SET, "image": of_version(NEW)}


def occupied(seconds: float) -> Simulated:
    """Instance 2 is changed by another client for so long, and 4 was stopped by hand."""
    azure = simulated(6, health="binary", instances={"4": {"power": "stopped"}})
    azure.do(do="show", instance="2", seconds=seconds, provisioning="Updating")
    return azure


def runs(azure: Simulated) -> dict[str, str]:
    return {one: state["version"] for one, state in azure.state()["instances"].items()}


@pytest.mark.parametrize("hooks", [{}, {"pause": 1.0}])
def test_the_rest_is_upgraded_and_the_next_run_goes_on(hooks: dict[str, Any]) -> None:
    azure = occupied(5000)
    run = play(azure, **SKIP, **hooks)
    assert run.outcome == "upgraded", run.why
    assert runs(azure) == {str(n): OLD if n in (2, 4) else NEW for n in range(6)}
    (said,) = [words for words in run.warnings if "skipped" in words]
    assert "2 (provisioning Updating), 4 (power state stopped) of scale set web were skipped" in said
    record = kept(azure)
    assert record is not None and record.state == "in_progress"
    assert azure.metrics()["unavailable"]["max"] <= 3
    settled(azure, 6000)
    azure.do(do="power", instance="4", power="running")
    settled(azure, 600)
    again = play(azure, **SKIP)
    assert again.outcome == "upgraded" and set(runs(azure).values()) == {NEW} and not again.warnings
    record = kept(azure)
    assert record is not None and record.state == "finished"


def test_it_comes_back_to_what_is_free_by_then() -> None:
    """It is the last one, and alone in its batch."""
    azure = occupied(600)
    azure.do(do="power", instance="4", power="running", at=300)
    run = play(azure, **SKIP)
    assert run.outcome == "upgraded" and set(runs(azure).values()) == {NEW}, (run.why, runs(azure))
    assert not run.warnings and run.batches[-1]["instance_ids"] == ["2"]


def test_the_plan_says_what_it_skips_and_that_no_room_may_be_left() -> None:
    for limit, severity in (("3", "info"), ("2", "warning")):
        planned = upgrade_plan_info.make(
            ours(occupied(5000)), request(UpgradePlanInfoRequest, {**PLAN, **SKIP, "max_unavailable": limit})
        )
        (found,) = (one for one in planned.findings if one.code == "skipped")
        assert (found.severity, "2 (provisioning Updating), 4 (power state stopped)" in str(found)) == (severity, True)
        shown = upgrade_plan_info.as_result(planned)
        assert list(shown["busy"]) == ["2", "4"] and shown["left"] == ["0", "1", "3", "5"]
        assert not {"2", "4"} & {one for batch in shown["batches"] for one in batch["instance_ids"]}


def test_without_the_option_it_waits_and_stops() -> None:
    azure = occupied(9000)
    run = play(azure, **{**SKIP, "busy": "wait", "upgrade_timeout": 900.0})
    assert run.outcome == "stopped" and "instances_busy" in run.codes
