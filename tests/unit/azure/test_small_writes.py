# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services suspended and instances protected: what Azure says of a write that fails is told, and soon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._azure import orchestration, protection
from ansible_collections.steady.vmss.plugins.module_utils._azure.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._azure.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._rollout.problem import Refused

from .conftest import GROUP, SUBSCRIPTION, WEB, FakeAzure, FakeClock

POLL = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one"
STARTED = {"Azure-AsyncOperation": f"https://management.azure.com{POLL}"}
FAILED = {"status": "Failed", "error": {"code": "InternalExecutionError", "message": "An internal error."}}
PREEMPTED = {"status": "Canceled", "error": {"code": "OperationPreempted", "message": "By a newer one."}}
SET = {"resource_group": "rg", "name": "web", "timeout": 600}
SUSPEND = {**SET, "state": "Suspended", "services": ["AutomaticRepairs"]}
FLEXIBLE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"


def services(state: str) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"orchestrationServices": [{"serviceName": "AutomaticRepairs", "serviceState": state}]}


def posts(arm: FakeAzure) -> int:
    return sum(method == "POST" for method, _path in arm.sent())


def test_a_write_that_fails_is_sent_twice_and_told_in_azures_words(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", services("Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, FAILED))
    began = clock.now()
    with pytest.raises(AzureError, match=r"suspend AutomaticRepairs of scale set web: InternalExecutionError: An int"):
        orchestration.set_state(azure, clock, SUSPEND, check_mode=False)
    assert posts(arm) == 2 and clock.now() - began < 120


def test_a_write_that_was_preempted_is_sent_again(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", *[services("Running")] * 4, services("Suspended"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, PREEMPTED))
    assert orchestration.set_state(azure, clock, SUSPEND, check_mode=False)[1] == {"AutomaticRepairs": "Suspended"}
    assert posts(arm) == 3


@pytest.mark.parametrize("behind", [60.0, 150.0])
def test_a_write_that_does_not_show_yet_is_not_sent_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock, behind: float
) -> None:
    """Azure did it, after all that ran before it, and its instance view is behind."""
    posted: list[float] = []
    took = 439.0

    def post(_request: object) -> Any:
        posted.append(clock.now())
        return 202, STARTED, None

    def view(_request: object) -> Any:
        return services("Suspended" if posted and clock.now() > posted[0] + took + behind else "Running")

    def poll(_request: object) -> Any:
        return 200, {}, {"status": "Succeeded" if clock.now() > posted[-1] + took else "InProgress"}

    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", view)
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", post)
    arm.on("GET", POLL, poll)
    options = {**SUSPEND, "timeout": 3600}
    assert orchestration.set_state(azure, clock, options, check_mode=False)[1] == {"AutomaticRepairs": "Suspended"}
    assert posts(arm) == 1


def test_a_write_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    began = clock.now()
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", lambda _r: services("Suspended" if clock.now() > began + 60 else "Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (503, {}, None))
    orchestration.set_state(azure, clock, SUSPEND, check_mode=False)
    assert posts(arm) == 1


def test_a_write_that_never_shows_is_sent_a_few_times_and_given_up(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web"}))
    arm.on("GET", f"{WEB}/instanceView", services("Running"))
    arm.on("POST", f"{WEB}/setOrchestrationServiceState", (202, STARTED, None))
    arm.on("GET", POLL, (200, {}, {"status": "Succeeded"}))
    with pytest.raises(AzureError, match="no effect within the timeout"):
        orchestration.set_state(azure, clock, SUSPEND, check_mode=False)
    assert posts(arm) <= 4


def flexible(arm: FakeAzure, *documents: dict[str, Any]) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB, "name": "web", "properties": {"orchestrationMode": "Flexible"}}))
    machine = {"name": "web_1", "properties": {"virtualMachineScaleSet": {"id": WEB}, "instanceView": {"statuses": []}}}
    arm.on("GET", FLEXIBLE, (200, {}, {"value": [machine]}))
    arm.on("GET", f"{WEB}/virtualMachines/web_1", *[(200, {}, one) for one in documents])


def test_protection_that_azure_does_not_show_is_not_guessed(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    flexible(arm, {"name": "web_1", "instanceId": "web_1"})
    options = {**SET, "instance_ids": ["web_1"], "from_scale_set_actions": False}
    with pytest.raises(Refused, match=r"web_1 of the Flexible scale set web.*--protect-from-scale-set-actions false$"):
        protection.protect(azure, clock, options, check_mode=False)
    assert {method for method, _path in arm.sent()} == {"GET"}


def test_protection_of_a_flexible_instance_is_lifted(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    def shown(value: bool) -> dict[str, Any]:
        policy = {"protectFromScaleIn": value, "protectFromScaleSetActions": value}
        return {"name": "web_1", "properties": {"protectionPolicy": policy}}

    flexible(arm, shown(True), shown(True), shown(False))
    arm.on("PUT", f"{WEB}/virtualMachines/web_1", (200, {}, {}))
    options = {**SET, "instance_ids": ["web_1"], "from_scale_set_actions": False, "from_scale_in": False}
    before, after = protection.protect(azure, clock, options, check_mode=False)
    assert before == {"web_1": {"from_scale_in": True, "from_scale_set_actions": True}}
    assert after == {"web_1": {"from_scale_in": False, "from_scale_set_actions": False}}
    (put,) = [request for request in arm.requests if request.method == "PUT"]
    assert json.loads(put.body or b"") == {
        "name": "web_1",
        "properties": shown(False)["properties"],
    }
