"""Azure's own orchestrator as clients see it: rolling and automatic upgrades, their policies, hooks and approval."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.compute import ComputeManagementClient

from .arm import Arm

RANGES = {
    "maxBatchInstancePercent": (4, 101),
    "maxUnhealthyInstancePercent": (4, 101),
    "maxUnhealthyUpgradedInstancePercent": (-1, 101),
}
DEFAULTS = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}


def latest(protocol: Arm, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = protocol.call("GET", protocol.scale_set(name) + "/rollingUpgrades/latest").json()[
        "properties"
    ]
    return properties


def history(protocol: Arm, name: str) -> list[dict[str, Any]]:
    answer = protocol.call("GET", protocol.scale_set(name) + "/osUpgradeHistory").json()
    return [item["properties"] for item in answer["value"]]


def versions(protocol: Arm, name: str) -> list[str]:
    instances = protocol.call("GET", protocol.scale_set(name) + "/virtualMachines").json()["value"]
    return [item["properties"]["storageProfile"]["imageReference"]["exactVersion"] for item in instances]


def wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.1)


class TestRollingUpgrade:
    def test_the_sdk_starts_one_and_reads_its_end(self, sdk: ComputeManagementClient, protocol: Arm) -> None:
        rolling: Any = sdk.virtual_machine_scale_set_rolling_upgrades
        rolling.begin_start_os_upgrade("rg", "rolled").result()
        status = rolling.get_latest("rg", "rolled")
        assert (status.running_status.code, status.progress.successful_instance_count) == ("Completed", 2)
        assert versions(protocol, "rolled") == ["2.0.20260201"] * 2
        sets: Any = sdk.virtual_machine_scale_sets
        (upgrade,) = sets.get_os_upgrade_history("rg", "rolled")
        assert upgrade.properties.started_by == "User"
        assert upgrade.properties.running_status.end_time is None, "the wire says completedTime"

    def test_nothing_else_goes_meanwhile(self, protocol: Arm) -> None:
        path = protocol.scale_set("rolled-slowly")
        assert protocol.call("POST", f"{path}/osRollingUpgrade").status_code == 202
        for method, tail, body in (
            ("POST", "/osRollingUpgrade", None),
            ("POST", "/manualupgrade", {"instanceIds": ["0"]}),
            ("PATCH", "", {"tags": {"a": "b"}}),
            ("DELETE", "", None),
        ):
            refused = protocol.call(method, path + tail, body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "OperationNotAllowed"), tail
        assert protocol.call("GET", path).json()["properties"]["provisioningState"] == "Updating"
        assert latest(protocol, "rolled-slowly")["runningStatus"]["code"] == "RollingForward"

    def test_the_operation_of_a_cancelled_upgrade_says_succeeded(self, protocol: Arm) -> None:
        path = protocol.scale_set("rolled-cancelled")
        started = protocol.call("POST", f"{path}/osRollingUpgrade")
        wait_for(lambda: latest(protocol, "rolled-cancelled")["progress"]["successfulInstanceCount"] == 1)
        cancelled = protocol.finish(protocol.call("POST", f"{path}/rollingUpgrades/cancel"))
        original = protocol.finish(started)
        assert (original["status"], cancelled["status"]) == ("Succeeded", "Succeeded")
        assert original["endTime"] == cancelled["endTime"]
        status = latest(protocol, "rolled-cancelled")
        assert (status["runningStatus"]["code"], status["runningStatus"]["lastAction"]) == ("Cancelled", "Cancel")
        assert (status["progress"]["successfulInstanceCount"], status["progress"]["pendingInstanceCount"]) == (1, 1)

    def test_the_sdk_gets_the_code_of_the_threshold(self, sdk: ComputeManagementClient, protocol: Arm) -> None:
        with pytest.raises(HttpResponseError) as caught:
            sdk.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("rg", "rolled-faulted").result()
        code = "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
        assert caught.value.error is not None and caught.value.error.code == code
        assert latest(protocol, "rolled-faulted")["error"]["code"] == code
        assert history(protocol, "rolled-faulted")[0]["error"]["code"] == code
        assert "2.0.20260201" in versions(protocol, "rolled-faulted"), "a manual trigger restores nothing"

    def test_a_pinned_set_is_refused(self, sdk: ComputeManagementClient) -> None:
        with pytest.raises(ResourceExistsError, match=r"imageReference\.version set to latest"):
            sdk.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("rg", "rolled-pinned")

    def test_a_write_in_mode_rolling_ends_with_its_upgrade(self, protocol: Arm) -> None:
        path = protocol.scale_set("rolled-by-write")
        reference = {"imageReference": {"version": "2.0.20260201"}}
        body = {"properties": {"virtualMachineProfile": {"storageProfile": reference}}}
        ended = protocol.finish(protocol.call("PATCH", path, body))
        assert ended["status"] == "Succeeded"
        assert versions(protocol, "rolled-by-write") == ["2.0.20260201"] * 2
        assert latest(protocol, "rolled-by-write")["runningStatus"]["code"] == "Completed"
        assert history(protocol, "rolled-by-write") == []

    def test_a_fault_may_strike_the_new_operations_too(self, protocol: Arm) -> None:
        operation = "VirtualMachineScaleSetRollingUpgrades_GetLatest"
        fault = {"operation": operation, "status": 500, "times": 1, "scale_set": "written"}
        protocol.control("POST", "faults", fault)
        path = protocol.scale_set("written") + "/rollingUpgrades/latest"
        assert [protocol.call("GET", path).status_code for _time in range(2)] == [500, 404]
        assert protocol.control("GET", "metrics")["by_operation"][operation] >= 2


class TestAutomatic:
    def test_the_platform_starts_it_and_brings_failed_disks_back(self, protocol: Arm) -> None:
        wait_for(lambda: any(i["runningStatus"]["code"] == "Completed" for i in history(protocol, "automatic")))
        assert history(protocol, "automatic")[0]["startedBy"] == "Platform"
        assert versions(protocol, "automatic") == ["2.0.20260201"] * 2
        wait_for(lambda: any(i["runningStatus"]["code"] == "Faulted" for i in history(protocol, "automatic-faulted")))
        assert history(protocol, "automatic-faulted")[0]["rollbackInfo"] == {
            "successfullyRolledbackInstanceCount": 1,
            "failedRolledbackInstanceCount": 0,
        }
        assert versions(protocol, "automatic-faulted") == ["1.0.20260101"] * 2

    def test_a_deferred_one_waits_for_the_sdk_s_approval(self, sdk: ComputeManagementClient, protocol: Arm) -> None:
        wait_for(lambda: any(history(protocol, "deferred")))
        sdk.virtual_machine_scale_set_vms.begin_approve_rolling_upgrade("rg", "deferred", "1").result()
        wait_for(lambda: latest(protocol, "deferred")["progress"]["successfulInstanceCount"] == 1)
        assert versions(protocol, "deferred") == ["1.0.20260101", "2.0.20260201"]
        sdk.virtual_machine_scale_sets.begin_approve_rolling_upgrade("rg", "deferred").result()
        wait_for(lambda: latest(protocol, "deferred")["runningStatus"]["code"] == "Completed")
        with pytest.raises(ResourceExistsError):
            sdk.virtual_machine_scale_sets.begin_approve_rolling_upgrade("rg", "deferred")

    def test_a_hook_waits_for_the_sdk_s_word(self, sdk: ComputeManagementClient, protocol: Arm) -> None:
        hooks: Any = sdk.virtual_machine_scale_set_life_cycle_hook_events
        wait_for(lambda: any(hooks.list("rg", "hooked")))
        (event,) = hooks.list("rg", "hooked")
        assert (event.properties.state, event.properties.default_action) == ("Active", "Reject")
        (target,) = event.properties.target_resources
        assert target.action_state == "Waiting" and target.resource.id.endswith("/virtualMachines/0")
        body = {"targetResources": [{"resource": {"id": target.resource.id}, "actionState": "Approved"}]}
        answer = hooks.update("rg", "hooked", event.name, {"properties": body})
        assert (answer.properties.state, answer.properties.target_resources[0].action_state) == (
            "Completed",
            "Approved",
        )
        wait_for(lambda: latest(protocol, "hooked")["runningStatus"]["code"] == "Completed")
        assert versions(protocol, "hooked") == ["2.0.20260201"]
        too_late = protocol.call("PATCH", answer.id, {"properties": body})
        assert too_late.json()["error"]["code"] == "OperationNotAllowed"


class TestPolicy:
    @pytest.mark.parametrize("name", RANGES)
    def test_ranges(self, protocol: Arm, name: str) -> None:
        for value in RANGES[name]:
            body = {"properties": {"upgradePolicy": {"rollingUpgradePolicy": {name: value}}}}
            refused = protocol.call("PATCH", protocol.scale_set("policy"), body)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"]) == (400, "InvalidParameter") and name in error["message"]

    def test_a_partial_policy_is_completed_and_cannot_be_removed(self, protocol: Arm) -> None:
        path = protocol.scale_set("policy")

        def written(policy: dict[str, Any] | None) -> dict[str, Any]:
            body = {"properties": {"upgradePolicy": {"rollingUpgradePolicy": policy}}}
            protocol.finish(protocol.call("PATCH", path, body))
            answer = protocol.call("GET", path, api_version="2020-06-01").json()
            shown: dict[str, Any] = answer["properties"]["upgradePolicy"]["rollingUpgradePolicy"]
            return shown

        assert (
            "rollingUpgradePolicy"
            not in (protocol.call("GET", path, api_version="2020-06-01").json()["properties"]["upgradePolicy"])
        )
        assert written({"maxBatchInstancePercent": 50}) == {**DEFAULTS, "maxBatchInstancePercent": 50}
        assert written(None) == {**DEFAULTS, "maxBatchInstancePercent": 50}

    def test_automatic_upgrades_take_windows_own_updates_away(self, protocol: Arm) -> None:
        """As recorded in 2019: enabling fills the rolling policy, and a PUT without the members keeps them."""
        path = protocol.scale_set("automatic-windows")
        windows = {"windowsConfiguration": {"enableAutomaticUpdates": True}}
        on = {"properties": {"virtualMachineProfile": {"osProfile": windows}}}
        protocol.finish(protocol.call("PATCH", path, on))
        policy = {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
        protocol.finish(protocol.call("PATCH", path, {"properties": {"upgradePolicy": policy}}))
        document = protocol.call("GET", path, api_version="2019-07-01").json()
        properties = document["properties"]
        profile = properties["virtualMachineProfile"]["osProfile"]
        assert profile["windowsConfiguration"]["enableAutomaticUpdates"] is False
        stored = {
            "mode": "Manual",
            "rollingUpgradePolicy": DEFAULTS,
            "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True, "disableAutomaticRollback": False},
        }
        assert properties["upgradePolicy"] == stored
        properties["upgradePolicy"] = {"mode": "Manual"}
        answer = protocol.call("PUT", path, document, api_version="2019-07-01")
        assert answer.json()["properties"]["upgradePolicy"] == stored
        protocol.finish(answer)
        refused = protocol.call("PATCH", path, on)
        assert refused.status_code == 400 and "enableAutomaticUpdates" in refused.json()["error"]["message"]


def test_the_sdk_writes_an_extension_of_the_model(sdk: ComputeManagementClient, protocol: Arm) -> None:
    extensions: Any = sdk.virtual_machine_scale_set_extensions
    body = {"properties": {"publisher": "contoso", "type": "App", "typeHandlerVersion": "1.0", "settings": {"a": 1}}}
    extensions.begin_create_or_update("rg", "extended", "app", body).result()
    assert [e.name for e in extensions.list("rg", "extended")] == ["app"]
    changed = extensions.begin_update("rg", "extended", "app", {"properties": {"typeHandlerVersion": "2.0"}}).result()
    assert (changed.type_handler_version, changed.settings) == ("2.0", {"a": 1})
    flags = [
        item["properties"]["latestModelApplied"]
        for item in protocol.call("GET", protocol.scale_set("extended") + "/virtualMachines").json()["value"]
    ]
    assert flags == [False, False], "the instances get it by an upgrade"
    extensions.begin_delete("rg", "extended", "app").result()
    assert list(extensions.list("rg", "extended")) == []
