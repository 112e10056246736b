# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's codes and words, as users reported them, and what is made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import stop_reason

UPGRADED = Problem(
    problems.REFUSED,
    "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
    "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in the "
    "RollingUpgradePolicy. 100% of instances are in an unhealthy state after being upgraded - more than the threshold "
    "of 10%. The most impactful error is: Instance found to be unhealthy or unreachable.. First failed instance ID is: "
    "0.",
)
WHOLE = Problem(
    problems.REFUSED,
    "MaxUnhealthyInstancePercentExceededInRollingUpgrade",
    "Rolling Upgrade failed after exceeding the MaxUnhealthyInstancePercent value. 45% of instances are in an "
    "unhealthy state - more than the threshold of 20%. To apply upgrades, consider increasing the "
    "MaxUnhealthyInstancePercent value.",
)
BEFORE = Problem(
    problems.REFUSED,
    "MaxUnhealthyInstancePercentExceededBeforeRollingUpgrade",
    "Rolling Upgrade failed due to exceeding…",
)


@pytest.mark.parametrize(
    ("said", "threshold", "percent", "allowed", "instance", "words"),
    [
        (
            UPGRADED,
            "maxUnhealthyUpgradedInstancePercent",
            100,
            10,
            "0",
            ("instance 0 failed first", "roll back", "100 %"),
        ),
        (
            WHOLE,
            "maxUnhealthyInstancePercent",
            45,
            20,
            "",
            ("45 % is over", "of 20 %", "what is upgraded stays upgraded"),
        ),
        (BEFORE, "maxUnhealthyInstancePercent", None, None, "", ("no instance was touched", "steady.vmss.status")),
    ],
)
def test_the_three_thresholds(
    said: Problem, threshold: str, percent: int | None, allowed: int | None, instance: str, words: tuple[str, ...]
) -> None:
    found = stop_reason.of(said)
    assert found is not None
    assert (found.threshold, found.percent, found.allowed_percent) == (threshold, percent, allowed)
    assert found.instance_id == instance
    for word in (*words, said.code):
        assert word in str(found)
    assert found.as_dict()["sentence"] == str(found)


def test_the_cause_is_azures_most_impactful_error() -> None:
    found = stop_reason.of(UPGRADED)
    assert found is not None and found.cause == "Instance found to be unhealthy or unreachable"


@pytest.mark.parametrize(
    ("code", "message", "details", "instance", "words"),
    [
        ("RollingUpgradeBatchStartTimeNotWithinScheduledWindows", "late", (), "", "next window"),
        ("VMExtensionProvisioningError", "VM 'web_7' has reported a failure", (), "web_7", "recover_credentials"),
        ("AllocationFailed", "m", (("AllocationFailed", "/x/virtualMachines/4", "none"),), "4", "maxSurge"),
        (
            "Other",
            "m",
            (("ResizeDiskError", "/x/virtualMachines/4/disks/os", "too small"),),
            "4",
            "its error: ResizeDisk",
        ),
        ("SomethingNew", "words", (), "", "SomethingNew: words"),
        ("", "words alone", (), "", "words alone"),
    ],
)
def test_other_codes(
    code: str, message: str, details: tuple[tuple[str, str, str], ...], instance: str, words: str
) -> None:
    found = stop_reason.of(Problem(problems.REFUSED, code, message, details=details))
    assert found is not None and (found.threshold, found.instance_id) == ("", instance)
    assert words in str(found)


def test_no_error_has_no_reason() -> None:
    assert stop_reason.of(None) is None


@given(st.text(), st.text())
def test_whatever_azure_says_is_kept(code: str, message: str) -> None:
    found = stop_reason.of(Problem(problems.REFUSED, code, message))
    assert found is not None and (found.code, found.said) == (code, message)
    assert str(found).endswith(".")
