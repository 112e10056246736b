# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's life is tied to the play: the action plugin says which process that is, the module asks for it."""

from __future__ import annotations

import os
import signal
import subprocess
import types
import typing as t
from pathlib import Path

from ._facts.problems import Cancelled

VARIABLE = "STEADY_VMSS_CONTROLLER"  # from the action plugin to the module: "pid:start pid:start"

_PROCESSES = Path("/proc")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def named(pids: t.Iterable[int]) -> str:
    """The processes as VARIABLE holds them; those whose start cannot be told are left out."""
    found = ((pid, started(pid)) for pid in pids)
    return " ".join(f"{pid}:{start}" for pid, start in found if start)


def started(pid: int) -> str:
    """When the process started, in the system's own unit: with the id it names one process. "" where none runs."""
    if (_PROCESSES / "self" / "stat").exists():
        try:
            fields = (_PROCESSES / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        state, *rest = fields.rpartition(")")[2].split()  # the name before it may hold anything
        return "" if state in "ZX" else rest[18]
    try:
        # The action plugin asks too, and it has no module that could run the command.
        # pylint: disable-next=ansible-bad-function
        listed = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return "-".join(listed.stdout.split())


class Cancellation:
    """Whether this module is to go on. Processes that cannot be seen from here at the start are not asked for."""

    def __init__(self, controller: str = "") -> None:
        pairs = (one.partition(":") for one in controller.split())
        known = [(int(pid), start) for pid, _colon, start in pairs if pid.isdigit()]
        self._processes = [(pid, start) for pid, start in known if started(pid) == start]
        self._why = ""

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT raise Cancelled where the module stands, once."""
        for number in _SIGNALS:
            signal.signal(number, self._signalled)

    def close(self) -> None:
        """The end has come: nothing keeps the result from being printed."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _signalled(self, number: int, _frame: types.FrameType | None) -> None:
        self.close()
        self._why = f"{signal.Signals(number).name} was received"
        raise Cancelled(self._why)

    def check(self) -> None:
        """Raises Cancelled where nothing may be sent any more."""
        if not self._why and any(started(pid) != start for pid, start in self._processes):
            self._why = "the process that ran the play has ended"
        if self._why:
            raise Cancelled(self._why)
