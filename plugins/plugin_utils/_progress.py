# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journals of rollouts as the views that the callback and the action plugins show."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.steady.vmss.plugins.module_utils._facts.journal_lines import Event, events, place
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._rollout import plain_lines
from ansible_collections.steady.vmss.plugins.module_utils._rollout.journal_view import View, fold
from ansible_collections.steady.vmss.plugins.plugin_utils._journals import Journals, new_lines, noted

display = Display()


def events_of(lines: t.Iterable[bytes], scale_set: str) -> t.Iterator[Event]:
    """Those of this scale set, `group/name`. What is of another schema is passed over, and that is said once."""
    for line in lines:
        try:
            yield from (event for event in events([line]) if place(event.get("scale_set")) == scale_set.lower())
        except Refused as refused:
            display.warning(f"scale set {scale_set}: {refused}")


def progress_lines(lines: t.Iterable[bytes], journals: Journals) -> t.Iterator[str]:
    """Plain lines, and after the last one where the journal is, if it is kept."""
    for event in events_of(lines, journals.scale_set):
        yield from said(event, journals)


def said(event: Event, journals: Journals) -> t.Iterator[str]:
    yield from plain_lines.lines(event, named=journals.several)
    if event.get("event") == "ended" and journals.kept:
        yield from (f"  journal {file}" for file in journals.files() if str(event.get("rollout")) in file.name)


class Progress:
    """The views of all rollouts of this run, by scale set, as far as their journals have been read."""

    def __init__(self) -> None:
        self.views: dict[str, View] = {}
        self._endings: list[str] = []
        self._noted = 0
        self._current: set[str] = set()
        self._journals: dict[str, Journals] = {}  # by scale set
        self._offsets: dict[str, int] = {}

    def read(self) -> list[str]:
        """What has been written since the last time: folded into the views, and returned as plain lines."""
        new, self._noted = noted(self._noted)
        lines: list[str] = []
        for journals in new:  # the next call of the module may write in another place, and its last one has ended
            if before := self._journals.get(journals.scale_set):
                lines += self._read_all(before)
            self._offsets = {**(journals.offsets or {}), **self._offsets}
            self._journals[journals.scale_set] = journals
            self._current.add(journals.scale_set.lower())
        return lines + [line for journals in self._journals.values() for line in self._read_all(journals)]

    def _read_all(self, journals: Journals) -> list[str]:
        return [line for file in journals.files() for line in self._read(file, journals)]

    def _read(self, file: Path, journals: Journals) -> t.Iterator[str]:
        lines, self._offsets[str(file)] = new_lines(file, self._offsets.get(str(file), 0))
        key = journals.scale_set.lower()
        for event in events_of(lines, key):
            self.views[key] = fold(self.views.get(key, View()), event)
            told = list(said(event, journals))
            if event.get("event") == "ended":
                self._endings += told
            yield from told

    def taken_endings(self) -> list[str]:
        """The last lines of what has ended since they were taken before."""
        taken, self._endings = self._endings, []
        return taken

    def running(self) -> list[View]:
        return [view for key, view in self.views.items() if key in self._current and not view.outcome]

    def pause(self) -> None:
        """Nothing runs until something is noted again; what was cut off is not running then."""
        self._current = set()
