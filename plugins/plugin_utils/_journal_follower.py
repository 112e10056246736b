# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of every module that waits: shows what the module writes into its journal meanwhile."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import typing as t
from dataclasses import replace

from ansible import constants
from ansible.utils.display import Display
from ansible.utils.path import unfrackpath

from ansible_collections.steady.vmss.plugins.module_utils._facts.foreign_text import LONGEST_MESSAGE, printable
from ansible_collections.steady.vmss.plugins.module_utils._rollout import messages
from ansible_collections.steady.vmss.plugins.plugin_utils._journals import (
    Journals,
    Shown,
    new_lines,
    note,
    of_file,
    size_of,
)
from ansible_collections.steady.vmss.plugins.plugin_utils._progress import events_of
from ansible_collections.steady.vmss.plugins.plugin_utils._tied import ActionModule as TiedModule

_EVERY = 1.0  # seconds between two looks into the journal

Say = t.Callable[[t.Iterable[bytes], Journals], t.Iterable[str]]

display = Display()


class ActionModule(TiedModule):
    """`words`: what one event of the journal says to somebody who waits. `on_map`: the callback can show it, too."""

    words: t.Callable[[t.Mapping[str, t.Any]], str] = staticmethod(messages.progress)
    on_map = False

    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        if not self._in_sight():
            return super().execute(args, task_vars)
        with work_directory(kept=self._is_on_map()) as directory:
            args["journal"] = self._path(args["journal"]) if args.get("journal") else f"{directory}/shown.jsonl"
            with self.showing(of_file(place_of(args), args["journal"]), task_vars):
                return super().execute(args, task_vars)

    def _path(self, given: object) -> str:
        """A connection to the controller itself works in the playbook's directory."""
        return str(unfrackpath(str(given), follow=False, basedir=self._loader.get_basedir()))

    def showing(
        self, journals: Journals, task_vars: t.Mapping[str, t.Any] | None
    ) -> contextlib.AbstractContextManager[None]:
        known = task_vars or {}
        several = len(known.get("ansible_play_batch") or ()) > 1 or "ansible_loop_var" in known
        journals = replace(journals, several=several, offsets={str(file): size_of(file) for file in journals.files()})
        if not self._is_on_map():
            return following(journals, self._say)
        note(journals)
        return contextlib.nullcontext()

    def _is_on_map(self) -> bool:
        return self.on_map and Shown.by_callback

    def _say(self, lines: t.Iterable[bytes], journals: Journals) -> t.Iterable[str]:
        return shown(lines, journals.scale_set, type(self).words)

    def _in_sight(self) -> bool:
        """Whether the journal can be read from here while the module runs, and may be shown."""
        task, connection = self._task, self._connection
        here = connection.transport == "local" and not connection.become
        return bool(here and not (task.async_val or task.check_mode or task.no_log))


def place_of(args: t.Mapping[str, t.Any]) -> str:
    return f"{args.get('resource_group')}/{args.get('name')}"


def work_directory(*, kept: bool = False) -> tempfile.TemporaryDirectory[str]:
    """`kept`: until the play ends, for the callback reads the last lines when the module has ended."""
    return tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP, delete=not kept)


@contextlib.contextmanager
def following(journals: Journals, say: Say) -> t.Iterator[None]:
    """While this lasts, show what the journals tell. On stderr, for stdout may be a callback's."""
    ended = threading.Event()
    offsets = dict(journals.offsets or {})

    def follow() -> None:
        last = False
        while not last:
            last = ended.wait(_EVERY)  # and again after the end
            for file in journals.files():
                lines, offsets[str(file)] = new_lines(file, offsets.get(str(file), 0))
                for said in say(lines, journals):
                    display.display(said, stderr=True)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def shown(lines: t.Iterable[bytes], scale_set: str, words: t.Callable[[t.Mapping[str, t.Any]], str]) -> t.Iterator[str]:
    """The lines of this scale set, `group/name`, in words; others may write into the same journal."""
    for event in events_of(lines, scale_set):
        if said := words(event):
            yield printable(f"{str(event.get('time'))[11:]} {scale_set}: {said}", LONGEST_MESSAGE)
