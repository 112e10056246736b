# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the roles and playbooks ask for, judged before a module runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.steady.vmss.plugins.plugin_utils import _asked

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("role", ["rollout", "rollback", "azure_rolling_upgrade"])
def test_the_names_are_those_that_the_role_documents(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text("utf-8"))
    documented = set(specs["argument_specs"]["main"]["options"])
    of_the_role = {"rollout_result", "rollout_batch", "rollout_failure"} if role == "rollout" else set()
    assert _asked.known()[role] - of_the_role == documented


@pytest.mark.parametrize(
    ("given", "playbook", "said"),
    [
        ("rollout_imagee", "", "did you mean rollout_image?"),
        ("rollout_max_unavailble", "", "did you mean rollout_max_unavailable?"),
        ("rollback_image_id", "", "did you mean rollback_image?"),
        ("azure_rolling_upgrade_wait", "", "did you mean azure_rolling_upgrade_wait_for_start?"),
        ("rollout_zzzzzzzz", "", "rollout_zzzzzzzz is no variable of steady.vmss. Correct"),
        ("rollout_back", "", "did you mean rollout_batch?"),
        ("rollout_memory", "", "is no variable"),
        ("health_monitor_prot", "enable_automatic_upgrades", "did you mean health_monitor_port?"),
        ("extension_setting", "recover_credentials", "did you mean extension_settings?"),
        ("health_monitor_state", "enable_automatic_upgrades", "is no variable"),
        ("upgrade_policy_instances", "enable_automatic_upgrades", "is no variable"),
        ("rollout_upgrade_instances", "enable_automatic_upgrades", None),
        ("rollout_upgrade_instances", "upgrade_image", "is no variable"),
        ("rollout_format", "plan", None),
        ("rollout_watch", "status", None),
        ("rollout_watched", "status", "did you mean rollout_watch?"),
        ("rollout_second_per_instance", "plan", "did you mean rollout_seconds_per_instance?"),
        ("rollout_format", "upgrade_image", "is no variable"),
        ("health_monitor_prot", "", None),
        ("extension_setting", "upgrade_image", None),
        ("rollout_image", "", None),
        ("rollout", "", None),
        ("rollouts_of_today", "", None),
        ("my_rollout_image", "", None),
    ],
)
def test_an_unknown_name(given: str, playbook: str, said: str | None) -> None:
    found = _asked.unknown([given, "rollout_scale_set", "ansible_host"], playbook)
    assert (found is None) == (said is None)
    assert found is None or (found[0] == "variable_unknown" and str(said) in found[1])


def test_each_unknown_name_is_told() -> None:
    code, words = _asked.unknown(["rollout_canari", "rollback_imag"]) or ("", "")
    assert "rollback_imag is no variable of steady.vmss; did you mean rollback_image?" in words
    assert "rollout_canari is no variable of steady.vmss; did you mean rollout_canary?" in words
    assert code == "variable_unknown"


@pytest.mark.parametrize(
    ("args", "missing"),
    [
        ({"resource_group": "shop", "name": "web"}, None),
        ({"resource_group": "", "name": "web"}, "rollout_resource_group is not set"),
        ({"resource_group": "shop", "name": None}, "rollout_scale_set is not set"),
        ({"resource_group": "", "name": ""}, "rollout_resource_group and rollout_scale_set are not set"),
    ],
)
def test_a_scale_set_that_nobody_names(args: dict[str, Any], missing: str | None) -> None:
    found = _asked.without_place(args)
    assert (found is None) == (missing is None)
    assert found is None or (missing or "") in found[1]


@pytest.mark.parametrize(
    ("value", "refused"), [("stop", False), ("", False), (None, False), ("rollback", True), ("{{ x }}", True)]
)
def test_a_word_that_only_the_role_reads(value: Any, refused: bool) -> None:
    found = _asked.wrong_word(["azure_rolling_upgrade_on_failure"], lambda _name: value)
    assert (found is not None) == refused
    assert found is None or "must be one of stop, rollback_failed, rollback_all" in found[1]


def test_old_names() -> None:
    assert _asked.deprecated({"rollout_scale_set": "web", "rollback_scale_set": ""}) == ""
    said = _asked.deprecated({"rollback_scale_set": "web"})
    assert said == "rollback_scale_set is deprecated. Use rollout_scale_set instead."
    both = _asked.deprecated({"rollback_scale_set": "web", "rollout_scale_set": "api"})
    assert both == f"{said} rollback_scale_set is ignored, because rollout_scale_set is set."


WEB, API = {"rollout_scale_set": "web"}, {"rollout_scale_set": "api"}


@pytest.mark.parametrize(
    ("own", "refused"),
    [
        ({"a": {}, "b": {}, "c": {}}, "a, b, c"),
        ({"a": WEB, "b": API, "c": WEB}, "a, c"),
        ({"a": WEB, "b": API}, None),
        ({"a": {}}, None),
        ({name: {} for name in "abcdefg"}, "a, b, c, d, e and 2 more"),
    ],
)
def test_hosts_that_would_do_the_same(own: dict[str, Any], refused: str | None) -> None:
    found = _asked.once_per_host("a", list(own), own.__getitem__)
    assert (found is None) == (refused is None)
    assert found is None or f"the hosts {refused}." in found[1]


WRONG_TYPE = "argument '{}' is of type str and we were unable to convert to {}: \"'x'\" cannot be converted"


@pytest.mark.parametrize(
    ("said", "args", "plain"),
    [
        (WRONG_TYPE.format("canary", "int"), {"canary": "50%"}, "rollout_canary is '50%', but must be a whole number."),
        (WRONG_TYPE.format("pause", "float"), {"pause": "5m"}, "rollout_pause is '5m', but must be a number."),
        (
            "value of busy must be one of: wait, skip, got: yes",
            {"busy": "yes"},
            "rollout_busy is 'yes', but must be one of wait, skip.",
        ),
        ("max_unavailable '0' would never do.", {}, "rollout_max_unavailable '0' would never do."),
        ("healthy_for is -3, but must be 0 or more.", {}, "rollout_healthy_for is -3, but must be 0 or more."),
        ("journal_dir '/x' cannot be used.", {}, "rollout_journal_dir '/x' cannot be used."),
        ("image 'x' names none.", {"back": True}, "rollback_image 'x' names none."),
        ("image Canonical:x does not exist.", {}, "image Canonical:x does not exist."),
        ("the image is gone.", {}, "the image is gone."),
    ],
)
def test_an_option_is_told_by_the_name_of_its_variable(said: str, args: dict[str, Any], plain: str) -> None:
    assert _asked.by_variable(said, args) == plain
    unwritten = _asked.by_variable(_asked.unwritten(said), args)
    assert unwritten == f"{plain} Nothing was written." and _asked.unwritten(unwritten) == unwritten


def test_a_word_of_the_extra_variables_that_belongs_to_none_is_refused() -> None:
    """`-e rollout_instance_ids=1 3`: Ansible keeps the 3 apart."""
    code, words = _asked.nameless({"rollout_instance_ids": "1", "_raw_params": "3"}) or ("", "")
    assert code == "option_invalid" and words.startswith("'3' ") and "rollout_instance_ids=1,3" in words
    assert _asked.nameless({"rollout_instance_ids": "1"}) is None
