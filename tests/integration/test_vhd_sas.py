# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed VHDs: a SAS is kept nowhere, so it is said where it must be given again, and it can be renewed."""

from __future__ import annotations

import pytest
import scenes
from scenes import StartSimulator

VHDS = "https://account.blob.core.example/vhds"
OLD, NEW = f"{VHDS}/one.vhd?sv=2024&sig=first%2Bsignature", f"{VHDS}/two.vhd?sv=2024&sig=second%2Bsignature"


@pytest.mark.long
def test_the_way_back_of_a_signed_vhd_says_what_is_missing(simulator: StartSimulator) -> None:
    world = scenes.scenario(2, image={"vhd": OLD}, update_domains=1, instance_faults=[{"kind": "unhealthy"}])
    sim = simulator(world, 120)

    def uri() -> str:
        profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]
        found: str = profile["storageProfile"]["osDisk"]["image"]["uri"]
        return found

    impatient = {"rollout_health_timeout": 4, "rollout_health_lag": 2}
    run = scenes.roll(sim, variables={"rollout_image": {"vhd_uri": NEW}, **impatient})
    assert run.rc != 0, run.output
    assert "the SAS of the VHD must be given again" in run.failures[-1], run.failures[-1]
    assert "signature" not in run.output
    assert uri() == OLD.partition("?")[0], "no SAS is kept"

    for signed in (OLD, OLD.replace("first", "third")):
        for changed in (True, False):
            result = scenes.module(sim, "image", args={"image": signed}, diff=True)
            assert result["changed"] is changed, result
            assert uri() == signed and "signature" not in str(result)
