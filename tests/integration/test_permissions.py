# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A permission that is missing is found before a model is spent; where that cannot be known the rollout goes on."""

from __future__ import annotations

from typing import Any

import pytest
import scenes
from scenes import StartSimulator

UPGRADE = "Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action"
RIGHTS = "Microsoft.Authorization/permissions/read"


def codes(run: Any) -> dict[str, str]:
    (plan,) = (planned for planned in run.of("upgrade_plan_info") if planned.status != "skipped")
    return {finding["code"]: finding["severity"] for finding in plan.result["findings"]}


def test_an_absent_action_is_an_error_before_anything_is_written(simulator: StartSimulator) -> None:
    roles = [{"actions": ["*"], "notActions": ["*/manualUpgrade/*"]}, {"actions": ["Microsoft.Network/*"]}]
    sim = simulator({**scenes.scenario(2), "permissions": {"roles": roles}}, 240)
    run = scenes.roll(sim)
    assert run.rc == 2 and codes(run)["permission_missing"] == "error"
    (said,) = run.failures
    for words in (UPGRADE, "scale set web", "Virtual Machine Contributor", "Nothing was written"):
        assert words in said
    assert sim.metrics()["non_get"] == []


@pytest.mark.parametrize(
    "permissions",
    [
        {"roles": [{"actions": ["*"], "notActions": [RIGHTS]}]},
        {"denied": [UPGRADE]},
    ],
    ids=["unreadable", "deny"],
)
def test_what_the_roles_do_not_tell_stops_nothing_beforehand(
    simulator: StartSimulator, permissions: dict[str, Any]
) -> None:
    sim = simulator({**scenes.scenario(2, update_domains=1), "permissions": permissions}, 240)
    run = scenes.roll(sim, variables={"rollout_max_unavailable": "100%"})
    assert sim.metrics()["by_operation"]["Permissions_ListForResource"] == 1
    if "roles" in permissions:
        assert run.rc == 0, run.output
        assert codes(run)["permissions_not_checked"] == "info"
        return
    assert run.rc == 2 and "permission_missing" not in codes(run)
    assert any(UPGRADE in said and "DenyAssignmentAuthorizationFailed" in said for said in run.failures)
