# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._journal import Journal, file_name, refuse_unwritable

from .refusals import refused


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "web.jsonl"
    old = os.umask(0o022)
    try:
        Journal(str(path), rollout="1").write([{"event": "\x1b[2J", "time": 1}])
    finally:
        os.umask(old)
    assert [oct(one.stat().st_mode & 0o777) for one in (path, path.parent, path.parent.parent)] == [
        "0o600",
        "0o700",
        "0o700",
    ]
    assert json.loads(path.read_text("utf-8")) == {
        "event": "\\u001b[2J",
        "time": 1,
        "rollout": "1",
        "schema": 1,
    }


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "web.jsonl"
    for number in range(2):
        Journal(str(path)).write([{"event": number}])
    assert len(path.read_text("utf-8").splitlines()) == 2


def test_a_journal_follows_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was", "utf-8")
    (tmp_path / "web.jsonl").symlink_to(victim)
    (tmp_path / "new.jsonl").symlink_to(tmp_path / "made")
    for name in ("web.jsonl", "new.jsonl"):
        with refused("journal_not_writable", name):
            Journal(str(tmp_path / name))
    assert victim.read_text("utf-8") == "as it was"
    assert not (tmp_path / "made").exists()


def test_a_journal_laid_as_a_link_meanwhile_costs_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.jsonl"
    journal = Journal(str(path))
    path.unlink()
    path.symlink_to(tmp_path / "victim")
    journal.write([{"event": "x"}])
    assert "lacks lines" in journal.warnings[0]
    assert not (tmp_path / "victim").exists()


def test_a_pipe_is_no_journal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with refused("journal_not_writable"):
        Journal(str(tmp_path / "pipe"))


HEX = "0123456789abcdef" * 2


def test_a_journal_is_named_after_the_rollout() -> None:
    assert file_name("web", HEX) == f"web-{HEX}.jsonl"


@pytest.mark.parametrize(
    ("scale_set", "rollout"),
    [
        ("web", "x/../../../../tmp/x"),
        ("web", HEX + "\n"),
        ("web", HEX.upper()),
        ("web", ""),
        ("../web", HEX),
        (".", HEX),
    ],
)
def test_a_name_that_leads_out_of_the_directory_is_refused(scale_set: str, rollout: str) -> None:
    with refused("option_invalid"):
        file_name(scale_set, rollout)


def test_a_directory_that_cannot_be_is_known_before_it_is_made(tmp_path: Path) -> None:
    refuse_unwritable(str(tmp_path / "not" / "yet" / "there"))
    refuse_unwritable(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("", encoding="utf-8")
    for directory in (tmp_path / "file", tmp_path / "file" / "journal", Path("/dev/null/journal")):
        with pytest.raises(Refused, match="is no directory that this user may write to") as raised:
            refuse_unwritable(str(directory))
        assert raised.value.code == "journal_not_writable"
