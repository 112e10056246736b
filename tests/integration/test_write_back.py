# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back: the model gets its previous image again, whatever Azure is about."""

from __future__ import annotations

import pytest
import scenes
from scenes import NEW, OLD, SERIES, StartSimulator


@pytest.mark.long
def test_a_rolling_upgrade_of_azure_delays_the_way_back_and_refuses_the_way_forth(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1), 60)
    sim.event({"do": "rolling_upgrade", "seconds": 36000})
    forth = scenes.module(sim, "image", args={"image": {**SERIES, "version": NEW}})
    assert forth["failed"]
    assert forth["code"] == "preflight_failed"
    assert [one["code"] for one in forth["findings"] if one["severity"] == "error"] == ["rolling_upgrade_running"]

    sim = simulator(scenes.scenario(1), 60)
    sim.event({"do": "rolling_upgrade", "seconds": 1800})
    stopped = {
        "id": "7" * 32,
        "target": f"{SERIES['publisher']}:{SERIES['offer']}:{SERIES['sku']}:{OLD}",
        "state": "stopped",
    }
    given = {"image": {**SERIES, "version": NEW}, "replaces": {**SERIES, "version": OLD}, "record": stopped}
    back = scenes.module(sim, "image", args=given)
    assert (back["failed"], back["changed"]) == (False, True), back
    profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]
    assert profile["storageProfile"]["imageReference"]["version"] == NEW
