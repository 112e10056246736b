"""What other clients and a moody Azure do to a set between two of our requests, and what an action then finds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from simulator import actions, events, model, writes
from simulator.arm import Arm
from simulator.compute_sets import ScaleSets
from simulator.errors import ArmError
from simulator.protocol import Request
from simulator.scale_set import ScaleSet
from simulator.scenario import Scenario, build
from simulator.wire import Wire
from simulator.world import World

OLD, NEW = "1.0.1", "1.0.2"
IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": OLD}
OTHERS = {"publisher": "other", "offer": "appliance", "sku": "s", "version": "9.9.9"}
FIXED = {"upgrade": 60, "reimage": 60, "health_lag": 20, "write": 10, "noop": 1, "create": 30, "delete": 5}

FALLEN: dict[str, Any] = {"kind": "fail", "code": "AllocationFailed", "disk": "old", "power": "deallocated"}
EPHEMERAL = {"virtualMachineProfile": {"storageProfile": {"osDisk": {"diffDiskSettings": {"option": "Local"}}}}}


def scenario(capacity: int = 5, *, knobs: dict[str, Any] | None = None, **more: Any) -> Scenario:
    top = {key: more.pop(key) for key in ("events", "instance_faults") if key in more}
    web = {"name": "web", "resource_group": "rg", "capacity": capacity, "image": IMAGE, **more}
    images = {"platform": [{"publisher": "p", "offer": "o", "sku": "s", "versions": [OLD, NEW]}]}
    return build(
        {"images": images, "scale_sets": [{**web, "knobs": FIXED | (knobs or {})}], **top}, datetime(2026, 1, 1)
    )


def started(*args: Any, **more: Any) -> tuple[World, ScaleSet]:
    world = scenario(*args, **more).world
    return world, next(iter(world.sets.values()))


def patch(world: World, owner: ScaleSet, body: dict[str, Any]) -> None:
    writes.write(world, owner, model.patched(owner.document, body, owner.knobs), "patch")


def image(version: str) -> dict[str, Any]:
    return {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}}


def system(**members: Any) -> dict[str, Any]:
    return {"properties": {"virtualMachineProfile": {"osProfile": members}}}


def mode(name: str) -> dict[str, Any]:
    return {"properties": {"upgradePolicy": {"mode": name}}}


def later(world: World, seconds: float = 3600) -> None:
    world.advance(world.now + seconds)


def upgrade(world: World, owner: ScaleSet, *ids: str) -> None:
    later(world)
    actions.upgrade(world, owner, list(ids))
    later(world)


def reimage(world: World, owner: ScaleSet, *ids: str, force: bool = False) -> None:
    actions.reimage(world, owner, list(ids), force=force)
    later(world)


class TestWrites:
    def test_each_write_is_kept_with_what_it_was_decided_upon(self) -> None:
        world, owner = started(tags={"steady-vmss-rollout": "one"})
        events.trigger(world, {"do": "write", "patch": mode("Automatic")})
        later(world)
        patch(world, owner, {**image(NEW), "tags": {"steady-vmss-rollout": "two"}})
        theirs, ours = world.recorder.writes
        assert (theirs["by"], theirs["mode"], theirs["upgraded"]) == ("another client", "Manual", [])
        assert theirs["changes"] == {"properties.upgradePolicy.mode": ["Manual", "Automatic"]}
        assert (ours["by"], ours["mode"], ours["tags"]) == ("client", "Automatic", {"steady-vmss-rollout": "one"})
        version = "properties.virtualMachineProfile.storageProfile.imageReference.version"
        assert ours["changes"][version] == [OLD, NEW]
        assert ours["changes"]["tags.steady-vmss-rollout"] == ["one", "two"]
        assert ours["upgraded"] == list(owner.instances), "the mode has taken all of them down"

    @pytest.mark.parametrize("counts", [True, False])
    def test_a_write_of_tags_is_a_generation_and_perhaps_a_model(self, counts: bool) -> None:
        world, owner = started(12, knobs={"tags_write_is_a_model": counts, "model_limit": 3})
        for number in range(2):
            etag = owner.etag
            patch(world, owner, {"tags": {"n": str(number)}})
            assert owner.etag == etag + 1
            assert all(i.generation != owner.generation for i in owner.instances.values())
            upgrade(world, owner, str(number))
        assert owner.models() == ({1, 2, 3} if counts else {1})
        assert world.recorder.replaced_total() == 0
        if counts:
            with pytest.raises(ArmError, match="limit of 3 models"):
                patch(world, owner, {"tags": {"n": "2"}})
        else:
            patch(world, owner, {"tags": {"n": "2"}})

    def test_an_accepted_upgrade_moves_the_etag_also_where_nothing_is_to_do(self) -> None:
        world, owner = started()
        upgrade(world, owner, "0")
        assert owner.etag == 2

    @pytest.mark.parametrize(("acts_on", "upgraded"), [("model", []), ("any", ["0", "1"])])
    def test_mode_automatic_acts_on_a_new_model_or_on_any_write(self, acts_on: str, upgraded: list[str]) -> None:
        world, owner = started(2, knobs={"automatic_acts_on": acts_on})
        patch(world, owner, image(NEW))
        later(world)
        patch(world, owner, mode("Automatic"))
        assert world.recorder.writes[-1]["upgraded"] == upgraded

    def test_a_member_may_get_lost_when_the_image_is_written(self) -> None:
        disks = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 64}]
        properties = {"virtualMachineProfile": {"storageProfile": {"dataDisks": disks}}}
        world, owner = started(properties=properties, knobs={"image_write_loses": "storageProfile.dataDisks"})
        patch(world, owner, {"tags": {"a": "b"}})
        assert owner.profile["storageProfile"]["dataDisks"] == disks
        patch(world, owner, image(NEW))
        assert "dataDisks" not in owner.profile["storageProfile"]
        path = "properties.virtualMachineProfile.storageProfile.dataDisks"
        assert world.recorder.writes[-1]["changes"][path] == [disks, None]

    @pytest.mark.parametrize(
        ("tags", "said"),
        [
            ({"a": "x" * 257}, "Tag value too large"),
            ({"a/b": "x"}, "tag name 'a/b' is invalid"),
            ({f"t{number}": "" for number in range(51)}, "maximum number of tags on a resource is 50"),
        ],
    )
    def test_tags_have_limits(self, tags: dict[str, str], said: str) -> None:
        world, owner = started()
        with pytest.raises(ArmError, match=said):
            patch(world, owner, {"tags": tags})
        patch(world, owner, {"tags": {"a": "x" * 256}})


class TestEvents:
    def test_azure_policy_adds_an_extension_and_tags(self) -> None:
        world, owner = started(tags={"team": "a"})
        agent = {"name": "AzureMonitorLinuxAgent", "properties": {"publisher": "p", "type": "t"}}
        for _twice in range(2):
            events.trigger(world, {"do": "policy", "extension": agent, "tags": {"policy": "yes"}})
        names = [one["name"] for one in owner.profile["extensionProfile"]["extensions"]]
        assert names == ["ApplicationHealthLinux", "AzureMonitorLinuxAgent"]
        assert owner.document["tags"] == {"team": "a", "policy": "yes"}

    def test_services_are_suspended_beside_an_upgrade_and_end_with_it(self) -> None:
        world, owner = started(automatic_repairs=True)
        patch(world, owner, image(NEW))
        later(world)
        running = actions.upgrade(world, owner, ["0"])
        events.trigger(world, {"do": "service", "action": "Suspend"})
        world.advance(world.now + 50)
        assert (running.status, owner.service_states()) == ("InProgress", {"AutomaticRepairs": "Running"})
        later(world)
        assert owner.service_states() == {"AutomaticRepairs": "Suspended"}

    def test_services_may_conflict_with_an_upgrade(self) -> None:
        world, owner = started(automatic_repairs=True, knobs={"orchestration_beside": False})
        actions.upgrade(world, owner, ["0"])
        with pytest.raises(ArmError, match="conflict"):
            actions.orchestrate(world, owner, "AutomaticRepairs", "Suspend")

    def test_protection(self) -> None:
        world, owner = started()
        events.trigger(world, {"do": "protect", "instance": "3"})
        assert (owner.instances["3"].protect_scale_in, owner.instances["3"].protect_actions) == (True, True)

    @pytest.mark.parametrize("ends", ["Succeeded", "Failed", "Canceled"])
    def test_an_instance_is_busy_by_another_client(self, ends: str) -> None:
        world, owner = started()
        patch(world, owner, image(NEW))
        later(world)
        events.trigger(world, {"do": "work", "instance": "2", "seconds": 300, "ends": ends})
        assert (owner.instances["2"].provisioning, owner.instances["2"].available) == ("Updating", False)
        with pytest.raises(ArmError, match="conflict"):
            actions.upgrade(world, owner, ["1", "2"])
        actions.upgrade(world, owner, ["1"])
        later(world)
        assert owner.instances["2"].provisioning == ends
        upgrade(world, owner, "2")
        assert (owner.instances["2"].image.exact, owner.instances["2"].available) == (NEW, True)

    def test_work_that_is_canceled_leaves_the_old_disk_and_can_be_done_again(self) -> None:
        world, owner = started()
        patch(world, owner, image(NEW))
        later(world)
        actions.upgrade(world, owner, ["0"])
        world.advance(world.now + 10)
        events.trigger(world, {"do": "canceled", "instance": "0"})
        later(world)
        state = Wire(world, "s").instance_item(owner, owner.instances["0"], "2024-11-01", view=True)
        assert state["properties"]["provisioningState"] == "Canceled"
        assert state["properties"]["instanceView"]["statuses"][0]["code"] == "ProvisioningState/canceled"
        assert owner.instances["0"].image.exact == OLD
        upgrade(world, owner, "0")
        assert owner.instances["0"].image.exact == NEW and owner.instances["0"].available

    def test_autoscale_creates_for_long_after_its_write_has_ended(self) -> None:
        world, owner = started()
        events.trigger(world, {"do": "scale", "capacity": 7, "creating": 2400, "ends_after": 15})
        world.advance(world.now + 20)
        assert owner.provisioning_state(world.now) == "Succeeded"
        assert [i.provisioning for i in owner.instances.values()] == ["Succeeded"] * 5 + ["Creating"] * 2
        actions.upgrade(world, owner, ["0"])
        world.advance(world.now + 2400)
        assert all(i.provisioning == "Succeeded" for i in owner.instances.values())

    def test_a_refused_event_may_be_tried_again(self) -> None:
        world, owner = started()
        patch(world, owner, image(NEW))
        later(world)
        actions.upgrade(world, owner, ["0"])
        events.trigger(world, {"do": "write", "patch": {"tags": {"a": "b"}}, "retry": 5})
        assert "a" not in owner.document.get("tags", {})
        world.advance(world.now + 70)
        assert owner.document["tags"] == {"a": "b"}

    def test_another_client_s_upgrade_is_not_ours(self) -> None:
        world, owner = started()
        patch(world, owner, image(NEW))
        later(world)
        events.trigger(world, {"do": "upgrade", "instance": "1"})
        later(world)
        actions.upgrade(world, owner, ["0"])
        assert [(batch.by, batch.instance_ids) for batch in world.recorder.batches] == [
            ("another client", ["1"]),
            ("client", ["0"]),
        ]


class TestAttached:
    @pytest.mark.parametrize("theirs", [OTHERS, None])
    def test_a_vm_attached_by_hand_shows_another_image_or_none(self, theirs: dict[str, str] | None) -> None:
        world, owner = started(3, orchestration="Flexible", instances={2: {"attached": {"image": theirs}}})
        last = list(owner.instances.values())[2]
        shown = Wire(world, "s").virtual_machine(owner, last, "2024-11-01")["properties"]
        assert (last.attached, shown["virtualMachineScaleSet"]["id"][-4:]) == (True, "/web")
        reference = shown["storageProfile"].get("imageReference")
        assert reference == (None if theirs is None else {**OTHERS, "exactVersion": "9.9.9"})
        assert ("osProfile" in shown) and (theirs is not None) == ("adminUsername" in shown["osProfile"])

    def test_one_is_attached_meanwhile(self) -> None:
        world, owner = started(3, orchestration="Flexible")
        events.trigger(world, {"do": "attach", "image": OTHERS, "name": "byhand"})
        later(world)
        assert (owner.capacity, owner.instances["byhand"].attached, owner.etag) == (4, True, 2)
        assert owner.instances["byhand"].available


class TestFailedAllocation:
    def fallen(self, **knobs: Any) -> tuple[World, ScaleSet]:
        world, owner = started(knobs=knobs, instance_faults=[{**FALLEN, "instance": "0", "times": 1}])
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0")
        return world, owner

    def test_the_instance_is_deallocated_and_counts_as_down(self) -> None:
        world, owner = self.fallen()
        instance = owner.instances["0"]
        assert (instance.power, instance.provisioning, instance.fell) == ("deallocated", "Failed", True)
        assert world.recorder.of("web").unavailable == {"0"}
        assert world.recorder.before(owner).there == 5
        assert not world.recorder.batches[0].available, "the batch is not over"

    def test_another_upgrade_brings_it_back(self) -> None:
        world, owner = self.fallen()
        upgrade(world, owner, "0")
        assert (owner.instances["0"].image.exact, owner.instances["0"].available) == (NEW, True)
        assert world.recorder.of("web").unavailable == set() and not owner.instances["0"].fell

    def test_or_it_has_to_be_started(self) -> None:
        world, owner = self.fallen(fallen_upgrade="stays")
        upgrade(world, owner, "0")
        assert (owner.instances["0"].image.exact, owner.instances["0"].power) == (NEW, "deallocated")
        assert world.recorder.of("web").unavailable == {"0"}
        actions.power(world, owner, ["0"], "start")
        later(world)
        assert owner.instances["0"].available and world.recorder.of("web").unavailable == set()

    def test_what_somebody_deallocated_counts_on_neither_side(self) -> None:
        world, owner = started()
        events.trigger(world, {"do": "power", "instance": "0", "power": "deallocated"})
        later(world)
        assert world.recorder.of("web").unavailable == set() and world.recorder.before(owner).there == 4


class TestDisks:
    def test_a_reimage_of_an_ephemeral_disk_brings_the_original_image_unless_forced(self) -> None:
        world, owner = started(properties=EPHEMERAL)
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0")
        assert owner.instances["0"].image.exact == NEW
        reimage(world, owner, "0")
        assert owner.instances["0"].image.exact == OLD
        reimage(world, owner, "0", force=True)
        assert owner.instances["0"].image.exact == NEW

    def test_a_reimage_of_another_disk_brings_the_applied_model(self) -> None:
        world, owner = started()
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0")
        reimage(world, owner, "0")
        assert owner.instances["0"].image.exact == NEW

    @pytest.mark.parametrize(("version", "disk"), [("2024-03-01", NEW), ("2023-09-01", OLD)])
    def test_the_member_that_forces_it_is_known_since_2024(self, version: str, disk: str) -> None:
        found = scenario(properties=EPHEMERAL)
        world, owner = found.world, next(iter(found.world.sets.values()))
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0")
        sets = ScaleSets(world, Arm(found, lambda: 0.0).wire, found.account, found.resource_groups, "westeurope")
        body = b'{"instanceIds": ["0"], "forceUpdateOSDiskForEphemeral": true}'
        request = Request("POST", "/", f"api-version={version}", {}, body, "https://x")
        request.parameters = {"group": "rg", "set": "web", "subscription": found.account.subscription}
        sets.reimage(request)
        later(world)
        assert owner.instances["0"].image.exact == disk

    @pytest.mark.parametrize(("knob", "replaced"), [("keeps", 0), ("replaces", 1)])
    def test_new_custom_data_comes_with_a_reimage_and_perhaps_with_an_upgrade(self, knob: str, replaced: int) -> None:
        world, owner = started(knobs={"custom_data_upgrade": knob})
        patch(world, owner, system(customData="bmV3"))
        upgrade(world, owner, "0")
        assert world.recorder.replaced_total() == replaced
        assert owner.instances["0"].generation == owner.generation
        assert owner.instances["0"].custom_data == ("bmV3" if replaced else None)
        reimage(world, owner, "0")
        assert owner.instances["0"].custom_data == "bmV3"


class TestFigures:
    def test_an_action_is_kept_with_what_its_client_could_know(self) -> None:
        world, owner = started(3, instances={1: {"protect_scale_in": True, "protect_actions": True}})
        world.recorder.read(world.now, owner)
        events.trigger(world, {"do": "protect", "instance": "2"})
        world.recorder.read_model(world.now, owner)
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0", "1", "2")
        (action,) = world.recorder.actions
        assert (action["by"], action["action"], action["instance_ids"]) == ("client", "upgrade", ["0", "1", "2"])
        assert (action["spared"], action["attached"], action["fallen"]) == (["1"], [], [])
        assert world.recorder.batches[0].as_dict()["model_read"] == 0

    def test_an_action_on_what_was_stopped_when_it_was_read_is_kept_as_such(self) -> None:
        world, owner = started(3, events=[{"at": 60, "do": "power", "power": "stopped", "instances": ["0", "1"]}])
        later(world, 100)
        world.recorder.read(world.now, owner)
        events.trigger(world, {"do": "power", "power": "running", "instance": "0"})
        events.trigger(world, {"do": "power", "power": "stopped", "instance": "2"})
        later(world, 100)
        patch(world, owner, image(NEW))
        upgrade(world, owner, "0", "1", "2")
        assert world.recorder.actions[-1]["stopped"] == ["1"]

    def test_what_another_client_did_is_kept_with_its_time_and_whom_it_struck(self) -> None:
        world, owner = started(3, events=[{"at": 60, "do": "canceled", "pick": 1}, {"at": 9999, "do": "unhealthy"}])
        later(world)
        events.trigger(world, {"do": "scale", "capacity": 4})
        events.trigger(world, {"do": "remove", "instance": "0"})
        happened = [(one["time"], one["do"], one["instance_ids"]) for one in world.recorder.events]
        assert happened == [(60, "canceled", ["1"]), (3600, "scale", []), (3600, "remove", ["0"])]
        world.recorder.read(world.now, owner)
        figures = world.recorder.as_dict()
        assert figures["events"] == world.recorder.events and figures["scale_sets"]["web"]["last_read"] == 3600

    def test_what_azure_refuses_has_not_happened(self) -> None:
        world, _owner = started(3)
        events.trigger(world, {"do": "rolling_upgrade", "seconds": 300})
        events.trigger(world, {"do": "work", "instance": "1", "seconds": 60})
        assert [one["do"] for one in world.recorder.events] == ["rolling_upgrade"]

    def test_when_it_is_quiet_nothing_comes_that_was_scheduled(self) -> None:
        world, owner = started(events=[{"at": 60, "do": "scale", "capacity": 9}])
        events.trigger(world, {"do": "quiet"})
        later(world)
        assert owner.capacity == 5
        events.trigger(world, {"do": "scale", "capacity": 6})
        assert owner.capacity == 6
