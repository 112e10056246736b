# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugin of the module rollout decides on the controller."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.vmss.plugins.action import rollout
from ansible_collections.steady.vmss.plugins.plugin_utils import _tied
from ansible_collections.steady.vmss.plugins.plugin_utils._variables import options_of

SET = {"resource_group": "shop", "name": "web"}
FAILED = {"msg": "the shop answers 503", "failed": True}


def plugin() -> Any:
    action = object.__new__(rollout.ActionModule)
    action._loader = DataLoader()
    action._connection = SimpleNamespace(transport="local", become=None)
    action._task = SimpleNamespace(async_val=0, check_mode=False, no_log=False)
    return action


def test_a_task_file_is_looked_for_where_users_keep_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, started_in, elsewhere = (tmp_path / name for name in ("project", "started in", "elsewhere"))
    for place, name in (
        (project, "drain.yml"),
        (started_in, "drain.yml"),
        (started_in, "check.yml"),
        (elsewhere, "a.yml"),
    ):
        place.mkdir(exist_ok=True)
        (place / name).write_text("[]", encoding="utf-8")
    monkeypatch.chdir(started_in)
    args = {**SET, "before_batch": "drain.yml", "health_check": "check.yml", "after": str(elsewhere / "a.yml")}
    assert plugin().found(args, {"playbook_dir": str(project)}) is None
    found = {name: args[name] for name in ("before_batch", "health_check", "after")}
    assert found == {
        "before_batch": str(project / "drain.yml"),
        "health_check": str(started_in / "check.yml"),
        "after": str(elsewhere / "a.yml"),
    }


@pytest.mark.parametrize("name", ["absent.yml", "main.yml", "roles/rollout/tasks/main.yml"])
def test_a_task_file_that_is_not_there_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where this collection has a file of that name."""
    monkeypatch.chdir(tmp_path)
    said = plugin().found({**SET, "health_check": name}, {"playbook_dir": str(rollout.COLLECTION / "playbooks")})
    assert said is not None and said[0] == "hook_not_found"
    assert f"rollout_health_check = {name}: there is no such file in {tmp_path}. Give the path of" in said[1]


def test_a_playbook_is_no_task_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drain.yml").write_text("- hosts: all\n", encoding="utf-8")
    code, said = plugin().found({**SET, "before_batch": "drain.yml"}, {}) or ("", "")
    assert code == "option_invalid" and said.startswith("rollout_before_batch = drain.yml: this file is a playbook")


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ({"outcome": "done"}, {"outcome": "done"}),
        ({"outcome": "failed", "task": "Ask", "hidden": False, "result": FAILED}, "the shop answers 503"),
        ({"outcome": "failed", "task": "Ask", "hidden": True, "result": FAILED}, None),
        ({"outcome": "failed", "task": "Ask", "hidden": False, "result": {}}, "it gave no message"),
        (
            {"outcome": "failed", "task": "Ask", "hidden": False, "result": {"results": [{"msg": "well"}, FAILED]}},
            "the shop answers 503",
        ),
    ],
)
def test_how_a_task_file_ended_is_told_without_what_is_no_log(hook: dict[str, Any], told: Any) -> None:
    expected = told if isinstance(told, dict) else {"outcome": "failed", "task": "Ask", "words": told}
    assert rollout.ended(hook) == expected


@pytest.mark.parametrize(
    ("extra", "beaten"),
    [
        ({"rollout_image": {"version": "2"}, "rollout_instance_ids": "0"}, ["rollout_image", "rollout_instance_ids"]),
        ({"rollout_image": ""}, ["rollout_image"]),
        ({"rollout_scale_set": "other", "rollout_keep_model": "false"}, ["rollout_scale_set", "rollout_keep_model"]),
        ({"rollout_take_over": "yes", "rollout_instance_ids": ""}, []),
        ({"rollout_max_unavailable": "1"}, []),
    ],
)
def test_a_rollback_is_not_what_extra_variables_of_a_rollout_say(
    extra: dict[str, Any], beaten: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "load_extra_vars", lambda _loader: extra)
    said = plugin().overridden({**SET, "back": True, "image": {"version": "1"}})
    assert (said is not None) == bool(beaten)
    assert said is None or (said[0] == "variables_overridden" and all(name in said[1] for name in beaten))
    assert plugin().overridden({**SET, "image": {"version": "1"}}) is None


def test_a_module_that_was_killed_alone_is_let_come_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def execute(_self: Any, args: dict[str, Any], _task_vars: Any) -> dict[str, Any]:
        calls.append(dict(args))
        if len(calls) == 1:
            Path(args["work_dir"], "memory.json").write_text(json.dumps({"version": 1}), encoding="utf-8")
            return {"failed": True, "module_stdout": "", "rc": -9}
        return {"failed": True, "code": "task_failed", "msg": "It died.", "rollout_result": {"outcome": "rolled_back"}}

    monkeypatch.setattr(_tied.ActionModule, "execute", execute)
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    result = plugin().execute({**SET}, {})
    assert [call.get("died") for call in calls] == [None, True] and calls[1]["memory"] == {"version": 1}
    assert result["failure"] == "task_failed: It died." and result["rollout_result"]["outcome"] == "rolled_back"
    assert not Path(calls[0]["work_dir"]).exists()


def test_what_ansible_itself_refuses_has_a_result_too() -> None:
    said = "argument 'health_timeout' is of type str and we were unable to convert to float: soon"
    found = rollout.with_result({"failed": True, "msg": said})
    assert (found["code"], found["rollout_result"]["outcome"], found["next"]) == ("option_invalid", "refused", None)
    named = rollout.with_result({"failed": True, "msg": said}, {"health_timeout": "soon"})
    assert named["failure"] == (
        "option_invalid: rollout_health_timeout is 'soon', but must be a number. Nothing was written."
    )
    assert rollout.with_result({"changed": True})["failure"] == ""


@pytest.mark.parametrize("chosen", [{}, {"zones": []}, {"zones": ["1"]}, {"instance_ids": ["0"]}])
def test_all_instances_are_never_the_chosen_ones(chosen: dict[str, Any]) -> None:
    args = {**SET, "chosen": True, **chosen}
    said = rollout.unchosen(args)
    assert args == {**SET, **chosen}, "the module is not told"
    assert (said is None) == any(chosen.values()) and (said is None or said[0] == "option_invalid")
    assert rollout.unchosen({**SET}) is None


def options(module: str, variables: dict[str, Any], **more: Any) -> dict[str, Any]:
    return options_of(module, lambda name: variables.get(name, ""), **more)


def test_the_options_of_a_module_are_those_that_the_variables_say() -> None:
    variables = {
        "rollout_resource_group": "shop",
        "rollout_scale_set": "web",
        "rollout_image": {"version": "2"},
        "rollout_instance_ids": "0,5",
        "rollout_zones": "",
        "rollout_max_unavailable": 3,
        "rollout_canary": 0,
        "rollout_keep_model": False,
        "rollout_journal_dir": "",
        "rollout_memory": {"version": 1},
        "rollout_back": True,
        "rollout_subscription_id": "s",
    }
    assert options("rollout", variables) == {
        **SET,
        "image": {"version": "2"},
        "instance_ids": ["0", "5"],
        "max_unavailable": "3",
        "canary": 0,
        "keep_model": False,
    }
    back = {**variables, "rollback_resource_group": "shop", "rollback_scale_set": "web", "rollback_image": "1"}
    assert options("rollout", back, back=True) == {
        **SET,
        "back": True,
        "image": "1",
        "max_unavailable": "3",
        "canary": 0,
    }
    only_old = {"rollback_resource_group": "shop", "rollback_scale_set": "web"}
    assert options("rollout", only_old, back=True) == {**SET, "back": True}
    both = {**variables, "rollback_resource_group": "old", "rollback_scale_set": "old"}
    assert options("rollout", both, only=[*SET], back=True) == {**SET, "back": True}
    waits = options("instance_upgrade", variables, only=["max_unavailable"])
    assert waits == {"max_unavailable": "3"}
    azures = options(
        "rolling_upgrade", {**variables, "azure_rolling_upgrade_timeout": "9"}, prefix="azure_rolling_upgrade"
    )
    assert azures == {**SET, "timeout": "9"}
    for name, given in (("rollout", "web"), ("azure_rolling_upgrade", "old")):
        place = {"azure_rolling_upgrade_scale_set": "old", f"{name}_scale_set": given}
        found = options("rolling_upgrade", place, only=["name"], prefix="azure_rolling_upgrade")
        assert found == {"name": given}
    source = {"health_monitor_source": "", "health_monitor_port": "80", "health_monitor_name": "web"}
    assert options("automatic_upgrades.health_monitor", source, prefix="health_monitor") == {"port": "80"}
    members = {"upgrade_policy_disable_automatic_rollback": False, "upgrade_policy_use_rolling_upgrade_policy": ""}
    policy = options("automatic_upgrades.automatic_os_upgrade_policy", members, prefix="upgrade_policy")
    assert policy == {"disable_automatic_rollback": False}


@pytest.mark.parametrize(
    "memory", [3, {}, {"rules": None}, {"rules": {"asked": None}}, {"rules": {"asked": []}}], ids=str
)
def test_a_broken_memory_is_for_the_module_to_refuse(memory: Any) -> None:
    args = {**SET, "memory": memory, "max_unavailable": "100%"}
    assert rollout.kept(args) == args


def test_a_later_call_has_the_sign_in_and_the_place_of_the_first() -> None:
    asked = {**SET, "max_unavailable": "1", "journal_dir": None}
    later = {**SET, "name": "api", "max_unavailable": "100%", "secret": "s", "memory": {"rules": {"asked": asked}}}
    assert rollout.kept(later) == {**SET, "secret": "s", "memory": later["memory"]}
