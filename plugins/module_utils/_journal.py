# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: an append-only file of JSON lines that tells what a rollout saw and did, as it happens."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ._rollout.problem import Refused


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
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.open("a").close()
            except OSError as exc:
                raise Refused(f"the journal {self._path} cannot be written: {exc.strerror}.") from exc

    def write(self, events: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        lines = [json.dumps({**event, **self._common}, default=str) + "\n" for event in events]
        if self._path and lines:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write("".join(lines))
            except OSError as exc:
                self.warnings = [f"The journal {self._path} lacks lines: {exc.strerror}."]
