# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the live map costs a rollout of 1,000 instances: CPU seconds and memory of the play, with it and without."""

from __future__ import annotations

import json
import os
import resource
import threading
from pathlib import Path

import harness
import pytest
import replay
import scenes

MOST_CPU = 1.10  # times the CPU seconds without it
MOST_MEMORY = 50.0  # MB more


def megabytes(pid: int) -> float:
    """Proportional set size."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def cost(directory: Path, show: str) -> tuple[float, float, replay.Seen]:
    """CPU seconds of all processes of the play, and the most memory that they had at once."""
    directory.mkdir()
    most, ended = 0.0, threading.Event()
    with harness.simulator(scenes.scenario(1000), directory / "azure", 60) as azure:
        simulators = {*harness.descendants(os.getpid())}

        def look() -> None:
            nonlocal most
            while not ended.wait(0.5):
                ours = {*harness.descendants(os.getpid())} - simulators
                most = max(most, sum(map(megabytes, ours)))

        given = {"resource_group": scenes.GROUP, "scale_set": scenes.NAME, "image": scenes.NEW, "canary": 0}
        variables = {f"rollout_{name}": value for name, value in given.items()}
        (directory / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        env = {**harness.environment(azure, directory), **replay.CALLBACK, "TERM": "xterm", "STEADY_VMSS_SHOW": show}
        watcher = threading.Thread(target=look)
        watcher.start()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seen = replay.watch(
            Path("steady.vmss.upgrade_image"),
            directory,
            env=env,
            arguments=("-e", f"@{directory / 'variables.json'}"),
            timeout=900,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended.set()
        watcher.join()
    assert seen.rc == 0, seen.output
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most, seen


@pytest.mark.filterwarnings("default")
def test_the_map_costs_little(tmp_path: Path) -> None:
    without, memory_without, _seen = cost(tmp_path / "without", "lines")
    cpu, memory, seen = cost(tmp_path / "with", "auto")
    print(f"CPU {cpu:.1f} s with the map, {without:.1f} s without: {cpu / without:.2f} (at most {MOST_CPU})")
    print(f"memory {memory:.0f} MB with the map, {memory_without:.0f} MB without (at most {MOST_MEMORY:.0f} more)")
    assert any("elapsed" in screen for screen in seen.screens), "nothing was drawn"
    assert cpu <= MOST_CPU * without
    assert memory <= memory_without + MOST_MEMORY
