# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays whose module `rollout` writes a stored journal, line by line, in place of rolling anything; and a terminal to
watch them in. The action plugin and the callback are the real ones, and no simulator is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import CHECKOUT, PROGRAMS, environment

JOURNALS = CHECKOUT / "tests" / "unit" / "journals"
CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "record,steady.vmss.rollout"}
_MODULE = """
import time
from ansible.module_utils.basic import AnsibleModule

NAMES = ("resource_group", "name", "image", "journal_dir", "work_dir", "memory", "hook", "died", "pause")

def main():
    module = AnsibleModule({name: {"type": "raw"} for name in NAMES}, supports_check_mode=True)
    name, seconds = module.params["name"], float(module.params["pause"] or 0)
    with open(module.params["image"], encoding="utf-8") as file:
        lines = file.read().splitlines(True)
    directory = module.params["journal_dir"] or module.params["work_dir"]
    if directory:
        with open(f"{directory}/{name}-0123456789abcdef0123456789abcdef.jsonl", "a", encoding="utf-8") as file:
            for line in lines:
                file.write(line.replace("virtualMachineScaleSets/web", f"virtualMachineScaleSets/{name}"))
                file.flush()
                time.sleep(seconds)
    if "stopped" in module.params["image"]:
        module.fail_json("it stopped\\n::warning::not ours", code="hook_failed", rollout_result={"outcome": "stopped"})
    module.exit_json(changed=True, rollout_result={"outcome": "upgraded"}, next=None)

if __name__ == "__main__":
    main()
"""


def collection(directory: Path) -> Path:
    """A collections path with this checkout in it, whose module `rollout` replays."""
    root = directory / "collections" / "ansible_collections" / "steady" / "vmss"
    (root / "plugins" / "modules").mkdir(parents=True)
    for source in (*CHECKOUT.glob("plugins/*"), CHECKOUT / "meta", CHECKOUT / "galaxy.yml"):
        target = root / source.relative_to(CHECKOUT)
        if not target.exists():
            target.symlink_to(source)
    for source in CHECKOUT.glob("plugins/modules/*.py"):
        if source.stem != "rollout":
            (root / source.relative_to(CHECKOUT)).symlink_to(source)
    (root / "plugins" / "modules" / "rollout.py").write_text(_MODULE, encoding="utf-8")
    return directory / "collections"


def play(journal: str = "upgraded", seconds: float = 0.04, **options: Any) -> dict[str, Any]:
    """A play of one rollout, `seconds` a line."""
    place = {"resource_group": "shop", "name": "web", "image": str(JOURNALS / f"{journal}.jsonl"), "pause": seconds}
    task = {"name": "Roll", "steady.vmss.rollout": {**place, **options}}
    return {"name": "Rollout", "hosts": "localhost", "gather_facts": False, "tasks": [task]}


@dataclass(frozen=True)
class Seen:
    """`output`: all that came to the terminal. `screens`: what stood there, as often as it changed."""

    output: str
    screens: list[str]
    rc: int

    @property
    def last(self) -> str:
        return self.screens[-1]


def watch(
    playbook: Path,
    directory: Path,
    *,
    size: tuple[int, int] = (80, 24),
    env: Mapping[str, str | None] | None = None,
    answers: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    timeout: float = 120,
) -> Seen:
    """Run a playbook in a terminal of this size. `answers`: what is typed once a text stands last."""
    variables = {**environment(None, directory, directory / "collections"), **CALLBACK, "TERM": "xterm-256color"}
    variables |= {"ANSIBLE_NOCOLOR": None, "PYTHONFAULTHANDLER": "1", **(env or {})}
    pid, terminal = pty.fork()
    if pid == 0:
        command = [str(PROGRAMS / "ansible-playbook"), str(playbook), *arguments]
        os.chdir(directory)
        os.execve(command[0], command, {name: value for name, value in variables.items() if value is not None})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    try:
        output, screens = _read(terminal, pid, size, answers or {}, time.monotonic() + timeout)
    finally:
        os.close(terminal)
    _pid, status = os.waitpid(pid, 0)
    return Seen(output, screens, os.waitstatus_to_exitcode(status))


def _read(
    terminal: int, pid: int, size: tuple[int, int], answers: Mapping[str, str], deadline: float
) -> tuple[str, list[str]]:
    output, screens, screen = b"", [""], Screen(*size)
    while True:
        if time.monotonic() > deadline:  # its threads say where they hang
            os.kill(pid, signal.SIGABRT)
            deadline += 1000
        ready, _write, _error = select.select([terminal], [], [], 2)
        if not ready:
            _answer(terminal, screens[-1], answers)
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:  # as Linux ends a pty
            read = b""
        if not read:
            return output.decode("utf-8", "replace"), screens
        output += read
        screen.show(read.decode("utf-8", "replace"))
        if screen.text() != screens[-1]:
            screens.append(screen.text())


def _answer(terminal: int, screen: str, answers: Mapping[str, str]) -> None:
    """Once nothing moves any more: a prompt throws away what is typed while it begins."""
    for text, answer in answers.items():
        if screen.rstrip().endswith(text):
            os.write(terminal, answer.encode())


class Screen:
    """As much of a terminal as Ansible and the map need."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.lines, self.row, self.column, self.rest = [""], 0, 0, ""

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines[-self.height :])

    def show(self, text: str) -> None:
        text = self.rest + text
        cut = re.search(r"\x1b(\[[0-9;?]*)?$", text)
        self.rest = cut[0] if cut else ""
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x1b]", text[: len(text) - len(self.rest)], re.DOTALL):
            self._one(part)

    def _one(self, part: str) -> None:
        if part == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif part == "\r":
            self.column = 0
        elif part.startswith("\x1b["):
            self._command(part[2:-1], part[-1])
        elif part >= " ":
            if self.column == self.width:
                self.column = 0
                self._one("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + part + line[self.column + 1 :]
            self.column += 1

    def _command(self, number: str, letter: str) -> None:
        if letter == "A":
            top = max(0, len(self.lines) - self.height)
            self.row = max(top, self.row - int(number or 1))
        elif letter in "KJ":
            self.lines[self.row] = self.lines[self.row][: self.column]
            if letter == "J":
                del self.lines[self.row + 1 :]


def piped(
    playbook: Path, directory: Path, *, env: Mapping[str, str | None] | None = None, arguments: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """The same into pipes. A run that hangs says where its threads are."""
    variables = {**environment(None, directory, directory / "collections"), **CALLBACK, "TERM": "xterm-256color"}
    variables |= {"ANSIBLE_NOCOLOR": None, "PYTHONFAULTHANDLER": "1", **(env or {})}
    process = subprocess.Popen(
        [str(PROGRAMS / "ansible-playbook"), str(playbook), *arguments],
        cwd=directory,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
        process.kill()
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
