"""Azure's own rolling upgrades in the simulator: order, thresholds, restores, cancelling, history, hooks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import actions, events, model, orchestrator, writes
from simulator.errors import ArmError
from simulator.rolling_batches import Candidate, batch_size, next_batch

from .rolled import IMAGE, NEW, OLD, finished, history, latest, started, versions

AUTOMATIC = {"enableAutomaticOSUpgrade": True}
BAD = {"kind": "unhealthy", "image_version": NEW}


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

    def test_an_instance_that_is_newer_is_skipped(self) -> None:
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
