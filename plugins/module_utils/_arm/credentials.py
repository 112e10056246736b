# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing in: who we are, from options, variables, profiles, and last from what the machine offers."""

from __future__ import annotations

import base64
import configparser
import inspect
import json
import re
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._options import AuthSource, ConnectionOptions
from . import sdk
from .clouds import Cloud
from .errors import CredentialError
from .redaction import redact

AUTH_SOURCES = t.get_args(AuthSource)

# The variables of an option that is not given; the first that is set wins. First AWX's and azure.azcollection's names,
# then azure-identity's. They are read here and not by Ansible, so that a profile that was named can overrule them.
VARIABLES: dict[str, tuple[str, ...]] = {
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE",),
    "profile": ("AZURE_PROFILE",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "auxiliary_tenants": (),
}

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
MOST_AUXILIARY = 3  # tenants that Azure takes tokens of beside the first one's
_PASSWORD_FORMS = (("AZURE_AD_USER", "AZURE_PASSWORD"), ("AZURE_USERNAME", "AZURE_PASSWORD"))
_SECRET_HOWTO = (
    "Give client_id, secret and tenant, or set AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT (in roles and playbooks: "
    "rollout_client_id, rollout_secret, rollout_tenant)"
)
_MIXED = (
    "{part} is given by {one} and {rest} by {other}, which may belong to another principal. Give client_id, secret and "
    "tenant in one place."
)
_NO_PASSWORDS = (
    "Signing in with a user name and password is not supported, because Azure asks such accounts for a second factor. "
    "Use a service principal: client_id, secret and tenant, or AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT."
)


# The options that a way to sign in has no use for; the variables of the same may be meant for something else.
_UNUSED = {
    "env": ("profile",),
    "workload_identity": ("secret", "profile"),
    "msi": ("secret", "profile", "auxiliary_tenants"),  # it has tokens of its own tenant only
    "cli": ("client_id", "secret", "profile"),
}

# A principal's own values. They are taken from one source, so that no id is paired with another principal's secret.
_PRINCIPAL = ("client_id", "secret", "tenant", "certificate", "certificate_password", "ad_user")
_NAMES_ONE = ("client_id", "secret", "certificate", "ad_user")
_PROVES = ("secret", "certificate", "ad_user")

_OPTIONS = "the options"  # a source


@dataclass(frozen=True)
class Settings:
    """What options, variables and profiles say, put together; "" where nothing does.

    `principal_of` is the source of the principal, in words.
    """

    auth_source: str
    subscription_id: str
    client_id: str
    secret: str = field(repr=False)
    tenant: str
    cloud_environment: str
    certificate: str = ""
    certificate_password: str = field(default="", repr=False)
    principal_of: str = _OPTIONS
    auxiliary_tenants: tuple[str, ...] = ()
    cli_subscription: t.Mapping[str, t.Any] = field(default_factory=dict)  # what az's own list says of subscription_id


class _Source(t.NamedTuple):
    words: str
    values: t.Mapping[str, str]


def read_settings(options: ConnectionOptions, environment: t.Mapping[str, str]) -> Settings:
    """One order for each value: the options, the profile that was named, the variables, the profile "default" of
    ~/.azure/credentials, and for the subscription last the Azure CLI's. The values of a principal come from the first
    source that names one. Raises CredentialError.
    """
    given = {name: _option(value) for name, value in vars(options).items() if name in VARIABLES and value}
    variables = _variables(environment)
    auth_source = given.get("auth_source") or variables["auth_source"] or "auto"
    if auth_source not in AUTH_SOURCES:
        raise CredentialError(
            "auth_source_unknown",
            f"auth_source '{auth_source}' does not exist. It is one of {', '.join(AUTH_SOURCES)}.",
        )
    if unused := [name for name in _UNUSED.get(auth_source, ()) if name in given]:
        raise CredentialError(
            "options_conflict",
            f"auth_source {auth_source} does not use {', '.join(unused)}, which an option sets. Omit "
            f"{'it' if len(unused) == 1 else 'them'}, or choose another auth_source.",
        )
    sources = _sources(auth_source, given, variables, environment)
    known = _cli_subscriptions(environment)

    def first(name: str) -> str:
        return next((source.values[name] for source in sources if source.values.get(name)), "")

    words, principal = _principal(auth_source, sources)
    auxiliary = tuple(re.split(r"[,\s]+", first("auxiliary_tenants").strip(", "))) if first("auxiliary_tenants") else ()
    if len(auxiliary) > MOST_AUXILIARY:
        raise CredentialError(
            "option_invalid",
            f"auxiliary_tenants names {len(auxiliary)} tenants, but Azure accepts tokens of at most {MOST_AUXILIARY}.",
        )
    subscription_id = first("subscription_id") or _text(next((one for one in known if one.get("isDefault")), {}), "id")
    return Settings(
        auth_source=auth_source,
        subscription_id=subscription_id,
        client_id=principal.get("client_id") or "",
        secret=principal.get("secret") or "",
        tenant=principal.get("tenant") or "",
        cloud_environment=first("cloud_environment"),
        certificate=principal.get("certificate") or "",
        certificate_password=principal.get("certificate_password") or "",
        principal_of=words,
        auxiliary_tenants=auxiliary,
        cli_subscription=next((one for one in known if _text(one, "id").lower() == subscription_id.lower()), {}),
    )


def _variables(environment: t.Mapping[str, str]) -> dict[str, str]:
    found = {name: next((environment[v] for v in names if environment.get(v)), "") for name, names in VARIABLES.items()}
    found["certificate"] = environment.get("AZURE_CLIENT_CERTIFICATE_PATH") or ""
    found["certificate_password"] = environment.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or ""
    users = (environment.get(user) or "" for user, password in _PASSWORD_FORMS if environment.get(password))
    return {**found, "ad_user": next((user for user in users if user), "")}


def _sources(
    auth_source: str, given: t.Mapping[str, str], variables: t.Mapping[str, str], environment: t.Mapping[str, str]
) -> list[_Source]:
    """Those that this way to sign in looks at, in order."""
    sources = [_Source(_OPTIONS, given)]
    named = given.get("profile") or variables["profile"] or ("default" if auth_source == "credential_file" else "")
    if named and auth_source in ("auto", "credential_file"):
        sources.append(_Source(f"the profile '{named}'", _profile(named, environment, must_exist=True)))
    sources.append(_Source("the variables", variables))
    if auth_source == "auto" and not named:
        sources.append(_Source("the profile 'default'", _profile("default", environment, must_exist=False)))
    return sources


def _principal(auth_source: str, sources: t.Sequence[_Source]) -> tuple[str, dict[str, str]]:
    """The source, in words, and its values. Raises CredentialError where they would have to be mixed."""
    if auth_source in ("workload_identity", "msi", "cli"):  # no secret is involved: what the machine itself offers
        found = {name: value for source in reversed(sources) for name, value in source.values.items() if value}
        return "the machine", {name: found.get(name, "") for name in ("client_id", "tenant")}
    asked = [one for one in sources if auth_source != "credential_file" or one.words != "the variables"]
    index = next((i for i, one in enumerate(asked) if any(one.values.get(name) for name in _NAMES_ONE)), None)
    if index is None:
        tenant = next((one.values["tenant"] for one in asked if one.values.get("tenant")), "")
        return asked[-1].words, {"tenant": tenant}
    chosen, earlier, later = asked[index], asked[:index], asked[index + 1 :]
    if stray := next((one for one in earlier if one.values.get("tenant")), None):
        raise CredentialError(
            "credentials_mixed", _MIXED.format(part="The tenant", one=stray.words, rest="client_id", other=chosen.words)
        )
    proven = any(chosen.values.get(name) for name in _PROVES)
    if not proven and index == 0:
        for one in later:
            if secret := next((name for name in ("secret", "certificate") if one.values.get(name)), None):
                raise CredentialError(
                    "credentials_mixed",
                    _MIXED.format(part="client_id", one=chosen.words, rest=f"the {secret}", other=one.words),
                )
    if chosen.values.get("ad_user") and not chosen.values.get("secret"):
        raise CredentialError("password_not_supported", _NO_PASSWORDS)
    return chosen.words, {name: chosen.values.get(name) or "" for name in _PRINCIPAL}


def require_subscription(settings: Settings) -> str:
    if settings.subscription_id:
        return settings.subscription_id
    raise CredentialError(
        "subscription_missing",
        "No subscription is named. Give subscription_id (in roles and playbooks: rollout_subscription_id), set "
        "AZURE_SUBSCRIPTION_ID, write subscription_id into the profile, or choose one with 'az account set'.",
    )


class Credential:
    """What the Azure SDK asks for tokens. Its failures are one sentence each; `renew` forgets remembered tokens.

    `notices`: what the user should know of the sign-in, filled while tokens are asked for.
    """

    def __init__(
        self, make: t.Callable[[], t.Any], secrets: t.Sequence[str] = (), notices: list[str] | None = None
    ) -> None:
        self.notices = [] if notices is None else notices
        self.auxiliary: t.Sequence[Credential] = ()  # the same principal in other tenants
        self._make = make
        self._secrets = secrets
        self._current: t.Any = None

    def get_token(self, *scopes: str, **kwargs: t.Any) -> t.Any:
        """Raises CredentialError."""
        try:
            if self._current is None:
                self._current = self._make()
            return self._current.get_token(*scopes, **kwargs)
        except (sdk.exceptions.AzureError, ValueError, OSError) as exc:
            failure = _failure(redact(getattr(exc, "message", None) or exc, self._secrets))
        raise failure

    def renew(self) -> None:
        self._current = None
        for one in self.auxiliary:
            one.renew()


def credential(settings: Settings, cloud: Cloud, environment: t.Mapping[str, str], transport: t.Any) -> Credential:
    """The credential that the settings choose; it asks for no token yet. Raises CredentialError."""
    chosen = _credential(settings, cloud, environment, transport)
    chosen.auxiliary = [
        _credential(replace(settings, tenant=tenant), cloud, environment, transport)
        for tenant in settings.auxiliary_tenants
    ]
    return chosen


def _credential(settings: Settings, cloud: Cloud, environment: t.Mapping[str, str], transport: t.Any) -> Credential:
    common = {
        "authority": cloud.authority,
        "disable_instance_discovery": not cloud.known,
        "transport": transport,
        "retry_connect": 5,  # half a minute: a token is also needed in the middle of a rollout
        "retry_read": 5,
        "retry_status": 5,
    }
    source = settings.auth_source
    if source == "workload_identity":
        return Credential(_workload_identity(settings, environment, common))
    if source == "msi":
        return Credential(_managed_identity(settings, common))
    notices: list[str] = []
    if source == "cli":
        return Credential(_azure_cli(settings, notices), notices=notices)
    if settings.secret:
        _require(settings, "client_id", "tenant")
        return Credential(
            lambda: sdk.ClientSecretCredential(settings.tenant, settings.client_id, settings.secret, **common),
            [settings.secret],
        )
    if source == "credential_file":
        _require(settings, "client_id", "secret", "tenant")
    if settings.certificate and settings.client_id and settings.tenant:
        return Credential(lambda: _certificate(settings, common), [settings.certificate_password])
    if source == "env":
        _require(settings, "client_id", "secret", "tenant")
    makers = [_managed_identity(settings, common)]
    if not (settings.client_id and settings.principal_of == _OPTIONS):  # az signs in as somebody of its own
        makers.append(_azure_cli(settings, notices))
    if environment.get("AZURE_FEDERATED_TOKEN_FILE") and settings.client_id and settings.tenant:
        makers.insert(0, _workload_identity(settings, environment, common))
    return Credential(lambda: sdk.ChainedTokenCredential(*(make() for make in makers)), notices=notices)


def _require(settings: Settings, *names: str) -> None:
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise CredentialError(
            "credentials_incomplete",
            f"Signing in with a client secret needs {', '.join(missing)}, which {verb} not set by "
            f"{settings.principal_of}. {_SECRET_HOWTO}.",
        )


def _certificate(settings: Settings, common: dict[str, t.Any]) -> t.Any:
    password = settings.certificate_password or None
    try:
        return sdk.CertificateCredential(
            settings.tenant, settings.client_id, certificate_path=settings.certificate, password=password, **common
        )
    except (TypeError, ValueError, OSError) as exc:
        words = redact(" ".join(str(exc).split()), [password or ""]).rstrip(".")
    needs = " If it is encrypted, set AZURE_CLIENT_CERTIFICATE_PASSWORD to its password."
    raise CredentialError(
        "certificate_not_usable", f"The certificate {settings.certificate} cannot be used: {words}.{needs}"
    )


def _workload_identity(
    settings: Settings, environment: t.Mapping[str, str], common: dict[str, t.Any]
) -> t.Callable[[], t.Any]:
    token_file = environment.get("AZURE_FEDERATED_TOKEN_FILE")
    if not (token_file and settings.client_id and settings.tenant):
        raise CredentialError(
            "credentials_incomplete",
            "Workload identity needs client_id, tenant and its token's file: set AZURE_CLIENT_ID, AZURE_TENANT_ID and "
            "AZURE_FEDERATED_TOKEN_FILE, as a pod with an annotated service account has them.",
        )
    return lambda: sdk.WorkloadIdentityCredential(
        tenant_id=settings.tenant, client_id=settings.client_id, token_file_path=token_file, **common
    )


def _managed_identity(settings: Settings, common: dict[str, t.Any]) -> t.Callable[[], t.Any]:
    """Its tenant is its own, so one that was asked for is only compared: with what Entra's tokens say of theirs."""

    def check(token: str) -> None:
        tenant, wanted = _tenant_of(token), settings.tenant
        if not (tenant and wanted) or tenant.lower() == wanted.lower():
            return
        other = f", not of {wanted}" if _GUID.fullmatch(wanted) else f"; give that id, not {wanted}"
        raise sdk.CredentialUnavailableError(message=f"the managed identity is of tenant {tenant}{other}")

    def make() -> t.Any:
        chosen = settings.client_id or None
        return _CheckedCredential(sdk.ManagedIdentityCredential(client_id=chosen, transport=common["transport"]), check)

    return make


def _azure_cli(settings: Settings, notices: list[str]) -> t.Callable[[], t.Any]:
    """az takes a tenant or a subscription, not both (https://github.com/Azure/azure-cli/issues/32755): the tenant where
    one is given, else the subscription, which also chooses among several accounts. It refuses a subscription that is
    not in its own list, though the list may be old; then its current account is as good.
    """
    account = settings.cli_subscription
    chosen, arguments = _text(account, "id"), {}
    notice = ""
    if settings.tenant:
        arguments = {"tenant_id": settings.tenant}
    elif chosen and not account.get("isDefault"):
        arguments = {"subscription": chosen}
        if "subscription" not in inspect.signature(sdk.AzureCliCredential.__init__).parameters:  # azure-identity 1.19
            arguments = {"tenant_id": _text(account, "tenantId")}
            notice = (
                f"The installed azure-identity cannot pass subscription '{chosen}' to the Azure CLI, so the token is "
                "for its tenant and az's current account. Upgrade azure-identity if several accounts are signed in."
            )

    def check(_token: str) -> None:
        if notice and notice not in notices:
            notices.append(notice)

    return lambda: _CheckedCredential(sdk.AzureCliCredential(**arguments), check)


class _CheckedCredential:
    """A credential whose token is looked at before it is used."""

    def __init__(self, credential: t.Any, check: t.Callable[[str], None]) -> None:
        self._credential = credential
        self._check = check

    def get_token(self, *scopes: str, **kwargs: t.Any) -> t.Any:
        token = self._credential.get_token(*scopes, **kwargs)
        self._check(token.token)
        return token


def _tenant_of(token: str) -> str:
    """The tenant in a token's claims, "" where it has none that can be read."""
    claims = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        return _text(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))), "tid")
    except ValueError:
        return ""


def _profile(name: str, environment: t.Mapping[str, str], *, must_exist: bool) -> dict[str, str]:
    """A section of ~/.azure/credentials, {} where it need not exist and does not."""
    path = _home(environment) / ".azure" / "credentials"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        return {key: value for key, value in parser.items(name) if value}
    except (OSError, configparser.NoSectionError, configparser.Error, UnicodeDecodeError) as exc:
        if not must_exist:
            return {}
        reason = f"has no section [{name}]" if isinstance(exc, configparser.NoSectionError) else "cannot be read"
        raise CredentialError("profile_not_found", f"The profile '{name}' was not found: {path} {reason}.") from None


def _cli_subscriptions(environment: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Those that the Azure CLI has in its list."""
    folder = Path(environment.get("AZURE_CONFIG_DIR") or _home(environment) / ".azure")
    try:
        listed = json.loads((folder / "azureProfile.json").read_text("utf-8-sig"))["subscriptions"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _option(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _text(document: object, name: str) -> str:
    value = document.get(name) if isinstance(document, t.Mapping) else None
    return value if isinstance(value, str) else ""


def _home(environment: t.Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())


def _failure(message: str) -> CredentialError:
    """One sentence, and the AADSTS code, out of azure-identity's many lines."""
    entra = re.search(r"(AADSTS\d+):?\s*([^\r\n]*)", message)
    if entra:
        words = re.split(r"\s*(?:Trace ID|Correlation ID|Timestamp):", entra[2])[0].strip()
        return CredentialError("sign_in_refused", f"Azure refused the sign-in: {entra[1]}: {words}", entra[1])
    if tenant := re.search(r"Unable to get authority configuration for (\S+)/([^/\s]+)\. ", message):
        return CredentialError(
            "tenant_not_found", f"Azure refused the sign-in: the tenant '{tenant[2]}' was not found at {tenant[1]}"
        )
    attempts = re.findall(r"^\s+\w+Credential: ([^\r\n]*)", message, re.M)
    if attempts:
        tried = "; ".join(words.strip().rstrip(".") for words in attempts)
        howto = f"{_SECRET_HOWTO}, or sign in with 'az login'"
        return CredentialError(
            "credentials_not_found", f"No Azure credentials were found. {howto}. Tried without success: {tried}."
        )
    first = next((line.strip() for line in message.splitlines() if line.strip()), "no reason given")
    words = first.removeprefix("Authentication failed: ")
    return CredentialError("sign_in_failed", f"Signing in to Azure failed: {words}")
