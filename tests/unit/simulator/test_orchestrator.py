"""Azure's own rolling upgrades in the simulator: order, thresholds, restores, cancelling, history, hooks."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import actions, events, lifecycle_hooks, model, orchestrator, wire_rolling, writes
from simulator.errors import ArmError
from simulator.extensions import extension_order
from simulator.rolling_batches import Candidate, batch_size, next_batch
from simulator.scale_set import ScaleSet
from simulator.scenario import build
from simulator.wire import Wire
from simulator.world import World

OLD, NEW = "1.0.1", "1.0.2"
IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": "latest"}
FIXED = {"upgrade": 60, "health_lag": 20, "write": 10, "noop": 1, "create": 30, "delete": 5}
AUTOMATIC = {"enableAutomaticOSUpgrade": True}
BAD = {"kind": "unhealthy", "image_version": NEW}
HOOK = "UpgradeAutoOSRollingBatchStarting"


def started(
    capacity: int = 10,
    *,
    policy: dict[str, Any] | None = None,
    automatic: dict[str, Any] | None = None,
    faults: list[dict[str, Any]] | None = None,
    knobs: dict[str, Any] | None = None,
    published: bool = True,
    properties: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[World, ScaleSet]:
    """A set whose instances run the old version of an image of which (as a rule) a newer one is there."""
    upgrade_policy: dict[str, Any] = {"rollingUpgradePolicy": policy or {}}
    if automatic is not None:
        upgrade_policy["automaticOSUpgradePolicy"] = automatic
    data = {
        "images": {
            "platform": [
                {"publisher": "p", "offer": "o", "sku": "s", "versions": [OLD, NEW] if published else [OLD]},
            ]
        },
        "instance_faults": faults or [],
        "scale_sets": [
            {
                "name": "web",
                "resource_group": "rg",
                "capacity": capacity,
                "image": IMAGE,
                "running": OLD,
                "knobs": {**FIXED, "automatic_delay": 100, "automatic_first_delay": 200, **(knobs or {})},
                "properties": {"upgradePolicy": upgrade_policy, **(properties or {})},
                **more,
            }
        ],
    }
    world = build(data, datetime(2026, 1, 1)).world
    owner = world.find("rg", "web")
    assert owner is not None
    return world, owner


def versions(owner: ScaleSet) -> list[str | None]:
    return [i.image.exact for i in owner.instances.values()]


def finished(world: World, owner: ScaleSet, seconds: float = 36000) -> str:
    world.advance(world.now + seconds)
    assert owner.upgrade is not None and not owner.upgrade.running
    return owner.upgrade.code


def latest(world: World, owner: ScaleSet, version: str = "2026-04-01") -> dict[str, Any]:
    body = wire_rolling.latest(Wire(world, "s"), owner, version)
    assert body is not None
    properties: dict[str, Any] = body["properties"]
    return properties


def history(world: World, owner: ScaleSet) -> list[dict[str, Any]]:
    return [item["properties"] for item in wire_rolling.history(Wire(world, "s"), owner, "2026-04-01")]


def candidate(number: int, zone: str | None = None, update_domain: int = 0, *, healthy: bool = True) -> Candidate:
    return Candidate(str(number), number, zone, update_domain, healthy)


class TestBatches:
    @pytest.mark.parametrize(
        ("total", "percent", "unhealthy", "size"),
        [(10, 20, 0, 2), (9, 20, 0, 1), (3, 20, 0, 1), (1, 5, 0, 1), (14, 20, 0, 2), (10, 100, 0, 10), (10, 30, 2, 1)],
    )
    def test_the_size_is_the_floor_of_the_percentage_and_one_at_least(
        self, total: int, percent: int, unhealthy: int, size: int
    ) -> None:
        assert batch_size(total, percent, unhealthy) == size

    @pytest.mark.parametrize(
        ("policy", "ids"),
        [
            ({}, ["1", "5"]),
            ({"enableCrossZoneUpgrade": True}, ["0", "1", "5"]),
            ({"prioritizeUnhealthyInstances": True}, ["3"]),
        ],
    )
    def test_one_zone_and_one_update_domain_at_a_time(self, policy: dict[str, Any], ids: list[str]) -> None:
        there = [
            candidate(0, "2"),
            candidate(1, "1"),
            candidate(2, "1", 1),
            candidate(3, "2", 1, healthy=False),
            candidate(5, "1"),
        ]
        assert next_batch(there, 3, policy) == ids

    @given(
        st.lists(st.tuples(st.sampled_from([None, "1", "2"]), st.integers(0, 4), st.booleans()), max_size=40),
        st.integers(1, 10),
        st.fixed_dictionaries({"enableCrossZoneUpgrade": st.booleans(), "prioritizeUnhealthyInstances": st.booleans()}),
    )
    def test_every_instance_gets_its_turn_once(
        self, drawn: list[tuple[str | None, int, bool]], size: int, policy: dict[str, Any]
    ) -> None:
        waiting = {
            str(n): Candidate(str(n), n, zone, domain, healthy) for n, (zone, domain, healthy) in enumerate(drawn)
        }
        seen: list[str] = []
        while waiting:
            batch = next_batch(waiting.values(), size, policy)
            assert 1 <= len(batch) <= size
            taken = [waiting.pop(key) for key in batch]
            assert len({one.update_domain for one in taken}) == 1
            assert policy["enableCrossZoneUpgrade"] or len({one.zone for one in taken}) == 1
            if policy["prioritizeUnhealthyInstances"] and any(one.healthy for one in taken):
                assert all(one.healthy for one in waiting.values())
            seen += batch
        assert len(seen) == len(set(seen)) == len(drawn)


class TestUpgrade:
    def test_it_walks_domain_by_domain_and_waits_for_health(self) -> None:
        world, owner = started()
        upgrade = orchestrator.start_os(world, owner)
        world.advance(70)
        assert latest(world, owner)["progress"] == {
            "successfulInstanceCount": 0,
            "failedInstanceCount": 0,
            "inProgressInstanceCount": 2,
            "pendingInstanceCount": 8,
        }
        assert (owner.provisioning_state(world.now), owner.rolling) == ("Updating", True)
        assert finished(world, owner) == "Completed"
        assert upgrade.batches == [["0", "5"], ["1", "6"], ["2", "7"], ["3", "8"], ["4", "9"]]
        assert upgrade.operation.status == "Succeeded"
        assert set(versions(owner)) == {NEW} and all(i.generation == owner.generation for i in owner.instances.values())
        figures = world.recorder.as_dict()["scale_sets"]["web"]
        assert (figures["unavailable"]["max"], figures["domains_down_at_once"]) == (2, 1)
        assert [batch["action"] for batch in world.recorder.as_dict()["batches"]] == ["rolling os upgrade"] * 5
        assert owner.upgrade is not None and owner.upgrade.max_unavailable == 2

    @pytest.mark.parametrize(("cross", "batches"), [(False, 3), (True, 1)])
    def test_zone_by_zone_unless_zones_may_be_crossed(self, cross: bool, batches: int) -> None:
        policy = {"maxBatchInstancePercent": 100, "enableCrossZoneUpgrade": cross, "maxUnhealthyInstancePercent": 100}
        world, owner = started(6, policy=policy, zones=["1", "2", "3"])
        upgrade = orchestrator.start_os(world, owner)
        assert (finished(world, owner), len(upgrade.batches)) == ("Completed", batches)
        assert world.recorder.as_dict()["scale_sets"]["web"]["zones_down_at_once"] == (3 if cross else 1)

    def test_a_set_that_is_current_counts_all_as_successful_and_loses_no_disk(self) -> None:
        world, owner = started(3, running=NEW)
        orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        assert latest(world, owner)["progress"]["successfulInstanceCount"] == 3
        assert world.recorder.replaced_total() == 0

    def test_an_instance_that_is_newer_is_left_alone(self) -> None:
        world, owner = started(2)
        events.trigger(world, {"do": "running_version", "instance": "1", "version": "9.0.0"})
        orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        assert versions(owner) == [NEW, "9.0.0"]

    def test_protected_instances_are_no_part_of_it(self) -> None:
        world, owner = started(3, instances={1: {"protect_actions": True, "protect_scale_in": True}})
        orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        assert versions(owner) == [NEW, OLD, NEW]
        assert latest(world, owner)["progress"]["successfulInstanceCount"] == 2

    def test_it_pauses_between_batches(self) -> None:
        world, owner = started(2, policy={"pauseTimeBetweenBatches": "PT10M"})
        upgrade = orchestrator.start_os(world, owner)
        world.advance(600)
        assert len(upgrade.batches) == 1
        world.advance(760)
        assert len(upgrade.batches) == 2

    def test_others_are_refused_meanwhile(self) -> None:
        world, owner = started()
        orchestrator.start_os(world, owner)
        for what in (
            lambda: orchestrator.start_os(world, owner),
            lambda: orchestrator.start_extensions(world, owner),
            lambda: actions.upgrade(world, owner, ["0"]),
            lambda: actions.delete_set(world, owner),
            lambda: writes.write(world, owner, model.patched(owner.document, {"tags": {"a": "b"}}, owner.knobs)),
        ):
            with pytest.raises(ArmError) as refused:
                what()
            assert (refused.value.status, refused.value.code) == (409, "OperationNotAllowed")
        assert finished(world, owner) == "Completed"
        orchestrator.start_os(world, owner)

    @pytest.mark.parametrize(("needs", "allowed"), [("instances", False), ("model", True), ("nothing", True)])
    def test_instances_must_follow_latest(self, needs: str, allowed: bool) -> None:
        world, owner = started(2, image={**IMAGE, "version": OLD}, knobs={"rolling_needs_latest": needs})
        patch = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": "latest"}}}}}
        writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        world.advance(100)
        if allowed:
            orchestrator.start_os(world, owner)
            return
        with pytest.raises(ArmError, match=r"imageReference\.version set to latest"):
            orchestrator.start_os(world, owner)

    def test_max_surge_replaces_instances_by_new_ones(self) -> None:
        world, owner = started(5, policy={"maxSurge": True})
        orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        assert len(owner.instances) == 5 and not {"0", "1", "2", "3", "4"} & owner.instances.keys()
        assert set(versions(owner)) == {NEW}
        assert world.recorder.as_dict()["unavailable"]["max"] == 0

    def test_a_flexible_set_rolls_zone_by_zone(self) -> None:
        world, owner = started(4, orchestration="Flexible", zones=["1", "2"], policy={"maxBatchInstancePercent": 50})
        upgrade = orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        zones = [[owner.instances[key].zone for key in batch] for batch in upgrade.batches]
        assert zones == [["1", "1"], ["2", "2"]]

    @settings(max_examples=60, deadline=None)
    @given(
        capacity=st.integers(1, 24),
        zones=st.sampled_from([None, ["1", "2"], ["1", "2", "3"]]),
        percent=st.integers(5, 100),
        limit=st.integers(0, 100),
        chance=st.sampled_from([0.0, 0.1, 0.5]),
        automatic=st.booleans(),
        cancelled_at=st.one_of(st.none(), st.integers(0, 2000)),
    )
    def test_whatever_happens_the_judge_sees_no_more_down_than_a_batch(
        self,
        capacity: int,
        zones: list[str] | None,
        percent: int,
        limit: int,
        chance: float,
        automatic: bool,
        cancelled_at: int | None,
    ) -> None:
        world, owner = started(
            capacity,
            zones=zones,
            policy={"maxBatchInstancePercent": percent, "maxUnhealthyUpgradedInstancePercent": limit},
            faults=[{**BAD, "chance": chance}] if chance else [],
        )
        if automatic:
            owner.document["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"] = {
                **AUTOMATIC,
                "useRollingUpgradePolicy": True,
            }
        upgrade = orchestrator.start_os(world, owner, started_by="Platform" if automatic else "User")
        if cancelled_at is not None:
            world.advance(cancelled_at)
            if upgrade.running:
                orchestrator.cancel(world, owner)
        code = finished(world, owner)
        size = max(1, capacity * percent // 100)
        figures = world.recorder.as_dict()["scale_sets"]["web"]
        failed = len(upgrade.failed)
        assert figures["in_hand"]["max"] <= size + (0 if automatic else failed)
        assert automatic or failed or figures["domains_down_at_once"] <= 1
        assert all(len(batch) <= size for batch in upgrade.batches)
        seen = [key for batch in upgrade.batches for key in batch]
        assert len(seen) == len(set(seen))
        progress = upgrade.progress()
        assert sum(progress.values()) == capacity and progress["inProgressInstanceCount"] == 0
        assert (code == "Faulted") == (upgrade.error is not None)
        assert code != "Completed" or not upgrade.pending
        assert (code == "Cancelled") <= (cancelled_at is not None)
        if automatic:
            assert all(owner.instances[key].image.exact == OLD for key in (*upgrade.failed, *upgrade.pending))
            assert upgrade.restored == failed
        assert all(owner.instances[key].image.exact == NEW for key in upgrade.successful)


class TestThresholds:
    def test_before(self) -> None:
        world, owner = started(4, instances={0: {"health": "unhealthy"}})
        upgrade = orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Faulted"
        assert latest(world, owner)["error"]["code"] == "MaxUnhealthyInstancePercentExceededBeforeRollingUpgrade"
        assert upgrade.batches == [] and upgrade.operation.status == "Failed"
        assert owner.provisioning_state(world.now) == "Failed"

    def test_in(self) -> None:
        world, owner = started(5)
        orchestrator.start_os(world, owner)
        world.advance(70)
        events.trigger(world, {"do": "unhealthy", "instances": ["3", "4"]})
        assert finished(world, owner) == "Faulted"
        assert latest(world, owner)["error"]["code"] == "MaxUnhealthyInstancePercentExceededInRollingUpgrade"

    def test_upgraded(self) -> None:
        world, owner = started(faults=[BAD])
        upgrade = orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Faulted"
        error = latest(world, owner)["error"]
        assert error["code"] == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
        assert "100% of instances" in error["message"] and "First failed instance ID is: 0." in error["message"]
        assert upgrade.operation.error == error
        assert latest(world, owner)["progress"] == {
            "successfulInstanceCount": 0,
            "failedInstanceCount": 2,
            "inProgressInstanceCount": 0,
            "pendingInstanceCount": 8,
        }
        assert versions(owner).count(NEW) == 2, "a manual trigger restores nothing"
        assert upgrade.ended is not None and upgrade.ended >= 360, "it waited five minutes for the health"

    def test_a_few_failures_are_tolerated(self) -> None:
        world, owner = started(policy={"maxUnhealthyUpgradedInstancePercent": 50}, faults=[{**BAD, "instance": "1"}])
        orchestrator.start_os(world, owner)
        assert finished(world, owner) == "Completed"
        progress = latest(world, owner)["progress"]
        assert (progress["successfulInstanceCount"], progress["failedInstanceCount"]) == (9, 1)

    def test_a_breach_rolls_back_where_the_policy_says_so(self) -> None:
        world, owner = started(policy={"rollbackFailedInstancesOnPolicyBreach": True}, faults=[BAD])
        orchestrator.start_os(world, owner)
        world.advance(400)
        assert latest(world, owner)["runningStatus"]["code"] == "RollingBack"
        assert latest(world, owner, "2025-04-01")["runningStatus"]["code"] == "RollingForward"
        assert finished(world, owner) == "Faulted"
        assert set(versions(owner)) == {OLD} and all(i.available for i in owner.instances.values())


class TestCancel:
    def test_the_batch_under_way_is_finished_and_both_operations_succeed(self) -> None:
        world, owner = started()
        upgrade = orchestrator.start_os(world, owner)
        world.advance(30)
        operation = orchestrator.cancel(world, owner)
        assert upgrade.running and operation.status == "InProgress"
        status = latest(world, owner)["runningStatus"]
        assert (status["code"], status["lastAction"]) == ("RollingForward", "Cancel")
        assert finished(world, owner) == "Cancelled"
        assert latest(world, owner)["progress"] == {
            "successfulInstanceCount": 2,
            "failedInstanceCount": 0,
            "inProgressInstanceCount": 0,
            "pendingInstanceCount": 8,
        }
        assert (operation.status, upgrade.operation.status) == ("Succeeded", "Succeeded")
        assert operation.ended == upgrade.operation.ended

    def test_during_a_pause_it_ends_at_once(self) -> None:
        world, owner = started(2, policy={"pauseTimeBetweenBatches": "PT1H"})
        orchestrator.start_os(world, owner)
        world.advance(300)
        orchestrator.cancel(world, owner)
        assert owner.upgrade is not None and owner.upgrade.code == "Cancelled"
        world.advance(9000)
        assert versions(owner) == [NEW, OLD]

    def test_with_nothing_running(self) -> None:
        world, owner = started()
        with pytest.raises(ArmError, match="There is no ongoing Rolling Upgrade to cancel"):
            orchestrator.cancel(world, owner)


class TestHistory:
    def test_five_of_the_last_two_months(self) -> None:
        world, owner = started(2)
        for _time in range(6):
            orchestrator.start_os(world, owner)
            finished(world, owner, 86400)
        first, *_others = there = history(world, owner)
        assert len(there) == 5
        assert first["startedBy"] == "User" and first["targetImageReference"] == {**IMAGE, "version": NEW}
        assert first["runningStatus"].keys() == {"code", "startTime", "completedTime"}
        world.advance(world.now + 60 * 86400)
        assert len(history(world, owner)) == 1

    def test_extension_upgrades_are_no_part_of_it(self) -> None:
        world, owner = started(2)
        orchestrator.start_extensions(world, owner)
        assert finished(world, owner) == "Completed"
        assert history(world, owner) == []


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
