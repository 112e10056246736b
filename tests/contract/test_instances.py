"""What Azure was recorded to say of instances, and to do to them: model flag, upgrade, reimage, health, Flexible."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from .arm import Arm
from .test_protocol import NEW_VERSION, error_of


def instances(simulator: Arm, name: str, query: str = "") -> dict[str, dict[str, Any]]:
    """`{instance id: list item}`"""
    answer = simulator.call("GET", simulator.scale_set(name) + f"/virtualMachines{query}")
    assert answer.ok, answer.text
    return {item["instanceId"]: item for item in answer.json()["value"]}


def flags(simulator: Arm, name: str, query: str = "") -> dict[str, bool]:
    return {key: item["properties"]["latestModelApplied"] for key, item in instances(simulator, name, query).items()}


def disks(simulator: Arm, name: str) -> dict[str, tuple[str, str]]:
    """`{instance id: (exact version, name of the OS disk)}`"""
    profiles = {key: item["properties"]["storageProfile"] for key, item in instances(simulator, name).items()}
    return {key: (p["imageReference"]["exactVersion"], p["osDisk"]["name"]) for key, p in profiles.items()}


def upgrade(simulator: Arm, name: str, *ids: str) -> dict[str, Any]:
    path = simulator.scale_set(name) + "/manualupgrade"
    return simulator.finish(simulator.call("POST", path, {"instanceIds": list(ids)}))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


class TestLatestModelApplied:
    def test_it_counts_writes_and_compares_nothing(self, protocol: Arm) -> None:
        """A PUT of the very document makes it false everywhere; manualupgrade makes it true where it was named."""
        path = protocol.scale_set("counted")
        assert flags(protocol, "counted") == {"0": True, "3": True, "7": True}
        before = disks(protocol, "counted")
        protocol.finish(protocol.call("PUT", path, protocol.call("GET", path).json()))
        assert flags(protocol, "counted") == {"0": False, "3": False, "7": False}
        upgrade(protocol, "counted", "3")
        assert flags(protocol, "counted") == {"0": False, "3": True, "7": False}
        assert disks(protocol, "counted") == before, "the same image again replaces no disk"

        view = "$select=instanceView&$expand=instanceView"
        assert set(flags(protocol, "counted", f"?{view}").values()) == {False}, "a selected list lies"
        assert "name" not in instances(protocol, "counted", f"?{view}")["3"]
        assert list(instances(protocol, "counted", "?$filter=properties/latestModelApplied eq true")) == ["3"]
        assert list(instances(protocol, "counted", "?$filter=properties/latestModelApplied eq false")) == ["0", "7"]

    def test_a_newly_published_latest_changes_nothing(self, protocol: Arm) -> None:
        """The flag stays true, and manualupgrade is a no-op: the instances stay old."""
        before = disks(protocol, "latest")
        image = {"publisher": "contoso", "offer": "server", "sku": "moving", "version": "3.0.20260301"}
        protocol.control("POST", "publish", image)
        assert flags(protocol, "latest") == {"0": True, "1": True}
        assert upgrade(protocol, "latest", "*")["status"] == "Succeeded"
        assert disks(protocol, "latest") == before
        protocol.finish(protocol.call("POST", protocol.scale_set("latest") + "/reimage", {"instanceIds": ["0"]}))
        assert disks(protocol, "latest")["0"][0] == "3.0.20260301", "a reimage picks the newest"
        assert disks(protocol, "latest")["1"] == before["1"]


class TestUpgrade:
    def test_named_instances_get_a_new_disk_and_keep_themselves(self, protocol: Arm) -> None:
        path = protocol.scale_set("upgraded")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        before, old_disks = instances(protocol, "upgraded"), disks(protocol, "upgraded")
        answer = protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0", "1"]})
        during = instances(protocol, "upgraded", "?$expand=instanceView")
        assert [during[key]["properties"]["provisioningState"] for key in "012"] == [
            "Updating",
            "Updating",
            "Succeeded",
        ]
        codes = [status["code"] for status in during["0"]["properties"]["instanceView"]["statuses"]]
        assert codes[0] == "ProvisioningState/updating" and codes[1].startswith("PowerState/") and len(codes) == 2
        assert codes[1] != "PowerState/running", "it is down for the length of the upgrade"
        protocol.finish(answer)

        after, new_disks = instances(protocol, "upgraded"), disks(protocol, "upgraded")
        assert [new_disks[key][0] for key in "012"] == ["2.0.20260201", "2.0.20260201", "1.0.20260101"]
        assert new_disks["0"][1] != old_disks["0"][1] and new_disks["2"] == old_disks["2"]
        for member in ("name", "id", "instanceId"):
            assert before["0"][member] == after["0"][member]
        for member in ("networkProfile", "osProfile"):
            assert before["0"]["properties"][member] == after["0"]["properties"][member]

    def test_nothing_to_do_is_quick_and_touches_nothing(self, protocol: Arm) -> None:
        upgrade(protocol, "upgraded", "*")
        before = disks(protocol, "upgraded")
        answer = protocol.call("POST", protocol.scale_set("upgraded") + "/manualupgrade", {"instanceIds": ["*"]})
        states = {item["properties"]["provisioningState"] for item in instances(protocol, "upgraded").values()}
        assert states == {"Succeeded"}
        assert protocol.finish(answer, 2)["status"] == "Succeeded"
        assert disks(protocol, "upgraded") == before

    def test_a_reimage_is_no_upgrade(self, protocol: Arm) -> None:
        path = protocol.scale_set("reimaged")
        before = disks(protocol, "reimaged")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        protocol.finish(protocol.call("POST", f"{path}/reimage", {"instanceIds": ["1"]}))
        after = disks(protocol, "reimaged")
        assert after["1"][0] == "1.0.20260101" and after["1"][1] != before["1"][1]
        assert after["0"] == before["0"]
        assert flags(protocol, "reimaged") == {"0": False, "1": False}


class TestHealth:
    def test_no_source_no_health(self, protocol: Arm) -> None:
        view = protocol.call("GET", protocol.scale_set("written") + "/virtualMachines/0/instanceView").json()
        assert "vmHealth" not in view
        assert [status["code"] for status in view["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]

    def test_it_comes_after_the_operation_has_ended(self, protocol: Arm) -> None:
        path = protocol.scale_set("healthy")

        def health() -> str:
            view = protocol.call("GET", f"{path}/virtualMachines/0/instanceView").json()
            return str(view["vmHealth"]["status"]["code"])

        assert health() == "HealthState/healthy"
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        assert upgrade(protocol, "healthy", "0")["status"] == "Succeeded"
        assert health() == "HealthState/initializing"
        until(lambda: health() == "HealthState/healthy")


class TestFlexible:
    def test_list_items_are_bare(self, protocol: Arm) -> None:
        path = protocol.scale_set("flexible")
        items = protocol.call("GET", f"{path}/virtualMachines", api_version="2022-11-01").json()["value"]
        for item in items:
            assert item["instanceId"] == item["name"] and item["name"].startswith("flexible_")
            assert len(item["name"].removeprefix("flexible_")) == 8
            assert set(item) == {"name", "id", "type", "location", "instanceId", "zones"} and item["zones"] == [None]

    def test_the_virtual_machines_tell_the_rest(self, protocol: Arm) -> None:
        path = protocol.scale_set("flexible")
        machines = path.partition("/virtualMachineScaleSets/")[0] + "/virtualMachines"
        listed = protocol.call(
            "GET", f"{machines}?$filter='virtualMachineScaleSet/id' eq '{path}'&$expand=instanceView"
        )
        found = listed.json()["value"]
        assert {item["name"] for item in found} == set(instances(protocol, "flexible"))
        for item in found:
            assert item["properties"]["virtualMachineScaleSet"]["id"].lower() == path.lower()
            assert item["properties"]["storageProfile"]["imageReference"]["exactVersion"] == "1.0.20260101"
            assert item["properties"]["instanceView"]["vmHealth"]["status"]["code"] == "HealthState/healthy"
            assert "latestModelApplied" not in item["properties"]
        alone = protocol.call("GET", f"{machines}/{found[0]['name']}?$expand=instanceView")
        assert alone.json()["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/running"

    @pytest.mark.parametrize(("method", "path"), [("GET", "instanceView"), ("POST", "reimageall")])
    def test_what_is_refused(self, protocol: Arm, method: str, path: str) -> None:
        answer = protocol.call(method, protocol.scale_set("flexible") + f"/{path}")
        assert error_of(answer, 409)[0] == "OperationNotAllowed"
