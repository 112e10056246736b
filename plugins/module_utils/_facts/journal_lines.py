# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines of a journal, as docs/docsite/rst/journal.rst describes them, read back."""

from __future__ import annotations

import json
import math
import typing as t

from .problems import Refused

SCHEMA: t.Final = 1  # stands on each line, for runs of several releases may append to one file

Event = t.Mapping[str, t.Any]


def events(lines: t.Iterable[bytes | str]) -> t.Iterator[Event]:
    """One event a line, oldest first. A line that was cut off, as by a kill or a full disk, is passed over.

    Raises Refused for a schema that this release does not know.
    """
    for line in lines:
        try:
            event = json.loads(line, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            continue
        if not isinstance(event, dict):
            continue
        if event.get("schema") != SCHEMA:
            raise Refused(
                "journal_not_readable",
                f"this journal is of schema {event.get('schema')!r}, and this release reads schema {SCHEMA}. Read it "
                "with the release of steady.vmss that wrote it.",
            )
        yield event


def _finite(text: str) -> float:
    """Raises ValueError for what no journal of ours holds."""
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(text)


def place(resource_id: object) -> str:
    """The group and the name in a scale set's id, in lower case: `group/name`; "" where it is none."""
    parts = str(resource_id).lower().split("/")
    return f"{parts[4]}/{parts[8]}" if len(parts) == 9 else ""
