# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that the roles and playbooks read are those that are not refused as unknown, and no others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml

from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions, argument_spec
from ansible_collections.steady.vmss.plugins.plugin_utils import _asked
from ansible_collections.steady.vmss.plugins.plugin_utils._variables import options_of

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
PREFIXES = {prefix for playbook in PLAYBOOKS for prefix in _asked.known(playbook)}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
SET_BY_THE_ROLES = {"rollout_result", "rollout_batch", "rollout_failure"}


class Filters(defaultdict[str, Any]):
    """Ansible's filters and tests, which read no variable."""

    def get(self, _name: str, _default: Any = None) -> Any:
        return str


class Reads(jinja2.Environment):
    """The variables that expressions read, by name or through a lookup of this collection."""

    def __init__(self, texts: list[str], variables: dict[str, Any]) -> None:
        super().__init__()
        self.filters = self.tests = Filters(lambda: str)
        self.names: set[str] = set()
        for text in texts:
            self.names |= jinja2.meta.find_undeclared_variables(self.parse(text))
            for call in re.findall(r"lookup\('steady\.vmss\.[^)]*\)", text):
                self.from_string("{{ " + call + " }}").render(variables, lookup=self.lookup)

    def lookup(self, name: str, module: str = "", **options: Any) -> str:
        if name == "steady.vmss.connection":
            self.names |= {f"rollout_{option}" for option in argument_spec(ConnectionOptions)}
        else:
            options_of(module, self.value_of, **options)
        return ""

    def value_of(self, name: str) -> str:
        self.names.add(name)
        return ""


def expressions(document: Any) -> Iterator[str]:
    """With those that Ansible takes without braces."""
    if isinstance(document, list):
        for one in document:
            yield from expressions(one)
    elif isinstance(document, dict):
        for name, value in document.items():
            bare = name in ("when", "that") and isinstance(value, str)
            yield from ["{{ " + value + " }}"] if bare else expressions(value)
    elif isinstance(document, str) and "{{" in document:
        yield document


def files_of(path: Path) -> list[Path]:
    """A playbook, or the files of a role, and those of the roles that they run."""
    files = [path] if path.is_file() else [*path.glob("tasks/*.yml"), *path.glob("vars/*.yml")]
    run = re.compile(r"(?:\brole:|include_role:\s+name:) steady\.vmss\.(\w+)")
    roles = {role for file in files for role in run.findall(file.read_text("utf-8"))}
    return [*files, *(file for role in roles for file in files_of(ROOT / "roles" / role))]


def read_by(path: Path) -> set[str]:
    """The variables that a playbook or role reads and does not set itself."""
    found: set[str] = set()
    for file in files_of(path):
        document = yaml.safe_load(file.read_text("utf-8"))
        variables = document[0].get("vars", {}) if isinstance(document, list) else document
        found |= Reads(list(expressions(document)), variables).names
    return {name for name in found - SET_BY_THE_ROLES for prefix in PREFIXES if name.startswith(f"{prefix}_")}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_reads_no_variable_that_is_refused(playbook: str) -> None:
    known = {name for names in _asked.known(playbook).values() for name in names}
    assert read_by(ROOT / "playbooks" / f"{playbook}.yml") <= known


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_no_variable_that_is_refused(role: str) -> None:
    known = {name for names in _asked.known().values() for name in names}
    assert read_by(ROOT / "roles" / role) <= known


def test_no_variable_is_taken_and_read_by_nothing() -> None:
    """One that is shared is read by one of them, one of a single playbook by that."""
    read = {playbook: read_by(ROOT / "playbooks" / f"{playbook}.yml") for playbook in PLAYBOOKS}
    shared = {name for names in _asked.known().values() for name in names} - SET_BY_THE_ROLES
    assert shared <= set().union(*read.values())
    for playbook in PLAYBOOKS:
        own = {name for names in _asked.known(playbook).values() for name in names} - SET_BY_THE_ROLES - shared
        assert own <= read[playbook], playbook


def test_the_reader_sees_each_way_to_read() -> None:
    """A name in braces, a condition, a lookup, one through a role, the lookup that signs in."""
    recover, trigger = (
        read_by(ROOT / "playbooks" / f"{name}.yml") for name in ("recover_credentials", "trigger_os_upgrade")
    )
    assert {"extension_name", "rollout_health_lag", "rollout_tenant"} <= recover
    assert {"azure_rolling_upgrade_on_failure", "rollback_image"} <= trigger
