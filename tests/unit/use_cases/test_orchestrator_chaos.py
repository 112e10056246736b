# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random plays of policy, health source, extensions and Azure's own upgrades, beside other clients, in virtual time.

One seed, one set and one play; `ORCHESTRATOR_SEED=17` replays one, `ORCHESTRATOR_SEEDS=1000` plays more. The judge
looks at the simulator's truth only, and at each request against what was last read before it. An outsider's judge
(tests/unit/orchestrator_judge.py) watches beside it.
"""

from __future__ import annotations

import contextlib
import copy
import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from simulator import model, orchestrator
from simulator.errors import ArmError

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ConnectionOptions,
    ExtensionRequest,
    HealthMonitorRequest,
    RollingUpgradeRequest,
    UpgradePolicyRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import (
    extension,
    health_monitor,
    rolling_upgrade,
    upgrade_policy,
)

from .. import orchestrator_judge as outsider
from ..asking import request
from ..orchestrator_facts import EXTENSION, HEALTH, POLICY, UPGRADE, Call
from ..simulated import Reply, Request, Simulated
from .test_orchestrator_outsider import plain, tolerated

SEEDS = (
    [int(os.environ["ORCHESTRATOR_SEED"])]
    if "ORCHESTRATOR_SEED" in os.environ
    else range(int(os.environ.get("ORCHESTRATOR_SEEDS", "25")))
)
OLD, NEW = "24.04.202610010", "24.04.202611180"
SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
QUICK = {"upgrade": 40, "write": 10, "model_only": 5, "automatic_delay": 300, "automatic_first_delay": 300}
SET = {"resource_group": "shop", "name": "web", "timeout": 1800}
PROBE = "/subscriptions/{}/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/web-lb/probes/health"
BOOT = {"publisher": "p", "type": "CustomScript", "type_handler_version": "2.1"}
ROLLING = {"state": "completed", "type": "os", "timeout": 3600, "health_timeout": 120, "poll_interval": 10}
MODULES = {
    "policy": POLICY,
    "health": HEALTH,
    "extension": EXTENSION,
    "rolling": UPGRADE,
}
CANCEL = "VirtualMachineScaleSetRollingUpgrades_Cancel"
LONGEST = 4 * 3600.0  # seconds of one call


def scenario(random: Random) -> dict[str, Any]:
    automatic = {"enableAutomaticOSUpgrade": random.random() < 0.3}
    health = random.choice(["binary", "rich", "probe", "binary", "none"])
    mode = random.choice(["Manual", "Manual", "Manual", "Rolling", "Automatic"])
    needs = health != "none"
    policy = {"mode": mode if needs or mode != "Rolling" else "Manual"}
    pinned = random.random() < 0.2
    if needs and not pinned:
        policy["automaticOSUpgradePolicy"] = automatic
    members: dict[str, Any] = {
        "name": "web",
        "resource_group": "shop",
        "capacity": random.randint(1, 8),
        "image": {**SERIES, "version": OLD if pinned else "latest"},
        "running": OLD,
        "health": health,
        "automatic_repairs": needs and random.random() < 0.3,
        "orchestration": "Uniform" if health == "probe" else random.choice(["Uniform", "Uniform", "Flexible"]),
        "properties": {"upgradePolicy": policy},
        "knobs": {
            **QUICK,
            "health_sources": random.choice(["one", "two"]),
            "mode_change_acts": random.random() < 0.5,
            "same_reference_reimages": random.random() < 0.5,
        },
    }
    faults = [{"kind": "unhealthy", "image_version": NEW}] if random.random() < 0.3 else []
    versions = [OLD, NEW] if random.random() < 0.8 else [OLD]
    return {
        "images": {"platform": [{**SERIES, "versions": versions}]},
        "scale_sets": [members],
        "instance_faults": faults,
    }


def needs_source(document: dict[str, Any]) -> bool:
    properties = document.get("properties", {})
    policy = properties.get("upgradePolicy") or {}
    automatic = (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade")
    repairs = (properties.get("automaticRepairsPolicy") or {}).get("enabled")
    return bool(automatic or repairs or policy.get("mode") == "Rolling")


def mode_of(document: dict[str, Any]) -> str:
    return str((document["properties"].get("upgradePolicy") or {}).get("mode") or "Manual")


@dataclass
class Judge:
    """What our requests did, each against what was read last. `wrong`: the rules that were broken."""

    azure: Simulated
    published: str  # the newest version
    may: bool = False
    read: dict[str, Any] = field(default_factory=dict)  # the set as we last read it
    shown: Any = None  # the latest upgrade as we last read it
    accepted: list[str] = field(default_factory=list)  # our writes in this call
    cancelled: list[Any] = field(default_factory=list)  # the upgrades that this call has cancelled
    wrong: list[str] = field(default_factory=list)
    _before: dict[str, Any] = field(default_factory=dict)
    _upgrade: Any = None

    @property
    def owner(self) -> Any:
        return self.azure.scale_set()

    def ahead(self, _request: Request) -> None:
        self._before, self._upgrade = copy.deepcopy(self.owner.document), self.owner.upgrade

    def look(self, request: Request, reply: Reply) -> None:
        if request.operation == "VirtualMachineScaleSets_Get" and reply.status == 200:
            self.read = copy.deepcopy(self.owner.document)
        elif request.operation.endswith("RollingUpgrades_GetLatest"):
            running = self.owner.upgrade is not None and self.owner.upgrade.running
            self.shown = self.owner.upgrade if running else None
        elif request.method != "GET" and reply.status < 300 and "oauth2" not in request.path:
            self.accepted.append(request.operation)
            self._write(request)

    def _write(self, request: Request) -> None:
        now = self.owner.document
        lost = model.health_source(self._before) and not model.health_source(now)
        if lost and needs_source(self._before) and needs_source(self.read):
            self.wrong.append(f"{request.operation} took the health source that is needed")
        if request.operation.endswith("RollingUpgrades_Cancel"):
            if self._upgrade is not self.shown:
                self.wrong.append("a cancellation of an upgrade that was not looked at")
            if any(one is not self._upgrade for one in self.cancelled):
                self.wrong.append("one call has cancelled two upgrades")
            self.cancelled.append(self._upgrade)
        profile = self._before["properties"]["virtualMachineProfile"] != now["properties"]["virtualMachineProfile"]
        acts = mode_of(now) != "Manual" and mode_of(self.read) != "Manual"
        if profile and acts and not self.may:
            self.wrong.append(f"{request.operation} in mode {mode_of(now)}, and nobody has asked for that")
        if not profile and mode_of(now) not in ("Manual", mode_of(self._before)) and not self.may:
            behind = [i.instance_id for i in self.owner.instances.values() if i.image.exact != self.newest()]
            if behind:
                self.wrong.append(f"mode {mode_of(now)} while {behind} are behind")

    def newest(self) -> str:
        """What the model means now."""
        storage = self.owner.document["properties"]["virtualMachineProfile"]["storageProfile"]
        named = str(storage["imageReference"]["version"])
        return self.published if named == "latest" else named

    # -- what is claimed ---------------------------------------------------------------------------

    def claims(self, call: str, changed: bool | None, error: str) -> None:
        if "Nothing was written" in error and self.accepted:
            self.wrong.append(f"{call}: {error}, but {self.accepted} was")
        if changed is False and self.accepted:
            self.wrong.append(f"{call} is unchanged, and wrote {self.accepted}")

    def upgrade_claims(self, result: dict[str, Any], options: dict[str, Any]) -> None:
        truth = {i.instance_id: i.image.exact for i in self.owner.instances.values()}
        shown = result["rollout_result"]
        target = (shown["target_image"] or {}).get("version")
        if options["type"] == "os" and target not in (None, "latest"):
            for one in result["done"]:
                if truth.get(one, target) < target:
                    self.wrong.append(f"instance {one} is called done and runs {truth[one]}, not {target}")
        for one, report in shown["instances"].items():
            ran = (report["image_before"] or {}).get("version")
            if report["outcome"] == "rolled_back" and truth.get(one, ran) != ran:
                self.wrong.append(f"instance {one} is called rolled back and runs {truth[one]}, not {ran}")
        started = result["upgrade_started"]
        if started and result.get("reason"):
            mine = [
                one
                for one in self.owner.upgrades
                if self.azure.world.timestamp(one.started).isoformat()[:19] in started
            ]
            if mine and not any(one.error for one in mine):
                self.wrong.append(
                    f"the upgrade of {started} has no error, and {result['reason']['code']} is told as its"
                )


def others(judge: Judge, random: Random) -> None:
    """Another client does something; where Azure refuses it, it has lost."""
    azure = judge.azure
    profile: dict[str, Any] = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": OLD}}}}
    patches: list[dict[str, Any]] = [
        {"upgradePolicy": {"mode": random.choice(["Manual", "Rolling", "Automatic"])}},
        {"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": random.random() < 0.6}}},
        {"automaticRepairsPolicy": {"enabled": random.random() < 0.6}},
        profile,
    ]
    deeds = [
        lambda: azure.do(do="write", patch={"properties": random.choice(patches)}),
        lambda: azure.do(do="scale", capacity=random.randint(0, 8)),
        lambda: orchestrator.start_os(azure.world, judge.owner),
        lambda: orchestrator.start_extensions(azure.world, judge.owner),
        lambda: orchestrator.cancel(azure.world, judge.owner),
    ]
    with contextlib.suppress(ArmError):
        random.choice(deeds)()


def drawn_call(random: Random, subscription: str) -> tuple[str, dict[str, Any]]:
    may = {"azure_may_upgrade": random.random() < 0.15}
    automatic = {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": random.random() < 0.7}}
    percent = {"rolling_upgrade_policy": {"max_batch_instance_percent": random.choice([10, 20, 50])}}
    mode = {"mode": random.choice(["Manual", "Automatic", "Rolling"])}
    monitor = {"state": "present", "replace": random.random() < 0.7}
    extensions = {"state": "present", "extension": "boot", **BOOT, "settings": {"a": random.randint(0, 9)}}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("policy", {**random.choice([automatic, percent, mode]), **may}),
        ("policy", {**mode, **may}),
        ("health", {**monitor, **may, "source": "load_balancer_probe", "probe_id": PROBE.format(subscription)}),
        (
            "health",
            {
                **monitor,
                **may,
                "source": "application_health_extension",
                "protocol": "tcp",
                "port": random.randint(1, 99),
            },
        ),
        ("health", {"state": "absent", "replace": False, **may}),
        ("extension", {**extensions, **may}),
        ("extension", {"extension": random.choice(["boot", "ApplicationHealthLinux"]), "state": "absent", **may}),
        *(
            ("rolling", {**ROLLING, "type": kind, "state": state, "wait_for_start": random.choice([None, 0, 60])})
            for kind in ("os", "extensions")
            for state in ("started", "completed", "cancelled")
        ),
    ]
    return random.choice(calls)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_play_breaks_a_rule(seed: int) -> None:
    random = Random(seed)
    scene = scenario(random)
    azure = Simulated(scene, most_calls=20000)
    judge = Judge(azure, scene["images"]["platform"][0]["versions"][-1])
    busy, rate = False, 0.04

    def between(_request: Request) -> None:
        nonlocal busy
        if not busy and random.random() < rate:
            busy = True
            others(judge, random)
            busy = False

    azure.before += [between, judge.ahead]
    azure.after.append(judge.look)
    beside = outsider.Judge(azure, tolerated)
    for number in range(random.randint(2, 6)):
        name, options = drawn_call(random, azure.options["subscription_id"])
        judge.may, judge.accepted, judge.cancelled = bool(options.get("azure_may_upgrade")), [], []
        rate = 0.04
        if options.get("state") == "cancelled":  # of an upgrade that soon ends, and another one follows
            rate = 0.2
            azure.fault(operation=CANCEL, action="lost_answer", times=1)
        check_mode = random.random() < 0.1
        given, began = {**SET, **options}, azure.now()
        call = Call(f"call {number}", MODULES[name], given, check_mode)
        clock = outsider.Watch(beside, call)
        client = connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, clock, azure.session())
        changed: bool | None = None
        said, failed, result = "", False, {}
        beside.began(call)
        beside.acting = call
        try:
            if name == "rolling":
                result, failure = rolling_upgrade.run(
                    client, clock, request(RollingUpgradeRequest, given), check_mode=check_mode
                )
                said = failure.message if failure else ""
                changed = result["changed"]
                judge.upgrade_claims(result, given)
                if changed is False and not check_mode and judge.accepted:
                    judge.wrong.append(f"{options}: unchanged, but {judge.accepted}")
            else:
                use: Any
                use, kind = {
                    "policy": (upgrade_policy.set_policy, UpgradePolicyRequest),
                    "health": (health_monitor.set_source, HealthMonitorRequest),
                    "extension": (extension.set_extension, ExtensionRequest),
                }[name]
                result = plain(use(client, clock, request(kind, given), check_mode=check_mode))
                changed = result["changed"]
        except (Refused, AzureError) as error:
            said, failed = str(error), True
        beside.acting = None
        beside.ended(call, result=result, failed=failed or bool(said), message=said)
        judge.claims(f"{name} {options}", changed, said)
        if check_mode and judge.accepted:
            judge.wrong.append(f"{name} wrote in check mode: {judge.accepted}")
        if azure.now() - began > LONGEST:
            judge.wrong.append(f"{name} {options} took {azure.now() - began:.0f} s")
        assert judge.wrong == [], (seed, name, options, said)
        beside.check()
