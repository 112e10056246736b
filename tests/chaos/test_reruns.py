# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No number of reruns, killed or not, walks past a failing health check; `CHAOS_RERUN=3` replays one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import checks
import judge
import pytest
from draw import GROUP, NAME, NEW, OLD, SERIES
from harness import Simulator, run_playbook, simulator, start_playbook
from test_faults import outcome_of
from test_kills import await_moment
from world import World

RERUNS = (
    [int(os.environ["CHAOS_RERUN"])]
    if "CHAOS_RERUN" in os.environ
    else range(int(os.environ.get("CHAOS_RERUNS", "12")))
)
DEADLINE = float(os.environ.get("CHAOS_DEADLINE", "600"))
TIME_SCALE = 60
INSTANCES = 12
TIMES = 5


def scenario(kind: str) -> dict[str, Any]:
    scale_set: dict[str, Any] = {
        "name": NAME,
        "resource_group": GROUP,
        "capacity": INSTANCES,
        "image": {**SERIES, "version": OLD},
        "knobs": {"upgrade": {"uniform": [40, 80]}, "health_lag": 15, "write": 10},
    }
    scale_set |= {"zonal": {"zones": ["1", "2", "3"]}, "flexible": {"orchestration": "Flexible"}}.get(kind, {})
    return {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": [scale_set]}


def refused(policy: dict[str, Any], world: World, kind: str) -> set[str]:
    """The instances that the check refuses."""
    return {key for key in world.instances if checks.refused(policy, key if kind == "flexible" else f"{NAME}_{key}")}


@pytest.mark.parametrize("number", RERUNS)
def test_no_number_of_reruns_walks_past_a_failing_check(number: int, tmp_path: Path) -> None:
    rng = Random(f"rerun/{number}")
    kind = ("uniform", "zonal", "flexible")[number % 3]
    policy: dict[str, Any] = rng.choice([{"kind": "always"}, {"kind": "some", "modulo": 4}])
    variables = {
        "rollout_resource_group": GROUP,
        "rollout_scale_set": NAME,
        "rollout_image": {**SERIES, "version": NEW},
        "rollout_max_unavailable": rng.choice(["10%", "25%"]),
        "rollout_keep_model": rng.random() < 0.3,
        "rollout_health_check": str(checks.write(tmp_path / "check", policy)),
        "rollout_health_lag": 4,
        "rollout_version_lag": 4,
    }
    wrong: list[str] = []
    ended: list[str] = []
    with simulator(scenario(kind), tmp_path / "azure", TIME_SCALE) as sim:
        killed = False
        for time_of_it in range(1 + TIMES):
            before = World.of(sim)
            bad = refused(policy, before, kind)
            reached = [key for key in bad if before.instances[key]["version"] == NEW]
            after_a_kill, killed = killed, rng.random() < 0.4
            outcome = one_run(sim, variables, tmp_path / str(time_of_it), rng if killed else None)
            settle(sim)
            after = World.of(sim)
            ended.append("killed" if killed else outcome)
            wrong += judged(before, after, reached, ended[-1], after_a_kill=after_a_kill)
            batches = [batch["instance_ids"] for batch in after.batches() if bad & {*batch["instance_ids"]}]
            if len(batches) > 1:
                wrong.append(f"run {time_of_it}: {batches} hold instances that the check refuses")
            if wrong:
                break
    sys.stdout.write(f"rerun {number}: {kind}, {policy['kind']}: {ended}\n")
    assert not wrong, f"CHAOS_RERUN={number} replays it; the runs ended {ended}\n" + "\n".join(wrong)


def one_run(sim: Simulator, variables: dict[str, Any], directory: Path, kill: Random | None) -> str:
    if kill is None:
        run = run_playbook(
            "steady.vmss.upgrade_image", sim, extra_vars=variables, directory=directory, timeout=DEADLINE
        )
        result = outcome_of(run)
        return f"{result['outcome'] if result else 'refused'} ({run.rc})"
    started = start_playbook("steady.vmss.upgrade_image", sim, extra_vars=variables, directory=directory)
    done = sum(sim.metrics()["scale_sets"][NAME]["disks_replaced"].values())
    moments: list[dict[str, Any]] = [
        {"disks": done + 1, "later": kill.uniform(0, 3)},
        {"call": "VirtualMachineScaleSets_Get", "later": kill.uniform(2, 6)},
    ]
    await_moment(sim, started, kill.choice(moments))
    started.kill()
    return "killed"


def settle(sim: Simulator) -> None:
    """What was killed has left its operation to Azure."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = sim.state()["scale_sets"][NAME]
        if all(op["status"] != "InProgress" for op in found["operations"]):
            return
        time.sleep(0.2)


def judged(before: World, after: World, reached: list[str], said: str, *, after_a_kill: bool) -> list[str]:
    """Once an instance that the check refuses runs the target, nothing is written and nothing is done."""
    wrong = [*judge.explicit(after), *judge.once(after)]
    if not said.startswith(("killed", "stopped (2)", "refused (2)", "rolled_back (2)")):
        wrong.append(f"it ended {said}")
    if not reached:
        return wrong
    acted = after.metrics["actions"][len(before.metrics["actions"]) :]
    written = after.writes()[len(before.writes()) :]
    if after_a_kill:  # it may close the record that the killed run has left
        written = [write for write in written if not judge.only_record(write)]
    if acted:
        wrong.append(
            f"{reached} are refused by the check, and then {[(a['action'], a['instance_ids']) for a in acted]}"
        )
    if written:
        wrong.append(f"{reached} are refused by the check, and then {[sorted(w['changes']) for w in written]} written")
    return wrong
