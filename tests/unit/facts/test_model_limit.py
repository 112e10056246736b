# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import model_limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import REFUSED, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import End, Report
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout import upgrade_messages

from ..fleet import FORMS, NEW, OLD, START, uniform

# As it was reported.
SAID = (
    "Virtual Machine Scale Set 'web' has reached its limit of 10 models that may be referenced by one or more VMs "
    "belonging to the Virtual Machine Scale Set. Upgrade the VMs to the latest model of the Virtual Machine Scale Set "
    "before trying again."
)
FORM = FORMS["platform"]


def fleet(*machines: tuple[str, bool | None]) -> list[Instance]:
    return [
        Instance(str(number), image=FORM[version], latest_model_applied=applied)
        for number, (version, applied) in enumerate(machines)
    ]


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ([(OLD, False), (OLD, False), (NEW, True)], r"2 of 3 instances do not have the newest model\. .* to 2 models"),
        ([(OLD, False), (NEW, False)], "2 of 2 instances .* to 2 models at least"),
        ([(OLD, False), (OLD, False)], "2 of 2 instances .* to 1 model at least"),
        ([(OLD, True), (OLD, True)], None),
        ([(OLD, None), (NEW, None)], None),
        ([], None),
    ],
)
def test_no_more_is_said_than_is_certain(machines: list[tuple[str, bool | None]], said: str | None) -> None:
    found = model_limit.used(fleet(*machines))
    assert re.search(said, found) if said else found == "", found


def test_a_stop_tells_it() -> None:
    survey = uniform(4).survey()
    behind = replace(survey, instances=tuple(replace(i, latest_model_applied=False) for i in survey.instances))
    report = Report(START, End(why="instance 0 failed"))
    assert "4 of 4 instances do not have the newest model" in upgrade_messages.stopped(behind, report)
    all_new = replace(survey, instances=tuple(replace(i, latest_model_applied=True) for i in survey.instances))
    assert "newest model" not in upgrade_messages.stopped(all_new, report)


@pytest.mark.parametrize("code", ["BadRequest", "OperationNotAllowed", ""])
def test_azures_refusal_comes_with_its_remedy(code: str) -> None:
    text = str(AzureError(Problem(REFUSED, code, SAID, 400), "set the image of scale set web"))
    assert SAID in text and "steady.vmss.instance_upgrade and whole_model: true" in text


def test_another_refusal_has_none() -> None:
    problem = Problem(REFUSED, "BadRequest", "The limit of cores has been reached.")
    assert str(AzureError(problem, "write")) == "Cannot write: BadRequest: The limit of cores has been reached."
