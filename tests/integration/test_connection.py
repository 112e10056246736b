# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles and playbooks sign in by variables, where the environment names nobody; none of them shows the secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

VARIABLES = {
    "rollout_subscription_id": "AZURE_SUBSCRIPTION_ID",
    "rollout_client_id": "AZURE_CLIENT_ID",
    "rollout_secret": "AZURE_SECRET",
    "rollout_tenant": "AZURE_TENANT",
    "rollout_cloud_environment": "AZURE_CLOUD_ENVIRONMENT",
}
NEW_SETTINGS = {"extension_name": "boot", "extension_settings": {"timestamp": 2}}
NOBODY: dict[str, str | None] = dict.fromkeys([*VARIABLES.values(), "ARM_CLOUD_METADATA_URL"])
SET = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}


def account(azure: harness.Simulator) -> dict[str, str]:
    return {name: azure.environment[variable] for name, variable in VARIABLES.items()}


def hidden(run: harness.Result, secret: str, *places: Path) -> bool:
    """Whether the secret is in nothing that was printed, told to a callback or written below these places."""
    told = json.dumps([task.result for task in run.tasks], default=str)
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return secret not in run.output + told and not [path for path in files if secret.encode() in path.read_bytes()]


def test_a_rollout_that_stops_and_goes_back(simulator: StartSimulator, tmp_path: Path) -> None:
    azure = simulator(scenes.scenario(2))
    given = account(azure)
    check, journal = tmp_path / "check.yml", tmp_path / "journal"
    look = {"resource_group": GROUP, "name": NAME, "instances": False}
    fails = {"name": "Say no", "ansible.builtin.fail": {"msg": "no"}, "when": "rollout_batch.number | int > 1"}
    check.write_text(json.dumps([{"name": "Look", "steady.vmss.scale_set_info": look}, fails]), encoding="utf-8")
    variables = {**given, "rollout_health_check": str(check), "rollout_journal_dir": str(journal)}
    options: dict[str, Any] = {"env": NOBODY, "verbosity": 3}
    stopped = scenes.roll(azure, variables=variables, **options)
    assert stopped.rc != 0 and "Say no" in stopped.output
    assert scenes.versions(azure) == {"0": NEW, "1": NEW}
    commands = stopped.failures[-1].split("ansible-playbook ")[1:]
    assert len(commands) == 2, stopped.failures
    for command in commands:
        assert f"-e rollout_client_id={given['rollout_client_id']} " in command
        assert "-e rollout_secret=... " in command
    where = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}
    back = harness.run_playbook("steady.vmss.rollback", azure, extra_vars={**given, **where}, **options)
    assert (back.rc, back.fact("rollout_result")["outcome"]) == (0, "rolled_back")
    assert scenes.versions(azure) == {"0": OLD, "1": OLD}
    for run in (stopped, back):
        assert hidden(run, given["rollout_secret"], journal)


@pytest.mark.long
def test_every_playbook_of_one_scale_set(simulator: StartSimulator) -> None:
    """Those that are the role rollout are shown above."""
    azure = simulator(scenes.scenario(1, image={**scenes.SERIES, "version": "latest"}))
    given = account(azure)
    playbooks = (
        "status",
        "upgrade_history",
        "cancel_upgrade",
        "disable_automatic_upgrades",
        "enable_automatic_upgrades",
    )
    options: dict[str, Any] = {
        "env": NOBODY,
        "verbosity": 3,
        "check": True,
        "allow_warnings": ["is not among those known"],
    }
    started = {
        name: harness.start_playbook(
            f"steady.vmss.{name}", azure, extra_vars={**SET, **given, **NEW_SETTINGS}, **options
        )
        for name in (*playbooks, "recover_credentials", "trigger_os_upgrade")
    }
    runs = {name: run.wait() for name, run in started.items()}
    for name, run in runs.items():
        modules = [task for task in run.tasks if task.action.startswith("steady.vmss.") and task.status != "skipped"]
        assert modules and all("arm" in task.result for task in modules), (name, run.output)
        assert hidden(run, given["rollout_secret"]), name


def test_what_the_user_says_of_all_modules_holds_beside(simulator: StartSimulator) -> None:
    azure = simulator(scenes.scenario(1))
    given = account(azure)
    of_all = {name.removeprefix("rollout_"): value for name, value in given.items()}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/steady.vmss.all": {**of_all, "subscription_id": "another"}},
        "roles": ["steady.vmss.rollout"],
    }
    variables = {"rollout_subscription_id": given["rollout_subscription_id"], "rollout_client_id": ""}
    run = scenes.roll(azure, [play], variables=variables, env=NOBODY)  # type: ignore[arg-type]
    assert (run.rc, scenes.versions(azure)) == (0, {"0": NEW}), run.output
