# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role azure_rolling_upgrade and the playbooks around it: the same result and words as the role rollout."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, StartSimulator

LATEST = {**scenes.SERIES, "version": "latest"}
SET = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}
PROMPT = {"azure_rolling_upgrade_poll_interval": 1, "azure_rolling_upgrade_health_timeout": 5}
SICK = {"kind": "unhealthy", "image_version": NEW, "chance": 1.0}
IMPATIENT = {"rollout_health_timeout": 4, "rollout_health_lag": 2}
AUTOMATIC = {"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}}
NEVER = {"automatic_delay": 1e6, "automatic_first_delay": 1e6}


def world(capacity: int, knobs: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return scenes.scenario(capacity, knobs, **{"image": LATEST, "running": OLD, **members})


def play(sim: harness.Simulator, playbook: str = "trigger_os_upgrade", **options: Any) -> harness.Result:
    variables = {**SET, **PROMPT, **options.pop("variables", {})}
    return harness.run_playbook(f"steady.vmss.{playbook}", sim, extra_vars=variables, **options)


def result(run: harness.Result) -> dict[str, Any]:
    found: dict[str, Any] = run.fact("rollout_result")
    return found


def said(run: harness.Result) -> str:
    """All that the playbook's debug tasks told."""
    told = [task.result for task in run.of("ansible.builtin.debug")]
    return " ".join(str(one.get("msg", "")) for result in told for one in [result, *result.get("results", [])])


def test_trigger_and_again(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(world(100), 240)
    run = play(sim, variables={"azure_rolling_upgrade_journal_dir": str(tmp_path / "journal")})
    assert run.rc == 0, run.output
    assert set(scenes.versions(sim).values()) == {NEW}
    assert "100 of 100 instances successful" in run.stderr
    assert "no OS disk" in said(run) and "steady.vmss.rollback" in said(run)
    done = result(run)
    assert (done["outcome"], len(done["instances"])) == ("upgraded", 100)
    (journal,) = (tmp_path / "journal").iterdir()
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert {"upgrade_sent", "started", "progress", "ended"} <= {line["event"] for line in lines}
    kept = run.kept["steady_vmss"][f"{GROUP}/{NAME}"]
    assert (kept["outcome"], kept["instances"]["upgraded"], kept["journal"]) == ("upgraded", 100, str(journal))
    sim.reset()
    again = play(sim)
    assert (again.rc, result(again)["outcome"], sim.metrics()["non_get"]) == (0, "unchanged", [])
    assert sum(stats["changed"] for stats in again.stats.values()) == 0
    assert result(again)["arm"]["calls"] <= 6


@pytest.mark.long
def test_the_result_has_the_shape_of_a_rollouts(simulator: StartSimulator) -> None:
    """Every member of DESIGN's contract, of the same type as the role rollout's."""

    def shape(value: Any) -> Any:
        if isinstance(value, dict) and value and all(key.isdigit() for key in value):
            return [shape(next(iter(value.values())))]
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items()}
        return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__

    sim = simulator(world(2), 240)
    azures = shape(result(play(sim)))
    other = simulator(scenes.scenario(2), 240)
    ours = shape(result(scenes.roll(other)))
    assert {key: type(one) for key, one in azures.items()} == {key: type(one) for key, one in ours.items()}
    assert azures["batches"] == ours["batches"]
    assert azures["instances"] == ours["instances"]
    assert (azures["arm"], azures["unavailable"]) == (
        {**ours["arm"], "throttled_seconds": azures["arm"]["throttled_seconds"]},
        ours["unavailable"],
    )
    for name in ("id", "scale_set", "outcome", "target_image", "previous_image", "started", "finished"):
        assert azures[name] == ours[name], name


def test_check_mode(simulator: StartSimulator) -> None:
    sim = simulator(world(3), 120)
    run = play(sim, check=True)
    assert (run.rc, result(run)["outcome"], sim.metrics()["non_get"]) == (0, "upgraded", [])
    assert result(run)["batches"][0]["instance_ids"] == ["0", "1", "2"]


@pytest.mark.both_ends
def test_a_broken_image_by_hand_offers_the_way_back_and_the_offer_works(simulator: StartSimulator) -> None:
    sim = simulator(world(5, instance_faults=[SICK]), 240)
    run = play(sim)
    assert run.rc != 0
    text = run.failures[-1]
    for words in ("maxUnhealthyUpgradedInstancePercent", "instance 0", "no automatic rollback", "Continue", GROUP):
        assert words in text, text
    assert result(run)["outcome"] == "stopped"
    assert result(run)["instances"]["0"]["outcome"] == "failed"
    kept = run.kept["steady_vmss"][f"{GROUP}/{NAME}"]
    assert (kept["outcome"], kept["instances"]["failed"], kept["journal"]) == ("stopped", 1, "")
    assert kept["code"] == result(run)["code"] != ""
    assert scenes.versions(sim) == {"0": NEW, "1": OLD, "2": OLD, "3": OLD, "4": OLD}
    command = text.partition("ansible-playbook steady.vmss.rollback ")[2].split("Continue")[0].split()
    given = dict(word.split("=", 1) for word in command if "=" in word)
    back = harness.run_playbook("steady.vmss.rollback", sim, extra_vars={**given, **IMPATIENT})
    assert back.rc == 0, back.output
    assert set(scenes.versions(sim).values()) == {OLD}
    assert scenes.judged(sim)["unavailable"]["now"] == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("automatic", "on_failure"),
    [(False, "rollback_failed"), (True, "rollback_all")],
)
def test_the_role_goes_back_where_it_may(simulator: StartSimulator, automatic: bool, on_failure: str) -> None:
    members: dict[str, Any] = {"properties": AUTOMATIC} if automatic else {}
    sim = simulator(world(5, NEVER, instance_faults=[SICK], **members), 240)
    run = play(sim, variables={"azure_rolling_upgrade_on_failure": on_failure, **IMPATIENT})
    assert run.rc != 0
    assert f"{OLD} now, as before. The model names" in run.failures[-1], run.output
    assert set(scenes.versions(sim).values()) == {OLD}
    assert (result(run)["outcome"], result(run)["instances"]["0"]["outcome"]) == ("rolled_back", "rolled_back")
    document = scenes.truth(sim)["document"]["properties"]
    assert document["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"] == OLD
    policy = document.get("upgradePolicy", {}).get("automaticOSUpgradePolicy", {})
    assert not policy.get("enableAutomaticOSUpgrade")
    assert ("Automatic OS upgrades are off now" in run.failures[-1]) == automatic


def test_a_way_back_that_is_refused_says_what_keeps_it(simulator: StartSimulator) -> None:
    sim = simulator(world(2, NEVER, instance_faults=[SICK], upgrade_mode="Rolling", properties=AUTOMATIC), 240)
    run = play(sim, variables={"azure_rolling_upgrade_on_failure": "rollback_all", **IMPATIENT})
    assert run.rc != 0
    for words in (
        "could not be rolled back. The cause: ",
        "in mode Rolling, Azure may bring",
        "mode: Manual",
    ):
        assert words in run.failures[-1], run.output
    policy = scenes.truth(sim)["document"]["properties"]["upgradePolicy"]
    assert (policy["mode"], policy["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"]) == ("Rolling", True)


def test_a_broken_image_by_itself_is_put_back_by_azure(simulator: StartSimulator) -> None:
    newest = "24.04.202612010"
    knobs = {"automatic_delay": 4800, "automatic_first_delay": 4800}  # of 240 in a second: after the first look
    sick = {**SICK, "image_version": newest}
    sim = simulator(world(5, knobs, running=None, properties=AUTOMATIC, instance_faults=[sick]), 240)
    sim.publish({**scenes.SERIES, "version": newest})
    asked = {"azure_rolling_upgrade_on_failure": "rollback_all", "azure_rolling_upgrade_wait_for_start": 60}
    role = [{"role": "steady.vmss.azure_rolling_upgrade", "vars": asked}]
    plays = [{"hosts": "localhost", "gather_facts": False, "roles": role}]
    run = harness.run_playbook(plays, sim, extra_vars={**SET, **PROMPT})
    assert run.rc != 0
    assert "the previous OS disk was restored on 1 instances; instances 0 run " in run.failures[-1], run.output
    assert result(run)["outcome"] == "rolled_back"
    assert set(scenes.versions(sim).values()) == {NEW}
    assert run.of("rollout") == []


@pytest.mark.long
@pytest.mark.parametrize("on_failure", ["rollback_all", "rollback_failed"])
def test_what_an_upgrade_did_before_it_was_adopted_goes_back_too(simulator: StartSimulator, on_failure: str) -> None:
    """As after a kill: the first play is gone, the second adopts what runs, and then it breaks."""
    sim = simulator(world(10, instance_faults=[{**SICK, "instance": i} for i in ("6", "7", "8", "9")]), 20)
    scenes.module(sim, "rolling_upgrade", args={"state": "started", "poll_interval": 1})
    deadline = time.monotonic() + 60
    while len(early := {i for i, one in scenes.versions(sim).items() if one == NEW}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    options = {"azure_rolling_upgrade_on_failure": on_failure, "azure_rolling_upgrade_health_timeout": 20, **IMPATIENT}
    run = play(sim, variables=options)
    assert run.rc != 0
    outcomes = {i: one["outcome"] for i, one in result(run)["instances"].items()}
    back = {i for i, outcome in outcomes.items() if outcome == "rolled_back"}
    assert early <= set(outcomes), run.output
    running = {i for i, one in scenes.versions(sim).items() if one == OLD}
    if on_failure == "rollback_all":
        assert early <= back and len(running) == 10, run.output
    else:
        assert not early & back and early.isdisjoint(running), run.output


@pytest.mark.long
def test_an_instance_that_fails_on_the_way_back_is_named_and_the_others_are_back(simulator: StartSimulator) -> None:
    stays_sick = {"kind": "unhealthy", "image_version": OLD, "instance": "0"}
    wide = {"upgradePolicy": {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100}}}
    sim = simulator(world(3, instance_faults=[SICK, stays_sick], update_domains=1, properties=wide), 240)
    tolerant = {"rollout_max_unhealthy_upgraded": 1, "rollout_max_unhealthy": "100%", **IMPATIENT}
    run = play(sim, variables={"azure_rolling_upgrade_on_failure": "rollback_all", **tolerant})
    assert run.rc != 0 and "Instances 0 could not be rolled back." in run.failures[-1], run.output
    assert set(scenes.versions(sim).values()) == {OLD}
    outcomes = {i: one["outcome"] for i, one in result(run)["instances"].items()}
    assert outcomes["0"] == "failed" and set(outcomes.values()) - {"failed"} == {"rolled_back"}, outcomes


@pytest.mark.long
def test_nothing_goes_back_where_the_history_that_would_tell_may_not_be_read(simulator: StartSimulator) -> None:
    """Azure may have put the disks back itself."""
    newest = "24.04.202612010"
    knobs = {"automatic_delay": 3600, "automatic_first_delay": 3600}
    members = {"running": None, "properties": AUTOMATIC, "instance_faults": [{**SICK, "image_version": newest}]}
    sim = simulator(world(5, knobs, **members), 120)
    sim.faults({"operation": "VirtualMachineScaleSets_GetOSUpgradeHistory", "action": "forbidden"})
    sim.publish({**scenes.SERIES, "version": newest})
    names = {f"azure_{name.replace('rollout', 'rolling_upgrade')}": value for name, value in SET.items()}
    role = [{"role": "steady.vmss.azure_rolling_upgrade"}]
    plays = [{"hosts": "localhost", "gather_facts": False, "roles": role}]
    asked = {"azure_rolling_upgrade_on_failure": "rollback_all", "azure_rolling_upgrade_wait_for_start": 120}
    run = harness.run_playbook(plays, sim, extra_vars={**names, **PROMPT, **asked})
    assert run.rc != 0
    assert "history does not show whether it restored OS disks" in run.failures[-1], run.output
    assert "Azure restored no OS disk" not in run.failures[-1]
    assert run.of("rollout") == []
    policy = scenes.truth(sim)["document"]["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"]
    assert policy["enableAutomaticOSUpgrade"] is True


def test_text_variables(simulator: StartSimulator) -> None:
    sim = simulator(world(2), 240)
    text = {
        "azure_rolling_upgrade_type": "",
        "azure_rolling_upgrade_timeout": "900",
        "azure_rolling_upgrade_health_timeout": "",
        "azure_rolling_upgrade_poll_interval": "0.5",
        "azure_rolling_upgrade_on_failure": "",
        "azure_rolling_upgrade_wait_for_start": "0",
    }
    run = play(sim, variables=text)
    assert (run.rc, result(run)["outcome"]) == (0, "upgraded"), run.output
    bad = play(sim, variables={"azure_rolling_upgrade_timeout": "soon"})
    assert bad.rc != 0 and "soon" in bad.failures[-1]


@pytest.mark.long
def test_cancel_and_history(simulator: StartSimulator) -> None:
    sim = simulator(world(10), 20)
    assert "reports no rolling upgrade" in said(play(sim, "upgrade_history"))
    idle = play(sim, "cancel_upgrade")
    assert (idle.rc, sim.metrics()["non_get"]) == (0, []) and "No rolling upgrade runs" in said(idle)
    scenes.module(sim, "rolling_upgrade", args={"state": "started", "poll_interval": 1})
    deadline = time.monotonic() + 30
    while NEW not in scenes.versions(sim).values() and time.monotonic() < deadline:
        time.sleep(0.1)
    cancelled = play(sim, "cancel_upgrade")
    assert cancelled.rc == 0, cancelled.output
    versions = scenes.versions(sim)
    done = [i for i in versions if versions[i] == NEW]
    assert 0 < len(done) < 10
    assert f"Cancelled. Upgraded: {', '.join(done)}." in said(cancelled)
    told = said(play(sim, "upgrade_history"))
    assert "Cancelled, started by User" in told and NEW in told
