# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one retry and throttling policy, and the count of what Azure was asked.

Only a GET is ever sent again. A write whose answer is late or lost may have been accepted, so it is never re-sent; the
exception is 401, which Azure answers before anything starts.
Limits: https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import sdk
from .errors import error_member, http_date, read_json, retry_after

PATIENCE_WHEN_LOST = 120.0  # seconds that a GET is repeated after 5xx and lost connections
PATIENCE_WHEN_THROTTLED = 1200.0  # Azure asks for up to 20 minutes
LONGEST_PAUSE = 30.0  # between two tries where Azure does not say

MAY_BE_EMPTY = "may_be_empty"  # an option of a request whose good answer may have no body

_AUXILIARY = "x-ms-authorization-auxiliary"
_SOON = 300.0  # seconds before its end a token is replaced

_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class Clock(t.Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Usage:
    """What this process asked of Azure Resource Manager. A call is a request under /subscriptions/, every try of it."""

    calls: int = 0
    writes: int = 0
    retries: int = 0
    conflicts: int = 0
    throttled_seconds: float = 0.0
    remaining: dict[str, int] = field(default_factory=dict)  # per throttling bucket, as Azure last reported it
    server_time: float | None = None  # Azure's clock at its last answer, seconds since the epoch

    def reads_remaining(self, bucket: str) -> int | None:
        """The fewest requests left in the buckets whose name starts so; None where Azure has not said."""
        return min((left for name, left in self.remaining.items() if name.startswith(bucket)), default=None)

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "calls": self.calls,
            "writes": self.writes,
            "retries": self.retries,
            "conflicts": self.conflicts,
            "throttled_seconds": round(self.throttled_seconds, 1),
        }


class Meter(sdk.HTTPPolicy):
    """Counts each request that goes out; the last policy before the wire."""

    def __init__(self, usage: Usage) -> None:
        super().__init__()
        self._usage = usage

    def send(self, request: t.Any) -> t.Any:
        method, path = request.http_request.method, urlsplit(request.http_request.url).path
        counted = path.lower().startswith("/subscriptions/")
        if counted:
            self._usage.calls += 1
            self._usage.writes += method != "GET"
        answer = self.next.send(request)
        response = answer.http_response
        self._usage.server_time = http_date(response.headers.get("Date")) or self._usage.server_time
        self._usage.remaining.update(remaining(response.headers))
        if counted and response.status_code == 409 and _error_code(response).lower() == "conflict":
            self._usage.conflicts += 1
        return answer


class Wanted(sdk.HTTPPolicy):
    """Asks, right before each request leaves, whether there is still somebody who wants it."""

    def __init__(self, check: t.Callable[[], None]) -> None:
        super().__init__()
        self._check = check

    def send(self, request: t.Any) -> t.Any:
        self._check()
        return self.next.send(request)


@dataclass
class _Trouble:
    """One kind of it while a request is repeated; seconds."""

    patience: float
    spent: float = 0.0
    pause: float = 1.0  # where Azure does not say


class Retries(sdk.HTTPPolicy):
    """Repeats a GET after throttling, 5xx, a lost and an unreadable answer, with patience that ends.

    Patience for each kind of trouble is of its own: throttling leaves that for lost answers whole.
    """

    def __init__(self, usage: Usage, clock: Clock) -> None:
        super().__init__()
        self._usage = usage
        self._clock = clock

    def send(self, request: t.Any) -> t.Any:
        may_be_empty = request.context.options.pop(MAY_BE_EMPTY, False)
        throttling, losing = _Trouble(PATIENCE_WHEN_THROTTLED), _Trouble(PATIENCE_WHEN_LOST)
        while True:
            answer, lost, began = None, None, self._clock.now()
            try:
                answer = self.next.send(request)
            except lost_errors() as exc:
                if request.http_request.method != "GET":
                    raise
                lost = exc
            else:
                if request.http_request.method != "GET" or not _unanswered(answer.http_response, may_be_empty):
                    return answer
            throttled = answer is not None and answer.http_response.status_code == 429
            trouble = throttling if throttled else losing
            wait = (asked_to_wait(answer.http_response) if answer is not None else None) or trouble.pause
            trouble.spent += self._clock.now() - began + wait
            if trouble.spent > trouble.patience:
                if lost:
                    raise lost
                return answer
            self._clock.sleep(wait)
            self._usage.retries += 1
            self._usage.throttled_seconds += wait if throttled else 0
            trouble.pause = min(trouble.pause * 2, LONGEST_PAUSE)


class Authentication(sdk.BearerTokenCredentialPolicy):
    """Signs each request. A token that Azure no longer takes is replaced once, and the request sent again.

    What a request refers to in another tenant, as a model does to a gallery's image, Azure reads with that tenant's
    token in x-ms-authorization-auxiliary: "Bearer <token>, Bearer <token>", at most three, each valid
    (https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant; the Azure CLI joins
    them with ";"). One that has expired is answered with 401 as well.
    The request's own token has to be of the tenant of the subscription that it goes to. So a read in another tenant's
    subscription, as of that gallery itself, is sent with the other tenant's token.
    """

    _token: t.Any

    def __init__(self, credential: t.Any, scope: str, usage: Usage, clock: Clock) -> None:
        super().__init__(credential, scope)
        self._renewable = credential
        self._scope = scope
        self._usage = usage
        self._clock = clock
        self._auxiliary: dict[int, t.Any] = {}  # tokens, by the number of the tenant
        self._tenant_of: dict[str, int] = {}  # the number of the tenant, by subscription

    def on_request(self, request: t.Any) -> None:
        headers = request.http_request.headers
        number = self._tenant_of.get(_subscription_of(request))
        if number is not None and request.http_request.method == "GET":
            headers.pop(_AUXILIARY, None)
            headers["Authorization"] = f"Bearer {self._token_of(number)}"
            return
        super().on_request(request)
        if self._renewable.auxiliary:
            tokens = [f"Bearer {self._token_of(number)}" for number in range(len(self._renewable.auxiliary))]
            headers[_AUXILIARY] = ", ".join(tokens)

    def _token_of(self, number: int) -> str:
        held = self._auxiliary.get(number)
        if held is None or held.expires_on - self._clock.now() < _SOON:
            held = self._auxiliary[number] = self._renewable.auxiliary[number].get_token(self._scope)
        return str(held.token)

    def send(self, request: t.Any) -> t.Any:
        held = self._token
        answer = super().send(request)
        if answer.http_response.status_code != 401:
            return answer
        read = request.http_request.method == "GET"
        if read and self._renewable.auxiliary and _is_of_another_tenant(answer.http_response):
            self._token = held  # it is good where it belongs
            return self._sent_as_another(request, answer)
        self._renewable.renew()
        self._auxiliary.clear()
        self._usage.retries += 1
        return super().send(request)

    def _sent_as_another(self, request: t.Any, answer: t.Any) -> t.Any:
        """With each of the other tenants' tokens in turn; the one that is taken is kept for this subscription."""
        subscription = _subscription_of(request)
        for number in range(len(self._renewable.auxiliary)):
            self._tenant_of[subscription] = number
            self._usage.retries += 1
            answer = super().send(request)
            if not _is_of_another_tenant(answer.http_response):
                return answer
        self._tenant_of.pop(subscription, None)
        return answer


def _subscription_of(request: t.Any) -> str:
    parts = urlsplit(request.http_request.url).path.lower().split("/")
    return parts[2] if parts[1:2] == ["subscriptions"] and len(parts) > 2 else ""


def _is_of_another_tenant(response: t.Any) -> bool:
    return response.status_code == 401 and _error_code(response).lower() == "invalidauthenticationtokentenant"


def _unanswered(response: t.Any, may_be_empty: bool) -> bool:
    if response.status_code != 200:
        return response.status_code in _RETRIED_STATUSES
    return not (is_json(response) or (may_be_empty and not body_text(response).strip()))


def is_json(response: t.Any) -> bool:
    """Whether all of the answer came, and it is Azure's own: a proxy's page is HTML."""
    try:
        read_json(body_text(response))
    except ValueError:
        return False
    return True


def lost_errors() -> tuple[type[Exception], ...]:
    """What the SDK raises where no whole answer came."""
    errors = sdk.exceptions
    return errors.ServiceRequestError, errors.ServiceResponseError, errors.IncompleteReadError


def remaining(headers: t.Mapping[str, str]) -> dict[str, int]:
    """Requests left per bucket, from "Microsoft.Compute/GetOperationResource;44,Microsoft.Compute/…;14976"."""
    found = {}
    for part in (headers.get("x-ms-ratelimit-remaining-resource") or "").split(","):
        bucket, semicolon, left = part.strip().partition(";")
        if semicolon and left.isdigit():
            found[bucket.rsplit("/", 1)[-1]] = int(left)
    return found


def asked_to_wait(response: t.Any) -> float | None:
    """Seconds that Azure asks for, in Retry-After or, from Resource Manager itself, in words."""
    asked = retry_after(response.headers)
    if asked is None and response.status_code == 429:
        found = re.search(r"try again after '?(\d+)'? seconds", body_text(response), re.I)
        asked = float(found[1]) if found else None
    return asked


def body_text(response: t.Any) -> str:
    """The body, also of a response that the SDK meant to stream."""
    response.read()
    return str(response.text())


def _error_code(response: t.Any) -> str:
    try:
        return str(error_member(read_json(body_text(response))).get("code") or "")
    except ValueError:
        return ""
