# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._rollout.model_diff import compare

SUBNET = "/subscriptions/1/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
DISKS = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 64}, {"lun": 1, "createOption": "Empty", "diskSizeGB": 32}]
DOCUMENT: dict[str, Any] = {
    "id": "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web",
    "etag": '"3"',
    "location": "westeurope",
    "zones": ["1", "2"],
    "tags": {"owner": "shop", "steady-vmss-rollout": "old", "Path": "/Some/Path"},
    "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 5},
    "identity": {"type": "SystemAssigned", "principalId": "p"},
    "properties": {
        "provisioningState": "Updating",
        "uniqueId": "u",
        "singlePlacementGroup": False,
        "upgradePolicy": {"mode": "Manual"},
        "virtualMachineProfile": {
            "timeCreated": "2026-01-01T00:00:00Z",
            "storageProfile": {
                "imageReference": {"publisher": "P", "offer": "o", "sku": "s", "version": "1.0.0"},
                "osDisk": {"caching": "ReadWrite", "image": {"uri": "https://a/one.vhd"}},
                "dataDisks": DISKS,
            },
            "networkProfile": {"subnet": {"id": SUBNET}, "pools": [{"id": f"{SUBNET}/a"}, {"id": f"{SUBNET}/b"}]},
            "extensionProfile": {
                "extensions": [
                    {"name": "health", "properties": {"provisioningState": "Creating", "settings": {"port": 80}}},
                    {"name": "app", "properties": {"settings": {}}},
                ]
            },
        },
    },
}
STORAGE = ("properties", "virtualMachineProfile", "storageProfile")
EXTENSIONS = ("properties", "virtualMachineProfile", "extensionProfile", "extensions")


def changed(*path: Any, to: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    at: Any = document
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = to
    return document


@pytest.mark.parametrize(
    "after",
    [
        DOCUMENT,
        changed("sku", "capacity", to=9),
        changed("etag", to='"4"'),
        changed("properties", "provisioningState", to="Succeeded"),
        changed("properties", "virtualMachineProfile", "timeCreated", to="2026-02-02T00:00:00Z"),
        changed(*STORAGE, "imageReference", to={"publisher": "P", "offer": "o", "sku": "s", "version": "2.0.0"}),
        changed(*STORAGE, "osDisk", "image", to={"uri": "https://a/two.vhd"}),
        changed(*STORAGE, "dataDisks", to=DISKS[::-1]),
        changed("zones", to=["2", "1"]),
        changed("tags", to={"OWNER": "shop", "steady-vmss-rollout": "new", "Path": "/Some/Path"}),
        changed("identity", "principalId", to="q"),
        changed("properties", "virtualMachineProfile", "networkProfile", "subnet", "id", to=SUBNET.upper()),
        changed(*EXTENSIONS, 0, "properties", "provisioningState", to="Succeeded"),
        changed(*EXTENSIONS, 1, "properties", to={}),  # an empty member and none are the same
    ],
)  # fmt: skip
def test_what_a_write_of_the_image_may_change(after: dict[str, Any]) -> None:
    found = compare(DOCUMENT, after)
    assert not found.lost and not found.added


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (changed(*STORAGE, "dataDisks", to=None), {"properties.virtualMachineProfile.storageProfile.dataDisks": DISKS}),
        (changed(*STORAGE, "dataDisks", to=[]), {"properties.virtualMachineProfile.storageProfile.dataDisks": DISKS}),
        (
            changed(*STORAGE, "dataDisks", to=DISKS[:1]),
            {"properties.virtualMachineProfile.storageProfile.dataDisks.lun 1": DISKS[1]},
        ),
        (changed(*STORAGE, "osDisk", "caching", to="None"), {f"{'.'.join(STORAGE)}.osDisk.caching": "ReadWrite"}),
        (changed("tags", "owner", to="other"), {"tags.owner": "shop"}),
        (changed("tags", to=None), {"tags.owner": "shop", "tags.Path": "/Some/Path"}),
        (changed("zones", to=["1"]), {"zones": ["1", "2"]}),
        (changed("properties", "singlePlacementGroup", to=True), {"properties.singlePlacementGroup": False}),
        (changed("properties", "singlePlacementGroup", to=0), {"properties.singlePlacementGroup": False}),
        (changed("properties", "upgradePolicy", "mode", to="Automatic"), {"properties.upgradePolicy.mode": "Manual"}),
        (changed("sku", "name", to="Standard_D4s_v5"), {"sku.name": "Standard_D2s_v5"}),
        (
            changed(*EXTENSIONS, 0, "properties", "settings", "port", to=81),
            {f"{'.'.join(EXTENSIONS)}.name health.properties.settings.port": 80},
        ),
    ],
)
def test_what_a_write_of_the_image_may_not_take_away(after: dict[str, Any], lost: dict[str, Any]) -> None:
    found = compare(DOCUMENT, after)
    assert found.lost == lost and not found.added


def test_what_came_beside() -> None:
    policy = {"name": "MDE", "properties": {"publisher": "p"}}
    after = changed(
        *EXTENSIONS, to=[*DOCUMENT["properties"]["virtualMachineProfile"]["extensionProfile"]["extensions"], policy]
    )
    after["tags"] = {**after["tags"], "policy": "applied"}
    found = compare(DOCUMENT, after)
    assert not found.lost
    assert found.added == {f"{'.'.join(EXTENSIONS)}.name MDE": policy, "tags.policy": "applied"}


def says_something(value: Any) -> bool:
    if isinstance(value, dict):
        return any(says_something(item) for item in value.values())
    return value not in (None, "", [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("abA/", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(document=st.dictionaries(st.text("xyz", min_size=1, max_size=2), JSON, max_size=4), seed=st.integers(0, 99))
def test_nothing_is_lost_where_only_the_order_differs(document: dict[str, Any], seed: int) -> None:
    rng = random.Random(seed)

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            rng.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
            return rng.sample(value, len(value))
        return value

    found = compare(document, shuffled(document))
    assert not found.lost and not found.added


@given(document=st.dictionaries(st.text("xyz", min_size=1, max_size=2), JSON, min_size=1, max_size=4))
def test_a_member_that_is_gone_is_found(document: dict[str, Any]) -> None:
    for name, value in document.items():
        found = compare(document, {other: kept for other, kept in document.items() if other != name})
        assert bool(found.lost) == says_something(value)


@pytest.mark.parametrize("depth", [100, 900])
def test_a_member_that_is_nested_deeper_than_any_of_azures_is_not_followed(depth: int) -> None:
    deep: Any = {"end": 1}
    for _level in range(depth):
        deep = {"a": deep}
    assert compare({"properties": deep}, {"properties": copy.copy(deep)}).lost == {}
