# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real SDK over a requests session that answers from memory: no network, no TLS, nothing of ours replaced."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, connect
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from .asking import request

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
SECRET = "s3cr3t~value.of-the_client"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
WEB = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web"
OPTIONS = {"subscription_id": SUBSCRIPTION, "client_id": CLIENT, "secret": SECRET, "tenant": TENANT}

SIGN_IN = ("login.microsoftonline.com", "login.microsoftonline.us", "login.test")

Answer = tuple[int, dict[str, str], Any]


class FakeClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class FakeAzure(requests.adapters.BaseAdapter):
    """Answers by (method, path): a list is consumed from the front, its last answer stays.

    An answer is (status, headers, body), an exception to raise, or a function of the request that returns one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[tuple[str, str], list[Any]] = {}
        self.requests: list[requests.PreparedRequest] = []
        self.hosts: set[str | None] = set()
        self.sign_ins: list[requests.PreparedRequest] = []
        self.token_answers: list[Any] = []
        self.discovery = 200
        self.sign_in_answer: Callable[[requests.PreparedRequest], Answer] | None = None  # instead of all these

    def on(self, method: str, path: str, *answers: Any) -> None:
        self.answers[method, path.lower()] = list(answers)

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        self.hosts.add(url.hostname)
        if url.hostname not in SIGN_IN:
            self.requests.append(request)
            answers = self.answers.get((str(request.method), url.path.lower()), [(404, {}, _missing(url.path))])
            answer = answers[0] if len(answers) == 1 else answers.pop(0)
        else:
            answer = self.sign_in_answer or self._sign_in(request, url.path)
        if isinstance(answer, Callable):
            answer = answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return _response(request, *answer)

    def _sign_in(self, request: requests.PreparedRequest, path: str) -> Answer:
        if path.endswith("/oauth2/v2.0/token"):
            self.sign_ins.append(request)
            if self.token_answers:
                return self.token_answers.pop(0)
            token = {
                "token_type": "Bearer",
                "expires_in": 3600,
                "ext_expires_in": 3600,
                "access_token": f"token-{len(self.sign_ins)}",
            }
            return 200, {}, token
        if path.endswith("/.well-known/openid-configuration"):
            base = str(request.url).removesuffix("/v2.0/.well-known/openid-configuration")
            addresses = {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
            return self.discovery, {}, addresses
        authorize = parse_qs(urlsplit(str(request.url)).query)["authorization_endpoint"][0]
        discovery = authorize.replace("/oauth2/v2.0/authorize", "/v2.0/.well-known/openid-configuration")
        return 200, {}, {"tenant_discovery_endpoint": discovery, "metadata": []}

    def close(self) -> None:
        pass

    def sent(self) -> list[tuple[str, str]]:
        """(method, path) of what reached Azure Resource Manager."""
        return [(str(request.method), urlsplit(str(request.url)).path) for request in self.requests]

    def query(self, index: int = -1) -> dict[str, list[str]]:
        return parse_qs(urlsplit(str(self.requests[index].url)).query)


def _missing(path: str) -> dict[str, Any]:
    return {"error": {"code": "ResourceNotFound", "message": f"The Resource '{path}' was not found."}}


def _response(request: requests.PreparedRequest, status: int, headers: dict[str, str], body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code, response.request, response.url, response.reason = status, request, str(request.url), ""
    response.headers.update({"Content-Type": "application/json", **headers})
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    response.raw = io.BytesIO(content)
    return response


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def arm() -> FakeAzure:
    return FakeAzure()


@pytest.fixture
def session(arm: FakeAzure) -> requests.Session:
    session = requests.Session()
    session.mount("https://", arm)
    session.mount("http://", arm)  # the managed identity's address
    return session


@pytest.fixture
def azure(session: requests.Session, clock: FakeClock) -> Azure:
    return connect(request(ConnectionOptions, OPTIONS), {"HOME": "/nonexistent"}, clock, session)
