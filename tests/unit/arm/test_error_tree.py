# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's errors are trees: what is shown is the innermost cause, wherever it stands, and once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import problem_of_answer
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem

VHD = "https://store.blob.core.windows.net/vhds/web.vhd"
RESIZE = {"code": "ResizeDiskError", "message": "The disk web_4_OsDisk cannot be resized down."}
SET = "/subscriptions/s/resourceGroups/rg_4/providers/Microsoft.Compute/virtualMachineScaleSets/web"


def problem(error: Any) -> Problem:
    return problem_of_answer(400, {}, json.dumps({"error": error}))


def failed(error: Any) -> Problem:
    found = reading.operation({"status": "Failed", "error": error}).problem
    assert found is not None
    return found


@pytest.mark.parametrize(
    "error",
    [
        {"code": "ResourceOperationFailure", "details": [RESIZE]},
        {"code": "ResourceOperationFailure", "message": "", "details": [{"code": "Outer", "details": [RESIZE]}]},
        {"code": "ResourceOperationFailure", "message": None, "innererror": {**RESIZE, "innererror": {}}},
        {"code": "ResourceOperationFailure", "innerError": RESIZE},
        {"code": "ResourceOperationFailure", "additionalInfo": [{"type": "Disk", "info": RESIZE}]},
        {"code": "ResourceOperationFailure", "message": json.dumps({"error": RESIZE}, indent=2)},
        {"code": "ResourceOperationFailure", "message": json.dumps(json.dumps(RESIZE))},
        {"code": "ResourceOperationFailure", "message": json.dumps({"status": "Failed", "error": RESIZE})},
        {"code": "ResourceOperationFailure", "details": [{"message": json.dumps([RESIZE])}]},
        {"code": "ResourceOperationFailure", "details": [RESIZE, RESIZE, {"code": "Outer", "details": [RESIZE]}]},
    ],
)
def test_the_innermost_cause_is_shown_once(error: Any) -> None:
    for found in (problem(error), failed(error)):
        assert str(found) == "ResourceOperationFailure: ResizeDiskError: The disk web_4_OsDisk cannot be resized down."


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"code": "A", "message": "a.", "details": [{"code": "B", "message": "b."}]}, "A: a: B: b."),
        ({"code": "A", "message": "a.", "details": [{"code": "A", "message": "a."}]}, "A: a."),
        ({"code": "A", "message": "a.", "details": [{"code": "B", "message": "a."}]}, "A: a: B"),
        ({"code": "A", "message": "a.", "details": [{"code": "B"}]}, "A: a: B"),
        ({"code": "A", "message": "a.", "details": [{"target": "x"}, "odd", None]}, "A: a."),
        ({"code": "A", "details": [{"message": "outer", "details": [{"code": "B"}]}]}, "A: B: outer"),
        ({"code": "A", "innererror": {"exceptiontype": "Some.Exception", "errordetail": "why"}}, "A: why"),
        ({"code": "A", "message": "a", "innererror": {"exceptiontype": "Some.Exception"}}, "A: a"),
        (
            {"code": "A", "message": 'Failed. Details: {"error": {"code": "B", "message": "b."}} See the log.'},
            "A: Failed. Details: B: b. See the log.",
        ),
        (
            {"code": "A", "message": 'Error message: "{\\"error\\": {\\"code\\": \\"B\\", \\"message\\": \\"b\\"}}"'},
            'A: Error message: "B: b"',
        ),
        ({"code": "A", "message": 'the value {"x": 1} is odd'}, 'A: the value {"x": 1} is odd'),
        ({"code": "A", "message": "the value {x} is odd: {"}, "A: the value {x} is odd: {"),
        (
            {"code": "A", "message": "a", "additionalInfo": [{"type": "Quota", "info": {"limit": 10, "asked": 12}}]},
            "A: a: Quota: limit=10, asked=12",
        ),
        ({"code": "A", "message": "a", "additionalInfo": [{"type": "Odd", "info": "words"}, {}]}, "A: a: Odd: words"),
    ],
)
def test_words_in_every_place(error: Any, shown: str) -> None:
    assert str(problem(error)) == shown


def test_the_same_cause_on_several_instances_is_told_once_with_them() -> None:
    none_left = {"code": "AllocationFailed", "message": "none left"}
    details = [{**none_left, "target": target} for target in ("3", f"{SET}/virtualMachines/5", "7", "9")]
    shown = str(failed({"code": "Many", "message": "4 failed.", "details": details}))
    assert shown == "Many: 4 failed: AllocationFailed: none left (target 3, 5, 7 and 1 more)"


def test_many_causes_are_counted() -> None:
    details = [{"code": f"C{number}", "message": f"words of {number}"} for number in range(9)]
    shown = str(failed({"code": "Many", "message": "9 failed.", "details": details}))
    assert shown.startswith("Many: 9 failed: C0: words of 0; C1: ") and shown.endswith("C4: words of 4; and 4 more")


@pytest.mark.parametrize(
    "target",
    [
        "4",
        "web_4",
        f"{SET}/virtualMachines/4",
        f"{SET}/virtualMachines/4/extensions/health",
        f"{SET}/virtualMachines/web_4/networkInterfaces/nic_1",
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web_4/extensions/health",
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/web_web_4_OsDisk_1_0a1b",
    ],
)
def test_an_instance_has_what_is_said_of_it_and_below_it(target: str) -> None:
    others = [{"code": "Other", "target": f"{SET}/virtualMachines/14/extensions/4", "message": "another instance"}]
    mine = {"code": "VMExtensionProvisioningError", "target": target, "message": "it failed"}
    whole = failed({"code": "Many", "message": "m", "details": [*others, mine]})
    assert whole.of("4") == "VMExtensionProvisioningError: it failed"
    assert whole.of("14") == "Other: another instance"
    assert whole.of("5") == ""


def test_what_hangs_below_the_instances_detail_is_its_own() -> None:
    detail = {"code": "Outer", "target": "4", "message": "outer", "details": [{**RESIZE, "target": "osDisk"}]}
    whole = failed({"code": "Many", "message": "m", "details": [detail, {**detail, "target": "5", "details": []}]})
    assert whole.of("4") == "ResizeDiskError: The disk web_4_OsDisk cannot be resized down."
    assert whole.of("5") == "Outer: outer"


def test_several_causes_of_one_instance_are_all_told() -> None:
    details = [{"code": code, "target": "4", "message": "m"} for code in ("A", "B", "A")]
    assert failed({"code": "Many", "message": "x", "details": details}).of("4") == "A: m; B: m"


INFO = {
    "policyAssignmentDisplayName": "Approved images only",
    "policyAssignmentId": "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/images",
    "policyAssignmentName": "images",
    "policyDefinitionDisplayName": "Scale sets run approved images",
    "policyDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/0f1e",
    "policyDefinitionName": "0f1e",
    "policyDefinitionEffect": "deny",
    "policyAssignmentParameters": {"sas": {"value": f"{VHD}?sig=signature"}},
    "evaluationDetails": {"evaluatedExpressions": [{"result": "True", "path": "type", "operator": "Equals"}]},
}
DENIED = {
    "code": "RequestDisallowedByPolicy",
    "target": "web",
    "message": "Resource 'web' was disallowed by policy. See error details for policy resource IDs.",
    "additionalInfo": [{"type": "PolicyViolation", "info": INFO}],
}


@pytest.mark.parametrize("error", [DENIED, {"code": "BadRequest", "message": "Refused.", "details": [DENIED]}])
def test_a_policy_that_denies_is_named(error: Any) -> None:
    shown = str(problem_of_answer(403, {}, json.dumps({"error": error})))
    for name in ("AssignmentDisplayName", "AssignmentId", "DefinitionDisplayName", "DefinitionId"):
        assert shown.count(INFO[f"policy{name}"]) == 1
    assert "disallowed by policy" in shown and "signature" not in shown


def test_a_policy_without_display_names_has_its_names() -> None:
    info = {name: value for name, value in INFO.items() if "DisplayName" not in name}
    info |= {"policySetDefinitionDisplayName": "Baseline", "policySetDefinitionName": "b1"}
    shown = str(problem({**DENIED, "additionalInfo": [{"type": "PolicyViolation", "info": info}]}))
    assert "assignment 'images' (/sub" in shown and "definition '0f1e' (/sub" in shown and "'Baseline'" in shown


def test_a_policy_that_the_message_names_is_named_once() -> None:
    ids = {word: {"name": "x", "id": INFO[f"{word}Id"]} for word in ("policyAssignment", "policyDefinition")}
    said = f"Resource 'web' was disallowed by policy. Policy identifiers: '{json.dumps([ids])}'."
    shown = str(problem({**DENIED, "message": said}))
    assert shown.count(str(INFO["policyAssignmentId"])) == 1


def test_a_policys_denial_is_no_missing_permission() -> None:
    def kind(error: dict[str, Any]) -> str:
        return problem_of_answer(403, {}, json.dumps({"error": error})).kind

    assert kind(DENIED) == problems.REFUSED
    assert kind({"code": "AuthorizationFailed", "message": "m"}) == problems.DENIED


@pytest.mark.parametrize(
    ("error", "hidden"),
    [
        ({"message": json.dumps({"error": {"code": "B", "message": f"{VHD}?sig=signature"}})}, "signature"),
        ({"innererror": {"errordetail": "client_secret=signature"}}, "signature"),
        ({"additionalInfo": [{"type": "x", "info": {"sas_token": "signature", "uri": f"{VHD}?sig=b"}}]}, "signature"),
    ],
)
def test_no_secret_in_any_place(error: Any, hidden: str) -> None:
    found = problem({"code": "A", **error})
    assert hidden not in repr(found) + str(found)


@pytest.mark.parametrize("depth", [5, 400, 50_000])
def test_no_depth_is_too_deep(depth: int) -> None:
    text = '{"error": ' + '{"code": "A", "innererror": ' * depth + json.dumps(RESIZE) + "}" * depth + "}"
    assert problem_of_answer(400, {}, text)
    assert problem({"code": "A", "message": text})


@pytest.mark.parametrize("piece", ['{"', '{\\"', '{"error":', '[{"code":"x"},', '"{\\"a\\":1}"'])
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    problem({"code": "A", "message": text, "details": [{"message": text[:100_000]}] * 20})
    assert time.process_time() - began < 2
