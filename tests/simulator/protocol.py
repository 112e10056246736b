"""Requests and answers as plain data, and the case-insensitive route table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from .errors import ArmError


@dataclass
class Request:
    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    base_url: str
    parameters: dict[str, str] = field(default_factory=dict)
    operation: str = ""

    def __post_init__(self) -> None:
        self.headers = {name.lower(): value for name, value in self.headers.items()}
        self.query = {name.lower(): value for name, value in parse_qsl(self.query_string, keep_blank_values=True)}

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    def json(self) -> dict[str, Any]:
        """The body as an object; {} when there is none."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error
        if not isinstance(value, dict):
            raise ArmError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return value


@dataclass
class Reply:
    """`spoil` is a fault of the transport: close, reset, truncate, html; `delay` is in wall seconds."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    spoil: str | None = None
    delay: float = 0.0


Handler = Callable[[Request], Reply]


@dataclass(frozen=True)
class Route:
    """`operation` is Azure's operation id, `policy` the throttling policy group, `action` the permission it needs."""

    method: str
    path: str
    operation: str
    policy: str | None
    action: str
    handler: Handler


class Router:
    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self.routes: list[Route] = []

    def add(self, method: str, path: str, operation: str, policy: str | None, action: str, handler: Handler) -> None:
        route = Route(method, path, operation, policy, action, handler)
        self.routes.append(route)
        node = self._root
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                node = node.setdefault("{}", {})
                node.setdefault(" name", segment[1:-1])
            else:
                node = node.setdefault(segment.lower(), {})
        node.setdefault(" methods", {})[method] = (
            route,
            [s[1:-1] for s in path.strip("/").split("/") if s.startswith("{")],
        )

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its parameters, these in the case the client wrote."""
        node, values = self._root, []
        for segment in path.strip("/").split("/"):
            below = node.get(segment.lower())
            if below is None:
                below = node.get("{}")
                values.append(segment)
            if below is None:
                return None
            node = below
        found = node.get(" methods", {}).get(method)
        if found is None:
            return None
        route, names = found
        return route, dict(zip(names, values, strict=True))
