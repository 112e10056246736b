# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as text, as we write them and as Azure does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.times import seconds_of, timestamp


@given(st.integers(0, 4_000_000_000))
def test_times_are_read_back(seconds: int) -> None:
    assert seconds_of(timestamp(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T10:00:00Z", 1795255200.0),
        ("2026-11-21T10:00:00.5Z", 1795255200.5),
        ("2026-11-21T10:00:00.1234567+00:00", 1795255200.123456),
        ("2026-11-21T12:00:00+02:00", 1795255200.0),
        ("2026-11-21T10:00:00", 1795255200.0),
        ("2026-11-21T10:00Z", 1795255200.0),
        ("2026-11-21T10:00:00.5-0030", 1795257000.5),
        ("2026-11-21", 1795219200.0),
        ("2026-11-21T10:00:60Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("2026-11-21T10:00:00.xZ", None),
    ],
)
def test_azures_times(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text) == (pytest.approx(seconds, abs=1e-4) if seconds else None)
