# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the parts of a rollout take, of journals as they are found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.times import timestamp
from ansible_collections.steady.vmss.plugins.module_utils._journal import earlier
from ansible_collections.steady.vmss.plugins.module_utils._rollout import pace
from ansible_collections.steady.vmss.plugins.module_utils._rollout.pace import BatchPace

WEB = "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"


def journal(*events: tuple[float, str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"time": timestamp(at), "event": event, "scale_set": WEB, **facts} for at, event, facts in events]


def batch(begins: float, size: int, operation: float, settle: float, **ended: Any) -> list[Any]:
    sent, over = begins + 1, begins + 1 + operation
    return [
        (begins, "batch_begins", {"instances": [str(one) for one in range(size)]}),
        (sent, "upgrade_sent", {}),
        (over, "operation_ended", {"status": "Succeeded"}),
        (over + settle, "batch_ended", {"outcome": "upgraded", **ended}),
    ]


GOOD = journal(
    (0, "planned", {}),
    (1, "model_write_sent", {}),
    (21, "model_written", {}),
    *batch(30, 1, 60, 10),
    *batch(131, 10, 90, 20),
    (250, "model_write_sent", {}),
    (280, "model_written", {}),
)


def test_a_journal_tells_each_part() -> None:
    found = pace.of_journals([GOOD])
    assert found is not None
    assert found.batches == (BatchPace(1, 60, 10), BatchPace(10, 90, 20))
    assert (found.between, found.write, found.rollouts, found.rests_on) == (30, 25, 1, "journals")


@pytest.mark.parametrize(("size", "as_long_as"), [(1, (75, 15)), (2, (75, 15)), (3, (90, 20)), (100, (75, 15))])
def test_a_batch_takes_what_batches_of_half_its_size_and_more_took(size: int, as_long_as: tuple[float, float]) -> None:
    found = pace.of_journals([GOOD])
    assert found is not None
    assert (found.of(size).operation, found.of(size).settle) == as_long_as


@pytest.mark.parametrize(
    "events",
    [
        [],
        journal((0, "planned", {})),
        journal(*batch(0, 5, 60, 10, outcome="stopped")),
        journal(*batch(0, 5, 60, 10)[:3]),  # cut off
        journal(*batch(0, 5, 60, 10)[:1], *batch(0, 5, 60, 10)[2:]),  # adopted
        journal(*batch(0, 5, 60, 10)[:2], *batch(0, 5, 60, 10)[1:]),  # a second request
        journal(*batch(0, 5, -60, 10)),
        journal(*batch(0, 5, 2 * pace.MOST, 10)),  # a forecast would walk through it
        journal(*batch(0, 5, 60, 2 * pace.MOST)),
        [{"event": "batch_begins", "instances": "all", "time": "now"}, {"event": None}, {}],
    ],
)
def test_a_journal_that_tells_nothing(events: list[dict[str, Any]]) -> None:
    assert pace.of_journals([events]) is None
    with_good = pace.of_journals([events, GOOD])
    assert with_good is not None and with_good.rollouts == 1


@pytest.mark.parametrize(
    ("has_health_source", "healthy_for", "batch_pace"),
    [(True, 0, BatchPace(1, 80, 20)), (False, 0, BatchPace(1, 100, 0)), (True, 60, BatchPace(1, 80, 80))],
)
def test_what_the_user_says(has_health_source: bool, healthy_for: float, batch_pace: BatchPace) -> None:
    assert pace.given(100, has_health_source, healthy_for).of(7) == BatchPace(
        7, batch_pace.operation, batch_pace.settle
    )


def test_the_newest_journals_of_this_scale_set(tmp_path: Path) -> None:
    def write(name: str, events: list[dict[str, Any]], age: int, more: str = "") -> None:
        file = tmp_path / name
        file.write_text("".join(json.dumps({"schema": 1, **one}) + "\n" for one in events) + more, encoding="utf-8")
        os.utime(file, (1e9 - age, 1e9 - age))

    for number in range(7):
        write(f"web-{number}.jsonl", [{"event": number, "scale_set": WEB.upper()}], number, '[1]\n{"event": "cut o')
    write("web-other.jsonl", [{"event": "other", "scale_set": WEB.replace("shop", "bar")}], 0)
    write("api-1.jsonl", [{"event": "api", "scale_set": WEB}], 0)
    write("web-future.jsonl", [{"event": "future", "scale_set": WEB, "schema": 99}], 0)
    (tmp_path / "web-directory.jsonl").mkdir()
    found = earlier(str(tmp_path), "web", WEB)
    assert [[one["event"] for one in events] for events in found] == [[0], [1], [2], [3], [4]]
    assert earlier(str(tmp_path / "absent"), "web", WEB) == []


def test_what_takes_longer_than_anybody_waits_is_no_usual_write() -> None:
    found = pace.of_journals(
        [[*GOOD, *journal((300, "model_write_sent", {}), (300 + 2 * pace.MOST, "model_written", {}))]]
    )
    assert found is not None and found.write == 25
