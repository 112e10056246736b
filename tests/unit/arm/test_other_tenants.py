# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens of other tenants than the scale set's, as where the gallery of the image is in one."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from ..asking import request
from ..fake_azure import CLIENT, OPTIONS, TENANT, WEB, Answer, FakeAzure, FakeClock

AUXILIARY = "x-ms-authorization-auxiliary"


def signed_in(arm: FakeAzure, session: requests.Session, *others: str, clock: FakeClock | None = None) -> Azure:
    arm.on("GET", WEB, (200, {}, {"id": WEB}))
    options = request(ConnectionOptions, {**OPTIONS, "auxiliary_tenants": list(others)})
    return connect(options, {"HOME": "/nonexistent"}, clock or FakeClock(), session)


def test_tokens_of_other_tenants_go_with_each_request(arm: FakeAzure, session: requests.Session) -> None:
    azure = signed_in(arm, session, "one", "two")
    azure.scale_set("rg", "web")
    azure.scale_set("rg", "web")
    tenants = [urlsplit(str(one.url)).path.split("/")[1] for one in arm.sign_ins]
    assert tenants == [TENANT, "one", "two"]
    assert all(parse_qs(str(one.body))["client_id"] == [CLIENT] for one in arm.sign_ins)
    for sent in arm.requests:
        assert sent.headers["Authorization"] == "Bearer token-1"
        assert sent.headers[AUXILIARY] == "Bearer token-2, Bearer token-3"


def test_a_token_that_azure_no_longer_takes_is_replaced(arm: FakeAzure, session: requests.Session) -> None:
    expired = (401, {}, {"error": {"code": "ExpiredAuthenticationToken", "message": "It has expired."}})
    clock = FakeClock()
    clock.time = time.time()  # the tokens are good for an hour from now
    azure = signed_in(arm, session, "one", clock=clock)
    arm.on("GET", WEB, expired, (200, {}, {"id": WEB}))
    azure.scale_set("rg", "web")
    assert [sent.headers[AUXILIARY] for sent in arm.requests] == ["Bearer token-2", "Bearer token-4"]


def test_a_read_in_its_subscription_is_sent_with_its_token(arm: FakeAzure, session: requests.Session) -> None:
    """Azure refuses any other there; which tenant it is, is asked once."""
    versions = "/subscriptions/other/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions"
    wrong = (401, {}, {"error": {"code": "InvalidAuthenticationTokenTenant", "message": "The wrong issuer."}})
    taken = {"Bearer token-3"}

    def answer(request: requests.PreparedRequest) -> Any:
        return (200, {}, {"value": []}) if request.headers["Authorization"] in taken else wrong

    arm.on("GET", versions, answer)
    azure = signed_in(arm, session, "one", "two")
    image = images.parse(versions.removesuffix("/versions"))
    for _turn in range(2):
        assert azure.image_versions(image, "westus") == []
    sent = [one.headers["Authorization"] for one in arm.requests]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-3"]
    assert AUXILIARY not in arm.requests[-1].headers
    azure.scale_set("rg", "web")
    assert arm.requests[-1].headers["Authorization"] == "Bearer token-1"
    taken.clear()
    with pytest.raises(AzureError, match="auxiliary_tenants"):
        azure.image_versions(image, "westus")


def test_without_other_tenants_there_is_no_such_header(arm: FakeAzure, session: requests.Session) -> None:
    signed_in(arm, session).scale_set("rg", "web")
    assert AUXILIARY not in arm.requests[-1].headers


def test_no_write_is_signed_as_another_tenant(arm: FakeAzure, session: requests.Session) -> None:
    """Where the scale set itself may be read with another tenant's token alone, what changes it is refused."""
    azure = signed_in(arm, session, "one")
    wrong = (401, {}, {"error": {"code": "InvalidAuthenticationTokenTenant", "message": "The wrong issuer."}})

    def answer(request: requests.PreparedRequest) -> Answer:
        ours = request.headers["Authorization"] == "Bearer token-1"
        return wrong if ours else (200, {}, {"id": WEB, "name": "web"})

    arm.on("GET", WEB, answer)
    scale_set = azure.scale_set("rg", "web")
    arm.on("POST", f"{WEB}/manualupgrade", wrong)
    with pytest.raises(AzureError, match="auxiliary_tenants"):
        azure.upgrade_instances(scale_set, ["0"])
    sent = [one.headers["Authorization"] for one in arm.requests if one.method == "POST"]
    assert sent and "Bearer token-2" not in sent
