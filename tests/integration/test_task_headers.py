# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the terminal shows of a rollout: few task headers, and none of a task that did not apply."""

from __future__ import annotations

import scenes
from scenes import StartSimulator


def test_a_rollout_of_five_batches_is_few_tasks_and_none_skipped(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(5, update_domains=5), 120)
    run = scenes.roll(sim)
    assert run.rc == 0, run.output
    assert len(scenes.judged(sim)["ran"]) == 5
    headers = [line for line in run.stdout.splitlines() if line.startswith("TASK [")]
    assert 0 < len(headers) <= 15, headers
    assert [task.name for task in run.tasks if task.status == "skipped"] == [] and "skipping:" not in run.stdout
    begun = [line for line in run.stderr.splitlines() if "Z  batch " in line]
    assert len(begun) == 5, run.stderr
