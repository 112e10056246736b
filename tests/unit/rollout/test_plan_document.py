# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as text, as Markdown and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._rollout import plan_document

LIMIT = {"name": "reads of the instances", "calls": 25, "busiest_minute": 8, "a_minute": 10, "burst": 30}
FINDING = {"severity": "warning", "code": "no_health_source", "sentence": "scale set web has no health source."}
BATCHES = [
    {"number": 1, "label": "update domain 0", "instance_ids": ["0"], "adopted": False, "available": 4, "seconds": 95},
    {"number": 2, "label": "update domain 1", "instance_ids": ["1", "2", "3"], "adopted": True, "available": 2}
    | {"seconds": 192},
]
PLAN: dict[str, Any] = {
    "resource_group": "shop",
    "name": "web",
    "location": "westeurope",
    "orchestration_mode": "Uniform",
    "domains": 2,
    "there": 5,
    "running": [{"image": "a:b:c:1", "instances": 4}, {"image": "a:b:c:2", "instances": 1}],
    "target": "a:b:c:2",
    "errors": [],
    "nothing_to_do": False,
    "write_model": True,
    "in_the_way": "",
    "batches": BATCHES,
    "counted": 5,
    "lowest_available": 2,
    "unavailable": {"max_allowed": 3, "now": 0},
    "duration": {"seconds": 287, "rests_on": "given", "rollouts": 0},
    "canary": {"batches": 1, "seconds": 95},
    "calls": {"total": 45, "writes": 4, "limits": [LIMIT, {**LIMIT, "name": "writes", "calls": 0}]},
    "suspend": ["AutomaticRepairs"],
    "resume": ["AutomaticRepairs"],
    "check": [],
    "left_alone": {"7": "deallocated"},
    "busy": {},
    "findings": [{**FINDING, "severity": "info", "code": "canary"}, FINDING],
}
TEXT = """\
shop/web  Uniform, 5 instances, 2 domains, westeurope
  runs       4 a:b:c:1, 1 a:b:c:2
  target     a:b:c:2
  outcome    would be upgraded: the model is written, then 4 instances in 2 batches
  available  2 of 5 at the least; 3 instances may be unavailable at once
  duration   about 4 min 47 s, by rollout_seconds_per_instance and without your task files
  canary     1 batch more, about 1 min 35 s; rollout_canary: 0 turns it off
  calls      about 45, 4 of them writes; in the busiest minute 8 reads of the instances (limit 10, burst 30)
  suspends   AutomaticRepairs
  resumes    AutomaticRepairs
  skips      7 (deallocated)
  batch 1    update domain 0, 1 instance: 0; 4 of 5 available; about 1 min 35 s
  batch 2    update domain 1, 3 instances: 1-3, started already; 2 of 5 available; about 3 min 12 s
  warning    no_health_source: scale set web has no health source.
  info       canary: scale set web has no health source.
"""


def test_text() -> None:
    assert plan_document.lines(PLAN, "text") == plan_document.shown(PLAN, "text") == TEXT.splitlines()


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"nothing_to_do": True, "batches": []}, "outcome", "would be unchanged: nothing is to do"),
        ({"errors": ["No."]}, "outcome", "would be refused, and nothing written"),
        ({"in_the_way": "2 are busy", "batches": []}, "outcome", "; it waits first: 2 are busy"),
        ({"duration": {"seconds": None, "rests_on": "assumed", "rollouts": 0}}, "duration", "not known: set rollout_s"),
        (
            {"duration": {"seconds": None, "rests_on": "assumed", "rollouts": 0}},
            "calls",
            "45 if an instance takes 3 min",
        ),
        (
            {"duration": {"seconds": 9, "rests_on": "journals", "rollouts": 1}},
            "duration",
            "9 s, by the journal of 1 ear",
        ),
        (
            {"duration": {"seconds": 7500, "rests_on": "journals", "rollouts": 2}},
            "duration",
            "about 2 h 5 min, by the j",
        ),
        ({"canary": None}, "canary", ""),
        ({"canary": {"batches": 2, "seconds": None}}, "canary", "2 batches more; rollout_canary"),
        (
            {"calls": {**PLAN["calls"], "limits": [{**LIMIT, "busiest_minute": 31}]}},
            "calls",
            "; Azure delays the reads",
        ),
        ({"check": [{"instance_ids": ["1", "2"]}, {"instance_ids": ["9"]}]}, "checks", "1-2, 9"),
        ({"running": []}, "runs", "no instances"),
    ],
)
def test_what_a_line_says(changes: dict[str, Any], name: str, said: str) -> None:
    lines = [line for line in plan_document.text({**PLAN, **changes}) if line.split()[0] == name]
    assert (len(lines), said in "".join(lines)) == (1 if said else 0, True), lines


@pytest.mark.parametrize("missing", ["available", "duration", "canary", "calls"])
def test_a_plan_that_is_refused_tells_no_figures(missing: str) -> None:
    assert not [line for line in plan_document.text({**PLAN, "errors": ["No."]}) if line.split()[0] == missing]


def test_json_is_the_plan() -> None:
    assert json.loads("\n".join(plan_document.lines(PLAN, "json"))) == plan_document.shown(PLAN, "json") == PLAN


def test_markdown() -> None:
    lines = plan_document.shown(PLAN, "markdown")
    assert lines[0] == "**Plan of the rollout to `shop/web`**"
    assert "| duration | about 4 min 47 s, by rollout\\_seconds\\_per\\_instance and without your task files |" in lines
    assert "| 2 | update domain 1 | 3: 1-3 | 2 of 5 | 3 min 12 s |" in lines
    assert "- **warning** `no_health_source`: scale set web has no health source." in lines


def test_markdown_of_hostile_text_is_harmless() -> None:
    """In a comment it makes no link, no table, no HTML and no notification."""
    hostile = {**FINDING, "sentence": "a | b <img src=x> [c](http://d) @team `e`\n# f *g*"}
    (line,) = [one for one in plan_document.markdown({**PLAN, "findings": [hostile]}) if "a \\|" in one]
    assert line.endswith("a \\| b \\<img src=x\\> \\[c\\](http://d) &#64;team \\`e\\` \\# f \\*g\\*")
