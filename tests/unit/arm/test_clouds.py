# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.clouds import (
    CHINA,
    GOVERNMENT,
    PUBLIC,
    Cloud,
    find_cloud,
)
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._arm.transport import certificate_bundle
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from ..asking import request
from ..fake_azure import OPTIONS, SUBSCRIPTION, TENANT, FakeAzure, FakeClock
from ..refusals import refused

ARM = "https://arm.test:8443"
AUTHENTICATION = {"loginEndpoint": "https://login.test/", "audiences": ["https://audience.test/", f"{ARM}/"]}
OLD = {"galleryEndpoint": "", "graphEndpoint": "", "portalEndpoint": "", "authentication": AUTHENTICATION}
NEW = {"name": "Private", "resourceManager": f"{ARM}/", "authentication": AUTHENTICATION}
OURS = Cloud("Private", ARM, "https://login.test", f"{ARM}/.default", known=False)


@pytest.mark.parametrize(
    ("named", "cloud"),
    [
        ("AzureCloud", PUBLIC),
        ("azurepubliccloud", PUBLIC),
        ("AZURE_US_GOV_CLOUD", GOVERNMENT),
        ("AzureUSGovernment", GOVERNMENT),
        ("AzureChinaCloud", CHINA),
        ("", PUBLIC),
    ],
)
def test_known_clouds(session: requests.Session, arm: FakeAzure, named: str, cloud: Cloud) -> None:
    assert find_cloud(named, {}, session) == cloud
    assert arm.requests == []


@pytest.mark.parametrize(
    ("document", "cloud"),
    [
        (NEW, OURS),
        ([{**NEW, "name": "Other", "resourceManager": "https://other.test"}, {**NEW, "name": "AzureCloud"}], None),
        (OLD, Cloud(ARM, ARM, "https://login.test", f"{ARM}/.default", known=False)),
    ],
)
def test_both_forms_of_metadata(session: requests.Session, arm: FakeAzure, document: Any, cloud: Cloud | None) -> None:
    arm.on("GET", "/metadata/endpoints", (200, {}, document))
    found = find_cloud(f"{ARM}/", {}, session)
    assert found == (cloud or Cloud("AzureCloud", ARM, "https://login.test", f"{ARM}/.default", known=False))
    assert str(arm.requests[0].url).startswith(f"{ARM}/metadata/endpoints?api-version=")


def test_an_endpoint_that_knows_only_the_old_form(session: requests.Session, arm: FakeAzure) -> None:
    arm.on("GET", "/metadata/endpoints", (400, {}, None), (200, {}, OLD))
    assert find_cloud(ARM, {}, session).authority == "https://login.test"
    assert [parse_qs(urlsplit(str(one.url)).query)["api-version"] for one in arm.requests] == [
        ["2019-05-01"],
        ["2015-01-01"],
    ]


def test_metadata_url_of_the_environment(session: requests.Session, arm: FakeAzure) -> None:
    arm.on("GET", "/metadata/endpoints", (200, {}, [NEW]))
    environment = {"ARM_CLOUD_METADATA_URL": f"{ARM}/metadata/endpoints?api-version=2019-05-01"}
    assert find_cloud("", environment, session) == OURS
    assert find_cloud("AzureCloud", environment, session) == PUBLIC


def test_authority_of_the_environment(session: requests.Session) -> None:
    found = find_cloud("", {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"}, session)
    assert (found.authority, found.endpoint, found.known) == ("https://login.microsoftonline.us", PUBLIC.endpoint, True)
    assert not find_cloud("", {"AZURE_AUTHORITY_HOST": "https://login.test"}, session).known


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, {}, {}), "lacks the loginEndpoint"),
        ((200, {}, []), "does not name a cloud"),
        ((200, {}, b"<html>"), "is not JSON"),
        ((500, {}, None), "answers HTTP 500"),
        (requests.ConnectionError("no route"), "no route"),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "REQUESTS_CA_BUNDLE"),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"), "invalid path: /x"),
    ],
)
def test_an_endpoint_without_metadata(session: requests.Session, arm: FakeAzure, answer: Any, words: str) -> None:
    arm.on("GET", "/metadata/endpoints", answer)
    with refused("cloud_not_usable", f"{ARM}.*{words}", by=AzureError):
        find_cloud(ARM, {}, session)


def test_a_private_cloud_is_signed_in_to_and_asked(session: requests.Session, arm: FakeAzure) -> None:
    arm.on("GET", "/metadata/endpoints", (200, {}, NEW))
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/web"
    arm.on("GET", path, (200, {}, {"id": path}))
    azure = connect(
        request(ConnectionOptions, {**OPTIONS, "cloud_environment": ARM}),
        {"HOME": "/nonexistent"},
        FakeClock(),
        session,
    )
    azure.scale_set("rg", "web")
    assert str(arm.sign_ins[0].url) == f"https://login.test/{TENANT}/oauth2/v2.0/token"
    assert parse_qs(str(arm.sign_ins[0].body))["scope"] == [f"{ARM}/.default"]
    assert str(arm.requests[-1].url).startswith(f"{ARM}{path}?")
    assert arm.hosts == {"arm.test", "login.test"}  # the public cloud is not asked whether it knows the authority
    assert azure.usage.calls == 1


@pytest.mark.parametrize(
    ("environment", "bundle"),
    [
        ({}, True),
        ({"SSL_CERT_FILE": "/a"}, "/a"),
        ({"SSL_CERT_FILE": "/a", "REQUESTS_CA_BUNDLE": "/b"}, "/b"),
        ({"REQUESTS_CA_BUNDLE": ""}, True),
    ],
)
def test_certificate_bundle(environment: dict[str, str], bundle: str | bool) -> None:
    assert certificate_bundle(environment) == bundle
