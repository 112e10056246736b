# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import time
import traceback

import pytest
import requests
from azure.core.exceptions import ServiceResponseError
from urllib3.exceptions import ProtocolError

from ansible_collections.steady.vmss.plugins.module_utils._arm import errors, operations
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import (
    AzureError,
    http_date,
    problem_of_answer,
    retry_after,
    root_words,
)
from ansible_collections.steady.vmss.plugins.module_utils._arm.redaction import know_secrets, message_text, redact
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem

from ..fake_azure import WEB, FakeAzure, FakeClock

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


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_known_secrets", set())
    environment = {
        "https_proxy": "http://bob:pr0xy%2Fpa55@proxy.test:3128",
        "AZURE_SECRET": 'a"b/c d+e',
        "AZURE_CLIENT_SECRET": "short",
    }
    know_secrets({"secret": "0ption~secret", "protected_settings": {"a": [{"b": "protected1"}]}}, environment)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "text",
    [
        "got 0ption~secret.",
        "got 0ption%7Esecret.",
        "proxy pr0xy%2Fpa55 refused",
        "proxy pr0xy/pa55 refused",
        'got a"b/c d+e',
        "got a%22b%2Fc%20d%2Be",
        r"got a\"b/c d+e",
        "got protected1",
    ],
)
def test_a_secret_that_is_known_is_hidden_in_every_form(text: str) -> None:
    shown = message_text(text)
    assert "***" in shown
    assert not re.search("0ption|pa55|protected1|d.{0,2}e$", shown)


@pytest.mark.usefixtures("known")
def test_a_short_value_is_no_secret() -> None:
    assert message_text("a short way") == "a short way"


SAS = "zZ9%2Bsignature%2F%3D"


@pytest.mark.parametrize(
    "text",
    [
        f"https%3A%2F%2Fx.blob.core.windows.net%2Fa%3Fsv%3D1%26sig%3D{SAS.replace('%', '%25')}",
        f"https://x.blob.core.windows.net/a%3Fsv%3D1%26sig%3D{SAS}",
        f"https://x.blob.core.windows.net/a\\u003fsv=1\\u0026sig={SAS}",
        f"https://x.blob.core.windows.net/a?sv=1&amp;sig={SAS}",
        f"sas?sv=1&amp;sig={SAS}",
        f"SharedAccessSignature sr=x&sig={SAS}&se=1",
        '{"client_secret": "zZ9signature"}',
        '{"clientSecret":"a\\"zZ9signature", "b": 1}',
        '{\\"password\\": \\"a\\\\\\"zZ9signature\\"}',
        "{'adminPassword': 'x zZ9signature'}",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=zZ9signature==;EndpointSuffix=y",
        "Endpoint=sb://x/;SharedAccessKey=zZ9signature=",
        "access_token=zZ9signature&x=1",
        '"refresh_token" : "zZ9signature"',
        "https://hooks.slack.com/services/T0/B0/zZ9signature",
        "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/zZ9signature/c",
        "https://discord.com/api/webhooks/1/zZ9signature",
        "http://bob:zZ9signature@proxy:3128/x",
        "Cannot connect to socks5h://bob:zZ9signature@proxy",
        "Proxy-Authorization: Basic zZ9signature=",
        "authorization=Negotiate zZ9signature",
    ],
)
def test_no_secret_in_any_spelling(text: str) -> None:
    shown = message_text(f"The script failed: {text} and so on")
    assert not re.search("signature", shown.replace("SharedAccessSignature", "")), shown
    assert shown.startswith("The script failed: ") and shown.endswith("so on")


@pytest.mark.parametrize(
    "text",
    [
        "the disk is 100% full, %20 of it in /var; see https://aka.ms/a%20b",
        "The Basic Load Balancer SKU is retired",
        "The password must be 12 characters long: choose another",
        "secret: not found in vault https://v.vault.azure.net/secrets/a",
        "/subscriptions/s/virtualMachineScaleSets/web/lifecycleHookEvents/e",
        "design=good; pose=1",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert message_text(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "https://", "-.", "1", '"', '"secret":"\\', "%25", "\\", "eyJ", "Bearer ", "authorization:", "password", "sas_",
        "//hook", "&amp;", "a://b@", "'password':'", "##", "::", "\u202e",
    ],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    began = time.process_time()
    message_text(piece * (1_000_000 // len(piece)))
    problem_of_answer(400, {}, piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 1


def test_codes_and_targets_are_text_like_any_other() -> None:
    hostile = "\x1b[2J##vso[x]" + "y" * 9000
    error = {"code": hostile, "message": hostile, "details": [{"code": hostile, "target": hostile, "message": hostile}]}
    found = problem_of_answer(400, {}, json.dumps({"error": error}))
    for text in (found.code, found.message, *found.details[0]):
        assert text.isprintable() and "##" not in text and len(text) <= 2001
    assert len(found.code) <= 301
    assert problem_of_answer(400, {}, '{"error": {"code": ["x"], "message": {}, "details": "x"}}').details == ()


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
