# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers and other clients on one scale set, in any order, without processes; the chaos suite's judge judges.

A subclass gives `play`, which is one controller's whole rollout: it works with the session and the clock of the
Controller that it is handed, and rolls `target` through the scale set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import judge
from draw import APPLIANCE, GROUP, NAME, NEW, OLD, RECORD, SERIES, THIRD, Case, model_write
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ..simulated import Controller, Endless, Killed, Simulated

LIMIT = "25%"
# In the longest of runs: what takes more has no end.
MOST_CALLS = 4000


def scale_set(form: str, knobs: dict[str, Any]) -> dict[str, Any]:
    forms: dict[str, dict[str, Any]] = {
        "zonal": {"zones": ["1", "2", "3"]},
        "flexible": {"orchestration": "Flexible", "fault_domains": 3},
    }
    return {
        "name": NAME,
        "resource_group": GROUP,
        "capacity": 8,
        "image": {**SERIES, "version": OLD},
        "tags": {"owner": "shop team"},
        "knobs": {"upgrade": {"uniform": [40, 80]}, "health_lag": 15, "write": 10, **knobs},
        **forms.get(form, {}),
    }


def images() -> dict[str, Any]:
    return {"platform": [{**SERIES, "versions": [OLD, THIRD, NEW]}]}


def world_of(azure: Simulated) -> judge.World:
    return judge.World(azure.state(NAME), azure.metrics(), azure.timeline())


def case_of(scenario: dict[str, Any]) -> Case:
    """What a rollout of these tests is asked for."""
    events = {"events": [], "faults": []}
    return Case(0, {**scenario, **events}, {"rollout_image": {**SERIES, "version": NEW}}, LIMIT, "domain")


def wrong(case: Case, before: judge.World, after: judge.World) -> Iterator[str]:
    """What can be judged without a run's own words."""
    yield from judge.availability(case, after)
    yield from judge.domains(case, after, None)
    yield from judge.writes(case, after)
    yield from judge.hands_off(case, before, after)
    yield from judge.other_clients(after)
    yield from judge.explicit(after)
    yield from judge.once(after)


KNOBS = st.fixed_dictionaries(
    {
        "tags_write_is_a_model": st.booleans(),
        "automatic_acts_on": st.sampled_from(["model", "any"]),
        "etag_bumps": st.sampled_from(["write", "any"]),
        "patch_tags": st.sampled_from(["merge", "replace"]),
        "conflict_window": st.sampled_from([0, 20]),
        "orchestration_beside": st.booleans(),
        "upgrade_keeps_disk": st.just(False),
    }
)
WRITES = [
    model_write(upgradePolicy={"mode": "Automatic"}),
    model_write(upgradePolicy={"mode": "Rolling"}),
    model_write(virtualMachineProfile={"storageProfile": {"imageReference": {**SERIES, "version": THIRD}}}),
    {"do": "write", "patch": {"tags": {RECORD: "dead" * 8, "steady-vmss-target": ":".join([*SERIES.values(), THIRD])}}},
    {"do": "write", "patch": {"tags": {"owner": "another team", "new": "tag"}}},
    {"do": "policy", "extension": {"name": "Agent", "properties": {}}, "tags": {"policy": "applied"}},
    {"do": "scale", "capacity": 9, "creating": 600, "ends_after": 15},
    {"do": "scale", "capacity": 7},
    {"do": "service", "action": "Suspend"},
    {"do": "service", "action": "Resume"},
    {"do": "protect", "pick": 3},
    {"do": "work", "pick": 5, "seconds": 300, "ends": "Failed"},
    {"do": "canceled", "pick": 2},
    {"do": "preempt"},
    {"do": "rolling_upgrade", "seconds": 60},
]


class OtherClients(RuleBasedStateMachine):
    """Each rule is one step of somebody: a controller's next request, another client's write, a kill, time."""

    play: Callable[[Controller], Any]
    forms: tuple[str, ...] = ("uniform", "zonal", "flexible")

    @initialize(data=st.data(), knobs=KNOBS)
    def begins(self, data: st.DataObject, knobs: dict[str, Any]) -> None:
        self.form = data.draw(st.sampled_from(self.forms))
        scenario = {"images": images(), "scale_sets": [scale_set(self.form, knobs)]}
        self.case = case_of(scenario)
        self.azure = Simulated(scenario, most_calls=MOST_CALLS)
        self.before = world_of(self.azure)
        self.controllers: list[Controller] = []
        self.started = 0
        self.comes()

    @precondition(lambda self: sum(not one.ended for one in self.controllers) < 2 and self.started < 4)
    @rule()
    def comes(self) -> None:
        """A controller is started, the first one or another."""
        self.started += 1
        self.controllers.append(Controller(self.azure, type(self).play, f"controller {self.started}"))

    @rule(which=st.integers(0, 3), requests=st.integers(1, 6))
    def goes_on(self, which: int, requests: int) -> None:
        living = [one for one in self.controllers if not one.ended]
        for _number in range(requests if living else 0):
            living[which % len(living)].step()

    @rule(which=st.integers(0, 3), requests=st.sampled_from([20, 60]))
    def goes_far(self, which: int, requests: int) -> None:
        self.goes_on(which, requests)

    @rule(event=st.sampled_from(WRITES))
    def another_client(self, event: dict[str, Any]) -> None:
        self.azure.do(**event)

    @precondition(lambda self: self.form == "flexible")
    @rule(image=st.sampled_from([APPLIANCE, None]))
    def attaches(self, image: dict[str, str] | None) -> None:
        self.azure.do(do="attach", image=image)

    @rule(which=st.integers(0, 3))
    def is_killed(self, which: int) -> None:
        living = [one for one in self.controllers if not one.ended]
        if living:
            living[which % len(living)].kill()

    @rule(seconds=st.sampled_from([1, 20, 120]))
    def time_passes(self, seconds: int) -> None:
        self.azure.sleep(seconds)

    def teardown(self) -> None:
        """Nobody else comes any more: each controller must end by itself, and no rule may have been broken."""
        if not hasattr(self, "azure"):
            return
        self.azure.do(do="quiet")
        for controller in self.controllers:
            try:
                controller.finish()
            except Killed:
                pass
            except Endless as endless:
                controller.kill()
                raise AssertionError(f"{controller.name} does not end: {endless}") from endless
        wrong = list(self.wrong())
        assert not wrong, "\n".join(wrong)

    def wrong(self) -> Iterator[str]:
        return wrong(self.case, self.before, world_of(self.azure))
