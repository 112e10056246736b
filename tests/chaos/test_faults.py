# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever Azure does, a rollout breaks none of its rules. One seed, one rollout; `CHAOS_SEED=17` replays one."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import draw
import judge
import pytest
from harness import run_playbook, simulator

SEEDS = (
    [int(os.environ["CHAOS_SEED"])] if "CHAOS_SEED" in os.environ else range(int(os.environ.get("CHAOS_SEEDS", "200")))
)
# Wall seconds, after which a run counts as hung.
DEADLINE = float(os.environ.get("CHAOS_DEADLINE", "600"))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rules_hold(seed: int, tmp_path: Path) -> None:
    case = draw.case(seed)
    (tmp_path / "case.json").write_text(json.dumps([case.scenario, case.variables], indent=1), encoding="utf-8")
    journal = tmp_path / "journal"
    journal.mkdir()
    options = {"extra_vars": {**case.variables, "rollout_journal_dir": str(journal)}, "verbosity": 3}
    with simulator(case.scenario, tmp_path / "azure", draw.TIME_SCALE) as sim:
        before = judge.World.of(sim)
        run = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, directory=tmp_path / "run", **options)
        after = judge.World.of(sim)
        (tmp_path / "world.json").write_text(json.dumps(dataclasses.asdict(after)), encoding="utf-8")
        found = [task for task in run.tasks if "rollout_result" in task.result.get("ansible_facts", {})]
        result = run.fact("rollout_result") if found else None
        wrong = list(judge.everything(case, before, after, run, result, sim, journal))
        said = result["outcome"] if result else "refused"
        if said == "upgraded" and not wrong and judge.settled(case, after):
            sim.faults(clear=True)
            sim.reset()
            again = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, **options)
            if again.rc or sim.metrics()["writes"]:
                wrong.append(f"the second run ended {again.rc} and wrote {sim.metrics()['non_get']}")
            wrong += judge.secrets(sim, again, journal)
    figures = f"{run.seconds:.0f} s, {after.metrics['arm_calls']} ARM calls"
    sys.stdout.write(f"seed {seed}: {said} in {figures} {run.failures[-1:]}\n")
    assert not wrong, f"CHAOS_SEED={seed} replays it; it ended {said}: {run.failures[-1:]}\n" + "\n".join(wrong)
