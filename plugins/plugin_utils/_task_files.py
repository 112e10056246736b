# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file holds tasks. Where it does not, Ansible ends the play when it is due, with the image in the model."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.mod_args import ModuleArgsParser

_OF_A_PLAY = ("hosts", "import_playbook", "ansible.builtin.import_playbook")
_LISTS = ("block", "rescue", "always")


def why_none(file: Path, loader: DataLoader) -> str:
    """Why its tasks cannot be run, as the end of a sentence; "" where they can."""
    try:
        return _why(loader.load_from_file(str(file), cache="none"))
    except AnsibleError as error:
        return f"cannot be read: {_words(error)}"


def _why(tasks: object) -> str:
    if tasks is None:
        return ""
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        return "is no list of tasks"
    for task in tasks:
        if any(word in task for word in _OF_A_PLAY):
            return "is a playbook; give a file of its tasks alone"
        inner = [task[word] for word in _LISTS if word in task]
        if wrong := next(filter(None, map(_why, inner)), "" if inner else _of_one(task)):
            return wrong
    return ""


def _of_one(task: dict[str, t.Any]) -> str:
    try:
        ModuleArgsParser(dict(task)).parse(skip_action_validation=True)
    except AnsibleError as error:
        return f"has a task that Ansible cannot read: {_words(error)}"
    return ""


def _words(error: AnsibleError) -> str:
    return str(error.message).strip().partition("\n")[0].rstrip(".")
