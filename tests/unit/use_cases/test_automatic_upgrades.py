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
from ..stored import HEALTH, Stored
from .test_model_writers import DENIED, VERSIONS, uniform

MONITOR = {"source": "application_health_extension", "protocol": "tcp", "port": 22}
EVERYTHING: dict[str, Any] = {"follow_latest": True, "upgrade_mode": "Manual", "health_monitor": MONITOR}
EXTENSION = "ApplicationHealthLinux"


def bare(arm: FakeAzure) -> Stored:
    """In mode Rolling, pinned, without a health source and without instances."""
    web = Stored(arm, mode="Rolling")
    web.serve(EXTENSION)
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}]))
    arm.on(
        "GET",
        f"{VERSIONS}/1.0.0",
        (200, {}, {"name": "1.0.0", "properties": {"osDiskImage": {"operatingSystem": "Linux"}}}),
    )
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


def ready(arm: FakeAzure, *, automatic: bool) -> Stored:
    """In mode Manual and with all that automatic upgrades need, of three instances that have the model."""
    web = bare(arm)
    web.extend(EXTENSION, HEALTH["properties"])
    web.profile["storageProfile"]["imageReference"]["version"] = "latest"
    web.change(upgradePolicy={"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": automatic}})
    web.instances = [uniform(n) for n in range(3)]
    for one in web.instances:
        one["properties"]["instanceView"]["vmHealth"] = {"status": {"code": "HealthState/healthy"}}
    return web


@pytest.mark.parametrize("given", [EVERYTHING, {**EVERYTHING, "max_unavailable": "2"}])
def test_a_check_shows_the_batches_of_the_instances(
    azure: Azure, arm: FakeAzure, clock: FakeClock, given: dict[str, Any]
) -> None:
    """No instance has got the model that the writes would make, whatever Azure says of the model as it is."""
    web = bare(arm)
    web.instances = [uniform(n) for n in range(3)]
    planned = enable(azure, clock, check_mode=True, **given)
    of_each = [one.partition(": ")[2] for one in planned["batches"]]
    assert of_each == (["0,1", "2"] if "max_unavailable" in given else ["0", "1", "2"])
    assert planned["rollout_result"]["target_image"]["version"] == "latest"
    assert web.writes() == []


def test_a_check_where_nothing_is_written_shows_those_that_are_behind(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = ready(arm, automatic=True)
    assert enable(azure, clock, check_mode=True)["batches"] == []
    web.instances[1]["properties"]["latestModelApplied"] = False
    (batch,) = enable(azure, clock, check_mode=True)["batches"]
    assert batch.endswith(": 1")


@pytest.mark.parametrize("check_mode", [True, False])
def test_instances_are_left_as_they_are_where_that_is_asked_for(
    azure: Azure, arm: FakeAzure, clock: FakeClock, check_mode: bool
) -> None:
    web = ready(arm, automatic=False)
    web.instances[1]["properties"]["latestModelApplied"] = False
    done = enable(azure, clock, check_mode=check_mode, upgrade_instances=False)
    assert web.writes() == ([] if check_mode else ["PATCH web"])
    assert done["changed"] and done["rollout_result"] is None and done["batches"] == []
    assert "The instances are as they were." in done["report"]


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
