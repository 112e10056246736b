"""Each recorded exchange, played against the simulator: the same status, header names and member paths come back.

The request is built from the table (method, path, api-version, query names, members of the body) and sent as it was
recorded, after the set was brought to the situation of the recording. A difference that the table does not list fails,
and so does a listed one that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from . import shapes
from .arm import Arm
from .table import TABLE

LINUX = {"publisher": "contoso", "offer": "server", "sku": "24_04-lts", "version": "1.0.20260101"}
QUERY = {"$expand": "instanceView", "$select": "instanceView", "$top": "1", "$orderby": "name desc", "p": "anything"}
# Sent beside what was recorded: recordings lost these to scrubbing, or are older than the header.
ALWAYS_ALLOWED = {
    "etag",
    "x-ms-request-id",
    "x-ms-correlation-request-id",
    "x-ms-routing-request-id",
    "x-ms-ratelimit-remaining-resource",
    "x-ms-ratelimit-remaining-subscription-global-reads",
    "x-ms-ratelimit-remaining-subscription-global-writes",
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-writes",
}


@dataclass
class Situation:
    """The names in the path, members of the body (by path) that the test chooses, and what has to happen before."""

    scale_set: str = "linux"
    instance: str = "0"
    body: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Arm, str], str | None] | None = None


def operation_of(answer: requests.Response) -> str:
    assert answer.ok, answer.text
    return answer.headers["Azure-AsyncOperation"].partition("/operations/")[2].partition("?")[0]


def rewrite_image(simulator: Arm, path: str) -> requests.Response:
    """Name another version in the model."""
    reference = {"imageReference": {**LINUX, "version": "2.0.20260201"}}
    body = {"properties": {"virtualMachineProfile": {"storageProfile": reference}}}
    return simulator.call("PATCH", path, body)


def running_write(simulator: Arm, path: str) -> str:
    return operation_of(simulator.call("PATCH", path, {"tags": {"a": "b"}}))


def failed_upgrade(simulator: Arm, path: str) -> str:
    simulator.finish(rewrite_image(simulator, path))
    started = simulator.call("POST", f"{path}/manualupgrade", {"instanceIds": ["0"]})
    assert simulator.finish(started)["status"] == "Failed"
    return operation_of(started)


def finished_write(simulator: Arm, path: str) -> None:
    """A write that changes nothing, and its end."""
    document = simulator.call("GET", path).json()
    simulator.finish(simulator.call("PUT", path, document))


def running_rolling_upgrade(simulator: Arm, path: str) -> None:
    assert simulator.call("POST", f"{path}/osRollingUpgrade").status_code == 202


def completed_rolling_upgrade(simulator: Arm, path: str) -> None:
    assert simulator.finish(simulator.call("POST", f"{path}/osRollingUpgrade"))["status"] == "Succeeded"


def cancelled_rolling_upgrade(simulator: Arm, path: str) -> None:
    """Both operations end Succeeded."""
    for started in [
        simulator.call("POST", f"{path}/{what}") for what in ("osRollingUpgrade", "rollingUpgrades/cancel")
    ]:
        assert simulator.finish(started)["status"] == "Succeeded"


SITUATIONS = {
    "operation failed inside Azure, told to wait": Situation("broken", before=failed_upgrade),
    "operation failed by an extension": Situation("failing", before=failed_upgrade),
    "operation in progress": Situation("not-rolling", before=running_write),
    "upgrade all instances": Situation("upgraded", body={"instanceIds[]": "*"}),
    "upgrade refused by conflict": Situation("refused", body={"instanceIds[]": "*"}, before=finished_write),
    "history of rolling upgrades": Situation("rolling-upgrade-in-history", before=completed_rolling_upgrade),
    "start a rolling upgrade": Situation("rolled"),
    "start a rolling upgrade of extensions": Situation("extensions-rolled"),
    "cancel a rolling upgrade": Situation("rolling-upgrade-to-cancel", before=running_rolling_upgrade),
    "suspend an orchestration service": Situation(
        "repaired", body={"serviceName": "AutomaticRepairs", "action": "Suspend"}
    ),
    "patch a scale set": Situation("patched"),
    "change of an immutable property": Situation(
        "unmanaged", body={"properties.virtualMachineProfile.priority": "Low", "tags": {}}
    ),
    "reimage all disks of one instance": Situation("reimaged", body={"instanceIds[]": "3"}),
    "cancel without a rolling upgrade": Situation("linux"),
    "latest rolling upgrade, cancelled": Situation("rolling-upgrade-cancelled", before=cancelled_rolling_upgrade),
    "latest rolling upgrade, completed": Situation("rolling-upgrade-completed", before=completed_rolling_upgrade),
    "latest rolling upgrade, running": Situation("rolling-upgrade-running", before=running_rolling_upgrade),
    "mode Rolling without a health source": Situation(
        "unmanaged", body={"properties.upgradePolicy.mode": "Rolling", "tags": {}}
    ),
    "virtual machine of a Flexible set": Situation("flexible"),
    "instance view with health": Situation("monitored"),
    "instances after a write that changed nothing": Situation("unmanaged", before=finished_write),
    "instances of a Flexible set": Situation("flexible"),
    "first page of 180 instances": Situation("pages"),
    "instances selected by view only": Situation("unmanaged"),
    "Flexible scale set": Situation("flexible-new"),
    "scale set instance view": Situation("patched"),
    "put a scale set": Situation("windows"),
    "Uniform scale set": Situation("windows"),
}
SAMPLE_VALUES = {
    "string": "text",
    "bool": True,
    "number": 1,
    "list": [],
    "object": {},
    "version": "1.0",
    "resource id": "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg",
}


def filled(tree: Any, document: Any, chosen: dict[str, Any], path: str = "") -> Any:
    """A body of the table's shape, with the values of the stored document where it has the member."""
    if path in chosen:
        return chosen[path]
    if isinstance(tree, dict):
        stored = document if isinstance(document, dict) else {}
        return {k: filled(v, stored.get(k), chosen, f"{path}.{k}" if path else k) for k, v in tree.items()}
    if isinstance(tree, list):
        items = document if isinstance(document, list) and document else [None]
        return [filled(tree[0], item, chosen, f"{path}[]") for item in items]
    return SAMPLE_VALUES[tree] if document is None else document


def play(simulator: Arm, entry: dict[str, Any], situation: Situation) -> requests.Response:
    request = entry["request"]
    path = simulator.scale_set(situation.scale_set)
    names = {
        "subscription": simulator.subscription,
        "resource_group": "rg",
        "scale_set": situation.scale_set,
        "location": "westeurope",
        "operation": situation.before(simulator, path) if situation.before else "00000000-0000-4000-8000-000000000000",
        "instance": situation.instance,
        **LINUX,
    }
    template = request["path"]
    if "/virtualMachines/{instance}" in template and not template.startswith("{scale_set}"):
        names["instance"] = simulator.call("GET", f"{path}/virtualMachines").json()["value"][0]["name"]
    for short, beginning in shapes.BEGINNINGS.items():
        template = beginning + template.removeprefix(short) if template.startswith(short) else template
    url = template.format(**names)
    if query := request.get("query"):
        url += "?" + "&".join(f"{name}={QUERY[name]}" for name in query)
    body = None
    if "body" in request:
        document = simulator.call("GET", path).json() if request["method"] in ("PUT", "PATCH") else {}
        body = filled(request["body"], document, situation.body)
    return simulator.call(request["method"], url, body, api_version=request["api_version"])


def differences(entry: dict[str, Any], answer: requests.Response) -> set[tuple[str, str]]:
    """What is not as recorded, as `{(kind, member path or header name)}`."""
    body = answer.json() if answer.content else None
    found = shapes.differences(shapes.flat(entry.get("members", {})), shapes.shape_of(body))
    headers = shapes.headers_of(answer.headers)
    if recorded := entry["headers"]:  # one recording has kept none
        found |= {("header", name) for name, form in recorded.items() if headers.get(name) != form}
        found |= {("header", name) for name in headers.keys() - recorded.keys() - ALWAYS_ALLOWED}
    return found


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["name"])
def test_answer_is_as_recorded(simulator: Arm, entry: dict[str, Any]) -> None:
    answer = play(simulator, entry, SITUATIONS.get(entry["name"], Situation()))
    assert answer.status_code == entry["status"], answer.text
    assert shapes.words_of(answer.json() if answer.content else None) == entry.get("words", {})
    found, listed = differences(entry, answer), entry.get("differences", [])
    assert not (unlisted := shapes.uncovered(found, listed)), f"not as recorded: {sorted(unlisted)}"
    for difference in listed:
        assert shapes.uncovered(found, [difference]) != found, f"listed, but as recorded now: {difference}"
