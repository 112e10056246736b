# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of rollouts sees each rule broken: bad controllers, played with the SDK alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from .judge import Broken, Judge, Judged
from .judged_run import Command, Run
from .play import NEW, NEWER, OLD, scenario
from .simulated import Controller, Simulated

RECORD = {
    "steady-vmss-rollout": "ours",
    "steady-vmss-target": f"Canonical:ubuntu-24_04-lts:server:{NEW}",
    "steady-vmss-state": "in_progress",
}
THEIRS = {**RECORD, "steady-vmss-rollout": "theirs", "steady-vmss-target": f"Canonical:ubuntu-24_04-lts:server:{OLD}"}
FINISHED = {**RECORD, "steady-vmss-state": "finished"}
REPAIRS = {"repairAction": "Replace", "gracePeriod": "PT90M"}


def image(version: str) -> dict[str, Any]:
    return {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}}


class Bad:
    """A controller without a rule, and the judge that watches it."""

    def __init__(self, command: Command, **world: Any) -> None:
        self.azure = Simulated(scenario(world.pop("capacity", 5), **world))
        self.judge = Judge(self.azure)
        self.run = Run("bad", command)
        self.sdk = self.azure.sdk()
        self.sets, self.vms = self.sdk.virtual_machine_scale_sets, self.sdk.virtual_machine_scale_set_vms
        self.etag = ""

    @contextmanager
    def acts(self) -> Iterator[None]:
        self.judge.acting = self.run
        try:
            yield
        finally:
            self.judge.acting = None

    def read(self) -> None:
        with self.acts():
            self.etag = self.sets.get("shop", "web").etag

    def lists(self) -> None:
        with self.acts():
            list(self.vms.list("shop", "web", expand="instanceView"))

    def plans(self) -> None:
        self.read()
        self.lists()
        self.run.planned = True

    def write(self, version: str | None = None, *, blind: bool = False, **body: Any) -> None:
        """Onto what it read last, or `blind`ly."""
        changed = {**(image(version) if version else {}), **body}
        headers = {} if blind else {"If-Match": self.etag}  # the oldest supported SDK has no option for it
        with self.acts():
            self.sets.begin_update("shop", "web", changed, headers=headers).result()

    def upgrade(self, *ids: str, fresh: bool = True) -> None:
        if fresh:
            self.read()
            self.lists()
        with self.acts():
            self.sets.begin_update_instances("shop", "web", {"instanceIds": list(ids)}).result()

    def service(self, action: str) -> None:
        with self.acts():
            body = {"serviceName": "AutomaticRepairs", "action": action}
            self.sets.begin_set_orchestration_service_state("shop", "web", body).result()

    def begins(self, **tags: str) -> None:
        """As a good one does: plan, and a write of the image with the record."""
        self.plans()
        self.write(NEW, tags=RECORD | tags)

    def other(self, **event: Any) -> None:
        self.judge.another(event)
        self.azure.do(**event)
        self.azure.sleep(60)

    def pins(self, version: str) -> None:
        self.other(do="write", patch=image(version))

    def ended(self, outcome: str, *, changed: bool) -> None:
        self.judge.ended(self.run, outcome=outcome, changed=changed)


def good(bad: Bad) -> None:
    bad.begins()
    for key in bad.azure.state()["instances"]:
        bad.upgrade(key)
        bad.azure.sleep(100)
    bad.read()
    bad.lists()
    bad.write(tags=FINISHED)
    bad.ended("upgraded", changed=True)


def automatic_mode(bad: Bad) -> None:
    bad.plans()
    bad.other(do="write", patch={"properties": {"upgradePolicy": {"mode": "Automatic"}}})
    bad.read()
    bad.write(NEW)


def automatic_os_upgrade(bad: Bad) -> None:
    bad.plans()
    owner = bad.azure.scale_set()
    owner.document["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"] = {
        "enableAutomaticOSUpgrade": True,
        "disableAutomaticRollback": False,
    }
    owner.etag += 1
    bad.read()
    bad.write(tags=RECORD)


def mode_unasked(bad: Bad) -> None:
    bad.other(do="write", patch={"properties": {"upgradePolicy": {"mode": "Rolling"}}})
    bad.azure.sleep(3600)
    bad.plans()
    bad.write(properties={"upgradePolicy": {"mode": "Manual"}})


def others_image(bad: Bad) -> None:
    bad.plans()
    bad.pins(NEWER)
    bad.read()
    bad.write(NEW)


def others_image_on_the_way_back(bad: Bad) -> None:
    bad.begins()
    bad.pins(NEWER)
    bad.read()
    bad.write(OLD)


def others_record(bad: Bad) -> None:
    bad.plans()
    bad.other(do="write", patch={"tags": THEIRS})
    bad.read()
    bad.write(NEW, tags=RECORD)


def other_members(bad: Bad) -> None:
    bad.plans()
    bad.write(NEW, sku={"capacity": 7})


def others_tag(bad: Bad) -> None:
    bad.plans()
    bad.write(NEW, tags={**RECORD, "team": None})


def no_etag(bad: Bad) -> None:
    bad.plans()
    bad.write(NEW, blind=True)


def while_another_writes(bad: Bad) -> None:
    bad.plans()
    bad.azure.do(do="scale", capacity=6, ends_after=600)
    bad.read()
    bad.write(NEW)


def lost_members(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")


def everything(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("*")


def not_chosen(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("3")


def protected(bad: Bad) -> None:
    bad.begins()
    bad.other(do="protect", instance="2")
    bad.upgrade("2")


def without_a_read(bad: Bad) -> None:
    bad.begins()
    bad.lists()
    bad.judge.slept(bad.run, 30)
    bad.upgrade("0", fresh=False)


def reimages_without_a_read(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.lists()
    with bad.acts():
        bad.sets.begin_reimage("shop", "web", {"instanceIds": ["0"]}).result()


def without_a_list(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.azure.sleep(100)
    bad.read()
    bad.upgrade("1", fresh=False)


def another_model(bad: Bad) -> None:
    bad.begins()
    bad.pins(NEWER)
    bad.upgrade("0")


def another_rollout(bad: Bad) -> None:
    bad.begins()
    bad.other(do="write", patch={"tags": THEIRS})
    bad.upgrade("0")


def goes_on_after_another_model(bad: Bad) -> None:
    bad.begins()
    bad.read()
    bad.lists()
    bad.pins(NEWER)
    bad.upgrade("0", fresh=False)
    bad.azure.sleep(100)
    bad.pins(NEW)
    bad.upgrade("1")


def too_many(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0", "5")


def too_many_with_the_sick(bad: Bad) -> None:
    bad.begins()
    bad.other(do="unhealthy", instance="3")
    bad.upgrade("0")


def two_domains(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0", "1")


def the_next_domain_too_soon(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.upgrade("1")


def twice(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.azure.sleep(100)
    bad.upgrade("0")


def downgrades(bad: Bad) -> None:
    bad.other(do="running_version", instance="0", version=NEWER)
    bad.begins()
    bad.upgrade("0")


def unproven(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.azure.sleep(100)
    bad.upgrade("1")


def undoes_what_had_finished(bad: Bad) -> None:
    good(bad)
    bad.judge.check()
    bad.run = Run("again", bad.run.command)
    bad.plans()
    bad.write(OLD)


def writes_what_had_finished(bad: Bad) -> None:
    good(bad)
    bad.judge.check()
    bad.run = Run("again", bad.run.command)
    bad.plans()
    bad.write(tags=FINISHED)
    bad.ended("unchanged", changed=True)


def claims_to_be_upgraded(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.lists()
    bad.ended("upgraded", changed=True)


def claims_to_be_finished(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.azure.sleep(100)
    bad.read()
    bad.lists()
    bad.write(tags=FINISHED)


def claims_to_be_unchanged(bad: Bad) -> None:
    good(bad)
    bad.judge.check()
    bad.ended("unchanged", changed=False)


def claims_to_be_refused(bad: Bad) -> None:
    bad.begins()
    bad.ended("refused", changed=True)


def claims_to_be_back(bad: Bad) -> None:
    bad.begins()
    bad.upgrade("0")
    bad.azure.sleep(100)
    bad.read()
    bad.write(OLD)
    bad.lists()
    bad.judge.rolled_back(bad.run, {"0"}, OLD)


def claims_a_model_that_is_back(bad: Bad) -> None:
    bad.begins()
    bad.judge.set_back(bad.run, OLD)


def claims_that_nothing_is_to_do(bad: Bad) -> None:
    bad.plans()
    bad.judge.plan(bad.run, nothing_to_do=True, left=[], previous=None)


def plans_protected_ones(bad: Bad) -> None:
    bad.other(do="protect", instance="2")
    bad.plans()
    bad.judge.plan(bad.run, nothing_to_do=False, left=["2", "3"], previous=OLD)


def names_a_previous_image_that_nobody_ran(bad: Bad) -> None:
    bad.plans()
    bad.judge.plan(bad.run, nothing_to_do=False, left=["2"], previous=NEWER)


def suspends_without_a_record(bad: Bad) -> None:
    bad.plans()
    bad.service("Suspend")


def leaves_suspended(bad: Bad) -> None:
    bad.begins(**{"steady-vmss-suspended": "AutomaticRepairs"})
    bad.service("Suspend")
    bad.read()
    bad.write(tags={**RECORD, "steady-vmss-state": "stopped", "steady-vmss-suspended": ""})
    bad.ended("stopped", changed=True)


def leaves_suspended_for_good(bad: Bad) -> None:
    bad.begins(**{"steady-vmss-suspended": "AutomaticRepairs"})
    bad.service("Suspend")
    bad.judge.service_left()


def resumes_what_another_suspended(bad: Bad) -> None:
    bad.other(do="service", action="Suspend")
    bad.plans()
    bad.service("Resume")


def deletes(bad: Bad) -> None:
    bad.plans()
    with bad.acts():
        bad.sets.begin_delete_instances("shop", "web", {"instanceIds": ["0"]}).result()


def is_endless(bad: Bad) -> None:
    bad.judge.slept(bad.run, 3 * 86400)


def crashes(bad: Bad) -> None:
    bad.judge.ended(bad.run, outcome="", changed=False, error=KeyError("tags"))


ALL = Command(NEW)
DISK = {"lun": 0, "createOption": "Empty", "diskSizeGB": 64}
LOSES: dict[str, Any] = {
    "properties": {"virtualMachineProfile": {"storageProfile": {"dataDisks": [DISK]}}},
    "knobs": {"image_write_loses": "storageProfile.dataDisks"},
}


@pytest.mark.parametrize(
    ("plays", "rule", "words", "command", "world"),
    [
        (automatic_mode, "a mode", "mode Automatic", ALL, {}),
        (automatic_mode, "a mode", "makes Azure upgrade", ALL, {}),
        (automatic_os_upgrade, "a mode", "automatic OS upgrade True", ALL, {"version": "latest"}),
        (mode_unasked, "a mode", "mode is written", ALL, {"health": "binary"}),
        (others_image, "b another's image", NEWER, ALL, {}),
        (others_image_on_the_way_back, "b another's image", "way back", ALL, {}),
        (others_record, "b another's record", "theirs", ALL, {}),
        (other_members, "c only the image", "sku.capacity", ALL, {}),
        (others_tag, "c only the image", "tags.team", ALL, {"tags": {"team": "shop"}}),
        (no_etag, "c only the image", "without If-Match", ALL, {}),
        (while_another_writes, "c only the image", "while", ALL, {}),
        (lost_members, "c only the image", "lost members", ALL, LOSES),
        (everything, "d explicit", "*", ALL, {}),
        (deletes, "d explicit", "no action", ALL, {}),
        (not_chosen, "d selection", "3", Command(NEW, ids=("0", "1")), {}),
        (not_chosen, "d selection", "3", Command(NEW, update_domains=("0", "1")), {}),
        (protected, "d protected", "2", ALL, {}),
        (without_a_read, "d reads", "read of the set", ALL, {}),
        (reimages_without_a_read, "d reads", "reimage without a read", ALL, {}),
        (without_a_list, "d reads", "list of the instances", ALL, {}),
        (another_model, "d reads", f"names {NEWER}", ALL, {}),
        (another_rollout, "d reads", "theirs", ALL, {}),
        (goes_on_after_another_model, "d reads", "second batch", ALL, {}),
        (downgrades, "d newer", NEWER, ALL, {}),
        (too_many, "e availability", "takes ['0', '5']", ALL, {"capacity": 6}),
        (too_many_with_the_sick, "e availability", "['3']", ALL, {"health": "binary"}),
        (twice, "e twice", "0", ALL, {}),
        (two_domains, "f domains", "2 domains", Command(NEW, limit="50%"), {}),
        (the_next_domain_too_soon, "f domains", "not back", Command(NEW, limit="50%"), {"knobs": {"health_lag": 200}}),
        (undoes_what_had_finished, "g finished", "set back", ALL, {}),
        (writes_what_had_finished, "g finished", "again", ALL, {}),
        (unproven, "h proof", OLD, ALL, {"knobs": {"upgrade_keeps_disk": True}}),
        (claims_to_be_upgraded, "h claims", "run", ALL, {}),
        (claims_to_be_finished, "h claims", "finished", ALL, {}),
        (claims_to_be_unchanged, "h claims", "unchanged", ALL, {}),
        (claims_to_be_unchanged, "h claims", "changed is False", ALL, {}),
        (claims_to_be_refused, "h claims", "refused", ALL, {}),
        (claims_to_be_back, "h claims", "rolled back", ALL, {}),
        (claims_a_model_that_is_back, "h claims", "said to be back", ALL, {}),
        (claims_that_nothing_is_to_do, "h claims", "nothing to do", ALL, {}),
        (plans_protected_ones, "h claims", "['2'] are planned", ALL, {}),
        (names_a_previous_image_that_nobody_ran, "h claims", NEWER, ALL, {}),
        (is_endless, "i endless", "slept", ALL, {}),
        (crashes, "i ends", "KeyError", ALL, {}),
        (suspends_without_a_record, "j services", "no record", ALL, {"automatic_repairs": REPAIRS}),
        (leaves_suspended, "j services", "nothing on the set says so", ALL, {"automatic_repairs": REPAIRS}),
        (leaves_suspended_for_good, "j services", "stays suspended", ALL, {"automatic_repairs": REPAIRS}),
        (resumes_what_another_suspended, "j services", "another client", ALL, {"automatic_repairs": REPAIRS}),
    ],
)
def test_a_bad_controller_is_caught(
    plays: Callable[[Bad], None], rule: str, words: str, command: Command, world: dict[str, Any]
) -> None:
    bad = Bad(command, **{"health": "binary", **world})
    plays(bad)
    assert [one for one in bad.judge.broken if one.rule == rule and words in one.words], bad.judge.broken


@pytest.mark.parametrize("world", [{}, {"health": "binary"}, {"automatic_repairs": REPAIRS, "health": "binary"}])
def test_a_good_controller_breaks_nothing(world: dict[str, Any]) -> None:
    bad = Bad(ALL, **world)
    good(bad)
    bad.judge.check()


def test_an_instance_that_another_client_works_on() -> None:
    """Azure itself refuses the action, so that the judge is asked about what it would have accepted."""
    bad = Bad(ALL)
    bad.begins()
    bad.other(do="work", instance="1", seconds=900)
    bad.read()
    bad.lists()
    with pytest.raises(HttpResponseError):
        bad.upgrade("1")
    assert not bad.judge.broken
    bad.azure.scale_set().instances["1"].busy = None
    bad.upgrade("1", fresh=False)
    assert [one.rule for one in bad.judge.broken if "another client" in one.words] == ["d another's work"]


def test_what_is_tolerated_is_kept_apart() -> None:
    bad = Bad(ALL)
    bad.judge.tolerates = lambda found: found == Broken("d reads", found.words)
    bad.begins()
    bad.judge.slept(bad.run, 30)
    bad.upgrade("0", fresh=False)
    bad.judge.check()
    assert [one.rule for one in bad.judge.tolerated] == ["d reads"]


def test_a_controller_s_requests_are_judged_as_its_own() -> None:
    azure = Simulated(scenario(3))
    judge = Judge(azure)

    def work(controller: Controller) -> None:
        sets = azure.sdk(controller.session(), controller.clock).virtual_machine_scale_sets
        sets.get("shop", "web")
        controller.clock.sleep(40)
        sets.begin_update("shop", "web", image(NEW)).result()

    controller = Judged(judge, Run("bad", ALL), work)
    abouts = []
    while controller.step():
        abouts.append(controller.about)
    controller.outcome()
    assert "PATCH" in abouts and controller.run.slept >= 40 and controller.run.patches == 1
    assert [one.rule for one in judge.broken] == ["c only the image"]
