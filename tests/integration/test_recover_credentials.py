# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expired credentials of an extension left instances failed: new ones reach every instance, and nobody sees them."""

from __future__ import annotations

import copy
import json
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, StartSimulator

SECRET = "bmV3IHNpZ25hdHVyZQ"
SIGNED = f"https://account.blob.core.windows.net/boot/run.sh?sp=r&sig={SECRET}"
BOOT: dict[str, Any] = {
    "name": "boot",
    "properties": {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "settings": {"timestamp": 1, "kept": True},
        "forceUpdateTag": "may",
    },
}
OTHER = {
    "name": "agent",
    "properties": {**BOOT["properties"], "type": "Agent", "settings": {"a": [1]}, "protectedSettings": {"b": "c"}},
}
FAILURE = {"code": "VMExtensionProvisioningError", "message": "Extension boot: the signature has expired."}
GIVEN: dict[str, Any] = {
    "extension_name": "boot",
    "extension_settings": {"timestamp": 2},
    "extension_protected_settings": {"fileUris": [SIGNED], "commandToExecute": f"run {SECRET}"},
    "extension_force_update_tag": "june",
    "rollout_max_unavailable": 1,
    "rollout_health_lag": 2,
}


def recover(sim: harness.Simulator, variables: dict[str, Any], **options: Any) -> harness.Result:
    given = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, **variables}
    return harness.run_playbook("steady.vmss.recover_credentials", sim, extra_vars=given, **options)


def extensions(sim: harness.Simulator) -> dict[str, dict[str, Any]]:
    profile = scenes.truth(sim)["document"]["properties"]["virtualMachineProfile"]["extensionProfile"]
    return {one["name"]: one["properties"] for one in profile["extensions"]}


def failed_batch(simulator: StartSimulator, knobs: dict[str, Any] | None = None) -> harness.Simulator:
    """Instance 0 has failed, and would again with the old settings."""
    fault = {"kind": "fail", "extension": "boot", "while_settings": {"timestamp": 1}, "action": "apply", **FAILURE}
    members = {"extensions": [BOOT, OTHER], "update_domains": 2, "instances": {"0": {"failure": FAILURE}}}
    return simulator(scenes.scenario(3, knobs, instance_faults=[fault], **members), 60)


# Whether PATCH merges settings, and whether it keeps protected ones that it does not name, is unverified. A model may
# be stored although its write ends Failed for the instances that were failed before.
KNOBS: dict[str, dict[str, Any]] = {
    "merge": {"extension_patch_settings": "merge", "protected_settings": "keep"},
    "replace": {"extension_patch_settings": "replace", "protected_settings": "drop"},
    "failed write": {"failed_instance_fails_write": True},
}


@pytest.mark.parametrize(
    "knobs", ["merge", *(pytest.param(one, marks=pytest.mark.long) for one in ("replace", "failed write"))]
)
def test_new_credentials_reach_every_instance_the_failed_ones_first(simulator: StartSimulator, knobs: str) -> None:
    sim = failed_batch(simulator, KNOBS[knobs])
    before = extensions(sim)
    checked = recover(sim, GIVEN, check=True, diff=True, verbosity=3)
    assert checked.rc == 0, checked.output
    assert sim.metrics()["non_get"] == []
    (plan,) = checked.of("instance_upgrade")
    planned = [batch["instance_ids"] for batch in plan.result["rollout_result"]["batches"]]

    run = recover(sim, GIVEN, diff=True, verbosity=3, env={"ANSIBLE_INJECT_INVOCATION": "true"})
    assert run.rc == 0, run.output
    first, *rest = [call["operation"] for call in sim.metrics()["non_get"]]
    assert first == "VirtualMachineScaleSetExtensions_Update"
    assert set(rest) == {"VirtualMachineScaleSets_UpdateInstances"}
    judged = scenes.judged(sim)
    assert judged["ran"] == planned and planned[0] == ["0"]
    assert sorted(i for batch in judged["ran"] for i in batch) == ["0", "1", "2"]
    assert judged["unavailable"]["max"] == 1
    instances = scenes.truth(sim)["instances"].values()
    assert [i["latest_model_applied"] and i["available"] for i in instances] == [True] * 3

    now = extensions(sim)
    assert now["boot"]["settings"] == {"timestamp": 2, "kept": True} and now["boot"]["forceUpdateTag"] == "june"
    assert now["boot"]["protectedSettings"] == GIVEN["extension_protected_settings"], "Azure got them, and nobody else"
    untouched = [copy.deepcopy(one) for one in (before, now)]
    for one in untouched:
        one.pop("boot")
    assert untouched[0] == untouched[1] and set(now) == set(before)
    told = run.of("extension")[0].result
    assert told["protected_settings_written"] is True and told["after"]["settings"] == {"timestamp": 2, "kept": True}
    assert (FAILURE["code"] in told["note"]) == (knobs == "failed write")
    said = checked.output + run.output + json.dumps([task.result for task in (*checked.tasks, *run.tasks)])
    assert [word for word in (SECRET, "run.sh", *sim.secrets()) if word in said] == []

    sim.reset()
    again = recover(sim, GIVEN)
    assert again.rc == 0 and again.stats["localhost"]["changed"] == 0, again.output
    assert sim.metrics()["non_get"] == []


@pytest.mark.long
def test_a_killed_run_goes_on(simulator: StartSimulator) -> None:
    """The model has the new credentials and no instance has: the second run writes no model, and upgrades."""
    sim = failed_batch(simulator)
    args = {
        "extension": "boot",
        "settings": {"timestamp": 2},
        "protected_settings": GIVEN["extension_protected_settings"],
        "force_update_tag": "june",
    }
    assert scenes.module(sim, "extension", args=args)["changed"]
    sim.reset()
    run = recover(sim, GIVEN)
    assert run.rc == 0 and run.stats["localhost"]["changed"] == 1, run.output
    operations = {call["operation"] for call in sim.metrics()["non_get"]}
    assert operations == {"VirtualMachineScaleSets_UpdateInstances"}
    assert scenes.truth(sim)["instances"]["0"]["available"]


def test_credentials_that_are_wrong_again_stop_at_the_failed_instance(simulator: StartSimulator) -> None:
    fault = {"kind": "fail", "instance": "0", "action": "apply", **FAILURE}
    members = {"extensions": [BOOT], "update_domains": 2, "instances": {"0": {"failure": FAILURE}}}
    sim = simulator(scenes.scenario(3, instance_faults=[fault], **members), 60)
    run = recover(sim, GIVEN)
    assert run.rc == 2
    for words in ("instance 0", FAILURE["code"], FAILURE["message"]):
        assert words in run.failures[-1]
    assert SECRET not in run.output
    assert scenes.judged(sim)["ran"] == [["0"]]


@pytest.mark.long
def test_an_extension_comes_and_goes(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1, extensions=[OTHER]), 60)
    incomplete = scenes.module(sim, "extension", args={"extension": "boot", "publisher": "p"})
    assert incomplete["failed"] and incomplete["code"] == "extension_incomplete"
    assert "type, type_handler_version" in incomplete["msg"]
    assert sim.metrics()["non_get"] == []
    args = {
        "extension": "boot",
        "publisher": "p",
        "type": "t",
        "type_handler_version": "1.0",
        "settings": {"a": SIGNED},
    }
    come = scenes.module(sim, "extension", args=args, diff=True, verbosity=3)
    assert come["changed"] and come["before"] is None and not come["protected_settings_written"], come
    assert SECRET not in json.dumps(come) and extensions(sim)["boot"]["settings"] == {"a": SIGNED}
    assert not scenes.module(sim, "extension", args=args)["changed"]
    gone = scenes.module(sim, "extension", args={"extension": "boot", "state": "absent"})
    assert gone["changed"] and gone["after"] is None and SECRET not in json.dumps(gone), gone
    assert "boot" not in extensions(sim) and "agent" in extensions(sim)
    sim.reset()
    assert not scenes.module(sim, "extension", args={"extension": "boot", "state": "absent"})["changed"]
    assert sim.metrics()["non_get"] == []


def test_settings_alone_warn_of_what_nobody_sees(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1, extensions=[BOOT]), 60)
    args = {"extension": "boot", "settings": {"timestamp": 3}}
    result = scenes.module(sim, "extension", args=args, allow_warnings=["the protected settings of extension boot"])
    assert result["changed"] and extensions(sim)["boot"]["settings"] == {"timestamp": 3, "kept": True}, result


def test_without_a_tag_protected_settings_are_always_written(simulator: StartSimulator) -> None:
    sim = simulator(scenes.scenario(1, extensions=[BOOT]), 60)
    args = {"extension": "boot", "protected_settings": {"token": SECRET}}
    for _run in range(2):
        result = scenes.module(sim, "extension", args=args)
        assert result["changed"] and result["before"] == result["after"], result
    assert [call["method"] for call in sim.metrics()["non_get"]] == ["PATCH", "PATCH"]
