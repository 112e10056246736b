"""The simulator's engine: time is handed in, so hours of Azure pass in milliseconds."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import pytest
from simulator import actions, model, writes
from simulator.errors import ArmError
from simulator.knobs import KnobError
from simulator.scale_set import Operation, ScaleSet
from simulator.scenario import Scenario, ScenarioError, build
from simulator.wire import Wire
from simulator.world import World

OLD, NEW = "1.0.1", "1.0.2"
IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": OLD}


def scenario(capacity: int = 5, *, knobs: dict[str, Any] | None = None, **more: Any) -> Scenario:
    fixed = {"upgrade": 60, "reimage": 60, "health_lag": 20, "write": 10, "noop": 1, "create": 30, "delete": 5}
    top = {key: more.pop(key) for key in ("events", "instance_faults", "seed") if key in more}
    data = {
        "images": {"platform": [{"publisher": "p", "offer": "o", "sku": "s", "versions": [OLD, NEW]}]},
        "scale_sets": [
            {
                "name": "web",
                "resource_group": "rg",
                "capacity": capacity,
                "image": IMAGE,
                "knobs": fixed | (knobs or {}),
                **more,
            }
        ],
        **top,
    }
    return build(data, datetime(2026, 1, 1))


def started(*args: Any, **more: Any) -> tuple[World, ScaleSet]:
    world = scenario(*args, **more).world
    owner = world.find("RG", "WEB")
    assert owner is not None
    return world, owner


def write_version(world: World, owner: ScaleSet, version: str = NEW) -> Operation:
    patch = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}}
    return writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))


def upgraded(world: World, owner: ScaleSet, ids: list[str] | None) -> Operation:
    world.advance(world.now + 3600)
    operation = actions.upgrade(world, owner, ids)
    world.advance(world.now + 3600)
    return operation


class TestUpgrade:
    def test_an_upgrade_takes_the_instance_down_and_brings_the_new_disk_and_then_health(self) -> None:
        world, owner = started()
        write_version(world, owner)
        world.advance(100)
        before = copy.deepcopy(owner.instances["1"])
        operation = actions.upgrade(world, owner, ["1"])
        instance = owner.instances["1"]
        assert (instance.provisioning, instance.power, instance.available) == ("Updating", "stopped", False)
        world.advance(131)
        assert instance.os_disk != before.os_disk
        assert instance.shown_exact(world.now) == OLD, "the new version shows when the instance is up"
        world.advance(160)
        assert operation.status == "Succeeded"
        assert (instance.power, instance.health, instance.available) == ("running", "initializing", False)
        assert instance.shown_exact(world.now) == NEW
        world.advance(180)
        assert instance.available
        assert (instance.instance_id, instance.computer_name) == (before.instance_id, before.computer_name)
        assert {key for key, other in owner.instances.items() if other.image.exact == NEW} == {"1"}

    def test_nothing_to_do_is_quick_and_touches_nothing(self) -> None:
        world, owner = started()
        operation = actions.upgrade(world, owner, ["0"])
        world.advance(1)
        assert operation.status == "Succeeded"
        assert world.recorder.batches == [] and world.recorder.timeline == []

    def test_a_published_version_moves_no_instance_and_no_flag(self) -> None:
        world, owner = started(image={**IMAGE, "version": "latest"}, running=OLD)
        operation = upgraded(world, owner, ["*"])
        assert operation.status == "Succeeded"
        assert {i.image.exact for i in owner.instances.values()} == {OLD}
        assert all(i.generation == owner.generation for i in owner.instances.values())

    @pytest.mark.parametrize("ids", [None, [], ["*"]])
    def test_no_ids_mean_all(self, ids: list[str] | None) -> None:
        world, owner = started()
        write_version(world, owner)
        upgraded(world, owner, ids)
        assert world.recorder.replaced_total("web") == 5

    def test_an_unknown_id_refuses_the_whole_call(self) -> None:
        world, owner = started()
        write_version(world, owner)
        world.advance(100)
        with pytest.raises(ArmError) as refused:
            actions.upgrade(world, owner, ["0", "99"])
        assert (refused.value.status, refused.value.code) == (400, "InvalidParameter")
        assert all(instance.busy is None for instance in owner.instances.values())

    def test_the_disk_may_stay(self) -> None:
        world, owner = started(knobs={"upgrade_keeps_disk": True})
        write_version(world, owner)
        upgraded(world, owner, ["0"])
        instance = owner.instances["0"]
        assert (instance.image.exact, instance.generation) == (OLD, owner.generation)
        actions.reimage(world, owner, ["0"])
        world.advance(world.now + 100)
        assert instance.image.exact == NEW

    def test_a_reimage_alone_is_no_upgrade(self) -> None:
        world, owner = started()
        write_version(world, owner)
        world.advance(100)
        actions.reimage(world, owner, ["0"])
        world.advance(300)
        assert owner.instances["0"].image.exact == OLD
        assert world.recorder.replaced_of("web", "0") == 1

    def test_lateness(self) -> None:
        world, owner = started(knobs={"exact_version_late": 60, "health_linger": 45, "operation_early": 30})
        write_version(world, owner)
        world.advance(100)
        instance = owner.instances["0"]
        healthy_since = instance.health_time
        operation = actions.upgrade(world, owner, ["0"])
        world.advance(131)
        assert operation.status == "Succeeded" and instance.provisioning == "Updating"
        world.advance(165)
        assert instance.shown_exact(world.now) == OLD and instance.image.exact == NEW
        assert instance.shown_health(world.now) == ("healthy", healthy_since) and not instance.available
        world.advance(176)
        assert instance.shown_health(world.now) == ("initializing", 160)
        world.advance(221)
        assert instance.shown_exact(world.now) == NEW

    def test_a_broken_image_fails_its_instances_and_the_operation_names_them(self) -> None:
        fault = {"kind": "fail", "image_version": NEW, "instance": "1", "code": "AllocationFailed", "disk": "old"}
        world, owner = started(instance_faults=[fault])
        write_version(world, owner)
        operation = upgraded(world, owner, ["0", "1"])
        assert operation.status == "Failed" and operation.error is not None
        assert [detail["target"] for detail in operation.error["details"]] == ["1"]
        assert owner.instances["0"].image.exact == NEW
        assert (owner.instances["1"].image.exact, owner.instances["1"].provisioning) == (OLD, "Failed")
        assert owner.provisioning_state(world.now) == "Failed"

    def test_protected_instances_are_skipped_or_refused(self) -> None:
        protected = {"0": {"protect_scale_in": True, "protect_actions": True}}
        world, owner = started(instances=protected)
        write_version(world, owner)
        upgraded(world, owner, ["0", "1"])
        assert {key for key, i in owner.instances.items() if i.image.exact == NEW} == {"1"}
        world, owner = started(instances=protected, knobs={"protected_upgrade": "refuse"})
        write_version(world, owner)
        with pytest.raises(ArmError):
            upgraded(world, owner, ["0", "1"])


class TestOneAtATime:
    def test_a_newer_write_preempts_the_running_one(self) -> None:
        world, owner = started()
        older = write_version(world, owner)
        newer = writes.write(world, owner, {**owner.document, "tags": {"a": "b"}})
        world.advance(60)
        assert (older.status, (older.error or {})["code"]) == ("Canceled", "OperationPreempted")
        assert newer.status == "Succeeded"

    def test_actions_overlap_with_nothing(self) -> None:
        world, owner = started()
        write_version(world, owner)
        with pytest.raises(ArmError) as refused:
            actions.upgrade(world, owner, ["0"])
        assert (refused.value.status, refused.value.code) == (409, "Conflict")
        world.advance(60)
        actions.upgrade(world, owner, ["0"])
        with pytest.raises(ArmError):
            actions.upgrade(world, owner, ["1"])
        with pytest.raises(ArmError):
            write_version(world, owner, OLD)

    def test_a_success_does_not_promise_that_the_next_action_is_accepted(self) -> None:
        world, owner = started(knobs={"conflict_window": 30})
        write_version(world, owner)
        world.advance(39)
        assert owner.provisioning_state(world.now) == "Succeeded"
        with pytest.raises(ArmError):
            actions.upgrade(world, owner, ["0"])
        world.advance(41)
        actions.upgrade(world, owner, ["0"])

    def test_the_set_may_show_updating_late(self) -> None:
        world, owner = started(knobs={"set_updating_late": 5})
        write_version(world, owner)
        assert owner.provisioning_state(world.now) == "Succeeded"
        world.advance(5)
        assert owner.provisioning_state(world.now) == "Updating"


class TestWrites:
    def test_generations_count_writes_and_not_content(self) -> None:
        world, owner = started()
        writes.write(world, owner, model.put(owner.document, copy.deepcopy(owner.document), owner.knobs))
        assert all(i.generation != owner.generation for i in owner.instances.values())
        upgraded(world, owner, ["*"])
        assert all(i.generation == owner.generation for i in owner.instances.values())
        assert world.recorder.replaced_total() == 0, "the image did not change"

    def test_a_patch_completes_the_stored_reference_and_keeps_all_else(self) -> None:
        world, owner = started(tags={"team": "a"}, properties={"future": {"member": 1}})
        before = copy.deepcopy(owner.document)
        write_version(world, owner)
        changed = copy.deepcopy(owner.document)
        assert model.storage_of(changed)["imageReference"].pop("version") == NEW
        model.storage_of(before)["imageReference"].pop("version")
        assert changed == before

    def test_refusals(self) -> None:
        world, owner = started()
        with pytest.raises(ArmError, match="is not available"):
            write_version(world, owner, "9.9.9")
        other = copy.deepcopy(owner.document)
        model.storage_of(other)["imageReference"] = {
            "id": "/subscriptions/x/resourceGroups/rg/providers/Microsoft.Compute/images/i"
        }
        with pytest.raises(ArmError, match="Image type"):
            writes.write(world, owner, other)
        assert owner.generation == 1 and owner.etag == 1

    @pytest.mark.parametrize(
        ("patch", "target"),
        [
            ({"location": "elsewhere"}, "location"),
            ({"properties": {"orchestrationMode": "Flexible"}}, "orchestrationMode"),
            ({"properties": {"virtualMachineProfile": {"priority": "Spot"}}}, "priority"),
        ],
    )
    def test_some_properties_may_not_change(self, patch: dict[str, Any], target: str) -> None:
        world, owner = started()
        with pytest.raises(ArmError) as refused:
            writes.write(world, owner, model.patched(owner.document, patch, owner.knobs))
        assert (refused.value.status, refused.value.code) == (409, "PropertyChangeNotAllowed")
        assert refused.value.target == target

    def test_ten_models_are_the_limit(self) -> None:
        world, owner = started(knobs={"model_limit": 2})
        write_version(world, owner)
        upgraded(world, owner, ["0"])
        with pytest.raises(ArmError, match="reached its limit of 2 models"):
            write_version(world, owner, OLD)

    def test_automatic_mode_takes_every_instance_at_once(self) -> None:
        world, owner = started(upgrade_mode="Automatic")
        write_version(world, owner)
        assert len(world.recorder.of("web").unavailable) == 5

    def test_rolling_mode_goes_domain_by_domain(self) -> None:
        world, owner = started(10, upgrade_mode="Rolling")
        operation = write_version(world, owner)
        world.advance(3600)
        assert operation.status == "Succeeded"
        assert world.recorder.replaced_total() == 10
        assert world.recorder.of("web").max_unavailable == 2

    def test_scaling(self) -> None:
        world, owner = started()
        document = copy.deepcopy(owner.document)
        document["sku"]["capacity"] = 7
        operation = writes.write(world, owner, document)
        world.advance(29)
        assert operation.status == "InProgress" and owner.instances["6"].provisioning == "Creating"
        world.advance(60)
        assert operation.status == "Succeeded" and len(owner.instances) == 7
        assert owner.generation == 1, "a write of the capacity costs no generation"
        assert world.recorder.of("web").max_unavailable == 0, "who is not yet there is not missed"
        document = copy.deepcopy(owner.document)
        document["sku"]["capacity"] = 4
        writes.write(world, owner, document)
        world.advance(120)
        assert list(owner.instances) == ["0", "1", "2", "3"]


class TestEvents:
    def test_by_time_and_by_progress(self) -> None:
        world, owner = started(
            events=[
                {"at": 50, "do": "scale", "scale_set": "web", "capacity": 6},
                {"when": {"upgraded": 2}, "do": "unhealthy", "scale_set": "web", "instance": "4"},
            ]
        )
        world.advance(200)
        assert len(owner.instances) == 6
        write_version(world, owner)
        upgraded(world, owner, ["0"])
        assert owner.instances["4"].health == "healthy"
        upgraded(world, owner, ["1"])
        assert owner.instances["4"].health == "unhealthy"

    def test_by_call(self) -> None:
        world, owner = started(
            events=[{"when": {"calls": {"VirtualMachineScaleSets_Get": 2}}, "do": "remove", "instance": "3"}]
        )
        world.notice_call("VirtualMachineScaleSets_Get")
        assert "3" in owner.instances
        world.notice_call("VirtualMachineScaleSets_Get")
        assert "3" not in owner.instances


class TestJudge:
    def test_batches_last_until_the_slowest_is_healthy(self) -> None:
        world, owner = started(10)
        write_version(world, owner)
        world.advance(100)
        actions.upgrade(world, owner, ["0", "5"])
        figures = world.recorder.of("web")
        assert (len(figures.unavailable), figures.max_domains) == (2, 1)
        world.advance(1000)
        (batch,) = world.recorder.as_dict()["batches"]
        assert (batch["started"], batch["ended"], batch["seconds"]) == (100, 180, 80)
        actions.upgrade(world, owner, ["1", "2"])
        assert figures.max_domains == 2
        assert world.recorder.as_dict()["unavailable"] == {"now": 2, "max": 2}

    def test_deallocated_instances_count_on_neither_side(self) -> None:
        world, owner = started(instances={"0": {"power": "deallocated"}, "1": {"health": "unhealthy"}})
        assert world.recorder.of("web").unavailable == {"1"}
        actions.power(world, owner, ["0"], "start")
        world.advance(10)
        assert world.recorder.of("web").unavailable == {"0", "1"}

    def test_draws_do_not_depend_on_the_order_of_requests(self) -> None:
        def seconds(order: list[str]) -> dict[str, float]:
            world, owner = started(knobs={"upgrade": {"lognormal": 180, "cv": 0.3}})
            write_version(world, owner)
            for instance_id in order:
                upgraded(world, owner, [instance_id])
            return {b.instance_ids[0]: round(b.up[b.instance_ids[0]] - b.started, 6) for b in world.recorder.batches}

        assert seconds(["0", "1", "2"]) == seconds(["2", "0", "1"])


class TestShapes:
    def test_zonal_instances_report_update_domain_0(self) -> None:
        world, owner = started(6, zones=[1, 2, 3])
        wire = Wire(world, "sub")
        views = [wire.instance_item(owner, i, "2024-07-01", view=True) for i in owner.instances.values()]
        assert [item["zones"] for item in views[:3]] == [["1"], ["2"], ["3"]]
        assert {item["properties"]["instanceView"]["platformUpdateDomain"] for item in views} == {0}

    def test_ids_may_have_gaps(self) -> None:
        _world, owner = started(50, id_gaps=True)
        numbers = [int(key) for key in owner.instances]
        assert len(numbers) == 50 and numbers == sorted(numbers) and numbers[-1] > 50

    def test_a_set_without_a_health_source_shows_none(self) -> None:
        world, owner = started(health="none")
        assert "vmHealth" not in Wire(world, "sub").instance_view(owner, owner.instances["0"])
        write_version(world, owner)
        upgraded(world, owner, ["0"])
        assert owner.instances["0"].available


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"knobs": {"upgrde": 3}}, "scale_sets[0].knobs"),
        ({"knobs": {"upgrade": "long"}}, "is no duration"),
        ({"knobs": {"patch_tags": "maybe"}}, "merge, replace"),
        ({"helth": "rich"}, "unknown key helth"),
        ({"instances": {"77": {}}}, "no instance 77"),
        ({"image": {**IMAGE, "version": "7"}}, "cannot be deployed"),
        ({"events": [{"do": "explode", "at": 1}]}, "do must be one of"),
        ({"events": [{"do": "scale"}]}, "needs at: SECONDS"),
        ({"instance_faults": [{"kind": "odd"}]}, "kind must be"),
    ],
)
def test_a_wrong_scenario_says_where(change: dict[str, Any], text: str) -> None:
    with pytest.raises((ScenarioError, KnobError)) as refused:
        scenario(**change)
    assert text in str(refused.value)
