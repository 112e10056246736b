# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection, ranges, select
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance

from ..refusals import refused

INSTANCES = [Instance(str(n), zone=str(n % 2 + 1), update_domain=n % 3, fault_domain=n % 2) for n in range(6)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        (["3"], "3"),
        (["9", "0", "2", "1"], "0-2,9"),
        (["10", "9", "web_1", "web_0"], "web_0,web_1,9-10"),
        (["1", "1"], "1"),
    ],
)
def test_ranges(values: list[str], text: str) -> None:
    assert ranges(values) == text


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_each_once(numbers: set[int]) -> None:
    spelled: list[int] = []
    for part in ranges(map(str, numbers)).split(",") if numbers else []:
        first, _dummy, last = part.partition("-")
        spelled += range(int(first), int(last or first) + 1)
    assert spelled == sorted(numbers)


@pytest.mark.parametrize(
    ("selection", "ids", "text"),
    [
        (select(None, None, None, None), "012345", "all"),
        (select([], ["", " "], None, ""), "012345", "all"),
        (select([5, " 2 "], None, None, None), "25", "instances 2,5"),
        (select(["0-2", "5"], None, None, None), "0125", "instances 0-2,5"),
        (select(None, ["0-1"], None, None), "0134", "update domains 0-1"),
        (select(None, ["1"], None, None), "14", "update domains 1"),
        (select(None, None, [0], None), "024", "fault domains 0"),
        (select(None, None, None, ["2"]), "135", "zones 2"),
        (select(None, [0], None, [2]), "3", "update domains 0; zones 2"),
    ],
)
def test_a_selection(selection: Selection, ids: str, text: str) -> None:
    assert "".join(i.instance_id for i in INSTANCES if selection.holds(i)) == ids
    assert str(selection) == text
    selection.check(INSTANCES, "web")


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (select(["7"], None, None, None), r"no instance 7\. It has: 0-5"),
        (select(["1", "*"], None, None, None), r"no instance \*"),
        (select(None, [3], None, None), r"no update domain 3\. It has: 0-2"),
        (select(None, None, [9], None), r"no fault domain 9\. It has: 0-1"),
        (select(None, None, None, ["3"]), r"no zone 3\. It has: 1-2"),
    ],
)
def test_what_no_instance_has_is_refused(selection: Selection, words: str) -> None:
    with refused("selection_not_found", words):
        selection.check(INSTANCES, "web")


def test_a_set_without_zones_has_none() -> None:
    with refused("selection_not_found", r"no zone 1\. It has: none"):
        select(None, None, None, ["1"]).check([Instance("0")], "web")


@pytest.mark.parametrize("value", ["a", "-1", "1.5", "²"])
def test_a_domain_is_a_number(value: str) -> None:
    with refused("option_invalid", f"fault domain '{value}'"):
        select(None, None, [value], None)


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("instances 0-4000000000", Selection(instance_ids=("0-4000000000",))),
        (f"instances {'9' * 5000}", Selection(instance_ids=("9" * 5000,))),
        ("update domains 0-4000000000", Selection(update_domains=(-1,))),
        ("fault domains x; zones 1", Selection(fault_domains=(-1,), zones=("1",))),
        ("update domains 9-3", Selection(update_domains=(-1,))),
        ("update domains ²", Selection(update_domains=(-1,))),
        ("nothing at all", Selection()),
    ],
)
def test_a_selection_that_another_wrote_costs_nothing_and_never_grows(text: str, selection: Selection) -> None:
    assert Selection.parse(text) == selection


def test_many_ranges_are_not_spread_either() -> None:
    found = Selection.parse("instances " + ",".join(f"{n}0000-{n}9999" for n in range(1, 20)))
    assert len(found.instance_ids) == 10_000 + 18


@pytest.mark.parametrize("odd", ["9" * 5000, "²", "٣", "1" * 19])
def test_an_id_that_is_no_number_is_a_name(odd: str) -> None:
    assert ranges(["1", odd]) == f"{odd},1"
    with refused("option_invalid"):
        select([], [odd], [], [])


def test_parts_of_a_selection_that_exclude_each_other_are_refused() -> None:
    """Instance 3 is in another update domain: nothing would be upgraded, and the model would be written."""
    fleet = [Instance(str(n), update_domain=n, zone=str(n % 2)) for n in range(4)]
    Selection(("3",), (3,)).check(fleet, "web")
    with refused("selection_not_found", "no instance of scale set web is in all of: instances 3; update domains 0"):
        Selection(("3",), (0,)).check(fleet, "web")
    Selection().check([], "web")
