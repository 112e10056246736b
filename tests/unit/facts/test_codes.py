# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of codes is whole: each is explained once, each is used, and the roles use no other."""

from __future__ import annotations

import re
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_args

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.error_catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]
CODES = get_args(Code)


def catalogue_tool() -> Any:
    spec = spec_from_file_location("error_catalogue", ROOT / "tools" / "error_catalogue.py")
    assert spec and spec.loader
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def text_of(folder: str, pattern: str) -> str:
    paths = [path for path in (ROOT / folder).rglob(pattern) if path.name not in ("codes.py", "error_catalogue.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_each_code_is_explained_once() -> None:
    explained = Counter(code for section in CATALOGUE.values() for code in section)
    assert explained == Counter(dict.fromkeys(CODES, 1))
    for section in CATALOGUE.values():
        for code, entry in section.items():
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
            assert all(re.fullmatch(r"\S[^\n]*[^\s.]\.", words) for words in entry), code


def named_in_yaml() -> set[str]:
    """The codes that roles and playbooks end with or look for."""
    texts = text_of("roles", "*.yml") + text_of("playbooks", "*.yml")
    named = re.findall(r"_code: ([a-z_]+)$", texts, re.MULTILINE)
    named += re.findall(r"'code': '([a-z_]+)'", texts)
    named += re.findall(r"code\b[^\n]*? default\('([a-z_]+)'", texts)
    named += re.findall(r"'code', 'eq', '([a-z_]+)'", texts)
    for listed in re.findall(r"(?:_code (?:in|[!=]=)|_fixes: >-\n) *(\[[^]]+\]|'[^']+'|\{\{.+?\}\})", texts, re.DOTALL):
        named += re.findall(r"'([a-z_]+_[a-z_]+|cancelled)'", listed)
    return set(named)


def test_each_code_is_used() -> None:
    used = set(re.findall(r'"([a-z_]+)"', text_of("plugins", "*.py")))
    assert set(CODES) - used == set()


def test_the_roles_and_playbooks_decide_by_no_code() -> None:
    assert named_in_yaml() == set()


def test_what_the_roles_once_named_stands_in_python() -> None:
    used = set(re.findall(r'"([a-z_]+)"', text_of("plugins", "*.py")))
    assert {"hook_failed", "instances_unproven", "task_failed", "model_members_lost", "upgrade_mode"} <= used
    assert {"hook_not_found", "cancelled", "variables_overridden", "rollback_image_unknown"} <= used
    assert {"probe_interval", "image_pinned"} <= used


def test_each_kind_of_problem_has_a_code() -> None:
    codes = {problems.Problem(kind, "", "").failure_code for kind in get_args(problems.Kind)}
    assert len(codes) == len(get_args(problems.Kind)) and codes < set(CODES)
    assert problems.Problem(problems.LOST, "InternalError", "").failure_code == "azure_failed"


def test_the_page_is_what_the_tool_writes() -> None:
    tool = catalogue_tool()
    page = tool.PAGE.read_text(encoding="utf-8")
    assert page == tool.page(CATALOGUE), "run python tools/error_catalogue.py"
    assert re.findall(r"^  \* - ``(\w+)``$", page, re.MULTILINE) == [c for codes in CATALOGUE.values() for c in codes]
