# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure answers instead of a result, as one exception that carries a Problem and no secret."""

from __future__ import annotations

import json
import re
import typing as t
from email.utils import parsedate_to_datetime

from .._rollout import model_limit
from .._rollout import problem as kinds
from .._rollout.problem import Problem

# "Another operation works on this scale set". Other codes under 409 are refusals that waiting does not cure.
CONFLICT_CODES = frozenset({"conflict", "operationpreempted", "anotheroperationinprogress", "retryableerror"})

CERTIFICATE_HOWTO = (
    "the server's certificate cannot be verified; name its authority's certificate in REQUESTS_CA_BUNDLE"
)

_LONGEST_MESSAGE = 2000
_SECRETS = (
    (re.compile(r"(https?://[^\s'\"<>?]+)\?[^\s'\"<>]*", re.I), r"\1"),  # a SAS is the query of a URI
    (re.compile(r"\b(sig|sv|se|client_secret|client_assertion|password)=[^&\s'\"]+", re.I), r"\1=***"),
    (re.compile(r"\bBearer\s+[A-Za-z0-9._~+/=-]+", re.I), "Bearer ***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]+)*"), "***"),  # a JSON web token
)


class AzureError(Exception):
    """Azure did not do what was attempted. The message is whole: what, on what, Azure's code and words."""

    def __init__(self, problem: Problem, attempted: str, scale_set: str = "") -> None:
        self.problem = problem
        self.attempted = attempted
        self.scale_set = scale_set
        remedy = model_limit.remedy(problem.message)
        super().__init__(f"Cannot {attempted}: {problem}" + (f" {remedy}" if remedy else ""))


class CredentialError(AzureError):
    """Signing in is not possible; the message is one sentence that names what is missing or wrong."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(Problem(kinds.DENIED, code, sentence), "sign in to Azure")
        self.args = (sentence,)


def redact(text: object, secrets: t.Iterable[str] = ()) -> str:
    """The text without SAS queries, tokens and the given secrets."""
    result = str(text)
    for secret in secrets:
        if secret:
            result = result.replace(secret, "***")
    for pattern, replacement in _SECRETS:
        result = pattern.sub(replacement, result)
    return result


def message_text(text: object) -> str:
    """Azure's words on one line, without secrets, and no longer than a person reads."""
    result = redact(" ".join(str(text or "").split()))
    return result if len(result) <= _LONGEST_MESSAGE else result[:_LONGEST_MESSAGE] + "…"


def is_certificate_error(said: object) -> bool:
    return "certificate verify failed" in str(said).lower().replace("_", " ")


def root_words(exc: BaseException) -> str:
    """The words of the innermost cause, without the wrapping of three HTTP libraries."""
    while True:
        causes = (getattr(exc, "inner_exception", None), getattr(exc, "reason", None), *exc.args)
        inner = next((cause for cause in causes if isinstance(cause, BaseException)), None)
        if inner is None:
            return message_text(exc)
        exc = inner


def error_member(body: object) -> dict[str, t.Any]:
    """The error object of an answer, with or without the ``error`` wrapper (compute's 429 often has none)."""
    if not isinstance(body, dict):
        return {}
    wrapped = body.get("error")
    if isinstance(wrapped, dict):
        return wrapped
    return body if isinstance(body.get("code"), str) else {}


def problem_of(
    error: t.Mapping[str, t.Any], kind: str, *, status: int | None = None, retry_after: float | None = None
) -> Problem:
    """A Problem from Azure's error object: {code, message, target, details: [{code, target, message}]}."""
    details = [item for item in error.get("details") or () if isinstance(item, dict)]
    return Problem(
        kind=kind,
        code=str(error.get("code") or ""),
        message=message_text(error.get("message")),
        status=status,
        retry_after=retry_after,
        details=tuple(
            (str(item.get("code") or ""), str(item.get("target") or ""), message_text(item.get("message")))
            for item in details
        ),
    )


def problem_of_answer(status: int, headers: t.Mapping[str, str], text: str) -> Problem:
    """The Problem in an HTTP answer that is no success."""
    try:
        error = error_member(json.loads(text))
    except ValueError:
        error = {}
    if not error:
        error = {"message": f"HTTP {status}" + (f", {text.strip()[:200]}" if text.strip() else " without a body")}
    return problem_of(
        error, kind_of(status, str(error.get("code") or "")), status=status, retry_after=retry_after(headers)
    )


def kind_of(status: int, code: str) -> str:
    if status == 429:
        return kinds.THROTTLED
    if status == 409:
        return kinds.CONFLICT if code.lower() in CONFLICT_CODES else kinds.REFUSED
    by_status = {401: kinds.DENIED, 403: kinds.DENIED, 404: kinds.MISSING, 412: kinds.PRECONDITION}
    if status in by_status:
        return by_status[status]
    return kinds.LOST if status >= 500 or status == 408 else kinds.REFUSED


def retry_after(headers: t.Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; a date counts from the answer's own Date, so our clock does not matter."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        then, sent = http_date(value), http_date(headers.get("Date"))
        return max(0.0, then - sent) if then is not None and sent is not None else None


def http_date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, TypeError):
        return None
