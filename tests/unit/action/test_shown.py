# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the callback does in the main process: which journals it reads, and how it draws."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants

from ansible_collections.steady.vmss.plugins.action import rollout
from ansible_collections.steady.vmss.plugins.callback.rollout import may_draw
from ansible_collections.steady.vmss.plugins.plugin_utils._journals import Journals, Shown, note, noted, of_file
from ansible_collections.steady.vmss.plugins.plugin_utils._progress import Progress, progress_lines
from ansible_collections.steady.vmss.plugins.plugin_utils._screen import Screen

from ..rollout_journals import ID, stored


class Terminal(io.StringIO):
    def __init__(self, tty: bool = True) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.fixture(autouse=True)
def local_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "local"
    directory.mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(directory))
    return directory


def made(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In the test itself, for pytest captures stdout anew there."""
    found = Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    monkeypatch.setattr(sys, "stderr", Terminal(tty=False))
    return found


@pytest.mark.parametrize(
    ("tty", "stdout", "environment", "draws"),
    [
        (True, "default", {"TERM": "xterm"}, True),
        (True, "ansible.builtin.default", {"TERM": "screen-256color"}, True),
        (False, "default", {"TERM": "xterm"}, False),
        (True, "default", {"TERM": "dumb"}, False),
        (True, "default", {}, False),
        (True, "ansible.builtin.minimal", {"TERM": "xterm"}, False),
        (True, "awx_display", {"TERM": "xterm"}, False),
        (True, "ansible.posix.json", {"TERM": "xterm"}, False),
    ],
)
def test_where_the_map_is_drawn(tty: bool, stdout: str, environment: dict[str, str], draws: bool) -> None:
    assert may_draw(Terminal(tty), stdout, environment) == draws


# -- which journals -----------------------------------------------------------------------------------


def journal(directory: Path, name: str = "upgraded", first: int = 0, last: int | None = None) -> Path:
    file = directory / f"web-{ID}.jsonl"
    with file.open("a", encoding="utf-8") as opened:
        opened.writelines(f"{line}\n" for line in stored(name)[first:last])
    return file


def test_what_a_worker_notes_is_read_once() -> None:
    first, second = Journals("shop/web", "/a", "web-*", kept=True), Journals("shop/db", "/b", "db-*")
    note(first)
    found, offset = noted(0)
    assert found == [first] and noted(offset) == ([], offset)
    note(second)
    assert noted(offset)[0] == [second]


def test_a_view_grows_with_its_journal(tmp_path: Path) -> None:
    progress = Progress()
    assert progress.read() == []
    note(Journals("Shop/web", str(tmp_path), "web-*.jsonl"))
    journal(tmp_path, last=20)
    assert "batch 1/3" in "".join(progress.read()) and progress.running()[0].batch is not None
    journal(tmp_path, first=20)
    assert progress.read()[-1].startswith("DONE  shop/web") and progress.running() == []
    assert [line[:4] for line in progress.taken_endings()] == ["DONE"] and progress.taken_endings() == []


def test_the_view_goes_on_where_the_next_call_writes_elsewhere(tmp_path: Path) -> None:
    """Between two calls of the module the user's tasks run, and each call has a directory of its own."""
    progress = Progress()
    for place, (first, last) in {"a": (0, 17), "b": (17, None)}.items():
        (tmp_path / place).mkdir()
        note(Journals("shop/web", str(tmp_path / place), "web-*.jsonl"))
        journal(tmp_path / place, first=first, last=last)
    progress.read()
    view = progress.views["shop/web"]
    assert (view.outcome, view.batches_done, view.done) == ("upgraded", 3, 3)


def test_what_earlier_runs_have_written_is_not_shown(tmp_path: Path) -> None:
    file = journal(tmp_path)
    note(Journals("shop/web", str(tmp_path), "web-*.jsonl", offsets={str(file): file.stat().st_size}))
    progress = Progress()
    assert progress.read() == [] and progress.views == {}
    journal(tmp_path, "unchanged")
    assert progress.read()[-1].startswith("UNCHANGED")


def test_what_was_cut_off_is_not_shown_beside_the_next(tmp_path: Path) -> None:
    progress = Progress()
    note(Journals("shop/web", str(tmp_path), "web-*.jsonl"))
    journal(tmp_path, "cut_off")
    progress.read()
    assert len(progress.running()) == 1
    progress.pause()
    assert progress.running() == [] and len(progress.views) == 1
    note(Journals("shop/web", str(tmp_path), "web-*.jsonl"))
    progress.read()
    assert len(progress.running()) == 1


def test_other_scale_sets_in_the_file_are_not_shown(tmp_path: Path) -> None:
    note(Journals("other/web", str(tmp_path), "web-*.jsonl"))
    journal(tmp_path)
    progress = Progress()
    assert progress.read() == [] and progress.views == {}


def test_a_journal_that_is_kept_is_named_at_the_end(tmp_path: Path) -> None:
    file = journal(tmp_path)
    (tmp_path / "web-else.jsonl").write_text("", encoding="utf-8")
    lines = [line.encode() for line in stored("upgraded")]
    kept = list(progress_lines(lines, Journals("shop/web", str(tmp_path), "web-*.jsonl", kept=True)))
    assert kept[-1] == f"  journal {file}" and kept[-2].startswith("DONE")
    assert list(progress_lines(lines, Journals("shop/web", str(tmp_path), "web-*.jsonl")))[-1].startswith("DONE")


def test_lines_of_another_schema_are_passed_over() -> None:
    lines = [line.replace('"schema": 1', '"schema": 2').encode() for line in stored("upgraded")]
    assert list(progress_lines(lines, of_file("shop/web", "/x/y"))) == []


# -- who shows them -----------------------------------------------------------------------------------


def action(**task: Any) -> Any:
    found = object.__new__(rollout.ActionModule)
    found._connection = SimpleNamespace(transport="local", become=None)
    found._task = SimpleNamespace(**{"async_val": 0, "check_mode": False, "no_log": False, **task})
    return found


@pytest.mark.parametrize("callback", [True, False])
def test_a_worker_shows_lines_only_where_the_callback_does_not(
    callback: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Shown, "by_callback", callback)
    display = "ansible_collections.steady.vmss.plugins.plugin_utils._journal_follower.display.display"
    monkeypatch.setattr(display, lambda text, **_options: shown.append(text))
    several = {"ansible_play_batch": ["a", "b"]}
    with action().showing(Journals("shop/web", str(tmp_path), "web-*.jsonl"), several):
        journal(tmp_path)
    found, _offset = noted(0)
    assert [one.several for one in found] == ([True] if callback else [])
    assert bool(shown) != callback and all("shop/web" in line or line.startswith("  now") for line in shown)


# -- how it is drawn ----------------------------------------------------------------------------------


def test_a_picture_is_drawn_over_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = made(monkeypatch)
    screen = Screen(terminal)
    screen.draw([("one", 3), ("two", 3)])
    screen.draw([("three", 5)])
    screen.close()
    assert terminal.getvalue() == "one\x1b[K\ntwo\x1b[K\n\x1b[J\r\x1b[2Athree\x1b[K\n\x1b[J\r\x1b[1A\x1b[J"
    assert sys.stdout is terminal


def test_what_others_print_takes_the_place_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = made(monkeypatch)
    screen = Screen(terminal)
    screen.draw([("map", 3)])
    sys.stdout.write("said\n")
    screen.draw([("map", 3)])
    screen.close()
    assert terminal.getvalue() == "map\x1b[K\n\x1b[J\r\x1b[1A\x1b[Jsaid\nmap\x1b[K\n\x1b[J\r\x1b[1A\x1b[J"


def test_nothing_is_drawn_beside_an_unfinished_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = made(monkeypatch)
    screen = Screen(terminal)
    screen.draw([("map", 3)])
    sys.stdout.write("Go on?")
    before = terminal.getvalue()
    screen.draw([("map", 3)])
    assert terminal.getvalue() == before
    sys.stdout.write("\n")
    screen.draw([("map", 3)])
    assert terminal.getvalue() != before
    screen.close()


def test_lines_that_wrap_since_the_terminal_is_narrower_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = made(monkeypatch)
    screen = Screen(terminal)
    assert screen.size() == (80, 23)  # of what has no size
    screen.draw([("x" * 70, 70), ("y", 1)])
    monkeypatch.setattr(screen, "size", lambda: (40, 23))
    screen.erase()
    assert terminal.getvalue().endswith("\r\x1b[3A\x1b[J")
    screen.close()


def test_no_picture_is_an_empty_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = made(monkeypatch)
    screen = Screen(terminal)
    screen.draw([])
    screen.erase()
    screen.close()
    assert terminal.getvalue() == ""
