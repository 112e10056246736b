# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which journals are written now. The workers, where action plugins run, note them in a file of the run's temporary
directory, which the main process, where the callback runs, reads. And how a journal is read while it grows.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible import constants


@dataclass(frozen=True)
class Journals:
    """The journals of one scale set, `group/name`. `pattern`: of their names in the directory. `kept`: for the user.

    `several`: other scale sets are worked on beside it. `offsets`: in bytes, what earlier runs have written.
    """

    scale_set: str
    directory: str
    pattern: str
    kept: bool = False
    several: bool = False
    offsets: t.Mapping[str, int] | None = None

    def files(self) -> list[Path]:
        return sorted(Path(self.directory).glob(self.pattern))


def of_file(scale_set: str, path: str) -> Journals:
    return Journals(scale_set, str(Path(path).parent), glob.escape(Path(path).name))


class Shown:
    """Whether the callback shows the journals of this run. It says so in the main process before a worker is forked."""

    by_callback = False


def _notes() -> Path:
    return Path(constants.DEFAULT_LOCAL_TMP) / "steady-vmss-journals"


def note(journals: Journals) -> None:
    """For the callback. Where it cannot be noted, nothing is shown."""
    line = json.dumps(asdict(journals)) + "\n"
    with contextlib.suppress(OSError), _notes().open("a", encoding="utf-8") as file:
        file.write(line)


def noted(offset: int) -> tuple[list[Journals], int]:
    """What was noted from the offset on, in bytes, and where the next note begins."""
    lines, offset = new_lines(_notes(), offset)
    return [Journals(**json.loads(line)) for line in lines], offset


def new_lines(file: Path, offset: int) -> tuple[list[bytes], int]:
    """The whole lines from the offset on, in bytes, and where the next ones begin."""
    size = size_of(file)
    if not size:
        return [], offset
    offset = offset if offset <= size else 0  # it was rotated
    with file.open("rb") as opened:
        opened.seek(offset)
        read = opened.read(size - offset)
    end = read.rfind(b"\n") + 1
    return read[:end].splitlines(), offset + end


def size_of(file: Path) -> int:
    """In bytes; 0 for what is not there, may not be read or is no plain file."""
    try:
        return file.stat().st_size if file.is_file() and os.access(file, os.R_OK) else 0
    except OSError:
        return 0
