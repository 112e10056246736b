# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that write the model show while they wait."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePolicyRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_policy
from ansible_collections.steady.vmss.plugins.plugin_utils import _journal_follower

from ..asking import request
from ..fake_azure import FakeAzure, FakeClock
from ..stored import HEALTH
from .test_model_writers import SET, boot, monitor, run_extension, settings

WAITING: dict[str, Callable[[Azure, FakeClock, str], object]] = {
    "extension": lambda azure, clock, path: run_extension(azure, clock, {**settings(ours=2), "journal": path}),
    "health_monitor": lambda azure, clock, path: monitor(azure, clock, journal=path),
    "upgrade_policy": lambda azure, clock, path: upgrade_policy.set_policy(
        azure,
        clock,
        request(UpgradePolicyRequest, {**SET, "mode": "Rolling", "azure_may_upgrade": True, "journal": path}),
        check_mode=False,
    ),
}


@pytest.mark.parametrize("module", sorted(WAITING))
def test_whoever_waits_sees_what_the_module_waits_for(
    azure: Azure, arm: FakeAzure, clock: FakeClock, module: str, tmp_path: Path
) -> None:
    web = boot(arm, "Manual", HEALTH)
    web.change(provisioningState="Updating")
    web.at = {2: lambda: web.change(provisioningState="Succeeded")}
    journal = tmp_path / "journal.jsonl"
    WAITING[module](azure, clock, str(journal))
    action = importlib.import_module(f"ansible_collections.steady.vmss.plugins.action.{module}").ActionModule
    assert issubclass(action, _journal_follower.ActionModule)
    lines = list(_journal_follower.shown(journal.read_bytes().splitlines(), "rg/web", action.words))
    assert "the scale set is Updating by another client" in lines[0] and lines[1].count("asks Azure to ") == 1
    assert lines[-1].endswith("Azure has stored the change of the model")
    writes = 2 if module == "health_monitor" else 1  # the new source, and the old one taken away
    assert len(lines) == 1 + 2 * writes, lines
