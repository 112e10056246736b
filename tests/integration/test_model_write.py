# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model write changes the image and our tags, and nothing of anybody else's."""

from __future__ import annotations

import copy
import json
from typing import Any

import harness
import pytest
import scenes
from scenes import StartSimulator

pytestmark = pytest.mark.both_ends

OURS = "steady-vmss-"
# Members that no SDK knows, and those that a careless PATCH would lose.
CROWDED: dict[str, Any] = {
    "tags": {"environment": "production", "cost centre": "Größe 7", "empty value": ""},
    "properties": {
        "aMemberOfTomorrow": {"depth": [1, {"of": None}], "flag": False},
        "virtualMachineProfile": {
            "userData": "IyEvYmluL3NoCg==",
            "storageProfile": {"aMemberOfTomorrow": 7, "diskControllerType": "NVMe"},
        },
    },
}


def others(document: dict[str, Any], *, image: str = "imageReference") -> str:
    """What must stay byte-equal of a scale set: all of it but the image, our tags and what Azure counts by itself."""
    rest = copy.deepcopy(document)
    storage = rest["properties"]["virtualMachineProfile"]["storageProfile"]
    if image == "imageReference":
        storage["imageReference"].pop("version")
    else:
        storage["osDisk"]["image"].pop("uri")
    rest["tags"] = {name: value for name, value in rest["tags"].items() if not name.startswith(OURS)}
    return json.dumps(rest)


def image_of(document: dict[str, Any]) -> str:
    version: str = document["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"]
    return version


def writes(sim: harness.Simulator) -> list[dict[str, Any]]:
    """The model writes that Azure accepted, ours and others', in order."""
    return [operation for operation in scenes.truth(sim)["operations"] if operation["kind"] == "write"]


def test_an_autoscale_in_progress_is_neither_undone_nor_cancelled(simulator: StartSimulator) -> None:
    """From 3 to 5 between our read and our write; for a while after that the set does not even look busy."""
    knobs = {"patch_tags": "replace", "create": 240, "set_updating_late": 100, "upgrade": 60}
    scale = {"when": {"calls": {"VirtualMachineScaleSets_Get": 2}}, "do": "scale", "scale_set": "web", "capacity": 5}
    sim = simulator(scenes.scenario(3, knobs, update_domains=1, events=[scale], **CROWDED), 120)
    before = scenes.truth(sim)["document"]
    run = scenes.roll(sim, diff=True, variables={"rollout_max_unavailable": "100%", "rollout_canary": 0})
    assert run.rc == 0, run.output

    found = scenes.truth(sim)
    before["sku"]["capacity"] = 5
    assert others(found["document"]) == others(before)
    assert image_of(found["document"]) == scenes.NEW
    assert {i["version"] for i in found["instances"].values()} == {scenes.NEW}
    assert [i["available"] for i in found["instances"].values()] == [True] * 5

    autoscale, ours, _ended = writes(sim)
    assert (autoscale["name"], autoscale["status"]) == ("autoscale", "Succeeded")
    assert (ours["name"], ours["status"]) == ("patch", "Succeeded")
    assert ours["started"] >= autoscale["ended"]
    metrics = sim.metrics()
    assert metrics["preconditions_failed"] == 1
    assert max(scenes.judged(sim)["disks_replaced"].values()) == 1

    change = run.of("rollout")[0]
    assert change.result["diff"] == {
        "before": {**scenes.SERIES, "version": scenes.OLD},
        "after": {**scenes.SERIES, "version": scenes.NEW},
    }
    assert run.fact("rollout_result")["arm"]["calls"] == metrics["arm_calls"]


def test_a_preempted_write_is_finished(simulator: StartSimulator) -> None:
    """Another hand writes on top of ours: our operation ends Canceled although the image stands in the model."""
    write = {"do": "write", "scale_set": "web", "patch": {"tags": {"touched": "yes"}}}
    when = {"calls": {"VirtualMachineScaleSets_Update": 1}}
    sim = simulator(scenes.scenario(1, {"write": 120}, events=[{"when": when, **write}]), 60)
    beside = ["since the write scale set web has changed besides the image: tags.touched = yes"]
    result = scenes.module(sim, "image", args={"image": {"version": scenes.NEW}}, allow_warnings=beside)
    assert result["changed"] and not result["failed"], result
    ours, theirs = writes(sim)
    assert ours["status"] == "Canceled" and theirs["status"] != "Canceled"
    assert image_of(scenes.truth(sim)["document"]) == scenes.NEW
    assert scenes.truth(sim)["document"]["tags"] == {"touched": "yes"}


def test_a_lost_answer_to_the_write_is_read_back_and_not_sent_again(simulator: StartSimulator) -> None:
    lost = {"operation": "VirtualMachineScaleSets_Update", "action": "lost_answer", "times": 1}
    sim = simulator(scenes.scenario(1, faults=[lost]))
    result = scenes.module(sim, "image", args={"image": {"version": scenes.NEW}})
    assert result["changed"] and not result["failed"], result
    assert [operation["name"] for operation in writes(sim)] == ["patch"]
    assert image_of(scenes.truth(sim)["document"]) == scenes.NEW


def test_a_write_that_azure_forbids_stops_before_any_instance(simulator: StartSimulator) -> None:
    forbidden = {"status": 403, "code": "AuthorizationFailed", "message": "The client may not write the scale set."}
    fault = {"operation": "VirtualMachineScaleSets_Update", "action": "error", **forbidden}
    sim = simulator(scenes.scenario(2, faults=[fault]), 120)
    run = scenes.roll(sim)
    assert run.rc == 2
    for word in ("scale set web", scenes.NEW, forbidden["code"], forbidden["message"], "ansible-playbook steady.vmss."):
        assert word in run.failures[-1]
    result, metrics = run.fact("rollout_result"), sim.metrics()
    assert result["outcome"] == "stopped" and result["instances"] == {}
    assert [(call["method"], call["status"]) for call in metrics["non_get"]] == [("PATCH", 403)]
    assert result["arm"]["calls"] == metrics["arm_calls"]


def test_azures_limit_of_models_is_told_with_its_remedy(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(2, {"model_limit": 1}), 120)
    result = scenes.module(sim, "image", args={"image": {"version": scenes.NEW}})
    for words in (
        "set the image of scale set web",
        "reached its limit of 1 models",
        "whole_model: true, or delete them",
    ):
        assert words in result["msg"], result["msg"]
    assert writes(sim) == []


def test_mode_automatic_goes_to_manual_first(simulator: StartSimulator) -> None:
    sim = simulator(
        scenes.scenario(
            2, {"write": 60, "set_updating_late": 60}, upgrade_mode="Automatic", update_domains=1, **CROWDED
        ),
        60,
    )
    refused = scenes.module(sim, "image", args={"image": {"version": scenes.NEW}})
    assert refused["failed"]
    for word in ("web", "Automatic", "every instance at once", "Manual"):
        assert word in refused["msg"]
    assert sim.metrics()["non_get"] == []

    before = scenes.truth(sim)["document"]
    variables = {"rollout_upgrade_mode": "Manual", "rollout_max_unavailable": "100%"}
    run = scenes.roll(sim, variables=variables)
    assert run.rc == 0, run.output
    mode, image, _ended = writes(sim)
    assert mode["status"] == image["status"] == "Succeeded"
    assert image["started"] >= mode["ended"]
    assert [call["operation"].partition("_")[2] for call in sim.metrics()["non_get"]] == [
        "Update",
        "Update",
        "UpdateInstances",
        "Update",
    ]
    after = scenes.truth(sim)["document"]
    before["properties"]["upgradePolicy"]["mode"] = "Manual"
    assert others(after) == others(before)
    # Neither write touched an instance: whatever happened to one happened after both.
    assert min(entry["time"] for entry in sim.timeline()) >= image["ended"]
    assert scenes.judged(sim)["disks_replaced"] == {"0": 1, "1": 1}


@pytest.mark.parametrize("patch", ["merge", "replace"])
def test_a_patch_that_replaces_loses_nothing_of_the_os_disk(simulator: StartSimulator, patch: str) -> None:
    old, new = (f"https://shop.blob.core.windows.net/vhds/{name}.vhd" for name in ("one", "two"))
    disk = {
        "name": "os",
        "image": {"aMemberOfTomorrow": 1},
        "vhdContainers": ["https://shop.blob.core.windows.net/vhds"],
        "diffDiskSettings": {"option": "Local", "placement": "CacheDisk"},
        "writeAcceleratorEnabled": False,
        "aMemberOfTomorrow": ["kept"],
    }
    crowded = copy.deepcopy(CROWDED)
    crowded["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"] = disk
    knobs = {"patch_tags": patch, "patch_os_disk": patch}
    sim = simulator(scenes.scenario(1, knobs, image={"vhd": old}, **crowded))
    before = scenes.truth(sim)["document"]
    signature = "sp=r&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
    result = scenes.module(sim, "image", args={"image": f"{new}?{signature}"}, diff=True)
    assert result["changed"] and not result["failed"], result
    after = scenes.truth(sim)["document"]
    assert others(after, image="vhd") == others(before, image="vhd")
    storage = after["properties"]["virtualMachineProfile"]["storageProfile"]
    assert storage["osDisk"]["image"]["uri"] == f"{new}?{signature}"
    assert result["diff"] == {"before": {"vhd_uri": old}, "after": {"vhd_uri": new}}
