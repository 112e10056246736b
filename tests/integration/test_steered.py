# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may write tags does not choose what is rolled, and runs nothing on the controller."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest
import scenes
from scenes import StartSimulator

TAGS = {
    "steady-vmss-rollout": "0123456789abcdef" * 2,
    "steady-vmss-target": ":".join([*scenes.SERIES.values(), scenes.OLD]),
    "steady-vmss-started": "2026-11-27T02:00:00Z",
    "steady-vmss-state": "finished",
}
OTHER = "Canonical:ubuntu-24_04-lts:minimal:24.04.202610010"


@pytest.mark.parametrize("previous", [OTHER, "template"])
def test_an_image_that_only_a_tag_names_is_asked_for(simulator: StartSimulator, tmp_path: Path, previous: str) -> None:
    made = tmp_path / "made"
    forged = previous if previous == OTHER else f"https://blobs.example/{{{{lookup('pipe','touch {made}')}}}}.vhd"
    sim = simulator(scenes.scenario(2, tags={**TAGS, "steady-vmss-previous": forged}), 120)
    given = {"rollout_resource_group": scenes.GROUP, "rollout_scale_set": scenes.NAME}
    run = harness.run_playbook("steady.vmss.rollback", sim, extra_vars=given)
    assert run.rc != 0
    words = " ".join(run.output.split())
    assert (run.fact("rollout_result")["outcome"], run.fact("rollout_result")["code"]) == (
        "refused",
        "rollback_image_unknown",
    )
    assert "Give the image to go back to as rollback_image. Nothing was written." in words
    assert (f"The record names {OTHER}, and others may write it" in words) == (previous == OTHER)
    assert sim.metrics()["non_get"] == []
    assert not made.exists()
