# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge sees each rule of an upgrade of Azure's own broken: bad controllers, played with the SDK alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .orchestrator_judge import INFO, UPGRADE
from .orchestrator_player import (
    NEW,
    OLD,
    ON,
    Bad,
    Player,
    good_adoption,
    good_cancellation,
    good_scale_in,
    good_upgrade,
    protects_all,
)

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


def starts_on_a_list_of_before(one: Player) -> None:
    one.reads()
    protects_all(one)
    one.waits(60)
    one.look()
    one.read()
    one.refused(one.starts)


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


def claims_the_gone(one: Player) -> None:
    gone = list(one.judge.owner.instances)
    good_scale_in(one)
    one.told("stopped", failed=True, done=gone)


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
    (starts_on_a_list_of_before, "j idempotence", "newest", UPGRADE, STARTED, {}),
    (does_not_wait_for_azure, "e which upgrade", "had time", UPGRADE, COMPLETED, AUTOMATIC),
    (starts_extensions, "e which upgrade", "asked was os", UPGRADE, STARTED, {}),
    (adopts_another_kind, "e which upgrade", "kind extension", UPGRADE, STARTED, {}),
    (claims_its_own, "g claims", "adopted", UPGRADE, COMPLETED, {}),
    (claims_that_it_was_another_s, "g claims", "adopted", UPGRADE, COMPLETED, {}),
    (claims_an_upgrade_that_never_was, "e which upgrade", "no upgrade started", UPGRADE, COMPLETED, {}),
    (claims_to_be_upgraded, "g claims", "they showed", UPGRADE, COMPLETED, {}),
    (claims_that_all_have_it, "g claims", "unchanged", UPGRADE, COMPLETED, {}),
    (claims_done, "f read back", "done", UPGRADE, COMPLETED, {}),
    (claims_the_gone, "f read back", "done", UPGRADE, COMPLETED, {"orchestration": "Flexible"}),
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


@pytest.mark.parametrize(("plays", "rule", "words", "module", "options", "world"), UPGRADES)
def test_a_bad_controller_is_caught(
    plays: Callable[[Player], None], rule: str, words: str, module: str, options: dict[str, Any], world: dict[str, Any]
) -> None:
    one = Player(module, dict(options), **world)
    plays(one)
    assert [found for found in one.judge.broken if found.rule == rule and words in found.words], one.judge.broken
