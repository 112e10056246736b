# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many cases in one run of ansible-playbook: a host is a case, and its variables are what it is given."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import harness

ROLE = {"name": "Roll out", "ansible.builtin.include_role": {"name": "steady.vmss.rollout"}}


def roll_out(
    sim: harness.Simulator, cases: Mapping[str, Mapping[str, Any]], **options: Any
) -> dict[str, harness.Result]:
    """The role with each case's variables; the rest is `run_playbook`'s. Results by case."""
    return run(sim, ROLE, cases, **options)


def run_module(
    sim: harness.Simulator, name: str, cases: Mapping[str, Mapping[str, Any]], **options: Any
) -> dict[str, harness.Result]:
    """The module with each case's options."""
    known = sorted({option for case in cases.values() for option in case})
    arguments = {option: f"{{{{ given.{option} | default(omit) }}}}" for option in known}
    task = {"name": "Run", f"steady.vmss.{name}": arguments}
    return run(sim, task, {case: {"given": dict(given)} for case, given in cases.items()}, **options)


def run_playbook(
    sim: harness.Simulator, playbook: str, cases: Mapping[str, Mapping[str, Any]], **options: Any
) -> dict[str, harness.Result]:
    """A playbook of the collection's, which is for localhost, with each case's variables: a run a case, 3 at a time."""

    def one(variables: Mapping[str, Any]) -> harness.Result:
        return harness.run_playbook(f"steady.vmss.{playbook}", sim, extra_vars=variables, **options)

    with ThreadPoolExecutor(3) as workers:
        return dict(zip(cases, workers.map(one, cases.values()), strict=True))


def run(
    sim: harness.Simulator, task: Mapping[str, Any], cases: Mapping[str, Mapping[str, Any]], **options: Any
) -> dict[str, harness.Result]:
    """The task on each case, all in one run. A case's result holds its own tasks; its `rc` is 0 or 2."""
    directory = Path(tempfile.mkdtemp(prefix="cases-"))
    inventory = directory / "inventory.json"
    hosts = {case: dict(variables) for case, variables in cases.items()}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "strategy": "free", "tasks": [dict(task)]}
    play |= {
        "module_defaults": {"group/steady.vmss.all": {"subscription_id": "{{ subscription | default(omit) }}"}},
        "collections": ["steady.vmss"],
    }
    whole = harness.run_playbook([play], sim, inventory=inventory, directory=directory, **options)
    assert whole.stats, whole.output
    return {
        case: replace(
            whole,
            rc=2 if whole.stats[case]["failures"] or whole.stats[case]["unreachable"] else 0,
            tasks=[found for found in whole.tasks if found.host == case],
        )
        for case in cases
    }
