# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's task files: found where users keep them, shown the batch, and able to stop the rollout."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
import yaml
from scenes import StartSimulator

FAILS = {"name": "Ask the shop", "ansible.builtin.fail": {"msg": "the shop answers 503"}}
ROLLOUT = [{"hosts": "localhost", "gather_facts": False, "roles": ["steady.vmss.rollout"]}]


def hook(path: Path, *tasks: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")  # JSON is YAML
    return path


def note(what: str) -> dict[str, Any]:
    """A task that remembers what the hook was shown."""
    return {"name": f"Note {what}", "ansible.builtin.debug": {"var": "rollout_batch"}}


def noted(run: harness.Result, what: str) -> list[dict[str, Any]]:
    return [task.result["rollout_batch"] for task in run.named(f"Note {what}")]


def model_version(sim: harness.Simulator) -> str:
    profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]
    version: str = profile["storageProfile"]["imageReference"]["version"]
    return version


def test_task_files_see_the_batch_before_and_after_it(simulator: StartSimulator, tmp_path: Path) -> None:
    """One lies beside the playbook, one where Ansible was started, one is named by its whole path."""
    project, started_in, elsewhere = (tmp_path / name for name in ("project", "started in", "elsewhere"))
    hook(project / "tasks" / "drain.yml", note("before"))
    hook(started_in / "drain.yml", {"name": "The wrong file", "ansible.builtin.fail": {"msg": "wrong"}})
    hook(started_in / "check.yml", note("check"))
    after = hook(elsewhere / "resume.yml", note("after"))
    playbook = hook(project / "roll.yml", *ROLLOUT)
    sim = simulator(scenes.scenario(3, zones=["1", "2"], tags={"environment": "production"}), 120)
    run = scenes.roll(
        sim,
        str(playbook),
        directory=started_in,
        variables={
            "rollout_before_batch": "tasks/drain.yml",
            "rollout_health_check": "check.yml",
            "rollout_after_batch": str(after),
            "rollout_pause": 1,
        },
    )
    assert run.rc == 0, run.output

    instances = scenes.truth(sim)["instances"]
    ran = scenes.judged(sim)["ran"]
    assert sorted(i for batch in ran for i in batch) == sorted(instances) == ["0", "1", "2"]
    for what in ("before", "check", "after"):
        shown = noted(run, what)
        assert [batch["number"] for batch in shown] == [1, 2, 3], what
        assert [[i["instance_id"] for i in batch["instances"]] for batch in shown] == ran, what
    for batch in noted(run, "before"):
        for shown in batch["instances"]:
            true = instances[shown["instance_id"]]
            assert shown["name"] == f"web_{shown['instance_id']}"
            for member in ("computer_name", "zone", "update_domain", "fault_domain"):
                assert shown[member] == true[member]
            assert shown["addresses"] == [f"10.0.0.{4 + int(shown['instance_id'])}"]
            assert batch["label"] == f"zone {true['zone']}, update domain {true['update_domain']}"
    addresses = [i["addresses"][0] for batch in noted(run, "before") for i in batch["instances"]]
    assert len(set(addresses)) == 3

    # Each batch in this order, its upgrade between the first two; a pause between two batches.
    steps = [task for task in run.tasks if task.status in ("ok", "skipped")]
    steps = [task for task in steps if "Note" in task.name or task.action == "steady.vmss.rollout"]
    each = ["Note before", "The next part", "Note check", "The next part", "Note after", "The next part"]
    expected = ["Roll out", *each * 3]
    assert [task.status for task in steps] == ["ok"] * len(expected)
    assert all(word in task.name for word, task in zip(expected, steps, strict=True)), [task.name for task in steps]
    assert "skipping" not in run.stdout
    batches = scenes.judged(sim)["batches"]
    assert all(later["started"] - earlier["ended"] >= 120 for earlier, later in itertools.pairwise(batches))


def stopped_by(sim: harness.Simulator, path: Path, name: str, **variables: Any) -> tuple[harness.Result, str]:
    """A rollout that the user's failing task file ended, and its last words."""
    run = scenes.roll(sim, variables={f"rollout_{name}": str(hook(path, FAILS)), **variables})
    assert run.rc == 2, run.output
    message = run.failures[-1]
    for word in (
        "Ask the shop",
        "the shop answers 503",
        "scale set web (resource group shop)",
        scenes.NEW,
        "instance 0",
    ):
        assert word in message
    # The command that goes on obeys the same rules as the run that stopped.
    command = shlex.split(message.partition("Continue, once the cause is fixed: ")[2].partition(" Roll back: ")[0])
    assert command[:2] == ["ansible-playbook", "steady.vmss.upgrade_image"]
    assert command[2::2] == ["-e"] * (len(command) // 2 - 1)
    given = [yaml.safe_load(text) if text.startswith("{") else dict([text.split("=", 1)]) for text in command[3::2]]
    assert {key: value for one in given for key, value in one.items()} == {
        "rollout_resource_group": scenes.GROUP,
        "rollout_scale_set": scenes.NAME,
        "rollout_image": ":".join([*scenes.SERIES.values(), scenes.NEW]),
        f"rollout_{name}": str(path),
        **{key: str(value) for key, value in variables.items()},
    }
    assert run.fact("rollout_result")["outcome"] == "stopped"
    return run, message


def test_a_failing_health_check_stops_and_the_model_goes_back(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(scenes.scenario(3), 120)
    run, message = stopped_by(sim, tmp_path / "the check (prod).yml", "health_check", rollout_max_unavailable=1)
    assert scenes.judged(sim)["ran"] == [["0"]]  # the one whose check failed, and no other
    assert scenes.versions(sim) == {"0": scenes.NEW, "1": scenes.OLD, "2": scenes.OLD}
    assert model_version(sim) == scenes.OLD
    assert re.search(r"The model names the previous image \S+ again", message)
    result = run.fact("rollout_result")
    assert list(result["instances"]) == ["0"]
    assert result["arm"]["calls"] == sim.metrics()["arm_calls"]


@pytest.mark.both_ends
def test_a_failing_task_before_the_batch_stops_and_the_model_may_be_kept(
    simulator: StartSimulator, tmp_path: Path
) -> None:
    sim = simulator(scenes.scenario(2), 120)
    _run, message = stopped_by(sim, tmp_path / "drain.yml", "before_batch", rollout_keep_model=True)
    assert scenes.judged(sim)["ran"] == []
    assert model_version(sim) == scenes.NEW
    assert "The model keeps the new image" in message
    operations = [call["operation"] for call in sim.metrics()["non_get"]]
    assert operations == ["VirtualMachineScaleSets_Update"] * 2  # the image with its record, and how it ended


@pytest.mark.long
def test_only_the_batch_whose_check_failed_is_put_back(simulator: StartSimulator, tmp_path: Path) -> None:
    """What failed before batch 2 blames nobody, and what fails after it blames that batch alone."""
    variables = {"rollout_max_unavailable": 1, "rollout_canary": 0, "rollout_on_failure": "rollback_failed"}
    fails = {**FAILS, "when": "rollout_batch.number == 2"}
    for name, left in (("before_batch", ["0"]), ("health_check", ["0"])):
        sim = simulator(scenes.scenario(3), 120)
        run = scenes.roll(sim, variables={**variables, f"rollout_{name}": str(hook(tmp_path / f"{name}.yml", fails))})
        assert [i for i, version in scenes.versions(sim).items() if version == scenes.NEW] == left, name
        outcome = "stopped" if name == "before_batch" else "rolled_back"
        assert run.fact("rollout_result")["outcome"] == outcome, run.failures
        assert model_version(sim) == scenes.OLD


HIDDEN = [
    {**FAILS, "no_log": True},
    {**FAILS, "no_log": "{{ rollout_scale_set == 'web' }}", "loop": [1, 2]},
    {**FAILS, "no_log": "{{ item == 1 }}", "loop": [1]},
    {"block": [FAILS], "no_log": True},
]


@pytest.mark.long
@pytest.mark.parametrize("task", HIDDEN)
def test_of_a_task_that_is_no_log_only_its_name_is_told(
    simulator: StartSimulator, tmp_path: Path, task: dict[str, Any]
) -> None:
    run = scenes.roll(
        simulator(scenes.scenario(2), 120), variables={"rollout_health_check": str(hook(tmp_path / "check.yml", task))}
    )
    assert run.rc == 2 and "your task 'Ask the shop' failed, and its message is not shown" in run.failures[-1]
    assert "Scale set web (resource group shop) as last read at 20" in run.failures[-1]
    assert "503" not in run.failures[-1] + str(run.fact("rollout_result"))  # Ansible itself says more


@pytest.mark.long
def test_who_is_gone_keeps_nobody_from_being_put_back(simulator: StartSimulator, tmp_path: Path) -> None:
    gone = {"when": {"upgraded": 2}, "do": "remove", "instance": "0", "scale_in": True, "seconds": 0}
    sim = simulator(scenes.scenario(3, events=[gone]), 120)
    check = hook(tmp_path / "check.yml", {**FAILS, "when": "rollout_batch.number == 2"})
    variables = {"rollout_max_unavailable": 1, "rollout_canary": 0, "rollout_on_failure": "rollback_all"}
    run = scenes.roll(sim, variables={**variables, "rollout_health_check": str(check)})
    assert run.fact("rollout_result")["outcome"] == "rolled_back", run.failures
    assert scenes.versions(sim) == {"1": scenes.OLD, "2": scenes.OLD}


def test_a_task_file_that_is_not_there_is_refused_before_anything_is_read(simulator: StartSimulator) -> None:
    """Not even where the role has a file of that name: a hook never comes from the collection."""
    sim = simulator(scenes.scenario(2), 120)
    for name in ("absent.yml", "batch.yml"):
        run = scenes.roll(sim, variables={"rollout_health_check": name})
        assert run.rc == 2, run.output
        for word in (f"rollout_health_check = {name}: there is no such file in", "Nothing was written"):
            assert word in run.failures[-1]
        assert sim.metrics()["arm_calls"] == 0


@pytest.mark.long
def test_hooks_run_around_each_batch_also_when_the_first_had_to_be_waited_for(
    simulator: StartSimulator, tmp_path: Path
) -> None:
    """A protected instance is sick and uses up what may be unavailable, until it recovers."""
    sick = {"health": "unhealthy", "protect_scale_in": True, "protect_actions": True}
    recovers = {"when": {"calls": {"VirtualMachineScaleSetVMs_List": 2}}, "do": "healthy", "instance": "1"}
    sim = simulator(scenes.scenario(3, update_domains=1, instances={"1": sick}, events=[recovers]), 120)
    drain = hook(tmp_path / "drain.yml", note("before"))
    run = scenes.roll(sim, variables={"rollout_before_batch": str(drain), "rollout_max_unavailable": 1})
    assert run.rc == 0, run.output
    assert [[i["instance_id"] for i in batch["instances"]] for batch in noted(run, "before")] == [["0"], ["2"]]
    assert [batch["number"] for batch in noted(run, "before")] == [1, 2]
    assert scenes.judged(sim)["ran"] == [["0"], ["2"]]
    assert scenes.judged(sim)["unavailable"]["max"] == 1


@pytest.mark.parametrize(
    ("which", "role"),
    [("before_batch", "rollout"), ("on_failure_tasks", "rollback"), ("after", "azure_rolling_upgrade")],
)
def test_no_role_takes_the_place_of_the_rollout_that_runs_it(
    which: str, role: str, simulator: StartSimulator, tmp_path: Path
) -> None:
    """Its results, variables and end would be those of the other one."""
    other = {"name": "Roll another set", "ansible.builtin.include_role": {"name": f"steady.vmss.{role}"}}
    variables = {"rollout_scale_set": "api", f"rollout_{which}": ""}
    files = {f"rollout_{which}": str(hook(tmp_path / "other.yml", {**other, "vars": variables}))}
    if which == "on_failure_tasks":
        files["rollout_health_check"] = str(hook(tmp_path / "check.yml", FAILS))
    sets = [scenes.scale_set(2), scenes.scale_set(2, name="api")]
    sim = simulator(scenes.several(*sets), 120)
    given = {"rollout_resource_group": "shop", "rollout_scale_set": "web", "rollout_image": {"version": scenes.NEW}}
    plays = [
        {"hosts": "localhost", "gather_facts": False, "vars": {**given, **files}, "roles": ["steady.vmss.rollout"]}
    ]
    run = harness.run_playbook(plays, sim)
    assert run.rc == 2, run.output
    assert "The rollout of" in run.failures[-1] and "scale set web" in run.failures[-1], run.output
    assert "rollout_nested" in run.failures[-1] and "in a play of its own" in run.failures[-1]
    assert run.fact("rollout_result")["outcome"] == "stopped" and model_version(sim) == scenes.OLD
    assert set(scenes.versions(sim, "api").values()) == {scenes.OLD}
