# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which findings the call that turns automatic upgrades on repairs itself, and what it asks of the other modules."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import AutomaticUpgradesRequest, parse
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import automatic_upgrades

SOURCE = {"health_monitor": {"source": "load_balancer_probe", "probe_id": "one", "replace": None}}
FOUND = ("no_health_source", "health_sources", "probe_flexible", "probe_interval", "load_balancer_basic")
ERRORS = (*FOUND, "image_pinned", "patch_mode")


def request(**options: Any) -> AutomaticUpgradesRequest:
    return parse(AutomaticUpgradesRequest, {"resource_group": "shop", "name": "web", **options})


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, ERRORS),
        ({"follow_latest": True}, (*FOUND, "patch_mode")),
        (SOURCE, ("image_pinned", "patch_mode")),
        ({**SOURCE, "follow_latest": True}, ("patch_mode",)),
    ],
)
def test_what_is_neither_given_nor_repaired_is_refused(options: dict[str, Any], refused: tuple[str, ...]) -> None:
    found = [{"severity": "error", "code": code, "sentence": code} for code in ERRORS]
    found.append({"severity": "warning", "code": "image_unknown", "sentence": "image_unknown"})
    said = automatic_upgrades.in_the_way(request(**options), found)
    assert [one.partition(" ")[0] for one in said] == list(refused)
    ways = [word in one for one in said for word in ("health_monitor_source", "rollout_follow_latest")]
    assert ways.count(True) == len(set(refused) - {"patch_mode"})
    assert automatic_upgrades.refusal("web", refused).endswith(f"web is not ready: {' '.join(refused)}")


def test_settings_without_a_source_are_refused() -> None:
    with pytest.raises(Refused, match="health_monitor_port and health_monitor_request_path are given without"):
        automatic_upgrades.source(request(health_monitor={"port": 80, "request_path": "/"}))


@pytest.mark.parametrize(
    ("rolling", "given", "used"),
    [
        (None, None, None),
        (None, {"use_rolling_upgrade_policy": True}, True),
        ({"max_surge": False}, None, True),
        ({"max_surge": False}, {"use_rolling_upgrade_policy": False}, False),
        ({"max_surge": False}, {"disable_automatic_rollback": False}, True),
    ],
)
def test_a_rolling_policy_that_is_given_holds_unless_it_is_turned_off(
    rolling: dict[str, Any] | None, given: dict[str, Any] | None, used: bool | None
) -> None:
    asked = request(rolling_upgrade_policy=rolling, automatic_os_upgrade_policy=given, upgrade_mode="Manual")
    policy = automatic_upgrades.policy(asked)
    automatic = asdict(policy.automatic_os_upgrade_policy)  # type: ignore[call-overload]
    assert (policy.mode, automatic["enable_automatic_os_upgrade"]) == ("Manual", True)
    assert automatic["use_rolling_upgrade_policy"] is used
    assert automatic["disable_automatic_rollback"] == (given or {}).get("disable_automatic_rollback")
    assert policy.rolling_upgrade_policy == asked.rolling_upgrade_policy


def test_a_health_source_is_asked_of_the_same_scale_set() -> None:
    asked = request(**SOURCE, azure_may_upgrade=True, timeout=60)
    source = automatic_upgrades.source(asked)
    assert source is not None and (source.resource_group, source.name, source.timeout) == ("shop", "web", 60)
    assert (source.source, source.probe_id, source.azure_may_upgrade) == ("load_balancer_probe", "one", True)
    assert automatic_upgrades.source(request()) is None


def test_the_report_names_a_mode_that_was_changed() -> None:
    assert "The upgrade mode was Rolling and is Manual now." in automatic_upgrades.report(
        "Rolling", "Manual", check_mode=False
    )
    for before, check_mode in (("Manual", False), ("Rolling", True)):
        assert "mode" not in automatic_upgrades.report(before, "Manual", check_mode=check_mode)
