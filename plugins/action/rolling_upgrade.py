# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module, and shows what it writes into its journal while it waits, which may take hours."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.steady.vmss.plugins.module_utils._rollout import rolling_words

_EVERY = 1.0  # seconds between two looks into the journal

display = Display()


class ActionModule(ActionBase):
    _supports_async = True

    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        with contextlib.ExitStack() as stack:
            if self._in_sight():
                directory = stack.enter_context(tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP))
                args["journal"] = args.get("journal") or f"{directory}/journal.jsonl"
                stack.enter_context(_shown(Path(args["journal"]).expanduser(), str(args.get("name"))))
            result.update(
                self._execute_module(module_args=args, task_vars=task_vars, wrap_async=bool(self._task.async_val))
            )
        return result

    def _in_sight(self) -> bool:
        """Whether the journal can be read from here while the module runs, and may be shown."""
        task, connection = self._task, self._connection
        here = connection.transport == "local" and not connection.become
        return here and not (task.async_val or task.check_mode or task.no_log)


@contextlib.contextmanager
def _shown(journal: Path, scale_set: str) -> t.Iterator[None]:
    """While this lasts, show what the journal tells of the scale set. On stderr, for stdout may be a callback's."""
    ended = threading.Event()
    offset = journal.stat().st_size if journal.is_file() else 0

    def follow(offset: int) -> None:
        last = False
        while not last:
            last = ended.wait(_EVERY)  # and once more after the end
            lines, offset = new_lines(journal, offset)
            for words in shown(lines, scale_set):
                display.display(words, stderr=True)

    follower = threading.Thread(target=follow, args=(offset,), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def new_lines(file: Path, offset: int) -> tuple[list[bytes], int]:
    """The whole lines from the offset on, in bytes, and where the next ones begin."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            read = opened.read()
    except OSError:  # it is not there yet
        return [], offset
    end = read.rfind(b"\n") + 1
    return read[:end].splitlines(), offset + end


def shown(lines: t.Iterable[bytes], scale_set: str) -> t.Iterator[str]:
    """The lines of this scale set in words; others may write into the same journal."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if str(event.get("scale_set")).rpartition("/")[2].lower() != scale_set.lower():
            continue
        if words := rolling_words.progress(event):
            yield f"{str(event.get('time'))[11:]} {scale_set}: {words}"
