# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection that everything shares: sign-in, the private cloud's metadata, and Resource Manager."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from .._facts import problems
from .._facts.problems import Problem
from . import sdk
from .errors import CERTIFICATE_HOWTO, AzureError, is_certificate_error

LARGEST_ANSWER = 32 * 2**20  # bytes, unpacked; a thousand instances with all their views are a third of it
_BLOCK = 2**16


class Transport(sdk.RequestsTransport):
    """A certificate that cannot be verified ends the request at once: the SDK would try it again for minutes."""

    def send(self, request: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return super().send(request, **kwargs)
        except sdk.exceptions.ServiceRequestError as exc:
            if not is_certificate_error(exc):
                raise
        raise AzureError(
            Problem(problems.REFUSED, "", CERTIFICATE_HOWTO),
            f"reach {urlsplit(request.url).hostname}",
            code="certificate_not_trusted",
        )


def secure(session: t.Any, environment: t.Mapping[str, str]) -> t.Any:
    """The requests session that we speak over, new or given: proxies as the environment says, and nothing of ~/.netrc,
    whose password would take the token's place; answers are read only so far.
    """
    session = session or sdk.requests.Session()
    session.verify = certificate_bundle(environment)
    session.auth = _own_authentication
    session.hooks["response"] = [_read_bounded]
    return session


def _own_authentication(request: t.Any) -> t.Any:
    return request


def _read_bounded(response: t.Any, **_options: t.Any) -> t.Any:
    """Read the answer here, for requests itself would take any number of bytes."""
    blocks: list[bytes] = []
    size = 0
    for block in response.iter_content(_BLOCK):
        size += len(block)
        if size > LARGEST_ANSWER:
            response.close()
            reason = f"the answer is longer than {LARGEST_ANSWER // 2**20} MiB and was not read"
            raise AzureError(
                Problem(problems.LOST, "", reason, response.status_code), f"read {urlsplit(response.url).path}"
            )
        blocks.append(block)
    response._content = b"".join(blocks)  # noqa: SLF001  # where requests keeps what it has read itself
    return response


def certificate_bundle(environment: t.Mapping[str, str]) -> str | bool:
    """What certificates are verified against; True is the operating system's or certifi's own list."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if environment.get(name):
            return environment[name]
    return True
