# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure answers instead of a result, as one exception that carries a Problem and no secret."""

from __future__ import annotations

import json
import typing as t
from email.utils import parsedate_to_datetime

from .._facts import model_limit, problems
from .._facts.codes import Code
from .._facts.foreign_text import LONGEST_MESSAGE, printable
from .._facts.problems import Kind, Problem
from . import error_tree
from .redaction import LONGEST_READ, message_text, name_text

# "Another operation works on this scale set". Other codes under 409 are refusals that waiting does not cure.
CONFLICT_CODES = frozenset({"conflict", "operationpreempted", "anotheroperationinprogress", "retryableerror"})

CERTIFICATE_HOWTO = (
    "the server's certificate cannot be verified; name its authority's certificate in REQUESTS_CA_BUNDLE"
)

_GALLERY_ELSEWHERE = (
    "name the tenant of the image's gallery in auxiliary_tenants (in roles and playbooks: rollout_auxiliary_tenants)."
)
_OF_ANOTHER_TENANT = {
    "invalidauthenticationtokentenant": f"Sign in to the subscription's own tenant, or {_GALLERY_ELSEWHERE}",
    "linkedauthorizationfailed": f"If that subscription is another tenant's, {_GALLERY_ELSEWHERE}",
}

_LONGEST_WAIT = 3600.0  # seconds; Azure asks for up to 20 minutes


class AzureError(Exception):
    """Azure did not do what was attempted. The message is whole: what, on what, Azure's code and words.

    `code`: ours, where the kind of the problem does not say enough.
    """

    def __init__(self, problem: Problem, attempted: str, scale_set: str = "", *, code: Code | None = None) -> None:
        self.code: Code = code or problem.failure_code
        self.problem = problem
        self.attempted = attempted
        self.scale_set = scale_set
        remedy = model_limit.remedy(str(problem)) or _OF_ANOTHER_TENANT.get(problem.code.lower(), "")
        super().__init__(f"Cannot {attempted}: {problem}" + (f" {remedy}" if remedy else ""))

    def and_now(self, state: str) -> None:
        """Add what stands, and how to go on."""
        self.args = (f"{str(self).rstrip('.')}. {state}",)


class CredentialError(AzureError):
    """Signing in is not possible; the message is one sentence that names what is missing or wrong."""

    def __init__(self, code: Code, sentence: str, azure_code: str = "") -> None:
        sentence = printable(sentence, LONGEST_MESSAGE)
        super().__init__(Problem(problems.DENIED, azure_code, sentence, ours=code), "sign in to Azure")
        self.args = (sentence,)

    def in_the_middle(self, attempted: str, scale_set: str) -> None:
        """It was another sign-in, for this request."""
        self.attempted, self.scale_set = attempted, scale_set
        self.args = (f"Cannot {attempted}: {self.problem.message}",)


def read_json(text: str) -> t.Any:
    """Raises ValueError for whatever cannot be read, whyever."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


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
    error: t.Mapping[str, t.Any], kind: Kind, *, status: int | None = None, retry_after: float | None = None
) -> Problem:
    """A Problem from Azure's error object, with the innermost causes in its tree."""
    message, causes = error_tree.read(error)
    return Problem(
        kind=kind,
        code=name_text(error.get("code")),
        message=message_text(message or error_tree.said(causes)),
        status=status,
        retry_after=retry_after,
        details=tuple(
            (name_text(cause.code), name_text(cause.target), message_text(cause.message)) for cause in causes
        ),
    )


def problem_of_answer(status: int, headers: t.Mapping[str, str], text: str) -> Problem:
    """The Problem in an HTTP answer that is no success."""
    try:
        error = error_member(read_json(text))
    except ValueError:
        error = {}
    if not error:
        error = {
            "message": f"HTTP {status}"
            + (f", {text[:LONGEST_READ].strip()[:200]}" if text.strip() else " without a body")
        }
    return problem_of(
        error, kind_of(status, str(error.get("code") or "")), status=status, retry_after=retry_after(headers)
    )


def kind_of(status: int, code: str) -> Kind:
    if status == 429:
        return problems.THROTTLED
    if status == 409:
        return problems.CONFLICT if code.lower() in CONFLICT_CODES else problems.REFUSED
    by_status: dict[int, Kind] = {
        401: problems.DENIED,
        403: problems.DENIED,
        404: problems.MISSING,
        412: problems.PRECONDITION,
    }
    if status == 403 and code.lower().startswith("requestdisallowedby"):
        return problems.REFUSED  # by a policy: no permission is missing
    if status in by_status:
        return by_status[status]
    return problems.LOST if status >= 500 or status == 408 else problems.REFUSED


def retry_after(headers: t.Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; a date counts from the answer's own Date, so our clock does not matter."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        asked = float(value)
    except ValueError:
        then, sent = http_date(value), http_date(headers.get("Date"))
        if then is None or sent is None:
            return None
        asked = then - sent
    return min(max(0.0, asked), _LONGEST_WAIT)


def http_date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None
