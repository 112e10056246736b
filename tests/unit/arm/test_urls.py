# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The token and the secret go to the endpoint that the user named, and nowhere else."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm import transport
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, OperationRef, connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.clouds import find_cloud
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._arm.urls import origin, resource_path
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from ..asking import request
from ..fake_azure import OPTIONS, SECRET, WEB, FakeAzure, FakeClock
from ..refusals import refused

HERE = "https://management.azure.com"
PRIVATE = "https://arm.test"
METADATA = {"authentication": {"loginEndpoint": "https://login.test/", "audiences": [PRIVATE]}}
ELSEWHERE = [
    "https://evil.test/next",
    "http://management.azure.com/next",
    "https://management.azure.com:8443/next",
    "https://management.azure.com@evil.test/next",
    "https://user:pass@management.azure.com/next",
    "https://management.azure.com\\@evil.test/next",
    "https://management.azure.com.evil.test/next",
    "//evil.test/next",
    "https:///evil.test/next",
    "https://management.azure.com /next",
    f"{HERE}/subscriptions/s/../../other",
    f"{HERE}/subscriptions/s/%2e%2E/other",
]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_link_to_another_host_gets_no_request_and_no_token(azure: Azure, arm: FakeAzure, link: str) -> None:
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [], "nextLink": link}))
    with refused("address_not_trusted", by=AzureError):
        azure.instances(ScaleSet(id=WEB, name="web", resource_group="rg", location="westus"))
    assert len(arm.requests) == 1
    assert "evil.test" not in arm.hosts


@pytest.mark.parametrize("link", ELSEWHERE)
def test_an_operation_elsewhere_is_not_asked(azure: Azure, arm: FakeAzure, link: str) -> None:
    with refused("address_not_trusted", by=AzureError) as caught:
        azure.operation(OperationRef(link, 0.0))
    assert caught.value.problem.kind == problems.REFUSED
    assert (arm.requests, arm.sign_ins) == ([], [])


@pytest.mark.parametrize(
    "resource_id", ["@evil.test/x", ".evil.test/x", ":8443/x", "/subscriptions/../x", "/a//b", "/a/\x1b"]
)
def test_an_id_that_is_no_path_is_not_asked(azure: Azure, arm: FakeAzure, resource_id: str) -> None:
    odd = ScaleSet(id=resource_id, name="web", resource_group="rg", location="westus")
    with refused("address_not_trusted", by=AzureError):
        azure.lifecycle_events(odd)
    with refused("address_not_trusted", by=AzureError):
        azure.addresses(odd, ["0"])
    with refused("address_not_trusted", by=AzureError):
        azure.resource(resource_id, "2024-07-01", "it")
    assert (arm.requests, arm.sign_ins) == ([], [])


def test_each_name_of_an_id_is_quoted() -> None:
    assert resource_path("/subscriptions/s/resourceGroups/shop(prod)/x/a?b#c%2f") == (
        "/subscriptions/s/resourceGroups/shop(prod)/x/a%3Fb%23c%252f"
    )


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Management.Azure.com:443/x?a=b", ("management.azure.com", 443)),
        (HERE, ("management.azure.com", 443)),
        ("https://[::1]:8443/x", ("[::1]", 8443)),
        ("https://127.0.0.1:1/", ("127.0.0.1", 1)),
        ("https://a?b", None),
        (None, None),
    ],
)
def test_origin(url: object, found: object) -> None:
    assert origin(url) == found


def test_a_list_whose_pages_lead_back_ends(azure: Azure, arm: FakeAzure) -> None:
    path = f"{WEB}/virtualMachines"
    pages = [(200, {}, {"value": [{"instanceId": "0"}], "nextLink": f"{HERE}{path}?p={n % 3}"}) for n in range(9)]
    arm.on("GET", path, *pages)
    with refused("azure_unanswered", "the list does not end", by=AzureError):
        azure.instances(ScaleSet(id=WEB, name="web", resource_group="rg", location="westus"))
    assert len(arm.requests) == 4


def test_a_list_without_an_end_ends(azure: Azure, arm: FakeAzure) -> None:
    path = f"{WEB}/virtualMachines"

    def page(_request: Any) -> Any:
        return 200, {}, {"value": [], "nextLink": f"{HERE}{path}?p={len(arm.requests)}"}

    arm.on("GET", path, page)
    with refused("azure_unanswered", "500th", by=AzureError):
        azure.instances(ScaleSet(id=WEB, name="web", resource_group="rg", location="westus"))
    assert len(arm.requests) == 501


@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_is_too_long_is_not_read(
    azure: Azure, arm: FakeAzure, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 2**20)
    arm.on("GET", WEB, (status, {}, {"name": "x" * 2**20}))
    with pytest.raises(AzureError, match=f"Cannot read {WEB}: the answer is longer than 1 MiB") as caught:
        azure.scale_set("rg", "web")
    assert caught.value.problem.kind == problems.LOST
    assert len(arm.requests) == 1


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000])
def test_an_answer_that_is_nested_too_deeply_is_unreadable(
    azure: Azure, arm: FakeAzure, status: int, body: bytes
) -> None:
    arm.on("GET", WEB, (status, {}, body))
    arm.on("GET", "/subscriptions/s/x", (status, {}, body))
    with pytest.raises(AzureError):
        azure.scale_set("rg", "web")
    with pytest.raises(AzureError):
        azure.resource("/subscriptions/s/x", "2024-07-01", "it")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"[[1]]"])
def test_an_answer_that_is_no_object_is_unreadable(azure: Azure, arm: FakeAzure, body: bytes) -> None:
    arm.on("GET", WEB, (200, {}, body))
    with refused("azure_unanswered", by=AzureError):
        azure.scale_set("rg", "web")


# The secret


def test_no_redirect_of_the_metadata_is_followed(session: requests.Session, arm: FakeAzure) -> None:
    arm.on(
        "GET",
        "/metadata/endpoints",
        (302, {"Location": "http://evil.test/metadata/endpoints"}, None),
        (200, {}, METADATA),
    )
    with refused("cloud_not_usable", "redirect", by=AzureError):
        connect(
            request(ConnectionOptions, {**OPTIONS, "cloud_environment": PRIVATE}),
            {"HOME": "/nonexistent"},
            FakeClock(),
            session,
        )
    assert arm.hosts == {"arm.test"}


@pytest.mark.parametrize("authority", ["http://login.test", "https://login.test@evil.test", "https://evil.test/../x"])
def test_a_sign_in_service_without_https_gets_no_secret(
    session: requests.Session, arm: FakeAzure, authority: str
) -> None:
    arm.on(
        "GET", "/metadata/endpoints", (200, {}, {"authentication": {"loginEndpoint": authority, "audiences": ["x"]}})
    )
    with pytest.raises(AzureError, match="https"):
        find_cloud(PRIVATE, {}, session)


def test_the_sign_in_service_that_the_user_named_is_the_one(session: requests.Session, arm: FakeAzure) -> None:
    arm.on("GET", "/metadata/endpoints", (200, {}, METADATA))
    assert (
        find_cloud(PRIVATE, {"AZURE_AUTHORITY_HOST": "https://login.test"}, session).authority == "https://login.test"
    )
    with refused("cloud_not_usable", "login.test, but AZURE_AUTHORITY_HOST is other.test", by=AzureError):
        find_cloud(PRIVATE, {"AZURE_AUTHORITY_HOST": "https://other.test"}, session)


def test_a_secret_is_never_sent_in_plain_text(session: requests.Session, arm: FakeAzure) -> None:
    def discovery(request: requests.PreparedRequest) -> Any:
        base = str(request.url).removesuffix("/v2.0/.well-known/openid-configuration")
        addresses = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": "http://evil.test/token",
        }
        return 200, {}, addresses

    arm.sign_in_answer = discovery
    arm.on("GET", "/metadata/endpoints", (200, {}, METADATA))
    azure = connect(
        request(ConnectionOptions, {**OPTIONS, "cloud_environment": PRIVATE}),
        {"HOME": "/nonexistent"},
        FakeClock(),
        session,
    )
    with pytest.raises(AzureError, match="https url"):
        azure.scale_set("rg", "web")
    assert "evil.test" not in arm.hosts


# ~/.netrc


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "netrc"
    path.write_text("default login bob password pa55word\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("netrc")
def test_a_netrc_is_not_read(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", WEB, (200, {}, {"id": WEB}))
    azure.scale_set("rg", "web")
    assert arm.requests[0].headers["Authorization"] == "Bearer token-1"
    basic = base64.b64encode(b"bob:pa55word").decode()
    assert all(basic not in str(one.headers) for one in (*arm.requests, *arm.sign_ins))
    assert f"client_secret={SECRET.replace('~', '%7E')}" in str(arm.sign_ins[0].body) or SECRET in str(
        arm.sign_ins[0].body
    )


@pytest.mark.usefixtures("netrc")
def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    seen: list[Any] = []

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            seen.append((urlsplit(str(request.url)).hostname, dict(options["proxies"]), request.headers))
            response = requests.Response()
            response.status_code, response.request, response.url = 200, request, str(request.url)
            response.raw = io.BytesIO(json.dumps(METADATA).encode())
            return response

        def close(self) -> None:
            pass

    session = transport.secure(None, {})
    session.mount("https://", Adapter())
    find_cloud(PRIVATE, {}, session)
    assert seen[0][:2] == ("arm.test", {"https": "http://proxy.test:3128"})
    assert "Authorization" not in seen[0][2]
