# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of Azure's orchestrator lets good controllers pass; the bad ones stand in the files beside this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .orchestrator_facts import camel
from .orchestrator_judge import POLICY, Call, Judge, Watched
from .orchestrator_player import (
    GOOD,
    TEN,
    Player,
    scenario,
)
from .simulated import Controller, Simulated


@pytest.mark.parametrize(("plays", "module", "options", "world"), GOOD)
def test_a_good_controller_breaks_nothing(
    plays: Callable[[Player], None], module: str, options: dict[str, Any], world: dict[str, Any]
) -> None:
    one = Player(module, options, **world)
    plays(one)
    one.judge.check()


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
