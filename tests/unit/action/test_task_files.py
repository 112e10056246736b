# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task file is read before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.vmss.plugins.plugin_utils import _task_files

PLAY = "- hosts: all\n  tasks: []\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("---\n- name: Note\n  ansible.builtin.debug: {msg: x}\n", ""),
        ("- block:\n  - debug: msg=x\n  rescue:\n  - command: /bin/true\n", ""),
        ("- include_tasks: '{{ which }}.yml'\n- some.collection.module_that_is_not_here: {a: 1}\n", ""),
        ("- action: debug msg=x\n- local_action: command /bin/true\n", ""),
        (PLAY, "is a playbook; give a file of its tasks alone"),
        ("- import_playbook: x.yml\n", "is a playbook"),
        ("a: 1\n", "is no list of tasks"),
        ("drain it\n", "is no list of tasks"),
        ("- one\n- two\n", "is no list of tasks"),
        ("- block: drain\n", "is no list of tasks"),
        ("- name: [\n", "cannot be read: "),
        (
            "- debug: msg=x\n  command: /bin/true\n",
            "has a task that Ansible cannot read: conflicting",
        ),
        ("- block:\n  - name: Nothing to do\n", "has a task that Ansible cannot read: "),
    ],
)
def test_what_holds_no_tasks_is_told(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "tasks.yml"
    file.write_text(text, encoding="utf-8")
    found = _task_files.why_none(file, DataLoader())
    assert found.startswith(why) if why else not found, found
    assert "\n" not in found
