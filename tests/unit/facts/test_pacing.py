# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.pacing import (
    INSTANCES,
    OPERATION,
    glance,
    next_look,
    next_poll,
)


def next_read(kind: str, waited: float, earlier: list[float], left: int | None) -> float:
    if kind == INSTANCES:
        return next_look(waited, [(0.9 * one, one) for one in earlier], left)
    return next_poll(waited, earlier, left)


def reads(kind: str, took: float, earlier: list[float], left: int | None = None) -> list[float]:
    """When it is read until the answer is there, seconds after the start."""
    found = [0.0]
    while found[-1] < took:
        found.append(found[-1] + next_read(kind, found[-1], earlier, left))
    return found[1:]


@given(
    kind=st.sampled_from((OPERATION, INSTANCES)),
    waited=st.floats(0, 10) | st.floats(0, 10_000),
    earlier=st.lists(st.floats(0.1, 10) | st.floats(0.1, 4000), max_size=5),
    left=st.none() | st.integers(0, 20),
)
def test_a_wait_is_neither_nothing_nor_for_ever(
    kind: str, waited: float, earlier: list[float], left: int | None
) -> None:
    seconds = next_read(kind, waited, earlier, left)
    assert 1 <= seconds <= 1.01 * max(60, *earlier, 0)
    if left is not None and left <= 10:
        assert seconds >= {OPERATION: 4, INSTANCES: 6}[kind], "only what Azure gives back is used"


@pytest.mark.parametrize("took", [10.0, 60.0, 180.0, 1200.0])
@pytest.mark.parametrize("earlier", [[], [0.9], [1.0], [1.2], [1.0, 5.0, 1.0]])
def test_an_answer_is_noticed_soon_after_few_reads(took: float, earlier: list[float]) -> None:
    found = reads(OPERATION, took, [share * took for share in earlier])
    late = found[-1] / took
    assert late <= (1.22 if not earlier or min(earlier) > 1 else 1.08), (
        "quicker than all before is noticed when they ended"
    )
    assert len(found) <= (9 if earlier else 40)


@pytest.mark.parametrize("earlier", [[], [108.0, 92.0, 78.0], [3.0, 120.0], [0.1]])
@pytest.mark.parametrize("took", [0.5, 9.0, 18.0, 119.0])
def test_health_is_looked_for_every_few_seconds_however_long_it_took_before(earlier: list[float], took: float) -> None:
    found = [0.0, *reads(INSTANCES, took, earlier)]
    gaps = [later - sooner for sooner, later in pairwise(found)]
    assert max(gaps) <= 7.5 and found[-1] - took <= 7.5


def test_a_read_comes_when_health_came_before() -> None:
    assert reads(INSTANCES, 18.0, [18.0])[-1] == pytest.approx(18.0, abs=0.2)


def test_few_reads_lie_in_a_long_wait_for_health() -> None:
    assert len(reads(INSTANCES, 3600.0, [])) <= 130


@pytest.mark.parametrize(("earlier", "expected"), [([], [15, 30, 60]), ([100.0, 60.0], [30, 60, 120])])
def test_instances_are_looked_at_while_they_should_be_down(earlier: list[float], expected: list[float]) -> None:
    assert [glance(number, earlier) for number in range(3)] == expected
