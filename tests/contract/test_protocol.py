"""What Azure was recorded to do on the wire: operations, preemption, conflict, ETag, pages, case, errors."""

from __future__ import annotations

import inspect
import re
import time
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient

from .arm import Arm
from .shapes import STRING_FORMS

OLD = "2022-11-01"
NEW_VERSION = {
    "properties": {
        "virtualMachineProfile": {
            "storageProfile": {
                "imageReference": {
                    "publisher": "contoso",
                    "offer": "server",
                    "sku": "24_04-lts",
                    "version": "2.0.20260201",
                }
            }
        }
    }
}


def error_of(answer: Any, status: int) -> tuple[str, str]:
    """`(code, message)` of a refusal with that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    error = answer.json()["error"]
    return error["code"], error["message"]


class TestOperations:
    def test_a_write_answers_with_the_resource_and_a_poll_url(self, protocol: Arm) -> None:
        answer = protocol.call("PATCH", protocol.scale_set("written"), {"tags": {"a": "b"}}, api_version=OLD)
        assert answer.status_code == 200
        assert answer.json()["properties"]["provisioningState"] == "Updating"
        assert "Location" not in answer.headers
        assert answer.headers["Azure-AsyncNotification"] == "Enabled"
        poll = answer.headers["Azure-AsyncOperation"]
        assert f"api-version={OLD}" in poll and "monitor=true" not in poll

        running = protocol.session.get(poll, timeout=30)
        assert running.status_code == 200
        assert list(running.json()) == ["startTime", "status", "name"]
        assert running.json()["status"] == "InProgress"
        ended = protocol.finish(answer)
        assert list(ended) == ["startTime", "endTime", "status", "name"]
        assert ended["status"] == "Succeeded"
        assert re.search(r"/operations/([^?]+)\?", poll)[1] == ended["name"]  # type: ignore[index]
        for moment in (ended["startTime"], ended["endTime"]):
            assert STRING_FORMS["timestamp"].fullmatch(moment)
            assert len(moment.partition(".")[2].partition("+")[0]) == 7, "seven digits of a second, and an offset"
        assert (
            protocol.call("GET", protocol.scale_set("written")).json()["properties"]["provisioningState"] == "Succeeded"
        )
        assert protocol.session.get(poll, timeout=30).json() == ended, "an ended operation stays readable"

    def test_an_action_answers_202_with_both_headers_and_no_body(self, protocol: Arm) -> None:
        path = protocol.scale_set("acted-on")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        answer = protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0"]}, api_version=OLD)
        assert answer.status_code == 202
        assert answer.content == b"" and answer.headers["Content-Length"] == "0"
        assert "Retry-After" not in answer.headers
        poll, location = answer.headers["Azure-AsyncOperation"], answer.headers["Location"]
        assert location.replace("&monitor=true", "") == poll
        assert protocol.session.get(location, timeout=30).status_code == 202, "the Location answers 202 while it runs"
        protocol.finish(answer)
        ended = protocol.session.get(location, timeout=30)
        assert (ended.status_code, ended.content) == (200, b"")

    def test_new_poll_urls_are_long_and_opaque(self, protocol: Arm) -> None:
        answer = protocol.call("POST", protocol.scale_set("acted-on") + "/manualupgrade", {"instanceIds": ["0"]})
        assert len(answer.headers["Azure-AsyncOperation"]) > 4096
        protocol.finish(answer)

    def test_a_failure_is_in_the_body_of_a_200(self, protocol: Arm, sdk: ComputeManagementClient) -> None:
        """One of two instances fails: the operation fails and names it; the other one is upgraded."""
        path = protocol.scale_set("failed")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        poller = sdk.virtual_machine_scale_sets.begin_update_instances("rg", "failed", {"instanceIds": ["0", "1"]})
        with pytest.raises(HttpResponseError) as caught:
            poller.result()
        assert caught.value.status_code == 200
        assert caught.value.error is not None
        assert caught.value.error.code == "VMExtensionProvisioningError"
        assert [detail.target for detail in caught.value.error.details] == ["1"]
        instances = protocol.call("GET", f"{path}/virtualMachines").json()["value"]
        assert [item["properties"]["provisioningState"] for item in instances] == ["Succeeded", "Failed"]
        assert instances[0]["properties"]["storageProfile"]["imageReference"]["exactVersion"] == "2.0.20260201"
        assert protocol.call("GET", path).json()["properties"]["provisioningState"] == "Failed"
        protocol.finish(protocol.call("PATCH", path, {"tags": {"a": "b"}}))

    def test_create(self, protocol: Arm) -> None:
        model = protocol.call("GET", protocol.scale_set("written")).json()
        body = {key: model[key] for key in ("location", "sku", "properties")}
        answer = protocol.call("PUT", protocol.scale_set("made"), body)
        assert answer.status_code == 201 and "Location" not in answer.headers
        assert answer.json()["properties"]["provisioningState"] == "Creating"
        protocol.finish(answer)
        made = protocol.call("GET", protocol.scale_set("made") + "/virtualMachines").json()["value"]
        assert [item["properties"]["provisioningState"] for item in made] == ["Succeeded", "Succeeded"]

    def test_delete(self, protocol: Arm) -> None:
        path = protocol.scale_set("deleted")
        answer = protocol.call("DELETE", path)
        assert answer.status_code == 202 and {"Location", "Azure-AsyncOperation"} <= answer.headers.keys()
        code, message = error_of(protocol.call("PATCH", path, {"tags": {}}), 409)
        assert code == "OperationNotAllowed" and "marked for deletion" in message
        protocol.finish(answer)
        assert protocol.call("GET", path).status_code == 404
        assert protocol.call("DELETE", path).status_code == 204


class TestOverlap:
    def test_a_newer_write_preempts_the_running_one(self, protocol: Arm) -> None:
        path = protocol.scale_set("preempted")
        older = protocol.call("PATCH", path, {"tags": {"a": "1"}})
        newer = protocol.call("PATCH", path, {"tags": {"b": "2"}})
        body = protocol.finish(older)
        assert body["status"] == "Canceled"
        assert body["error"]["code"] == "OperationPreempted"
        assert "preempted by a more recent operation" in body["error"]["message"]
        assert protocol.finish(newer)["status"] == "Succeeded"
        assert protocol.call("GET", path).json()["tags"] == {"b": "2"}, "a PATCH of tags replaces them"

    def test_overlapping_actions_are_refused(self, protocol: Arm) -> None:
        """Even on other instances of the set; and so is a write."""
        path = protocol.scale_set("overlapped")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        first = protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0"]})
        for other in (
            protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["1"]}),
            protocol.call("POST", f"{path}/reimage", {"instanceIds": ["2"]}),
            protocol.call("PATCH", path, {"tags": {"a": "b"}}),
        ):
            code, message = error_of(other, 409)
            assert code == "Conflict" and "conflict with a concurrent request" in message
            assert "Retry-After" not in other.headers, "the SDK would re-send it by itself"
        assert protocol.finish(first)["status"] == "Succeeded"

    def test_a_conflict_right_after_success_costs_quota(self, protocol: Arm) -> None:
        """The set says Succeeded and refuses all the same."""

        def left(answer: Any) -> int:
            return int(
                re.findall(
                    r"VMScaleSetActionsSubscriptionMaximum;(\d+)", answer.headers["x-ms-ratelimit-remaining-resource"]
                )[0]
            )

        path = protocol.scale_set("just-finished")
        protocol.finish(protocol.call("PATCH", path, NEW_VERSION))
        assert protocol.call("GET", path).json()["properties"]["provisioningState"] == "Succeeded"
        refusals = [protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0"]}) for _attempt in range(2)]
        assert [error_of(refusal, 409)[0] for refusal in refusals] == ["Conflict", "Conflict"]
        assert left(refusals[1]) == left(refusals[0]) - 1


class TestEtag:
    def test_each_write_counts_it_up_and_old_versions_do_not_have_it(self, protocol: Arm) -> None:
        path = protocol.scale_set("tagged")
        first = protocol.call("GET", path)
        assert STRING_FORMS["quoted decimal"].fullmatch(first.headers["ETag"])
        assert first.json()["etag"] == first.headers["ETag"]
        written = protocol.call("PATCH", path, {"tags": {"a": "b"}})
        assert int(written.json()["etag"].strip('"')) == int(first.json()["etag"].strip('"')) + 1
        protocol.finish(written)
        old = protocol.call("GET", path, api_version=OLD)
        assert "etag" not in old.json() and "ETag" not in old.headers

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_a_write_on_another_state_is_refused(self, protocol: Arm, method: str) -> None:
        path = protocol.scale_set("tagged")
        before = protocol.call("GET", path).json()
        body = {"tags": {"lost": "update"}} if method == "PATCH" else {**before, "tags": {"lost": "update"}}
        refused = protocol.call(method, path, body, headers={"If-Match": '"999"'})
        code, message = error_of(refused, 412)
        assert code == "PreconditionFailed"
        assert '"999"' in message and before["etag"] in message
        assert protocol.call("GET", path).json() == before
        protocol.finish(protocol.call(method, path, body, headers={"If-Match": before["etag"]}))

    def test_if_none_match_means_create_only(self, protocol: Arm) -> None:
        path = protocol.scale_set("tagged")
        document = protocol.call("GET", path).json()
        assert protocol.call("PUT", path, document, headers={"If-None-Match": "*"}).status_code == 412

    def test_actions_do_not_look_at_it(self, protocol: Arm) -> None:
        path = protocol.scale_set("tagged") + "/manualupgrade"
        protocol.finish(protocol.call("POST", path, {"instanceIds": ["0"]}, headers={"If-Match": '"999"'}))

    def test_both_ends_of_the_sdk_range_send_it(self, protocol: Arm, sdk: ComputeManagementClient) -> None:
        sets: Any = sdk.virtual_machine_scale_sets
        etag = protocol.call("GET", protocol.scale_set("sdk")).json()["etag"]
        old_end = "if_match" in inspect.signature(sets.begin_update).parameters

        def condition(etag: str) -> dict[str, Any]:
            return {"if_match": etag} if old_end else {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        with pytest.raises(HttpResponseError) as caught:
            sets.begin_update("rg", "sdk", {"tags": {"a": "b"}}, **condition('"999"'))
        assert caught.value.status_code == 412
        assert sets.begin_update("rg", "sdk", {"tags": {"a": "b"}}, **condition(etag)).result().tags == {"a": "b"}


class TestPages:
    def test_pages_of_120_in_no_order_and_an_absolute_link(self, protocol: Arm) -> None:
        path = protocol.scale_set("pages") + "/virtualMachines"
        first = protocol.call("GET", f"{path}?$expand=instanceView")
        ids = [item["instanceId"] for item in first.json()["value"]]
        assert len(ids) == 120 and ids != sorted(ids, key=int)
        assert first.headers["x-ms-request-charge"] == "120"
        link = first.json()["nextLink"]
        assert link.startswith(protocol.url) and re.search(r"^https://[^/]+:\d+/", link) and "$skiptoken=" in link
        second = protocol.session.get(link, timeout=30).json()
        assert "nextLink" not in second and "instanceView" in second["value"][0]["properties"]
        ids += [item["instanceId"] for item in second["value"]]
        assert sorted(ids, key=int) == [str(number) for number in range(180)]

    def test_the_sdk_follows_them(self, sdk: ComputeManagementClient) -> None:
        found = sdk.virtual_machine_scale_set_vms.list("rg", "pages", expand="instanceView")
        assert len({item.instance_id for item in found}) == 180


class TestCase:
    def test_paths_are_matched_without_case(self, protocol: Arm) -> None:
        path = protocol.scale_set("Cased")
        document = protocol.call("GET", path).json()
        for spelled in (path.lower(), path.upper(), path.replace("resourceGroups", "resourcegroups")):
            found = protocol.call("GET", spelled)
            assert found.status_code == 200, spelled
            assert found.json()["name"] == document["name"] == "Cased", "names keep the case they were made with"
        assert protocol.call("GET", f"{path}/virtualmachines/0/INSTANCEVIEW").status_code == 200
        assert protocol.call("POST", f"{path}/ManualUpgrade", {"instanceIds": ["0"]}).status_code == 202


class TestErrors:
    """Code and status of each refusal, and what clients were seen to look for in its message."""

    def test_what_is_not_there(self, protocol: Arm, sdk: ComputeManagementClient) -> None:
        code, message = error_of(protocol.call("GET", protocol.scale_set("nothing")), 404)
        assert code == "ResourceNotFound"
        assert "'Microsoft.Compute/virtualMachineScaleSets/nothing' under resource group 'rg' was not found" in message
        code, message = error_of(protocol.call("GET", protocol.scale_set("x", "nowhere")), 404)
        assert (code, message) == ("ResourceGroupNotFound", "Resource group 'nowhere' could not be found.")
        code, _message = error_of(protocol.call("GET", protocol.scale_set("written") + "/virtualMachines/99"), 404)
        assert code == "NotFound"
        other = protocol.scale_set("written").replace(protocol.subscription, "99999999-9999-4999-8999-999999999999")
        assert error_of(protocol.call("GET", other), 404)[0] == "SubscriptionNotFound"
        action = protocol.call("POST", protocol.scale_set("nothing") + "/manualupgrade", {"instanceIds": ["0"]})
        assert error_of(action, 404)[0] == "ResourceNotFound"
        assert protocol.call("GET", protocol.scale_set("written") + "/rollingUpgrades/latest").status_code == 404
        with pytest.raises(ResourceNotFoundError):
            sdk.virtual_machine_scale_sets.get("rg", "nothing")

    def test_an_unknown_instance_id_undoes_the_whole_call(self, protocol: Arm) -> None:
        path = protocol.scale_set("refused")
        before = protocol.call("GET", f"{path}/virtualMachines").json()
        refused = protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0", "999"]})
        code, message = error_of(refused, 400)
        assert code == "InvalidParameter" and refused.json()["error"]["target"] == "instanceIds"
        assert "instanceId 999 is not an active Virtual Machine Scale Set VM instanceId" in message
        assert protocol.call("GET", f"{path}/virtualMachines").json() == before

    def test_image_changes(self, protocol: Arm) -> None:
        path = protocol.scale_set("refused")
        images = f"/subscriptions/{protocol.subscription}/resourceGroups/images/providers/Microsoft.Compute/images"

        def write(reference: dict[str, str]) -> Any:
            profile = {"storageProfile": {"imageReference": reference}}
            return protocol.call("PATCH", path, {"properties": {"virtualMachineProfile": profile}})

        code, message = error_of(write({"id": f"{images}/golden"}), 409)
        assert code == "OperationNotAllowed" and "Image type" in message and "may not be changed" in message
        windows = {"publisher": "contoso", "offer": "server", "sku": "2025-datacenter", "version": "1.0.20260101"}
        assert error_of(write(windows), 409)[0] == "PropertyChangeNotAllowed"
        _code, message = error_of(write({**windows, "sku": "24_04-lts", "version": "9.9.9"}), 404)
        assert "contoso:server:24_04-lts:9.9.9" in message

    def test_a_put_keeps_the_image_that_it_does_not_name(self, protocol: Arm) -> None:
        """As az puts a model: without the image, or with the one member of it that changed."""
        path = protocol.scale_set("put")
        document = protocol.call("GET", path).json()
        storage = document["properties"]["virtualMachineProfile"]["storageProfile"]
        stored = storage.pop("imageReference")
        answer = protocol.call("PUT", path, document)
        kept = answer.json()["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
        assert kept == stored
        storage["imageReference"] = {"version": "2.0.20260201"}
        answer = protocol.call("PUT", path, document)
        changed = answer.json()["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
        assert changed == {**stored, "version": "2.0.20260201"}

    def test_automatic_upgrades_need_a_health_source(self, protocol: Arm) -> None:
        path = protocol.scale_set("refused")
        for policy, words in (
            ({"mode": "Rolling"}, "Rolling Upgrade mode is not supported"),
            ({"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}, "Automatic OS Upgrade is not supported"),
        ):
            code, message = error_of(protocol.call("PATCH", path, {"properties": {"upgradePolicy": policy}}), 400)
            assert code == "BadRequest" and words in message and "health" in message

    def test_model_limit(self, protocol: Arm) -> None:
        """Each instance is left on a model of its own, until the set has as many as it may."""
        path = protocol.scale_set("limited")
        for number in range(3):
            tags = {"virtualMachineProfile": {"licenseType": f"kind-{number}"}}
            answer = protocol.call("PATCH", path, {"properties": tags})
            if answer.status_code != 200:
                break
            protocol.finish(answer)
            upgrade = protocol.call("POST", f"{path}/manualupgrade", {"instanceIds": [str(number)]})
            protocol.finish(upgrade)
        refused = protocol.call("PATCH", path, {"properties": {"virtualMachineProfile": {"licenseType": "one-more"}}})
        _code, message = error_of(refused, 400)
        assert "reached its limit of 3 models" in message

    def test_refusals_of_the_sign_in(self, protocol: Arm) -> None:
        path = f"{protocol.url}{protocol.scale_set('written')}?api-version={OLD}"
        anonymous = protocol.session.get(path, headers={"Authorization": ""}, timeout=30)
        assert anonymous.status_code == 401 and "WWW-Authenticate" in anonymous.headers
        form = {"grant_type": "client_credentials", "client_id": protocol.environment["AZURE_CLIENT_ID"]}
        form |= {"client_secret": "wrong", "scope": f"{protocol.url}/.default"}
        token = protocol.session.post(f"{protocol.url}/{protocol.tenant}/oauth2/v2.0/token", data=form, timeout=30)
        assert token.status_code == 401
        assert token.json()["error"] == "invalid_client" and "AADSTS7000215" in token.json()["error_description"]

    def test_the_sdk_tells_a_conflict_by_its_class(self, sdk: ComputeManagementClient) -> None:
        with pytest.raises(ResourceExistsError) as caught:
            sdk.virtual_machine_scale_sets.begin_update_instances("rg", "just-finished", {"instanceIds": ["0"]})
        assert caught.value.error is not None and caught.value.error.code == "Conflict"


def test_a_read_costs_a_read_and_a_write_costs_a_write(protocol: Arm) -> None:
    read = protocol.call("GET", protocol.scale_set("written"))
    assert "x-ms-ratelimit-remaining-subscription-reads" in read.headers
    assert "x-ms-ratelimit-remaining-subscription-writes" not in read.headers
    started = time.monotonic()
    write = protocol.call("PATCH", protocol.scale_set("written"), {"tags": {"c": "d"}})
    assert "x-ms-ratelimit-remaining-subscription-writes" in write.headers
    protocol.finish(write)
    assert time.monotonic() - started >= 0.5, "even a write of tags takes its time"
