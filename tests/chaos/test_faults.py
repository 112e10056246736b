# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever Azure and its other clients do, a rollout breaks none of its rules, nor does the same command after it.

One seed, one rollout; `CHAOS_SEED=17` replays one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import checks
import draw
import judge
import pytest
import skipped
from harness import Result, Simulator, run_playbook, simulator
from world import World

SEEDS = (
    [int(os.environ["CHAOS_SEED"])] if "CHAOS_SEED" in os.environ else range(int(os.environ.get("CHAOS_SEEDS", "200")))
)
# Wall seconds, after which a run counts as hung.
DEADLINE = float(os.environ.get("CHAOS_DEADLINE", "600"))


@dataclasses.dataclass
class Watch:
    """Turns the wall's seconds into simulated ones."""

    wall: float
    simulated: float

    @classmethod
    def of(cls, sim: Simulator) -> Watch:
        return cls(time.time(), sim.state()["time"])

    def asked(self, directory: Path) -> list[dict[str, Any]]:
        """What the user's check was asked, each with its simulated time."""
        entries = checks.asked(directory) if directory.exists() else []
        return [{**one, "time": self.simulated + (one["wall"] - self.wall) * draw.TIME_SCALE} for one in entries]


def outcome_of(run: Result) -> dict[str, Any] | None:
    found = [task for task in run.tasks if "rollout_result" in task.result.get("ansible_facts", {})]
    result: dict[str, Any] | None = run.fact("rollout_result") if found else None
    return result or None


def warnings(case: draw.Case) -> list[str]:
    """What a run may warn of, for what the seed has drawn: a record in the place of ours, or another image, what may
    fail the last write of all, what another client adds.
    """
    written = [event["patch"] for event in case.events if event["do"] == "write"]
    writes = bool(written) or case.did("policy", "scale", "preempt", "rolling_upgrade")
    drawn = {
        "is not recorded": any(
            draw.RECORD in patch.get("tags", {}) or "virtualMachineProfile" in patch.get("properties", {})
            for patch in written
        ),
        "stays open, and its next run closes it": bool(case.scenario["faults"]) or writes,
        "since the write scale set": bool(written) or case.did("policy"),
        "were skipped, because": case.variables.get("rollout_busy") == "skip",
    }
    return [words for words, may_be in drawn.items() if may_be]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rules_hold(seed: int, tmp_path: Path) -> None:
    case = draw.case(seed)
    variables = {**case.variables, "rollout_journal_dir": str(tmp_path / "journal")}
    (tmp_path / "journal").mkdir()
    if case.check:
        variables["rollout_health_check"] = str(checks.write(tmp_path / "check", case.check))
    (tmp_path / "case.json").write_text(json.dumps([case.scenario, variables, case.check], indent=1), encoding="utf-8")
    options = {"extra_vars": variables, "verbosity": 3, "allow_warnings": warnings(case)}
    with simulator(case.scenario, tmp_path / "azure", draw.TIME_SCALE) as sim:
        before, watch = World.of(sim), Watch.of(sim)
        run = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, directory=tmp_path / "run", **options)
        after = World.of(sim)
        (tmp_path / "world.json").write_text(json.dumps(dataclasses.asdict(after)), encoding="utf-8")
        result, asked = outcome_of(run), watch.asked(tmp_path / "check")
        wrong = list(judge.everything(case, before, after, run, result, sim, tmp_path / "journal", asked))
        if not wrong:
            wrong += the_same_again(case, sim, after, result, options, tmp_path)
        if not wrong:
            wrong += the_rest(case, sim, after, result, options, tmp_path)
    said = result["outcome"] if result else "refused"
    figures = f"{run.seconds:.0f} s, {after.metrics['arm_calls']} ARM calls"
    sys.stdout.write(f"seed {seed}: {said} in {figures} {run.failures[-1:]}\n")
    assert not wrong, f"CHAOS_SEED={seed} replays it; it ended {said}: {run.failures[-1:]}\n" + "\n".join(wrong)


def the_same_again(
    case: draw.Case,
    sim: Simulator,
    after: World,
    result: dict[str, Any] | None,
    options: dict[str, Any],
    tmp_path: Path,
) -> Iterator[str]:
    """The same command after a rollout that is finished, also when something has happened since, and after one that the
    user's check has stopped.
    """
    said = result["outcome"] if result else "refused"
    target = judge.target_of(case, after)
    unfit = [
        key for key, one in judge.mine(case, after).items() if one["version"] == target and _refused(case, one, key)
    ]
    # Where it was asked to, a rollout puts back what the check refuses.
    stopped = said == "stopped" and bool(unfit) and case.variables.get("rollout_on_failure", "stop") == "stop"
    finished = said == "upgraded" and judge.settled(case, after)
    if not (stopped or finished):
        return
    sim.event({"do": "quiet"})
    sim.faults(clear=True)
    if finished:
        something_happens(case, sim)
    # What the run before could not write down for a fault, the next one does.
    closes = bool(case.scenario["faults"]) or any(event["do"] in ("preempt", "write") for event in case.events)
    for number in range(2):
        services = sim.state()["scale_sets"][draw.NAME]["services"]
        sim.reset()
        directory = tmp_path / f"again-{number}"
        run = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, directory=directory, **options)
        world = World.of(sim)
        yield from judge.again(world, run, outcome_of(run), refused=stopped, closes=closes and not number)
        if services != world.scale_set["services"] and not (closes and not number):
            yield f"the same command again made the services {world.scale_set['services']} of {services}"
        yield from judge.secrets(sim, run, tmp_path / "journal")


def the_rest(
    case: draw.Case,
    sim: Simulator,
    after: World,
    result: dict[str, Any] | None,
    options: dict[str, Any],
    tmp_path: Path,
) -> Iterator[str]:
    """The same command continues with those that a rollout has skipped, once they are free: where nothing but them is
    in its way.
    """
    found = skipped.named(result)
    others = [one for key, one in judge.mine(case, after).items() if key not in found]
    theirs = {path for write in after.writes("another client") for path in write["changes"]} - {"sku.capacity"}
    hindered = case.check is not None or case.scenario["instance_faults"] or theirs
    target = judge.target_of(case, after)
    calm = after.model_image().endswith(target) and all(one["available"] for one in others)
    if not found or hindered or not calm or not result or result["outcome"] not in skipped.SUCCESS:
        return
    sim.event({"do": "quiet"})
    sim.faults(clear=True)
    for key in found.keys() & sim.state()["scale_sets"][draw.NAME]["instances"].keys():
        sim.event({"do": "power", "power": "running", "instance": key})
    time.sleep(2)  # until they are healthy again
    run = run_playbook("steady.vmss.upgrade_image", sim, timeout=DEADLINE, directory=tmp_path / "rest", **options)
    world, ended = World.of(sim), outcome_of(run)
    said = ended["outcome"] if ended else "refused"
    behind = [key for key in judge.mine(case, world) if world.instances[key]["version"] != target]
    if run.rc or behind or skipped.named(ended):
        yield f"the same command, once {sorted(found)} were free, ended {said} without {behind}: {run.failures[-1:]}"
    yield from judge.availability(case, world)
    yield from judge.explicit(world)
    yield from judge.once(world)


def _refused(case: draw.Case, instance: dict[str, Any], key: str) -> bool:
    """Whether the user's check refuses this instance each time."""
    name = key if case.scale_set.get("orchestration") == "Flexible" else f"{draw.NAME}_{key}"
    return case.check is not None and not instance["leaving"] and checks.refused(case.check, name)


def something_happens(case: draw.Case, sim: Simulator) -> None:
    """After a finished rollout an instance falls sick, or the operator suspends the automatic repairs."""
    rng = Random(f"after/{case.seed}")
    if rng.random() < 0.4:
        kind = "fail" if case.scale_set["health"] == "none" else rng.choice(["fail", "unhealthy"])
        # Also one that is not the rollout's; what is not in service may be one that it has left outdated.
        in_service = sorted(key for key, one in World.of(sim).instances.items() if one["available"])
        if in_service:
            sim.event({"do": kind, "instance": rng.choice(in_service)})
    if "automatic_repairs" in case.scale_set and rng.random() < 0.5:
        sim.event({"do": "service", "action": "Suspend"})
        time.sleep(1)
