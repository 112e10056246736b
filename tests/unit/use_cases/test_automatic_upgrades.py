# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic upgrades turned on: all is checked before the first write, and a later failure names what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._options import AutomaticUpgradesRequest, parse
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import automatic_upgrades

from ..fake_azure import FakeAzure, FakeClock
from ..refusals import refused
from ..stored import Stored
from .test_model_writers import DENIED, VERSIONS

MONITOR = {"source": "application_health_extension", "protocol": "tcp", "port": 22}
EVERYTHING: dict[str, Any] = {"follow_latest": True, "upgrade_mode": "Manual", "health_monitor": MONITOR}
EXTENSION = "ApplicationHealthLinux"


def bare(arm: FakeAzure) -> Stored:
    """In mode Rolling, pinned, without a health source and without instances."""
    web = Stored(arm, mode="Rolling")
    web.serve(EXTENSION)
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}]))
    return web


def enable(azure: Azure, clock: FakeClock, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    request = parse(AutomaticUpgradesRequest, {"resource_group": "rg", "name": "web", **options})
    result, failure = automatic_upgrades.enable(azure, clock, request, check_mode=check_mode)
    assert failure is None
    return result


def test_what_is_missing_is_written_in_order_and_once(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = bare(arm)
    planned = enable(azure, clock, check_mode=True, **EVERYTHING)
    assert (
        web.writes() == [] and planned["changed"] and planned["report"].startswith("Automatic OS image upgrades would")
    )
    done = enable(azure, clock, **EVERYTHING)
    assert web.writes() == ["PATCH web", "PATCH web", f"PUT {EXTENSION}", "PATCH web"]
    assert done["after"] == planned["after"] != done["before"] == planned["before"]
    policy = web.document["properties"]["upgradePolicy"]
    assert (policy["mode"], policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"]) == ("Manual", True)
    assert "The upgrade mode was Rolling and is Manual now." in done["report"]
    assert not enable(azure, clock, **EVERYTHING)["changed"] and len(web.writes()) == 4


@pytest.mark.parametrize("missing", ["follow_latest", "health_monitor"])
def test_nothing_is_written_where_one_thing_is_missing(
    azure: Azure, arm: FakeAzure, clock: FakeClock, missing: str
) -> None:
    web = bare(arm)
    code = {"follow_latest": "image_pinned", "health_monitor": "no_health_source"}[missing]
    with refused("not_ready", "Nothing was written. Scale set web is not ready: ") as raised:
        enable(azure, clock, **{name: value for name, value in EVERYTHING.items() if name != missing})
    assert code in [one["code"] for one in raised.value.fields["findings"]]
    assert web.writes() == []


def test_a_failure_in_the_middle_names_what_was_sent(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = bare(arm)
    web.refuses = {f"PUT {EXTENSION}": DENIED}
    with pytest.raises(AzureError, match=r"Before that, this call sent: .*set the image of scale set web to .*latest"):
        enable(azure, clock, **EVERYTHING)
    assert web.writes() == ["PATCH web", "PATCH web", f"PUT {EXTENSION}"]
