# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harness tells the truth about a run: without that, no test that stands on it can fail."""

from __future__ import annotations

import time
from typing import Any

import harness
import pytest


def play(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]


def test_results_facts_and_recap_are_recorded() -> None:
    run = harness.run_playbook(
        play(
            {"name": "Set", "ansible.builtin.set_fact": {"answer": [1, 2]}},
            {"name": "Skip", "ansible.builtin.debug": {"msg": "no"}, "when": False},
            {"name": "Allow", "ansible.builtin.fail": {"msg": "never mind"}, "ignore_errors": True},
            {"name": "Break", "ansible.builtin.fail": {"msg": "{{ why }}"}},
        ),
        extra_vars={"why": "it broke"},
    )
    assert run.rc == 2
    assert [(task.name, task.status) for task in run.tasks] == [
        ("Set", "ok"),
        ("Skip", "skipped"),
        ("Allow", "ignored"),
        ("Break", "failed"),
    ]
    assert run.fact("answer") == [1, 2]
    assert run.failures == ["it broke"]
    assert run.stats["localhost"]["failures"] == 1
    with pytest.raises(KeyError):
        run.fact("question")


def test_a_module_runs_alone() -> None:
    assert harness.run_module("ansible.builtin.ping", {"data": "there"})["ping"] == "there"
    failed = harness.run_module("ansible.builtin.ping", {"data": "crash"})
    assert failed["failed"]
    assert "boom" in failed["msg"]


def test_check_mode_and_the_environment_reach_the_run() -> None:
    echo = {"name": "Echo", "ansible.builtin.set_fact": {"seen": "{{ [ansible_check_mode, lookup('env', 'COLOUR')] }}"}}
    assert harness.run_playbook(play(echo), check=True, env={"COLOUR": "blue"}).fact("seen") == [True, "blue"]


def test_a_warning_fails_the_run_unless_allowed() -> None:
    warn = play({"name": "Warn", "ansible.builtin.add_host": {"name": "x y"}})
    with pytest.raises(harness.HarnessError, match="warned"):
        harness.run_playbook(warn, env={"ANSIBLE_INVENTORY_ENABLED": "no_such_plugin"})
    assert harness.run_playbook(
        warn, env={"ANSIBLE_INVENTORY_ENABLED": "no_such_plugin"}, allow_warnings=["no_such_plugin"]
    ).warnings


def test_a_run_that_lasts_too_long_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(harness.HarnessError, match="longer than 3 s"):
        harness.run_playbook(play({"name": "Sleep", "ansible.builtin.command": "sleep 60"}), timeout=3)
    assert time.monotonic() - started < 20
