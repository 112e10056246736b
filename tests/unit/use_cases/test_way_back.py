# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a rollout goes back to by itself: who writes tags does not choose the image of a disk."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._options import ScaleSetInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._rollout.resume import way_back
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import scale_set_info

from ..asking import request
from ..fake_azure import WEB, FakeAzure

MODEL = "Canonical:ubuntu-24_04-lts:server:24.4.2"
OLDER = "Canonical:ubuntu-24_04-lts:server:24.4.1"
OTHER = "Canonical:ubuntu-24_04-lts:minimal:24.4.1"
GALLERY = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/i/versions/{}"
COMMUNITY = "/CommunityGalleries/evil-1/images/i/versions/1.0.0"
VHD = "https://blobs.example/{}.vhd"


@pytest.mark.parametrize(
    ("recorded", "model", "reported", "trusted"),
    [
        (OLDER, MODEL, [], True),
        (MODEL, MODEL, [], True),
        (OTHER, MODEL, [], False),
        (OTHER, MODEL, [MODEL, OLDER], False),
        (OTHER, MODEL, [MODEL, OTHER], True),
        (COMMUNITY, MODEL, [], False),
        (COMMUNITY, GALLERY.format("2.0.0"), [], False),
        (GALLERY.format("1.0.0"), GALLERY.format("2.0.0"), [], True),
        (VHD.format("a"), VHD.format("b"), [VHD.format("b")], False),
        (VHD.format("a"), VHD.format("b"), [VHD.format("a")], True),
        (VHD.format("b"), VHD.format("b"), [], True),
        (OLDER, None, [], False),
    ],
)
def test_the_way_back(recorded: str, model: str | None, reported: list[str], trusted: bool) -> None:
    found = way_back(
        images.parse(recorded), images.parse(model) if model else None, [None, *map(images.parse, reported)]
    )
    assert found == (images.parse(recorded) if trusted else None)
    assert way_back(None, images.parse(MODEL), map(images.parse, reported)) is None


def reference(urn: str) -> dict[str, str]:
    return dict(zip(("publisher", "offer", "sku", "version"), urn.split(":"), strict=True))


def set_with(previous: str) -> dict[str, Any]:
    tags = {
        "steady-vmss-rollout": "0" * 32,
        "steady-vmss-target": MODEL,
        "steady-vmss-previous": previous,
        "steady-vmss-started": "2026-11-27T02:00:00Z",
        "steady-vmss-state": "finished",
    }
    storage = {"imageReference": reference(MODEL)}
    return {
        "id": WEB,
        "name": "web",
        "location": "westus",
        "tags": tags,
        "properties": {"virtualMachineProfile": {"storageProfile": storage}},
    }


def shown(azure: Azure, arm: FakeAzure, previous: str, running: str, history: Any) -> Any:
    arm.on("GET", WEB, (200, {}, set_with(previous)))
    item = {
        "instanceId": "0",
        "properties": {
            "storageProfile": {"imageReference": {**reference(running), "exactVersion": running.rsplit(":")[-1]}}
        },
    }
    arm.on("GET", f"{WEB}/virtualMachines", (200, {}, {"value": [item]}))
    arm.on("GET", f"{WEB}/osUpgradeHistory", history)
    options = {"resource_group": "rg", "name": "web", "instances": False, "image": None}
    rollout = scale_set_info.read(azure, request(ScaleSetInfoRequest, options))[0]["rollout"]
    assert rollout["previous_image"] == reference(previous), "what the tag says is shown"
    return rollout["way_back"]


def past(urn: str) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"value": [{"properties": {"targetImageReference": reference(urn)}}]}


NONE = (200, {}, {"value": []})


@pytest.mark.parametrize(
    ("previous", "running", "history", "trusted"),
    [
        (OLDER, MODEL, NONE, True),
        (OTHER, MODEL, NONE, False),
        (OTHER, MODEL, past(OLDER), False),
        (OTHER, OTHER, NONE, True),
        (OTHER, MODEL, past(OTHER), True),
        (OTHER, MODEL, (403, {}, {"error": {"code": "AuthorizationFailed", "message": "no"}}), False),
    ],
)
def test_the_role_is_given_only_what_azure_reports(
    azure: Azure, arm: FakeAzure, previous: str, running: str, history: Any, trusted: bool
) -> None:
    assert shown(azure, arm, previous, running, history) == (reference(previous) if trusted else None)
