# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signed VHD is written, whether Azure shows its SAS or not; `latest` only where it can mean one version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests import PreparedRequest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image

from ..asking import request
from ..fake_azure import WEB, Answer, FakeAzure, FakeClock

ONE, TWO = "https://s/one.vhd", "https://s/two.vhd"


@pytest.mark.parametrize(
    ("model", "given", "shows", "writes"),
    [
        (f"{ONE}?sig=a", f"{ONE}?sig=b", True, 1),
        (f"{ONE}?sig=a", f"{ONE}?sig=a", True, 0),
        (f"{ONE}?sig=a", ONE, True, 0),
        (ONE, f"{ONE}?sig=b", True, 1),
        (ONE, f"{ONE}?sig=b", False, 2),  # nothing tells that the first was stored
        (f"{ONE}?sig=a", f"{TWO}?sig=b", False, 1),
    ],
)
def test_a_sas_is_written(
    azure: Azure, arm: FakeAzure, clock: FakeClock, model: str, given: str, shows: bool, writes: int
) -> None:
    stored = [model]

    def body() -> Answer:
        uri = stored[-1] if shows else stored[-1].partition("?")[0]
        profile: dict[str, Any] = {"storageProfile": {"osDisk": {"image": {"uri": uri}}}}
        properties = {"virtualMachineProfile": profile, "provisioningState": "Succeeded"}
        return 200, {}, {"id": WEB, "name": "web", "properties": properties}

    def patch(request: PreparedRequest) -> Answer:
        written = json.loads(request.body or "")["properties"]["virtualMachineProfile"]["storageProfile"]
        stored.append(written["osDisk"]["image"]["uri"])
        return body()

    arm.on("GET", WEB, lambda _request: body())
    arm.on("PATCH", WEB, patch)
    options = {"resource_group": "rg", "name": "web", "image": given, "timeout": 600}
    change = image.set_image(azure, clock, request(ImageRequest, options), check_mode=False)
    assert change.changed is bool(writes)
    assert stored[1:] == [given] * writes


SERIES = {"publisher": "Canonical", "offer": "ubuntu", "sku": "server"}
VERSIONS = (
    "/subscriptions/33333333-3333-3333-3333-333333333333/providers/Microsoft.Compute/locations/westus/publishers/Canonical"
    "/artifacttypes/vmimage/offers/ubuntu/skus/server/versions"
)


@pytest.mark.parametrize(("versions", "written"), [(["1.9.0", "1.10.0"], False), (["1.10.0", "1.11.0"], True)])
def test_latest_is_written_only_where_both_orders_agree(
    azure: Azure, arm: FakeAzure, clock: FakeClock, versions: list[str], written: bool
) -> None:
    newest = versions[-1]
    stored: dict[str, Any] = {"imageReference": {**SERIES, "version": newest}}

    def body() -> Answer:
        properties = {"virtualMachineProfile": {"storageProfile": stored}, "provisioningState": "Succeeded"}
        return 200, {}, {"id": WEB, "name": "web", "location": "westus", "properties": properties}

    def patch(request: PreparedRequest) -> Answer:
        stored.update(json.loads(request.body or "")["properties"]["virtualMachineProfile"]["storageProfile"])
        return body()

    arm.on("GET", WEB, lambda _request: body())
    arm.on("PATCH", WEB, patch)
    arm.on("GET", VERSIONS, (200, {}, [{"name": name, "location": "westus"} for name in versions]))
    arm.on("GET", f"{VERSIONS}/{newest}", (200, {}, {"name": newest, "location": "westus", "properties": {}}))
    series = ":".join(SERIES.values())
    options = {"resource_group": "rg", "name": "web", "image": f"{series}:latest", "timeout": 600}
    asked = request(ImageRequest, {**options, "latest_must_mean": f"{series}:{newest}"})
    change = image.set_image(azure, clock, asked, check_mode=False)
    assert change.changed is written and ("order the versions as text" in change.note) is not written
    assert stored["imageReference"]["version"] == ("latest" if written else newest)
