# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit, parse_limit

from ..examples import examples
from ..refusals import refused


@settings(max_examples=examples(1000))
@given(percent=st.integers(1, 100), total=st.integers(0, 2000))
def test_a_percent_is_rounded_down_and_never_below_one(percent: int, total: int) -> None:
    count = Limit(percent, percent=True).of(total)
    assert count >= 1
    assert count == 1 or count * 100 <= total * percent < (count + 1) * 100


@settings(max_examples=examples(1000))
@given(
    number=st.integers(1, 10_000), percent=st.booleans(), total=st.integers(0, 2000), space=st.sampled_from(("", " "))
)
def test_a_limit_is_read_as_it_is_written(number: int, percent: bool, total: int, space: str) -> None:
    text = f"{space}{number}{space}{'%' if percent else ''}"
    if percent and number > 100:
        with refused("option_invalid", "max_unavailable"):
            parse_limit(text, "max_unavailable")
        return
    limit = parse_limit(text, "max_unavailable")
    assert limit == Limit(number, percent)
    assert parse_limit(str(limit), "max_unavailable") == limit
    assert percent or (limit is not None and limit.of(total) == number == parse_limit(number, "").of(total))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value", ["0", 0, "0%", -1, "-1", "-5%", "101%", "1000%", "many", "1.5", 2.5, "10 percent", "%", True, [2]]
)
def test_what_is_no_limit_is_refused_by_name(value: object) -> None:
    with refused("option_invalid", r"max_unavailable '"):
        parse_limit(value, "max_unavailable")


@pytest.mark.parametrize("value", ["", None])
def test_unset(value: object) -> None:
    assert parse_limit(value, "max_unavailable") is None
