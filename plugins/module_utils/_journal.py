# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: an append-only file of JSON lines that tells what a rollout saw and did, as it happens."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import stat
import typing as t
from pathlib import Path

from ._facts import journal_lines
from ._facts.foreign_text import all_printable
from ._facts.journal_lines import SCHEMA, Event
from ._facts.problems import Refused
from ._facts.times import timestamp

_HOW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def file_name(scale_set: str, rollout_id: str) -> str:
    """The name of a rollout's journal in its directory. Raises Refused for what would lead out of that."""
    if not re.fullmatch(r"[0-9a-f]{32}", rollout_id) or not re.fullmatch(
        r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", scale_set
    ):
        raise Refused(
            "option_invalid",
            "the names of a scale set and of a rollout that a journal is named after are not plain ones.",
        )
    return f"{scale_set}-{rollout_id}.jsonl"


class Journal:
    """Writes events to `path`, or nowhere where there is none.

    Raises Refused where it cannot be written at the start. A disk that is full later costs lines, not the rollout:
    `warnings` then says so.
    """

    def __init__(self, path: str | None, **common: t.Any) -> None:
        self._path = Path(path).expanduser() if path else None
        self._common = common
        self.warnings: list[str] = []
        if self._path:
            try:
                _make_private(self._path.parent)
                os.close(_open(self._path))
            except OSError as exc:
                raise Refused(
                    "journal_not_writable", f"the journal {self._path} cannot be written: {exc.strerror}."
                ) from exc

    def write(self, events: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        common = {**self._common, "schema": SCHEMA}
        lines = [json.dumps(all_printable({**event, **common}), default=str) + "\n" for event in events]
        if self._path and lines:
            try:
                with open(_open(self._path), "a", encoding="utf-8") as file:  # a descriptor has no path
                    file.write("".join(lines))
            except OSError as exc:
                self.warnings = [f"The journal {self._path} lacks lines: {exc.strerror}."]

    def teller(self, now: t.Callable[[], float]) -> t.Callable[..., None]:
        """Writes one event and its facts, at the time of `now`."""

        def tell(event: str, **facts: t.Any) -> None:
            self.write([{"time": timestamp(now()), "event": event, **facts}])

        return tell


def refuse_unwritable(directory: str) -> None:
    """What a journal in this directory would be refused for, without making it. Raises Refused."""
    there = Path(directory).expanduser()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Refused(
            "journal_not_writable",
            f"journal_dir '{directory}' cannot be used: {there} is no directory that this user may write to.",
        )


def earlier(directory: str, scale_set: str, scale_set_id: str, most: int = 5) -> list[list[Event]]:
    """The events of the newest journals of this scale set, oldest first each; none of what cannot be read."""
    found: list[list[Event]] = []
    try:
        files = [one for one in Path(directory).expanduser().glob(f"{glob.escape(scale_set)}-*.jsonl") if one.is_file()]
        for file in sorted(files, key=lambda one: one.stat().st_mtime, reverse=True):
            if len(found) < most and (events := _events(file, scale_set_id)):
                found.append(events)
    except OSError:
        pass
    return found


def _events(file: Path, scale_set_id: str) -> list[Event]:
    """Those of this scale set; none of a journal that this release cannot read."""
    try:
        found = list(journal_lines.events(file.read_bytes().splitlines()))
    except Refused:
        return []
    return [one for one in found if str(one.get("scale_set")).lower() == scale_set_id.lower()]


def keep(path: str, what: t.Mapping[str, t.Any]) -> None:
    """Put this into a file of its owner's alone, whole or not at all. Where it cannot be kept, it is not."""
    new = Path(f"{path}.new")
    with contextlib.suppress(OSError):
        with open(_open(new), "a", encoding="utf-8") as file:
            file.truncate(0)
            file.write(json.dumps(what, default=str))
        new.replace(path)


def _open(path: Path) -> int:
    """A descriptor of the file, made for its owner alone. No link is followed, for others may have laid it there."""
    descriptor = os.open(path, _HOW, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(0, "it is no plain file")


def _make_private(directory: Path) -> None:
    for one in reversed([directory, *directory.parents]):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)
