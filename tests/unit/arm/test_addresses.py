# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet

from ..fake_azure import GROUP, WEB, FakeAzure

UNIFORM = ScaleSet(WEB, "web", "rg", "westus")
FLEXIBLE = ScaleSet(WEB, "web", "rg", "westus", orchestration_mode="Flexible")


def interface(owner: str, *addresses: str, primary: bool = True, **more: Any) -> dict[str, Any]:
    configurations = [
        {"properties": {"privateIPAddress": one, "primary": place == len(addresses) - 1}}
        for place, one in enumerate(addresses)
    ]
    properties = {"virtualMachine": {"id": owner}, "primary": primary, "ipConfigurations": configurations}
    return {"id": f"{owner}/networkInterfaces/nic", "properties": properties, **more}


def test_uniform_lists_the_sets_interfaces_once(azure: Azure, arm: FakeAzure) -> None:
    more = f"https://management.azure.com{WEB}/networkInterfaces?api-version=2018-10-01&$skiptoken=2"
    first = [
        interface(f"{WEB}/virtualMachines/0", "10.1.0.4", primary=False),
        interface(f"{WEB}/virtualMachines/0", "10.0.0.5", "10.0.0.4"),
        interface(f"{WEB}/virtualMachines/1", "10.0.0.6"),
    ]
    second = [{"id": f"{WEB.upper()}/VIRTUALMACHINES/7/networkInterfaces/nic", "properties": None}]
    arm.on(
        "GET", f"{WEB}/networkInterfaces", (200, {}, {"value": first, "nextLink": more}), (200, {}, {"value": second})
    )
    assert azure.addresses(UNIFORM, ["0", "7"]) == {"0": ["10.0.0.4", "10.0.0.5", "10.1.0.4"], "7": []}
    assert azure.usage.calls == 2


def test_uniform_asks_one_instance_alone(azure: Azure, arm: FakeAzure) -> None:
    path = f"{WEB}/virtualMachines/3/networkInterfaces"
    arm.on("GET", path, (200, {}, {"value": [interface(f"{WEB}/virtualMachines/3", "10.0.0.4")]}))
    assert azure.addresses(UNIFORM, ["3"]) == {"3": ["10.0.0.4"]}


def test_flexible_reads_the_resource_groups_interfaces(azure: Azure, arm: FakeAzure) -> None:
    mine = interface(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/WEB_1a", "10.0.0.4", id="/nic1")
    free = {"id": "/nic2", "properties": {"ipConfigurations": []}}
    arm.on("GET", f"{GROUP}/providers/Microsoft.Network/networkInterfaces", (200, {}, {"value": [mine, free]}))
    assert azure.addresses(FLEXIBLE, ["web_1a"]) == {"web_1a": ["10.0.0.4"]}
