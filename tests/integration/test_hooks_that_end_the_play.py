# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task file may end the play so that no role can react: nothing more is upgraded, and the same command continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import scenes
from scenes import StartSimulator
from test_hooks import ROLLOUT, hook, model_version

UNREACHABLE = {
    "name": "Look into the instance",
    "ansible.builtin.command": "true",
    "delegate_to": "nowhere.invalid",
    "vars": {"ansible_connection": "ssh"},
}
END_HOST = {"name": "Leave", "ansible.builtin.meta": "end_host"}


@pytest.mark.long
@pytest.mark.parametrize("task", [UNREACHABLE, END_HOST], ids=["unreachable", "end_host"])
def test_the_same_command_continues(simulator: StartSimulator, tmp_path: Path, task: dict[str, Any]) -> None:
    playbook = hook(tmp_path / "roll.yml", *ROLLOUT)
    check = hook(tmp_path / "check.yml", task)
    sim = simulator(scenes.scenario(2), 120)
    first = scenes.roll(sim, str(playbook), variables={"rollout_health_check": str(check)})
    upgraded = [i for batch in scenes.judged(sim)["ran"] for i in batch]
    assert len(upgraded) == 1, first.output
    assert model_version(sim) == scenes.NEW, "no task of the role can set the model back"

    hook(tmp_path / "check.yml", {"name": "Look again", "ansible.builtin.debug": {"msg": "well"}})
    again = scenes.roll(sim, str(playbook), variables={"rollout_health_check": str(check)})
    assert again.rc == 0, again.output
    assert len(again.named("Look again")) == 2, "the batch that was not checked is checked first"
    assert sorted(i for batch in scenes.judged(sim)["ran"] for i in batch) == ["0", "1"]
