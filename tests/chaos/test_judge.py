# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge finds each rule broken, once the simulator's figures of a good rollout are made those of a bad one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import judge
import pytest
from draw import GROUP, NAME, NEW, OLD, RECORD, SERIES, THIRD, Case

SECRET = "s3cr3t-of-the-principal"
VERSION = "properties.virtualMachineProfile.storageProfile.imageReference.version"
OURS, THEIRS = "7f3c" * 8, "dead" * 8


@dataclass
class Ended:
    """What the judge reads of a run."""

    rc: int = 0
    output: str = "PLAY RECAP"
    failures: list[str] = field(default_factory=list)


class Secretive:
    """What the judge reads of a simulator."""

    def secrets(self) -> list[str]:
        return [SECRET]


def document(version: str) -> dict[str, Any]:
    profile = {"storageProfile": {"imageReference": {**SERIES, "version": version}}}
    return {"tags": {"owner": "shop"}, "sku": {"capacity": 2}, "properties": {"virtualMachineProfile": profile}}


def instance(version: str, update_domain: int) -> dict[str, Any]:
    where = {"zone": None, "fault_domain": 0, "update_domain": update_domain}
    calm = {"power": "running", "available": True}
    calm |= {"provisioning": "Succeeded"} | dict.fromkeys(
        ("leaving", "protect_actions", "attached", "fell", "busy"), False
    )
    return {"version": version, **where, **calm}


def write(time: float, changes: dict[str, list[Any]], by: str = "client", **met: Any) -> dict[str, Any]:
    calm = {
        "mode": "Manual",
        "automatic_os_upgrade": False,
        "planned_on": 5.0,
        "tags": {"owner": "shop"},
        "upgraded": [],
    }
    return {"time": time, "by": by, "changes": changes, **calm, **met}


def theirs(time: float, changes: dict[str, list[Any]], **met: Any) -> dict[str, Any]:
    return write(time, changes, "another client", **met)


def action(key: str, what: str = "upgrade", **flags: list[str]) -> dict[str, Any]:
    none: dict[str, list[str]] = {"spared": [], "attached": [], "fallen": []}
    return {"by": "client", "action": what, "instance_ids": [key], **none, **flags}


@dataclass
class Rollout:
    """A rollout of two instances in two domains, as it should go; a test spoils something."""

    case: Case
    before: judge.World
    after: judge.World
    run: Ended
    result: dict[str, Any]
    asked: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def good(cls) -> Rollout:
        scenario: dict[str, Any] = {"scale_sets": [{"instances": {}}], "events": [], "faults": []}
        variables = {"rollout_resource_group": GROUP, "rollout_image": {**SERIES, "version": NEW}}
        case = Case(0, scenario, variables, "1", "domain")
        services = {"AutomaticRepairs": "Running"}
        metrics = {"batches": [], "non_get": [], "scale_sets": {NAME: {"disks_replaced": {}}}}
        metrics |= {"model_writes": [], "actions": [], "first_answers": {}, "accepted_writes": 0}
        old = {"0": instance(OLD, 0), "1": instance(OLD, 1)}
        before = judge.World({"instances": old, "document": document(OLD), "services": services}, metrics, [])
        batches = [
            {
                "by": "client",
                "instance_ids": [key],
                "taken_down": [key],
                "down_already": [],
                "there_then": 2,
                "model_read": 100.0 * number - 1,
                "started": 100.0 * number,
                "available": {key: 100.0 * number + 50},
            }
            for number, key in enumerate("01", 1)
        ]
        posts = [{"method": "POST", "operation": judge.UPGRADE, "instance_ids": [key]} for key in "01"]
        figures = {"disks_replaced": {"0": 1, "1": 1}, "domains_down_at_once": 1}
        after = judge.World(
            {
                "instances": {"0": instance(NEW, 0), "1": instance(NEW, 1)},
                "document": document(NEW),
                "services": services,
            },
            {
                "batches": batches,
                "non_get": posts,
                "accepted_writes": 3,
                "scale_sets": {NAME: figures},
                "model_writes": [write(10, {VERSION: [OLD, NEW], f"tags.{RECORD}": [None, OURS]})],
                "actions": [action(key) for key in "01"],
                "first_answers": {"VirtualMachineScaleSets_Get": 5.0},
            },
            [
                {"what": what, "instance": key, "to": NEW, "time": 100.0 * number + 30}
                for number, key in enumerate("01", 1)
                for what in ("image", "os_disk")
            ],
        )
        reports = {key: {"outcome": "upgraded", "image_after": {"version": NEW}} for key in "01"}
        result = {"outcome": "upgraded", "previous_image": {**SERIES, "version": OLD}, "instances": reports}
        return cls(case, before, copy.deepcopy(after), Ended(), result)

    def wrong(self, journals: Path) -> list[str]:
        case, before, after, run, asked = self.case, self.before, self.after, self.run, self.asked
        return list(judge.everything(case, before, after, run, self.result, Secretive(), journals, asked))

    @property
    def written(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.after.metrics["model_writes"]
        return found

    def stops(self, after: int, *, model: str = OLD, said: str = "") -> None:
        """It stopped after so many batches, with that image in the model."""
        self.result["outcome"], self.run.rc, self.run.failures = "stopped", 2, [f"scale set {NAME} {said}"]
        self.after.scale_set["document"] = document(model)
        for key in "01"[after:]:
            self.after.instances[key] = instance(OLD, int(key))
            self.result["instances"].pop(key)
        self.after.timeline[2 * after :] = []
        for name in ("batches", "actions"):
            self.after.metrics[name][after:] = []
        if model == OLD:
            self.written.append(write(300, {VERSION: [NEW, OLD]}, tags={RECORD: OURS}))

    def checked(self, *passed: bool) -> None:
        self.case = replace(self.case, check={"kind": "always"})
        self.asked = [
            {"number": number, "instance_ids": [str(number - 1)], "passed": one, "time": 100.0 * number + 60}
            for number, one in enumerate(passed, 1)
        ]


def one_too_many(rollout: Rollout) -> None:
    rollout.after.metrics["batches"][1]["down_already"] = ["0"]


def two_domains(rollout: Rollout) -> None:
    rollout.after.figures["domains_down_at_once"] = 2
    rollout.after.metrics["batches"][0]["available"] = {"0": 250.0}


def capacity_lost(rollout: Rollout) -> None:
    rollout.written[0]["changes"]["sku.capacity"] = [2, 1]


def tag_lost(rollout: Rollout) -> None:
    rollout.written[0]["changes"]["tags.owner"] = ["shop", None]


def repairs_left_suspended(rollout: Rollout) -> None:
    rollout.after.scale_set["services"] = {"AutomaticRepairs": "Suspended"}


def protected_touched(rollout: Rollout) -> None:
    rollout.before.instances["1"]["protect_actions"] = True


def everyone_named(rollout: Rollout) -> None:
    rollout.after.metrics["non_get"][0]["instance_ids"] = ["*"]


def nobody_named(rollout: Rollout) -> None:
    rollout.after.metrics["non_get"][0]["instance_ids"] = []


def data_disks_reset(rollout: Rollout) -> None:
    rollout.after.metrics["non_get"].append({"method": "POST", "operation": "VirtualMachineScaleSets_ReimageAll"})


def upgraded_twice(rollout: Rollout) -> None:
    rollout.after.timeline.append({"what": "os_disk", "instance": "0", "time": 400.0})


def old_image_called_upgraded(rollout: Rollout) -> None:
    rollout.after.instances["0"]["version"] = OLD


def never_available(rollout: Rollout) -> None:
    rollout.after.instances["0"]["available"] = False
    rollout.after.metrics["batches"][0]["available"] = {}


def new_image_called_put_back(rollout: Rollout) -> None:
    rollout.result["instances"]["0"]["outcome"] = "rolled_back"


def one_forgotten(rollout: Rollout) -> None:
    rollout.after.instances["2"] = instance(OLD, 2)


def failure_called_success(rollout: Rollout) -> None:
    rollout.result["instances"]["0"]["outcome"] = "failed"


def failure_not_tolerated(rollout: Rollout) -> None:
    failure_called_success(rollout)
    rollout.result["outcome"], rollout.run.rc, rollout.run.failures = "failed", 2, [f"scale set {NAME}"]


def broken_model_kept(rollout: Rollout) -> None:
    rollout.stops(1, model=NEW)


def written_in_mode_automatic(rollout: Rollout) -> None:
    rollout.written[0] |= {"mode": "Automatic", "upgraded": ["0", "1"]}


def written_with_automatic_upgrades(rollout: Rollout) -> None:
    rollout.written[0]["automatic_os_upgrade"] = True


def record_closed_in_mode_rolling(rollout: Rollout) -> None:
    rollout.written.append(write(300, {"tags.steady-vmss-outcome": [None, "finished"]}, mode="Rolling"))


def their_image_overwritten(rollout: Rollout) -> None:
    rollout.written.insert(0, theirs(7, {VERSION: [OLD, THIRD]}))
    rollout.written[1]["changes"][VERSION] = [THIRD, NEW]


def their_image_overwritten_by_the_stop(rollout: Rollout) -> None:
    rollout.stops(1)
    rollout.written.insert(1, theirs(250, {VERSION: [NEW, THIRD]}))


def their_record_overwritten(rollout: Rollout) -> None:
    rollout.written.append(theirs(250, {f"tags.{RECORD}": [OURS, THEIRS]}, tags={RECORD: OURS}))
    rollout.written.append(write(300, {"tags.steady-vmss-outcome": [None, "finished"]}, tags={RECORD: THEIRS}))


def went_on_in_mode_automatic(rollout: Rollout) -> None:
    rollout.written.append(theirs(150, {judge.MODE: ["Manual", "Automatic"]}))


def went_on_for_two_batches(rollout: Rollout) -> None:
    rollout.written.append(theirs(50, {VERSION: [NEW, THIRD]}))
    rollout.after.metrics["batches"][0]["model_read"] = rollout.after.metrics["batches"][1]["model_read"] = 40.0


def went_on_without_the_data_disks(rollout: Rollout) -> None:
    rollout.case.scale_set["knobs"] = {"image_write_loses": "storageProfile.dataDisks"}
    rollout.written[0]["changes"]["properties.virtualMachineProfile.storageProfile.dataDisks"] = [[{"lun": 0}], None]


def lost_disks_not_named(rollout: Rollout) -> None:
    went_on_without_the_data_disks(rollout)
    rollout.stops(0, model=NEW)


def written_again_after_the_loss(rollout: Rollout) -> None:
    went_on_without_the_data_disks(rollout)
    rollout.stops(0, said="storageProfile.dataDisks is gone")


def unchosen_touched(rollout: Rollout) -> None:
    rollout.case.variables["rollout_instance_ids"] = ["1"]


def spared_named(rollout: Rollout) -> None:
    rollout.after.metrics["actions"][1]["spared"] = ["1"]


def attached_named(rollout: Rollout) -> None:
    rollout.after.metrics["actions"][1]["attached"] = ["1"]


def running_one_started(rollout: Rollout) -> None:
    rollout.after.metrics["actions"].append(action("0", "start"))


def restarted(rollout: Rollout) -> None:
    rollout.after.metrics["actions"].append(action("0", "restart"))


def adopted(rollout: Rollout) -> None:
    rollout.result["instances"]["7"] = {"outcome": "failed", "image_after": None}


def batch_too_large(rollout: Rollout) -> None:
    rollout.case.variables["rollout_batch_size"] = [1, "10%", "50%"]
    rollout.after.metrics["batches"][1] |= {"taken_down": ["1", "2"], "there_then": 9}
    rollout.case = replace(rollout.case, limit="50%")


def canceled_not_tried(rollout: Rollout) -> None:
    rollout.stops(0)
    rollout.after.metrics["non_get"].clear()
    rollout.after.instances["0"] |= {"provisioning": "Canceled", "available": False}


def check_skipped(rollout: Rollout) -> None:
    rollout.checked(True)


def walked_past_the_check(rollout: Rollout) -> None:
    rollout.checked(False, True)


def on_after_the_check(rollout: Rollout) -> None:
    rollout.checked(False)
    rollout.stops(2)


def checked_all_at_once(rollout: Rollout) -> None:
    rollout.checked(True, True)
    rollout.asked.append({"number": 0, "instance_ids": ["0", "1"], "passed": True, "time": 20.0})


def one_called_back(rollout: Rollout) -> None:
    rollout.stops(2, said="Instances 0, 1 are back on the previous image.")
    rollout.after.instances["0"] = instance(OLD, 0)


def mode_called_manual(rollout: Rollout) -> None:
    rollout.stops(1, said="The upgrade mode is Manual now.")
    rollout.after.scale_set["document"]["properties"]["upgradePolicy"] = {"mode": "Automatic"}


def called_unwritten(rollout: Rollout) -> None:
    rollout.stops(1, said="Nothing was written.")


def fallen(rollout: Rollout) -> None:
    rollout.after.instances["0"] |= {"fell": True, "power": "deallocated", "available": False}


def fallen_called_none(rollout: Rollout) -> None:
    rollout.stops(1, said="0; unavailable: none")
    fallen(rollout)


def fallen_not_named(rollout: Rollout) -> None:
    rollout.stops(1)
    fallen(rollout)


def fallen_once_more(rollout: Rollout) -> None:
    """Azure has had it too, before."""
    fallen_not_named(rollout)
    azure = {"by": "Azure", "instance_ids": ["0"], "started": 50.0, "taken_down": []}
    rollout.after.metrics["batches"].insert(0, {**rollout.after.metrics["batches"][0], **azure})


def made_of_their_image(rollout: Rollout) -> None:
    rollout.written.insert(0, theirs(6, {VERSION: [OLD, THIRD]}))
    rollout.written[1] |= {"changes": {VERSION: [THIRD, NEW]}, "planned_on": 7.0}
    rollout.after.instances["2"] = instance(THIRD, 0)


def refuses(rollout: Rollout, accepted: int = 0) -> None:
    """Before anything was done; another client has written a tag of its own."""
    rollout.case.scenario["events"].append({"do": "write", "patch": {"tags": {"owner": "another team"}}})
    rollout.stops(0)
    rollout.result["outcome"] = "refused"
    rollout.written.clear()
    rollout.after.metrics["non_get"].clear()
    rollout.after.metrics["accepted_writes"] = accepted


def refuses_with_repairs_suspended_meanwhile(rollout: Rollout) -> None:
    refuses(rollout, accepted=2)


def old_image_left_in_the_model(rollout: Rollout) -> None:
    rollout.after.scale_set["document"] = document(OLD)


def silent_stop(rollout: Rollout) -> None:
    rollout.stops(1)
    rollout.run.failures = ["it failed"]


def wrong_exit(rollout: Rollout) -> None:
    rollout.run.rc = 2


def traceback(rollout: Rollout) -> None:
    rollout.run.output = "Traceback (most recent call last):"


def secret_shown(rollout: Rollout) -> None:
    rollout.run.output = f"Authorization: {SECRET}"


SPOILT: Iterable[tuple[Callable[[Rollout], None], str]] = [
    (one_too_many, "1 allowed"),
    (two_domains, "in hand at once"),
    (capacity_lost, "our write changed sku.capacity"),
    (tag_lost, "our write changed tags.owner"),
    (repairs_left_suspended, "the services were"),
    (protected_touched, "protected instances ['1']"),
    (everyone_named, "names ['*']"),
    (nobody_named, "names []"),
    (data_disks_reset, "POST of VirtualMachineScaleSets_ReimageAll"),
    (upgraded_twice, "instance 0 got"),
    (old_image_called_upgraded, "instance 0 is called upgraded"),
    (never_available, "has never been available"),
    (new_image_called_put_back, "instance 0 is called rolled_back"),
    (one_forgotten, "['2'] do not run"),
    (failure_called_success, "upgraded, and instances ['0'] failed"),
    (failure_not_tolerated, "without a failure that was to be tolerated"),
    (broken_model_kept, "and the model names"),
    (silent_stop, "without naming the scale set"),
    (wrong_exit, "upgraded with exit status 2"),
    (traceback, "it crashed"),
    (secret_shown, "the output shows"),
    (written_in_mode_automatic, "written while the mode was Automatic"),
    (written_with_automatic_upgrades, "while automatic OS upgrades were on"),
    (record_closed_in_mode_rolling, "written while the mode was Rolling"),
    (their_image_overwritten, "another client's image was overwritten"),
    (their_image_overwritten_by_the_stop, "another client's image was overwritten"),
    (their_record_overwritten, f"over the record of the rollout {THEIRS}"),
    (went_on_in_mode_automatic, "another client's mode Automatic was read"),
    (went_on_for_two_batches, "2 batches after another client's image"),
    (went_on_without_the_data_disks, "['1']] were taken down"),
    (lost_disks_not_named, "it ended stopped"),
    (written_again_after_the_loss, "was lost, and then"),
    (unchosen_touched, "upgrade of ['0'], which were not chosen"),
    (spared_named, "which are protected or deallocated"),
    (attached_named, "which were attached by hand"),
    (running_one_started, "start of ['0']"),
    (restarted, "restart of ['0']"),
    (adopted, "instance 7 is called failed, and no action has named it"),
    (batch_too_large, "batch 2 takes down ['1', '2'], more than 10%"),
    (canceled_not_tried, "it stopped with ['0'] Canceled"),
    (check_skipped, "['1'] are called upgraded and have not passed"),
    (walked_past_the_check, "the user's check failed, and it ended upgraded"),
    (on_after_the_check, "['1'] got the new image after"),
    (checked_all_at_once, "were checked together"),
    (one_called_back, "instance 1 is called back"),
    (mode_called_manual, "is called Manual and is Automatic"),
    (called_unwritten, "nothing was written, it says"),
    (fallen, "it ended upgraded with ['0'] deallocated"),
    (fallen_called_none, "unavailable: none, it says"),
    (fallen_not_named, "does not name them"),
    (fallen_once_more, "does not name them"),
    (made_of_their_image, "['2'] do not run"),
    (old_image_left_in_the_model, f"it ended upgraded, and the model names {OLD}"),
    (refuses, "refused without a reason"),
    (refuses_with_repairs_suspended_meanwhile, "refused after it had written"),
]


def test_a_good_rollout_breaks_no_rule(tmp_path: Path) -> None:
    assert Rollout.good().wrong(tmp_path) == []


def test_a_tolerated_failure_that_is_told_breaks_no_rule(tmp_path: Path) -> None:
    rollout = Rollout.good()
    failure_not_tolerated(rollout)
    rollout.case.variables["rollout_max_unhealthy_upgraded"] = "30%"
    old_image_called_upgraded(rollout)
    assert rollout.wrong(tmp_path) == []


def other_members_written(rollout: Rollout) -> None:
    rollout.written.append(theirs(150, {"sku.capacity": [2, 3], "tags.policy": [None, "yes"]}))


def an_image_from_before(rollout: Rollout) -> None:
    """It was there when the rollout was planned."""
    rollout.written.insert(0, theirs(4, {VERSION: [OLD, THIRD]}))
    rollout.written[1]["changes"][VERSION] = [THIRD, NEW]


def an_image_planned_on(rollout: Rollout) -> None:
    an_image_from_before(rollout)
    rollout.written[0]["time"], rollout.written[1]["planned_on"] = 6.0, 7.0


def stopped_by_their_mode(rollout: Rollout) -> None:
    """Written between the read before the second batch and the batch."""
    rollout.written.append(theirs(199.5, {judge.MODE: ["Manual", "Automatic"]}))
    rollout.stops(2, model=NEW)
    rollout.after.metrics["batches"][1]["model_read"] = 199.0


def stopped_by_their_image(rollout: Rollout) -> None:
    rollout.stops(1, model=THIRD)
    rollout.written.append(theirs(150, {VERSION: [NEW, THIRD]}))


def stopped_by_lost_members(rollout: Rollout) -> None:
    went_on_without_the_data_disks(rollout)
    rollout.stops(0, model=NEW, said="dataDisks [{'lun': 0}] is gone")


def stopped_by_the_check(rollout: Rollout) -> None:
    rollout.checked(True, False)
    rollout.stops(2)


def all_checked(rollout: Rollout) -> None:
    rollout.checked(True, True)


def fallen_and_named(rollout: Rollout) -> None:
    rollout.stops(1, said="instance 0 is deallocated")
    fallen(rollout)


def started_after_its_fall(rollout: Rollout) -> None:
    rollout.after.metrics["actions"].append(action("0", "start", fallen=["0"]))


FINE = [
    other_members_written,
    an_image_from_before,
    an_image_planned_on,
    stopped_by_their_mode,
    stopped_by_their_image,
    stopped_by_lost_members,
    stopped_by_the_check,
    all_checked,
    fallen_and_named,
    started_after_its_fall,
]


@pytest.mark.parametrize("happens", FINE, ids=[happens.__name__ for happens in FINE])
def test_what_is_right_breaks_no_rule(happens: Callable[[Rollout], None], tmp_path: Path) -> None:
    rollout = Rollout.good()
    happens(rollout)
    assert rollout.wrong(tmp_path) == []


def again(
    rollout: Rollout, *, rc: int = 0, outcome: str = "unchanged", refused: bool = False, closes: bool = False
) -> Any:
    run = Ended(rc=rc)
    return list(judge.again(rollout.after, run, {"outcome": outcome}, refused=refused, closes=closes))


def calm() -> Rollout:
    """Nothing was done since the count began."""
    rollout = Rollout.good()
    for name in ("model_writes", "actions", "batches", "non_get"):
        rollout.after.metrics[name].clear()
    rollout.after.figures["disks_replaced"] = {}
    return rollout


def test_the_same_command_again_does_nothing() -> None:
    assert again(calm()) == []
    assert again(calm(), rc=2, outcome="stopped", refused=True) == []
    assert again(calm(), refused=True) == [
        "what the user's check refuses runs the target, and the same command ended unchanged"
    ]
    rollout = calm()
    rollout.written.append(write(900, {"tags.steady-vmss-outcome": [None, "finished"]}))
    assert again(rollout, closes=True) == []
    assert again(rollout) == ["the same command again wrote [['tags.steady-vmss-outcome']]"]
    rollout = calm()
    rollout.written.append(write(900, {VERSION: [NEW, OLD]}))
    assert again(rollout, rc=2, outcome="stopped", closes=True) == [f"the same command again wrote [['{VERSION}']]"]
    rollout = calm()
    rollout.after.metrics["actions"].append(action("1"))
    assert again(rollout) == ["the same command again: [('upgrade', ['1'])]"]


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    rollout = Rollout.good()
    spoil(rollout)
    assert [one for one in rollout.wrong(tmp_path) if said in one], rollout.wrong(tmp_path)
