# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret is in any text, in whatever form it comes back."""

from __future__ import annotations

import json
import re
import time

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import redaction
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import (
    AzureError,
    problem_of_answer,
)
from ansible_collections.steady.vmss.plugins.module_utils._arm.redaction import know_secrets, message_text, redact

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


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known_secrets", set())
    environment = {
        "https_proxy": "http://bob:pr0xy%2Fpa55@proxy.test:3128",
        "AZURE_SECRET": 'a"b/c d+e',
        "AZURE_CLIENT_SECRET": "short",
    }
    know_secrets(["0ption~secret", {"a": [{"b": "protected1"}]}], environment)


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
        '{"Authorization": "SharedKey zZ9signature"}',
        "('Authorization', 'Basic zZ9signature')",
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
        "The client has no authorization to perform action 'Microsoft.Authorization/roleAssignments/read'",
        "/providers/Microsoft.Authorization/policyAssignments/a: authorization failed",
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
