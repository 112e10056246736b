"""What an HTTP exchange with Azure looks like, without what it says: status, header names, member paths, value forms.

A *shape* of a JSON document is a flat mapping from member path to form: `{"properties.provisioningState": "string",
"value[].instanceId": "decimal"}`. List members are `[]`, and the items of one list are folded into one shape.
Members whose keys belong to the user (tags, extension settings) are one opaque object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

# Looked up in this order; every one of them is a kind of "string".
STRING_FORMS: dict[str, re.Pattern[str]] = {
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?[+-]\d\d:\d\d"),
    "guid": re.compile(GUID),
    "decimal": re.compile(r"\d+"),
    "version": re.compile(r"\d+(\.\d+)+"),
    "duration": re.compile(r"P(T?\d+[A-Z])+"),
    "quoted decimal": re.compile(r'"\d+"'),
    "status code": re.compile(r"(ProvisioningState|PowerState|HealthState|EncryptionState)/\w+(/\w+)?"),
    "resource id": re.compile(r"/subscriptions/" + GUID + r"/\S+", re.IGNORECASE),
    "url": re.compile(r"https?://\S+"),
}
# A status word, an error code or an enumeration's member is part of the protocol: these are compared by value.
PROTOCOL_WORDS = (
    "status",
    "error.code",
    "error.target",
    "properties.runningStatus.code",
    "properties.runningStatus.lastAction",
)
OPAQUE = {"tags", "settings", "protectedSettings"}
# The web server's, the transport's and the cache's own, and the name of the machine that answered.
TRANSPORT_HEADERS = {
    "cache-control", "connection", "content-length", "date", "expires", "pragma", "server", "strict-transport-security",
    "transfer-encoding", "vary", "x-content-type-options", "x-ms-served-by",
}  # fmt: skip
HEADER_FORMS: dict[str, re.Pattern[str]] = {
    "poll url": re.compile(
        r"https://[^/]+/subscriptions/[^/]+/providers/Microsoft\.Compute/locations/\w+/operations/"
        + GUID
        + r"\?(?!.*monitor=true)(.*&)?api-version=[\d-]+(&.*)?"
    ),
    "monitor url": re.compile(
        r"https://[^/]+/subscriptions/[^/]+/providers/Microsoft\.Compute/locations/\w+/operations/"
        + GUID
        + r"\?(?=.*monitor=true)(.*&)?api-version=[\d-]+(&.*)?"
    ),
    "buckets": re.compile(r"Microsoft\.Compute/\w+;\d+(,Microsoft\.Compute/\w+;\d+)*"),
    "routing id": re.compile(r"[A-Z0-9]+:\d{8}T\d{6}Z:" + GUID),
    "guid": re.compile(GUID),
    "decimal": re.compile(r"\d+"),
    "json": re.compile(r"application/json; charset=utf-8"),
    "word": re.compile(r"\w+"),
}


def form_of(value: Any) -> str:
    """The form of one JSON leaf; an empty object or list is a leaf too."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case dict():
            return "object"
        case list():
            return "list"
    return next((name for name, pattern in STRING_FORMS.items() if pattern.fullmatch(value)), "string")


def fold(first: str, second: str) -> str:
    """One form for two values seen at the same path."""
    if first == second:
        return first
    if all(form == "string" or form in STRING_FORMS for form in (first, second)):
        return "string"
    return " or ".join(sorted({*first.split(" or "), *second.split(" or ")}))


def shape_of(document: Any, path: str = "") -> dict[str, str]:
    """`{member path: form}` of a JSON document; {} for no body."""
    name = path.rpartition(".")[2]
    if isinstance(document, dict) and name in OPAQUE:
        return {path: "object"}
    shape: dict[str, str] = {}
    if isinstance(document, dict) and document:
        for key, value in document.items():
            shape |= shape_of(value, f"{path}.{key}" if path else key)
        return shape
    if isinstance(document, list) and document:
        for item in document:
            for member, form in shape_of(item, f"{path}[]").items():
                shape[member] = fold(shape[member], form) if member in shape else form
        return shape
    return {path: form_of(document)} if path else {}


def accepts(expected: str, seen: str) -> bool:
    """Whether a value of form `seen` may stand where the recording has `expected`."""
    return expected == seen or (expected == "string" and seen in STRING_FORMS) or seen in expected.split(" or ")


def words_of(document: Any) -> dict[str, str]:
    """The protocol words of a response body, by member path."""
    words: dict[str, str] = {}
    for path in PROTOCOL_WORDS:
        value = document
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            words[path] = value
    return words


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """`{header name in lower case: form}` without transport noise."""
    return {
        name.lower(): next((form for form, pattern in HEADER_FORMS.items() if pattern.fullmatch(value)), "text")
        for name, value in headers.items()
        if name.lower() not in TRANSPORT_HEADERS
    }


def request_of(method: str, uri: str, body: Any) -> dict[str, Any]:
    """Method, path template, query names and body shape of a request."""
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    request: dict[str, Any] = {
        "method": method,
        "path": template_of(parts.path),
        "api_version": query.pop("api-version"),
    }
    if query:
        request["query"] = sorted(query)
    if body is not None:
        request["body"] = shape_of(body)
    return request


# The table's short names for the two long beginnings of a path.
BEGINNINGS = {
    "{scale_set}": "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Compute"
    "/virtualMachineScaleSets/{scale_set}",
    "{location}": "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}",
}
PLACEHOLDERS = {
    "subscriptions": "subscription",
    "resourcegroups": "resource_group",
    "virtualmachinescalesets": "scale_set",
    "virtualmachines": "instance",
    "locations": "location",
    "operations": "operation",
    "publishers": "publisher",
    "offers": "offer",
    "skus": "sku",
    "versions": "version",
}


def template_of(path: str) -> str:
    """The path with placeholders for names, and one for the beginning: `{scale_set}/virtualMachines/{instance}`."""
    segments = path.split("/")
    for index, segment in enumerate(segments[:-1]):
        if segment.lower() in PLACEHOLDERS:
            segments[index + 1] = "{" + PLACEHOLDERS[segment.lower()] + "}"
    template = "/".join(segments)
    for short, beginning in BEGINNINGS.items():
        template = short + template.removeprefix(beginning) if template.startswith(beginning) else template
    return template


def flat(tree: Any, path: str = "") -> dict[str, str]:
    """The shape `{member path: form}` from the nested way the table writes it: `{error: {code: string}}`."""
    if isinstance(tree, str):
        return {path: tree}
    if isinstance(tree, list):
        return flat(tree[0], f"{path}[]")
    return {
        key: form
        for name, below in tree.items()
        for key, form in flat(below, f"{path}.{name}" if path else name).items()
    }


def differences(expected: Mapping[str, str], seen: Mapping[str, str]) -> set[tuple[str, str]]:
    """`{(kind, path)}` with kind missing, extra or form."""
    found: set[tuple[str, str]] = {("missing", path) for path in expected.keys() - seen.keys()}
    found |= {("extra", path) for path in seen.keys() - expected.keys()}
    found |= {("form", path) for path in expected.keys() & seen.keys() if not accepts(expected[path], seen[path])}
    return found


def exchange_of(sample: Mapping[str, Any]) -> dict[str, Any]:
    """One recorded exchange `{request: {method, uri, body}, response: {status, headers, body}}` as the table has it."""
    request, response = sample["request"], sample["response"]
    entry: dict[str, Any] = {
        "request": request_of(request["method"], request["uri"], request.get("body")),
        "status": response["status"],
        "headers": headers_of(response.get("headers", {})),
    }
    body = response.get("body")
    if body is not None:
        entry["members"] = shape_of(body)
        if words := words_of(body):
            entry["words"] = words
    return entry


def uncovered(found: Iterable[tuple[str, str]], listed: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    """What of `found` no listed difference explains. A listed path ending in `.*` covers everything below it."""
    patterns = [(kind, path) for entry in listed for kind, path in entry.items() if kind != "reason"]

    def explained(kind: str, path: str) -> bool:
        return any(
            kind == listed_kind
            and (path == listed_path or (listed_path.endswith(".*") and (path + ".").startswith(listed_path[:-1])))
            for listed_kind, listed_path in patterns
        )

    return {(kind, path) for kind, path in found if not explained(kind, path)}
