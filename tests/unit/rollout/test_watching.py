# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When somebody who watches looks again, and when that ends."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._rollout import watching

from ..refusals import refused

QUIET: dict[str, Any] = {
    "rollout": None,
    "provisioning_state": "Succeeded",
    "target_image": {"id": "/images/1"},
    "instances": [{"provisioning": "Succeeded"}, {"provisioning": "Failed"}],
}
OPEN = {"state": "in_progress"}


@pytest.mark.parametrize(
    ("members", "runs"),
    [
        ({}, False),
        ({"rollout": OPEN}, True),
        ({"rollout": {"state": "going_back"}}, True),
        ({"rollout": {"state": "stopped"}}, False),
        ({"rollout": {"state": "finished"}}, False),
        ({"rolling_upgrade": None}, False),
        ({"rolling_upgrade": {"running": True}}, True),
        ({"rolling_upgrade": {"running": False}}, False),
        ({"provisioning_state": "Updating"}, True),
        ({"instances": [{"provisioning": "Updating"}]}, True),
        ({"instances": []}, False),
    ],
)
def test_what_runs(members: dict[str, Any], runs: bool) -> None:
    assert watching.runs([QUIET, {**QUIET, **members}]) is runs


@pytest.mark.parametrize("every", [0.5, 10, 59, 200])
@pytest.mark.parametrize("calls", range(25))
def test_no_more_than_four_calls_in_any_minute(every: float, calls: int) -> None:
    """Of looks that take more than that by themselves, one after the other: four a minute in the end."""
    seconds = watching.pause(every, calls)
    assert seconds >= every
    looks_a_minute = -(-60 // seconds)  # that begin within 60 seconds, at the most
    assert looks_a_minute * calls <= 4 or (calls > 4 and calls / seconds * 60 <= 4)
    if calls <= 2 and every <= 30:
        assert seconds <= 30


@pytest.mark.parametrize(("asked", "seconds"), [(None, None), ("", None), ("10", 10.0), (10, 10.0), (0.5, 0.5)])
def test_the_interval(asked: object, seconds: float | None) -> None:
    assert watching.interval(asked) == seconds


@pytest.mark.parametrize("asked", ["often", 0, "-1", "nan", "inf", True, []])
def test_an_interval_that_is_none(asked: object) -> None:
    with refused("option_invalid", "is no number of seconds more than 0"):
        watching.interval(asked)


@pytest.mark.parametrize(
    ("entries", "image", "also"),
    [
        ([QUIET], {"id": "/images/1"}, ["rolling_upgrade"]),
        ([{**QUIET, "rollout": OPEN}], {"id": "/images/1"}, []),
        ([{**QUIET, "target_image": None}], "latest", ["rolling_upgrade"]),
        ([QUIET, {**QUIET, "rollout": OPEN}], "latest", ["rolling_upgrade"]),
    ],
)
def test_a_later_look_asks_for_less(entries: list[dict[str, Any]], image: Any, also: list[str]) -> None:
    first = {"name": "web", "image": "latest", "newest": True, "also_read": ["services"]}
    assert watching.next_options(first, entries) == {"name": "web", "image": image, "newest": False, "also_read": also}
