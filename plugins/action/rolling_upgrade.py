# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ties the module's life to the play, shows how far Azure's upgrade is, and lets no failure go without a code."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import messages
from ansible_collections.steady.vmss.plugins.plugin_utils._journal_follower import ActionModule as WaitingModule


class ActionModule(WaitingModule):
    words = staticmethod(messages.progress)

    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        return with_code(super().execute(args, task_vars), args)


def with_code(result: dict[str, t.Any], args: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The role goes by the code, also where Ansible refuses an option or the module was killed."""
    if not result.get("failed") or "code" in result:
        return result
    if "module_stdout" not in result:
        return {**result, "code": "option_invalid"}
    return {**result, "code": "task_failed", "msg": messages.died(args)}
