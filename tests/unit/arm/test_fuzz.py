# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever an answer holds, there is a result or an AzureError with words; nothing else, nowhere else, and soon.

FUZZ_EXAMPLES says how many answers each question gets; `make fuzz` gives them minutes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, OperationRef, connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import availability, domains, images
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import Image
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import FLEXIBLE, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._facts.times import timestamp
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions
from ansible_collections.steady.vmss.plugins.module_utils._rollout import record
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.scale_set_info import scale_set as shown

from ..asking import request
from ..fake_azure import GROUP, OPTIONS, SECRET, WEB, FakeAzure, FakeClock

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
LONGEST = 1.0  # seconds of CPU for one answer
HERE = "https://management.azure.com"

NASTY = [
    "{{lookup('pipe','id')}}",
    "{% x %}",
    "\x1b]0;x\x07",
    "\u202e",
    "##vso[task.setvariable variable=a]b",
    "::warning::x",
    "../../../../x",
    "https://evil.test/x",
    f"{HERE}@evil.test/x",
    "http://management.azure.com/x",
    "$(id)",
    "`id`",
    "'\"\\",
    "\x00",
    "\ud800",
    "A" * 400,
    "9999-12-31T23:59:59.9999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "9" * 400,
    "-1",
    "1e400",
    "0-4000000000",
    "",
    " ",
    "²",
    f"https://blobs.example/a.vhd?sig={SECRET}",
    "https://" * 50,
    "PowerState/",
    "/",
    "ProvisioningState/failed/x",
    GROUP,
    f"{WEB}/virtualMachines/0",
    f"{HERE}{WEB}?x=1",
    "Failed",
    "Succeeded",
    "latest",
    "1.2.3",
]
text = st.sampled_from(NASTY) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)

STATUSES = [
    {
        "code": "ProvisioningState/failed/X",
        "level": "Error",
        "displayStatus": "x",
        "message": "x",
        "time": "2026-11-27T02:00:00Z",
    }
]
DOCUMENT: dict[str, Any] = {
    "id": WEB,
    "name": "web",
    "location": "westus",
    "etag": '"1"',
    "instanceId": "0",
    "zones": ["1"],
    "tags": {"a": "b"},
    "sku": {"capacity": 3},
    "plan": {"name": "x"},
    "nextLink": f"{HERE}{WEB}?p=1",
    "status": "Failed",
    "error": {"code": "x", "message": "x", "target": "0", "details": [{"code": "x", "target": "0", "message": "x"}]},
    "orchestrationServices": [{"serviceName": "AutomaticRepairs", "serviceState": "Running"}],
    "properties": {
        "orchestrationMode": "Uniform",
        "provisioningState": "Succeeded",
        "latestModelApplied": False,
        "upgradePolicy": {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": False}},
        "virtualMachineProfile": {
            "storageProfile": {
                "imageReference": {"id": f"{GROUP}/x"},
                "osDisk": {"image": {"uri": "https://x/y"}, "osType": "Linux"},
            },
            "extensionProfile": {"extensions": [{"name": "x", "properties": {"type": "ApplicationHealthLinux"}}]},
            "networkProfile": {"healthProbe": {"id": WEB}},
        },
        "storageProfile": {
            "imageReference": {"exactVersion": "1.0.0"},
            "osDisk": {"name": "d", "vhd": {"uri": "x"}, "managedDisk": {"id": "x"}},
        },
        "osProfile": {"computerName": "x"},
        "virtualMachineScaleSet": {"id": WEB},
        "virtualMachine": {"id": f"{WEB}/virtualMachines/0"},
        "instanceView": {
            "statuses": STATUSES,
            "vmHealth": {"status": STATUSES[0]},
            "platformUpdateDomain": 0,
            "computerName": "x",
            "extensions": [{"name": "x", "typeHandlerVersion": "1", "statuses": STATUSES}],
            "disks": [{"name": "d", "statuses": STATUSES}],
        },
        "runningStatus": {"code": "Faulted", "startTime": "2026-11-27T02:00:00Z", "lastAction": "Start"},
        "policy": {},
        "progress": {"failedInstanceCount": 1},
        "error": {"code": "x", "message": "x"},
        "rollbackInfo": {"rollbackError": {"code": "x"}},
        "targetImageReference": {"publisher": "x"},
        "publishingProfile": {"targetRegions": [{"name": "x"}], "publishedDate": "x"},
        "protectionPolicy": {},
        "ipConfigurations": [{"properties": {"privateIPAddress": "10.0.0.1", "primary": True}}],
    },
}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for name, item in members for place in places(item, (*path, name)))]


PLACES = places(DOCUMENT)[1:]


def replaced(node: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The node with the value at the place, where there still is such a place."""
    if not place:
        return value
    step, *below = place
    if isinstance(node, dict) and step in node:
        return {**node, step: replaced(node[step], tuple(below), value)}
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return [replaced(item, tuple(below), value) if at == step else item for at, item in enumerate(node)]
    return node


@st.composite
def documents(draw: Any) -> Any:
    """Azure's document with a few members replaced by anything."""
    document: Any = DOCUMENT
    for place in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        document = replaced(document, place, draw(anything))
    return document


bodies = st.one_of(
    documents(),
    documents().map(lambda one: {"value": [one], "nextLink": one.get("nextLink")}),
    anything,
).map(lambda one: json.dumps(one).encode()) | st.binary(max_size=60)
headers = st.dictionaries(
    st.sampled_from(
        ["Retry-After", "Date", "ETag", "Azure-AsyncOperation", "Location", "x-ms-ratelimit-remaining-resource"]
    ),
    st.sampled_from(
        [
            "1",
            "-1",
            "nan",
            "1e400",
            "1000000000",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "x;1,y;z",
            "https://evil.test/x",
            f"{HERE}/x",
        ]
    )
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    max_size=3,
)
answers = st.tuples(st.sampled_from([200, 200, 200, 200, 202, 204, 302, 400, 404, 409, 412, 429, 500]), headers, bodies)

UNIFORM = ScaleSet(id=WEB, name="web", resource_group="rg", location="westus", etag='"1"')
FLEX = ScaleSet(id=WEB, name="web", resource_group="rg", location="westus", orchestration_mode=FLEXIBLE)
GALLERY = images.parse(f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0")
CALLS: dict[str, Callable[[Azure], Any]] = {
    "scale_set": lambda azure: shown(azure.scale_set("rg", "web")),
    "scale_sets": lambda azure: [shown(one) for one in azure.scale_sets()],
    "instances": lambda azure: azure.instances(UNIFORM),
    "flexible": lambda azure: azure.instances(FLEX),
    "rolling": lambda azure: azure.latest_rolling_upgrade(UNIFORM),
    "history": lambda azure: azure.os_upgrade_history(UNIFORM),
    "services": lambda azure: azure.services(UNIFORM),
    "document": lambda azure: azure.instance_document(UNIFORM, "0"),
    "resource": lambda azure: azure.resource(WEB, "2024-07-01", "it"),
    "events": lambda azure: azure.lifecycle_events(UNIFORM),
    "operation": lambda azure: azure.operation(OperationRef(f"{HERE}{WEB}?s=x", 0.0)),
    "addresses": lambda azure: azure.addresses(UNIFORM, ["0"]),
    "versions": lambda azure: azure.image_versions(Image(images.PLATFORM, "p", "o", "s", "latest"), "westus"),
    "gallery": lambda azure: azure.image_versions(GALLERY, "westus"),
    "facts": lambda azure: azure.image_facts(GALLERY, "westus"),
    "write": lambda azure: azure.write_model(UNIFORM, {}, what="write"),
    "upgrade": lambda azure: azure.upgrade_instances(UNIFORM, ["0"]),
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_answers=st.lists(answers, min_size=1, max_size=3))
def test_any_answer_is_read_or_refused(name: str, given_answers: list[Any]) -> None:
    arm = FakeAzure()
    arm.answers = _Any(given_answers)
    session = requests.Session()
    session.mount("https://", arm)
    session.mount("http://", arm)
    azure = connect(request(ConnectionOptions, OPTIONS), {"HOME": "/nonexistent"}, FakeClock(), session)
    began = time.process_time()
    problem: AzureError | None = None
    try:
        CALLS[name](azure)
    except AzureError as error:
        problem = error
    if problem is not None:
        assert len(str(problem)) > 10 and SECRET not in str(problem)
        assert problem.problem.message.isprintable() and problem.problem.code.isprintable()
    tries = max(1, len(arm.requests) // len(given_answers))
    assert time.process_time() - began < LONGEST * tries
    assert arm.hosts <= {"management.azure.com", "login.microsoftonline.com"}


class _Any(dict[tuple[str, str], list[Any]]):
    """These answers to any question, the last one again and again."""

    def __init__(self, given_answers: list[Any]) -> None:
        super().__init__()
        self._answers = list(given_answers)

    def get(self, _key: Any, _default: Any = None) -> list[Any]:
        return self._answers


@settings(max_examples=EXAMPLES * 10, deadline=None)
@given(document=documents() | st.dictionaries(text, anything, max_size=3))
def test_any_document_is_read_and_can_be_shown(document: dict[str, Any]) -> None:
    document = json.loads(json.dumps(document))
    one, instance = reading.scale_set(document), reading.instance(document)
    shown(one)
    availability.why_unavailable(instance, has_health_source=True)
    domains.domains([instance], "domain")
    sorted([instance, reading.instance(DOCUMENT)], key=domains.instance_order)
    for moment in (instance.os_disk_time, instance.provisioning_time, instance.health_time):
        timestamp(moment)
    for read in (reading.rolling_upgrade(document), reading.past_upgrade(document), reading.operation(document)):
        str(read)
    assert instance.error is None or (instance.error.isprintable() and SECRET not in instance.error)
    reading.image_version(document, GALLERY)
    reading.image_facts(GALLERY, document, None)
    reading.private_addresses(document)


@settings(max_examples=EXAMPLES * 10, deadline=None)
@given(values=st.lists(text, min_size=7, max_size=7), more=st.dictionaries(text, text, max_size=3))
def test_any_tags_are_a_record_of_plain_words_or_none(values: list[str], more: dict[str, str]) -> None:
    names = ("rollout", "target", "previous", "selection", "started", "suspended", "state")
    tags = {**more, **{f"steady-vmss-{name}": value for name, value in zip(names, values, strict=True)}}
    tags |= {"steady-vmss-rollout": "0" * 32, "steady-vmss-started": "2026-11-27T02:00:00Z"}
    found = record.read(tags)
    if found is not None:
        for words in (found.target, found.previous):
            assert words.isprintable() and not set(words) & set("{}'\"`<>|\\ ")
        assert len(domains.Selection.parse(found.selection).instance_ids) <= 20_000
