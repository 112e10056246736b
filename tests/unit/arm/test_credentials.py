# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import inspect
import json
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from azure.identity import AzureCliCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.steady.vmss.plugins.module_utils._arm import sdk
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.credentials import (
    AUTH_SOURCES,
    VARIABLES,
)
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError, CredentialError
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from ..asking import request
from ..fake_azure import CLIENT, OPTIONS, SECRET, SUBSCRIPTION, TENANT, WEB, FakeAzure, FakeClock

SUB = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
AWX = {
    **SUB,
    "AZURE_CLIENT_ID": CLIENT,
    "AZURE_SECRET": SECRET,
    "AZURE_TENANT": TENANT,
    "AZURE_CLOUD_ENVIRONMENT": "AzureCloud",
}
IDENTITY = {**SUB, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET, "AZURE_TENANT_ID": TENANT}
PASSWORD = {**SUB, "AZURE_AD_USER": "ada@example.org", "AZURE_PASSWORD": "lovelace1"}


def profile(home: Path, name: str, **fields: str) -> None:
    with (home / ".azure" / "credentials").open("a") as file:
        file.write(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items()))


class SignIn:
    """Connects and reads a scale set, so that a token is really asked for."""

    def __init__(self, arm: FakeAzure, session: requests.Session, home: Path) -> None:
        self.arm, self.session, self.home = arm, session, home
        arm.on("GET", WEB, (200, {}, {"id": WEB}))

    def __call__(self, options: dict[str, Any], environment: dict[str, str]) -> tuple[str, str, str, str]:
        """(host, tenant, client id, secret) of the token request."""
        azure = connect(
            request(ConnectionOptions, options), {"HOME": str(self.home), **environment}, FakeClock(), self.session
        )
        azure.scale_set("rg", "web")
        sent = self.arm.sign_ins[-1]
        url, form = urlsplit(str(sent.url)), parse_qs(str(sent.body))
        return str(url.hostname), url.path.split("/")[1], form["client_id"][0], form.get("client_secret", [""])[0]

    def refused(self, options: dict[str, Any], environment: dict[str, str]) -> str:
        with pytest.raises(AzureError) as raised:
            self(options, environment)
        assert "\n" not in str(raised.value)
        return str(raised.value)


@pytest.fixture
def sign_in(arm: FakeAzure, session: requests.Session, home: Path) -> SignIn:
    return SignIn(arm, session, home)


PUBLIC = "login.microsoftonline.com"


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        (OPTIONS, {}, (PUBLIC, TENANT, CLIENT, SECRET)),
        ({}, AWX, (PUBLIC, TENANT, CLIENT, SECRET)),
        ({}, IDENTITY, (PUBLIC, TENANT, CLIENT, SECRET)),
        ({"auth_source": "env"}, IDENTITY, (PUBLIC, TENANT, CLIENT, SECRET)),
        ({}, {**IDENTITY, **AWX, "AZURE_SECRET": "awx"}, (PUBLIC, TENANT, CLIENT, "awx")),
        ({"client_id": "", "secret": None}, AWX, (PUBLIC, TENANT, CLIENT, SECRET)),
        (OPTIONS, PASSWORD, (PUBLIC, TENANT, CLIENT, SECRET)),
        ({"cloud_environment": "AzureUSGovernment"}, AWX, ("login.microsoftonline.us", TENANT, CLIENT, SECRET)),
        # profiles: the one that is named overrules the variables, "default" does not
        ({"profile": "work"}, AWX, (PUBLIC, "work-tenant", "work-client", "work-secret")),
        ({}, {**AWX, "AZURE_PROFILE": "work"}, (PUBLIC, "work-tenant", "work-client", "work-secret")),
        ({}, SUB, (PUBLIC, "default-tenant", "default-client", "default-secret")),
        ({"auth_source": "credential_file"}, AWX, (PUBLIC, "default-tenant", "default-client", "default-secret")),
        (
            {},
            {**SUB, "ANSIBLE_AZURE_AUTH_SOURCE": "credential_file"},
            (PUBLIC, "default-tenant", "default-client", "default-secret"),
        ),
        ({"profile": "plain"}, SUB, (PUBLIC, "t", "c", "100%sure")),
    ],
)
def test_who_signs_in(
    sign_in: SignIn,
    home: Path,
    arm: FakeAzure,
    options: dict[str, Any],
    environment: dict[str, str],
    expected: tuple[str, str, str, str],
) -> None:
    profile(home, "default", tenant="default-tenant", client_id="default-client", secret="default-secret")
    profile(home, "work", tenant="work-tenant", client_id="work-client", secret="work-secret")
    profile(home, "plain", tenant="t", client_id="c", secret="100%sure")
    host = "management.usgovcloudapi.net" if options.get("cloud_environment") else "management.azure.com"
    assert sign_in(options, environment) == expected
    assert urlsplit(str(arm.requests[-1].url)).hostname == host


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ({}, {}, "No subscription is named"),
        ({}, {}, "Give subscription_id (in roles and playbooks: rollout_subscription_id)"),
        ({"auth_source": "env"}, SUB, "(in roles and playbooks: rollout_client_id, rollout_secret, rollout_tenant)"),
        ({}, PASSWORD, "user name and password is not supported"),
        (
            {},
            {**SUB, "AZURE_USERNAME": "ada", "AZURE_PASSWORD": "lovelace1"},
            "user name and password is not supported",
        ),
        ({"profile": "ada"}, AWX, "user name and password is not supported"),
        ({"secret": SECRET}, SUB, "needs client_id, tenant, which are not set by the options"),
        ({"client_id": "mine"}, AWX, "client_id is given by the options and the secret by the variables"),
        ({"client_id": "mine", "profile": "whole"}, SUB, "by the options and the secret by the profile 'whole'"),
        ({"client_id": "mine", "secret": "s"}, AWX, "needs tenant, which is not set by the options"),
        ({"tenant": "mine"}, AWX, "The tenant is given by the options and client_id by the variables"),
        (
            {"client_id": "mine"},
            {**SUB, "AZURE_CLIENT_CERTIFICATE_PATH": "/c.pem"},
            "client_id is given by the options and the certificate by the variables",
        ),
        ({}, {**AWX, "AZURE_TENANT": ""}, "needs tenant, which is not set"),
        ({"auth_source": "env"}, SUB, "needs client_id, secret, tenant, which are not set"),
        ({"profile": "nobody"}, AWX, "has no section [nobody]"),
        ({"auth_source": "credential_file", "profile": "half"}, AWX, "needs secret, which is not set"),
        ({"auth_source": "workload_identity"}, AWX, "AZURE_FEDERATED_TOKEN_FILE"),
        ({"auth_source": "magic"}, AWX, "auth_source 'magic' does not exist"),
        ({"cloud_environment": "Moon"}, AWX, "Cannot use the cloud 'Moon': it is not AzureCloud"),
        ({"cloud_environment": "http://arm.test"}, AWX, "only https is supported"),
    ],
)
def test_a_sign_in_that_cannot_be_says_what_is_missing(
    sign_in: SignIn, home: Path, options: dict[str, Any], environment: dict[str, str], words: str
) -> None:
    profile(home, "ada", ad_user="ada@example.org", password="lovelace1")
    profile(home, "half", tenant="t", client_id="c")
    profile(home, "whole", tenant="t", client_id="c", secret=SECRET)
    said = sign_in.refused(options, environment)
    assert words in said
    assert SECRET not in said and "lovelace1" not in said


def test_a_wrong_secret_is_one_sentence_with_azures_code(sign_in: SignIn, arm: FakeAzure) -> None:
    words = (
        f"AADSTS7000215: Invalid client secret provided: '{SECRET}'. Ensure it is the value.\r\nTrace ID: 1\r\n"
        "Correlation ID: 2\r\nTimestamp: 2026-11-21 10:00:00Z"
    )
    answer = (401, {}, {"error": "invalid_client", "error_description": words, "error_codes": [7000215]})
    arm.token_answers = [answer, answer]
    said = sign_in.refused(OPTIONS, {})
    with pytest.raises(CredentialError) as raised:
        sign_in(OPTIONS, {})
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert (
        said
        == "Azure refused the sign-in: AADSTS7000215: Invalid client secret provided: '***'. Ensure it is the value."
    )


def test_an_unknown_tenant_is_named(sign_in: SignIn, arm: FakeAzure) -> None:
    arm.discovery = 400
    assert (
        sign_in.refused(OPTIONS, {})
        == f"Azure refused the sign-in: the tenant '{TENANT}' was not found at https://{PUBLIC}"
    )


def test_a_sign_in_behind_a_private_authority_names_the_variable(sign_in: SignIn, arm: FakeAzure) -> None:
    arm.token_answers = [requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")]
    said = sign_in.refused(OPTIONS, {})
    assert said.startswith(
        f"Signing in to Azure failed: Cannot reach {PUBLIC}: the server's certificate cannot be verified"
    )
    assert "REQUESTS_CA_BUNDLE" in said
    assert len(arm.sign_ins) == 1


def test_nothing_anywhere_is_one_sentence_that_names_what_was_tried(sign_in: SignIn, arm: FakeAzure) -> None:
    arm.on("GET", "/metadata/identity/oauth2/token", requests.ConnectionError("no route to host"))
    said = sign_in.refused({}, SUB)
    assert said.startswith("No Azure credentials were found. Give client_id, secret and tenant, or set AZURE_CLIENT_ID")
    assert said.endswith("no response from the IMDS endpoint; Azure CLI not found on path.")


def test_a_managed_identity_is_found_in_the_chain(sign_in: SignIn, arm: FakeAzure) -> None:
    token = {"access_token": "from-imds", "expires_in": "3600", "expires_on": "9999999999", "token_type": "Bearer"}
    arm.on("GET", "/metadata/identity/oauth2/token", (200, {}, {**token, "resource": "https://management.azure.com"}))
    for options in ({}, {"auth_source": "msi"}, {"auth_source": "msi", "client_id": "mine"}):
        azure = connect(
            request(ConnectionOptions, options), {"HOME": str(sign_in.home), **SUB}, FakeClock(), sign_in.session
        )
        azure.scale_set("rg", "web")
        assert arm.requests[-1].headers["Authorization"] == "Bearer from-imds"
    assert "client_id=mine" in str(arm.requests[-2].url)


@pytest.mark.parametrize("options", [{}, {"auth_source": "cli"}])
def test_the_cli_is_asked_last(sign_in: SignIn, arm: FakeAzure, home: Path, options: dict[str, str]) -> None:
    arm.on("GET", "/metadata/identity/oauth2/token", requests.ConnectionError("no route to host"))
    token = {"accessToken": "from-cli", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}
    (home / "az").write_text(f"#!/bin/sh\necho '{json.dumps(token)}'\n")
    (home / "az").chmod(0o755)
    connect(request(ConnectionOptions, options), {"HOME": str(home), **SUB}, FakeClock(), sign_in.session).scale_set(
        "rg", "web"
    )
    assert arm.requests[-1].headers["Authorization"] == "Bearer from-cli"


def fake_az(home: Path) -> Path:
    """An az on the path that gives a token; the file holds the arguments that it was given."""
    token = {"accessToken": "from-cli", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}
    said = home / "az-arguments"
    (home / "az").write_text(f"#!/bin/sh\necho \"$@\" >{said}\necho '{json.dumps(token)}'\n")
    (home / "az").chmod(0o755)
    known = [{"id": "mine", "tenantId": "of-mine"}, {"id": SUBSCRIPTION, "tenantId": TENANT, "isDefault": True}]
    (home / ".azure" / "azureProfile.json").write_text(json.dumps({"subscriptions": known}), "utf-8-sig")
    return said


@pytest.mark.parametrize(
    ("options", "newer", "older", "warned"),
    [
        ({}, "", "", False),
        ({"tenant": "work"}, "--tenant work", "--tenant work", False),
        ({"subscription_id": "mine"}, "--subscription mine", "--tenant of-mine", True),
        ({"subscription_id": "mine", "tenant": "work"}, "--tenant work", "--tenant work", False),
        # az has it not in its list, which may be old: only Azure can tell
        ({"subscription_id": "unheard-of"}, "", "", False),
    ],
)
@pytest.mark.parametrize("auth_source", ["auto", "cli"])
@pytest.mark.parametrize("able", [True, False])
def test_the_cli_is_told_the_tenant_or_the_subscription(
    sign_in: SignIn,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    newer: str,
    older: str,
    warned: bool,
    auth_source: str,
    able: bool,
) -> None:
    """az takes one of the two; azure-identity 1.19 has no way to name the subscription."""
    there = "subscription" in inspect.signature(AzureCliCredential.__init__).parameters
    if able and not there:
        pytest.skip("this azure-identity cannot name a subscription")
    if there and not able:

        class Older(AzureCliCredential):
            def __init__(self, *, tenant_id: str = "") -> None:
                super().__init__(tenant_id=tenant_id)

        monkeypatch.setattr(sdk, "AzureCliCredential", Older)
    said = fake_az(home)
    sign_in.arm.on("GET", "/metadata/identity/oauth2/token", requests.ConnectionError("no route to host"))
    sign_in.arm.on("GET", WEB.replace(SUBSCRIPTION, options.get("subscription_id", SUBSCRIPTION)), (200, {}, {}))
    environment = {"HOME": str(home), **SUB}
    azure = connect(
        request(ConnectionOptions, {"auth_source": auth_source, **options}), environment, FakeClock(), sign_in.session
    )
    azure.scale_set("rg", "web")
    expected = newer if able else older
    assert said.read_text().split()[-2:] == (expected.split() or ["--resource", "https://management.azure.com"])
    assert sign_in.arm.requests[-1].headers["Authorization"] == "Bearer from-cli"
    assert bool(azure.sign_in_notices) is (warned and not able)
    assert all("azure-identity" in words and "'mine'" in words for words in azure.sign_in_notices)


def of_tenant(tenant: str) -> str:
    """A token as Entra's are."""
    claims = base64.urlsafe_b64encode(json.dumps({"tid": tenant}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


@pytest.mark.parametrize(
    ("tenant", "words"),
    [
        (TENANT, ""),
        (TENANT.upper(), ""),
        (CLIENT, f"the managed identity is of tenant {TENANT}, not of {CLIENT}"),
        ("work.example.org", f"the managed identity is of tenant {TENANT}; give that id, not work.example.org"),
    ],
)
@pytest.mark.parametrize("auth_source", ["auto", "msi"])
def test_a_managed_identity_of_another_tenant_is_not_used(
    sign_in: SignIn, tenant: str, words: str, auth_source: str
) -> None:
    token = {"access_token": of_tenant(TENANT), "expires_in": "3600", "expires_on": "9999999999"}
    answer = {**token, "token_type": "Bearer", "resource": "https://management.azure.com"}
    sign_in.arm.on("GET", "/metadata/identity/oauth2/token", (200, {}, answer))
    options = {"auth_source": auth_source, "tenant": tenant}
    if words:
        assert words in sign_in.refused(options, SUB)
        return
    environment = {"HOME": str(sign_in.home), **SUB}
    connect(request(ConnectionOptions, options), environment, FakeClock(), sign_in.session).scale_set("rg", "web")
    assert sign_in.arm.requests[-1].headers["Authorization"] == f"Bearer {of_tenant(TENANT)}"


# The sources that have a use for each option; where it is given with another one, that is said.
USED_BY = {
    "subscription_id": AUTH_SOURCES,
    "cloud_environment": AUTH_SOURCES,
    "tenant": AUTH_SOURCES,
    "client_id": ("auto", "env", "credential_file", "workload_identity", "msi"),
    "secret": ("auto", "env", "credential_file"),
    "profile": ("auto", "credential_file"),
    "auxiliary_tenants": ("auto", "env", "credential_file", "workload_identity", "cli"),
}


@pytest.mark.parametrize("auth_source", AUTH_SOURCES)
@pytest.mark.parametrize("name", sorted(set(VARIABLES) - {"auth_source"}))
def test_no_option_is_accepted_and_ignored(sign_in: SignIn, home: Path, name: str, auth_source: str) -> None:
    """Whatever the source makes of the option shows in what is sent, or the option is refused by its name."""
    seen = [outcome(sign_in, home, auth_source, value) for value in ({}, {name: OTHER[name]})]
    if auth_source in USED_BY[name]:
        assert seen[0] != seen[1]
    else:
        refusal = f"auth_source {auth_source} does not use {name}, which an option sets"
        assert refusal in seen[1] and refusal not in seen[0]


OTHER: dict[str, Any] = {
    "subscription_id": CLIENT,
    "cloud_environment": "AzureChinaCloud",
    "tenant": "other",
    "client_id": "other",
    "secret": "another~secret",
    "profile": "work",
    "auxiliary_tenants": ["gallery-tenant"],
}


def outcome(sign_in: SignIn, home: Path, auth_source: str, options: dict[str, str]) -> str:
    """All that is sent to sign in and with it, or the refusal."""
    arm = sign_in.arm
    for name in ("requests", "sign_ins"):
        getattr(arm, name).clear()
    (home / ".azure" / "credentials").unlink(missing_ok=True)
    profile(home, "default", tenant="default-tenant", client_id="default-client", secret="default-secret")
    profile(home, "work", tenant="work-tenant", client_id="work-client", secret="work-secret")
    arguments = fake_az(home)
    (home / "token").write_text("assertion-of-the-pod")
    identity = {"access_token": of_tenant(TENANT), "expires_in": "3600", "expires_on": "9999999999"}
    answer = {**identity, "token_type": "Bearer", "resource": "https://management.azure.com"}
    arm.on("GET", "/metadata/identity/oauth2/token", (200, {}, answer))
    environment = {"HOME": str(home), **SUB, "AZURE_FEDERATED_TOKEN_FILE": str(home / "token")}
    if auth_source in ("env", "workload_identity"):
        environment |= {"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT, "AZURE_SECRET": SECRET}
    try:
        azure = connect(
            request(ConnectionOptions, {"auth_source": auth_source, **options}),
            environment,
            FakeClock(),
            sign_in.session,
        )
        azure.scale_set("rg", "web")
    except AzureError as error:
        if not arm.requests:
            return str(error)
    used = [arguments.read_text()] if arguments.exists() else []
    signed = ("Authorization", "x-ms-authorization-auxiliary")
    asked = [(str(one.url), str(one.body), *map(one.headers.get, signed)) for one in arm.requests]
    return str([*used, *asked, *((str(one.url), str(one.body)) for one in arm.sign_ins)])


def test_a_client_id_of_the_options_is_nobody_elses_sign_in(sign_in: SignIn, home: Path) -> None:
    """With it the Azure CLI, which signs in as somebody of its own, is not asked."""
    fake_az(home)
    sign_in.arm.on("GET", "/metadata/identity/oauth2/token", requests.ConnectionError("no route to host"))
    said = sign_in.refused({"client_id": "mine"}, SUB)
    assert said.startswith("No Azure credentials were found") and "IMDS" in said
    ambient = {"HOME": str(home), **SUB, "AZURE_CLIENT_ID": "mine"}
    connect(request(ConnectionOptions, {}), ambient, FakeClock(), sign_in.session).scale_set("rg", "web")


def test_azure_takes_three_tokens_beside_the_first(sign_in: SignIn, home: Path) -> None:
    sign_in({**OPTIONS, "auxiliary_tenants": ["a", "b", "c"]}, {})
    said = sign_in.refused({**OPTIONS, "auxiliary_tenants": ["a", "b", "c", "d"]}, {})
    assert said == "auxiliary_tenants names 4 tenants, but Azure accepts tokens of at most 3."
    profile(home, "work", client_id="c", secret="s", tenant="t", auxiliary_tenants="one, two,three,four")
    assert "names 4 tenants" in sign_in.refused({"profile": "work"}, SUB)


def test_a_tenant_that_refuses_says_which_sign_in(sign_in: SignIn) -> None:
    refused = {"error": "unauthorized_client", "error_description": "AADSTS700016: Application not found in directory."}
    token = {"token_type": "Bearer", "expires_in": 3600, "access_token": "first"}
    sign_in.arm.token_answers = [(200, {}, token), (400, {}, refused)]
    assert "AADSTS700016" in sign_in.refused({**OPTIONS, "auxiliary_tenants": ["one"]}, {})


def test_workload_identity_sends_the_pods_token(sign_in: SignIn, arm: FakeAzure, home: Path) -> None:
    (home / "token").write_text("assertion-of-the-pod")
    environment = {
        **SUB,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": str(home / "token"),
    }
    for source in ("auto", "workload_identity"):
        assert sign_in({"auth_source": source}, environment) == (PUBLIC, TENANT, CLIENT, "")
        assert "client_assertion=assertion-of-the-pod" in str(arm.sign_ins[-1].body)


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ({**OPTIONS, "subscription_id": "mine"}, SUB, "mine"),
        ({"profile": "work"}, SUB, "of-profile"),
        (OPTIONS | {"subscription_id": ""}, SUB, SUBSCRIPTION),
        (OPTIONS | {"subscription_id": None}, {}, "of-cli"),
    ],
)
def test_which_subscription(
    session: requests.Session, home: Path, options: dict[str, Any], environment: dict[str, str], expected: str
) -> None:
    profile(home, "work", tenant="t", client_id="c", secret="s", subscription_id="of-profile")
    chosen = {"subscriptions": [{"id": "other"}, {"id": "of-cli", "isDefault": True}]}
    (home / ".azure" / "azureProfile.json").write_text(json.dumps(chosen), "utf-8-sig")
    assert (
        connect(
            request(ConnectionOptions, options), {"HOME": str(home), **environment}, FakeClock(), session
        ).subscription_id
        == expected
    )


def test_a_credential_error_is_an_azure_error_of_one_sentence() -> None:
    assert issubclass(CredentialError, AzureError)
    assert str(CredentialError("subscription_missing", "No subscription is named.")) == "No subscription is named."


@pytest.mark.parametrize("password", ["", "wrong", "right"])
def test_an_encrypted_certificate_needs_its_password(sign_in: SignIn, home: Path, password: str) -> None:
    (home / "client.pem").write_bytes(encrypted_certificate(b"right"))
    environment = {
        **SUB,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_CERTIFICATE_PATH": str(home / "client.pem"),
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": password,
    }
    if password == "right":
        assert sign_in({}, environment) == (PUBLIC, TENANT, CLIENT, "")
        return
    said = sign_in.refused({}, environment)
    assert said.startswith(f"The certificate {home / 'client.pem'} cannot be used: ")
    assert said.endswith("If it is encrypted, set AZURE_CLIENT_CERTIFICATE_PASSWORD to its password.")


def encrypted_certificate(password: bytes) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    now = datetime.datetime(2026, 1, 1)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=3650))
    encryption = serialization.BestAvailableEncryption(password)
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption) + built.sign(
        key, hashes.SHA256()
    ).public_bytes(pem)
