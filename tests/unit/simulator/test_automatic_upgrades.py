"""The simulator's automatic OS upgrades, upgrades by model writes and of extensions, and what Azure refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from simulator import events, lifecycle_hooks, model, orchestrator, writes
from simulator.errors import ArmError
from simulator.extensions import extension_order

from .rolled import IMAGE, NEW, OLD, finished, history, started, versions

AUTOMATIC = {"enableAutomaticOSUpgrade": True}
BAD = {"kind": "unhealthy", "image_version": NEW}
HOOK = "UpgradeAutoOSRollingBatchStarting"


class TestAutomatic:
    def test_a_published_version_is_rolled_out_after_a_while(self) -> None:
        world, owner = started(automatic=AUTOMATIC, published=False)
        events.trigger(world, {"do": "publish", "publisher": "p", "offer": "o", "sku": "s", "version": NEW})
        world.advance(99)
        assert not owner.rolling
        world.advance(110)
        assert owner.rolling
        assert finished(world, owner) == "Completed"
        assert set(versions(owner)) == {NEW}
        assert history(world, owner)[0]["startedBy"] == "Platform"

    def test_enabling_it_brings_the_first_upgrade_later(self) -> None:
        world, owner = started()
        patch = {"properties": {"upgradePolicy": {"automaticOSUpgradePolicy": AUTOMATIC}}}
        writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        world.advance(199)
        assert owner.upgrade is None
        world.advance(201)
        assert owner.rolling

    def test_off_means_off(self) -> None:
        world, owner = started(automatic={"enableAutomaticOSUpgrade": False})
        world.advance(36000)
        assert owner.upgrade is None

    def test_it_waits_for_another_s_work(self) -> None:
        world, owner = started(automatic=AUTOMATIC, published=False)
        events.trigger(world, {"do": "rolling_upgrade", "seconds": 1000})
        events.trigger(world, {"do": "publish", "publisher": "p", "offer": "o", "sku": "s", "version": NEW})
        world.advance(999)
        assert owner.upgrade is None
        world.advance(1100)
        assert owner.upgrade is not None

    @pytest.mark.parametrize("off", [False, True])
    def test_failed_instances_get_their_disks_back(self, off: bool) -> None:
        world, owner = started(automatic={**AUTOMATIC, "disableAutomaticRollback": off}, faults=[BAD])
        disks = [i.os_disk for i in owner.instances.values()]
        world.advance(150)
        assert finished(world, owner) == "Faulted"
        assert versions(owner).count(OLD) == (8 if off else 10)
        assert ([i.os_disk for i in owner.instances.values()] == disks) is not off
        assert history(world, owner)[0]["rollbackInfo"] == {
            "successfullyRolledbackInstanceCount": 0 if off else 2,
            "failedRolledbackInstanceCount": 0,
        }
        upgrades = len(owner.upgrades)
        writes.write(world, owner, model.patched(owner.document, {"tags": {"a": "b"}}, owner.knobs))
        world.advance(world.now + 86400)
        assert len(owner.upgrades) == upgrades, "the same image is not tried again"

    def test_it_goes_by_the_default_policy_unless_told_to_use_the_set_s(self) -> None:
        for use, percent in ((False, 20), (True, 60)):
            automatic = {**AUTOMATIC, "useRollingUpgradePolicy": use}
            world, owner = started(5, automatic=automatic, policy={"maxBatchInstancePercent": 60}, update_domains=1)
            world.advance(150)
            assert owner.upgrade is not None
            assert owner.upgrade.policy["maxBatchInstancePercent"] == percent
            assert len(owner.upgrade.in_progress) == percent * 5 // 100

    def test_a_deferred_upgrade_waits_for_approval(self) -> None:
        world, owner = started(4, automatic={**AUTOMATIC, "osRollingUpgradeDeferral": True})
        world.advance(1000)
        assert owner.upgrade is not None and owner.upgrade.awaiting_approval == ["0", "1", "2", "3"]
        orchestrator.approve(world, owner, ["2"])
        world.advance(2000)
        assert versions(owner) == [OLD, OLD, NEW, OLD]
        orchestrator.approve(world, owner, None)
        assert finished(world, owner) == "Completed"
        assert set(versions(owner)) == {NEW}

    @pytest.mark.parametrize("answer", ["Approved", "Rejected", None])
    def test_a_hook_holds_a_batch_up(self, answer: str | None) -> None:
        hooks = {"lifecycleHooks": [{"type": HOOK, "waitDuration": "PT20M", "defaultAction": "Reject"}]}
        world, owner = started(1, automatic=AUTOMATIC, properties={"lifecycleHooksProfile": hooks})
        world.advance(500)
        (event,) = owner.hook_events.values()
        assert (event.state, event.targets, versions(owner)) == ("Active", {"0": "Waiting"}, [OLD])
        if answer:
            lifecycle_hooks.update(world, event, {"0": answer}, None)
        assert finished(world, owner) == "Completed"
        assert event.state == "Completed"
        assert versions(owner) == [NEW if answer == "Approved" else OLD]


class TestModelAndExtensions:
    def test_a_write_in_mode_rolling_ends_with_its_upgrade_and_fails_with_it(self) -> None:
        image = {**IMAGE, "version": OLD}
        world, owner = started(image=image, upgrade_mode="Rolling", faults=[BAD])
        patch = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW}}}}}
        operation = writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        world.advance(100)
        assert operation.status == "InProgress" and owner.rolling
        assert finished(world, owner) == "Faulted"
        assert operation.error is not None and operation.error["code"].startswith("MaxUnhealthyUpgraded")
        assert history(world, owner) == []

    def test_extensions_come_in_their_order(self) -> None:
        def extension(name: str, *after: str) -> dict[str, Any]:
            return {"name": name, "properties": {"type": name, "provisionAfterExtensions": list(after)}}

        profile = {"extensionProfile": {"extensions": [extension("c", "b"), extension("a"), extension("b", "a")]}}
        assert extension_order(profile) == ["a", "b", "c"]
        with pytest.raises(ArmError, match="wait for one another"):
            extension_order({"extensionProfile": {"extensions": [extension("a", "b"), extension("b", "a")]}})

    def test_an_instance_is_healthy_only_after_its_extensions(self) -> None:
        world, owner = started(1, knobs={"extension": 30})
        orchestrator.start_os(world, owner)
        world.advance(75)
        (instance,) = owner.instances.values()
        assert (instance.power, instance.provisioning) == ("running", "Updating")
        assert instance.extensions_pending == ["ApplicationHealthLinux"]
        world.advance(91)
        assert (instance.provisioning, instance.health) == ("Succeeded", "initializing")
        assert finished(world, owner) == "Completed"

    def test_extensions_of_a_new_disk_come_one_after_the_other(self) -> None:
        world, owner = started(1, knobs={"extension": 30})
        existing = owner.profile["extensionProfile"]["extensions"]
        (health,) = [one["name"] for one in existing]
        last = {"publisher": "x", "type": "B", "provisionAfterExtensions": ["a"]}
        first = {"publisher": "x", "type": "A", "provisionAfterExtensions": [health]}
        added = [{"name": "b", "properties": last}, {"name": "a", "properties": first}]
        patch = {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": [*existing, *added]}}}}
        writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        world.advance(60)
        orchestrator.start_os(world, owner)
        (instance,) = owner.instances.values()
        seen: list[tuple[str, ...]] = []
        while instance.provisioning != "Succeeded" or not seen:
            world.advance(world.now + 1)
            pending = tuple(instance.extensions_pending)
            if instance.power == "running" and pending and pending not in seen[-1:]:
                assert instance.health != "healthy"
                seen.append(pending)
        assert seen == [(health, "a", "b"), ("a", "b"), ("b",)]
        assert finished(world, owner) == "Completed"

    def test_an_extension_upgrade_keeps_the_disks(self) -> None:
        world, owner = started(3)
        added = {"name": "app", "properties": {"publisher": "x", "type": "App", "typeHandlerVersion": "2.0"}}
        existing = owner.profile["extensionProfile"]["extensions"]
        patch = {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": [*existing, added]}}}}
        writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        world.advance(100)
        orchestrator.start_extensions(world, owner)
        assert finished(world, owner) == "Completed"
        assert world.recorder.replaced_total() == 0
        assert all(i.generation == owner.generation for i in owner.instances.values())


FABRIC: dict[str, Any] = {
    "name": "fabric",
    "properties": {
        "publisher": "Microsoft.Azure.ServiceFabric",
        "type": "ServiceFabricLinuxNode",
        "typeHandlerVersion": "1.1",
        "settings": {"durabilityLevel": "Silver"},
    },
}


@pytest.mark.parametrize("policy", ["refuse", "accept"])
@pytest.mark.parametrize(
    ("mode", "durability", "health", "words"),
    [
        ("Automatic", "Silver", "none", ""),
        ("Manual", "Silver", "none", "mode Automatic only"),
        ("Automatic", "Bronze", "none", "durability Bronze"),
        ("Automatic", "Silver", "probe", "health probe is not supported"),
    ],
)
def test_what_service_fabric_takes(policy: str, mode: str, durability: str, health: str, words: str) -> None:
    world, owner = started(1, health=health, upgrade_mode="Automatic", knobs={"fabric_policy": policy})
    fabric = copy.deepcopy(FABRIC)
    fabric["properties"]["settings"]["durabilityLevel"] = durability
    properties = {
        "upgradePolicy": {"mode": mode, "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}},
        "virtualMachineProfile": {"extensionProfile": {"extensions": [fabric]}},
    }
    patched = model.patched(owner.document, {"properties": properties}, owner.knobs)
    if words and policy == "refuse":
        with pytest.raises(ArmError, match=words):
            writes.write(world, owner, patched)
    else:
        writes.write(world, owner, patched)


@pytest.mark.parametrize("acts", [True, False])
def test_a_change_of_the_mode_may_bring_every_instance_to_the_newest_image_at_once(acts: bool) -> None:
    """All have the model, which says latest, and a newer version is published."""
    world, owner = started(10, knobs={"mode_change_acts": acts, "same_reference_reimages": True})
    document = copy.deepcopy(owner.document)
    document["properties"]["upgradePolicy"]["mode"] = "Automatic"
    writes.write(world, owner, document)
    world.advance(world.now + 30)
    down = [i for i in owner.instances.values() if i.power != "running"]
    assert len(down) == (10 if acts else 0)
    world.advance(world.now + 600)
    assert set(versions(owner)) == ({NEW} if acts else {OLD})
