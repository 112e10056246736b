# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A condition that a playbook needs: broken, and repaired as its message says."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import harness
import scenes
import side_by_side
from scenes import GROUP

Act = Callable[[harness.Simulator, str], None]  # what another client does to the scale set of that name

FORMS: dict[str, dict[str, Any]] = {
    "Uniform": {"update_domains": 3},
    "zonal": {"zones": ["1", "2", "3"]},
    "Flexible": {"orchestration": "Flexible"},
}
CAPACITY = 3
# What is said of what the user has asked for; and of a Flexible set, whose instances only get what they failed of.
WARNINGS = [
    "Azure brings its 3 instances to the new model",
    "in mode Rolling, Azure may bring",
    "in mode Automatic, Azure may bring",
    "Azure does not tell whether instances",
]


def nothing(_sim: harness.Simulator, _name: str) -> None:
    pass


@dataclass(frozen=True)
class Condition:
    """`said` and `remedy` are words of the one message. `forms`: where the condition can be broken."""

    said: str
    remedy: str
    members: Mapping[str, Any] = field(default_factory=dict)  # the scale set's, of a scenario
    given: Mapping[str, Any] = field(default_factory=dict)  # variables of every run
    breaks: Act = nothing
    repair: Act = nothing
    repaired_by: Mapping[str, Any] = field(default_factory=dict)  # variables of the runs that work
    forms: tuple[str, ...] = tuple(FORMS)
    most_down: int = 1

    def repaired(self, name: str) -> str:
        """The scale set that works: where none can be made of the broken one, another."""
        return str(self.repaired_by.get("rollout_scale_set", name))


def cancel(sim: harness.Simulator, name: str) -> None:
    (run,) = side_by_side.run_playbook(
        sim, "cancel_upgrade", {name: {"rollout_resource_group": GROUP, "rollout_scale_set": name}}
    ).values()
    assert run.rc == 0, run.output


def roll(sim: harness.Simulator, name: str) -> None:
    sim.event({"do": "rolling_upgrade", "scale_set": name, "seconds": 10**6})


def scale_set(name: str, form: str, members: Mapping[str, Any], **plain: Any) -> dict[str, Any]:
    own = {**plain, **FORMS[form], **copy.deepcopy(dict(members)), "capacity": CAPACITY}
    return scenes.scale_set(name=name, **own)


def of_form(conditions: Mapping[str, Condition], form: str) -> dict[str, Condition]:
    return {name: condition for name, condition in conditions.items() if form in condition.forms}


def act(sim: harness.Simulator, conditions: Mapping[str, Condition], what: str) -> None:
    """Break or repair each; then count from when all that was started is over."""
    for name, condition in conditions.items():
        getattr(condition, what)(sim, name)
    deadline = time.monotonic() + 60
    while any(one["status"] == "InProgress" for name in conditions for one in scenes.truth(sim, name)["operations"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sim.reset()


def variables(conditions: Mapping[str, Condition], common: Mapping[str, Any], *, repaired: bool) -> dict[str, Any]:
    named = {name: {"rollout_resource_group": GROUP, "rollout_scale_set": name} for name in conditions}
    return {
        name: {**common, **named[name], **one.given, **(one.repaired_by if repaired else {})}
        for name, one in conditions.items()
    }


def broken(
    sim: harness.Simulator, playbook: str, conditions: Mapping[str, Condition], common: Mapping[str, Any]
) -> list[str]:
    """Break each, and run: what is wrong of refusals with one message each and no write."""
    act(sim, conditions, "breaks")
    given = variables(conditions, common, repaired=False)
    runs = side_by_side.run_playbook(sim, playbook, given, allow_warnings=WARNINGS)
    wrong = [f"written: {call}" for call in sim.metrics()["non_get"]]
    for name, condition in conditions.items():
        said = runs[name].failures
        if runs[name].rc != 2 or len(said) != 1 or runs[name].output.count("[ERROR]") != 1:
            wrong.append(f"{name}: exit {runs[name].rc}, messages {said}\n{runs[name].output}")
        elif any(said[0].count(words) != 1 for words in (condition.said, condition.remedy)) or "2) " in said[0]:
            wrong.append(f"{name}: {said[0]}")
    return wrong


def repaired(
    sim: harness.Simulator, playbook: str, conditions: Mapping[str, Condition], common: Mapping[str, Any]
) -> list[str]:
    """Repair each, run, and run again: what is wrong of runs that work, and then have nothing to do."""
    act(sim, conditions, "repair")
    given = variables(conditions, common, repaired=True)
    runs = side_by_side.run_playbook(sim, playbook, given, allow_warnings=WARNINGS)
    wrong = []
    for name, condition in conditions.items():
        own = condition.repaired(name)
        instances, down = scenes.truth(sim, own)["instances"], scenes.judged(sim, own)["unavailable"]["max"]
        unavailable = [key for key, one in instances.items() if not one["available"]]
        if runs[name].rc or unavailable or len(instances) != CAPACITY or down > condition.most_down:
            wrong.append(f"{name}: exit {runs[name].rc}, unavailable {unavailable}, at most {down} down")
            wrong.append(runs[name].output)

    sim.reset()
    again = side_by_side.run_playbook(sim, playbook, given, allow_warnings=WARNINGS)
    wrong += [f"{name}: {one.output}" for name, one in again.items() if one.rc or one.stats["localhost"]["changed"]]
    return wrong + [f"written again: {call}" for call in sim.metrics()["non_get"]]
