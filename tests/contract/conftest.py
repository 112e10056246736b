"""Two simulators for the whole layer; each test that writes has a scale set of its own in their scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .arm import Arm, running

HERE = Path(__file__).parent
TIME_SCALE = 60


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    """Holds the situations of the recordings."""
    with running(HERE / "exchanges.yml", tmp_path_factory.mktemp("simulator"), TIME_SCALE) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    """Holds the situations of test_protocol.py and test_instances.py."""
    with running(HERE / "protocol.yml", tmp_path_factory.mktemp("protocol"), TIME_SCALE) as simulator:
        yield simulator
