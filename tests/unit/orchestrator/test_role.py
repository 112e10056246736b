# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role azure_rolling_upgrade does next and says, of every way its tasks may end."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.role import Asked, Done, role

OLD, NEW = {"version": "1.0.1"}, {"version": "1.0.2"}
RESULT: dict[str, Any] = {"outcome": "upgraded", "target_image": NEW, "previous_image": OLD, "batches": [], "arm": {}}
PLAN: dict[str, Any] = {
    "planned": "start",
    "rollout_result": RESULT,
    "not_done": ["0", "1"],
    "left_alone": {},
    "findings": [],
    "before": None,
    "automatic_os_upgrade": False,
    "upgrade_known": "none",
}
GROUP = {"image": OLD, "failed": ["0"], "all": ["0", "1"], "assumed": []}
UNKNOWN = {"image": None, "failed": ["2"], "all": ["2"], "assumed": []}
STOPPED: dict[str, Any] = {
    "code": "upgrade_stopped",
    "msg": "Azure stopped it.",
    "rollout_result": {**RESULT, "outcome": "stopped", "code": "upgrade_stopped"},
    "reason": {"sentence": "too many"},
    "restored": 0,
    "put_back": [GROUP, UNKNOWN],
}
ASKED = Asked("shop", "web")


def back(*ids: str, failure: str = "") -> dict[str, Any]:
    report = {"image_before": NEW, "image_after": OLD, "outcome": "upgraded"}
    result = {"outcome": "rolled_back", "instances": dict.fromkeys(ids, report)}
    return {"group": {**GROUP, "instance_ids": ["0", "1"]}, "rollout_result": result, "failure": failure}


def test_an_upgrade_that_goes_well() -> None:
    planned = role(Done(PLAN), ASKED)
    assert planned["runs"] and not planned["groups"] and planned["summary"]["instances"] == ["0", "1"]
    assert "no OS disk" in planned["summary"]["rollback"] and "steady.vmss.rollback" in planned["summary"]["rollback"]
    done = role(Done(PLAN, {"rollout_result": RESULT}), ASKED)
    assert (done["failure"], done["rollout_result"]["outcome"]) == ("", "upgraded")


def test_check_mode_runs_nothing() -> None:
    planned = role(Done(PLAN, check_mode=True), ASKED)
    assert not planned["runs"] and planned["report"].startswith("It would be upgraded")


def test_a_plan_that_is_refused() -> None:
    refused = role(Done({"code": "not_ready", "msg": "It is not ready."}), ASKED)
    assert not refused["runs"] and refused["summary"] is None
    assert refused["failure"] == "not_ready: It is not ready." and refused["rollout_result"]["outcome"] == "refused"


@pytest.mark.parametrize(
    ("on_failure", "end", "ids"),
    [
        ("stop", STOPPED, []),
        ("", STOPPED, []),
        ("rollback_failed", STOPPED, [["0"]]),
        ("rollback_all", STOPPED, [["0", "1"]]),
        ("rollback_all", {**STOPPED, "restored": None}, []),  # Azure may have put them back itself
        ("rollback_all", {**STOPPED, "reason": None}, []),
        ("rollback_all", {**STOPPED, "rollout_result": {**RESULT, "outcome": "rolled_back"}}, []),
        ("rollback_all", {"rollout_result": RESULT, "put_back": [GROUP]}, []),
    ],
)
def test_what_is_put_back(on_failure: str, end: dict[str, Any], ids: list[list[str]]) -> None:
    found = role(Done(PLAN, end), Asked("shop", "web", on_failure=on_failure))
    assert [group["instance_ids"] for group in found["groups"]] == ids
    extensions = role(Done(PLAN, end), Asked("shop", "web", type="extensions", on_failure=on_failure))
    assert extensions["groups"] == []


def test_a_way_back_that_goes_well_is_told() -> None:
    automatic = {**PLAN, "automatic_os_upgrade": True}
    asked = Asked("shop", "web", on_failure="rollback_all")
    assert role(Done(automatic, STOPPED), asked)["turns_off"]
    found = role(Done(automatic, STOPPED, {"changed": True}, [back("0", "1")]), asked)
    assert found["rollout_result"]["outcome"] == "rolled_back"
    for words in (
        "upgrade_stopped: Azure stopped it.",
        "What instances 2 ran before is not known",
        "Instances 0, 1 run 1.0.1 now, as before. The model names 1.0.1.",
        "Automatic OS upgrades are off now",
    ):
        assert words in found["failure"]


def test_what_keeps_instances_from_going_back_is_told() -> None:
    asked = Asked("shop", "web", on_failure="rollback_all")
    found = role(Done(PLAN, STOPPED, {}, [back("0", failure="instances_failed: instance 1 is sick.")]), asked)
    assert "Instances 1 could not be rolled back. The cause: instances_failed" in found["failure"]
    assert not found["goes_on_back"]
    off = {"code": "azure_would_upgrade", "msg": "in mode Rolling, Azure may bring instances."}
    found = role(Done({**PLAN, "automatic_os_upgrade": True}, STOPPED, off), asked)
    assert found["groups"] == []
    assert "Instances 0, 1 could not be rolled back. The cause: in mode Rolling" in found["failure"]


@pytest.mark.parametrize(
    "end",
    [
        {"code": "sign_in_refused", "msg": "Cannot read scale set web: AADSTS7000222.", "arm": {}},
        {"code": "task_failed", "msg": "The module ended without a result.", "module_stdout": ""},
    ],
)
def test_a_module_that_could_not_say_what_runs_where(end: dict[str, Any]) -> None:
    told = role(Done({**PLAN, "done": ["2", "3"]}, end), ASKED)["failure"]
    assert told == f"{end['code']}: {end['msg']} When the role began, of its instances 2, 3 ran 1.0.2; 0, 1 did not."
    none = role(Done({**PLAN, "done": []}, end), ASKED)["failure"]
    assert none.endswith("When the role began, of its instances none ran the newest version; 0, 1 did not.")
