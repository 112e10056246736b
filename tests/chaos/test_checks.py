# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's check of the chaos suite refuses what it is told to, and keeps what it was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import checks
import pytest


@pytest.mark.parametrize(
    ("policy", "number", "names", "before", "passes"),
    [
        ({"kind": "never"}, 1, ["web_0"], 0, True),
        ({"kind": "always"}, 1, ["web_0"], 0, False),
        ({"kind": "number", "number": 2}, 1, ["web_0"], 0, True),
        ({"kind": "number", "number": 2}, 2, ["web_0"], 0, False),
        ({"kind": "first", "times": 1}, 1, ["web_0"], 0, False),
        ({"kind": "first", "times": 1}, 1, ["web_0"], 1, True),
        ({"kind": "some", "modulo": 1}, 3, ["web_0"], 9, False),
        ({"kind": "some", "modulo": 10**9}, 3, ["web_0"], 9, True),
    ],
)
def test_the_user_s_check(policy: dict[str, Any], number: int, names: list[str], before: int, passes: bool) -> None:
    batch = {"number": number, "instances": [{"name": name} for name in names]}
    assert checks.passes(policy, batch, before) == passes


def test_the_user_s_check_keeps_what_it_was_asked(tmp_path: Path) -> None:
    checks.write(tmp_path / "check", {"kind": "first", "times": 1})
    batch = json.dumps({"number": 1, "instances": [{"name": "web_3", "instance_id": "3"}]})
    assert [checks.main(batch, tmp_path / "check") for _twice in range(2)] == [1, 0]
    asked = checks.asked(tmp_path / "check")
    assert [(one["number"], one["instance_ids"], one["passed"]) for one in asked] == [
        (1, ["3"], False),
        (1, ["3"], True),
    ]
