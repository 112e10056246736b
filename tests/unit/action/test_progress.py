# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the journal of a module that waits is shown, and which of its lines."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.steady.vmss.plugins.action import rolling_upgrade
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import messages
from ansible_collections.steady.vmss.plugins.plugin_utils import _journal_follower as follower
from ansible_collections.steady.vmss.plugins.plugin_utils import _journals as journals

SETS = "/subscriptions/s/resourceGroups/{}/providers/Microsoft.Compute/virtualMachineScaleSets/{}"


def line(group: str = "shop", name: str = "web", event: str = "upgrade_sent") -> bytes:
    facts = {"schema": 1, "time": "2026-11-21T02:14:05Z", "event": event, "scale_set": SETS.format(group, name)}
    return json.dumps(facts).encode()


@pytest.mark.parametrize(
    ("transport", "become", "detached", "check", "no_log"),
    list(product(["local", "ssh"], [None, object()], [0, 60], [False, True], [False, True])),
)
def test_it_is_shown_only_where_the_file_is_ours_to_read(
    transport: str, become: object, detached: int, check: bool, no_log: bool
) -> None:
    """Elsewhere the module would be given a path that is not there, or not its own."""
    action = object.__new__(rolling_upgrade.ActionModule)
    action._connection = SimpleNamespace(transport=transport, become=become)
    action._task = SimpleNamespace(async_val=detached, check_mode=check, no_log=no_log)
    assert action._in_sight() == (transport == "local" and not (become or detached or check or no_log))


def test_only_this_scale_sets_lines_are_shown() -> None:
    lines = [line("SHOP", "Web"), line(name="other"), line(group="other"), line(event="upgraded"), b"no JSON", b"[1]"]
    shown = list(follower.shown(lines, "shop/web", messages.progress))
    assert shown == ["02:14:05Z shop/web: Azure accepted the request to start"]


def test_lines_are_read_whole_and_once(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    assert journals.new_lines(file, 0) == ([], 0)
    file.write_bytes(b"one\ntw")
    assert journals.new_lines(file, 0) == ([b"one"], 4)
    file.write_bytes(b"one\ntwo\nthree\n")
    assert journals.new_lines(file, 4) == ([b"two", b"three"], 14)
    file.write_bytes(b"new\n")  # rotated
    assert journals.new_lines(file, 14) == ([b"new"], 4)
    assert journals.new_lines(tmp_path, 0) == ([], 0)


def test_no_failure_of_azures_upgrade_goes_without_a_code() -> None:
    """The role goes by it: without one a module that was killed would look like a success."""
    args = {"resource_group": "shop", "name": "web"}
    killed = rolling_upgrade.with_code({"failed": True, "module_stdout": "", "rc": -9, "msg": "MODULE FAILURE"}, args)
    assert killed["code"] == "task_failed" and "scale set web (resource group shop) ended without" in killed["msg"]
    wrong = rolling_upgrade.with_code({"failed": True, "msg": "argument 'timeout' is of type str"}, args)
    assert wrong["code"] == "option_invalid"
    for result in ({"failed": True, "code": "not_ready", "msg": "x"}, {"changed": True}):
        assert rolling_upgrade.with_code(dict(result), args) == result
