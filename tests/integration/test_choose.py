# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook upgrade_instances without a choice asks for rows of the map, where somebody sits at a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import harness
import pytest
import replay
import scenes
from scenes import StartSimulator

QUESTION = "Which rows to upgrade, such as 1,3-4? None with Enter:"


@pytest.mark.parametrize(
    ("answer", "upgraded", "said"),
    [("2\r", "1", ""), ("\r", "", "Choose instances with"), ("7\r", "", "'7' is no row of the map; there are 1 to 2")],
)
def test_the_rows_are_asked_for(
    simulator: StartSimulator, tmp_path: Path, answer: str, upgraded: str, said: str
) -> None:
    sim = simulator(scenes.scenario(2, update_domains=2), 240)
    variables = {"rollout_resource_group": scenes.GROUP, "rollout_scale_set": scenes.NAME, "rollout_image": scenes.NEW}
    (tmp_path / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    env = {**harness.environment(sim, tmp_path), "TERM": "xterm"}
    seen = replay.watch(
        Path("steady.vmss.upgrade_instances"),
        tmp_path,
        env=env,
        answers={QUESTION: answer},
        arguments=("-e", f"@{tmp_path / 'variables.json'}"),
    )
    assert "  2  UD 1  o1" in seen.output and QUESTION in seen.output, seen.output
    assert (seen.rc == 0) == (not said) and said in seen.output.replace("\r\n", " "), seen.output
    assert {key for key, version in scenes.versions(sim).items() if version == scenes.NEW} == {*upgraded}
