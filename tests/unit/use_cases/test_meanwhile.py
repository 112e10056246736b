# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another client writes while instances are upgraded is found after the action at the latest, and stops it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest, InstanceUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image, instance_upgrade

from ..asking import request
from ..play import NEW, NEWER, OLD, SET, of_version
from ..simulated import Reply, Request
from .test_between import ANOTHER_ROLLOUT, OTHER_ID, UPGRADE, mode, ours, pins, play, simulated


@pytest.mark.parametrize("calls", [2, 4, 8])
@pytest.mark.parametrize("name", ["Automatic", "Rolling", "automatic OS image upgrades"])
def test_a_policy_by_which_azure_acts_by_itself_stops_the_rollout(name: str, calls: int) -> None:
    """Before a batch, in the middle of one and between two."""
    azure = simulated(8, health="binary")
    owner, lists = azure.scale_set(), []

    def changes(request: Request, _reply: Reply) -> None:
        lists.append(request.operation == "VirtualMachineScaleSetVMs_List")
        if sum(lists) == calls and lists[-1]:
            automatic = {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
            owner.document["properties"]["upgradePolicy"] |= automatic if " " in name else {"mode": name}
            owner.etag += 1

    azure.after.append(changes)
    run = play(azure)
    assert run.outcome == "stopped" and run.codes & {"upgrade_mode", "automatic_os_upgrade"}, (run.outcome, run.why)
    assert "another client" in run.why and name in run.why
    assert azure.operations().count(UPGRADE) <= 2


def test_a_call_that_upgrades_all_batches_stops_where_another_rollout_has_begun() -> None:
    """instance_upgrade by itself; the model names the same image still."""
    azure = simulated(5)
    began = {"id": OTHER_ID[::-1], "target": f"Canonical:ubuntu-24_04-lts:server:{NEW}"}
    asked = request(ImageRequest, {**SET, "image": of_version(NEW), "record": began})
    assert image.set_image(ours(azure), azure.clock, asked, check_mode=False).changed
    azure.do(do="write", patch={"tags": ANOTHER_ROLLOUT}, when={"calls": {"VirtualMachineScaleSetVMs_List": 4}})
    options = {**SET, "max_unavailable": "1", "rollout": began["id"]}
    call = request(InstanceUpgradeRequest, options)
    result, failure = instance_upgrade.upgrade(ours(azure), azure.clock, call, check_mode=False)
    assert failure is not None and failure.code == "rollout_changed" and OTHER_ID in failure.message
    assert azure.operations().count(UPGRADE) == 1 and result["rollout_result"]["outcome"] == "stopped"


@pytest.mark.parametrize(
    ("event", "code", "says"),
    [
        (pins(OLD), "image_changed", "another client changed the model"),
        (pins(NEWER), "image_changed", "another client changed the model"),
        (mode("Automatic"), "upgrade_mode", "another client set upgrade mode Automatic"),
        ({"do": "write", "patch": {"tags": ANOTHER_ROLLOUT}}, "rollout_changed", OTHER_ID),
    ],
)
def test_what_another_client_writes_while_the_users_tasks_run_stops_the_rollout(
    event: dict[str, Any], code: str, says: str
) -> None:
    """With what its instances run, as any other stop, and with no batch more."""
    azure = simulated(3)

    def check(_ids: list[str]) -> None:
        if azure.operations().count(UPGRADE) == 1:
            azure.do(**event)
            azure.sleep(60)

    run = play(azure, check=check)
    assert (run.outcome, code in run.codes) == ("stopped", True), run.why
    assert azure.operations().count(UPGRADE) == 1
    assert says in run.why and "The rollout of" in run.why and "Of 3 instances" in run.why, run.why
