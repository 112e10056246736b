# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of two controllers and other clients finds careless clients, and finds nothing in a careful one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from draw import GROUP, NAME, NEW, OLD, RECORD, THIRD
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ..simulated import URL, Controller, Endless, Simulated
from .other_clients import OtherClients, case_of, images, scale_set, world_of, wrong

OURS = "7f3c" * 8
THEIRS = "dead" * 8
GET = "VirtualMachineScaleSets_Get"
AUTOMATIC = {"properties": {"upgradePolicy": {"mode": "Automatic"}}}
IMAGE = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": THIRD}}}}}
LOOK = settings(max_examples=20, stateful_step_count=20, deadline=None, derandomize=True, database=None)


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Client:
    """A small rollout of a Uniform set that does what DESIGN asks, but for what a test makes it forget."""

    def __init__(self, controller: Controller, forgets: str = "") -> None:
        options = controller.azure.options
        self.session, self.clock, self.forgets = controller.session(), controller.clock, forgets
        group = f"{URL}/subscriptions/{options['subscription_id']}/resourceGroups/{GROUP}"
        self.url = f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{NAME}"
        form = {"grant_type": "client_credentials", "client_id": options["client_id"], "scope": f"{URL}/.default"}
        form["client_secret"] = options["secret"]
        token = self.session.post(f"{URL}/{options['tenant']}/oauth2/v2.0/token", form).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.written = False

    def ask(self, method: str, path: str = "", body: Any = None, headers: dict[str, str] | None = None) -> Any:
        versioned = {"api-version": "2024-11-01"}
        answer = self.session.request(method, self.url + path, params=versioned, json=body, headers=headers)
        if answer.status_code >= 400:
            raise Refused(answer.status_code)
        return answer.json() if answer.content else None

    def run(self) -> str:
        while True:
            try:
                said = self.turn()
            except Refused as refused:
                if refused.status not in (409, 412):
                    raise
                said = ""
                self.clock.sleep(10)
            if said:
                return said

    def turn(self) -> str:
        batch = self.next_batch() if self.written else []
        found = self.ask("GET")
        if problem := self.in_the_way(found):
            return problem
        if found["properties"]["provisioningState"] == "Updating":
            self.clock.sleep(10)
            return ""
        version = found["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"]
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
            self.ask("POST", "/manualupgrade", {"instanceIds": batch})
        else:
            self.clock.sleep(30)
        return ""

    def in_the_way(self, found: Any) -> str:
        if found["properties"]["upgradePolicy"]["mode"] != "Manual" and self.forgets != "mode":
            return "the mode is not Manual"
        if found["tags"].get(RECORD) not in (None, OURS) and self.forgets != "record":
            return "another rollout's record"
        return ""

    def write(self, found: Any) -> None:
        tags = {RECORD: OURS} if self.forgets == "tags" else {**found["tags"], RECORD: OURS}
        reference = {"imageReference": {"version": NEW}}
        body: dict[str, Any] = {"tags": tags}
        body["properties"] = {"virtualMachineProfile": {"storageProfile": reference}}
        if self.forgets == "capacity":
            body["sku"] = {"capacity": 8}
        self.ask("PATCH", body=body, headers={} if self.forgets == "etag" else {"If-Match": found["etag"]})

    def next_batch(self) -> list[str] | None:
        """Of one domain, within 25 percent; empty while something has to be waited for, None when all is done."""
        instances = [one for one in self.ask("GET", "/virtualMachines?$expand=instanceView")["value"] if self.mine(one)]
        outdated = [one for one in instances if self.version(one) != NEW]
        if any(self.moving(one) for one in instances):
            return []
        if not outdated:
            return None
        down = [one for one in instances if not self.available(one)]
        domain = min(self.domain(one) for one in outdated)
        chosen = [one for one in outdated if self.domain(one) == domain or self.forgets == "domain"]
        free = [one for one in chosen if not self.available(one)]
        room = max(0, max(1, len(instances) // 4) - len(down))
        return [one["instanceId"] for one in free + [one for one in chosen if one not in free][:room]]

    def mine(self, one: Any) -> bool:
        policy = one["properties"].get("protectionPolicy") or {}
        return not policy.get("protectFromScaleSetActions") or self.forgets == "protection"

    def version(self, one: Any) -> str:
        return str(one["properties"]["storageProfile"]["imageReference"]["exactVersion"])

    def domain(self, one: Any) -> tuple[Any, ...]:
        return (*one.get("zones", []), one["properties"]["instanceView"]["platformUpdateDomain"])

    def moving(self, one: Any) -> bool:
        """What others have left Failed is not moving, and is not this client's to repair."""
        state = one["properties"]["provisioningState"]
        return state not in ("Succeeded", "Failed", "Canceled") or (state == "Succeeded" and not self.available(one))

    def available(self, one: Any) -> bool:
        health = one["properties"]["instanceView"].get("vmHealth", {}).get("status", {}).get("code")
        return bool(one["properties"]["provisioningState"] == "Succeeded" and health == "HealthState/healthy")


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
