# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated Azure of the unit tests: the real SDK reaches it, time is virtual, controllers go step by step."""

from __future__ import annotations

import time
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, IncompleteReadError, ServiceRequestError, ServiceResponseError

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from .asking import request
from .simulated import Controller, Endless, Killed, Simulated

SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW = "24.4.20261001", "24.4.20261118"
GET, UPGRADE = "VirtualMachineScaleSets_Get", "VirtualMachineScaleSets_UpdateInstances"
NO_ANSWER = (ServiceRequestError, ServiceResponseError)


def scenario(**changes: Any) -> dict[str, Any]:
    web = {"name": "web", "resource_group": "shop", "capacity": 5, "image": {**SERIES, "version": OLD}, **changes}
    return {"images": {"platform": [{**SERIES, "versions": [OLD, NEW]}]}, "scale_sets": [web]}


@pytest.fixture
def azure() -> Simulated:
    return Simulated(scenario())


def wants(version: str) -> dict[str, Any]:
    return {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}}


def test_an_upgrade_of_the_real_sdk_takes_virtual_minutes_and_no_time(azure: Simulated) -> None:
    began, sets = time.monotonic(), azure.sdk().virtual_machine_scale_sets
    sets.begin_update("shop", "web", wants(NEW)).result()
    sets.begin_update_instances("shop", "web", {"instanceIds": ["0", "3"]}).result()
    versions = {key: i["version"] for key, i in azure.state()["instances"].items()}
    assert versions == {"0": NEW, "1": OLD, "2": OLD, "3": NEW, "4": OLD}
    assert azure.world.now > 60 and time.monotonic() - began < 20
    assert azure.operations().count(UPGRADE) == 1
    assert azure.metrics()["scale_sets"]["web"]["disks_replaced"] == {"0": 1, "3": 1}


def test_the_client_of_the_collection_signs_in_and_reads(azure: Simulated) -> None:
    ours = connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, azure.clock, azure.session())
    found = ours.scale_set("shop", "web")
    assert (found.name, [one.instance_id for one in ours.instances(found)]) == ("web", ["0", "1", "2", "3", "4"])


def test_another_client_comes_right_after_an_answer(azure: Simulated) -> None:
    azure.do(do="write", patch={"tags": {"owner": "other"}}, when={"calls": {GET: 1}})
    sets = azure.sdk().virtual_machine_scale_sets
    assert sets.get("shop", "web").tags in (None, {})
    assert sets.get("shop", "web").tags == {"owner": "other"}


def test_every_answer_can_be_looked_at_before_the_client_sees_it(azure: Simulated) -> None:
    seen: list[tuple[str, int]] = []
    azure.before.append(lambda request: seen.append((request.method, 0)))
    azure.after.append(lambda request, reply: seen.append((request.operation, reply.status)))
    azure.sdk().virtual_machine_scale_sets.get("shop", "web")
    assert seen[-2:] == [("GET", 0), (GET, 200)]


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("lost_answer", NO_ANSWER),
        ("lost_before", NO_ANSWER),
        ("reset", NO_ANSWER),
        ("truncated", IncompleteReadError),
        ("html", HttpResponseError),
        ("error", HttpResponseError),
    ],
)
def test_faults_of_the_wire_reach_the_sdk(azure: Simulated, action: str, error: Any) -> None:
    sets = azure.sdk().virtual_machine_scale_sets
    sets.get("shop", "web")
    azure.fault(action=action, operation=UPGRADE, status=409)
    with pytest.raises(error):
        sets.begin_update_instances("shop", "web", {"instanceIds": ["0"]}, retry_total=0)
    assert bool(azure.scale_set().running("action")) == (action not in ("error", "lost_before"))


def test_an_answer_later_than_the_client_s_patience_is_a_timeout(azure: Simulated) -> None:
    sets = azure.sdk().virtual_machine_scale_sets
    sets.get("shop", "web")
    azure.fault(action="delay", operation=GET, seconds=500)
    before = azure.now()
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        sets.get("shop", "web", retry_total=0, read_timeout=30)
    assert 30 <= azure.now() - before < 31


def reads(sets: Any, times: int) -> None:
    for _number in range(times):
        sets.get("shop", "web")


def test_what_does_not_end_is_an_error() -> None:
    azure = Simulated(scenario(), most_calls=50)
    sets = azure.sdk().virtual_machine_scale_sets
    reads(sets, 40)
    with pytest.raises(Endless, match="VirtualMachineScaleSets_Get"):
        reads(sets, 10)
    with pytest.raises(Endless, match="s of virtual time"):
        azure.sleep(30 * 86400)


def reads_twice(controller: Controller) -> list[str]:
    sets = controller.azure.sdk(controller.session(), controller.clock).virtual_machine_scale_sets
    first = sets.get("shop", "web").etag
    controller.clock.sleep(100)
    return [first, sets.get("shop", "web").etag]


def steps_until(controller: Controller, operation: str, count: int) -> None:
    while controller.azure.operations().count(operation) < count:
        assert controller.step()


def test_controllers_give_way_before_each_request_and_while_they_sleep(azure: Simulated) -> None:
    one, two = Controller(azure, reads_twice, "one"), Controller(azure, reads_twice, "two")
    steps_until(one, GET, 1)
    azure.do(do="write", patch={"tags": {"owner": "other"}})
    assert two.finish() == ['"2"', '"2"']
    azure.do(do="write", patch={"tags": {"owner": "another"}})
    assert one.finish() == ['"1"', '"3"']
    assert one.ended and not one.step()


def test_a_killed_controller_reaches_nobody(azure: Simulated) -> None:
    tried: list[str] = []

    def works(controller: Controller) -> None:
        sets = controller.azure.sdk(controller.session(), controller.clock).virtual_machine_scale_sets
        try:
            sets.get("shop", "web")
            controller.clock.sleep(100)
        finally:
            tried.append("last words")
            sets.get("shop", "web")

    controller = Controller(azure, works)
    steps_until(controller, GET, 1)
    controller.step()
    controller.kill()
    assert tried == ["last words"] and azure.operations().count(GET) == 1
    with pytest.raises(Killed):
        controller.outcome()


def test_the_client_of_the_collection_goes_step_by_step_too(azure: Simulated) -> None:
    def works(controller: Controller) -> list[str]:
        ours = connect(
            request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, controller.clock, controller.session()
        )
        etags = [str(ours.scale_set("shop", "web").etag)]
        controller.clock.sleep(600)
        return [*etags, str(ours.scale_set("shop", "web").etag)]

    controller = Controller(azure, works)
    steps_until(controller, GET, 1)
    azure.do(do="scale", capacity=6)
    assert controller.finish() == ['"1"', '"2"']
    assert azure.world.now > 600
