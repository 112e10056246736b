# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An outsider's random plays of policy, health source, extensions and Azure's own upgrades, watched by its own judge.

Between any two requests another client may do something, an answer may fail, be late or get lost, and a call may be
killed. `ORCHESTRATOR_SEED=17` replays one, `ORCHESTRATOR_SEEDS=1000` plays more.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from random import Random
from typing import Any

import pytest
from simulator import orchestrator
from simulator.errors import ArmError
from simulator.events import EventError

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

from ..asking import request
from ..orchestrator_facts import EXTENSION, HEALTH, POLICY, UPGRADE, Broken, Call
from ..orchestrator_judge import Judge, Watched
from ..simulated import Controller, Endless, Request, Simulated

SEEDS = (
    [int(os.environ["ORCHESTRATOR_SEED"])]
    if "ORCHESTRATOR_SEED" in os.environ
    else range(int(os.environ.get("ORCHESTRATOR_SEEDS", "10")))
)
SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW, NEWER = "24.4.20261001", "24.4.20261118", "24.4.20261201"
QUICK = {"upgrade": 40, "write": 10, "model_only": 5, "automatic_delay": 300, "automatic_first_delay": 600}
SET = {"resource_group": "shop", "name": "web"}
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shop"
PROBE = f"{GROUP}/providers/Microsoft.Network/loadBalancers/web-lb/probes/"
SCRIPT = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
OURS = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthLinux", "typeHandlerVersion": "1.0"}
BOOT = {"name": "boot", "properties": {**SCRIPT, "settings": {"a": 1, "b": 2}}}
USES: dict[str, tuple[Callable[..., Any], Any]] = {
    POLICY: (upgrade_policy.set_policy, UpgradePolicyRequest),
    HEALTH: (health_monitor.set_source, HealthMonitorRequest),
    EXTENSION: (extension.set_extension, ExtensionRequest),
}
# What Azure may do either way (API.md section 6), one or two at a time.
KNOBS: list[tuple[str, Any]] = [
    ("patch_members", "replace"),
    ("patch_lists", "merge"),
    ("extension_patch_settings", "merge"),
    ("protected_settings", "drop"),
    ("etag_bumps", "any"),
    ("conflict_window", 20.0),
    ("set_updating_late", 8.0),
    ("rolling_start_moves", True),
    ("rolling_shows_updating", False),
    ("rolling_none", "404 ResourceNotFound"),
    ("rolling_prepare", 40),
    ("rolling_back_shown", False),
    ("history_end", "endTime"),
    ("exact_version_late", 60.0),
    ("health_linger", 30.0),
    ("failed_instance_fails_write", True),
    ("automatic_acts_on", "any"),
    ("retry_after_poll", 30),
    ("operation_lifetime", 5.0),
    ("operation_early", 10.0),
    ("list_order", "shuffled"),
    ("id_case", "upper_group"),
    ("future_members", True),
    ("tags_write_is_a_model", False),
]


def scenario(random: Random) -> dict[str, Any]:
    health = random.choice(["binary", "rich", "probe", "none", "binary"])
    pinned = random.random() < 0.2
    mode = random.choice(["Manual", "Manual", "Manual", "Rolling", "Automatic"])
    policy: dict[str, Any] = {"mode": mode if health != "none" or mode != "Rolling" else "Manual"}
    if health != "none" and not pinned and random.random() < 0.4:
        policy["automaticOSUpgradePolicy"] = {"enableAutomaticOSUpgrade": random.random() < 0.7}
    if random.random() < 0.4:
        policy["rollingUpgradePolicy"] = {"maxBatchInstancePercent": random.choice([10, 50, 100])}
    knobs = {**QUICK, "health_sources": random.choice(["one", "two"]), "mode_change_acts": random.random() < 0.5}
    knobs |= dict(random.sample(KNOBS, random.choice([0, 1, 1, 2])))
    web = {
        **SET,
        "capacity": random.randint(1, 7),
        "image": {**SERIES, "version": OLD if pinned else "latest"},
        "health": health,
        "automatic_repairs": health != "none" and random.random() < 0.3,
        "orchestration": "Uniform" if health == "probe" else random.choice(["Uniform", "Uniform", "Flexible"]),
        "extensions": [BOOT] if random.random() < 0.6 else [],
        "properties": {"upgradePolicy": policy},
        "knobs": knobs,
    }
    if random.random() < 0.75:
        web["running"] = OLD
    if web["orchestration"] == "Uniform" and random.random() < 0.3:
        web["zones"] = ["1", "2"]
    faults = []
    if random.random() < 0.3:
        faults.append({"kind": random.choice(["fail", "unhealthy"]), "image_version": NEW, "chance": 0.5})
    versions = [OLD, NEW] if random.random() < 0.85 else [OLD]
    return {
        "seed": random.randint(1, 10**6),
        "images": {"platform": [{**SERIES, "versions": versions}]},
        "scale_sets": [web],
        "instance_faults": faults,
    }


# What the product is known to break and reported for; a line goes once that is repaired.
KNOWN: list[tuple[str, str]] = []


def tolerated(broken: Broken) -> bool:
    return any(broken.rule == rule and re.search(words, broken.words, re.DOTALL) for rule, words in KNOWN)


# What others do.


def written(random: Random, judge: Judge) -> dict[str, Any]:
    """A PATCH of another client, who has read the set."""
    listed = judge.owner.profile.get("extensionProfile", {}).get("extensions", [])
    names = [one["name"] for one in listed]
    new: dict[str, Any] = {"name": "boot", "properties": {**SCRIPT, "settings": {"a": random.randint(0, 9), "b": 3}}}
    health = {"name": OURS["type"], "properties": {**OURS, "settings": {"protocol": "tcp", "port": 22}}}
    lists = [
        [*(one for one in listed if one["name"] != "boot"), new],
        [one for one in listed if one["name"] != "boot"],
        [one for one in listed if one["name"] != OURS["type"]],
        listed if OURS["type"] in names else [*listed, health],
    ]
    profile = random.choice(
        [
            {"storageProfile": {"imageReference": {"version": random.choice([OLD, NEW, "latest"])}}},
            {"networkProfile": {"healthProbe": random.choice([None, {"id": PROBE + "health"}])}},
            {"extensionProfile": {"extensions": random.choice(lists)}},
            {"extensionProfile": {"extensions": random.choice(lists)}},
        ]
    )
    policies: list[dict[str, Any]] = [
        {"mode": random.choice(["Manual", "Rolling", "Automatic"])},
        {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": random.random() < 0.6}},
        {"rollingUpgradePolicy": {"maxBatchInstancePercent": random.choice([10, 20, 100])}},
    ]
    return random.choice(
        [
            {"properties": {"virtualMachineProfile": profile}},
            {"properties": {"upgradePolicy": random.choice(policies)}},
            {"properties": {"automaticRepairsPolicy": {"enabled": random.random() < 0.6}}},
            {"tags": {"team": random.choice(["a", "b"])}},
        ]
    )


def others(judge: Judge, random: Random) -> None:
    """Another client, or Azure itself, does something; where Azure refuses it, it has lost."""
    azure, owner = judge.azure, judge.owner
    pick = {"pick": random.randint(0, 9)}

    def again() -> None:
        """One ends, and the next one comes right away."""
        orchestrator.cancel(azure.world, owner)
        azure.sleep(1)
        orchestrator.start_os(azure.world, owner)

    deeds: list[Callable[[], object]] = [
        *[lambda: azure.do(do="write", patch=written(random, judge))] * 5,
        lambda: azure.do(do="scale", capacity=random.randint(0, 8)),
        lambda: azure.do(do="publish", **SERIES, version=NEWER),
        lambda: orchestrator.start_os(azure.world, owner),
        lambda: orchestrator.start_os(azure.world, owner, started_by="Platform"),
        lambda: orchestrator.start_extensions(azure.world, owner),
        lambda: orchestrator.cancel(azure.world, owner),
        again,
        lambda: azure.do(do="preempt"),
        lambda: azure.do(do="unhealthy", **pick),
        lambda: azure.do(do="healthy", **pick),
        lambda: azure.do(do="fail", **pick),
        lambda: azure.do(do="protect", **pick),
        lambda: azure.do(do="remove", **pick),
        lambda: azure.do(do="running_version", version=random.choice([OLD, NEW]), **pick),
        lambda: azure.do(do="work", seconds=90, **pick),
        lambda: azure.do(do="power", power=random.choice(["stopped", "deallocated", "running"]), **pick),
        lambda: azure.do(do="rolling_upgrade", seconds=random.choice([60, 600])),
        lambda: azure.do(do="upgrade", **pick),
    ]
    with contextlib.suppress(ArmError, EventError):
        deed = random.choice(deeds)
        judge.note("another client acts")
        deed()


FAULTS: list[dict[str, Any]] = [
    *({"action": action} for action in ("lost_answer", "lost_before", "reset", "truncated", "html")),
    {"action": "delay", "seconds": 90.0},
    {"action": "error", "status": 503, "code": "ServiceUnavailable"},
    {"action": "error", "status": 409, "code": "Conflict"},
    {"action": "error", "status": 412, "code": "PreconditionFailed"},
    {"action": "error", "status": 404, "code": "ResourceNotFound"},
    {"action": "throttle", "retry_after": 20},
    {"action": "forbidden"},
]
STRUCK = (
    "VirtualMachineScaleSets_Get", "VirtualMachineScaleSets_Update", "VirtualMachineScaleSetExtensions_*",
    "*RollingUpgrades_Start*", "*RollingUpgrades_Cancel", "*RollingUpgrades_GetLatest", "*GetOSUpgradeHistory",
    "Operations_Get", "VirtualMachineScaleSetVMs_List",
)  # fmt: skip


# What is called.


def drawn_policy(random: Random) -> dict[str, Any]:
    rolling: dict[str, Any] = {"max_batch_instance_percent": random.choice([10, 20, 50])}
    if random.random() < 0.4:
        rolling |= {"max_unhealthy_instance_percent": random.choice([50, 60]), "pause_time_between_batches": "PT30S"}
    automatic: dict[str, Any] = {"enable_automatic_os_upgrade": random.random() < 0.7}
    if random.random() < 0.3:
        automatic["disable_automatic_rollback"] = random.random() < 0.5
    parts: list[dict[str, Any]] = [
        {"mode": random.choice(["Manual", "Automatic", "Rolling"])},
        {"rolling_upgrade_policy": rolling},
        {"automatic_os_upgrade_policy": automatic},
    ]
    drawn: dict[str, Any] = {}
    for part in random.sample(parts, random.choice([1, 1, 2])):
        drawn |= part
    return drawn


def drawn_health(random: Random) -> dict[str, Any]:
    replace = {"state": "present", "replace": random.random() < 0.6}
    application = {"source": "application_health_extension"}
    return random.choice(
        [
            {**replace, "source": "load_balancer_probe", "probe_id": PROBE + random.choice(["health", "other"])},
            {**replace, **application, "protocol": "tcp", "port": random.randint(1, 99)},
            {**replace, **application, "protocol": "http", "port": 80, "request_path": random.choice(["/a", "/b"])},
            {**replace, **application, "interval_in_seconds": random.choice([5, 10])},
            {"state": "absent"},
            {"state": "absent", "source": random.choice(["application_health_extension", "load_balancer_probe"])},
        ]
    )


def drawn_extension(random: Random) -> dict[str, Any]:
    new = {"publisher": SCRIPT["publisher"], "type": SCRIPT["type"], "type_handler_version": "2.1"}
    secret = {"protected_settings": {"key": f"a-secret-{random.randint(0, 9)}"}}
    return random.choice(
        [
            {"extension": "boot", **new, "settings": {"a": random.randint(0, 9)}},
            {"extension": "boot", "settings": {"a": random.randint(0, 9)}},
            {"extension": "boot", **new, **secret},
            {"extension": "boot", **new, **secret, "force_update_tag": random.choice(["x", "y"])},
            {"extension": "other", **new, "provision_after_extensions": ["boot"]},
            {"extension": random.choice(["boot", "Boot", "other", OURS["type"]]), "state": "absent"},
        ]
    )


def drawn_upgrade(random: Random, known: list[tuple[str, str]]) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "state": random.choice(["started", "completed", "completed", "cancelled"]),
        "type": random.choice(["os", "os", "extensions"]),
        "timeout": 3600,
        "health_timeout": 120,
        "poll_interval": random.choice([10, 30]),
    }
    if random.random() < 0.7:
        drawn["wait_for_start"] = random.choice([0, 60, 900])
    mine = [started for kind, started in known if kind == drawn["type"]]
    if mine and random.random() < 0.3:
        drawn[random.choice(["upgrade_started", "upgrade_known"])] = mine[-1]
    elif random.random() < 0.1:
        drawn["upgrade_known"] = "none"
    return drawn


def drawn_call(random: Random, known: list[tuple[str, str]]) -> tuple[str, dict[str, Any]]:
    module = random.choice([POLICY, POLICY, HEALTH, HEALTH, EXTENSION, EXTENSION, UPGRADE, UPGRADE, UPGRADE])
    if module == UPGRADE:
        return module, drawn_upgrade(random, known)
    draw = {POLICY: drawn_policy, HEALTH: drawn_health, EXTENSION: drawn_extension}[module]
    patience = {"timeout": random.choice([300, 1800]), "azure_may_upgrade": random.random() < 0.15}
    return module, {**draw(random), **patience}


DEFAULTS = {
    HEALTH: {"state": "present", "replace": False},
    EXTENSION: {"state": "present"},
    POLICY: {},
    UPGRADE: {},
}


def plain(value: Any) -> dict[str, Any]:
    """What a use case returns, as a result has it."""
    if isinstance(value, dict):
        return value
    found = asdict(value) if is_dataclass(value) and not isinstance(value, type) else dict(vars(value))
    return {**found, "changed": value.changed}


def works(azure: Simulated, module: str, options: dict[str, Any], *, check: bool) -> Callable[[Controller], Any]:
    def work(controller: Controller) -> tuple[dict[str, Any], str]:
        client = connect(
            request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, controller.clock, controller.session()
        )
        given = {**SET, **DEFAULTS[module], **options}
        if module == UPGRADE:
            asked = request(RollingUpgradeRequest, given)
            result, failure = rolling_upgrade.run(client, controller.clock, asked, check_mode=check)
            return result, failure.message if failure else ""
        use, kind = USES[module]
        return plain(use(client, controller.clock, request(kind, given), check_mode=check)), ""

    return work


def one_call(judge: Judge, random: Random, known: list[tuple[str, str]], number: int) -> None:
    module, options = drawn_call(random, known)
    check = random.random() < 0.08
    call = Call(f"call {number}", module, options, check)
    if random.random() < 0.35:
        fault = {**random.choice(FAULTS), "operation": random.choice(STRUCK), "after_calls": random.randint(0, 3)}
        judge.azure.fault(**fault, times=random.choice([1, 1, 2]))
        judge.note(f"fault: {fault}")
    kill = random.randint(1, 40) if random.random() < 0.1 else 0
    judge.began(call)
    controller = Watched(judge, call, works(judge.azure, module, options, check=check))
    steps = 0
    while controller.step():
        steps += 1
        if steps == kill:
            judge.note("killed")
            controller.kill()
            return
    concluded(judge, call, controller, known)
    judge.azure.arm.faults.clear()


def concluded(judge: Judge, call: Call, controller: Controller, known: list[tuple[str, str]]) -> None:
    try:
        result, said = controller.outcome()
    except (Refused, AzureError) as error:
        fields = getattr(error, "fields", {})
        judge.ended(call, result=dict(fields), failed=True, message=str(error))
        return
    except Endless as error:
        judge.says("i ends", str(error), call)
        return
    except Exception as error:
        judge.ended(call, crash=error)
        return
    if result.get("upgrade_started"):
        known.append((call.option("type"), result["upgrade_started"]))
    judge.ended(call, result=result, failed=bool(said), message=said)


def play(seed: int, tolerates: Callable[[Broken], bool] = tolerated) -> Judge:
    random = Random(seed)
    azure = Simulated(scenario(random), most_calls=20000)
    busy, rate = False, 0.0
    known: list[tuple[str, str]] = []

    def between(_request: Request) -> None:
        nonlocal busy
        if not busy and random.random() < rate:
            busy = True
            others(judge, random)
            busy = False

    azure.before.append(between)  # ahead of the judge, who looks at what a request meets
    judge = Judge(azure, tolerates)
    for number in range(random.randint(2, 6)):
        rate = random.choice([0.02, 0.05, 0.15])
        one_call(judge, random, known, number)
        if random.random() < 0.3:
            azure.sleep(random.choice([5, 300, 4000]))
    return judge


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_is_broken(seed: int) -> None:
    play(seed).check()
