# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controllers of Azure's orchestrator that are played with the SDK alone: what they do, and the good ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError

from .orchestrator_judge import EXTENSION, HEALTH, INFO, POLICY, UPGRADE, Call, Judge
from .simulated import Simulated

SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW, NEWER = "24.4.20261001", "24.4.20261118", "24.4.20261201"
REPAIRS = {"repairAction": "Replace", "gracePeriod": "PT90M"}
APP_HEALTH = "ApplicationHealthLinux"
OURS = {"publisher": "Microsoft.ManagedServices", "type": APP_HEALTH, "typeHandlerVersion": "1.0"}
WEB = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
APP = {"name": "app", "properties": {**WEB, "settings": {"a": 1, "b": 2}}}
TURN_ON = {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
ON = {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
HTTP = {"source": "application_health_extension", "protocol": "http", "port": 80, "request_path": "/health"}


def scenario(version: str = "latest", *, running: str | None = OLD, **changes: Any) -> dict[str, Any]:
    knobs = {"upgrade": 60, "health_lag": 15, "write": 5, "create": 60, **changes.pop("knobs", {})}
    web = {"name": "web", "resource_group": "shop", "capacity": 5, "image": {**SERIES, "version": version}}
    web |= {"health": "binary", "knobs": knobs, **changes} | ({"running": running} if running else {})
    return {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": [web]}


def probe(name: str = "health") -> str:
    group = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shop"
    return f"{group}/providers/Microsoft.Network/loadBalancers/web-lb/probes/{name}"


def of_probe(probe_id: str | None) -> dict[str, Any]:
    value = {"id": probe_id} if probe_id else None
    return {"properties": {"virtualMachineProfile": {"networkProfile": {"healthProbe": value}}}}


class Player:
    """A controller without a rule, and the judge that watches it."""

    def __init__(self, module: str, options: dict[str, Any], *, check: bool = False, **world: Any) -> None:
        self.azure = Simulated(scenario(**world))
        self.judge = Judge(self.azure)
        self.sdk = self.azure.sdk()
        self.sets, self.vms = self.sdk.virtual_machine_scale_sets, self.sdk.virtual_machine_scale_set_vms
        self.extensions = self.sdk.virtual_machine_scale_set_extensions
        self.rolling = self.sdk.virtual_machine_scale_set_rolling_upgrades
        self.etag = ""
        self.begins(module, options, check=check)

    def begins(self, module: str, options: dict[str, Any], *, check: bool = False) -> None:
        self.call = Call("bad", module, options, check)
        self.judge.began(self.call)

    @contextmanager
    def acts(self) -> Iterator[None]:
        self.judge.acting = self.call
        try:
            yield
        finally:
            self.judge.acting = None

    def read(self) -> None:
        with self.acts():
            self.etag = self.sets.get("shop", "web").etag

    def lists(self) -> None:
        with self.acts():
            list(self.vms.list("shop", "web", expand="instanceView"))

    def look(self) -> str | None:
        with self.acts():
            try:
                self.rolling.get_latest("shop", "web")
            except HttpResponseError:
                return None
        return self.call.latest

    def reads(self) -> None:
        self.look()
        self.lists()
        self.read()

    def waits(self, seconds: float) -> None:
        self.judge.slept(self.call, seconds)
        self.azure.sleep(seconds)

    def patch(self, body: dict[str, Any], *, blind: bool = False) -> None:
        headers = {} if blind else {"If-Match": self.etag}  # the oldest supported SDK has no option for it
        with self.acts():
            self.sets.begin_update("shop", "web", body, headers=headers).result()

    def policy(self, *, blind: bool = False, **policy: Any) -> None:
        self.patch({"properties": {"upgradePolicy": policy}}, blind=blind)

    def puts(self, name: str, **properties: Any) -> None:
        with self.acts():
            self.extensions.begin_create_or_update("shop", "web", name, {"properties": properties}).result()

    def deletes(self, name: str) -> None:
        with self.acts():
            self.extensions.begin_delete("shop", "web", name).result()

    def starts(self, kind: str = "os", *, wait: bool = True) -> None:
        with self.acts():
            begin = {"os": self.rolling.begin_start_os_upgrade, "ext": self.rolling.begin_start_extension_upgrade}
            poller = begin[kind]("shop", "web", polling=wait)
            if wait:
                poller.result()

    def cancels(self) -> None:
        with self.acts():
            self.rolling.begin_cancel("shop", "web").result()

    def refused(self, what: Callable[[], None]) -> None:
        with pytest.raises(HttpResponseError):
            what()

    def other(self, **event: Any) -> None:
        self.azure.do(**event)

    def others_start(self, kind: str = "os") -> None:
        sdk = self.azure.sdk().virtual_machine_scale_set_rolling_upgrades
        begin = sdk.begin_start_os_upgrade if kind == "os" else sdk.begin_start_extension_upgrade
        begin("shop", "web", polling=False)

    def others_cancel(self) -> None:
        self.azure.sdk().virtual_machine_scale_set_rolling_upgrades.begin_cancel("shop", "web").result()

    def ends(self, *, failed: bool = False, message: str = "", **result: Any) -> None:
        self.judge.ended(self.call, result=result, failed=failed, message=message)

    def told(self, outcome: str, *, failed: bool = False, **result: Any) -> None:
        """The end of a rolling_upgrade, true but for `result`."""
        seen = self.call.seen
        done = [key for key, one in seen.items() if one.version == NEW]
        rollout = {
            "outcome": outcome,
            "target_image": {**SERIES, "version": NEW},
            "instances": {key: {"outcome": "upgraded"} for key in done},
            "unavailable": {"max_allowed": 1, "max_seen": self.call.most_down},
        }
        rollout |= result.pop("rollout", {})
        plain = {
            "changed": self.call.touched,
            "upgrade_started": self.call.latest,
            "adopted": not self.call.started,
            "done": done,
            "rollout_result": rollout,
        }
        self.ends(failed=failed, **{**plain, **result})


TEN = {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}}
Bad = tuple[Callable[[Player], None], str, str, str, dict[str, Any], dict[str, Any]]


def extension(**settings: Any) -> dict[str, Any]:
    """What another client writes of the model: app with these settings, beside the health extension."""
    health = {**OURS, "settings": {"protocol": "http", "port": 80, "requestPath": "/health"}}
    listed = [
        {"name": APP_HEALTH, "properties": {"autoUpgradeMinorVersion": True, **health}},
        {"name": "app", "properties": {**WEB, "settings": settings}},
    ]
    return {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": listed}}}}


# Good ones.


def good_policy(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})
    one.read()
    one.ends(changed=True, after={"mode": "Manual", "rolling_upgrade_policy": {"max_batch_instance_percent": 10}})


def good_automatic(one: Player) -> None:
    one.reads()
    one.policy(**ON)
    one.ends(changed=True, after={"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}})


def good_rolling_mode(one: Player) -> None:
    one.reads()
    one.policy(mode="Rolling")
    one.ends(changed=True, after={"mode": "Rolling"})


def good_check_mode(one: Player) -> None:
    one.reads()
    one.ends(changed=True, after={"mode": "Rolling"})


def good_after_a_412(one: Player) -> None:
    one.reads()
    one.other(do="write", patch={"tags": {"team": "shop"}})
    one.refused(lambda: one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10}))
    one.waits(30)
    good_policy(one)


def good_health(one: Player) -> None:
    one.reads()
    one.puts(APP_HEALTH, **OURS, settings={"protocol": "http", "port": 80, "requestPath": "/health"})
    one.read()
    one.ends(changed=True, after={"application_health_extension": {"port": 80}, "load_balancer_probe": None})


def good_replacement(one: Player) -> None:
    one.reads()
    one.patch(of_probe(probe()))
    one.reads()
    one.deletes(APP_HEALTH)
    one.read()
    one.ends(changed=True, after={"application_health_extension": None, "load_balancer_probe": probe()})


def good_half_a_replacement(one: Player) -> None:
    one.reads()
    one.patch(of_probe(probe()))
    one.ends(failed=True, message="The extension could not be removed. The set has the extension and the probe now.")


def good_extension(one: Player) -> None:
    one.reads()
    one.puts("app", **WEB, settings={"a": 7, "b": 2})
    one.read()
    one.ends(changed=True, after={"settings": {"a": 7, "b": 2}, "type": "CustomScript"})


def good_after_the_race(one: Player) -> None:
    """Between the read and the write another client writes: without an ETag nobody can see that."""
    one.reads()
    one.other(do="write", patch=extension(a=1, b=5))
    one.puts("app", **WEB, settings={"a": 7, "b": 2})
    one.read()
    one.ends(changed=True, after={"settings": {"a": 7, "b": 2}})


def good_secret(one: Player) -> None:
    """Another client's write cancels the operation; the tag that came with the secret shows that it is stored."""
    one.reads()
    app = {**WEB, "settings": {"a": 1, "b": 2}, "protectedSettings": {"key": "a-secret"}, "forceUpdateTag": "x"}
    with one.acts():
        one.extensions.begin_create_or_update("shop", "web", "app", {"properties": app}, polling=False)
    one.other(do="preempt")
    one.read()
    stored = {"settings": {"a": 1, "b": 2}, "force_update_tag": "x"}
    one.ends(changed=True, after=stored, note="Azure cancelled it, and stored it.")


def good_settings_beside_the_secret(one: Player) -> None:
    """The tag says that the protected settings are there, and the write carries none."""
    one.reads()
    app = {**WEB, "settings": {"a": 7, "b": 2}, "forceUpdateTag": "x"}
    with one.acts():
        one.extensions.begin_create_or_update("shop", "web", "app", {"properties": app}, polling=False)
    one.other(do="preempt")
    one.read()
    one.ends(changed=True, after={"settings": {"a": 7, "b": 2}}, note="Azure cancelled it, and stored it.")


def good_same_secret(one: Player) -> None:
    """What it writes is what is there already, and nobody can know."""
    one.reads()
    one.puts("app", **WEB, settings={"a": 1, "b": 2}, protectedSettings={"key": "a-secret"})
    one.read()
    one.ends(changed=True, after={"settings": {"a": 1, "b": 2}})


def good_secret_again(one: Player) -> None:
    """The answer is lost: whether the write has succeeded it cannot know."""
    one.reads()
    app = {**WEB, "settings": {"a": 1, "b": 2}, "protectedSettings": {"key": "a-secret"}}
    one.azure.fault(operation="VirtualMachineScaleSetExtensions_CreateOrUpdate", action="lost_answer", times=1)
    with one.acts(), pytest.raises(AzureError):
        one.extensions.begin_create_or_update("shop", "web", "app", {"properties": app}, retry_total=0)
    one.waits(60)
    one.reads()
    one.puts("app", **app)
    one.read()
    one.ends(changed=True, after={"settings": {"a": 1, "b": 2}})


def protects_all(one: Player) -> None:
    for number in range(5):
        one.other(do="protect", instance=str(number))


def good_start_in_the_race(one: Player) -> None:
    """Between the list and the start another client leaves nothing to do: nobody can see that."""
    one.reads()
    protects_all(one)
    one.refused(one.starts)


def good_upgrade(one: Player) -> None:
    one.reads()
    one.starts()
    one.azure.sleep(60)
    one.reads()
    one.told("upgraded")


def good_adoption(one: Player) -> None:
    one.others_start()
    one.reads()
    one.waits(900)
    one.reads()
    one.told("upgraded", before={"started": one.call.latest}, after={"started": one.call.latest, "running": False})


def good_scale_in(one: Player) -> None:
    """The list of a Flexible set no longer has the instances that are gone."""
    for capacity in (5, 0):
        one.other(do="scale", capacity=capacity)
        one.waits(300)
        with one.acts():
            list(one.sdk.virtual_machines.list("shop"))
    one.told("unchanged")


def good_cancellation(one: Player) -> None:
    one.others_start()
    one.waits(30)
    one.reads()
    one.cancels()
    one.reads()
    one.told("stopped")


def good_information(one: Player) -> None:
    one.others_start()
    one.look()
    one.ends(latest={"started": one.call.latest})


SECRET = {"extension": "app", "protected_settings": {"key": "a-secret"}}
TAGGED: dict[str, Any] = {"name": "app", "properties": {**APP["properties"], "forceUpdateTag": "x"}}
KEYED: dict[str, Any] = {"name": "app", "properties": {**APP["properties"], "protectedSettings": {"key": "a-secret"}}}
GOOD: list[tuple[Callable[[Player], None], str, dict[str, Any], dict[str, Any]]] = [
    (good_policy, POLICY, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}}, {}),
    (good_after_a_412, POLICY, {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}}, {}),
    (good_automatic, POLICY, TURN_ON, {}),
    (good_rolling_mode, POLICY, {"mode": "Rolling"}, {"running": None}),
    (good_rolling_mode, POLICY, {"mode": "Rolling", "azure_may_upgrade": True}, {"orchestration": "Flexible"}),
    (good_check_mode, POLICY, {"mode": "Rolling"}, {"check": True}),
    (good_health, HEALTH, HTTP, {"health": "none"}),
    (
        good_replacement,
        HEALTH,
        {"source": "load_balancer_probe", "probe_id": probe(), "replace": True},
        {"automatic_repairs": REPAIRS, "knobs": {"health_sources": "two"}},
    ),
    (
        good_half_a_replacement,
        HEALTH,
        {"source": "load_balancer_probe", "probe_id": probe(), "replace": True},
        {"automatic_repairs": REPAIRS, "knobs": {"health_sources": "two"}},
    ),
    (good_extension, EXTENSION, {"extension": "app", "settings": {"a": 7}}, {"extensions": [APP]}),
    (good_after_the_race, EXTENSION, {"extension": "app", "settings": {"a": 7}}, {"extensions": [APP]}),
    (good_secret, EXTENSION, {**SECRET, "force_update_tag": "x"}, {"extensions": [APP]}),
    (
        good_settings_beside_the_secret,
        EXTENSION,
        {**SECRET, "settings": {"a": 7}, "force_update_tag": "x"},
        {"extensions": [TAGGED]},
    ),
    (good_same_secret, EXTENSION, SECRET, {"extensions": [KEYED]}),
    (good_secret_again, EXTENSION, SECRET, {"extensions": [APP]}),
    (good_start_in_the_race, UPGRADE, {"state": "started"}, {}),
    (good_upgrade, UPGRADE, {"state": "completed"}, {}),
    (good_upgrade, UPGRADE, {"state": "completed", "upgrade_known": "none"}, {}),
    (good_adoption, UPGRADE, {"state": "completed"}, {}),
    (good_scale_in, UPGRADE, {"state": "completed"}, {"orchestration": "Flexible"}),
    (good_cancellation, UPGRADE, {"state": "cancelled"}, {}),
    (good_information, INFO, {}, {}),
]
