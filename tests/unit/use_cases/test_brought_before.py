# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No rerun walks past what an earlier run has brought, and is not available, where no record tells of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Failure
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    AutomaticUpgradesRequest,
    ConnectionOptions,
    ImageRequest,
    InstanceUpgradeRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import automatic_upgrades, image, instance_upgrade

from ..asking import request
from ..play import NEW, NEWER, SET, Client, of_version, scenario
from ..simulated import Controller, Simulated

MONITOR = {"source": "application_health_extension", "protocol": "http", "port": 80, "request_path": "/h"}
AUTOMATIC = {
    "follow_latest": True,
    "upgrade_mode": "Manual",
    "health_monitor": MONITOR,
    "max_unavailable": "1",
    "rolling_upgrade_policy": {"max_batch_instance_percent": 10},
}
UPGRADE, LIST = "VirtualMachineScaleSets_UpdateInstances", "VirtualMachineScaleSetVMs_List"
AUTOMATIC_UPGRADES, INSTANCE_UPGRADE = "automatic_upgrades", "instance_upgrade"
Ended = tuple[dict[str, Any], Failure | None]


def simulated(module: str) -> Simulated:
    """Four instances in two domains. For instance_upgrade the model names the new image, and no record stands."""
    health = "none" if module == AUTOMATIC_UPGRADES else "binary"
    azure = Simulated(scenario(4, health=health, update_domains=2))
    if module == INSTANCE_UPGRADE:
        asked = request(ImageRequest, {**SET, "image": of_version(NEW)})
        image.set_image(ours(azure, azure), azure.clock, asked, check_mode=False)
    return azure


def ours(azure: Simulated, client: Client) -> Any:
    return connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, client.clock, client.session())


def run(module: str, azure: Simulated, client: Client | None = None, *, check_mode: bool = False, **more: Any) -> Ended:
    client = client or azure
    arm = ours(azure, client)
    if module == AUTOMATIC_UPGRADES:
        all_of_it = request(AutomaticUpgradesRequest, {**SET, **AUTOMATIC, **more})
        return automatic_upgrades.enable(arm, client.clock, all_of_it, check_mode=check_mode)
    asked = request(InstanceUpgradeRequest, {**SET, "image": of_version(NEW), "max_unavailable": "1", **more})
    return instance_upgrade.upgrade(arm, client.clock, asked, check_mode=check_mode)


def available(azure: Simulated) -> list[bool]:
    return [one["available"] for one in azure.state()["instances"].values()]


def killed_in_its_last_batch(module: str, azure: Simulated) -> None:
    killed = Controller(azure, lambda it: run(module, azure, it))
    while azure.operations().count(UPGRADE) < 4 and killed.step():
        pass
    killed.kill()


MODULES = pytest.mark.parametrize("module", [AUTOMATIC_UPGRADES, INSTANCE_UPGRADE])


@MODULES
@pytest.mark.parametrize("which", ["0", "3"])
def test_a_rerun_fails_while_an_instance_that_failed_is_not_available(module: str, which: str) -> None:
    """The first and the last one that is upgraded."""
    azure = simulated(module)
    azure.fault(kind="unhealthy", instance=which, image_version=NEWER if module == AUTOMATIC_UPGRADES else NEW)
    _result, failure = run(module, azure)
    assert failure is not None and failure.code == "instances_failed"
    sent = azure.operations().count(UPGRADE)
    for _rerun in range(2):
        azure.sleep(4000)
        checked, _none = run(module, azure, check_mode=True)
        assert any(f"instance {which} (health unhealthy) has the" in one for one in checked["warnings"])
        began = azure.now()
        result, failure = run(module, azure)
        assert failure is not None and failure.code == "unhealthy_on_target" and not result["changed"]
        assert f"instance {which} (health unhealthy) has the" in failure.message, failure.message
        assert "Continue, once the cause is fixed" in failure.message
        assert azure.operations().count(UPGRADE) == sent and 300 <= azure.now() - began < 400
    azure.do(do="healthy", instances=[which])
    result, failure = run(module, azure)
    assert failure is None and all(available(azure))
    assert azure.operations().count(UPGRADE) == (sent if which == "3" else 4)


@MODULES
@pytest.mark.parametrize("seconds", [0, 45, 62])
def test_a_run_that_was_killed_in_its_last_batch_is_awaited_by_the_next(module: str, seconds: float) -> None:
    azure = simulated(module)
    killed_in_its_last_batch(module, azure)
    azure.sleep(seconds)
    _result, failure = run(module, azure)
    assert failure is None and all(available(azure)), failure
    assert [one["disks_replaced"] for one in azure.state()["instances"].values()] == [1, 1, 1, 1]


@MODULES
def test_a_run_that_was_killed_at_an_instance_that_never_becomes_healthy_fails_next(module: str) -> None:
    azure = simulated(module)
    azure.fault(kind="unhealthy", instance="3", image_version=NEWER if module == AUTOMATIC_UPGRADES else NEW)
    killed_in_its_last_batch(module, azure)
    azure.sleep(10)
    _result, failure = run(module, azure)
    assert failure is not None and failure.code == "unhealthy_on_target" and "3 (health unhealthy)" in failure.message


@MODULES
def test_what_another_client_changes_on_the_target_is_awaited(module: str) -> None:
    azure = simulated(module)
    assert run(module, azure)[1] is None
    azure.sleep(4000)
    azure.do(do="work", instances=["1"], seconds=900, ends="Succeeded")
    began = azure.now()
    result, failure = run(module, azure)
    assert failure is None and not result["changed"] and azure.now() - began >= 880 and all(available(azure))


@MODULES
def test_a_rerun_of_what_is_available_reads_the_instances_no_oftener(module: str) -> None:
    azure = simulated(module)
    assert run(module, azure)[1] is None
    azure.sleep(4000)
    lists, began = azure.operations().count(LIST), azure.now()
    result, failure = run(module, azure)
    assert failure is None and not result["changed"] and azure.now() - began < 5
    assert azure.operations().count(LIST) - lists == 1


def test_what_the_threshold_allows_lets_the_others_be_upgraded_and_is_no_success() -> None:
    azure = simulated(INSTANCE_UPGRADE)
    azure.fault(kind="unhealthy", instance="0", image_version=NEW)
    assert run(INSTANCE_UPGRADE, azure)[1] is not None
    allowed = {"max_unhealthy_upgraded": "1", "max_unhealthy": "1", "max_unavailable": "2"}
    result, failure = run(INSTANCE_UPGRADE, azure, **allowed)
    assert failure is not None and failure.code == "unhealthy_on_target" and "0 (health unhealthy)" in failure.message
    assert result["changed"] and azure.operations().count(UPGRADE) >= 3
    assert [one["version"] for one in azure.state()["instances"].values()] == [NEW] * 4
