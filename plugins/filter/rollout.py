# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that the roles need: option values as users give them, and results put together."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.vmss.plugins.module_utils._facts import commands
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import merge
from ansible_collections.steady.vmss.plugins.module_utils._journal import file_name
from ansible_collections.steady.vmss.plugins.plugin_utils._variables import listed


def rollout_result(steps: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """One result of the steps of a rollout, in order."""
    return merge(steps)


def playbook_command(
    variables: t.Mapping[str, t.Any], playbook: str, connection: t.Mapping[str, t.Any] | None = None
) -> str:
    """The command that runs a playbook of this collection with these variables and connection options."""
    signed_in = {f"rollout_{name}": value for name, value in (connection or {}).items()}
    return commands.playbook(str(playbook), {**{str(name): value for name, value in variables.items()}, **signed_in})


def journal_path(directory: str, scale_set: str, rollout_id: str) -> str:
    """The file of a rollout's journal, "" where no directory is named."""
    try:
        return f"{directory}/{file_name(str(scale_set), str(rollout_id))}" if directory else ""
    except Refused as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "journal_path": journal_path,
            "listed": listed,
            "playbook_command": playbook_command,
            "rollout_result": rollout_result,
        }
