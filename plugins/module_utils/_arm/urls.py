# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a request may go: the token is for one endpoint, and no address from an answer leads it elsewhere."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from .._facts import problems
from .._facts.problems import Problem
from . import sdk
from .errors import AzureError
from .redaction import message_text

# Stricter than any URL library, so that no two of them can read another host out of one address.
_HTTPS = re.compile(r"https://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?(?P<path>/[!-~]*)?", re.I)
_CLIMBS = re.compile(r"[/\\](\.|%2e){1,2}([/\\?#]|$)|\\", re.I)

Origin = tuple[str, int]


def origin(url: object) -> Origin | None:
    """Host and port of a plain https address; None for any other, one with a user name or with dots in its path."""
    found = _HTTPS.fullmatch(url) if isinstance(url, str) else None
    if not found or _CLIMBS.search(found["path"] or ""):
        return None
    return found["host"].lower(), int(found["port"] or 443)


def resource_path(resource_id: str) -> str:
    """The path of a resource id that Azure or a user names, each name of it quoted. Raises AzureError."""
    names = resource_id.split("/")
    if names[0] or len(names) < 2 or any(name in ("", ".", "..") or not name.isprintable() for name in names[1:]):
        reason = f"'{message_text(resource_id)}' is not the id of a resource"
        raise AzureError(Problem(problems.REFUSED, "", reason), "address a resource", code="address_not_trusted")
    return "/".join(quote(name, safe="()-._~") for name in names)


class OneEndpoint(sdk.HTTPPolicy):
    """Refuses a request to any other scheme, host or port than the endpoint's. The first policy: no token is made."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = origin(endpoint)

    def send(self, request: t.Any) -> t.Any:
        asked = origin(request.http_request.url)
        if asked is None or asked != self._endpoint:
            where = f"{asked[0]}:{asked[1]}" if asked else "no plain https address"
            reason = f"Azure's answer leads to {where}, which is not its Resource Manager; nothing was sent there"
            raise AzureError(
                Problem(problems.REFUSED, "", reason), "follow Azure's address", code="address_not_trusted"
            )
        return self.next.send(request)
