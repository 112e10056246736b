# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's traffic of 2019 to 2026 shows, by what it was recorded in; shared/azure/API.md has it in our words.

Each has its other form behind a knob, which chaos draws, where an Azure of that form was seen or is feared.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from simulator.protocol import Reply

from .test_arm import SET, Client

MAY_2026 = "2025-11-01"
IDENTITY = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/ManagedIdentity/user"
REFERENCE = {"publisher": "p", "offer": "o", "sku": "s", "version": "1.0.2"}
NEW_IMAGE = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": REFERENCE}}}}
RATE = "x-ms-ratelimit-remaining-resource"


def started(**changes: Any) -> Client:
    image = {"publisher": "p", "offer": "o", "sku": "s", "version": "1.0.1"}
    web = {"name": "web", "resource_group": "rg", "capacity": 2, "image": image, "health": "none", **changes}
    client = Client(scale_sets=[web], knobs=changes.pop("knobs", {}))
    client.sign_in()
    return client


def ask(client: Client, method: str, path: str = "", body: Any = None, api: str = MAY_2026) -> Reply:
    joint = "&" if "?" in path else "?"
    return client.ask(method, f"{SET}{path}{joint}api-version={api}", body)


def done(client: Client, reply: Reply, seconds: float = 3600) -> Reply:
    assert reply.status in (200, 201, 202), reply.body
    client.arm.world.advance(client.arm.world.now + seconds)
    return reply


def properties(client: Client, api: str = MAY_2026) -> dict[str, Any]:
    found: dict[str, Any] = ask(client, "GET", api=api).body["properties"]
    return found


def upgrade(client: Client) -> Reply:
    return done(client, ask(client, "POST", "/manualupgrade", {"instanceIds": ["*"]}))


def test_a_manualupgrade_moves_the_etag_even_where_nothing_is_to_do() -> None:
    """azure-cli test_vmss_explicit_msi, recorded 2026-05: two GETs "2", the POST, a GET "3", the PATCH answers "4"."""
    client = started()
    before = [ask(client, "GET").body["etag"] for _read in range(2)]
    upgrade(client)
    after = ask(client, "GET").body["etag"]
    patch = ask(client, "PATCH", body={"tags": {"a": "b"}}).body["etag"]
    assert [*before, after, patch] == ['"1"', '"1"', '"2"', '"3"']


@pytest.mark.parametrize("action", ["manualupgrade", "reimage", "start", "restart"])
def test_no_bucket_of_the_set_s_own_for_actions_on_instances(action: str) -> None:
    """azure-powershell TestRebalancingPolicyVMSS 2025, azure-cli 2026: a PATCH shows VMScaleSetActionsResource, a
    manualupgrade only VMScaleSetActionsSubscriptionMaximum, and a no-op has charge 0."""
    client = started()
    patched = done(client, ask(client, "PATCH", body={"tags": {"a": "b"}})).headers[RATE]
    assert "VMScaleSetActionsSubscriptionMaximum;1499" in patched and "VMScaleSetActionsResource;11" in patched
    acted = done(client, ask(client, "POST", f"/{action}", {"instanceIds": ["0", "1"]}))
    shown = acted.headers[RATE]
    assert "VMScaleSetActionsSubscriptionMaximum;1498" in shown and "VMScaleSetActionsResource" not in shown
    if action == "manualupgrade":
        upgrade(client)
        nothing = upgrade(client)
        assert nothing.headers["x-ms-request-charge"] == "0"
        assert "VMScaleSetBatchedVMRequestsSubscriptionMaximum" in nothing.headers[RATE]
    other = started(knobs={"action_buckets": "resource"})
    assert "VMScaleSetActionsResource;11" in ask(other, "POST", f"/{action}", {"instanceIds": ["0"]}).headers[RATE]


def test_a_rolling_upgrade_policy_is_shown_only_where_it_was_sent_or_is_needed() -> None:
    """azure-powershell 2025 and azure-cli 2026 show {mode} alone; azure-cli test_vmss_update (2022-11-01), created with
    an empty policy, shows all defaults."""
    client = started()
    for api in ("2022-11-01", "2024-11-01", MAY_2026):
        assert properties(client, api)["upgradePolicy"] == {"mode": "Manual"}
    done(client, ask(client, "PATCH", body={"properties": {"upgradePolicy": {"rollingUpgradePolicy": {}}}}))
    shown = properties(client)["upgradePolicy"]["rollingUpgradePolicy"]
    assert shown["maxBatchInstancePercent"] == 20 and shown["maxSurge"] is False
    rolling = started(health="binary", upgrade_mode="Rolling")
    assert "rollingUpgradePolicy" in properties(rolling)["upgradePolicy"]
    always = started(knobs={"rolling_policy_shown": "always"})
    assert "rollingUpgradePolicy" in properties(always)["upgradePolicy"]


def test_a_service_is_suspended_beside_a_reimage_and_ends_with_it() -> None:
    """azure-sdk-for-python base_2 #29 and #30: both accepted half a second apart, both ended at the same instant."""
    client = started(automatic_repairs=True, health="binary", knobs={"reimage": 400, "orchestration": 5})
    reimage = ask(client, "POST", "/reimage", {"instanceIds": ["0"]})
    asked = {"serviceName": "AutomaticRepairs", "action": "Suspend"}
    suspend = ask(client, "POST", "/setOrchestrationServiceState", asked)
    assert (reimage.status, suspend.status) == (202, 202)
    client.arm.world.advance(client.arm.world.now + 600)
    ends = []
    for reply in (reimage, suspend):
        operation = client.ask("GET", reply.headers["Azure-AsyncOperation"]).body
        assert operation["status"] == "Succeeded"
        ends.append(operation["endTime"])
    assert ends[0][:19] <= ends[1][:19] and float(ends[1][17:19]) - float(ends[0][17:19]) <= 1


def test_a_patch_of_the_extension_list_adds_by_name_and_one_of_tags_replaces() -> None:
    """net2019 VMScaleSetUpdateTests TestVMScaleSetPatchOperations #46: Geneva stays beside vmssext01. Of tags
    azure-powershell #573 and #12003."""

    def extension(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "properties": {"publisher": "p", "type": name, "typeHandlerVersion": "1.0", **more}}

    def patch(client: Client, *listed: dict[str, Any]) -> list[dict[str, Any]]:
        model = {"virtualMachineProfile": {"extensionProfile": {"extensions": list(listed)}}}
        done(client, ask(client, "PATCH", body={"properties": model}))
        found: list[dict[str, Any]] = properties(client)["virtualMachineProfile"]["extensionProfile"]["extensions"]
        return found

    client = started(extensions=[extension("Geneva", settings={"own": "members"})], tags={"a": "1", "b": "2"})
    both = patch(client, extension("vmssext01"))
    assert [one["name"] for one in both] == ["Geneva", "vmssext01"] and both[0]["properties"]["settings"]
    done(client, ask(client, "PATCH", body={"tags": {"c": "3"}}))
    assert ask(client, "GET").body["tags"] == {"c": "3"}
    other = started(
        extensions=[extension("Geneva")], tags={"a": "1"}, knobs={"patch_lists": "replace", "patch_tags": "merge"}
    )
    assert [one["name"] for one in patch(other, extension("vmssext01"))] == ["vmssext01"]
    done(other, ask(other, "PATCH", body={"tags": {"c": "3"}}))
    assert ask(other, "GET").body["tags"] == {"a": "1", "c": "3"}


def test_a_put_of_the_repairs_policy_keeps_its_members_and_fills_in_the_others() -> None:
    """azure-cli test_vmss_update_automatic_repairs_with_health_extension."""
    client = started(health="binary", automatic_repairs={"gracePeriod": "PT30M", "repairAction": "Restart"})

    def put(policy: dict[str, Any]) -> Any:
        body = {"location": "westeurope", "properties": {"automaticRepairsPolicy": policy}}
        done(client, ask(client, "PUT", body=body))
        return properties(client)["automaticRepairsPolicy"]

    assert put({"enabled": False}) == {"enabled": False, "gracePeriod": "PT30M", "repairAction": "Restart"}
    plain = started(health="binary")
    done(plain, ask(plain, "PATCH", body={"properties": {"automaticRepairsPolicy": {"enabled": True}}}))
    filled = {"enabled": True, "gracePeriod": "PT10M", "repairAction": "Replace"}
    assert properties(plain)["automaticRepairsPolicy"] == filled


def test_what_an_extension_s_write_answers_is_not_what_is_stored() -> None:
    """azure-sdk-for-net and azure-cli 2020-06-01 (API.md 2.8): PUT over an existing one 201, Creating, settings
    replaced, forceUpdateTag kept; PATCH 201, Succeeded, only what was sent, while GET shows the whole, Creating."""
    whole = {"publisher": "p", "type": "t", "typeHandlerVersion": "1.0"}
    stored = {**whole, "settings": {"a": 1, "b": 2}, "forceUpdateTag": "one"}
    client = started(extensions=[{"name": "app", "properties": stored}])
    put = ask(client, "PUT", "/extensions/app", {"properties": {**whole, "settings": {"a": 3}}})
    assert (put.status, put.body["properties"]["provisioningState"]) == (201, "Creating")
    assert put.body["properties"]["settings"] == {"a": 3} and put.body["properties"]["forceUpdateTag"] == "one"
    done(client, put)
    patch = ask(client, "PATCH", "/extensions/app", {"properties": {"settings": {"c": 4}}})
    assert (patch.status, patch.body["properties"]) == (201, {"settings": {"c": 4}, "provisioningState": "Succeeded"})
    shown = ask(client, "GET", "/extensions/app").body["properties"]
    assert shown["provisioningState"] == "Creating" and shown["publisher"] == "p"
    done(client, patch)
    assert ask(client, "GET", "/extensions/app").body["properties"]["provisioningState"] == "Succeeded"
    other = started(extensions=[{"name": "app", "properties": stored}], knobs={"extension_answers": "whole"})
    answer = ask(other, "PATCH", "/extensions/app", {"properties": {"settings": {"c": 4}}})
    assert (answer.status, answer.body["properties"]["publisher"]) == (200, "p")


@pytest.mark.parametrize(("action", "kept"), [("deallocate", False), ("poweroff", True)])
def test_the_view_of_an_instance_that_is_off(action: str, kept: bool) -> None:
    """Of 103 recorded views 11 deallocated and 10 stopped (py2021 test_compute_vmss_vm among them)."""
    client = started()
    done(client, ask(client, "POST", f"/{action}", {"instanceIds": ["0"]}))
    view = ask(client, "GET", "/virtualMachines/0/instanceView").body
    assert [name in view for name in ("computerName", "osName", "vmAgent")] == [kept] * 3
    assert not kept or view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    power = {"deallocate": "deallocated", "poweroff": "stopped"}[action]
    assert [one["code"] for one in view["statuses"]] == ["ProvisioningState/succeeded", f"PowerState/{power}"]


def test_a_location_is_taken_in_either_spelling() -> None:
    """API.md 2.8, from a PUT of `eastus` over "East US"."""
    client = started(location="East US")
    reply = ask(client, "PUT", body={"location": "eastus", "tags": {"a": "b"}})
    assert reply.status == 200 and reply.body["location"] == "East US"
    assert ask(client, "PUT", body={"location": "westus"}).body["error"]["code"] == "PropertyChangeNotAllowed"


def test_identities_are_named_by_any_case() -> None:
    """azure-cli test_vmss_explicit_msi (2026-05) and the PATCHes beside it in API.md 2.8."""
    client = started()

    def patch(identity: dict[str, Any]) -> Any:
        done(client, ask(client, "PATCH", body={"identity": identity}))
        return ask(client, "GET").body.get("identity")

    user = "UserAssigned"
    one = patch({"type": user, "userAssignedIdentities": {f"{IDENTITY}/One": {}}})
    assert list(one["userAssignedIdentities"]) == [f"{IDENTITY}/One"]
    both = patch({"type": user, "userAssignedIdentities": {f"{IDENTITY}/Two": {}}})
    assert list(both["userAssignedIdentities"]) == [f"{IDENTITY}/One", f"{IDENTITY}/Two"]
    left = patch({"type": user, "userAssignedIdentities": {f"{IDENTITY}/ONE": None}})
    assert list(left["userAssignedIdentities"]) == [f"{IDENTITY}/Two"]
    assert upgrade(client).status == 202 and patch({"type": "None"}) is None


@pytest.mark.parametrize("policy", ["Deallocate", "Delete", None])
def test_an_eviction_can_be_simulated_on_spot_instances(policy: str | None) -> None:
    """azure-sdk-for-python, SimulateEviction (API.md 2.8): 204, or 409 OperationNotAllowed."""
    spot = {"virtualMachineProfile": {"priority": "Spot", "evictionPolicy": policy}} if policy else {}
    client = started(properties=spot)
    reply = ask(client, "POST", "/virtualMachines/0/simulateEviction")
    if policy is None:
        assert (reply.status, reply.body["error"]["code"]) == (409, "OperationNotAllowed")
        return
    assert (reply.status, reply.body) == (204, None) and "Azure-AsyncOperation" not in reply.headers
    client.arm.world.advance(client.arm.world.now + 600)
    found = ask(client, "GET", "/virtualMachines/0?$expand=instanceView")
    if policy == "Delete":
        assert found.status == 404
        return
    assert found.body["properties"]["provisioningState"] == "Succeeded"
    assert found.body["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/deallocated"


def test_what_requests_are_charged_for() -> None:
    """API.md 2.8: the list of 2 overprovisioned VMs cost 4, an empty list nothing, a VM 1, the set's deletion 2."""
    charge = "x-ms-request-charge"
    twice = started(properties={"overprovision": True})
    assert ask(twice, "GET", "/virtualMachines").headers[charge] == "4"
    plain = started()
    assert ask(plain, "GET", "/virtualMachines").headers[charge] == "2"
    assert ask(plain, "GET", "/virtualMachines/0").headers[charge] == "1"
    assert charge not in ask(started(capacity=0), "GET", "/virtualMachines").headers
    assert ask(plain, "DELETE").headers[charge] == "2"


def test_a_next_link_may_have_raw_spaces() -> None:
    """As older services write them; a knob alone, for no recording of a scale set's list that has one is at hand."""
    client = started(knobs={"page_size": 1, "next_link_spaces": True})
    path = "/virtualMachines?$filter=properties%2FlatestModelApplied%20eq%20true"
    link = ask(client, "GET", path).body["nextLink"]
    assert "properties/latestModelApplied eq true" in link
    query = dict(parse_qsl(urlsplit(link).query))
    assert query["$filter"] == "properties/latestModelApplied eq true" and query["$skiptoken"]


def test_members_differ_by_api_version() -> None:
    """azure-cli 2026-05: a GET at 2025-11-01 shows securityType Standard, the PATCH's answer at 2024-11-01 does not.
    From 2024-11-01 on the model has timeCreated and platformFaultDomainCount."""
    client = started()
    assert properties(client)["virtualMachineProfile"]["securityProfile"] == {"securityType": "Standard"}
    patched = ask(client, "PATCH", body={"tags": {"a": "b"}}, api="2024-11-01").body["properties"]
    assert "securityProfile" not in patched["virtualMachineProfile"]
    assert re.match(r"\d{4}-", patched["virtualMachineProfile"]["timeCreated"])
    assert patched["platformFaultDomainCount"] == 5
    assert "timeCreated" not in properties(client, "2022-11-01")["virtualMachineProfile"]


def test_ids_come_back_in_another_case() -> None:
    """API.md 2.8: TESTRG-196 for testRG-196 (proximityPlacementGroup, 2023)."""
    group = "/subscriptions/s/resourceGroups/testRG-196/providers/Microsoft.Compute/proximityPlacementGroups/near"
    client = started(properties={"proximityPlacementGroup": {"id": group}})
    assert properties(client)["proximityPlacementGroup"]["id"] == group.replace("testRG", "TESTRG")
    spelled = started(knobs={"id_case": "upper_group"})
    assert "/resourceGroups/RG/" in ask(spelled, "GET", "/virtualMachines").body["value"][0]["id"]


def power(client: Client, key: str = "0") -> tuple[str, str]:
    view = ask(client, "GET", f"/virtualMachines/{key}/instanceView").body
    return view["statuses"][0]["code"].split("/")[1], view["statuses"][1]["code"].split("/")[1]


@pytest.mark.parametrize(
    ("holds", "action"), [("reimage", "reimage"), ("reimage", "manualupgrade"), ("all", "manualupgrade")]
)
def test_an_instance_that_is_notified_may_hold_its_image_up(holds: str, action: str) -> None:
    """azure-cli test_vmss_os_image_notification (PT15M): for a reimage; for manualupgrade it is not known."""
    profile = {"scheduledEventsProfile": {"osImageNotificationProfile": {"enable": True, "notBeforeTimeout": "PT15M"}}}
    client = started(properties={"virtualMachineProfile": profile}, knobs={"notification_holds": holds, "upgrade": 60})
    done(client, ask(client, "PATCH", body=NEW_IMAGE))
    assert ask(client, "POST", f"/{action}", {"instanceIds": ["0"]}).status == 202
    held = (holds, action) != ("reimage", "manualupgrade")
    assert power(client) == ("updating", "running" if held else "stopped")
    client.arm.world.advance(client.arm.world.now + 890)
    assert power(client) == (("updating", "running") if held else ("succeeded", "running"))
    client.arm.world.advance(client.arm.world.now + 20)
    assert not held or power(client) == ("updating", "stopped")
    client.arm.world.advance(client.arm.world.now + 900)
    assert power(client) == ("succeeded", "running")


@pytest.mark.parametrize(("force", "version"), [(False, "1.0.1"), (True, "1.0.2")])
def test_a_reimage_of_an_ephemeral_disk_brings_the_first_image_unless_it_is_told_otherwise(
    force: bool, version: str
) -> None:
    """azure-cli #28670: without forceUpdateOSDiskForEphemeral."""
    disk = {"diffDiskSettings": {"option": "Local"}, "caching": "ReadOnly"}
    model = {"virtualMachineProfile": {"storageProfile": {"osDisk": disk}}}
    client = started(properties=model, knobs={"upgrade_keeps_disk": True})
    done(client, ask(client, "PATCH", body=NEW_IMAGE))
    upgrade(client)
    body = {"instanceIds": ["0"], **({"forceUpdateOSDiskForEphemeral": True} if force else {})}
    done(client, ask(client, "POST", "/reimage", body))
    shown = ask(client, "GET", "/virtualMachines/0").body["properties"]["storageProfile"]["imageReference"]
    assert shown["exactVersion"] == version
