# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's own orchestrator: started, adopted, awaited, cancelled and told of, by the modules."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import NEW, OLD, StartSimulator

LATEST = {**scenes.SERIES, "version": "latest"}
PROMPT = {"poll_interval": 1, "health_timeout": 5}  # the client's own seconds, for a set that is so many times as fast
AUTOMATIC = {"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}}
SICK = {"kind": "unhealthy", "image_version": NEW, "chance": 1.0}
STALE = {
    "runningStatus": {"code": "Faulted", "lastAction": "Start", "startTime": "2026-01-02T03:04:05.6789012+00:00"},
    "progress": {"failedInstanceCount": 1},
    "error": {"code": "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade", "message": "An old story."},
}


def world(capacity: int, knobs: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """A set whose model says latest and whose instances run OLD, while NEW exists."""
    return scenes.scenario(capacity, knobs, **{"image": LATEST, "running": OLD, **members})


def upgrade(sim: harness.Simulator, state: str = "completed", **options: Any) -> dict[str, Any]:
    args = {"state": state, **PROMPT, **options.pop("args", {})}
    return scenes.module(sim, "rolling_upgrade", args=args, **options)


def info(sim: harness.Simulator) -> dict[str, Any]:
    return scenes.module(sim, "rolling_upgrade_info")


def starts(sim: harness.Simulator) -> int:
    return int(sim.metrics()["by_operation"].get("VirtualMachineScaleSetRollingUpgrades_StartOSUpgrade", 0))


def wait_for(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def rolling(sim: harness.Simulator) -> dict[str, Any]:
    """The simulator's own account of the last upgrade."""
    found: dict[str, Any] = sim.metrics()["rolling_upgrades"][-1]
    return found


@pytest.mark.long
def test_a_hundred_instances_are_upgraded_and_the_second_run_starts_none(
    simulator: StartSimulator, tmp_path: Path
) -> None:
    sim = simulator(world(100), 240)
    journal = tmp_path / "journal.jsonl"
    done = upgrade(sim, args={"journal": str(journal)})
    assert (done["failed"], done["changed"], done["adopted"]) == (False, True, False), done
    assert set(scenes.versions(sim).values()) == {NEW}
    result = done["rollout_result"]
    assert (result["outcome"], result["target_image"]["version"]) == ("upgraded", NEW)
    assert result["previous_image"]["version"] == OLD
    assert {one["outcome"] for one in result["instances"].values()} == {"upgraded"}
    assert len(result["instances"]) == len(done["done"]) == 100
    assert sorted(i for batch in result["batches"] for i in batch["instance_ids"]) == sorted(result["instances"])
    truth = rolling(sim)
    assert (truth["code"], truth["started_by"], len(truth["successful"])) == ("Completed", "User", 100)
    assert result["unavailable"]["max_allowed"] == 20 >= result["unavailable"]["max_seen"]
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines][:2] == ["upgrade_sent", "progress"]
    assert lines[-1]["event"] == "ended" and {"progress", "batch_finished"} < {line["event"] for line in lines}
    assert len([line for line in lines if line["event"] == "upgraded"]) == 100
    sim.reset()
    again = upgrade(sim)
    assert (again["changed"], again["rollout_result"]["outcome"], starts(sim)) == (False, "unchanged", 0), again
    assert sim.metrics()["non_get"] == []
    assert again["arm"]["calls"] <= 6


def waiting(**keywords: Any) -> list[dict[str, Any]]:
    """A play whose one task waits for an upgrade's end, with `args` and Ansible's own keywords."""
    args = {"resource_group": scenes.GROUP, "name": scenes.NAME, "state": "completed", **PROMPT}
    task = {"steady.vmss.rolling_upgrade": {**args, **keywords.pop("args", {})}, **keywords}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


@pytest.mark.both_ends
def test_progress_is_shown_while_it_waits(simulator: StartSimulator, tmp_path: Path) -> None:
    """On stderr, as it happens; only of this run; from a journal beside the playbook, wherever that is run from."""
    sim = simulator(world(10), 60)
    place = tmp_path / "plays"
    place.mkdir()
    journal, playbook = place / "journal.jsonl", place / "wait.yml"
    playbook.write_text(json.dumps(waiting(args={"journal": "journal.jsonl"})), encoding="utf-8")
    here = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"
    old = {"time": "2026-01-02T03:04:05Z", "event": "upgrade_sent", "scale_set": here}
    journal.write_text(json.dumps(old) + "\n", encoding="utf-8")
    run = harness.start_playbook(playbook, sim, directory=tmp_path)
    shown = tmp_path / "stderr"
    wait_for(lambda: " in progress, " in shown.read_text(encoding="utf-8"))
    assert run.process.poll() is None
    done = run.wait(120)
    assert done.rc == 0, done.output
    lines = [line for line in done.stderr.splitlines() if " shop/web: " in line]
    assert lines[0].endswith("Azure accepted the request to start")
    assert sum("accepted the request" in line for line in lines) == 1
    assert any("10 of 10 instances successful, 0 in progress, 0 pending, 0 failed" in line for line in lines), lines
    assert lines[-1].endswith("verifies the instances")
    assert " shop/web: " not in done.stdout


def test_progress_needs_no_journal_and_obeys_no_log(simulator: StartSimulator) -> None:
    for hidden in (False, True):
        run = harness.run_playbook(waiting(no_log=hidden), simulator(world(2), 240))
        assert (run.rc, "2 of 2 instances successful" in run.stderr) == (0, not hidden), run.output


def test_an_upgrade_may_be_awaited_detached(simulator: StartSimulator, tmp_path: Path) -> None:
    sim = simulator(world(2), 240)
    play = waiting(**{"async": 120, "poll": 1, "vars": {"ansible_async_dir": str(tmp_path / "jobs")}})
    run = harness.run_playbook(play, sim)
    assert (run.rc, set(scenes.versions(sim).values())) == (0, {NEW}), run.output


@pytest.mark.long
def test_polls_are_few(simulator: StartSimulator) -> None:
    """At Azure's own speed, so that a minute of the client is a minute of the set."""
    sim = simulator(world(2, {"upgrade": 20, "health_lag": 5, "rolling_prepare": 1}), 1)
    started = time.monotonic()
    done = upgrade(sim, args={"poll_interval": 30})
    minutes = (time.monotonic() - started) / 60
    assert done["rollout_result"]["outcome"] == "upgraded", done
    polls = sim.metrics()["by_operation"]["VirtualMachineScaleSetRollingUpgrades_GetLatest"]
    assert polls <= 2 * minutes + 3  # the first look, the look that sees the start, and the one at its end


@pytest.mark.long
def test_azures_own_start_is_awaited_and_adopted(simulator: StartSimulator) -> None:
    sim = simulator(
        world(10, {"automatic_delay": 600, "automatic_first_delay": 600}, running=None, properties=AUTOMATIC), 120
    )
    newest = "24.04.202612010"
    assert upgrade(sim)["rollout_result"]["outcome"] == "unchanged"
    sim.publish({**scenes.SERIES, "version": newest})
    done = upgrade(sim)
    assert (done["failed"], done["changed"], done["adopted"], starts(sim)) == (False, True, True, 0), done
    assert set(scenes.versions(sim).values()) == {newest}
    assert {one["outcome"] for one in done["rollout_result"]["instances"].values()} == {"upgraded"}
    assert done["started_by"] == rolling(sim)["started_by"] == "Platform"
    assert upgrade(sim)["changed"] is False


def test_one_that_runs_is_adopted_and_its_start_not_refused(simulator: StartSimulator) -> None:
    sim = simulator(world(10), 20)
    first = upgrade(sim, "started")
    assert (first["changed"], first["rollout_result"]["outcome"]) == (True, "")
    second = upgrade(sim, "started")
    assert (second["changed"], second["adopted"], second["upgrade_started"]) == (False, True, first["upgrade_started"])
    done = upgrade(sim, args={"upgrade_started": first["upgrade_started"]})
    assert (done["rollout_result"]["outcome"], done["adopted"], starts(sim)) == ("upgraded", False, 1)
    again = upgrade(sim, args={"upgrade_started": first["upgrade_started"]})
    assert (again["changed"], again["rollout_result"]["outcome"]) == (False, "upgraded")
    assert {one["outcome"] for one in again["rollout_result"]["instances"].values()} == {"upgraded"}


@pytest.mark.long
def test_an_instance_that_azures_own_upgrade_let_fail_is_not_upgraded_by_hand(simulator: StartSimulator) -> None:
    newest = "24.04.202612010"
    knobs = {"automatic_delay": 3600, "automatic_first_delay": 3600}
    fault = {"kind": "fail", "image_version": newest, "instance": "9", "disk": "old", "code": "OSProvisioningTimedOut"}
    sim = simulator(world(10, knobs, running=None, properties=AUTOMATIC, instance_faults=[fault]), 120)
    sim.publish({**scenes.SERIES, "version": newest})
    done = upgrade(sim, args={"wait_for_start": 120})
    assert (done["failed"], starts(sim), done["started_by"]) == (True, 0, "Platform"), done
    assert rolling(sim)["code"] == "Completed"
    assert done["code"] == "upgrade_incomplete" and "instance 9" in done["msg"]
    assert {i for i, version in scenes.versions(sim).items() if version != newest} == {"9"}
    again = upgrade(sim)
    assert again["failed"] and again["code"] == "upgrade_tried_before", again
    assert starts(sim) == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [({"poll_interval": 0}, "poll_interval 0"), ({"upgrade_started": "noon"}, "is not a time")],
)
def test_bad_input(simulator: StartSimulator, args: dict[str, Any], words: str) -> None:
    sim = simulator(world(1), 60)
    done = upgrade(sim, args=args)
    assert done["failed"] and words in done["msg"]
    assert sim.metrics()["arm_calls"] == 0


@pytest.mark.long
def test_instances_that_have_not_got_the_model_that_says_latest(simulator: StartSimulator) -> None:
    """Azure refuses what only the model follows; that is asked once, and the remedy works."""
    sim = simulator(scenes.scenario(2, image={**scenes.SERIES, "version": OLD}), 240)
    profile = {"storageProfile": {"imageReference": LATEST}}
    sim.event({"do": "write", "patch": {"properties": {"virtualMachineProfile": profile}}})
    done = upgrade(sim)
    assert done["failed"] and "steady.vmss.instance_upgrade and whole_model: true" in done["msg"], done
    assert starts(sim) == 1
    whole = {"whole_model": True, "instance_ids": ["0"], "health_lag": 2}
    assert not scenes.module(sim, "instance_upgrade", args=whole)["failed"]
    assert upgrade(sim)["rollout_result"]["outcome"] == "upgraded"


@pytest.mark.long
def test_cancel_half_way_and_with_nothing_running(simulator: StartSimulator) -> None:
    sim = simulator(world(10), 20)
    none = upgrade(sim, "cancelled")
    assert (none["changed"], none["rollout_result"]["outcome"], sim.metrics()["non_get"]) == (False, "unchanged", [])
    upgrade(sim, "started")
    wait_for(lambda: NEW in scenes.versions(sim).values())
    done = upgrade(sim, "cancelled")
    assert (done["failed"], done["changed"], done["rollout_result"]["outcome"]) == (False, True, "stopped"), done
    assert done["after"]["code"] == rolling(sim)["code"] == "Cancelled"
    versions = scenes.versions(sim)
    assert set(done["done"]) == {i for i, version in versions.items() if version == NEW} != set()
    assert set(done["not_done"]) == {i for i, version in versions.items() if version == OLD} != set()
    again = upgrade(sim, "cancelled")
    assert again["changed"] is False
    resumed = upgrade(sim)
    assert (resumed["changed"], set(scenes.versions(sim).values())) == (True, {NEW})


@pytest.mark.long
def test_a_broken_image_by_hand_stays_on_the_instance(simulator: StartSimulator) -> None:
    sim = simulator(world(10, instance_faults=[SICK]), 240)
    done = upgrade(sim)
    assert done["failed"] and done["rollout_result"]["outcome"] == "stopped"
    assert done["reason"]["threshold"] == "maxUnhealthyUpgradedInstancePercent"
    failed = {i for i, version in scenes.versions(sim).items() if version == NEW}
    outcomes = {i: one["outcome"] for i, one in done["rollout_result"]["instances"].items()}
    assert {i for i, outcome in outcomes.items() if outcome == "failed"} == failed == {"0", "5"}
    assert {outcome for i, outcome in outcomes.items() if i not in failed} == {"not_started"}
    assert done["restored"] == 0
    for words in ("instance 0", "no automatic rollback", "steady.vmss.rollback", OLD, "scale set web", "Continue"):
        assert words in done["msg"], done["msg"]
    told = info(sim)
    assert told["latest"]["reason"]["instance_id"] == "0"
    assert told["history"][0]["started_by"] == "User" and told["history"][0]["target_image"]["version"] == NEW


@pytest.mark.long
def test_a_broken_image_by_itself_is_restored_by_azure(simulator: StartSimulator) -> None:
    knobs = {"automatic_delay": 4800, "automatic_first_delay": 4800}  # of 240 in a second: after the first look
    newest = "24.04.202612010"
    sick = {**SICK, "image_version": newest}
    sim = simulator(world(10, knobs, running=None, properties=AUTOMATIC, instance_faults=[sick]), 240)
    sim.publish({**scenes.SERIES, "version": newest})
    done = upgrade(sim)
    assert done["failed"] and done["rollout_result"]["outcome"] == "rolled_back", done
    assert set(scenes.versions(sim).values()) == {NEW}
    assert done["restored"] == rolling(sim)["restored"] > 0
    assert "the previous OS disk was restored on" in done["msg"]
    assert info(sim)["history"][0]["restored"] == done["restored"]
    again = upgrade(sim)  # Azure does not try this version again, and 3 hours would be a long wait for nothing
    assert again["failed"] and again["code"] == "upgrade_tried_before", again
    assert again["reason"] is None and f"back at {done['restored']} of the instances" in again["msg"]


@pytest.mark.long
def test_a_start_after_a_wait_is_checked_too(simulator: StartSimulator) -> None:
    """Another hand writes when the module comes, so that its start is not the first thing it does."""
    sim = simulator(world(2, {"write": 1500}, image={**scenes.SERIES, "version": NEW}), 60)
    sim.event({"do": "write", "scale_set": "web", "patch": {"tags": {"team": "shop"}}})
    done = upgrade(sim)
    assert done["failed"] and done["rollout_result"]["outcome"] == "failed", done
    for words in ("not ready for a rolling OS upgrade", "pins image", "steady.vmss.image", "Of 2 instances"):
        assert words in done["msg"]
    assert [one["code"] for one in done["findings"] if one["severity"] == "error"] == ["image_pinned"]
    assert starts(sim) == 0


def test_a_failure_of_last_week_is_not_this_runs(simulator: StartSimulator) -> None:
    sim = simulator(world(4, rolling_latest=STALE), 240)
    done = upgrade(sim)
    assert (done["rollout_result"]["outcome"], done["reason"]) == ("upgraded", None), done
    assert done["before"]["code"] == "Faulted"
    assert info(sim)["latest"]["code"] == "Completed"


@pytest.mark.long
def test_a_failure_of_last_week_does_not_fail_a_wait_for_azure(simulator: StartSimulator) -> None:
    sim = simulator(
        world(4, {"automatic_first_delay": 1e6, "automatic_delay": 1e6}, rolling_latest=STALE, properties=AUTOMATIC)
    )
    done = upgrade(sim, args={"wait_for_start": 2})
    assert done["failed"] and done["code"] == "upgrade_not_started" and "2 s" in done["msg"]
    assert "old story" not in done["msg"] and done["reason"] is None
    assert sim.metrics()["non_get"] == []
    assert "old story" in info(sim)["latest"]["reason"]["sentence"]


def test_a_pinned_model_is_refused_before_anything_is_sent(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(3, running="24.04.202609110"))
    done = upgrade(sim)
    assert done["failed"] and done["code"] == "not_ready" and "latest" in done["msg"]
    assert sim.metrics()["non_get"] == []
    current = upgrade(simulator(scenes.scenario(3)))  # nothing to do, and nothing newer can ever come
    assert current["failed"] and current["code"] == "not_ready" and "Write" in current["msg"]
    assert [(one["severity"], one["code"]) for one in current["findings"]] == [("error", "image_pinned")]


def test_check_mode_tells_and_sends_nothing(simulator: StartSimulator) -> None:
    sim = simulator(world(3), 120)
    told = upgrade(sim, check=True, diff=True)
    assert (told["changed"], told["planned"], told["not_done"]) == (True, "start", ["0", "1", "2"])
    assert told["diff"]["before"]["0"]["version"] == OLD and told["diff"]["after"]["0"]["version"] == NEW
    assert upgrade(sim, "cancelled", check=True)["planned"] == "none"
    assert sim.metrics()["non_get"] == []


def test_extensions_roll_too(simulator: StartSimulator) -> None:
    sim = simulator(world(4), 240)
    done = upgrade(sim, args={"type": "extensions"})
    assert (done["failed"], done["rollout_result"]["outcome"]) == (False, "upgraded"), done
    assert rolling(sim)["kind"] == "extension"
    assert set(scenes.versions(sim).values()) == {OLD}


def test_a_start_that_meets_another_hand_waits_for_it(simulator: StartSimulator) -> None:
    sim = simulator(world(4, {"write": 300}), 120)
    sim.event({"do": "write", "scale_set": "web", "patch": {"tags": {"a": "b"}}})
    done = upgrade(sim)
    assert (done["failed"], set(scenes.versions(sim).values())) == (False, {NEW}), done


@pytest.mark.long
def test_a_lost_answer_is_not_sent_again(simulator: StartSimulator) -> None:
    fault = {"operation": "*_StartOSUpgrade", "action": "lost_answer", "times": 1}
    sim = simulator(world(4, faults=[fault]), 120)
    done = upgrade(sim)
    assert (done["failed"], set(scenes.versions(sim).values())) == (False, {NEW}), done
    assert starts(sim) == 1


@pytest.mark.long
def test_a_gallery_image_of_which_azure_tells_no_version(simulator: StartSimulator) -> None:
    gallery = {"name": "shared", "resource_group": "images"}
    gallery["images"] = [
        {"name": "web", "versions": [{"version": v, "regions": ["westeurope"]} for v in ("1.0.0", "1.1.0")]}
    ]
    image = (
        "/subscriptions/{subscription}/resourceGroups/images/providers/Microsoft.Compute/galleries/shared/images/web"
    )
    one = scenes.scale_set(3, {"gallery_exact_version": False}, image={"id": image}, running="1.0.0")
    sim = simulator({"images": {"galleries": [gallery]}, "scale_sets": [one]}, 240)
    done = upgrade(sim)
    assert (done["failed"], done["rollout_result"]["outcome"]) == (False, "upgraded"), done
    assert set(scenes.versions(sim).values()) == {"1.1.0"}
    again = upgrade(sim)
    assert (again["changed"], again["rollout_result"]["outcome"], starts(sim)) == (False, "unchanged", 1), again


def test_what_would_azure_install_and_what_runs(simulator: StartSimulator) -> None:
    sim = simulator(world(3, instances={"1": {"version": NEW}}, properties=AUTOMATIC))
    found = scenes.module(sim, "image_info")
    answer = found["automatic_os_upgrade"]
    assert (answer["enabled"], answer["installs"]["version"], answer["in_the_way"]) == (True, NEW, []), answer
    assert "never changes these" in answer["sentence"]
    running = [(one["verdict"], one["image"]["version"], one["instance_ids"]) for one in found["running"]]
    assert running == [("outdated", OLD, ["0", "2"]), ("current", NEW, ["1"])]
    without = scenes.module(sim, "image_info", args={"running": False})
    assert "running" not in without and without["arm"]["calls"] == 2
