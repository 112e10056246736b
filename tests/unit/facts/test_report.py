# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.utils.vars import merge_hash

from ansible_collections.steady.vmss.plugins.module_utils._facts.report import InstanceOutcome, merge, stats

from ..fleet import FORMS, NEW, OLD, uniform


def test_the_result_of_a_run() -> None:
    fleet = uniform(5)
    previous, target = FORMS["platform"][OLD], FORMS["platform"][NEW]
    result = fleet.roll().report.as_dict("7f3c", "/set", target, previous)
    assert result["id"] == "7f3c" and result["outcome"] == "upgraded" and result["scale_set"] == "/set"
    assert result["target_image"]["version"] == NEW and result["previous_image"]["version"] == OLD
    assert [batch["number"] for batch in result["batches"]] == [1, 2, 3, 4, 5]
    assert result["batches"][0]["label"] == "update domain 0" and result["batches"][0]["outcome"] == "upgraded"
    assert result["unavailable"] == {"max_allowed": 1, "max_seen": 1}
    one = result["instances"]["0"]
    assert one["image_before"]["version"] == OLD and one["image_after"]["version"] == NEW
    assert one["attempts"] == 1 and 180 <= one["seconds_unavailable"] <= 280


def step(outcome: str, **fields: object) -> dict[str, object]:
    return {"outcome": outcome, "arm": {"calls": 3, "throttled_seconds": 0.5}, **fields}


@pytest.mark.parametrize(
    ("outcomes", "last"),
    [
        (["unchanged"], "unchanged"),
        (["upgraded", "upgraded"], "upgraded"),
        (["upgraded", "unchanged"], "upgraded"),
        (["upgraded", "stopped"], "stopped"),
        (["upgraded", "stopped", "rolled_back"], "rolled_back"),
        (["", "upgraded", ""], "upgraded"),
    ],
)
def test_the_last_word_of_several_steps(outcomes: list[str], last: str) -> None:
    assert merge([step(outcome) for outcome in outcomes])["outcome"] == last


def test_steps_add_up() -> None:
    merged = merge(
        [
            step("", id="7f3c", started="a", why=""),
            step("upgraded", started="b", finished="c", batches=[1], unavailable={"max_allowed": 2, "max_seen": 2}),
            step(
                "stopped",
                why="broken",
                finished="d",
                batches=[2],
                instances={"0": {"image_before": "new", "image_after": "newer", "outcome": "failed"}},
                unavailable={"max_allowed": 1, "max_seen": 1},
            ),
        ]
    )
    assert merged["arm"] == {"calls": 9, "writes": 0, "retries": 0, "conflicts": 0, "throttled_seconds": 1.5}
    assert (
        merged["id"] == "7f3c" and merged["started"] == "a" and merged["finished"] == "d" and merged["why"] == "broken"
    )
    assert merged["batches"] == [1, 2] and merged["unavailable"] == {"max_allowed": 2, "max_seen": 2}


def test_an_instance_touched_twice_keeps_its_first_image() -> None:
    reports = [("a", "b"), ("b", "c")]
    steps = [
        step("upgraded", instances={"0": {"image_before": before, "image_after": after, "outcome": "upgraded"}})
        for before, after in reports
    ]
    merged = merge(steps)
    assert merged["instances"] == {"0": {"image_before": "a", "image_after": "c", "outcome": "upgraded"}}
    assert merge([merge(steps[:1]), *steps[1:]]) == merged


def test_what_was_put_back_does_not_count_as_upgraded() -> None:
    there = step(
        "stopped", instances={key: {"image_before": "a", "image_after": "b", "outcome": "failed"} for key in "01"}
    )
    back = step(
        "upgraded",
        puts_back=True,
        instances={
            "0": {"image_before": "b", "image_after": "a", "outcome": "upgraded"},
            "1": {"image_before": "b", "image_after": "b", "outcome": "failed"},
        },
    )
    merged = merge([there, back, step("rolled_back")])
    assert merged["instances"]["0"] == {"image_before": "a", "image_after": "a", "outcome": "rolled_back"}
    assert merged["instances"]["1"]["outcome"] == "failed"
    assert "puts_back" not in merged


def test_what_a_workflow_gets() -> None:
    fleet = uniform(5)
    result = fleet.roll().report.as_dict("7f3c", "/set", FORMS["platform"][NEW], FORMS["platform"][OLD])
    (kept,) = stats("shop/web", {**result, "arm": {"calls": 31}}, "/journals/web-7f3c.jsonl")["steady_vmss"].values()
    assert (kept["outcome"], kept["code"], kept["id"], kept["batches"]) == ("upgraded", "", "7f3c", 5)
    assert kept["instances"] == {**dict.fromkeys(t.get_args(InstanceOutcome), 0), "upgraded": 5}
    assert (kept["arm_calls"], kept["journal"]) == (31, "/journals/web-7f3c.jsonl")
    assert kept["target_image"].endswith(f":{NEW}") and kept["previous_image"].endswith(f":{OLD}")


@pytest.mark.parametrize("result", [{}, merge([{"outcome": "refused", "code": "option_invalid"}])])
def test_what_a_workflow_gets_of_a_refusal_has_the_same_members(result: dict[str, t.Any]) -> None:
    """Ansible merges what a play keeps: a member that were missing would be that of the set's rollout before."""
    upgraded = merge([step("upgraded", target_image={"id": "/images/1"}, id="7f3c")])
    before, now = stats("shop/web", upgraded, "/journal"), stats("shop/web", result)
    assert merge_hash(before, now) == now
    assert now["steady_vmss"]["shop/web"]["outcome"] == "refused"
