# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge sees each rule of a write of the model broken: bad controllers, played with the SDK alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .orchestrator_judge import EXTENSION, HEALTH, POLICY
from .orchestrator_player import (
    APP,
    APP_HEALTH,
    HTTP,
    NEW,
    OLD,
    ON,
    OURS,
    REPAIRS,
    SECRET,
    TAGGED,
    TEN,
    TURN_ON,
    WEB,
    Bad,
    Player,
    extension,
    good_extension,
    good_health,
    good_policy,
    of_probe,
    probe,
)

# Bad ones: the model.


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


def puts_a_secret(one: Player, **tag: str) -> None:
    changed = {**WEB, "settings": {"a": 1, "b": 2}, "protectedSettings": {"key": "a-secret"}, **tag}
    with one.acts():
        one.extensions.begin_create_or_update("shop", "web", "app", {"properties": changed}, polling=False)


def protected_settings_of_a_cancelled_operation(one: Player) -> None:
    one.reads()
    puts_a_secret(one, **({"forceUpdateTag": "x"} if one.call.options.get("force_update_tag") else {}))
    one.other(do="preempt")
    one.read()
    one.ends(changed=True, note="Azure cancelled it, and stored it.")


def writes_a_secret_twice(one: Player) -> None:
    for _twice in range(2):
        one.reads()
        one.puts("app", **WEB, settings={"a": 1, "b": 2}, protectedSettings={"key": "a-secret"})


def writes_the_same_without_the_secret(one: Player) -> None:
    one.reads()
    one.puts("app", **WEB, settings={"a": 1, "b": 2})


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


SCRIPT = {"extension": "app", "settings": {"a": 7}}
TO_PROBE = {"source": "load_balancer_probe", "probe_id": probe(), "replace": True}
ABSENT = {"state": "absent"}
TWO: dict[str, Any] = {"automatic_repairs": REPAIRS, "knobs": {"health_sources": "two"}}
FILLED = {
    "properties": {"upgradePolicy": {"mode": "Manual", "rollingUpgradePolicy": {"maxUnhealthyInstancePercent": 60}}}
}
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
    (
        protected_settings_of_a_cancelled_operation, "f read back", "Canceled", EXTENSION,
        {**SECRET, "force_update_tag": "x"}, {"extensions": [TAGGED]},
    ),
    (writes_a_secret_twice, "j idempotence", "changes nothing", EXTENSION, SECRET, {"extensions": [APP]}),
    (
        writes_the_same_without_the_secret, "j idempotence", "changes nothing", EXTENSION, SECRET,
        {"extensions": [APP]},
    ),
    (shows_a_secret, "o secrets", "shown", EXTENSION, SECRET, {}),
    (works_on_instances, "m explicit", "UpdateInstances", POLICY, TEN, {}),
    (waits_too_long, "h waits", "1800", POLICY, TEN, {}),
    (writes_on_and_on, "i ends", "writes", POLICY, TEN, {}),
    (crashes, "i ends", "KeyError", POLICY, TEN, {}),
]  # fmt: skip


@pytest.mark.parametrize(("plays", "rule", "words", "module", "options", "world"), MODEL)
def test_a_bad_controller_is_caught(
    plays: Callable[[Player], None], rule: str, words: str, module: str, options: dict[str, Any], world: dict[str, Any]
) -> None:
    one = Player(module, dict(options), **world)
    plays(one)
    assert [found for found in one.judge.broken if found.rule == rule and words in found.words], one.judge.broken
