# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure cannot be asked any more in the middle of a write: what a failure says comes from what the run knows itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest, InstanceUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image, instance_upgrade

from ..asking import request
from ..fake_azure import WEB, FakeAzure, FakeClock
from ..play import Play, scenario
from ..simulated import Request, Simulated
from .test_proof import NEW, OLD, OPTIONS, STARTED, serve

EXPIRED = "AADSTS7000222: The provided client secret keys for app 'c' are expired."
GO_ON = (
    "Continue, once the cause is fixed: ansible-playbook steady.vmss.upgrade_image -e rollout_resource_group=rg "
    f"-e rollout_scale_set=web -e rollout_image=Canonical:ubuntu:server:{NEW}"
)


def signs_in_no_more(arm: FakeAzure) -> Callable[[object], Any]:
    """The token is refused, and no other one is given."""

    def answer(_request: object) -> Any:
        arm.token_answers = [(401, {}, {"error": "invalid_client", "error_description": EXPIRED})] * 9
        return 401, {}, {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}

    return answer


@pytest.mark.parametrize("lost", ["operation", "instances"])
def test_an_upgrade_tells_what_it_read_last(azure: Azure, arm: FakeAzure, clock: FakeClock, lost: str) -> None:
    serve(arm, NEW, "211")
    arm.on("POST", f"{WEB}/manualupgrade", (202, STARTED, ""))
    operation = STARTED["Azure-AsyncOperation"].removeprefix("https://management.azure.com")
    if lost == "operation":
        arm.on("GET", operation, signs_in_no_more(arm))
    else:
        arm.on("GET", operation, (200, {}, {"status": "Succeeded"}))
        page = arm.answers["GET", f"{WEB}/virtualMachines".lower()]
        arm.on("GET", f"{WEB}/virtualMachines", *page, signs_in_no_more(arm))
    asked = request(InstanceUpgradeRequest, {**OPTIONS, "max_unavailable": "1"})
    result, failure = instance_upgrade.upgrade(azure, clock, asked, check_mode=False)
    assert failure is not None and failure.code == "sign_in_refused"
    message = failure.message
    assert message.count("AADSTS7000222") == 1 and "scale set web (resource group rg)" in message
    assert "As last read at 20" in message and f"Of 3 instances 2 run Canonical:ubuntu:server:{OLD}" in message
    assert message.endswith(GO_ON)
    assert "As last read at" in result["rollout_result"]["message"]


def test_a_write_of_the_model_tells_what_it_read_last(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    serve(arm, OLD, "111")
    arm.on("PATCH", WEB, (200, STARTED, {}))
    arm.on("GET", STARTED["Azure-AsyncOperation"].removeprefix("https://management.azure.com"), signs_in_no_more(arm))
    with pytest.raises(AzureError) as raised:
        image.set_image(azure, clock, request(ImageRequest, OPTIONS), check_mode=False)
    said = str(raised.value)
    assert raised.value.code == "sign_in_refused" and said.count("AADSTS7000222") == 1
    assert "The model of scale set web (resource group rg) named Canonical:ubuntu:server:1.0.0" in said
    assert "as last read at 20" in said and "a write was sent" in said
    assert said.endswith(GO_ON)


def test_a_failure_before_the_first_write_tells_of_none(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    arm.on("GET", WEB, signs_in_no_more(arm))
    with pytest.raises(AzureError) as raised:
        image.set_image(azure, clock, request(ImageRequest, OPTIONS), check_mode=False)
    assert str(raised.value).startswith("Cannot read scale set web: Azure refused the sign-in: AADSTS7000222: ")
    assert "a write was sent" not in str(raised.value)


def cut_off(after: int) -> Play | None:
    """A rollout whose secret expires that many requests after its first write; None where it has ended before."""
    azure = Simulated(scenario(3, update_domains=3, health="binary", automatic_repairs={"repairAction": "Replace"}))
    sent = 0

    def look(asked: Request) -> None:
        nonlocal sent
        sent += asked.path.startswith("/subscriptions/") and (sent > 0 or asked.method != "GET")
        if sent == after + 1:
            azure.arm.login.account = replace(azure.arm.login.account, secret="another")
            azure.arm.login.expire_all(azure.now())

    azure.before.append(look)
    run = Play(azure, azure.options, max_unavailable="1").run()
    return run if sent > after else None


def test_a_rollout_tells_what_runs_where_whenever_the_sign_in_ends() -> None:
    """At each request after the first write: the set, what it runs as far as the run knows, and how to go on."""
    after, seen = 0, set()
    while run := cut_off(after):
        after += 1
        seen.add(run.outcome)
        if run.outcome == "upgraded":  # all is done but the record, which the next run writes
            continue
        said = run.why
        assert run.codes == {"sign_in_refused"} and said.count("AADSTS7000215") == 1, said
        for words in ("cale set web (resource group shop) as last read at 20", "Of 3 instances "):
            assert words in said, said
        assert said.count("Continue, once the cause is fixed: ansible-playbook steady.vmss.upgrade_image") == 1, said
        assert "-e rollout_resource_group=shop -e rollout_scale_set=web" in said
    assert after > 20 and seen == {"stopped", "failed", "upgraded"}
