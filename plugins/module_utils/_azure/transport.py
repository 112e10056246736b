# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection that everything shares: sign-in, the private cloud's metadata, and Resource Manager."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from .._rollout import problem as kinds
from .._rollout.problem import Problem
from . import sdk
from .errors import CERTIFICATE_HOWTO, AzureError, is_certificate_error


class Transport(sdk.RequestsTransport):
    """A certificate that cannot be verified ends the request at once: the SDK would try it again for minutes."""

    def send(self, request: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return super().send(request, **kwargs)
        except sdk.exceptions.ServiceRequestError as exc:
            if not is_certificate_error(exc):
                raise
        raise AzureError(Problem(kinds.REFUSED, "", CERTIFICATE_HOWTO), f"reach {urlsplit(request.url).hostname}")


def certificate_bundle(environment: t.Mapping[str, str]) -> str | bool:
    """What certificates are verified against; True is the operating system's or certifi's own list."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if environment.get(name):
            return environment[name]
    return True
