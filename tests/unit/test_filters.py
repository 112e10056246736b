# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.steady.vmss.plugins.filter.rollout import FilterModule
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

ROOT = Path(__file__).resolve().parents[2]
FILTERS = FilterModule().filters()


def test_a_command_of_a_role_is_quoted() -> None:
    given = {
        "rollout_resource_group": "shop(prod)",
        "rollout_image": "https://x.test/{{lookup('pipe','id')}}",
        "rollout_canary": 1,
    }
    assert FILTERS["playbook_command"](given, "status") == (
        "ansible-playbook steady.vmss.status -e '{rollout_resource_group: shop(prod)}' "
        "-e rollout_image=... -e rollout_canary=1"
    )


def test_a_command_signs_in_as_the_role_did_and_shows_no_secret() -> None:
    given = {one.name: "s3cr3t" if one.metadata.get("no_log") else "shown" for one in fields(ConnectionOptions)}
    said = FILTERS["playbook_command"]({"rollout_scale_set": "web"}, "rollback", given)
    assert "s3cr3t" not in said and "-e rollout_secret=..." in said
    assert said.count("=shown") == len(given) - 1 and "-e rollout_subscription_id=shown" in said


def test_the_path_of_a_journal() -> None:
    name = "0123456789abcdef" * 2
    assert FILTERS["journal_path"]("/var/log", "web", name) == f"/var/log/web-{name}.jsonl"
    assert FILTERS["journal_path"]("", "web", name) == ""
    with pytest.raises(AnsibleFilterError, match="plain ones"):
        FILTERS["journal_path"]("/var/log", "web", "x/../../../tmp/x")


@pytest.mark.parametrize("path", sorted(ROOT.glob("roles/**/*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_role_makes_a_command_itself(path: Path) -> None:
    made = re.compile(r"(ansible-playbook |\baz [a-z-]+ |-e \w+=)[^\n]*({{|~)")
    assert not [line for line in path.read_text("utf-8").splitlines() if made.search(line)]
