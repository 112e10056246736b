# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cancelled job sends nothing more, however it was cancelled. The simulator's own figures are the judge."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import scenes
from harness import Run, Simulator, descendants, environment, start_playbook
from scenes import GROUP, NEW, StartSimulator

Start = Callable[[Simulator, str, Path], Any]
ENOUGH = 20  # seconds in which all of a cancelled job is gone
LATER = 6  # seconds in which one more batch would have been sent


def module(sim: Simulator, name: str, directory: Path, **keywords: Any) -> Run:
    """`instance_upgrade` alone, one instance after the other, with its journal."""
    options = {"resource_group": GROUP, "name": name, "max_unavailable": 1, "journal": str(directory / "journal")}
    task = {"name": "run", "steady.vmss.instance_upgrade": options, **keywords}
    return start_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], sim, directory=directory)


def role(sim: Simulator, name: str, directory: Path) -> Run:
    variables = {"rollout_resource_group": GROUP, "rollout_scale_set": name, "rollout_image": {"version": NEW}}
    variables |= {"rollout_max_unavailable": 1}
    return start_playbook("steady.vmss.upgrade_image", sim, extra_vars=variables, directory=directory)


def kill(run: Run) -> None:
    """Nothing but ansible-playbook itself."""
    run.process.kill()


def terminate(run: Run) -> None:
    run.process.terminate()


def as_receptor_does(run: Run) -> None:
    run.process.send_signal(signal.SIGINT)
    time.sleep(2)  # of Receptor's ten
    with contextlib.suppress(ProcessLookupError):
        run.process.kill()


def kill_group(run: Run) -> None:
    """As a terminal and a service manager do. The workers lead sessions of their own."""
    os.killpg(run.process.pid, signal.SIGKILL)


def kill_worker(run: Run) -> None:
    """The module asks for the worker before it sends."""
    worker = descendants(run.process.pid)[0]
    os.kill(worker, signal.SIGKILL)


def terminate_module(run: Run) -> None:
    os.kill(descendants(run.process.pid)[-1], signal.SIGTERM)


WAYS: dict[str, tuple[Start, Callable[[Run], None]]] = {
    "kill": (module, kill),
    "terminate": (module, terminate),
    "receptor": (module, as_receptor_does),
    "group": (module, kill_group),
    "worker": (module, kill_worker),
    "module": (module, terminate_module),
    "role-kill": (role, kill),
    "role-receptor": (role, as_receptor_does),
}


def requests_for(sim: Simulator, name: str) -> int:
    return len([batch for batch in sim.metrics()["batches"] if batch["scale_set"] == name])


def await_true(what: Callable[[], object], seconds: float, why: str) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def cleaned() -> Iterator[list[int]]:
    """Processes that end with the test, whatever it found."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def told(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "journal").read_text(encoding="utf-8").splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the module ends at its next request, which is no signal")
def test_nothing_is_sent_after_a_kill(simulator: StartSimulator, tmp_path: Path, cleaned: list[int]) -> None:
    sets = [scenes.scale_set(5, {"upgrade": 120}, name=name) for name in WAYS]
    sim = simulator(scenes.several(*sets))
    scenes.name_new(sim, *[name for name, (start, _kill) in WAYS.items() if start is module])
    runs = {name: start(sim, name, tmp_path / name) for name, (start, _kill) in WAYS.items()}
    started: dict[str, list[int]] = {}
    for name, run in runs.items():
        await_true(lambda name=name: requests_for(sim, name), 120, f"{name}: {run.output()}")
        started[name] = descendants(run.process.pid)
        cleaned += [run.process.pid, *started[name]]
        assert len(started[name]) >= 2, "a worker and its module"
        WAYS[name][1](run)
    for name, run in runs.items():
        ends = [pid for pid in started[name] if not (name == "worker" and pid == run.process.pid)]
        await_true(lambda ends=ends: not any(map(lives, ends)), ENOUGH, f"{name}: {ends} live on")
    before = {name: requests_for(sim, name) for name in WAYS}
    calls = sim.metrics()["arm_calls"]
    time.sleep(LATER)
    assert {name: requests_for(sim, name) for name in WAYS} == before
    assert sim.metrics()["arm_calls"] == calls, "something still asks Azure"
    assert all(count < 5 for count in before.values()), before
    for name in ("kill", "terminate", "receptor", "group", "worker", "module"):
        last = told(tmp_path / name)[-1]
        assert (last["event"], last["scale_set"].rpartition("/")[2]) == ("cancelled", name)
    result = runs["module"].wait().tasks[-1].result
    assert (result["code"], result["outcome"], result["rollout_result"]["outcome"]) == ("cancelled",) * 3
    assert "SIGTERM was received" in result["msg"] and "Nothing more is sent" in result["msg"]
    for run in runs.values():
        run.process.wait()


def test_a_job_that_ansible_runner_cancels_sends_nothing_more(
    simulator: StartSimulator, tmp_path: Path, cleaned: list[int]
) -> None:
    sim = simulator(scenes.several(scenes.scale_set(5, {"upgrade": 120}, name="web")))
    scenes.name_new(sim, "web")
    options = {"resource_group": GROUP, "name": "web", "max_unavailable": 1}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"steady.vmss.instance_upgrade": options}]}]
    cancelled = threading.Event()
    (tmp_path / "runner").mkdir()
    thread, runner = ansible_runner.run_async(
        private_data_dir=str(tmp_path / "runner"),
        playbook=play,
        inventory="localhost ansible_connection=local",
        envvars=environment(sim, tmp_path),
        cancel_callback=cancelled.is_set,
        quiet=True,
    )
    await_true(lambda: requests_for(sim, "web"), 60, "nothing was sent")
    mine = [pid for pid in descendants(os.getpid()) if pid != sim.process.pid]
    cleaned += mine
    cancelled.set()
    thread.join(30)
    assert runner.status == "canceled"
    await_true(lambda: not any(map(lives, mine)), ENOUGH, f"{mine} live on")
    before = requests_for(sim, "web")
    time.sleep(LATER)
    assert requests_for(sim, "web") == before < 5


def test_under_async_the_module_outlives_its_worker(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(2))
    scenes.name_new(sim)
    run = module(sim, "web", tmp_path / "run", **{"async": 300, "poll": 0})
    assert run.wait().rc == 0
    await_true(lambda: set(scenes.versions(sim).values()) == {NEW}, 60, "it ended with the play")
    ended = {"event": "batch_finished", "outcome": "upgraded"}.items()
    await_true(lambda: any(ended <= line.items() for line in told(tmp_path / "run")), 30, "it does not end")
