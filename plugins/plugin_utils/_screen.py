# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A picture in a terminal that is drawn again and again below what the play prints."""

from __future__ import annotations

import os
import sys
import typing as t

from ansible.utils.display import Display

# Of Ansible's Display, which holds it while it forks a worker: none is made in the middle of what is done under it.
LOCK = Display()._lock  # noqa: SLF001


def is_default(stdout_callback: str) -> bool:
    """A terminal is no proof that somebody looks: ansible-runner gives one, and another stdout callback."""
    return stdout_callback in ("default", "ansible.builtin.default")


class Screen:
    """Lines at the end of the terminal."""

    def __init__(self, terminal: t.TextIO) -> None:
        self._terminal = terminal
        self._drawn: list[int] = []  # columns of each line that stands there
        self._wrapped: dict[str, t.TextIO] = {}
        self._at_line_start = True

    def size(self) -> tuple[int, int]:
        """Columns, and the lines that a picture may take: with one more the terminal would scroll."""
        try:
            found = os.get_terminal_size(self._terminal.fileno())
        except (OSError, ValueError):
            return 80, 23
        return found.columns or 80, max(1, (found.lines or 24) - 1)

    def draw(self, lines: t.Sequence[tuple[str, int]]) -> None:
        """Each line with its columns. Not beside an unfinished line, as of a prompt."""
        with LOCK:
            if not lines:
                self.erase()
                return
            if not self._at_line_start:
                return
            self._wrap()
            text = "".join(f"{line}\x1b[K\n" for line, _columns in lines)
            self._write(f"{self._back()}{text}\x1b[J")
            self._drawn = [columns for _line, columns in lines]

    def erase(self) -> None:
        with LOCK:
            if self._drawn:
                self._write(f"{self._back()}\x1b[J")
                self._drawn = []

    def close(self) -> None:
        with LOCK:
            self.erase()
            for name, stream in self._wrapped.items():
                if isinstance(getattr(sys, name), _Above):
                    setattr(sys, name, stream)
            self._wrapped = {}

    def wrote(self, text: str) -> None:
        """What others have printed: the picture comes below it again once their line has ended."""
        if text:
            self._at_line_start = text.endswith("\n")

    def _back(self) -> str:
        """To where the picture begins: a line may take several since the terminal was made narrower."""
        width = self.size()[0]
        rows = sum(max(1, -(-columns // width)) for columns in self._drawn)
        return f"\r\x1b[{rows}A" if rows else ""

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()

    def _wrap(self) -> None:
        """What others print goes above the picture: on its place, and the picture is drawn again below it."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not isinstance(stream, _Above) and stream.isatty():
                self._wrapped[name] = stream
                setattr(sys, name, _Above(stream, self))


class _Above:
    """A terminal's stream on which the picture makes room for what is written."""

    def __init__(self, stream: t.TextIO, screen: Screen) -> None:
        self._stream, self._screen = stream, screen

    def write(self, text: str) -> int:
        with LOCK:
            self._screen.erase()
            self._screen.wrote(text)
            return self._stream.write(text)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)
