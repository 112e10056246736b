# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances are brought to all of the model, not to its image alone, when its extensions have changed."""

from __future__ import annotations

import harness
import pytest
import scenes
from scenes import StartSimulator

pytestmark = pytest.mark.both_ends

APP = {
    "name": "app",
    "properties": {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "settings": {"commandToExecute": "start"},
    },
}
WHOLE = {"args": {"whole_model": True, "max_unavailable": 1, "health_lag": 2, "max_unhealthy": "100%"}}


def change_the_extension(sim: harness.Simulator) -> None:
    document = scenes.truth(sim)["document"]
    profile = document["properties"]["virtualMachineProfile"]["extensionProfile"]
    changed = {**APP, "properties": {**APP["properties"], "settings": {"commandToExecute": "start --again"}}}
    extensions = [changed if one["name"] == "app" else one for one in profile["extensions"]]
    patch = {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": extensions}}}}
    sim.event({"do": "write", "patch": patch})


@pytest.mark.long
def test_instances_get_the_whole_model_and_their_disks_stay(simulator: StartSimulator) -> None:
    failure = {"code": "VMExtensionProvisioningError", "message": "The storage key has expired."}
    image = {**scenes.SERIES, "version": "latest"}
    world = scenes.scenario(3, image=image, extensions=[APP], instances={"1": {"failure": failure}})
    world["images"]["platform"][0]["versions"] = [scenes.OLD]
    sim = simulator(world)
    change_the_extension(sim)

    by_image = scenes.module(sim, "instance_upgrade")
    assert by_image["failed"] and by_image["code"] == "model_not_pinned"

    planned = scenes.module(sim, "instance_upgrade", check=True, **WHOLE)
    assert planned["changed"] and sorted(planned["left"]) == ["0", "1", "2"]
    sim.reset()

    result = scenes.module(sim, "instance_upgrade", **WHOLE)
    assert not result["failed"], result["msg"]
    found = scenes.judged(sim)
    assert sorted(found["ran"]) == [["0"], ["1"], ["2"]] and found["ran"][0] == ["1"]  # the failed one goes first
    assert found["reimages"] == found["disks_replaced"] == {}
    assert found["unavailable"]["max"] == 1
    truth = scenes.truth(sim)["instances"].values()
    assert all(i["latest_model_applied"] and i["available"] for i in truth)
    sim.reset()

    again = scenes.module(sim, "instance_upgrade", **WHOLE)
    assert not again["changed"] and again["left"] == []
    assert sim.metrics()["writes"] == 0


def test_instances_that_do_not_tell_are_named(simulator: StartSimulator) -> None:
    """A Flexible scale set's."""
    sim = simulator(scenes.scenario(2, orchestration="Flexible", extensions=[APP]))
    change_the_extension(sim)
    sim.reset()
    done = scenes.module(sim, "instance_upgrade", allow_warnings=["does not tell"], **WHOLE)
    assert (done["failed"], done["changed"], sim.metrics()["non_get"]) == (False, False, [])
    (warning,) = done["warnings"]
    for words in (
        "does not tell whether instances web_",
        "all of the model",
        "az vmss update-instances -g shop -n web",
    ):
        assert words in warning
