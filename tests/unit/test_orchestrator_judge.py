# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of Azure's own orchestrator sees each rule broken: bad controllers, played with the SDK alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from .orchestrator_judge import EXTENSION, HEALTH, INFO, POLICY, UPGRADE, Call, Judge, Watched, camel
from .simulated import Controller, Simulated

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
    (good_upgrade, UPGRADE, {"state": "completed"}, {}),
    (good_upgrade, UPGRADE, {"state": "completed", "upgrade_known": "none"}, {}),
    (good_adoption, UPGRADE, {"state": "completed"}, {}),
    (good_cancellation, UPGRADE, {"state": "cancelled"}, {}),
    (good_information, INFO, {}, {}),
]


@pytest.mark.parametrize(("plays", "module", "options", "world"), GOOD)
def test_a_good_controller_breaks_nothing(
    plays: Callable[[Player], None], module: str, options: dict[str, Any], world: dict[str, Any]
) -> None:
    one = Player(module, options, **world)
    plays(one)
    one.judge.check()


# Bad ones: the model.


def extension(**settings: Any) -> dict[str, Any]:
    """What another client writes of the model: app with these settings, beside the health extension."""
    health = {**OURS, "settings": {"protocol": "http", "port": 80, "requestPath": "/health"}}
    listed = [
        {"name": APP_HEALTH, "properties": {"autoUpgradeMinorVersion": True, **health}},
        {"name": "app", "properties": {**WEB, "settings": settings}},
    ]
    return {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": listed}}}}


def automatic_without_proof(one: Player) -> None:
    one.look()
    one.read()
    one.policy(mode="Automatic")


def rolling_with_old_disks(one: Player) -> None:
    one.reads()
    one.policy(mode="Rolling")


def on_a_list_of_before(one: Player) -> None:
    one.reads()
    one.other(do="write", patch={"tags": {"team": "shop"}})
    one.waits(60)
    one.read()
    one.policy(mode="Rolling")


def writes_an_extension_outside_manual(one: Player) -> None:
    one.reads()
    one.puts("app", **WEB, settings={"a": 7, "b": 2})


def adds_a_source_outside_manual(one: Player) -> None:
    one.reads()
    one.puts(APP_HEALTH, **OURS, settings={"protocol": "http", "port": 80, "requestPath": "/health"})


def without_an_etag(one: Player) -> None:
    one.reads()
    one.policy(blind=True, rollingUpgradePolicy={"maxBatchInstancePercent": 10})


def on_an_etag_of_before(one: Player) -> None:
    one.reads()
    old = one.etag
    one.other(do="write", patch={"tags": {"team": "shop"}})
    one.waits(60)
    one.read()
    one.etag = old
    one.refused(lambda: one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10}))


def extension_without_a_fresh_read(one: Player) -> None:
    one.reads()
    one.waits(30)
    one.puts("app", **WEB, settings={"a": 7, "b": 2})


def writes_more(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10, "maxUnhealthyInstancePercent": 50})


def writes_another_value(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 15})


def drops_members(one: Player) -> None:
    """A policy written in part where Azure replaces it as a whole."""
    one.reads()
    one.policy(mode="Manual", rollingUpgradePolicy={"maxBatchInstancePercent": 10})


def changes_capacity(one: Player) -> None:
    one.reads()
    one.patch({"sku": {"capacity": 6}})


def puts_another_value_back(one: Player) -> None:
    one.reads()
    one.other(do="write", patch=extension(a=1, b=5))
    one.waits(60)
    one.lists()
    one.puts("app", **WEB, settings={"a": 7, "b": 2})


def drops_settings(one: Player) -> None:
    one.reads()
    one.puts("app", **WEB, settings={"a": 7})


def another_extension(one: Player) -> None:
    one.reads()
    one.puts("other", **WEB)


def changes_the_source_beside(one: Player) -> None:
    one.reads()
    one.deletes(APP_HEALTH)


def changes_a_setting_of_the_source(one: Player) -> None:
    one.reads()
    one.puts(APP_HEALTH, **OURS, settings={"protocol": "http", "port": 80, "requestPath": "/ready"})


def removes_the_source(one: Player) -> None:
    one.reads()
    one.deletes(APP_HEALTH)


def removes_the_source_that_is_needed_since(one: Player) -> None:
    one.reads()
    one.other(do="write", patch={"properties": {"automaticRepairsPolicy": {"enabled": True, **REPAIRS}}})
    one.waits(60)
    one.deletes(APP_HEALTH)


def replaces_the_old_one_first(one: Player) -> None:
    one.reads()
    one.deletes(APP_HEALTH)
    one.reads()
    one.patch(of_probe(probe()))


def leaves_two(one: Player) -> None:
    one.reads()
    one.patch(of_probe(probe()))
    one.ends(failed=True, message="AuthorizationFailed.")


def leaves_none(one: Player) -> None:
    one.reads()
    one.deletes(APP_HEALTH)
    one.ends(failed=True, message="Another client keeps the set busy. Nothing was written.")


def on_a_pinned_image(one: Player) -> None:
    one.reads()
    one.refused(lambda: one.policy(**ON))


def on_a_pinned_image_after_a_412(one: Player) -> None:
    one.reads()
    pinned = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": OLD}}}}}
    one.other(do="write", patch=pinned)
    one.waits(60)
    one.read()
    one.refused(lambda: one.policy(**ON))


def without_a_source(one: Player) -> None:
    one.reads()
    one.refused(lambda: one.policy(mode="Rolling"))


def while_another_writes(one: Player) -> None:
    one.other(do="scale", capacity=6, ends_after=600)
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})


def while_azure_rolls(one: Player) -> None:
    one.others_start()
    one.reads()
    one.refused(lambda: one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10}))


def writes_nothing_new(one: Player) -> None:
    one.reads()
    one.policy(mode="Manual")


def writes_in_check_mode(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})


def claims_nothing(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})
    one.ends(changed=False)


def claims_that_nothing_was_written(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})
    one.ends(failed=True, message="The answer was lost. Nothing was written.")


def claims_a_change(one: Player) -> None:
    one.reads()
    one.ends(changed=True)


def claims_without_a_read(one: Player) -> None:
    one.reads()
    with one.acts():
        body = {"properties": {"upgradePolicy": {"rollingUpgradePolicy": {"maxBatchInstancePercent": 10}}}}
        one.sets.begin_update("shop", "web", body, headers={"If-Match": one.etag}, polling=False)
    one.ends(changed=True)


def claims_what_is_not_there(one: Player) -> None:
    one.reads()
    one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10})
    one.other(
        do="write", patch={"properties": {"upgradePolicy": {"rollingUpgradePolicy": {"maxBatchInstancePercent": 20}}}}
    )
    one.read()
    one.ends(changed=True)


def claims_another_mode(one: Player) -> None:
    good_policy(one)
    one.ends(changed=True, after={"mode": "Automatic"})


def claims_another_setting(one: Player) -> None:
    good_extension(one)
    one.ends(changed=True, after={"settings": {"a": 7, "b": 9}})


def claims_an_extension_that_is_gone(one: Player) -> None:
    good_extension(one)
    one.ends(changed=True, after=None)


def claims_another_source(one: Player) -> None:
    good_health(one)
    one.ends(changed=True, after={"application_health_extension": None, "load_balancer_probe": probe()})


def claims_that_it_was_not_stored(one: Player) -> None:
    good_extension(one)
    one.ends(failed=True, message="Azure did not store it.")


def silent_about_a_failed_operation(one: Player) -> None:
    one.reads()
    one.azure.do(do="preempt", at=one.azure.world.now + 2)
    one.refused(lambda: one.puts("app", **WEB, settings={"a": 7, "b": 2}))
    one.read()
    one.ends(changed=True, after={"settings": {"a": 7, "b": 2}})


def protected_settings_of_a_cancelled_operation(one: Player) -> None:
    one.reads()
    with one.acts():
        changed = {**WEB, "settings": {"a": 1, "b": 2}, "protectedSettings": {"key": "a-secret"}}
        one.extensions.begin_create_or_update("shop", "web", "app", {"properties": changed}, polling=False)
    one.other(do="preempt")
    one.read()
    one.ends(changed=True, note="Azure cancelled it, and stored it.")


def shows_a_secret(one: Player) -> None:
    one.read()
    one.ends(failed=True, message="It refused {'key': 'a-secret'}.")


def works_on_instances(one: Player) -> None:
    one.reads()
    with one.acts():
        one.sets.begin_update_instances("shop", "web", {"instanceIds": ["0"]}).result()


def waits_too_long(one: Player) -> None:
    one.reads()
    one.waits(3000)
    one.ends(failed=True, message="Another client keeps the set busy.")


def writes_on_and_on(one: Player) -> None:
    for number in range(12):
        one.reads()
        one.policy(rollingUpgradePolicy={"maxBatchInstancePercent": 10 + number % 2})


def crashes(one: Player) -> None:
    one.judge.ended(one.call, crash=KeyError("properties"))


TEN = {"rolling_upgrade_policy": {"max_batch_instance_percent": 10}}
SCRIPT = {"extension": "app", "settings": {"a": 7}}
TO_PROBE = {"source": "load_balancer_probe", "probe_id": probe(), "replace": True}
ABSENT = {"state": "absent"}
SECRET = {"extension": "app", "protected_settings": {"key": "a-secret"}}
TWO: dict[str, Any] = {"automatic_repairs": REPAIRS, "knobs": {"health_sources": "two"}}
FILLED = {
    "properties": {"upgradePolicy": {"mode": "Manual", "rollingUpgradePolicy": {"maxUnhealthyInstancePercent": 60}}}
}
Bad = tuple[Callable[[Player], None], str, str, str, dict[str, Any], dict[str, Any]]
MODEL: list[Bad] = [
    (automatic_without_proof, "a azure acts", "proven", POLICY, {"mode": "Automatic"}, {"running": None}),
    (automatic_without_proof, "a azure acts", "proven", POLICY, {"mode": "Automatic"}, {"orchestration": "Flexible"}),
    (
        automatic_without_proof, "a azure acts", "makes Azure upgrade", POLICY, {"mode": "Automatic"},
        {"version": NEW, "knobs": {"mode_change_acts": True}, "instances": {"0": {"generation_behind": 1}}},
    ),
    (on_a_list_of_before, "a azure acts", "older", POLICY, {"mode": "Rolling"}, {"running": None}),
    (rolling_with_old_disks, "a azure acts", "['0', '1', '2', '3', '4']", POLICY, {"mode": "Rolling"}, {}),
    (
        writes_an_extension_outside_manual, "a azure acts", "in mode Automatic", EXTENSION, SCRIPT,
        {"extensions": [APP], "upgrade_mode": "Automatic"},
    ),
    (
        writes_an_extension_outside_manual, "a azure acts", "in mode Rolling", EXTENSION, SCRIPT,
        {"extensions": [APP], "upgrade_mode": "Rolling"},
    ),
    (
        adds_a_source_outside_manual, "a azure acts", "in mode Automatic", HEALTH, HTTP,
        {"health": "none", "upgrade_mode": "Automatic"},
    ),
    (without_an_etag, "b etag", "without If-Match", POLICY, TEN, {}),
    (on_an_etag_of_before, "b etag", "read last", POLICY, TEN, {}),
    (extension_without_a_fresh_read, "b etag", "right before", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (writes_more, "c only what was asked", "maxUnhealthyInstancePercent", POLICY, TEN, FILLED),
    (writes_another_value, "c only what was asked", "rollingUpgradePolicy", POLICY, TEN, {}),
    (
        drops_members, "c only what was asked", "maxUnhealthyInstancePercent", POLICY, TEN,
        {**FILLED, "knobs": {"patch_members": "replace"}},
    ),
    (changes_capacity, "c only what was asked", "sku.capacity", POLICY, TEN, {}),
    (puts_another_value_back, "c only what was asked", "settings.b", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (drops_settings, "c only what was asked", "settings.b", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (another_extension, "c only what was asked", "extensions.other", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (
        changes_the_source_beside, "c only what was asked", "applicationhealth", HEALTH,
        {**TO_PROBE, "replace": False}, {},
    ),
    (
        changes_a_setting_of_the_source, "c only what was asked", "requestPath", HEALTH,
        {"source": "application_health_extension", "port": 80}, {},
    ),
    (removes_the_source, "d health source", "automatic repairs", HEALTH, ABSENT, TWO),
    (
        removes_the_source, "d health source", "automatic repairs", EXTENSION,
        {"extension": APP_HEALTH, "state": "absent"}, TWO,
    ),
    (removes_the_source_that_is_needed_since, "d health source", "automatic repairs", HEALTH, ABSENT, {}),
    (replaces_the_old_one_first, "d health source", "automatic repairs", HEALTH, TO_PROBE, TWO),
    (leaves_two, "g claims", "does not say so", HEALTH, TO_PROBE, TWO),
    (leaves_none, "g claims", "something was", HEALTH, TO_PROBE, {}),
    (on_a_pinned_image, "l not ready", "pinned", POLICY, TURN_ON, {"version": NEW}),
    (on_a_pinned_image_after_a_412, "l not ready", "pinned", POLICY, TURN_ON, {}),
    (without_a_source, "l not ready", "no health source", POLICY, {"mode": "Rolling"}, {"health": "none"}),
    (while_another_writes, "k another's", "scale", POLICY, TEN, {}),
    (while_another_writes, "k another's", "autoscale", POLICY, TEN, {}),
    (while_azure_rolls, "k another's", "rolling upgrade", POLICY, TEN, {}),
    (writes_nothing_new, "j idempotence", "changes nothing", POLICY, {"mode": "Manual"}, {}),
    (writes_in_check_mode, "j idempotence", "check mode", POLICY, TEN, {"check": True}),
    (claims_nothing, "g claims", "changed is false", POLICY, TEN, {}),
    (claims_that_nothing_was_written, "g claims", "something was", POLICY, TEN, {}),
    (claims_a_change, "g claims", "changed is true", POLICY, {"mode": "Manual"}, {}),
    (claims_a_change, "f read back", "has not", POLICY, TEN, {}),
    (claims_without_a_read, "f read back", "after the last write", POLICY, TEN, {}),
    (claims_what_is_not_there, "f read back", "has not", POLICY, TEN, {}),
    (claims_another_mode, "f read back", "mode", POLICY, TEN, {}),
    (claims_another_setting, "f read back", "settings", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (claims_an_extension_that_is_gone, "f read back", "extension", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (claims_another_source, "f read back", "sources", HEALTH, HTTP, {"health": "none"}),
    (claims_that_it_was_not_stored, "g claims", "all of it is stored", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (silent_about_a_failed_operation, "g claims", "Canceled", EXTENSION, SCRIPT, {"extensions": [APP]}),
    (
        protected_settings_of_a_cancelled_operation, "f read back", "Canceled", EXTENSION,
        SECRET, {"extensions": [APP]},
    ),
    (shows_a_secret, "o secrets", "shown", EXTENSION, SECRET, {}),
    (works_on_instances, "m explicit", "UpdateInstances", POLICY, TEN, {}),
    (waits_too_long, "h waits", "1800", POLICY, TEN, {}),
    (writes_on_and_on, "i ends", "writes", POLICY, TEN, {}),
    (crashes, "i ends", "KeyError", POLICY, TEN, {}),
]  # fmt: skip


# Bad ones: Azure's own upgrades.


def cancels_another(one: Player) -> None:
    one.others_start()
    one.reads()
    one.others_cancel()
    one.waits(60)
    one.others_start()
    one.look()
    one.cancels()


def cancels_blindly(one: Player) -> None:
    one.others_start()
    one.reads()
    one.cancels()
    one.others_start()
    one.cancels()


def cancels_what_was_not_meant(one: Player) -> None:
    one.others_start()
    one.call.options["upgrade_started"] = one.look()
    one.others_cancel()
    one.waits(60)
    one.others_start()
    one.reads()
    one.cancels()


def cancels_none(one: Player) -> None:
    one.reads()
    one.refused(one.cancels)


def claims_a_cancellation(one: Player) -> None:
    one.others_start()
    one.reads()
    one.told("stopped", upgrade_started=one.call.latest)


def claims_that_it_had_ended(one: Player) -> None:
    good_cancellation(one)
    one.told("upgraded")


def claims_another_upgrade(one: Player) -> None:
    one.others_start()
    one.call.options["upgrade_started"] = one.look()
    one.others_cancel()
    one.waits(60)
    one.others_start()
    one.reads()
    one.told("stopped")


def starts_another_than_meant(one: Player) -> None:
    one.call.options["upgrade_started"] = "2026-11-27T01:00:00Z"
    one.reads()
    one.starts()


def starts_what_came_since(one: Player) -> None:
    one.others_start()
    one.waits(60)
    one.others_cancel()
    one.waits(300)
    one.reads()
    one.starts()


def starts_while_one_runs(one: Player) -> None:
    one.others_start()
    one.reads()
    one.refused(one.starts)


def starts_twice(one: Player) -> None:
    one.reads()
    one.starts()
    one.azure.publish = None  # type: ignore[attr-defined]
    one.look()
    one.starts()


def starts_blindly(one: Player) -> None:
    one.read()
    one.starts()


def starts_on_a_pinned_image(one: Player) -> None:
    one.reads()
    one.refused(one.starts)


def starts_with_nothing_to_do(one: Player) -> None:
    one.reads()
    one.starts()


def does_not_wait_for_azure(one: Player) -> None:
    one.reads()
    one.starts()


def starts_extensions(one: Player) -> None:
    one.reads()
    one.starts("ext")


def adopts_another_kind(one: Player) -> None:
    one.others_start("ext")
    one.reads()
    one.told("", upgrade_started=one.call.latest)


def claims_its_own(one: Player) -> None:
    good_adoption(one)
    one.told("upgraded", adopted=False)


def claims_that_it_was_another_s(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", adopted=True)


def claims_an_upgrade_that_never_was(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", upgrade_started="2026-11-27T01:00:00Z")


def claims_to_be_upgraded(one: Player) -> None:
    one.reads()
    one.starts(wait=False)
    one.waits(200)
    one.reads()
    one.told("upgraded")


def claims_that_all_have_it(one: Player) -> None:
    one.reads()
    one.told("unchanged", upgrade_started=None)


def claims_done(one: Player) -> None:
    good_upgrade(one)
    one.other(do="running_version", instance="2", version=OLD)
    one.lists()
    one.told("stopped", failed=True, done=["0", "1", "2"])


def claims_that_one_is_upgraded(one: Player) -> None:
    good_upgrade(one)
    one.other(do="running_version", instance="2", version=OLD)
    one.lists()
    one.told("stopped", failed=True, rollout={"instances": {"2": {"outcome": "upgraded"}}})


def claims_that_one_is_back(one: Player) -> None:
    good_upgrade(one)
    one.told("rolled_back", failed=True, rollout={"instances": {"2": {"outcome": "rolled_back"}}})


def claims_the_sick(one: Player) -> None:
    good_upgrade(one)
    one.other(do="unhealthy", instance="2")
    one.reads()
    one.told("upgraded")


def claims_a_start(one: Player) -> None:
    one.reads()
    one.told("", changed=False, upgrade_started=None)


def claims_another_s_reason(one: Player) -> None:
    good_cancellation(one)
    one.told("failed", reason={"code": "MaxUnhealthyInstancePercentExceededInRollingUpgrade"})


def claims_the_platform(one: Player) -> None:
    one.reads()
    one.starts()
    one.azure.sleep(60)
    one.reads()
    with one.acts():
        list(one.sets.list_os_upgrade_history("shop", "web") if hasattr(one.sets, "list_os_upgrade_history")
             else one.sets.get_os_upgrade_history("shop", "web"))  # fmt: skip
    one.told("upgraded", started_by="Platform")


def claims_restored_ones(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", restored=1)


def puts_back_the_new(one: Player) -> None:
    one.reads()
    one.starts(wait=False)
    one.other(do="scale", capacity=6)
    one.waits(900)
    one.other(do="scale", capacity=6)
    one.waits(300)
    one.reads()
    key = max(one.call.seen, key=int)
    one.told("upgraded", put_back=[{"image": {"version": OLD}, "all": [key], "failed": [], "assumed": []}])


def puts_back_the_untouched(one: Player) -> None:
    one.other(do="protect", instance="4")
    one.azure.sleep(60)
    good_upgrade(one)
    one.told("upgraded", put_back=[{"image": {"version": OLD}, "all": ["4"], "failed": [], "assumed": []}])


def puts_back_what_never_ran(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", put_back=[{"image": {"version": "24.4.1"}, "all": ["0"], "failed": [], "assumed": []}])


def claims_more_down(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", rollout={"unavailable": {"max_seen": 3}})


def claims_fewer_down(one: Player) -> None:
    one.other(do="unhealthy", instance="2")
    one.lists()
    one.told("failed", failed=True, rollout={"unavailable": {"max_seen": 0}})


def fails_while_it_runs(one: Player) -> None:
    one.reads()
    one.starts(wait=False)
    one.waits(30)
    one.reads()
    one.told("failed", failed=True)


def claims_a_look(one: Player) -> None:
    good_upgrade(one)
    one.told("upgraded", before={"started": one.call.latest}, after={"started": one.call.latest, "running": True})


def waits_for_a_set_that_is_gone(one: Player) -> None:
    one.reads()
    one.azure.sdk().virtual_machine_scale_sets.begin_delete("shop", "web").result()
    for _number in range(4):
        one.look()
        one.waits(600)


def waits_for_ever(one: Player) -> None:
    one.reads()
    one.waits(20000)
    one.told("failed", failed=True)


def tells_another_latest(one: Player) -> None:
    one.others_start()
    one.look()
    one.ends(latest={"started": "2026-11-27T01:00:00Z"})


COMPLETED, STARTED, CANCELLED = {"state": "completed"}, {"state": "started"}, {"state": "cancelled"}
AUTOMATIC: dict[str, Any] = {"properties": {"upgradePolicy": ON}}
UPGRADES: list[Bad] = [
    (cancels_another, "e which upgrade", "is meant", UPGRADE, CANCELLED, {}),
    (cancels_blindly, "n blind", "cancellation", UPGRADE, CANCELLED, {}),
    (cancels_what_was_not_meant, "e which upgrade", "is meant", UPGRADE, dict(CANCELLED), {}),
    (cancels_none, "e which upgrade", "shown none", UPGRADE, CANCELLED, {}),
    (cancels_none, "m explicit", "cancellation", UPGRADE, STARTED, {}),
    (claims_a_cancellation, "g claims", "runs", UPGRADE, CANCELLED, {}),
    (claims_that_it_had_ended, "g claims", "Cancelled", UPGRADE, CANCELLED, {}),
    (claims_another_upgrade, "e which upgrade", "was meant", UPGRADE, dict(CANCELLED), {}),
    (starts_another_than_meant, "e which upgrade", "the one that is meant", UPGRADE, dict(COMPLETED), {}),
    (starts_what_came_since, "e which upgrade", "came since", UPGRADE, {**COMPLETED, "upgrade_known": "none"}, {}),
    (starts_while_one_runs, "e which upgrade", "one runs", UPGRADE, STARTED, {}),
    (starts_twice, "n blind", "second start", UPGRADE, COMPLETED, {}),
    (starts_blindly, "n blind", "a start", UPGRADE, STARTED, {}),
    (starts_on_a_pinned_image, "l not ready", "pinned", UPGRADE, STARTED, {"version": NEW}),
    (starts_with_nothing_to_do, "j idempotence", "newest", UPGRADE, STARTED, {"running": None}),
    (does_not_wait_for_azure, "e which upgrade", "had time", UPGRADE, COMPLETED, AUTOMATIC),
    (starts_extensions, "e which upgrade", "asked was os", UPGRADE, STARTED, {}),
    (adopts_another_kind, "e which upgrade", "kind extension", UPGRADE, STARTED, {}),
    (claims_its_own, "g claims", "adopted", UPGRADE, COMPLETED, {}),
    (claims_that_it_was_another_s, "g claims", "adopted", UPGRADE, COMPLETED, {}),
    (claims_an_upgrade_that_never_was, "e which upgrade", "no upgrade started", UPGRADE, COMPLETED, {}),
    (claims_to_be_upgraded, "g claims", "they showed", UPGRADE, COMPLETED, {}),
    (claims_that_all_have_it, "g claims", "unchanged", UPGRADE, COMPLETED, {}),
    (claims_done, "f read back", "done", UPGRADE, COMPLETED, {}),
    (claims_that_one_is_upgraded, "f read back", "upgraded", UPGRADE, COMPLETED, {}),
    (claims_that_one_is_back, "f read back", "back", UPGRADE, COMPLETED, {}),
    (claims_the_sick, "g claims", "not available", UPGRADE, COMPLETED, {}),
    (claims_a_start, "g claims", "no upgrade was started", UPGRADE, STARTED, {}),
    (claims_another_s_reason, "g claims", "reason", UPGRADE, CANCELLED, {}),
    (claims_the_platform, "g claims", "in truth by User", UPGRADE, COMPLETED, {}),
    (claims_restored_ones, "g claims", "restored", UPGRADE, COMPLETED, {}),
    (puts_back_the_new, "g claims", "made meanwhile", UPGRADE, COMPLETED, {}),
    (puts_back_the_untouched, "g claims", "did not work on it", UPGRADE, COMPLETED, {}),
    (puts_back_what_never_ran, "g claims", "it ran", UPGRADE, COMPLETED, {}),
    (claims_more_down, "g claims", "at most", UPGRADE, COMPLETED, {}),
    (claims_fewer_down, "g claims", "0 were seen", UPGRADE, COMPLETED, {}),
    (fails_while_it_runs, "g claims", "it started runs", UPGRADE, COMPLETED, {}),
    (claims_a_look, "f read back", "before", UPGRADE, COMPLETED, {}),
    (claims_a_look, "f read back", "running", UPGRADE, COMPLETED, {}),
    (waits_for_a_set_that_is_gone, "h waits", "gone", UPGRADE, COMPLETED, {}),
    (waits_for_ever, "h waits", "at most", UPGRADE, COMPLETED, {}),
    (tells_another_latest, "f read back", "latest", INFO, {}, {}),
    (starts_blindly, "j idempotence", "only reads", INFO, {}, {}),
]


@pytest.mark.parametrize(("plays", "rule", "words", "module", "options", "world"), [*MODEL, *UPGRADES])
def test_a_bad_controller_is_caught(
    plays: Callable[[Player], None], rule: str, words: str, module: str, options: dict[str, Any], world: dict[str, Any]
) -> None:
    one = Player(module, dict(options), **world)
    plays(one)
    assert [found for found in one.judge.broken if found.rule == rule and words in found.words], one.judge.broken


def test_a_write_of_another_client_is_not_judged() -> None:
    one = Player(POLICY, TEN)
    one.other(do="write", patch={"properties": {"upgradePolicy": {"mode": "Automatic"}}})
    one.azure.sdk().virtual_machine_scale_sets.begin_update("shop", "web", {"tags": {"a": "b"}}).result()
    one.judge.check()


def test_a_watched_controller_is_judged_at_each_request() -> None:
    azure = Simulated(scenario())
    judge = Judge(azure)
    call = Call("watched", POLICY, TEN)

    def works(controller: Controller) -> None:
        sets = azure.sdk(controller.session(), controller.clock).virtual_machine_scale_sets
        sets.get("shop", "web")
        controller.sleep(10)
        sets.begin_update("shop", "web", {"sku": {"capacity": 6}}).result()

    judge.began(call)
    Watched(judge, call, works).finish()
    assert {"b etag", "c only what was asked"} == {one.rule for one in judge.broken}
    assert call.slept == 0 and call.read_back and call.calls >= 3


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("enable_automatic_os_upgrade", "enableAutomaticOSUpgrade"),
        ("os_rolling_upgrade_deferral", "osRollingUpgradeDeferral"),
        ("max_batch_instance_percent", "maxBatchInstancePercent"),
    ],
)
def test_names_as_azure_writes_them(name: str, written: str) -> None:
    assert camel(name) == written
