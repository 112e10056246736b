# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to Azure: requests are bodies in bytes and answers are read raw.

So no member that this SDK's version does not know is ever lost.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .._facts import documents, problems
from .._facts.problems import Problem
from . import reading, sdk
from .clouds import Cloud
from .errors import AzureError, CredentialError, problem_of_answer, read_json, root_words
from .policies import Authentication, Clock, Meter, Retries, Usage, Wanted, body_text
from .redaction import message_text
from .urls import OneEndpoint, resource_path

_MOST_PAGES = 500  # of one list


@dataclass(frozen=True)
class OperationRef:
    """A long-running operation that was started. `url` is Azure's own and opaque, "" where it ended at once."""

    url: str
    started: float  # our clock, seconds since the epoch


class Connection:
    """One signed-in client of a subscription. `usage` counts what was asked so far."""

    def __init__(self, subscription_id: str, cloud: Cloud, credential: t.Any, transport: t.Any, clock: Clock) -> None:
        self.subscription_id = subscription_id
        self.usage = Usage()
        self.written: list[str] = []  # the writes of this call that Azure took, or may have taken
        self.check_wanted: t.Callable[[], None] = lambda: None  # raises Cancelled where nothing may be asked any more
        self._cloud = cloud
        self._credential = credential
        self._transport = transport
        self._clock = clock
        self._compute_clients: dict[str, t.Any] = {}
        self._generic: t.Any = sdk.ARMPipelineClient(
            base_url=cloud.endpoint, policies=self._policies(), transport=transport
        )

    def _check_wanted(self) -> None:
        self.check_wanted()

    @property
    def server_time(self) -> float | None:
        """Azure's clock at its last answer, in seconds since the epoch."""
        return self.usage.server_time

    @property
    def sign_in_notices(self) -> list[str]:
        """What the user should know of the sign-in; known once a token was asked for."""
        notices: list[str] = self._credential.notices
        return notices

    def _compute(self, subscription_id: str | None = None) -> t.Any:
        """The SDK's client of a subscription: an image may live in another one than the scale set."""
        subscription_id = subscription_id or self.subscription_id
        if subscription_id not in self._compute_clients:
            self._compute_clients[subscription_id] = sdk.ComputeManagementClient(
                self._credential,
                subscription_id,
                base_url=self._cloud.endpoint,
                credential_scopes=[self._cloud.scope],
                policies=self._policies(),
                transport=self._transport,
            )
        return self._compute_clients[subscription_id]

    def _policies(self) -> list[t.Any]:
        """Ours instead of the SDK's: it would re-send writes, and register resource providers on its own."""
        return [
            OneEndpoint(self._cloud.endpoint),
            sdk.policies.RequestIdPolicy(),
            sdk.policies.HeadersPolicy({"Accept": "application/json"}),
            sdk.policies.UserAgentPolicy(base_user_agent="steady.vmss"),
            sdk.policies.ContentDecodePolicy(),
            Retries(self.usage, self._clock),
            Authentication(self._credential, self._cloud.scope, self.usage, self._clock),
            sdk.policies.CustomHookPolicy(),
            Wanted(self._check_wanted),
            Meter(self.usage),
        ]

    def _call(
        self, attempted: str, scale_set: str, operation: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> t.Any:
        """Run one operation of the SDK and return Azure's answer as it came."""
        answers: list[t.Any] = []
        with _translate_errors(attempted, scale_set, answers, self.usage):
            operation(*args, raw_response_hook=answers.append, **kwargs)
        return answers[-1].http_response

    def _pages(
        self, attempted: str, scale_set: str, operation: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> t.Iterator[list[dict[str, t.Any]]]:
        """The items of a list page by page, as they came. The SDK asks for the first page, its nextLink leads on."""
        body = as_json(
            self._call(attempted, scale_set, lambda **hook: next(operation(*args, **kwargs, **hook).by_page()))
        )
        yield from self._following(attempted, scale_set, body)

    def _following(self, attempted: str, scale_set: str, body: t.Any) -> t.Iterator[list[dict[str, t.Any]]]:
        followed: set[str] = set()
        for _page in range(_MOST_PAGES):
            yield reading.dicts(documents.at(body, "value"))
            link = documents.at(body, "nextLink")
            if not link:
                return
            if not isinstance(link, str) or link in followed:
                break
            followed.add(link)
            body = as_json(self._get(attempted, scale_set, link))
        reason = f"the list does not end: its next page was read before, or is after the {_MOST_PAGES}th"
        raise AzureError(Problem(problems.LOST, "", reason), attempted, scale_set)

    def _url(self, resource_id: str, below: str, api_version: str) -> str:
        return f"{self._cloud.endpoint}{resource_path(resource_id + below)}?api-version={api_version}"

    def _get(self, attempted: str, scale_set: str, url: str, **options: t.Any) -> t.Any:
        return self._request("GET", attempted, scale_set, url, **options)

    def _request(
        self, method: str, attempted: str, scale_set: str, url: str, body: object = None, **options: t.Any
    ) -> t.Any:
        """A request to an address that no operation of the SDK has."""
        with _translate_errors(attempted, scale_set, [], self.usage):
            answer = self._generic.send_request(sdk.HttpRequest(method, url, json=body), **options)
        if answer.status_code >= 300:
            raise AzureError(_problem_in(answer), attempted, scale_set)
        return answer


def as_json(answer: t.Any) -> t.Any:
    try:
        return read_json(body_text(answer))
    except ValueError:
        problem = Problem(problems.LOST, "", "the answer is not JSON", answer.status_code)
        raise AzureError(problem, f"read {urlsplit(answer.request.url).path}") from None


def as_object(answer: t.Any) -> dict[str, t.Any]:
    document = as_json(answer)
    if isinstance(document, dict):
        return document
    problem = Problem(problems.LOST, "", "the answer is not a JSON object", answer.status_code)
    raise AzureError(problem, f"read {urlsplit(answer.request.url).path}")


@contextmanager
def _translate_errors(attempted: str, scale_set: str, answers: list[t.Any], usage: Usage) -> t.Iterator[None]:
    """Turn what the SDK raises into an AzureError. A good answer outweighs the SDK's trouble to read it."""
    try:
        yield
    except CredentialError as exc:
        if usage.calls:  # signed in before
            exc.in_the_middle(attempted, scale_set)
        raise
    except (sdk.exceptions.AzureError, ValueError, OSError) as exc:
        if not _is_good(answers):
            # The cause stays out of tracebacks: the SDK's words may hold what ours leave out.
            raise AzureError(_problem_from(exc), attempted, scale_set) from None
    except (AttributeError, LookupError, TypeError, RecursionError) as exc:  # a shape that the SDK does not know
        if not _is_good(answers):
            if not answers and not isinstance(exc, RecursionError):
                raise
            raise AzureError(_problem_from_unread(answers), attempted, scale_set) from None


def _problem_from_unread(answers: list[t.Any]) -> Problem:
    """The problem in an answer that the SDK could not read."""
    if not answers:
        return Problem(problems.LOST, "", "the answer is nested too deeply to be read")
    return _problem_in(answers[-1].http_response)


def _problem_in(answer: t.Any) -> Problem:
    """The problem in an answer; of what is missing, with the subscription that was searched."""
    problem = problem_of_answer(answer.status_code, answer.headers, body_text(answer))
    if problem.kind != problems.MISSING:
        return problem
    return replace(problem, searched=reading.part_of_id(urlsplit(answer.request.url).path, "subscriptions"))


def _is_good(answers: list[t.Any]) -> bool:
    return bool(answers) and answers[-1].http_response.status_code < 300


def _problem_from(exc: Exception) -> Problem:
    response = getattr(exc, "response", None)
    if response is not None and response.status_code >= 300:
        return _problem_in(response)
    if isinstance(exc, sdk.exceptions.AzureError):
        return Problem(problems.LOST, "", f"the connection to Azure was lost before it answered ({root_words(exc)})")
    return Problem(problems.REFUSED, "", message_text(exc))  # the SDK's own check of what it was given
