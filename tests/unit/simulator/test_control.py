# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other users of the machine may see of a simulator that runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulator.protocol import Request
from simulator.scenario import Account
from simulator.server import write_environment

from .test_arm import HOST, Client


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 403), ({"X-Simulator-Token": "é"}, 403), ({"X-Simulator-Token": "token"}, 200)]
)
def test_secrets_need_the_token(headers: dict[str, str], status: int) -> None:
    client = Client()
    answer = client.control.handle(Request("GET", "/_simulator/secrets", "", headers, b"", HOST))
    assert answer.status == status
    assert (client.arm.account.secret in str(answer.body)) == (status == 200)
    assert client.control.handle(Request("GET", "/_simulator/metrics", "", {}, b"", HOST)).status == 200


def test_the_environment_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "environment.sh"
    path.write_text("of an earlier run", "utf-8")
    path.chmod(0o644)
    write_environment(path, Account(), HOST, tmp_path / "ca.pem", "token")
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert "export SIMULATOR_TOKEN=token\n" in path.read_text("utf-8")
