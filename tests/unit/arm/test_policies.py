# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError

from ansible_collections.steady.vmss.plugins.module_utils._arm import policies
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, OperationRef
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet

from ..fake_azure import WEB, FakeAzure, FakeClock
from ..refusals import refused

FINE = (200, {}, {"id": WEB, "name": "web"})
SET = ScaleSet(WEB, "web", "rg", "westus")
RESET = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))
REFUSED = requests.ConnectionError("refused")
WRAPPED = {"error": {"code": "TooManyRequests", "message": "m"}}
BARE = {"code": "OperationNotAllowed", "message": "m", "details": [{"code": "TooManyRequests", "message": '{"a": 1}'}]}
IN_WORDS = {"error": {"code": "SubscriptionRequestsThrottled", "message": "Please try again after '6' seconds."}}


@pytest.mark.parametrize(
    ("failure", "pauses", "throttled"),
    [
        ((500, {}, None), [1.0], 0.0),
        ((502, {}, b"<html>"), [1.0], 0.0),
        ((503, {"Retry-After": "9"}, WRAPPED), [9.0], 0.0),
        ((408, {}, None), [1.0], 0.0),
        (RESET, [1.0], 0.0),
        (REFUSED, [1.0], 0.0),
        (requests.exceptions.ChunkedEncodingError("IncompleteRead(1 bytes read)"), [1.0], 0.0),
        ((429, {"Retry-After": "300"}, WRAPPED), [300.0], 300.0),
        ((429, {"Retry-After": "17"}, BARE), [17.0], 17.0),
        ((429, {}, IN_WORDS), [6.0], 6.0),
        ((429, {}, BARE), [1.0], 1.0),
        (
            (429, {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 10:00:40 GMT"}, WRAPPED),
            [40.0],
            40.0,
        ),
    ],
)
def test_a_get_is_repeated(
    azure: Azure, arm: FakeAzure, clock: FakeClock, failure: Any, pauses: list[float], throttled: float
) -> None:
    arm.on("GET", WEB, failure, FINE)
    assert azure.scale_set("rg", "web").name == "web"
    assert clock.slept == pauses
    assert (azure.usage.calls, azure.usage.retries, azure.usage.throttled_seconds) == (2, 1, throttled)


UNREADABLE = {
    "html": (200, {"Content-Type": "text/html"}, b"<html>Back soon</html>"),
    "html that calls itself json": (200, {}, b"<html>Back soon</html>"),
    "cut off": (200, {}, b'{"id": "/subscriptions/'),
    "nothing": (200, {}, None),
}


@pytest.mark.parametrize("what", sorted(UNREADABLE))
def test_an_answer_that_cannot_be_read_is_a_lost_answer(
    azure: Azure, arm: FakeAzure, clock: FakeClock, what: str
) -> None:
    arm.on("GET", WEB, UNREADABLE[what], UNREADABLE[what], FINE)
    assert azure.scale_set("rg", "web").name == "web"
    assert (clock.slept, azure.usage.retries) == ([1.0, 2.0], 2)
    arm.on("GET", f"{WEB}/virtualMachines", UNREADABLE[what], (200, {}, {"value": [{"instanceId": "0"}]}))
    assert [one.instance_id for one in azure.instances(SET)] == ["0"]
    arm.on("GET", "/operations/one", (200, {}, b'{"status"'), (200, {}, {"status": "InProgress"}))
    ref = OperationRef("https://management.azure.com/operations/one", 0.0)
    assert azure.operation(ref).status == "InProgress"


def test_an_answer_that_is_never_readable_is_given_up_as_lost(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, UNREADABLE["html"])
    with refused("azure_unanswered", by=AzureError) as raised:
        azure.scale_set("rg", "web")
    assert raised.value.problem.kind == problems.LOST
    assert sum(clock.slept) <= policies.PATIENCE_WHEN_LOST < sum(clock.slept) + policies.LONGEST_PAUSE


def test_an_operation_may_end_without_a_body(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", "/operations/one", (200, {}, None))
    ref = OperationRef("https://management.azure.com/operations/one", 0.0)
    assert azure.operation(ref).status == "Succeeded" and clock.slept == []


@pytest.mark.parametrize("what", sorted(UNREADABLE))
def test_a_write_whose_answer_cannot_be_read_may_have_been_taken(azure: Azure, arm: FakeAzure, what: str) -> None:
    arm.on("PATCH", WEB, UNREADABLE[what])
    arm.on("POST", f"{WEB}/manualupgrade", (202, {}, UNREADABLE[what][2]))
    for write in (lambda: azure.write_model(SET, {}, what="write"), lambda: azure.upgrade_instances(SET, ["0"])):
        with pytest.raises(AzureError) as raised:
            write()
        assert raised.value.problem.kind == problems.LOST
    assert [method for method, _path in arm.sent()] == ["PATCH", "POST"]


THROTTLED = (429, {"Retry-After": "150"}, WRAPPED)
UNAVAILABLE = (503, {}, None)


@pytest.mark.parametrize(
    "troubles",
    [
        [THROTTLED, UNAVAILABLE],
        [UNAVAILABLE, THROTTLED, UNAVAILABLE],
        [THROTTLED] * 7 + [UNAVAILABLE] * 5,
        [(429, {"Retry-After": "1190"}, WRAPPED), RESET, UNAVAILABLE],
    ],
)
def test_patience_with_one_kind_of_trouble_is_not_spent_by_the_other(
    azure: Azure, arm: FakeAzure, clock: FakeClock, troubles: list[Any]
) -> None:
    arm.on("GET", WEB, *troubles, FINE)
    assert azure.scale_set("rg", "web").name == "web"
    assert len(clock.slept) == len(troubles)


def test_patience_with_both_kinds_in_turn_ends(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, *[THROTTLED, UNAVAILABLE] * 100)
    with pytest.raises(AzureError):
        azure.scale_set("rg", "web")
    assert sum(clock.slept) <= policies.PATIENCE_WHEN_THROTTLED + policies.PATIENCE_WHEN_LOST


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_sent_that_nobody_waits_for(azure: Azure, arm: FakeAzure, method: str) -> None:
    """Neither the request nor, after a token was renewed, its second try."""
    gone = []

    def check() -> None:
        if gone:
            raise problems.Cancelled("the process that ran the play has ended")

    def expired(_request: object) -> Any:
        gone.append(True)
        return 401, {}, {"error": {"code": "ExpiredAuthenticationToken", "message": "m"}}

    azure.check_wanted = check
    arm.on("GET", WEB, expired)
    arm.on("POST", f"{WEB}/manualupgrade", expired)
    for sent in (1, 1):
        with pytest.raises(problems.Cancelled):
            azure.scale_set("rg", "web") if method == "GET" else azure.upgrade_instances(SET, ["0"])
        assert len(arm.requests) == sent


def test_patience_ends(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, (500, {}, {"error": {"code": "InternalServerError", "message": "m"}}))
    with pytest.raises(AzureError, match="InternalServerError") as raised:
        azure.scale_set("rg", "web")
    assert raised.value.problem.kind == problems.LOST
    assert sum(clock.slept) <= policies.PATIENCE_WHEN_LOST < sum(clock.slept) + policies.LONGEST_PAUSE


def test_a_throttle_longer_than_our_patience_fails_at_once(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, (429, {"Retry-After": "3600"}, WRAPPED))
    with pytest.raises(AzureError) as raised:
        azure.scale_set("rg", "web")
    assert (raised.value.problem.kind, raised.value.problem.retry_after) == (problems.THROTTLED, 3600.0)
    assert clock.slept == []


@pytest.mark.parametrize("failure", [RESET, REFUSED, requests.ReadTimeout("late")])
def test_a_write_whose_answer_is_lost_is_not_repeated(
    azure: Azure, arm: FakeAzure, clock: FakeClock, failure: Exception
) -> None:
    arm.on("POST", f"{WEB}/manualupgrade", failure)
    with pytest.raises(
        AzureError, match="upgrade instance 0 of scale set web: the connection to Azure was lost"
    ) as raised:
        azure.upgrade_instances(SET, ["0"])
    assert raised.value.problem.kind == problems.LOST
    assert (len(arm.requests), clock.slept) == (1, [])


def test_an_accepted_write_with_a_broken_body_is_accepted(azure: Azure, arm: FakeAzure) -> None:
    operation = {"Azure-AsyncOperation": "https://management.azure.com/x", "Content-Encoding": "gzip"}
    arm.on("PATCH", WEB, (200, operation, b"no gzip"))
    ref = azure.write_model(SET, {}, what="write")
    assert ref is not None and ref.url == operation["Azure-AsyncOperation"]


def test_a_bad_certificate_is_not_waited_for(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))
    with refused("certificate_not_trusted", "REQUESTS_CA_BUNDLE", by=AzureError):
        azure.scale_set("rg", "web")
    assert clock.slept == []


@pytest.mark.parametrize("challenge", [{}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_azure_no_longer_takes_is_replaced_once(
    azure: Azure, arm: FakeAzure, method: str, challenge: dict[str, str]
) -> None:
    expired = (401, challenge, {"error": {"code": "ExpiredAuthenticationToken", "message": "m"}})
    arm.on("GET", WEB, expired, FINE)
    arm.on("POST", f"{WEB}/manualupgrade", expired, (202, {"Location": "https://management.azure.com/x"}, None))
    if method == "GET":
        azure.scale_set("rg", "web")
    else:
        azure.upgrade_instances(SET, ["0"])
    used = [request.headers["Authorization"] for request in arm.requests]
    assert used == ["Bearer token-1", "Bearer token-2"]
    assert azure.usage.retries == 1
    if method == "POST":
        assert arm.requests[0].body == arm.requests[1].body == b'{"instanceIds": ["0"]}'


def test_a_second_401_is_the_answer(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", WEB, (401, {}, {"error": {"code": "InvalidAuthenticationTokenTenant", "message": "m"}}))
    with refused("azure_denied", "InvalidAuthenticationTokenTenant", by=AzureError) as raised:
        azure.scale_set("rg", "web")
    assert (raised.value.problem.kind, len(arm.requests)) == (problems.DENIED, 2)


def test_usage_keeps_what_azure_last_said_of_its_buckets_and_its_clock(azure: Azure, arm: FakeAzure) -> None:
    def said(left: str) -> dict[str, str]:
        return {"x-ms-ratelimit-remaining-resource": left, "Date": "Sat, 21 Nov 2026 10:00:00 GMT"}

    first = "Microsoft.Compute/GetVMScaleSetResource;3,Microsoft.Compute/GetVMScaleSetSubscriptionMaximum;2387"
    arm.on("GET", WEB, (200, said(first), {}), (200, said("Microsoft.Compute/GetVMScaleSetResource;31,odd,x;y"), {}))
    azure.scale_set("rg", "web")
    assert azure.usage.reads_remaining("GetVMScaleSet") == 3
    azure.scale_set("rg", "web")
    assert azure.usage.remaining == {"GetVMScaleSetResource": 31, "GetVMScaleSetSubscriptionMaximum": 2387}
    assert azure.usage.reads_remaining("GetOperation") is None
    assert azure.server_time == 1795255200.0
