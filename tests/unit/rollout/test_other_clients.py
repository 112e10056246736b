# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of two controllers and other clients finds careless clients, and finds nothing in a careful one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from draw import GROUP, NAME, NEW, OLD, RECORD, THIRD
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ..simulated import Controller, Endless, Simulated
from .other_clients import OtherClients, case_of, images, scale_set, world_of, wrong

OURS = "7f3c" * 8
THEIRS = "dead" * 8
GET = "VirtualMachineScaleSets_Get"
AUTOMATIC = {"properties": {"upgradePolicy": {"mode": "Automatic"}}}
IMAGE = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": THIRD}}}}}
LOOK = settings(max_examples=20, stateful_step_count=20, deadline=None, derandomize=True, database=None)


class Client:
    """A small rollout of a Uniform set that does what DESIGN asks, but for what a test makes it forget."""

    def __init__(self, controller: Controller, forgets: str = "") -> None:
        sdk = controller.azure.sdk(controller.session(), controller.clock)
        self.sets, self.vms = sdk.virtual_machine_scale_sets, sdk.virtual_machine_scale_set_vms
        self.clock, self.forgets = controller.clock, forgets
        self.written = False

    def run(self) -> str:
        while True:
            try:
                said = self.turn()
            except HttpResponseError as error:
                if error.status_code not in (409, 412):
                    raise
                said = ""
                self.clock.sleep(30)
            if said:
                return said

    def turn(self) -> str:
        batch = self.next_batch() if self.written else []
        found = self.sets.get(GROUP, NAME)
        if problem := self.in_the_way(found):
            return problem
        if found.provisioning_state == "Updating":
            self.clock.sleep(30)
            return ""
        version = found.virtual_machine_profile.storage_profile.image_reference.version
        if version == OLD and not self.written:
            self.write(found)
            self.written = True
            return ""
        if version != NEW and self.forgets != "image":
            return "another client's image"
        self.written = True
        if batch is None:
            return "upgraded"
        if batch:
            self.sets.begin_update_instances(GROUP, NAME, {"instanceIds": batch}, polling=False)
        else:
            self.clock.sleep(30)
        return ""

    def in_the_way(self, found: Any) -> str:
        if found.upgrade_policy.mode != "Manual" and self.forgets != "mode":
            return "the mode is not Manual"
        if (found.tags or {}).get(RECORD) not in (None, OURS) and self.forgets != "record":
            return "another rollout's record"
        return ""

    def write(self, found: Any) -> None:
        tags = {RECORD: OURS} if self.forgets == "tags" else {**(found.tags or {}), RECORD: OURS}
        body = {
            "tags": tags,
            "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW}}}},
        }
        if self.forgets == "capacity":
            body["sku"] = {"capacity": 8}
        condition = (
            {} if self.forgets == "etag" else {"etag": found.etag, "match_condition": MatchConditions.IfNotModified}
        )
        self.sets.begin_update(GROUP, NAME, body, polling=False, **condition)

    def next_batch(self) -> list[str] | None:
        """Of one domain, within 25 percent; empty while something has to be waited for, None when all is done."""
        instances = [one for one in self.vms.list(GROUP, NAME, expand="instanceView") if not self.spared(one)]
        outdated = [one for one in instances if self.version(one) != NEW]
        waited_for = [one for one in instances if one not in outdated and not self.available(one)]
        if not outdated:
            # What another client has left Failed or unhealthy is not this client's to repair.
            return [] if any(self.moving(one) for one in waited_for) else None
        if any(self.moving(one) for one in instances):
            return []
        limit = max(1, len(instances) // 4)
        down = [one for one in instances if not self.available(one)]
        domain = min(self.domain(one) for one in outdated)
        chosen = [one for one in outdated if self.domain(one) == domain or self.forgets == "domain"]
        free = [one for one in chosen if not self.available(one)]
        batch = free + [one for one in chosen if one not in free][: max(0, limit - len(down))]
        return [one.instance_id for one in batch]

    def spared(self, one: Any) -> bool:
        policy = one.properties.protection_policy if hasattr(one, "properties") else one.protection_policy
        return bool(policy and policy.protect_from_scale_set_actions) and self.forgets != "protection"

    def version(self, one: Any) -> str:
        return str(one.storage_profile.image_reference.exact_version)

    def domain(self, one: Any) -> tuple[Any, ...]:
        return (one.zones or [""])[0], one.instance_view.platform_update_domain

    def moving(self, one: Any) -> bool:
        health = one.instance_view.vm_health
        starting = health is None or health.status.code != "HealthState/healthy"
        settled = one.provisioning_state in ("Succeeded", "Failed", "Canceled")
        return not settled or (one.provisioning_state == "Succeeded" and starting)

    def available(self, one: Any) -> bool:
        return one.provisioning_state == "Succeeded" and not self.moving(one)


def machine(forgets: str) -> type[OtherClients]:
    def play(controller: Controller) -> str:
        return Client(controller, forgets).run()

    return type(f"Forgets_{forgets}", (OtherClients,), {"play": staticmethod(play), "forms": ("uniform", "zonal")})


def test_a_careful_client_breaks_no_rule() -> None:
    run_state_machine_as_test(machine(""), settings=LOOK)


@pytest.mark.parametrize(
    ("forgets", "event", "said"),
    [
        (
            "mode",
            {"do": "write", "patch": AUTOMATIC, "when": {"calls": {GET: 1}}},
            "written while the mode was Automatic",
        ),
        (
            "mode",
            {"do": "write", "patch": AUTOMATIC, "at": 200, "retry": 1},
            "another client's mode Automatic was read",
        ),
        (
            "etag",
            {"do": "write", "patch": IMAGE, "when": {"calls": {GET: 1}}},
            "another client's image was overwritten",
        ),
        ("image", {"do": "write", "patch": IMAGE, "at": 200, "retry": 1}, "another client's image"),
        (
            "record",
            {"do": "write", "patch": {"tags": {RECORD: THEIRS}}, "at": 200, "retry": 1},
            "another client's record",
        ),
        ("tags", {"do": "preempt"}, "our write changed tags.owner from shop team to None"),
        ("capacity", {"do": "scale", "capacity": 9}, "our write changed sku.capacity from 9 to 8"),
        ("domain", {"do": "preempt"}, "in hand at once"),
        ("protection", {"do": "protect", "pick": 3}, "['3'], which are protected"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_careless_client_is_found(forgets: str, event: dict[str, Any], said: str) -> None:
    knobs = {"patch_tags": "replace", "conflict_window": 5}
    scenario = {"images": images(), "scale_sets": [scale_set("uniform", knobs)]}
    azure = Simulated(scenario, most_calls=150)
    before = world_of(azure)
    azure.do(**event)
    with contextlib.suppress(Endless):  # some do not even end
        Controller(azure, lambda controller: Client(controller, forgets).run()).finish()
    found = list(wrong(case_of(scenario), before, world_of(azure)))
    assert [one for one in found if said in one], found
