# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import traceback

import pytest
import requests
from azure.core.exceptions import ServiceResponseError
from urllib3.exceptions import ProtocolError

from ansible_collections.steady.vmss.plugins.module_utils._azure.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._azure.errors import (
    AzureError,
    problem_of_answer,
    redact,
    root_words,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout import problem

from .conftest import WEB, FakeAzure

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOi.eyJhdWQiOiJodHRwcz.c2lnbmF0dXJl"
VHD = "https://store.blob.core.windows.net/vhds/web.vhd"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"image {VHD}?sv=2024-01-01&sig=a%2Fb%3D&se=2027 failed", f"image {VHD} failed"),
        (f"'{VHD}?sig=abc'", f"'{VHD}'"),
        ("sv=2024&sig=a%2Fb%3D", "sv=***&sig=***"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        (f"got {TOKEN}.", "got ***."),
        ("client_secret=hunter2&grant_type=x", "client_secret=***&grant_type=x"),
        ("the value hunter2 is wrong", "the value *** is wrong"),
        ("see https://aka.ms/activitylog for more", "see https://aka.ms/activitylog for more"),
    ],
)
def test_no_secret_is_shown(text: str, shown: str) -> None:
    assert redact(text, ["hunter2", ""]) == shown


def test_azures_words_lose_their_secrets_everywhere() -> None:
    details = [{"target": "3", "message": f"{VHD}?sig=y"}]
    body = {"error": {"code": "Bad", "message": f"{VHD}?sig=x", "details": details}}
    found = problem_of_answer(400, {}, json.dumps(body))
    assert (found.message, found.details) == (VHD, (("", "3", VHD),))
    assert "sig" not in str(AzureError(found, "write the image of scale set web", "web"))


@pytest.mark.parametrize(
    ("status", "text", "code", "message", "kind"),
    [
        (400, '{"error": {"code": "A", "message": "b\\n  c"}}', "A", "b c", problem.REFUSED),
        (429, '{"code": "OperationNotAllowed", "message": "b"}', "OperationNotAllowed", "b", problem.THROTTLED),
        (409, '{"error": {"code": "conflict", "message": "b"}}', "conflict", "b", problem.CONFLICT),
        (502, "<html>Bad gateway", "", "HTTP 502, <html>Bad gateway", problem.LOST),
        (404, "", "", "HTTP 404 without a body", problem.MISSING),
        (500, '["odd"]', "", 'HTTP 500, ["odd"]', problem.LOST),
        (400, '{"error": {"message": null, "details": ["odd", null]}}', "", "", problem.REFUSED),
        (400, '{"error": "invalid_client"}', "", 'HTTP 400, {"error": "invalid_client"}', problem.REFUSED),
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
