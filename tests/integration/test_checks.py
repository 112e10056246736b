# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No number of reruns walks past a failing check, and nothing is claimed of a batch that nobody lived to tell of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

CHECK = {"name": "Ask the shop", "ansible.builtin.fail": {"msg": "the shop answers 503"}}
SHOWN = {"name": "Note it", "ansible.builtin.debug": {"var": "rollout_batch"}}
FORMS: dict[str, dict[str, Any]] = {
    "Uniform": {},
    "zonal": {"zones": ["1", "2"]},
    "Flexible": {"orchestration": "Flexible"},
}


def hook(path: Path, *tasks: dict[str, Any]) -> str:
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return str(path)


def version_of_model(sim: harness.Simulator) -> str:
    profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]
    version: str = profile["storageProfile"]["imageReference"]["version"]
    return version


def start(sim: harness.Simulator, **variables: Any) -> harness.Run:
    given = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, "rollout_image": {"version": NEW}}
    return harness.start_playbook("steady.vmss.upgrade_image", sim, extra_vars={**given, **variables})


def new(sim: harness.Simulator) -> list[str]:
    return sorted(i for i, version in scenes.versions(sim).items() if version == NEW)


def refused(sim: harness.Simulator, variables: dict[str, Any]) -> str:
    """A rerun that the check ends before anything is written."""
    sim.reset()
    run = scenes.roll(sim, variables=variables)
    assert run.rc == 2 and sim.metrics()["non_get"] == [], run.output
    assert [task.result["rollout_batch"]["number"] for task in run.named("Note it")] == [0]
    assert run.fact("rollout_result")["outcome"] == "refused"
    return run.failures[-1]


@pytest.mark.long
def test_a_rerun_does_not_walk_past_a_failing_check(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(3, tags={"environment": "production"}), 120)
    variables = {"rollout_max_unavailable": 1, "rollout_health_check": hook(tmp_path / "check.yml", SHOWN, CHECK)}
    assert scenes.roll(sim, variables=variables).rc == 2
    first = new(sim)
    assert len(first) == 1 and version_of_model(sim) == OLD
    said = refused(sim, variables)
    assert new(sim) == first
    for words in ("did not start", "the shop answers 503", f"instances {first[0]}", "Nothing was written", "Roll back"):
        assert words in said, said
    # Only where it is asked for is anything put back; and once the cause is gone the same command goes on.
    hook(tmp_path / "check.yml", SHOWN)
    sim.reset()
    run = scenes.roll(sim, variables=variables)
    assert run.rc == 0, run.output
    assert [task.result["rollout_batch"]["number"] for task in run.named("Note it")] == [0, 1, 2]
    assert new(sim) == ["0", "1", "2"]
    sim.reset()
    run = scenes.roll(sim, variables={**variables, "rollout_health_check": hook(tmp_path / "check.yml", SHOWN, CHECK)})
    assert run.rc == 0 and sim.metrics()["non_get"] == [], "a finished rollout is not checked again"


@pytest.mark.long
def test_what_fails_its_check_at_the_start_goes_back_where_asked(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(3, tags={"environment": "production"}), 120)
    variables = {"rollout_max_unavailable": 1, "rollout_health_check": hook(tmp_path / "check.yml", CHECK)}
    assert scenes.roll(sim, variables=variables).rc == 2
    run = scenes.roll(sim, variables={**variables, "rollout_on_failure": "rollback_all"})
    assert run.rc == 2 and run.fact("rollout_result")["outcome"] == "rolled_back", run.output
    assert new(sim) == [] and version_of_model(sim) == OLD


def module_of(run: harness.Run) -> int:
    """The process that the run's processes have started last: a worker's module."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    children: dict[int, list[int]] = {}
    for pid, parent in (map(int, line.split()) for line in listed.splitlines()):
        children.setdefault(parent, []).append(pid)
    found = [run.process.pid]
    for one in found:  # grows while it is walked
        found += children.get(one, [])
    return found[-1]


@pytest.mark.long
def test_a_killed_module_leaves_nothing_unread(simulator: StartSimulator) -> None:
    """As where the memory is used up: the batch after the first is put back as well, and by what is read of it."""
    sim = simulator(scenes.scenario(4, {"upgrade": 600}, tags={"environment": "production"}, update_domains=1), 60)
    variables = {"rollout_max_unavailable": 2, "rollout_canary": 0, "rollout_on_failure": "rollback_all"}
    run = start(sim, **variables)
    try:
        deadline = time.monotonic() + 120
        while len(scenes.judged(sim)["ran"]) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        second = scenes.judged(sim)["ran"][1]
        os.kill(module_of(run), signal.SIGKILL)
        result = run.wait(240)
    finally:
        if run.process.returncode is None:
            run.kill()
    assert result.rc == 2 and new(sim) == [], result.output
    assert result.fact("rollout_result")["outcome"] == "rolled_back", result.failures[-1]
    assert f"Instances {', '.join(sorted(['0', '1', '2', '3']))} are back" in result.failures[-1], result.failures[-1]
    assert len(second) == 2 and scenes.judged(sim)["unavailable"]["max_when_accepted"] <= 2


@pytest.mark.long
@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("killed", [False, True])
def test_five_reruns(simulator: StartSimulator, tmp_path: Path, form: str, killed: bool) -> None:
    """No more disks are replaced than by the first run, and nothing is written from the second on."""
    sim = simulator(scenes.scenario(6, tags={"environment": "production"}, **FORMS[form]), 120)
    variables = {"rollout_max_unavailable": 2, "rollout_health_check": hook(tmp_path / "check.yml", SHOWN, CHECK)}
    assert scenes.roll(sim, variables=variables).rc == 2
    first = new(sim)
    for number in range(5):
        if killed:
            run = start(sim, **variables)
            time.sleep(1.0 + number)
            run.kill()
        refused(sim, variables)
        assert new(sim) == first
