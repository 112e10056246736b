# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import traceback

import pytest
import requests
from azure.core.exceptions import ServiceResponseError
from urllib3.exceptions import ProtocolError

from ansible_collections.steady.vmss.plugins.module_utils._arm import operations
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import (
    AzureError,
    http_date,
    problem_of_answer,
    retry_after,
    root_words,
)
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem

from ..fake_azure import WEB, FakeAzure, FakeClock

VHD = "https://store.blob.core.windows.net/vhds/web.vhd"


@pytest.mark.parametrize(
    ("status", "text", "code", "message", "kind"),
    [
        (400, '{"error": {"code": "A", "message": "b\\n  c"}}', "A", "b c", problems.REFUSED),
        (429, '{"code": "OperationNotAllowed", "message": "b"}', "OperationNotAllowed", "b", problems.THROTTLED),
        (409, '{"error": {"code": "conflict", "message": "b"}}', "conflict", "b", problems.CONFLICT),
        (502, "<html>Bad gateway", "", "HTTP 502, <html>Bad gateway", problems.LOST),
        (404, "", "", "HTTP 404 without a body", problems.MISSING),
        (500, '["odd"]', "", 'HTTP 500, ["odd"]', problems.LOST),
        (400, '{"error": {"message": null, "details": ["odd", null]}}', "", "", problems.REFUSED),
        (400, '{"error": "invalid_client"}', "", 'HTTP 400, {"error": "invalid_client"}', problems.REFUSED),
    ],
)
def test_every_answer_has_a_problem(status: int, text: str, code: str, message: str, kind: str) -> None:
    found = problem_of_answer(status, {}, text)
    assert (found.code, found.message, found.kind, found.status) == (code, message, kind, status)


def test_no_traceback_shows_what_the_sdk_said(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", WEB, (400, {}, {"error": {"code": "Bad", "message": f"{VHD}?sig=secret"}}))
    with pytest.raises(AzureError) as raised:
        azure.scale_set("rg", "web")
    assert "sig=secret" not in "".join(traceback.format_exception(raised.value))


def test_a_lost_connection_is_told_in_its_own_words() -> None:
    lost = requests.ConnectionError(
        ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
    )
    assert root_words(ServiceResponseError(lost, error=lost)) == "[Errno 104] Connection reset by peer"


@pytest.mark.parametrize("value", ["Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00", "x" * 100_000])
def test_a_date_that_is_none(value: str) -> None:
    assert http_date(value) is None or isinstance(http_date(value), float)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("1200", 1200.0),
        ("1000000000", 3600.0),
        ("1e400", 3600.0),
        ("nan", 0.0),
        ("-1", 0.0),
        ("soon", None),
    ],
)
def test_an_absurd_wait_is_bounded(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds


def test_no_wait_passes_the_deadline() -> None:
    clock = FakeClock()
    operations.pause(clock, clock.now() + 60, Problem(problems.THROTTLED, "", "", retry_after=1500.0))
    operations.pause(clock, clock.now() - 60, Problem(problems.CONFLICT, "", ""))
    operations.pause(clock, clock.now() + 60, Problem(problems.CONFLICT, "", ""))
    assert clock.slept == [61.0, 1.0, operations.RETRY]
