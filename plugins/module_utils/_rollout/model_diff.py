# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a write of the image did to the rest of a scale set's document: a rollout changes the image and nothing else."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .record import PREFIX

# What Azure sets by itself, wherever it stands.
_READ_ONLY = frozenset(
    {
        "provisioningstate", "timecreated", "uniqueid", "exactversion", "etag", "systemdata",
        "principalid", "tenantid", "clientid",
    }
)  # fmt: skip
_NOT_COMPARED = frozenset(
    {
        ("id",), ("name",), ("type",), ("location",), ("sku", "capacity"),
        ("properties", "virtualmachineprofile", "storageprofile", "imagereference"),
        ("properties", "virtualmachineprofile", "storageprofile", "osdisk", "image"),
    }
)  # fmt: skip
_DEEPEST = 50  # members; Azure's documents have no more than a dozen
_IDENTITIES = ("name", "lun", "id", "type")

Path = tuple[str, ...]


@dataclass
class Difference:
    """By path: what was there and is gone or differs, with its old value, and what is there that was not."""

    lost: dict[str, t.Any] = field(default_factory=dict)
    added: dict[str, t.Any] = field(default_factory=dict)


def compare(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> Difference:
    """Two documents of one scale set, as one api-version shows them. Their image, capacity, record tags and read-only
    members do not count, nor do the order of lists and the case of ids and tag names."""
    found = Difference()
    _members((), before, after, found)
    return found


def _members(path: Path, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any], found: Difference) -> None:
    theirs = {name.lower(): (name, value) for name, value in after.items()}
    ours = {name.lower() for name in before}
    for name, value in before.items():
        _value((*path, name), value, theirs.get(name.lower(), (name, None))[1], found)
    for lower, (name, value) in theirs.items():
        if lower not in ours:
            _value((*path, name), None, value, found)


def _value(path: Path, before: t.Any, after: t.Any, found: Difference) -> None:
    if len(path) > _DEEPEST or not _counts(path) or (_empty(before) and _empty(after)):
        return
    if path == ("tags",):  # one by one, for some are the record's
        _members(path, before or {}, after or {}, found)
    elif _empty(before):
        found.added[".".join(path)] = after
    elif _empty(after):
        found.lost[".".join(path)] = before
    elif isinstance(before, dict) and isinstance(after, dict):
        _members(path, before, after, found)
    elif isinstance(before, list) and isinstance(after, list):
        _items(path, before, after, found)
    elif not _same(before, after):
        found.lost[".".join(path)] = before


def _items(path: Path, before: list[t.Any], after: list[t.Any], found: Difference) -> None:
    key = _identity([*before, *after])
    if key:
        named = [{f"{key} {item[key]}": item for item in items} for items in (before, after)]
        _members(path, named[0], named[1], found)
        return
    mine, theirs = (Counter(_plain(item) for item in items) for items in (before, after))
    for item in before:
        if mine[_plain(item)] > theirs[_plain(item)]:
            found.lost[".".join(path)] = before
            return
    if theirs != mine:
        found.added[".".join(path)] = after


def _identity(items: list[t.Any]) -> str | None:
    """The member that tells the items of a list apart."""
    if not all(isinstance(item, dict) for item in items):
        return None
    return next((key for key in _IDENTITIES if all(item.get(key) is not None for item in items)), None)


def _counts(path: Path) -> bool:
    lower = tuple(name.lower() for name in path)
    ours = len(path) == 2 and lower[0] == "tags" and lower[1].startswith(PREFIX)
    return lower[-1] not in _READ_ONLY and lower not in _NOT_COMPARED and not ours


def _empty(value: t.Any, depth: int = 0) -> bool:
    """An empty member says as little as none."""
    if isinstance(value, dict):
        return depth < _DEEPEST and all(_empty(item, depth + 1) for item in value.values())
    return value is None or value in ("", [])


def _same(one: t.Any, other: t.Any) -> bool:
    return _plain(one) == _plain(other) and isinstance(one, bool) == isinstance(other, bool)


def _plain(value: t.Any) -> str:
    text = str(value)
    return text.lower() if text.startswith("/") or isinstance(value, (dict, list)) else text
