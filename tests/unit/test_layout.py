# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project's shape: who may import whom, and lists that must say the same in two places."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
COLLECTION = "ansible_collections.steady.vmss."
SHIPPED = ("meta", "plugins", "roles", "playbooks")
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").glob("*") if path.is_dir())
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
# A decision gets the time, chance and the world handed in.
WORLD = {"asyncio", "io", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess", "tempfile"}
WORLD |= {"threading", "time", "urllib", "uuid"}
CLOCKS = {"now", "today", "utcnow"}
# Of module_utils, from the top: what stands lower knows nothing of what stands higher.
ROOMS = [
    "_module",
    "_use_cases",
    "_journal",
    "_controller",
    "_arm",
    "_rollout",
    "_orchestrator",
    "_model",
    "_options",
    "_facts",
    "_python",
]
SHARED_USE_CASES = {"prerequisites", "views"}
PURE = ("_rollout", "_orchestrator", "_model", "_options", "_facts")
# The machines of a batch and of Azure's upgrades hold their state themselves; the rollout's is a function of a memory.
MACHINES = {"_rollout/upgrade.py": "Upgrade", "_orchestrator/rolling_upgrade.py": "RollingRun"}


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PURE_FILES = [UTILS / "_options.py", *files(*(f"plugins/module_utils/{room}" for room in PURE))]


def imports(path: Path) -> Iterator[str]:
    """The absolute names of what the file imports, relative ones resolved: ansible_collections.steady.vmss.plugins.…"""
    package = (COLLECTION + ".".join(path.relative_to(ROOT).with_suffix("").parts)).split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names)


def under(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("path", PURE_FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_decision_knows_only_the_standard_library(path: Path) -> None:
    for name in imports(path):
        if not under(name, *(f"{COLLECTION}plugins.module_utils.{room}" for room in PURE)):
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names, f"{name} is not of the standard library"
            assert top not in WORLD, f"{name} reaches the world outside"


@pytest.mark.parametrize("path", PURE_FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_decision_reads_no_clock_and_no_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in {*CLOCKS, "input", "open", "print"}, f"line {node.lineno} calls {called}"


def room_of(module: str) -> str:
    return module.removeprefix(f"{COLLECTION}plugins.module_utils.").partition(".")[0]


@pytest.mark.parametrize("path", files("plugins/module_utils"), ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_imports_only_point_down(path: Path) -> None:
    room = room_of(COLLECTION + ".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in imports(path):
        if under(name, f"{COLLECTION}plugins.module_utils"):
            assert ROOMS.index(room_of(name)) >= ROOMS.index(room), f"{room} imports {name}, which stands above it"
        else:
            assert not under(name, "ansible_collections"), name
            assert room in ("_module", "_controller") or not under(name, "ansible"), name


def attributes(node: ast.ClassDef) -> set[str]:
    """What an instance holds that may change; nothing of what is frozen."""
    if any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list):
        return set()
    fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
    written = {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self"
    }
    return fields | written


def parameters(node: ast.FunctionDef) -> list[str]:
    given = node.args
    named = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if one]
    return [name for name in named if name not in ("self", "cls")]


@pytest.mark.parametrize("path", PURE_FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_decision_is_small(path: Path) -> None:
    """A class with few things that change, short functions, few parameters: what a reader can hold in mind."""
    machine = MACHINES.get(f"{path.parent.name}/{path.name}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [one for one in ast.walk(tree) if isinstance(one, ast.ClassDef)]
    begins = [one for node in classes if node.name == machine for one in node.body]
    for node in classes:
        assert node.name == machine or len(attributes(node)) <= 10, f"{node.name} holds {sorted(attributes(node))}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not (node in begins and node.name == "__init__"):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 40, f"{node.name} has {length} lines"
            assert len(parameters(node)) <= 6, f"{node.name} takes {parameters(node)}"


@pytest.mark.parametrize("path", files("plugins", "tests"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_subject(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_use_case_of_its_name(name: str) -> None:
    """A reader guesses the file: module and use case are called the same, and a module uses no other one."""
    use_cases = f"{COLLECTION}plugins.module_utils._use_cases"
    used = {one for one in imports(ROOT / "plugins" / "modules" / f"{name}.py") if under(one, use_cases)}
    assert used, name
    assert all(under(one, f"{use_cases}.{name}") for one in used), used


def test_a_use_case_is_a_modules_or_shared_by_several() -> None:
    there = {path.stem for path in (UTILS / "_use_cases").glob("*.py")} - {"__init__"}
    assert there - set(MODULES) == SHARED_USE_CASES
    assert set(MODULES) <= there


@pytest.mark.parametrize("path", files("plugins"), ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_only_the_wire_imports_the_sdk(path: Path) -> None:
    sdk = [name for name in imports(path) if under(name, "azure", "msal", "requests")]
    assert not sdk or path.is_relative_to(UTILS / "_arm"), sdk


@pytest.mark.parametrize("path", files("plugins"), ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_only_one_util_and_no_module_knows_the_ansible_module(path: Path) -> None:
    named = [name for name in imports(path) if name == "ansible.module_utils.basic.AnsibleModule"]
    assert not named or path == UTILS / "_module.py"


def test_nothing_shipped_knows_the_simulator() -> None:
    word = re.compile(r"simulat|time.?scale", re.IGNORECASE)
    told = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in SHIPPED
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if word.search(line)
    ]
    assert not told


def test_the_action_group_holds_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    # The second is the roles' own: what they say of a group does not take the place of what the user says of the first.
    assert runtime["action_groups"] == {"all": MODULES, "connection": [{"metadata": {"extend_group": ["all"]}}]}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_documents_its_variables_as_they_are(role: str) -> None:
    """Core validates by argument_specs and takes the defaults from defaults/: both must say the same."""
    folder = ROOT / "roles" / role
    specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    documented: dict[str, object] = {}
    for point in specs["argument_specs"].values():
        documented |= {name: spec["default"] for name, spec in point.get("options", {}).items() if "default" in spec}
        assert all(name.startswith(f"{role}_") for name in point.get("options", {}))
    assert documented == defaults


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_readme(role: str) -> None:
    assert f"steady.vmss.{role}" in (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*MODULES, *ROLES, *PLAYBOOKS}))
def test_the_readme_names_every_module_role_and_playbook(name: str) -> None:
    assert re.search(rf"steady\.vmss\.{name}\b", (ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_a_page_names_files_that_exist(page: str) -> None:
    """A path stands in backticks or as a link; a bare file name is beside the path before it."""
    beside = ROOT
    named = re.findall(r"`([\w./-]+\.(?:py|yml|md))`|\]\(([\w./-]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    paths = [path for pair in named for path in pair if path and "NAME" not in path]
    assert len(paths) > 3
    for path in paths:
        found = next((base / path for base in (ROOT, beside, UTILS) if (base / path).is_file()), None)
        assert found or any((ROOT / "roles" / role / path).is_file() for role in ROLES), path
        beside = found.parent if found else beside


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_names_the_variables_that_it_reads(name: str) -> None:
    """Roles have argument_specs; a playbook has the comment at its head. Every one takes the scale set."""
    lines = (ROOT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8").splitlines()
    head = " ".join(line for line in lines if line.startswith("#"))
    body = " ".join(line for line in lines if not line.lstrip().startswith("#"))
    expressions = " ".join([*re.findall(r"{{.*?}}", body), *(line for line in lines if "when: " in line)])
    prefixes = "rollout|upgrade_policy|health_monitor|extension|azure_rolling_upgrade"
    read = set(re.findall(rf"(?<![\w.'])(?:{prefixes})_\w+", expressions))
    read -= {"rollout_resource_group", "rollout_scale_set"}
    assert {
        one for one in read if one not in head and f"{one.partition('_monitor_')[0]}_monitor_*" not in head
    } == set()


SEQUENCES = sorted([*(ROOT / "roles").glob("*/[tv]*/*.yml"), *(ROOT / "playbooks").glob("*.yml")])


def test_yaml_sequences_and_decides_little() -> None:
    """What a user reads and overrides; a Jinja expression that chooses or speaks is one that no test runs."""
    expressions = {path: path.read_text("utf-8").count("{{") for path in SEQUENCES}
    assert sum(expressions.values()) <= 150, expressions


@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_makes_a_sentence_or_an_outcome(path: Path) -> None:
    """A fact is data that a module, a lookup or a filter has made."""

    def facts(task: object) -> Iterator[object]:
        if isinstance(task, list):
            for one in task:
                yield from facts(one)
        elif isinstance(task, dict):
            yield from (value for name, value in task.items() if name == "ansible.builtin.set_fact")
            for value in task.values():
                yield from facts(value)

    for fact in facts(yaml.safe_load(path.read_text("utf-8"))):
        words = re.sub(r"{{.*?}}", "", str(fact))
        assert not re.search(r"[A-Z][a-z]+ [a-z]+|[a-z]+ [a-z]+ [a-z]+", words), fact
        assert "outcome':" not in str(fact) or "__rollout_hook" in str(fact), fact
        assert " ~ " not in str(fact) and " if " not in str(fact), fact


def test_the_role_rollout_is_short() -> None:
    paths = [path for path in SEQUENCES if path.is_relative_to(ROOT / "roles" / "rollout")]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in paths) <= 150


def test_the_oldest_releases_tested_are_the_oldest_supported() -> None:
    def pins(path: str, operator: str) -> dict[str, str]:
        lines = (ROOT / path).read_text(encoding="utf-8").split()
        pairs = (line.split(operator) for line in lines if operator in line)
        return {name: re.sub(r"(\.0)+$", "", version) for name, version in pairs}

    assert pins("tests/requirements/floor.txt", "==") == pins("meta/ee-requirements.txt", ">=")


def test_what_the_wire_imports_is_declared() -> None:
    declared = {re.split("[>=]", line)[0] for line in (ROOT / "meta/ee-requirements.txt").read_text("utf-8").split()}
    brought = {"azure.core", "azure.mgmt.core"}  # by azure-mgmt-compute
    imported = {".".join(name.split(".")[: -1 if "." in name else None]) for name in imports(UTILS / "_arm" / "sdk.py")}
    named = {name for name in imported if under(name, "azure", "requests") and not under(name, *brought)}
    assert named and {name.replace(".", "-") for name in named} <= declared


def test_nothing_that_ansible_test_finds_is_ignored() -> None:
    assert not [path for path in (ROOT / "tests" / "sanity").glob("ignore-*.txt") if path.read_text(encoding="utf-8")]
