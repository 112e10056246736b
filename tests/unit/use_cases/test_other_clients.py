# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers and another client, at any moment between any two requests: no rule of a rollout is broken.

STATEFUL_EXAMPLES=500 looks longer; STATEFUL_SEED=random looks elsewhere each time.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused

from ..judge import Broken, Judge, Judged
from ..judged_run import Command, Run
from ..play import NEW, NEWER, OLD, Failed, Play, scenario
from ..simulated import Controller, Simulated

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "20"))
RANDOM = os.environ.get("STATEFUL_SEED") == "random"
STEPS = 16
MOST_STEPS = 4000

FOREIGN_ID = "0123456789abcdef0123456789abcdef"
FOREIGN = {
    "steady-vmss-rollout": FOREIGN_ID,
    "steady-vmss-target": f"Canonical:ubuntu-24_04-lts:server:{OLD}",
    "steady-vmss-started": "2026-11-27T01:00:00Z",
    "steady-vmss-state": "in_progress",
}
FOREIGN_NEWER = {**FOREIGN, "steady-vmss-target": f"Canonical:ubuntu-24_04-lts:server:{NEWER}"}
# What the judge reads otherwise than the product: (rule, words that its sentence has). The search goes on past it.
KNOWN: list[tuple[str, str]] = [
    # Decided so: an open record whose target is not what the model names counts as none.
    ("b another's record", f"the open record {FOREIGN_ID} is overwritten"),
]

AGENT = {"name": "MDE.Linux", "properties": {"publisher": "Microsoft.Azure", "type": "MDE.Linux"}}


def writes(**properties: Any) -> dict[str, Any]:
    return {"do": "write", "patch": {"properties": properties}}


def pins(version: str) -> dict[str, Any]:
    return writes(virtualMachineProfile={"storageProfile": {"imageReference": {"version": version}}})


def tags(**values: str) -> dict[str, Any]:
    return {"do": "write", "patch": {"tags": values}}


def mode(name: str) -> dict[str, Any]:
    return writes(upgradePolicy={"mode": name})


# What a client does to the set, and to an instance of it.
SET_EVENTS: list[dict[str, Any]] = [
    mode("Automatic"),
    mode("Rolling"),
    mode("Manual"),
    pins(OLD),
    pins(NEW),
    pins(NEWER),
    tags(owner="other"),
    {**pins(NEWER), "patch": {**pins(NEWER)["patch"], "tags": FOREIGN_NEWER}},
    {"do": "write", "patch": {"tags": FOREIGN}},
    {"do": "write", "patch": {"tags": {**FOREIGN, "steady-vmss-state": "finished"}}},
    {"do": "policy", "tags": {"policy": "yes"}, "extension": AGENT},
    {"do": "scale", "capacity": 3},
    {"do": "scale", "capacity": 6},
    {"do": "scale", "capacity": 5, "creating": 600, "ends_after": 5},
    {"do": "rolling_upgrade", "seconds": 20},
    {"do": "rolling_upgrade", "seconds": 2000},
    {"do": "service", "action": "Suspend"},
    {"do": "service", "action": "Resume"},
    {"do": "preempt"},
]
INSTANCE_EVENTS: list[dict[str, Any]] = [
    {"do": "protect"},
    {"do": "protect", "actions": False, "scale_in": False},
    {"do": "work", "seconds": 100},
    {"do": "work", "seconds": 300, "ends": "Failed"},
    {"do": "unhealthy"},
    {"do": "fail"},
    {"do": "remove"},
    {"do": "remove", "scale_in": True},
    {"do": "power", "power": "deallocated"},
    {"do": "power", "power": "stopped"},
    {"do": "upgrade"},
    {"do": "canceled"},
]
SETS = "VirtualMachineScaleSets_"
WIRE: list[dict[str, Any]] = [
    {"action": "lost_answer", "operation": f"{SETS}Update"},
    {"action": "lost_before", "operation": f"{SETS}Update"},
    {"action": "lost_answer", "operation": f"{SETS}UpdateInstances"},
    {"action": "html", "operation": f"{SETS}UpdateInstances"},
    {"action": "error", "operation": f"{SETS}UpdateInstances", "status": 409},
    {"action": "error", "operation": f"{SETS}UpdateInstances", "status": 500},
    {"action": "lost_answer", "operation": f"{SETS}SetOrchestrationServiceState"},
    {"action": "error", "operation": "Operations_Get", "status": 404},
    {"action": "throttle", "operation": "*_List", "retry_after": 30},
]
QUICK = {"upgrade": 20, "reimage": 20, "health_lag": 5, "write": 2, "create": 20, "orchestration": 2, "noop": 1}
COMMANDS = st.fixed_dictionaries(
    {"version": st.sampled_from([NEW, NEW, NEW, NEWER])},
    optional={
        "on_failure": st.sampled_from(["rollback_failed", "rollback_all"]),
        "fails_at": st.integers(1, 4),
        "max_unavailable": st.sampled_from(["1", "2", "50%", "100%"]),
        "more": st.sampled_from(
            [
                {"keep_model": True},
                {"update_domains": ["0"]},
                {"update_domains": ["1", "2", "3"]},
                {"instance_ids": ["1", "2"]},
                {"take_over": True},
                {"downgrade": True},
                {"upgrade_mode": "Manual"},
            ]
        ),
    },
).map(lambda given: {**{key: value for key, value in given.items() if key != "more"}, **given.get("more", {})})
EVENTS = st.sampled_from(SET_EVENTS + INSTANCE_EVENTS)
UNTIL = st.sampled_from(["send", "sent", "read", "send", "sent", "some", "request", "end"])
WORLDS = st.sampled_from(
    [
        {},
        {"repairs": True},
        {"zones": True},
        {"flexible": True},
        {"manual": True},
        {"manual": True, "any_write": True},
        {"loses": True},
        {"replaces_tags": True},
        {"refuses": True},
        {"repairs": True, "fails": "unhealthy"},
        {"fails": "fail"},
        {"fails": "unhealthy"},
        {"zones": True, "repairs": True, "any_write": True},
    ]
)


class Clients(RuleBasedStateMachine):
    """A world, up to two controllers at a time, five runs, and another client."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[Judged] = []
        self.commands: list[dict[str, Any]] = []
        self.azure: Simulated | None = None

    @initialize(
        capacity=st.integers(3, 6),
        health=st.sampled_from(["binary", "none"]),
        options=WORLDS,
        command=COMMANDS,
    )
    def begin(self, capacity: int, health: str, options: dict[str, Any], command: dict[str, Any]) -> None:
        disk = {"lun": 0, "createOption": "Empty", "diskSizeGB": 64}
        knobs = {
            **QUICK,
            "image_write_loses": "storageProfile.dataDisks" if "loses" in options else "",
            "patch_tags": "replace" if "replaces_tags" in options else "merge",
            "protected_upgrade": "refuse" if "refuses" in options else "skip",
            "automatic_acts_on": "any" if "any_write" in options else "model",
        }
        more: dict[str, Any] = {"zones": ["1", "2"], "update_domains": 3} if "zones" in options else {}
        if "flexible" in options:
            more = {"orchestration": "Flexible", "fault_domains": 3}
        elif "repairs" in options and health != "none":
            more["automatic_repairs"] = {"repairAction": "Replace"}
        self.azure = Simulated(
            scenario(
                capacity,
                health=health,
                knobs=knobs,
                tags={"team": "shop"},
                upgrade_mode="Automatic" if "manual" in options else "Manual",
                properties={"virtualMachineProfile": {"storageProfile": {"dataDisks": [disk]}}},
                **more,
            ),
            most_calls=20000,
            longest=60 * 86400,
        )
        if "fails" in options:
            self.azure.fault(kind=options["fails"], image_version=NEW, action="upgrade", times=1)
        self.judge = Judge(self.azure, tolerated)
        if "manual" in options:
            command = {**command, "upgrade_mode": "Manual"}
        self.start(command)

    # Controllers.

    def start(self, given: dict[str, Any], name: str = "") -> Judged:
        assert self.azure is not None
        options = dict(given)
        version, fails_at = options.pop("version"), options.pop("fails_at", 0)
        if self.azure.scale_set().flexible:
            options.pop("update_domains", None)
            if "instance_ids" in options:
                there = list(self.azure.scale_set().instances)
                options["instance_ids"] = [there[int(key)] for key in options["instance_ids"] if int(key) < len(there)]
        run = Run(
            name or f"run {len(self.commands) + 1}",
            Command(
                version,
                limit=options.get("max_unavailable", "20%"),
                ids=tuple(options.get("instance_ids", ())),
                update_domains=tuple(options.get("update_domains", ())),
                downgrade=options.get("downgrade", False),
                take_over=options.get("take_over", False),
                asks_manual="upgrade_mode" in options,
                keep_model=options.get("keep_model", False),
            ),
        )
        self.commands.append(given)
        checked: list[int] = []

        def check(_ids: list[str]) -> None:
            checked.append(1)
            if len(checked) == fails_at:
                raise Failed("the user's check failed")

        def work(controller: Controller) -> Play:
            assert self.azure is not None
            play = Play(controller, self.azure.options, version, check=check, **options)

            def look() -> None:
                run.planned = bool(play.plan)
                if play.model_back:
                    run.back = play.plan["previous_image"]["version"]

            assert isinstance(controller, Judged)
            controller.look = look
            try:
                return play.run()
            except (Refused, AzureError) as error:
                play.why = str(error)
                return play

        controller = Judged(self.judge, run, work)
        self.judge.note(f"{run.name} starts: {given}")
        self.live.append(controller)
        return controller

    def step(self, controller: Judged) -> bool:
        if controller.step():
            return not self.judge.broken
        self.live.remove(controller)
        self.over(controller)
        return False

    def over(self, controller: Judged) -> None:
        run, judge = controller.run, self.judge
        run.planned = True
        if controller.error is not None:
            judge.ended(run, outcome="", changed=False, error=controller.error)
            return
        play: Play = controller.result
        judge.note(f"{run.name} says: {play.why[:300]} {play.back_failed[:200]}")
        plan = play.plan
        if plan:
            previous = (plan["previous_image"] or {}).get("version")
            judge.plan(run, nothing_to_do=plan["nothing_to_do"], left=list(plan["left"]), previous=previous)
            if play.model_back:
                judge.set_back(run, previous)
            if play.outcome == "rolled_back":
                failed = {key for batch in play.batches for key in batch["failed_instance_ids"]}
                ids = run.forward if play.on_failure == "rollback_all" else failed
                judge.rolled_back(run, ids, previous)
        judge.ended(run, outcome=play.outcome, changed=play.changed)

    def finish(self, controller: Judged) -> None:
        for _count in range(MOST_STEPS):
            if not self.step(controller):
                return
        self.judge.says("i endless", f"{MOST_STEPS} steps", controller.run)

    # What happens.

    @precondition(lambda self: len(self.live) < 2 and len(self.commands) < 5)
    @rule(command=COMMANDS)
    def starts(self, command: dict[str, Any]) -> None:
        self.start(command)
        self.judge.check()

    @precondition(lambda self: len(self.live) < 2 and len(self.commands) < 5)
    @rule(passes=st.booleans())
    def starts_again(self, passes: bool) -> None:
        """The last command again; the user's check may pass now."""
        command = dict(self.commands[-1])
        if passes:
            command.pop("fails_at", None)
        self.start(command)
        self.judge.check()

    @precondition(lambda self: bool(self.live))
    @rule(who=st.integers(0, 1), until=UNTIL, count=st.integers(2, 40))
    def goes_on(self, who: int, until: str, count: int) -> None:
        self.goes(who, until, count)

    @precondition(lambda self: bool(self.live))
    @rule(who=st.integers(0, 1), until=UNTIL, count=st.integers(2, 40), event=EVENTS, pick=st.integers(0, 5))
    def goes_on_and_another_client(self, who: int, until: str, count: int, event: dict[str, Any], pick: int) -> None:
        self.goes(who, until, count)
        self.happens(event, pick)

    def goes(self, who: int, until: str, count: int) -> None:
        controller = self.live[who % len(self.live)]
        run = controller.run
        reads, calls = run.model, (run.patches, len(run.acted))
        if until == "end":
            self.finish(controller)
        else:
            for number in range({"request": 1, "some": count}.get(until, 400)):
                if not self.step(controller):
                    break
                if until == "send" and number and controller.about != "GET":
                    break
                if until == "sent" and calls != (run.patches, len(run.acted)):
                    break
                if until == "read" and run.model is not reads:
                    break
        self.judge.check()

    @rule(event=EVENTS, pick=st.integers(0, 5))
    def another_client(self, event: dict[str, Any], pick: int) -> None:
        self.happens(event, pick)

    @rule(fault=st.sampled_from(WIRE))
    def the_wire(self, fault: dict[str, Any]) -> None:
        """What the next request of its kind meets."""
        assert self.azure is not None
        self.azure.fault(**fault, times=1)
        self.judge.note(f"the wire: {fault}")

    @rule(on=st.booleans())
    def automatic_upgrades(self, on: bool) -> None:
        """Of which the simulator asks more than this world has: they are turned on behind its back."""
        assert self.azure is not None
        owner = self.azure.scale_set()
        policy = owner.document["properties"].setdefault("upgradePolicy", {})
        if bool((policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade")) != on:
            policy["automaticOSUpgradePolicy"] = {"enableAutomaticOSUpgrade": on, "disableAutomaticRollback": False}
            owner.etag += 1
            self.judge.note(f"another client: automatic OS upgrades {on}")

    def happens(self, event: dict[str, Any], pick: int = 0) -> None:
        """`pick`: which instance, where the event is one of an instance."""
        assert self.azure is not None
        if event in INSTANCE_EVENTS:
            if all(one.leaving for one in self.azure.scale_set().instances.values()):
                return
            event = {**event, "pick": pick}
        self.judge.another(event)
        self.azure.do(**event)
        self.judge.note(f"another client: {event}")

    @rule(seconds=st.sampled_from([1, 10, 60, 700]))
    def time_passes(self, seconds: int) -> None:
        assert self.azure is not None
        self.azure.sleep(seconds)

    @precondition(lambda self: bool(self.live))
    @rule(who=st.integers(0, 1))
    def is_killed(self, who: int) -> None:
        controller = self.live.pop(who % len(self.live))
        controller.kill()
        self.judge.note(f"{controller.run.name} is killed")

    # The end: everybody else is quiet, and the last command finds it quiet.

    def teardown(self) -> None:
        if self.azure is None:
            return
        try:
            if not self.judge.broken:
                self.quiet_end()
        finally:
            for controller in self.live:
                controller.kill()
        self.judge.check()

    def quiet_end(self) -> None:
        assert self.azure is not None
        for controller in list(self.live):
            self.finish(controller)
        if self.judge.broken:
            return
        azure, owner = self.azure, self.azure.scale_set()
        self.automatic_upgrades(on=False)
        azure.arm.faults.clear()
        azure.sleep(4000)
        self.happens(mode("Manual"))
        azure.sleep(100)
        for key in list(owner.instances):
            azure.do(do="healthy", instance=key)
        command = {key: value for key, value in self.commands[-1].items() if key in ("version", "upgrade_mode")}
        for name in ("the next run", "the same again"):
            last = self.start({**command, "take_over": True, "max_unavailable": "100%"}, name)
            self.finish(last)
            if self.judge.broken or last.result.outcome not in ("upgraded", "unchanged"):
                return
            self.judge.service_left()
            azure.sleep(1000)
        again = last.run
        if last.result.changed or last.result.outcome != "unchanged":
            self.judge.says("g finished", f"{last.result.outcome}, changed {last.result.changed}, run again", again)
        if again.calls > 6:
            self.judge.says("g finished", f"{again.calls} calls where nothing is to do", again)


def tolerated(found: Broken) -> bool:
    return any(found.rule == rule_ and words in found.words for rule_, words in KNOWN)


def test_no_rule_is_broken_whatever_other_clients_do() -> None:
    run_state_machine_as_test(
        Clients,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not RANDOM,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
