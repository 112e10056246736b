# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed at any moment, the same command finishes the same rollout; `CHAOS_KILL=17` replays one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import judge
import pytest
from draw import GROUP, NAME, NEW, NEWER, OLD, OTHER_TAG, SERIES, Case
from harness import Run, Simulator, run_playbook, simulator, start_playbook
from resumed import resumed
from world import World

KILLS = (
    [int(os.environ["CHAOS_KILL"])] if "CHAOS_KILL" in os.environ else range(int(os.environ.get("CHAOS_KILLS", "50")))
)
DEADLINE = float(os.environ.get("CHAOS_DEADLINE", "600"))
TIME_SCALE = 60
INSTANCES = 20


def scenario(rng: Random) -> dict[str, Any]:
    scale_set = {
        "name": NAME,
        "resource_group": GROUP,
        "capacity": INSTANCES,
        "image": {**SERIES, "version": OLD},
        "automatic_repairs": True,
        "knobs": {"upgrade": {"uniform": [40, 80]}, "health_lag": 15, "write": 10},
    }
    if rng.random() < 0.3:
        scale_set["services"] = {"AutomaticRepairs": "Suspended"}
    events = [_another_client(rng) for _number in range(rng.choice([0, 0, 1, 2]))]
    images = {"platform": [{**SERIES, "versions": [OLD, NEW]}]}
    return {"images": images, "scale_sets": [scale_set], "events": events}


def _another_client(rng: Random) -> dict[str, Any]:
    """What hinders no rollout, at any moment of the killed run, the pause or the second run."""
    done = rng.choice(
        [
            {"do": "write", "patch": {"tags": {OTHER_TAG: "kept"}}},
            {"do": "scale", "capacity": INSTANCES + rng.randint(1, 3)},
            {"do": "write", "patch": {"properties": {"someMemberOfTomorrow": {"kept": [1, 2]}}}},
        ]
    )
    when = rng.choice([{"at": rng.uniform(0, 600)}, {"when": {"upgraded": rng.randint(1, INSTANCES)}}])
    return {**done, **when, "scale_set": NAME}


def moment(rng: Random) -> dict[str, Any]:
    """When to kill: after so many of some call's answers, or when so many disks are new; then some time later."""
    if rng.random() < 0.7:
        return {"disks": rng.randint(1, INSTANCES - 1), "later": rng.uniform(0, 4)}
    call = rng.choice(["VirtualMachineScaleSets_Get", "VirtualMachineScaleSets_Update"])
    return {"call": call, "later": rng.uniform(0, 3)}


def await_moment(sim: Simulator, run: Run, when: dict[str, Any]) -> None:
    """Returns at that moment, or when the run has ended before."""
    deadline = time.monotonic() + DEADLINE
    while run.process.poll() is None and time.monotonic() < deadline:
        metrics = sim.metrics()
        replaced = sum(metrics["scale_sets"][NAME]["disks_replaced"].values())
        if ("call" in when and metrics["by_operation"].get(when["call"])) or replaced >= when.get(
            "disks", INSTANCES + 1
        ):
            time.sleep(when["later"])
            return
        time.sleep(0.1)


@pytest.mark.parametrize("number", KILLS)
def test_the_same_command_finishes_the_same_rollout(number: int, tmp_path: Path) -> None:
    rng = Random(f"kill/{number}")
    world = scenario(rng)
    latest, whom, pause = (
        rng.random() < 0.5,
        rng.choice(["everything", "the playbook", "the module"]),
        rng.uniform(0, 3),
    )
    variables: dict[str, Any] = {
        "rollout_resource_group": GROUP,
        "rollout_scale_set": NAME,
        "rollout_image": {**SERIES, "version": "latest" if latest else NEW},
        "rollout_max_unavailable": rng.choice(["20%", "25%", "40%"]),
        "rollout_health_lag": 4,
        "rollout_version_lag": 4,
        "rollout_health_timeout": 20,
    }
    wrote = any(event["do"] == "write" for event in world["events"])
    options = {"extra_vars": variables, "allow_warnings": ["since the write scale set"] if wrote else []}
    with simulator(world, tmp_path / "azure", TIME_SCALE) as sim:
        before = World.of(sim)
        run = start_playbook("steady.vmss.upgrade_image", sim, directory=tmp_path / "killed", **options)
        await_moment(sim, run, moment(rng))
        orphans = kill(run, whom)
        killed = World.of(sim)
        sim.publish({**SERIES, "version": NEWER})
        time.sleep(pause)
        again = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, **options)
        after = World.of(sim)
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    sys.stdout.write(
        f"kill {number}: {whom}, {killed.figures['disks_replaced']} were done; {again.seconds:.0f} s more\n"
    )
    assert again.rc == 0, again.output[-5000:]
    target = again.fact("rollout_result")["target_image"]["version"]
    assert target == NEW or (latest and target == NEWER)
    # Nobody of the first run is left to name its target: `latest` is what it is now.
    begun = killed.model_image() != OLD or whom == "the playbook"
    assert begun or target == (NEWER if latest else NEW)
    assert after.model_image() == target
    assert {key: i["version"] for key, i in after.instances.items()} == dict.fromkeys(after.instances, target)
    assert all(i["available"] for i in after.instances.values())
    assert after.scale_set["services"] == before.scale_set["services"]
    assert after.figures["repairs"] == {}
    case = Case(number, {**world, "faults": []}, variables, variables["rollout_max_unavailable"], "domain")
    assert after.figures["unavailable"]["max"] <= case.most_unavailable(len(after.instances))
    assert after.figures["domains_down_at_once"] == 1
    assert not [
        *judge.availability(case, after),
        *judge.writes(case, after),
        *judge.explicit(after),
        *judge.once(after),
        *resumed(before, after, len(killed.writes()) if whom == "the module" else 0),
    ]


def kill(run: Run, whom: str) -> list[int]:
    """The processes that live on."""
    if whom == "the playbook":
        return run.kill_alone()
    if whom == "everything":
        run.kill()
    else:
        run.kill_module()
        run.wait(DEADLINE)  # it says what it knows of the batch, and stops
    return []
