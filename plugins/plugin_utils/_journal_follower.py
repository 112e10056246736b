# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of every module that waits: shows what the module writes into its journal meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import typing as t
from pathlib import Path

from ansible import constants
from ansible.utils.display import Display
from ansible.utils.path import unfrackpath

from ansible_collections.steady.vmss.plugins.module_utils._facts.foreign_text import LONGEST_MESSAGE, printable
from ansible_collections.steady.vmss.plugins.module_utils._facts.journal_lines import place
from ansible_collections.steady.vmss.plugins.module_utils._rollout import messages
from ansible_collections.steady.vmss.plugins.plugin_utils._tied import ActionModule as TiedModule

_EVERY = 1.0  # seconds between two looks into the journal

display = Display()


class ActionModule(TiedModule):
    """`words`: what one event of the journal says to somebody who waits."""

    words: t.Callable[[t.Mapping[str, t.Any]], str] = staticmethod(messages.progress)

    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        if not self._in_sight():
            return super().execute(args, task_vars)
        with work_directory() as directory:
            args["journal"] = self._path(args["journal"]) if args.get("journal") else f"{directory}/shown.jsonl"
            with self._shown(args, lambda: [Path(args["journal"])]):
                return super().execute(args, task_vars)

    def _path(self, given: object) -> str:
        """A connection to the controller itself works in the playbook's directory."""
        return str(unfrackpath(str(given), follow=False, basedir=self._loader.get_basedir()))

    def _shown(
        self, args: t.Mapping[str, t.Any], journals: t.Callable[[], t.Iterable[Path]]
    ) -> contextlib.AbstractContextManager[None]:
        return following(journals, f"{args.get('resource_group')}/{args.get('name')}", type(self).words)

    def _in_sight(self) -> bool:
        """Whether the journal can be read from here while the module runs, and may be shown."""
        task, connection = self._task, self._connection
        here = connection.transport == "local" and not connection.become
        return bool(here and not (task.async_val or task.check_mode or task.no_log))


def work_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP)


@contextlib.contextmanager
def following(
    journals: t.Callable[[], t.Iterable[Path]], scale_set: str, words: t.Callable[[t.Mapping[str, t.Any]], str]
) -> t.Iterator[None]:
    """While this lasts, show what the journals tell of the scale set. On stderr, for stdout may be a callback's."""
    ended = threading.Event()
    offsets = {journal: _size(journal) for journal in journals()}

    def follow() -> None:
        last = False
        while not last:
            last = ended.wait(_EVERY)  # and again after the end
            for journal in journals():
                lines, offsets[journal] = new_lines(journal, offsets.get(journal, 0))
                for said in shown(lines, scale_set, words):
                    display.display(said, stderr=True)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def new_lines(file: Path, offset: int) -> tuple[list[bytes], int]:
    """The whole lines from the offset on, in bytes, and where the next ones begin."""
    size = _size(file)
    if not size:
        return [], offset
    offset = offset if offset <= size else 0  # it was rotated
    with file.open("rb") as opened:
        opened.seek(offset)
        read = opened.read(size - offset)
    end = read.rfind(b"\n") + 1
    return read[:end].splitlines(), offset + end


def _size(file: Path) -> int:
    """In bytes; 0 for what is not there, may not be read or is no plain file."""
    try:
        return file.stat().st_size if file.is_file() and os.access(file, os.R_OK) else 0
    except OSError:
        return 0


def shown(lines: t.Iterable[bytes], scale_set: str, words: t.Callable[[t.Mapping[str, t.Any]], str]) -> t.Iterator[str]:
    """The lines of this scale set, `group/name`, in words; others may write into the same journal."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict) or place(event.get("scale_set")) != scale_set.lower():
            continue
        if said := words(event):
            yield printable(f"{str(event.get('time'))[11:]} {scale_set}: {said}", LONGEST_MESSAGE)
