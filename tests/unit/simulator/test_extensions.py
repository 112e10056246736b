"""Extensions of the simulated model: their secrets, their writes, and the failures that new settings fix."""

from __future__ import annotations

from typing import Any

import pytest
from simulator import actions, model, orchestrator, writes
from simulator.scale_set import ScaleSet
from simulator.wire import Wire
from simulator.world import World

from .test_world import started, upgraded

APP = {
    "name": "app",
    "properties": {
        "publisher": "contoso",
        "type": "App",
        "typeHandlerVersion": "1.0",
        "settings": {"a": 1},
        "protectedSettings": {"token": "old"},
    },
}
EXPIRED = {"kind": "fail", "extension": "app", "while_settings": {"token": "old"}}


def patch(world: World, owner: ScaleSet, listed: list[dict[str, Any]]) -> None:
    body = {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": listed}}}}
    writes.write(world, owner, model.patched(owner.document, body, owner.knobs))


def stored(owner: ScaleSet) -> dict[str, dict[str, Any]]:
    return {e["name"]: e["properties"] for e in owner.profile["extensionProfile"]["extensions"]}


def without_secret(extension: dict[str, Any]) -> dict[str, Any]:
    properties = {key: value for key, value in extension["properties"].items() if key != "protectedSettings"}
    return {**extension, "properties": properties}


def test_protected_settings_are_kept_and_never_shown() -> None:
    world, owner = started(1, extensions=[APP])
    wire = Wire(world, "s")
    (instance,) = owner.instances.values()
    seen = str(wire.scale_set(owner, "2026-04-01")) + str(wire.instance_item(owner, instance, "2026-04-01", view=True))
    assert "protectedSettings" not in seen and stored(owner)["app"]["protectedSettings"] == {"token": "old"}


@pytest.mark.parametrize(("knob", "kept"), [("keep", True), ("drop", False)])
def test_a_document_written_back_leaves_them_out(knob: str, kept: bool) -> None:
    world, owner = started(1, extensions=[APP], health="none", knobs={"protected_settings": knob})
    document = Wire(world, "s").scale_set(owner, "2026-04-01")
    for body in (
        model.put(owner.document, document, owner.knobs),
        model.patched(owner.document, document, owner.knobs),
    ):
        (extension,) = model.profile_of(body)["extensionProfile"]["extensions"]
        assert ("protectedSettings" in extension["properties"]) is kept


@pytest.mark.parametrize(("knob", "names"), [("replace", {"other"}), ("merge", {"app", "other"})])
def test_a_patch_s_list(knob: str, names: set[str]) -> None:
    world, owner = started(1, extensions=[APP], health="none", knobs={"patch_lists": knob})
    patch(world, owner, [{**without_secret(APP), "name": "other"}])
    assert stored(owner).keys() == names


@pytest.mark.parametrize(("knob", "there"), [("remove", False), ("ignore", True)])
def test_a_patch_s_null(knob: str, there: bool) -> None:
    _world, owner = started(1, health="probe", knobs={"patch_null": knob})
    body = {"properties": {"virtualMachineProfile": {"networkProfile": {"healthProbe": None}}}}
    written = model.patched(owner.document, body, owner.knobs)
    assert (model.health_source(written) is not None) is there


@pytest.mark.parametrize(("knob", "mode"), [("merge", "Automatic"), ("replace", None)])
def test_a_patch_s_policy(knob: str, mode: str | None) -> None:
    _world, owner = started(1, upgrade_mode="Automatic", knobs={"patch_members": knob})
    body = {"properties": {"upgradePolicy": {"rollingUpgradePolicy": {"maxBatchInstancePercent": 30}}}}
    policy = model.patched(owner.document, body, owner.knobs)["properties"]["upgradePolicy"]
    assert policy.get("mode") == mode


def test_new_settings_fix_what_expired_ones_have_broken() -> None:
    world, owner = started(2, extensions=[APP], instance_faults=[EXPIRED], upgrade_mode="Rolling")
    body = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": "1.0.2"}}}}}
    writes.write(world, owner, model.patched(owner.document, body, owner.knobs))
    world.advance(3600)
    assert [i.provisioning for i in owner.instances.values()] == ["Failed", "Succeeded"]
    view = Wire(world, "s").instance_view(owner, owner.instances["0"])
    shown = {e["name"]: e["statuses"][0]["code"] for e in view["extensions"]}
    assert shown == {
        "ApplicationHealthLinux": "ProvisioningState/succeeded",
        "app": "ProvisioningState/failed/VMExtensionProvisioningError",
    }
    owner.document["properties"]["upgradePolicy"]["mode"] = "Manual"
    health, app = owner.profile["extensionProfile"]["extensions"]
    patch(world, owner, [health, {**app, "properties": {**app["properties"], "protectedSettings": {"token": "new"}}}])
    upgraded(world, owner, ["*"])
    assert all(i.available and i.generation == owner.generation for i in owner.instances.values())
    assert not orchestrator.start_extensions(world, owner).failed


def test_an_instance_that_failed_before_may_fail_a_write() -> None:
    failed = {"instances": {0: {"failure": {"code": "AllocationFailed", "message": "Allocation failed."}}}}
    for knob, status in ((False, "Succeeded"), (True, "Failed")):
        world, owner = started(2, knobs={"failed_instance_fails_write": knob}, **failed)
        operation = writes.write(world, owner, model.patched(owner.document, {"tags": {"a": "b"}}, owner.knobs))
        world.advance(600)
        assert (operation.status, owner.document["tags"]) == (status, {"a": "b"})


def test_an_upgrade_that_nothing_strikes_fixes_a_failed_instance() -> None:
    failed = {"instances": {0: {"failure": {"code": "AllocationFailed", "message": "Allocation failed."}}}}
    world, owner = started(2, **failed)
    operation = actions.upgrade(world, owner, ["0"])
    world.advance(600)
    assert operation.status == "Succeeded" and owner.instances["0"].available
