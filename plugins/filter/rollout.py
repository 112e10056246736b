# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that the roles need: option values as users give them, and results put together."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import role
from ansible_collections.steady.vmss.plugins.plugin_utils._variables import listed


def azure_upgrade(results: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the role azure_rolling_upgrade does next and says, of the results of its tasks."""
    ran = {name: _ended(one) if isinstance(one, dict) else one for name, one in results.items()}
    given = {name: "" if value is None else str(value) for name, value in variables.items() if name != "sign_in"}
    signed_in = {f"rollout_{name}": value for name, value in (variables.get("sign_in") or {}).items()}
    return role.role(role.Done(**ran), role.Asked(**given, sign_in=signed_in))


def _ended(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """A module that did not come so far as to tell its code has failed too."""
    if result.get("skipped"):
        return {}
    code = "task_failed" if "module_stdout" in result else "option_invalid"
    return {"code": code, **result} if "msg" in result else result


def azure_journal(directory: str, scale_set: str) -> str:
    """The file of the journal of an upgrade of Azure's, named after now; "" where no directory is named."""
    return f"{directory}/{scale_set}-azure-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.jsonl" if directory else ""


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "azure_journal": azure_journal,
            "azure_upgrade": azure_upgrade,
            "listed": listed,
        }
