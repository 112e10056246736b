"""Two simulators for the whole layer; each test that writes has a scale set of its own in their scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient

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
    """Holds the situations of test_protocol.py, test_instances.py and test_rolling.py."""
    with running(HERE / "protocol.yml", tmp_path_factory.mktemp("protocol"), TIME_SCALE) as simulator:
        yield simulator


@pytest.fixture
def sdk(protocol: Arm, monkeypatch: pytest.MonkeyPatch) -> Iterator[ComputeManagementClient]:
    """The real SDK, which polls without waiting."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", protocol.environment["REQUESTS_CA_BUNDLE"])
    credential = ClientSecretCredential(
        protocol.tenant,
        protocol.environment["AZURE_CLIENT_ID"],
        protocol.environment["AZURE_SECRET"],
        authority=protocol.url,
        disable_instance_discovery=True,
    )
    with ComputeManagementClient(
        credential,
        protocol.subscription,
        base_url=protocol.url,
        credential_scopes=[f"{protocol.url}/.default"],
        polling_interval=0.05,
    ) as client:
        yield client
