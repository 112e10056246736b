# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused, lost, forgotten or preempted: what is left is planned anew, and no instance is upgraded twice."""

from __future__ import annotations

from typing import Any

import pytest
import scenes
from scenes import StartSimulator

TIME_SCALE = 60
UPGRADE = "VirtualMachineScaleSets_UpdateInstances"
CONFLICT = {
    "status": 409,
    "code": "Conflict",
    "message": "The request failed due to conflict with a concurrent request.",
}


def fault(scale_set: str, action: str = "error", **more: Any) -> dict[str, Any]:
    """It strikes the first upgrade that is sent to the scale set."""
    return {"operation": UPGRADE, "scale_set": scale_set, "action": action, "times": 1, **more}


@pytest.mark.long
def test_whatever_becomes_of_a_request_no_instance_is_upgraded_twice(simulator: StartSimulator) -> None:
    both = {"max_unavailable": 2}
    # By scale set: its knobs, the module's options, and the conflicts that it meets.
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
        "refused": ({}, {}, 2),
        "right-after-a-success": ({"conflict_window": 4 * TIME_SCALE}, {}, 1),
        "answer-lost": ({}, {}, 0),
        "answer-unreadable": ({}, {}, 0),
        "request-lost": ({}, both, 0),
        "operation-gone": ({"operation_lifetime": 0}, {}, 0),
        "preempted": ({"upgrade": {"uniform": [60, 240]}}, both, 0),
    }
    world = scenes.several(
        *(scenes.scale_set(2, knobs, name, update_domains=1) for name, (knobs, *_dummy) in cases.items()),
        faults=[
            fault("refused", **CONFLICT, retry_after=1) | {"times": 2},
            fault("answer-lost", "lost_answer"),
            fault("answer-unreadable", "html"),
            fault("request-lost", "lost_before"),
        ],
        events=[{"when": {"upgraded": 1}, "do": "preempt", "scale_set": "preempted"}],
    )
    sim = simulator(world, TIME_SCALE)
    results = scenes.upgrade(sim, {name: options for name, (_dummy, options, other) in cases.items()})

    for name, (_dummy, options, conflicts) in cases.items():
        result = results[name]
        assert not result["failed"], (name, result["msg"])
        found = scenes.judged(sim, name)
        assert found["disks_replaced"] == {"0": 1, "1": 1}, name
        assert found["ran"] == ([["0", "1"]] if options else [["0"], ["1"]]), name
        assert found["unavailable"]["max"] == options.get("max_unavailable", 1), name
        assert set(scenes.versions(sim, name).values()) == {scenes.NEW}, name
        assert all(i["available"] for i in scenes.truth(sim, name)["instances"].values()), name
        reports = result["rollout_result"]["instances"].values()
        assert [report["outcome"] for report in reports] == ["upgraded"] * 2, name
        assert result["rollout_result"]["arm"]["conflicts"] == result["arm"]["conflicts"] == conflicts, name
    metrics = sim.metrics()
    assert metrics["conflicts"] == sum(result["arm"]["conflicts"] for result in results.values()) == 3
    assert metrics["by_status"]["404"] == 2  # both operations of the set whose operations are forgotten at once
    canceled = [o for o in scenes.truth(sim, "preempted")["operations"] if o["status"] == "Canceled"]
    assert [operation["name"] for operation in canceled] == ["manualupgrade"]


@pytest.mark.long
def test_answers_that_cannot_be_read_cost_no_rollout(simulator: StartSimulator) -> None:
    """A page of some proxy's, and half an answer, for each kind of call once."""
    reads = (
        "VirtualMachineScaleSets_Get",
        "VirtualMachineScaleSetVMs_List",
        "Operations_Get",
        "VirtualMachineImages_Get",
    )
    writes = ("VirtualMachineScaleSets_Update", UPGRADE)
    struck = [
        {"operation": name, "action": action, "times": 1, "after_calls": number}
        for number, action in enumerate(("html", "truncated"))
        for name in reads
    ]
    sim = simulator(
        scenes.scenario(2, faults=[*struck, *({"operation": name, "action": "html", "times": 1} for name in writes)]),
        TIME_SCALE,
    )
    run = scenes.roll(sim)
    assert run.rc == 0, run.output
    result = run.fact("rollout_result")
    assert result["outcome"] == "upgraded" and result["arm"]["retries"] >= 6
    assert [call["operation"] for call in sim.metrics()["non_get"]] == [writes[0], UPGRADE, UPGRADE, writes[0]]
    assert scenes.judged(sim)["disks_replaced"] == {"0": 1, "1": 1}


def test_after_a_conflict_the_batch_is_planned_anew(simulator: StartSimulator) -> None:
    """The competitor that Azure let in has upgraded one of the two by itself: it is not asked for again."""
    other = {"do": "running_version", "scale_set": "web", "instance": "0", "version": scenes.NEW}
    sim = simulator(
        scenes.scenario(
            2,
            update_domains=1,
            faults=[fault("web", **CONFLICT, retry_after=1)],
            events=[{"when": {"calls": {UPGRADE: 1}}, **other}],
        ),
        TIME_SCALE,
    )
    result = scenes.upgrade(sim, {"web": {"max_unavailable": 2}})["web"]
    assert not result["failed"], result["msg"]
    assert [call["status"] for call in sim.metrics()["non_get"]] == [409, 202]
    assert scenes.judged(sim)["ran"] == [["1"]]
    assert list(result["rollout_result"]["instances"]) == ["1"]


def test_a_refusal_that_waiting_does_not_cure_stops_and_names_azures_code(simulator: StartSimulator) -> None:
    refusal = {"status": 409, "code": "OperationNotAllowed", "message": "Operation 'manualUpgrade' is not allowed."}
    sim = simulator(scenes.scenario(2, faults=[fault("web", **refusal) | {"times": None}]), TIME_SCALE)
    run = scenes.roll(sim)
    assert run.rc == 2
    message = run.failures[-1]
    for word in (
        "scale set web",
        "instance 0",
        "OperationNotAllowed",
        refusal["message"],
        "ansible-playbook steady.vmss",
    ):
        assert word in message
    assert [call["operation"].partition("_")[2] for call in sim.metrics()["non_get"]] == [
        "Update",
        "UpdateInstances",
        "Update",
    ]
    assert set(scenes.versions(sim).values()) == {scenes.OLD}
    reference = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
    assert reference["version"] == scenes.OLD
    assert run.fact("rollout_result")["arm"]["conflicts"] == 0  # a refusal, though its status is 409
