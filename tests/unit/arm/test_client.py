# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, OperationRef
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet

from ..fake_azure import GROUP, SUBSCRIPTION, WEB, FakeAzure, FakeClock
from ..refusals import refused

POLL = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one?s=x"


def scale_set(**changes: Any) -> ScaleSet:
    fields = {"id": WEB, "name": "web", "resource_group": "rg", "location": "westus", "etag": '"1"', **changes}
    return ScaleSet(**fields)


def document(**properties: Any) -> dict[str, Any]:
    return {
        "id": WEB,
        "name": "web",
        "location": "West US",
        "etag": '"7"',
        "properties": properties,
        "unheardOf": {"a": 1},
    }


def test_scale_set_keeps_members_that_the_sdk_does_not_know(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", WEB, (200, {}, document(strange=[1], provisioningState="Succeeded")))
    found = azure.scale_set("rg", "web")
    assert found.document == document(strange=[1], provisioningState="Succeeded")
    assert (found.etag, found.location, found.resource_group) == ('"7"', "westus", "rg")
    assert arm.sent() == [("GET", WEB)]


GONE = {"error": {"code": "ResourceGroupNotFound", "message": "Resource group 'rg' could not be found."}}


def test_what_is_missing_is_told_with_the_subscription_that_was_searched(azure: Azure, arm: FakeAzure) -> None:
    other = "/subscriptions/5b1c/providers/Microsoft.Network/loadBalancers/front"
    arm.on("GET", WEB, (404, {}, GONE))
    arm.on("GET", other, (404, {}, GONE))
    with pytest.raises(AzureError) as raised:
        azure.scale_set("rg", "web")
    assert str(raised.value).endswith(f"Resource group 'rg' could not be found. (subscription {SUBSCRIPTION})")
    assert raised.value.problem.message == "Resource group 'rg' could not be found."
    with pytest.raises(AzureError, match=r"\(subscription 5b1c\)"):
        azure.resource(other, "2024-01-01", "read a load balancer")


def test_a_subscription_is_told_once_and_where_something_is_missing(azure: Azure, arm: FakeAzure) -> None:
    said = f"The subscription '{SUBSCRIPTION}' could not be found."
    missing = (404, {}, {"error": {"code": "SubscriptionNotFound", "message": said}})
    arm.on("GET", WEB, missing, (400, {}, {"error": {"code": "Bad", "message": "bad"}}))
    for _time in range(2):
        with pytest.raises(AzureError) as raised:
            azure.scale_set("rg", "web")
        assert "(subscription" not in str(raised.value)


def test_instances_follow_pages_and_ask_for_the_instance_view_only(azure: Azure, arm: FakeAzure) -> None:
    items = [{"instanceId": str(i), "name": f"web_{i}", "properties": {"instanceView": {}}} for i in range(3)]
    more = f"https://management.azure.com:443{WEB}/virtualMachines?api-version=2024-07-01&$expand=instanceView&$skiptoken=abc"
    first = {"value": items[:2], "nextLink": more}
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, first), (200, {}, {"value": items[1:]}))
    assert [one.instance_id for one in azure.instances(scale_set())] == ["0", "1", "2"]
    assert arm.query(0)["$expand"] == ["instanceView"] and "$select" not in arm.query(0)
    assert arm.query(1)["$skiptoken"] == ["abc"]
    assert azure.usage.calls == 2


def test_odd_values_in_a_list_do_not_stop_it(azure: Azure, arm: FakeAzure) -> None:
    odd = {
        "instanceId": "4",
        "zones": [None],
        "properties": {
            "provisioningState": 0,
            "timeCreated": "soon",
            "instanceView": {"vmHealth": None, "statuses": None},
        },
    }
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [odd]}))
    assert azure.instances(scale_set())[0].provisioning == ""


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": [None, "odd"]}, []])
def test_a_list_without_items_is_empty(azure: Azure, arm: FakeAzure, body: Any) -> None:
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, body))
    assert azure.instances(scale_set()) == []


def test_an_answer_that_is_no_json_says_where(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", WEB, (200, {"Content-Type": "text/html"}, b"<html>Sign in to the hotel's network"))
    with refused("azure_unanswered", f"{WEB}", by=AzureError):
        azure.scale_set("rg", "web")


def test_flexible_instances_come_from_the_filtered_list(azure: Azure, arm: FakeAzure) -> None:
    view = {
        "instanceView": {"statuses": [{"code": "PowerState/running"}]},
        "virtualMachineScaleSet": {"id": WEB.upper()},
    }
    other = {"instanceView": {}, "virtualMachineScaleSet": {"id": WEB + "2"}}
    listed = [
        {"name": "web_1", "properties": view},
        {"name": "web_2", "properties": {"virtualMachineScaleSet": {"id": WEB}}},
        {"name": "web_3"},
        {"name": "alien", "properties": other},
    ]
    arm.on("GET", f"{GROUP}/providers/Microsoft.Compute/virtualMachines", (200, {}, {"value": listed}))
    arm.on(
        "GET",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web_2",
        (200, {}, {"name": "web_2", "properties": view}),
    )
    found = azure.instances(scale_set(orchestration_mode="Flexible"))
    assert [(one.instance_id, one.power) for one in found] == [("web_1", "running"), ("web_2", "running")]
    assert arm.query(0) == {
        "api-version": arm.query(0)["api-version"],
        "$filter": [f"'virtualMachineScaleSet/id' eq '{WEB}'"],
        "$expand": ["instanceView"],
    }
    assert azure.usage.calls == 3  # web_3 was gone when it was asked for


def test_write_model_is_one_patch_with_if_match(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("PATCH", WEB, (200, {"Azure-AsyncOperation": POLL}, document()))
    body = {"tags": {"a": "b"}, "properties": {"notInAnySdk": True}}
    assert azure.write_model(scale_set(), body, what="write the image of scale set web") == OperationRef(
        POLL, clock.now()
    )
    assert [request.headers.get("If-Match") for request in arm.requests] == ['"1"']
    assert json.loads(arm.requests[0].body) == body
    assert azure.usage.as_dict() == {"calls": 1, "writes": 1, "retries": 0, "conflicts": 0, "throttled_seconds": 0}


def test_write_model_without_etag_has_no_if_match(azure: Azure, arm: FakeAzure) -> None:
    arm.on("PATCH", WEB, (200, {}, document()))
    assert azure.write_model(scale_set(etag=None), {}, what="write") is None
    assert "If-Match" not in arm.requests[0].headers


def test_a_patch_that_azure_only_accepts_is_no_error(azure: Azure, arm: FakeAzure) -> None:
    arm.on("PATCH", WEB, (202, {"Location": POLL}, None))
    ref = azure.write_model(scale_set(), {}, what="write")
    assert ref is not None and ref.url == POLL


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (412, "PreconditionFailed", problems.PRECONDITION),
        (409, "Conflict", problems.CONFLICT),
        (409, "OperationNotAllowed", problems.REFUSED),
        (400, "InvalidParameter", problems.REFUSED),
        (403, "AuthorizationFailed", problems.DENIED),
        (404, "ResourceGroupNotFound", problems.MISSING),
        (429, "TooManyRequests", problems.THROTTLED),
        (500, "InternalServerError", problems.LOST),
        (503, "ServerTimeout", problems.LOST),
    ],
)
def test_a_refused_write_says_what_and_is_never_sent_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock, status: int, code: str, kind: str
) -> None:
    answer = (status, {"Retry-After": "7"}, {"error": {"code": code, "message": "Because."}})
    for method, path, send in (
        ("PATCH", WEB, lambda: azure.write_model(scale_set(), {}, what="write the image of scale set web")),
        ("POST", f"{WEB}/manualupgrade", lambda: azure.upgrade_instances(scale_set(), ["0", "5"])),
        ("POST", f"{WEB}/reimage", lambda: azure.reimage_instances(scale_set(), ["3"])),
    ):
        arm.on(method, path, answer)
        arm.requests.clear()
        with pytest.raises(AzureError) as raised:
            send()
        searched = SUBSCRIPTION if kind == problems.MISSING else ""
        assert raised.value.problem == problems.Problem(kind, code, "Because.", status, 7.0, searched=searched)
        assert len(arm.requests) == 1
    where = f" (subscription {SUBSCRIPTION})" if kind == problems.MISSING else ""
    assert str(raised.value) == f"Cannot reimage instance 3 of scale set web: {code}: Because.{where}"
    assert clock.slept == []
    assert azure.usage.conflicts == (3 if code == "Conflict" else 0)


def test_upgrade_names_its_instances_in_bytes(azure: Azure, arm: FakeAzure) -> None:
    arm.on(
        "POST", f"{WEB}/manualupgrade", (202, {"Azure-AsyncOperation": POLL, "Location": POLL + "&monitor=true"}, None)
    )
    assert azure.upgrade_instances(scale_set(), ["0", "5"]).url == POLL
    assert json.loads(arm.requests[0].body) == {"instanceIds": ["0", "5"]}


@pytest.mark.parametrize("ids", [[], (), ["*"], ["0", "*"], "*", "0", None, [""], [" "], [None], [0], {"0"}, ["0,1"]])
@pytest.mark.parametrize("action", ["upgrade_instances", "reimage_instances"])
def test_an_action_without_explicit_ids_never_leaves(azure: Azure, arm: FakeAzure, action: str, ids: Any) -> None:
    with refused("instance_ids_invalid"):
        getattr(azure, action)(scale_set(), ids)
    assert arm.requests == []


@pytest.mark.parametrize(
    ("answer", "status", "retry_after"),
    [
        ((200, {}, {"status": "InProgress"}), "InProgress", None),
        ((200, {"Retry-After": "11"}, {"status": "Unheard"}), "InProgress", 11.0),
        ((200, {}, {"status": "Succeeded"}), "Succeeded", None),
        ((200, {}, None), "Succeeded", None),
        ((202, {"Retry-After": "3"}, None), "InProgress", 3.0),
        ((204, {}, None), "Succeeded", None),
        ((200, {}, {"status": "Canceled", "error": {"code": "OperationPreempted", "message": "m"}}), "Canceled", None),
    ],
)
def test_operation_is_one_look(
    azure: Azure, arm: FakeAzure, answer: Any, status: str, retry_after: float | None
) -> None:
    arm.on("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/one", answer)
    found = azure.operation(OperationRef(POLL, 0.0))
    assert (found.status, found.retry_after, len(arm.requests)) == (status, retry_after, 1)
    assert arm.requests[0].url == POLL


def test_a_forgotten_operation_is_missing(azure: Azure) -> None:
    with pytest.raises(AzureError) as raised:
        azure.operation(OperationRef(POLL, 0.0))
    assert raised.value.problem.kind == problems.MISSING


def test_no_rolling_upgrade_ever_is_none(azure: Azure) -> None:
    assert azure.latest_rolling_upgrade(scale_set()) is None
