# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.filter.rollout import FilterModule
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._journal import file_name
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions, RolloutRequest
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.role import Asked
from ansible_collections.steady.vmss.plugins.module_utils._rollout.memory import Memory, Rules
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.rollout import ways

from .asking import request

ROOT = Path(__file__).resolve().parents[2]
FILTERS = FilterModule().filters()


def test_a_command_of_a_role_is_quoted() -> None:
    asked = Asked("shop(prod)", "web")
    assert asked.command("status", rollout_image="https://x.test/{{lookup('pipe','id')}}", rollout_canary=1) == (
        "ansible-playbook steady.vmss.status -e '{rollout_resource_group: shop(prod)}' -e rollout_scale_set=web "
        "-e rollout_image=... -e rollout_canary=1"
    )


def test_a_command_signs_in_as_the_role_did_and_shows_no_secret() -> None:
    given: dict[str, Any] = {
        one.name: "s3cr3t" if one.metadata.get("no_log") else "shown" for one in fields(ConnectionOptions)
    }
    of_azures = Asked("shop", "web", sign_in={f"rollout_{name}": value for name, value in given.items()})
    said = ways(request(RolloutRequest, given, image="1.0.2"), Memory(Rules()))
    for command in (of_azures.command("rollback"), said.go_on, said.go_back, said.reimage):
        assert "s3cr3t" not in command and "-e rollout_secret=..." in command
        assert command.count("=shown") == len(given) - 1 and "-e rollout_subscription_id=shown" in command


def test_a_module_that_told_no_code_has_failed_too() -> None:
    """An option that it does not take, or its death."""
    asked = {"resource_group": "shop", "scale_set": "web"}
    off = {"turned_off": {"skipped": True}, "backs": []}
    bad = FILTERS["azure_upgrade"]({"plan": {"msg": "argument 'timeout': soon", "failed": False}, **off}, asked)
    assert (bad["runs"], bad["rollout_result"]["outcome"]) == (False, "refused")
    assert bad["failure"] == "option_invalid: argument 'timeout': soon"
    planned = {"planned": "start", "not_done": ["0"], "left_alone": {}, "automatic_os_upgrade": False}
    planned["rollout_result"] = {"outcome": "upgraded", "target_image": {}, "previous_image": {}, "batches": []}
    killed = {"msg": "MODULE FAILURE", "module_stdout": "", "failed": False}
    dead = FILTERS["azure_upgrade"]({"plan": planned, "end": killed, **off}, asked)
    assert (dead["rollout_result"]["outcome"], dead["failure"]) == ("failed", "task_failed: MODULE FAILURE")


def test_the_path_of_a_journal() -> None:
    name = "0123456789abcdef" * 2
    assert file_name("web", name) == f"web-{name}.jsonl"
    assert FILTERS["azure_journal"]("", "web") == ""
    assert re.fullmatch(r"/var/log/web-azure-\d{8}T\d{6}Z\.jsonl", FILTERS["azure_journal"]("/var/log", "web"))
    with pytest.raises(Refused, match="plain ones"):
        file_name("web", "x/../../../tmp/x")


@pytest.mark.parametrize("path", sorted(ROOT.glob("roles/**/*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_role_makes_a_command_itself(path: Path) -> None:
    made = re.compile(r"(ansible-playbook |\baz [a-z-]+ |-e \w+=)[^\n]*({{|~)")
    assert not [line for line in path.read_text("utf-8").splitlines() if made.search(line)]
