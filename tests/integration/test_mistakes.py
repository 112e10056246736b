# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody gets wrong in a terminal is answered by one helpful sentence, before Azure is asked anything."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
import side_by_side
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

SET = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}
PLAYBOOKS = sorted(path.stem for path in (harness.CHECKOUT / "playbooks").glob("*.yml"))
# Of each playbook a variable that is misspelled, and the one that was meant.
MISSPELLED = {
    "upgrade_image": ({"rollout_imagee": "latest"}, "rollout_image"),
    "upgrade_instances": ({"rollout_zones": "1", "rollout_max_unavailble": "3"}, "rollout_max_unavailable"),
    "rollback": ({"rollback_imag": "latest"}, "rollback_image"),
    "trigger_os_upgrade": ({"azure_rolling_upgrade_on_failur": "stop"}, "azure_rolling_upgrade_on_failure"),
    "cancel_upgrade": ({"azure_rolling_upgrade_time_out": "3"}, "azure_rolling_upgrade_timeout"),
    "plan": ({"rollout_seconds_per_instanc": "60"}, "rollout_seconds_per_instance"),
    "upgrade_history": ({"rollout_subscripton_id": "s"}, "rollout_subscription_id"),
    "status": ({"rollout_images": "latest"}, "rollout_image"),
    "enable_automatic_upgrades": ({"health_monitor_sourse": "tcp"}, "health_monitor_source"),
    "disable_automatic_upgrades": ({"rollout_upgrade_mod": "Manual"}, "rollout_upgrade_mode"),
    "recover_credentials": (
        {"extension_name": "boot", "extension_settings": {"a": 1}, "extension_force_update_tags": "x"},
        "extension_force_update_tag",
    ),
}


def said(run: harness.Result) -> str:
    """The one sentence that the run failed with."""
    assert run.rc != 0, run.output
    assert len(run.failures) in (1, 2), run.failures  # a role says what its module has said
    words = run.failures[-1]
    assert "argument_spec_data" not in run.output and "Traceback" not in run.output, run.output
    assert len(words) < 500 and "\n" not in words, words
    return words


def untouched(sim: harness.Simulator) -> bool:
    return not sim.metrics()["by_action"]


FEW = ("status", "trigger_os_upgrade", "upgrade_image")  # by an action plugin alone, by each of the roles


@pytest.mark.parametrize("playbooks", [FEW, pytest.param(tuple({*PLAYBOOKS} - {*FEW}), marks=pytest.mark.long)])
def test_every_playbook_refuses_a_variable_that_it_does_not_know(
    simulator: StartSimulator, playbooks: tuple[str, ...]
) -> None:
    assert sorted(MISSPELLED) == PLAYBOOKS
    sim = simulator(scenes.scenario(1))
    for playbook in playbooks:
        given, meant = MISSPELLED[playbook]
        wrong = list(given)[-1]
        words = said(harness.run_playbook(f"steady.vmss.{playbook}", sim, extra_vars={**SET, **given}))
        assert f"{wrong} is no variable of steady.vmss; did you mean {meant}?" in words, (playbook, words)
        assert "Nothing was written." in words, playbook
    assert untouched(sim)


OF_A_SET = tuple({*PLAYBOOKS} - {"status"})  # which shows all of a resource group


@pytest.mark.parametrize("playbooks", [FEW[1:], pytest.param(OF_A_SET, marks=pytest.mark.long)])
def test_every_playbook_without_a_scale_set_asks_for_it(simulator: StartSimulator, playbooks: tuple[str, ...]) -> None:
    sim = simulator(scenes.scenario(1))
    more: dict[str, Any] = {
        "upgrade_instances": {"rollout_zones": "1"},
        "recover_credentials": {"extension_name": "boot", "extension_settings": {"a": 1}},
    }
    for playbook in playbooks:
        given = {"rollout_resource_group": GROUP, **more.get(playbook, {})}
        words = said(harness.run_playbook(f"steady.vmss.{playbook}", sim, extra_vars=given))
        assert "rollout_scale_set is not set" in words and "-e rollout_scale_set=" in words, (playbook, words)
    assert untouched(sim)


def test_a_value_of_the_wrong_type_is_one_sentence(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1))
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "a list": ({"rollout_canary": [1]}, "rollout_canary"),
        "a dictionary": ({"rollout_pause": {"a": 1}}, "rollout_pause"),
        "a word": ({"rollout_on_failure": "rollback"}, "rollout_on_failure"),
        "another word": ({"rollout_unproven": "yes"}, "rollout_unproven"),
        "a percent": ({"rollout_canary": "50%"}, "rollout_canary is '50%', but must be a whole number"),
        "a negative number": ({"rollout_healthy_for": "-3"}, "rollout_healthy_for is -3, but must be 0 or more"),
        "no limit": ({"rollout_max_unavailable": "a lot"}, "rollout_max_unavailable 'a lot' is neither a number"),
        "a file": ({"rollout_journal_dir": __file__}, f"rollout_journal_dir '{__file__}' cannot be used"),
    }
    runs = side_by_side.roll_out(sim, {case: {**SET, **given} for case, (given, _name) in cases.items()})
    for case, (_given, name) in cases.items():
        words = said(runs[case])
        assert words.count(name) == 1 and words.count("Nothing was written.") == 1, (case, words)
    assert untouched(sim)


DEPRECATED = ("are deprecated. Use rollout_", "Deprecation warnings can be disabled")
OLD_NAMES = {"rollback_resource_group": GROUP, "rollback_scale_set": NAME}


def test_the_old_names_go_on_working_and_say_the_new_ones(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, update_domains=1), 240)
    image = {"rollback_image": {"version": NEW}}
    new = harness.run_playbook("steady.vmss.rollback", sim, extra_vars={**SET, **image}, check=True)
    assert new.rc == 0, new.output
    assert new.fact("rollout_result")["batches"]
    old = harness.run_playbook(
        "steady.vmss.rollback", sim, extra_vars={**OLD_NAMES, **image}, check=True, allow_warnings=DEPRECATED
    )
    assert (old.rc, old.fact("rollout_result")["batches"]) == (0, new.fact("rollout_result")["batches"]), old.output
    told = "rollback_resource_group and rollback_scale_set are deprecated. Use rollout_resource_group and rollout_scale"
    assert old.stderr.count(told) == 1

    def by_azure(**place: str) -> harness.Result:
        role = {"role": "steady.vmss.azure_rolling_upgrade", "vars": place}
        play = [{"hosts": "localhost", "gather_facts": False, "roles": [role]}]
        return harness.run_playbook(play, azures, check=True, allow_warnings=DEPRECATED)

    azures = simulator(scenes.scenario(2, image={**scenes.SERIES, "version": "latest"}, running=OLD))
    place = {"resource_group": GROUP, "scale_set": NAME}
    runs = [
        by_azure(**{f"{prefix}_{name}": value for name, value in place.items()})
        for prefix in ("rollout", "azure_rolling_upgrade")
    ]
    assert [run.rc for run in runs] == [0, 0], [run.output for run in runs]
    told = "azure_rolling_upgrade_resource_group and azure_rolling_upgrade_scale_set are deprecated"
    assert [run.stderr.count(told) for run in runs] == [0, 1]


ROLE = {"ansible.builtin.include_role": {"name": "steady.vmss.rollout"}, "name": "Roll out"}


@pytest.mark.parametrize(
    ("task", "rolls"), [(ROLE, False), ({**ROLE, "run_once": True}, True)], ids=["on each host", "once"]
)
def test_a_play_of_many_hosts_does_not_roll_the_set_once_per_host(
    simulator: StartSimulator, tmp_path: Path, task: dict[str, Any], rolls: bool
) -> None:
    sim = simulator(scenes.scenario(1))
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"web1": {}, "web2": {}, "web3": {}}}}), encoding="utf-8")
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "vars": SET, "tasks": [task]}
    run = harness.run_playbook([play], sim, inventory=inventory, check=True)
    assert (run.rc == 0) == rolls, run.output
    assert len(run.of("steady.vmss.rollout")) == (1 if rolls else 3)
    if not rolls:
        for words in run.failures:
            assert "once for each of the hosts web1, web2, web3" in words and "hosts: localhost" in words, words
        assert untouched(sim)


def old_python() -> Path | None:
    """One that Ansible still takes, where this machine has it."""
    places = [*Path.home().glob(".pyenv/versions/3.9.*/bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    return next((place / "python3.9" for place in places if (place / "python3.9").is_file()), None)


@pytest.mark.skipif(old_python() is None, reason="there is no Python 3.9 here")
def test_an_old_python_is_one_sentence() -> None:
    given = {"ansible_python_interpreter": str(old_python())}
    for module in ("scale_set_info", "image"):
        done = harness.run_module(module, {"resource_group": GROUP, "name": NAME}, extra_vars=given)
        assert done["failed"] and done.get("code") == "requirements_missing", done
        assert "needs Python 3.10 or newer" in done["msg"] and "ansible_python_interpreter" in done["msg"]
        assert "Traceback" not in str(done)


def test_an_old_ansible_core_is_one_sentence(tmp_path: Path) -> None:
    """Only the release that it gives itself is old here: what it lacks the play would find somewhere in the middle."""
    release = "import ansible.release\nansible.release.__version__ = '2.16.19'\n"
    (tmp_path / "sitecustomize.py").write_text(release, encoding="utf-8")
    run = harness.run_playbook(
        "steady.vmss.status",
        extra_vars=SET,
        env={"PYTHONPATH": str(tmp_path)},
        allow_warnings=["does not support Ansible version 2.16.19"],
    )
    words = said(run)
    assert "needs ansible-core 2.20 or newer, but this play is run by ansible-core 2.16.19" in words
    found = re.search(r"2\.16\.19 in (\S+)\. Upgrade it: (\S+) -m pip install 'ansible-core>=2\.20'", words)
    assert found and found[1] == found[2] and Path(found[1]).samefile(sys.executable), words


def test_an_old_package_is_one_sentence(tmp_path: Path) -> None:
    """pip's own record says what is installed, and the first one on the path counts."""
    record = tmp_path / "azure_mgmt_compute-30.6.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: azure-mgmt-compute\nVersion: 30.6.0\n", "utf-8")
    done = harness.run_module("scale_set_info", {}, env={"PYTHONPATH": str(tmp_path)})
    assert done["failed"] and done["code"] == "requirements_missing", done
    assert "needs azure-mgmt-compute 33 or newer, but found azure-mgmt-compute 30.6.0 in " in done["msg"]
    found = re.search(r"30\.6\.0 in (\S+) \(Python .*: (\S+) -m pip install .*'azure-mgmt-compute>=33'", done["msg"])
    assert found and found[1] == found[2] and Path(found[1]).samefile(sys.executable), done["msg"]
