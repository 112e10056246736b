# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set of generation 1 goes to Trusted Launch with its image, and back, on a simulated Azure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest, UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image, upgrade_plan_info

from ..asking import request
from ..play import SET, Failed, Play
from ..refusals import refused
from ..simulated import Simulated
from .test_between import kept, ours

OLD, NEW = "24.4.20261001", "24.4.20261118"
FIRST = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server-gen1"}
SECOND = {**FIRST, "sku": "server"}
TYPE = {"security_type": "TrustedLaunch", "canary": 0, "max_unavailable": "50%"}
ON = {"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": False, "vTpmEnabled": True}}
AT_HOST = {"encryptionAtHost": True}


def simulated(properties: dict[str, Any] | None = None, **knobs: Any) -> Simulated:
    model = {"virtualMachineProfile": {"securityProfile": AT_HOST, **(properties or {})}}
    quick = {"upgrade": 60, "health_lag": 15, "write": 5, **knobs}
    web = {**SET, "capacity": 4, "image": {**FIRST, "version": OLD}, "knobs": quick, "properties": model}
    platform = [{**FIRST, "versions": [OLD], "generation": "V1"}, {**SECOND, "versions": [NEW], "generation": "V2"}]
    return Simulated({"images": {"platform": platform}, "scale_sets": [web]})


def play(azure: Simulated, to: dict[str, str] | None, **options: Any) -> Play:
    wanted = {"image": to} if to else {}
    return Play(azure, azure.options, None, **wanted, **options).run()


def model(azure: Simulated) -> dict[str, Any]:
    found: dict[str, Any] = azure.state()["document"]["properties"]["virtualMachineProfile"]
    return found


def patches(azure: Simulated) -> list[dict[str, Any]]:
    bodies = [json.loads(one.body) for one in azure.sent if one.method == "PATCH"]
    return [one["properties"]["virtualMachineProfile"] for one in bodies if one.get("properties")]


def test_the_type_goes_with_the_image_in_one_patch_and_the_role_rollback_takes_it_back() -> None:
    azure = simulated()
    run = play(azure, {**SECOND, "version": NEW}, **TYPE)
    assert run.outcome == "upgraded", (run.why, run.findings)
    (written,) = patches(azure)
    assert written["securityProfile"] == {**AT_HOST, **ON} == model(azure)["securityProfile"]
    assert written["storageProfile"]["imageReference"]["sku"] == "server"
    record = kept(azure)
    assert record is not None and (record.state, record.security) == ("finished", "Standard")
    assert not run.warnings, "the comparison expects exactly that member"
    back = play(azure, {**FIRST, "version": OLD}, back=True, canary=0, security_type="TrustedLaunch")
    assert back.outcome == "rolled_back", (back.why, back.findings)
    assert model(azure)["securityProfile"] == {**AT_HOST, "securityType": "Standard"}
    assert model(azure)["storageProfile"]["imageReference"]["sku"] == "server-gen1"
    again = play(azure, {**SECOND, "version": NEW}, **TYPE)
    assert again.outcome == "upgraded" and model(azure)["securityProfile"] == {**AT_HOST, **ON}


def fails(_ids: list[str]) -> None:
    raise Failed("it does not answer")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_stop_takes_it_back_with_the_image_as_far_as_azure_allows(allowed: bool) -> None:
    azure = simulated(security_back="accept" if allowed else "refuse")
    run = play(azure, {**SECOND, "version": NEW}, check=fails, **TYPE)
    assert run.outcome == "stopped"
    if allowed:
        assert patches(azure)[-1]["securityProfile"] == {**AT_HOST, "securityType": "Standard", "uefiSettings": None}
        assert model(azure)["securityProfile"] == {**AT_HOST, "securityType": "Standard"}
        assert model(azure)["storageProfile"]["imageReference"]["sku"] == "server-gen1"
        return
    assert "The model was not set back to the previous image" in run.why
    assert "Changing property 'securityProfile.securityType' is not allowed." in run.why, "in Azure's words"
    assert model(azure)["securityProfile"] == {**AT_HOST, **ON}


def test_another_run_that_goes_on_takes_it_back_too() -> None:
    azure = simulated()
    first = Play(azure, azure.options, None, image={**SECOND, "version": NEW}, **TYPE)
    first.rolls = False
    first.run()
    assert model(azure)["securityProfile"] == {**AT_HOST, **ON}
    run = play(azure, {**SECOND, "version": NEW}, check=fails, **TYPE)
    assert run.outcome == "stopped" and model(azure)["securityProfile"] == {**AT_HOST, "securityType": "Standard"}


@pytest.mark.parametrize("by", ["stop", "rollback"])
@pytest.mark.parametrize("vtpm", [True, False])
@pytest.mark.parametrize("secure_boot", [True, False])
def test_the_firmware_settings_come_back_with_the_type(secure_boot: bool, vtpm: bool, by: str) -> None:
    firmware = {"secureBootEnabled": secure_boot, "vTpmEnabled": vtpm}
    before = {**AT_HOST, "securityType": "TrustedLaunch", "uefiSettings": firmware}
    azure = simulated({"securityProfile": before, "storageProfile": {"imageReference": {**SECOND, "version": NEW}}})
    to = {**FIRST, "version": OLD}
    options = {"security_type": "Standard", "canary": 0, "max_unavailable": "50%", "downgrade": True}
    if by == "stop":
        run = play(azure, to, check=fails, **options)
        assert run.outcome == "stopped", run.why
    else:
        assert play(azure, to, **options).outcome == "upgraded"
        assert model(azure)["securityProfile"] == {**AT_HOST, "securityType": "Standard"}
        run = play(azure, {**SECOND, "version": NEW}, back=True, canary=0)
        assert run.outcome == "rolled_back", run.why
    assert model(azure)["securityProfile"] == before, run.why


@pytest.mark.parametrize(
    ("properties", "options", "code"),
    [
        (
            {"storageProfile": {"dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 4}]}},
            TYPE,
            "security_type_data_disks",
        ),
        ({}, {}, "image_generation"),
        ({"securityProfile": {"securityType": "ConfidentialVM"}}, TYPE, "image_security_type"),
    ],
)
def test_what_we_refuse_is_refused_before_anything_is_written(
    properties: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    azure = simulated(properties)
    run = play(azure, {**SECOND, "version": NEW}, **options)
    assert run.outcome == "refused" and code in run.codes and not azure.metrics()["writes"]


def test_the_type_alone_is_no_rollout() -> None:
    azure = simulated()
    asked = request(
        UpgradePlanInfoRequest, {**SET, "image": {**FIRST, "version": OLD}, "security_type": "TrustedLaunch"}
    )
    with refused("security_type", "changes the security type only together with the image"):
        upgrade_plan_info.make(ours(azure), asked)


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_diff_shows_it(check_mode: bool) -> None:
    azure = simulated()
    asked = request(ImageRequest, {**SET, "image": {**SECOND, "version": NEW}, "security_type": "TrustedLaunch"})
    change = image.set_image(ours(azure), azure.clock, asked, check_mode=check_mode)
    before, after = image.without_same_type(change.shown_before, change.shown_after)
    assert (before["security_type"], after["security_type"]) == ("Standard", "TrustedLaunch")
    assert bool(azure.metrics()["writes"]) is not check_mode and not change.warnings
    unchanged = image.set_image(ours(azure), azure.clock, asked, check_mode=check_mode)
    assert unchanged.changed is check_mode


@pytest.mark.parametrize("loses", ["securityProfile.encryptionAtHost", "securityProfile", "osProfile"])
def test_whatever_else_the_write_loses_stops_the_rollout(loses: str) -> None:
    azure = simulated({"osProfile": {"computerNamePrefix": "web"}}, image_write_loses=loses)
    run = play(azure, {**SECOND, "version": NEW}, **TYPE)
    assert run.outcome == "stopped" and "model_members_lost" in run.codes, (run.outcome, run.why)
    assert loses.split(".")[-1] in run.why
