# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Azure: the address of its Resource Manager, where to sign in, and for which audience."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .._facts import problems
from .._facts.problems import Problem
from . import sdk
from .errors import CERTIFICATE_HOWTO, AzureError, is_certificate_error, read_json, root_words
from .redaction import message_text
from .urls import origin


@dataclass(frozen=True)
class Cloud:
    """`scope` is what a token is asked for. `known` clouds need no discovery of their sign-in address switched off."""

    name: str
    endpoint: str
    authority: str
    scope: str
    known: bool = True


PUBLIC = Cloud(
    "AzureCloud",
    "https://management.azure.com",
    "https://login.microsoftonline.com",
    "https://management.azure.com/.default",
)
GOVERNMENT = Cloud(
    "AzureUSGovernment",
    "https://management.usgovcloudapi.net",
    "https://login.microsoftonline.us",
    "https://management.usgovcloudapi.net/.default",
)
CHINA = Cloud(
    "AzureChinaCloud",
    "https://management.chinacloudapi.cn",
    "https://login.chinacloudapi.cn",
    "https://management.chinacloudapi.cn/.default",
)
_BY_NAME = {
    "azurecloud": PUBLIC,
    "azurepubliccloud": PUBLIC,
    "azure_public_cloud": PUBLIC,
    "azureusgovernment": GOVERNMENT,
    "azureusgovernmentcloud": GOVERNMENT,
    "azure_us_gov_cloud": GOVERNMENT,
    "azurechinacloud": CHINA,
    "azure_china_cloud": CHINA,
}
_AUTHORITIES = frozenset(urlsplit(cloud.authority).hostname for cloud in (PUBLIC, GOVERNMENT, CHINA))
# The first form has the endpoint's own name and address in it, the second is all that Azure Stack Hub has.
_API_VERSIONS = ("2019-05-01", "2015-01-01")


def find_cloud(named: str, environment: t.Mapping[str, str], session: t.Any) -> Cloud:
    """The cloud of that name or ARM endpoint; without a name ARM_CLOUD_METADATA_URL's, else the public one.

    Raises AzureError.
    """
    if not named:
        if metadata_url := environment.get("ARM_CLOUD_METADATA_URL"):
            return _same_authority(_from_metadata(metadata_url, _read(metadata_url, session), None), environment)
        authority = environment.get("AZURE_AUTHORITY_HOST")
        return replace(PUBLIC, authority=_https(authority), known=_is_known(authority)) if authority else PUBLIC
    if cloud := _BY_NAME.get(named.lower()):
        return cloud
    if "://" not in named:
        raise _unusable(
            named,
            f"it is not {PUBLIC.name}, {GOVERNMENT.name} or {CHINA.name}, nor the https URL of a Resource Manager",
        )
    endpoint = _https(named)
    if "/metadata/endpoints" in endpoint:
        return _same_authority(_from_metadata(endpoint, _read(endpoint, session), None), environment)
    error: AzureError | None = None
    for version in _API_VERSIONS:
        try:
            url = f"{endpoint}/metadata/endpoints?api-version={version}"
            return _same_authority(_from_metadata(endpoint, _read(url, session), endpoint), environment)
        except AzureError as exc:
            error = exc
            if exc.problem.status is None:
                break
    raise error or _unusable(named, "it has no metadata")


def _https(url: str) -> str:
    if not url.lower().startswith("https://"):
        raise _unusable(url, "only https is supported")
    if origin(url) is None:
        raise _unusable(url, "it is not a plain https address: it must not contain a user name, a blank or '..'")
    return url.rstrip("/")


def _same_authority(cloud: Cloud, environment: t.Mapping[str, str]) -> Cloud:
    """Where the user named a sign-in service, the metadata does not send the secret to another."""
    named = environment.get("AZURE_AUTHORITY_HOST")
    if named and origin(_https(named)) != origin(cloud.authority):
        reason = (
            f"its metadata names the sign-in service {urlsplit(cloud.authority).hostname}, but AZURE_AUTHORITY_HOST is "
            f"{urlsplit(_https(named)).hostname}; unset AZURE_AUTHORITY_HOST if the first is right"
        )
        raise _unusable(cloud.endpoint, reason)
    return cloud


def _read(url: str, session: t.Any) -> t.Any:
    try:
        # Who answers a redirect names the sign-in service, and so gets the secret.
        answer = session.get(_https(url), timeout=(10, 30), allow_redirects=False)
    except sdk.requests.RequestException as exc:
        if is_certificate_error(exc):
            raise _unusable(url, CERTIFICATE_HOWTO) from None
        raise _unusable(url, root_words(exc)) from None
    except OSError as exc:  # requests checks here that the bundle of certificates exists
        raise _unusable(url, message_text(exc)) from None
    if 300 <= answer.status_code < 400:
        raise _unusable(url, "its metadata answers with a redirect, which is not followed; give its target instead")
    if answer.status_code != 200:
        raise _unusable(url, f"its metadata answers HTTP {answer.status_code}", answer.status_code)
    try:
        return read_json(answer.text)
    except ValueError:
        raise _unusable(url, "its metadata is not JSON", answer.status_code) from None


def _from_metadata(named: str, document: t.Any, endpoint: str | None) -> Cloud:
    """Both forms: one object or a list of clouds, with or without a name and an address of their own."""
    clouds = [item for item in (document if isinstance(document, list) else [document]) if isinstance(item, dict)]
    clouds.sort(key=lambda item: item.get("name") != PUBLIC.name)
    if not clouds:
        raise _unusable(named, "its metadata does not name a cloud", 200)
    authentication = clouds[0].get("authentication")
    authentication = authentication if isinstance(authentication, dict) else {}
    address = endpoint or clouds[0].get("resourceManager")
    authority, audiences = authentication.get("loginEndpoint"), authentication.get("audiences")
    if not address or not authority or not audiences:
        raise _unusable(
            named, "its metadata lacks the loginEndpoint, the audiences or the address of a Resource Manager", 200
        )
    address, authority = _https(str(address)), _https(str(authority))
    own = [str(audience) for audience in audiences if str(audience).rstrip("/") == address]
    audience = own[0].rstrip("/") if own else str(audiences[0])
    return Cloud(str(clouds[0].get("name") or named), address, authority, f"{audience}/.default", _is_known(authority))


def _is_known(authority: str) -> bool:
    return urlsplit(authority).hostname in _AUTHORITIES


def _unusable(named: str, reason: str, status: int | None = None) -> AzureError:
    problem = Problem(problems.REFUSED, "", reason, status)
    return AzureError(problem, f"use the cloud '{named}'", code="cloud_not_usable")
