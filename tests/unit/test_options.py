# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options stand in `_options` alone: the documentation says the same, and a request is what the arguments say."""

from __future__ import annotations

import ast
import importlib
import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.steady.vmss.plugins.module_utils import _module, _options
from ansible_collections.steady.vmss.plugins.module_utils._arm.credentials import VARIABLES
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.upgrade_policy import SECTIONS

MODULES = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "plugins" / "modules").glob("*.py"))
PLUGINS = "ansible_collections.steady.vmss.plugins"
COMPARED = ("type", "elements", "default", "choices", "required")


def kind_of(module: str) -> type[_options.ConnectionOptions]:
    """The request class is called as the module is."""
    kind = getattr(_options, "".join(word.title() for word in module.split("_")) + "Request")
    assert issubclass(kind, _options.ConnectionOptions)
    return kind


def documented(module: str) -> dict[str, Any]:
    """The options of DOCUMENTATION and of the fragments that it names."""
    text: str = importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION
    documentation = yaml.safe_load(text)
    found: dict[str, Any] = {}
    for name in documentation["extends_documentation_fragment"]:
        file, _dot, part = name.removeprefix("steady.vmss.").partition(".")
        fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        found |= yaml.safe_load(getattr(fragment, part.upper() or "DOCUMENTATION"))["options"]
    own = documentation.get("options") or {}
    assert not found.keys() & own.keys(), "documented twice"
    return found | own


def compared(options: dict[str, Any], below: str) -> dict[str, Any]:
    """What is to be the same. `below`: the key of what an option of type dict holds."""
    return {
        name: {
            key: one[key] for key in COMPARED if one.get(key) not in (None, False) or (key == "default" and key in one)
        }
        | ({"options": compared(one[below], below)} if below in one else {})
        for name, one in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_the_documentation_says_what_the_spec_says(module: str) -> None:
    spec = compared(_options.argument_spec(kind_of(module)), "options")
    assert compared(documented(module), "suboptions") == spec


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_request_of_its_name(module: str) -> None:
    source = Path(str(importlib.import_module(f"{PLUGINS}.modules.{module}").__file__)).read_text("utf-8")
    (body,) = (one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef) and one.name == "body")
    assert ast.unparse(body.args.args[1]) == f"request: {kind_of(module).__name__}"
    assert f"_module.run(body, {kind_of(module).__name__}" in " ".join(source.split()).replace("run( ", "run(")


def test_a_request_holds_what_is_given_and_the_defaults() -> None:
    record = {"id": "1" * 32, "target": "a:b:c:1", "previous": None, "state": None}
    found = _options.parse(
        _options.ImageRequest, {"resource_group": "rg", "name": "web", "image": "", "record": record, "timeout": None}
    )
    assert (found.image, found.timeout, found.replaces) == ("", 1800, None)
    assert found.record == _options.RecordOptions(id="1" * 32, target="a:b:c:1", state="in_progress")
    with pytest.raises(TypeError, match="capacity"):
        _options.parse(_options.ImageRequest, {"resource_group": "rg", "name": "web", "image": "", "capacity": 1})
    with pytest.raises(TypeError, match="image"):
        _options.parse(_options.ImageRequest, {"resource_group": "rg", "name": "web"})


def test_an_empty_text_means_the_default_where_there_is_one() -> None:
    """As a survey gives it."""
    given = {"resource_group": "rg", "name": "web", "max_unavailable": "", "subscription_id": ""}
    found = _options.parse(_options.UpgradePlanInfoRequest, given)
    assert (found.max_unavailable, found.subscription_id) == ("20%", "")


def test_what_may_not_be_shown_is_known_as_such() -> None:
    given = {
        "resource_group": "rg",
        "name": "web",
        "extension": "boot",
        "secret": "s3cr3t",
        "protected_settings": {"a": "pr0t"},
    }
    found = _options.parse(_options.ExtensionRequest, given)
    assert _options.secrets(found) == ["s3cr3t", {"a": "pr0t"}]
    assert "s3cr3t" not in repr(found) and "pr0t" not in repr(found)


@pytest.mark.parametrize("kind", ["InstanceUpgradeRequest", "UpgradePlanInfoRequest"])
def test_an_unknown_word_for_what_is_unproven_is_refused(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    with patch_module_args({"resource_group": "rg", "name": "web", "unproven": "always"}), pytest.raises(SystemExit):
        _module.run(lambda *_a, **_k: {}, getattr(_options, kind))
    assert (
        "value of unproven must be one of: report, reimage, got: always" in json.loads(capsys.readouterr().out)["msg"]
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_waits_can_show_it(module: str) -> None:
    options = _options.argument_spec(kind_of(module))
    assert "timeout" not in options or "journal" in options


def test_every_connection_option_has_its_variables() -> None:
    assert list(VARIABLES) == [one.name for one in fields(_options.ConnectionOptions)]


def test_the_role_has_every_connection_option() -> None:
    """`lookup('steady.vmss.connection')` reads them all."""
    path = Path(__file__).resolve().parents[2] / "roles" / "rollout" / "meta" / "argument_specs.yml"
    spec = yaml.safe_load(path.read_text("utf-8"))["argument_specs"]["main"]["options"]
    for name, option in _options.argument_spec(_options.ConnectionOptions).items():
        assert spec[f"rollout_{name}"].get("no_log", False) == option.get("no_log", False)


def test_every_member_of_the_upgrade_policy_is_an_option() -> None:
    spec = _options.argument_spec(_options.UpgradePolicyRequest)
    kinds = {bool: "bool", int: "int", str: "str"}
    for section, (_wire, members) in SECTIONS.items():
        named = {name: {"type": kinds[type(member.default)]} for name, member in members.items()}
        assert spec[section]["options"] == named


@pytest.mark.parametrize(
    ("value", "said"), [(-1, "is -1"), (-0.5, "is -0.5"), (math.inf, "is inf"), (math.nan, "is nan")]
)
def test_a_number_that_counts_nothing_is_refused(value: float, said: str) -> None:
    assert said in _options.unusable_number({"name": "web", "pause": 0, "healthy_for": value})
    assert _options.unusable_number({"name": "web", "canary": None, "pause": 0.0, "chosen": True}) == ""
