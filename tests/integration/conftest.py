# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import harness
import pytest

StartSimulator = Callable[..., harness.Simulator]


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs' files lie with the test's own, and go with them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[StartSimulator]:
    """`simulator(scenario, time_scale=60)` starts one that lives as long as the test; scenario: a dict or a file."""
    with contextlib.ExitStack() as stack:
        number = 0

        def start(scenario: Mapping[str, Any] | Path, time_scale: float = 60) -> harness.Simulator:
            nonlocal number
            number += 1
            return stack.enter_context(harness.simulator(scenario, tmp_path / f"simulator-{number}", time_scale))

        yield start
