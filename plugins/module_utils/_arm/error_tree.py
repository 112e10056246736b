# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's errors are trees: `details`, `innererror`, `additionalInfo`, and JSON inside a message. What matters to a
person are the innermost causes.

Members: https://learn.microsoft.com/azure/azure-resource-manager/management/common-error-response
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t

_DEEPEST = 16
_MOST_CAUSES = 2000  # one for each instance, and some
_LONGEST_READ = 100_000  # characters of a message in which JSON is looked for
_MOST_MEMBERS = 10
_JSON = re.compile(r'(?:\[\s{0,9})?\{\s{0,99}\\?"')
_ESCAPED = re.compile(r'[\[{](?:[^"\\]|\\.)*')
_DECODER = json.JSONDecoder(strict=False)


class Cause(t.NamedTuple):
    """`target`: from the outermost to the innermost, with slashes between."""

    code: str
    target: str
    message: str


Node = t.Mapping[str, t.Any]


def read(error: Node) -> tuple[str, list[Cause]]:
    """The error's own message, and its innermost causes."""
    root = _members(error)
    message, packed = _unpacked(_message(root))
    own = list(itertools.islice(_below(root, packed, Cause("", "", ""), 1), _MOST_CAUSES))
    return message, list(dict.fromkeys(own))


def words(text: object) -> str:
    """A message with each JSON error in it as its innermost causes."""
    message, packed = _unpacked(text)
    causes = (cause for node in packed for cause in _leaves(node, Cause("", "", ""), 1))
    return message or said(itertools.islice(causes, _MOST_CAUSES))


def said(causes: t.Iterable[Cause]) -> str:
    return "; ".join(dict.fromkeys(": ".join(filter(None, (cause.code, cause.message))) for cause in causes))


def _leaves(node: Node, above: Cause, depth: int) -> t.Iterator[Cause]:
    """The innermost causes of a node. One that has no message takes the one above it."""
    members = _members(node)
    message, packed = _unpacked(_message(members))
    code, target = (_text(members.get(name)) for name in ("code", "target"))
    own = Cause(code or above.code, "/".join(filter(None, (above.target, target))), message or above.message)
    below = _below(members, packed, own, depth + 1) if depth < _DEEPEST else iter(())
    first = next(below, None)
    if first is not None:
        yield first
        yield from below
    elif code or message:
        yield own
    yield from _notes(members, own.target)


def _below(members: Node, packed: list[Node], above: Cause, depth: int) -> t.Iterator[Cause]:
    nested = [members.get(name) for name in ("details", "innererror", "error")]
    for node in (*itertools.chain(*map(_nodes, nested)), *packed):
        yield from _leaves(node, above, depth)
    if depth == 1:
        yield from _notes(members, "")


def _notes(members: Node, target: str) -> t.Iterator[Cause]:
    """What `additionalInfo` adds to an error; it takes no message's place."""
    for item in _nodes(members.get("additionalinfo")):
        info, kind = item.get("info"), _text(item.get("type"))
        if isinstance(info, dict) and (_message(_members(info)) or _members(info).get("details")):
            yield from _leaves(info, Cause("", target, ""), _DEEPEST - 1)
        elif isinstance(info, dict) and kind.lower() == "policyviolation":
            yield from _policy(_members(info), _text(_message(members)), target)
        elif text := _listed(info) if isinstance(info, dict) else words(info):
            yield Cause(kind, target, text)


def _policy(info: Node, message: str, target: str) -> t.Iterator[Cause]:
    """An Azure Policy that denies, by what a person finds it: its assignment and its definition."""
    ids = [_text(info.get(f"policy{word}id")) for word in ("assignment", "definition")]
    if all(one in message for one in ids):
        return
    named = []
    for word, resource_id in zip(("assignment", "definition"), ids, strict=True):
        shown = _text(info.get(f"policy{word}displayname")) or _text(info.get(f"policy{word}name"))
        named.append(f"policy {word} '{shown}' ({resource_id})")
    initiative = _text(info.get("policysetdefinitiondisplayname")) or _text(info.get("policysetdefinitionname"))
    named += [f"of the initiative '{initiative}'"] if initiative else []
    yield Cause("", target, ", ".join(named))


def _listed(info: Node) -> str:
    plain = ((name, value) for name, value in info.items() if isinstance(value, (str, int, float)))
    return ", ".join(f"{name}={value}" for name, value in itertools.islice(plain, _MOST_MEMBERS))


def _members(node: Node) -> dict[str, t.Any]:
    """By names in lower case: services spell them as they like."""
    return {str(name).lower(): value for name, value in node.items()}


def _message(members: Node) -> object:
    message = members.get("message") or members.get("errordetail")
    return message.get("value") if isinstance(message, dict) else message  # OData's {lang, value}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _nodes(value: object) -> list[Node]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found[:_MOST_CAUSES] if isinstance(one, dict)]


def _unpacked(message: object) -> tuple[str, list[Node]]:
    """The text, and the errors of one that is JSON alone. An error inside of other text is replaced by its words."""
    text = _text(message)
    for _layer in range(3):  # JSON of JSON
        found = _JSON.search(text, 0, _LONGEST_READ)
        if found is None:
            return text, []
        value, end = _decoded(text, found.start())
        nodes = [node for node in map(_error, _nodes(value)) if node]
        if not nodes:
            return text, []
        before, after = text[: found.start()], text[end:]
        if not (before + after).strip(" \"'"):
            return "", nodes
        causes = itertools.chain.from_iterable(_leaves(node, Cause("", "", ""), _DEEPEST // 2) for node in nodes)
        text = before + said(itertools.islice(causes, _MOST_MEMBERS)) + after
    return text, []


def _decoded(text: str, start: int) -> tuple[object, int]:
    """The JSON that starts here, as it is or with its quotes escaped, and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    found = _ESCAPED.match(text, start, start + _LONGEST_READ)
    try:
        plain = _DECODER.decode(f'"{found[0]}"') if found else ""
        value, end = _DECODER.raw_decode(plain)
        return (value, found.end()) if found and not plain[end:].strip() else (None, start)
    except (ValueError, RecursionError):
        return None, start


def _error(node: Node) -> Node | None:
    """The error object in JSON that stands in a message; None where it is something else."""
    members = _members(node)
    if isinstance(members.get("error"), dict):
        return t.cast("Node", members["error"])
    known = isinstance(members.get("code"), str) or isinstance(members.get("details"), list)
    return node if known and (members.get("message") or members.get("details") or members.get("innererror")) else None
