# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge finds each rule broken, once the simulator's figures of a good rollout are made those of a bad one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from draw import NAME, NEW, OLD, RECORD, THIRD
from good_rollout import (
    OURS,
    SECRET,
    THEIRS,
    VERSION,
    Rollout,
    action,
    changed,
    document,
    instance,
    theirs,
    write,
    wrong_after,
)
from world import MODE


def one_too_many(rollout: Rollout) -> None:
    rollout.after.metrics["batches"][1]["down_already"] = ["0"]


def two_domains(rollout: Rollout) -> None:
    rollout.after.figures["domains_down_at_once"] = 2
    rollout.after.metrics["batches"][0]["available"] = {"0": 250.0}


def protected_for_a_while(rollout: Rollout) -> None:
    two_domains(rollout)
    rollout.after.timeline.extend(
        [changed(150, "0", "protect_actions", True), changed(160, "0", "protect_actions", False)]
    )


def protected_while_it_is_upgraded(rollout: Rollout) -> None:
    two_domains(rollout)
    rollout.after.timeline.extend([changed(101, "0", "busy", "operation"), changed(150, "0", "protect_actions", True)])


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


def upgraded_twice_after_a_repair(rollout: Rollout) -> None:
    rollout.after.timeline.insert(0, changed(50, "0", "repair", "Restart"))
    upgraded_twice(rollout)


def old_image_called_upgraded(rollout: Rollout) -> None:
    rollout.after.instances["0"]["version"] = OLD


def never_available(rollout: Rollout) -> None:
    rollout.after.instances["0"]["available"] = False
    rollout.after.metrics["batches"][0]["available"] = {}


def new_image_called_put_back(rollout: Rollout) -> None:
    rollout.result["instances"]["0"]["outcome"] = "rolled_back"


def one_forgotten(rollout: Rollout) -> None:
    rollout.after.instances["2"] = instance(OLD, 2)


def moved_before_and_called_upgraded(rollout: Rollout) -> None:
    rollout.worked_on(50, "0", "Azure")
    old_image_called_upgraded(rollout)


def moved_by_others_before_the_last_look(rollout: Rollout) -> None:
    one_forgotten(rollout)
    rollout.worked_on(250, "2", "Azure")


def made_by_others_before_the_last_look(rollout: Rollout) -> None:
    rollout.written.append(theirs(250, {VERSION: [NEW, THIRD]}))
    rollout.after.instances["2"] = instance(THIRD, 2)
    rollout.after.timeline.append(changed(300, "2", "exists", True))


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
    rollout.written.append(theirs(150, {MODE: ["Manual", "Automatic"]}))


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


def deallocated_at_work(rollout: Rollout, began: float = 100.0, whose: str = "operation") -> None:
    rollout.after.timeline[:0] = [
        changed(began, "0", "busy", whose),
        changed(began + 15, "0", "power", "deallocating"),
        changed(began + 15, "0", "busy", None),
    ]


def started_before_it_was_cut_off(rollout: Rollout) -> None:
    deallocated_at_work(rollout)
    rollout.after.metrics["actions"].append(action("0", "start", 110, spared=["0"]))


def started_after_it_had_run_again(rollout: Rollout) -> None:
    """The second time somebody else has deallocated it, in nobody's upgrade."""
    deallocated_at_work(rollout)
    rollout.after.timeline.extend([changed(250, "0", "power", "running"), changed(260, "0", "power", "deallocating")])
    rollout.after.metrics["actions"] += [action("0", "start", at, spared=["0"]) for at in (200, 300)]


def started_after_another_s_work_was_cut_off(rollout: Rollout) -> None:
    deallocated_at_work(rollout, 170, "another client")
    rollout.after.metrics["actions"].append(action("0", "start", spared=["0"]))


def started_after_an_upgrade_of_another_s_was_cut_off(rollout: Rollout) -> None:
    rollout.worked_on(170, "0", "another client")
    deallocated_at_work(rollout, 170)
    rollout.after.metrics["actions"].append(action("0", "start", spared=["0"]))


def started_though_it_is_protected(rollout: Rollout) -> None:
    deallocated_at_work(rollout)
    rollout.after.metrics["actions"].append(action("0", "start", spared=["0"], protected=["0"]))


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


def canceled_not_tried_and_work_drawn(rollout: Rollout) -> None:
    """What did not come is no excuse, and what is waited for is none either."""
    canceled_not_tried(rollout)
    rollout.case.events.append({"do": "rolling_upgrade"})
    rollout.happens(50, "work", "1")
    rollout.happens(60, "scale")


def canceled_not_tried_on_their_image(rollout: Rollout) -> None:
    """It was there before, and so was their mode Manual."""
    canceled_not_tried(rollout)
    rollout.written[:0] = [theirs(3, {VERSION: [OLD, THIRD]}), theirs(4, {MODE: [None, "Manual"]})]


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


def one_of_them_called_back(rollout: Rollout) -> None:
    rollout.stops(2, said="Not all of instances 0, 1 are back: instance 1 is back.")


def rolled_back_but_not_all(rollout: Rollout) -> None:
    rollout.stops(2, said="Not all of instances 0, 1 are back.")
    rollout.result["outcome"] = "rolled_back"


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
    (protected_for_a_while, "in hand at once"),
    (protected_while_it_is_upgraded, "in hand at once"),
    (capacity_lost, "our write changed sku.capacity"),
    (tag_lost, "our write changed tags.owner"),
    (repairs_left_suspended, "the services were"),
    (protected_touched, "protected instances ['1']"),
    (everyone_named, "names ['*']"),
    (nobody_named, "names []"),
    (data_disks_reset, "POST of VirtualMachineScaleSets_ReimageAll"),
    (upgraded_twice, "instance 0 got"),
    (upgraded_twice_after_a_repair, "instance 0 got"),
    (old_image_called_upgraded, "instance 0 is called upgraded"),
    (never_available, "has never been available"),
    (new_image_called_put_back, "instance 0 is called rolled_back"),
    (one_forgotten, "['2'] do not run"),
    (moved_before_and_called_upgraded, "instance 0 is called upgraded"),
    (moved_by_others_before_the_last_look, "['2'] do not run"),
    (made_by_others_before_the_last_look, "['2'] do not run"),
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
    (started_before_it_was_cut_off, "start of ['0'], which are protected or deallocated"),
    (started_after_it_had_run_again, "start of ['0'], which are protected or deallocated"),
    (started_after_another_s_work_was_cut_off, "start of ['0'], which are protected or deallocated"),
    (started_after_an_upgrade_of_another_s_was_cut_off, "start of ['0'], which are protected or deallocated"),
    (started_though_it_is_protected, "start of ['0'], which are protected or deallocated"),
    (restarted, "restart of ['0']"),
    (adopted, "instance 7 is called failed, and no action has named it"),
    (batch_too_large, "batch 2 takes down ['1', '2'], more than 10%"),
    (canceled_not_tried, "it stopped with ['0'] Canceled"),
    (canceled_not_tried_and_work_drawn, "it stopped with ['0'] Canceled"),
    (canceled_not_tried_on_their_image, "it stopped with ['0'] Canceled"),
    (check_skipped, "['1'] are called upgraded and have not passed"),
    (walked_past_the_check, "the user's check failed, and it ended upgraded"),
    (on_after_the_check, "['1'] got the new image after"),
    (checked_all_at_once, "were checked together"),
    (one_called_back, "instance 1 is called back"),
    (one_of_them_called_back, "instance 1 is called back"),
    (rolled_back_but_not_all, "it ended rolled_back, and says"),
    (mode_called_manual, "is called Manual and is Automatic"),
    (called_unwritten, "nothing was written, it says"),
    (fallen, "it ended upgraded with ['0'] deallocated"),
    (fallen_called_none, "unavailable: none, it says"),
    (fallen_not_named, "does not name them"),
    (fallen_once_more, "does not name them"),
    (made_of_their_image, "['2'] do not run"),
    (old_image_left_in_the_model, f"it ended upgraded, and the model names {OLD}"),
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
    rollout.written.append(theirs(199.5, {MODE: ["Manual", "Automatic"]}))
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


def started_after_another_client_deallocated_it_at_work(rollout: Rollout) -> None:
    """It looks as what our own work has left."""
    deallocated_at_work(rollout)
    rollout.after.metrics["actions"].append(action("0", "start", spared=["0"]))


def started_again_as_it_never_ran(rollout: Rollout) -> None:
    deallocated_at_work(rollout)
    rollout.after.metrics["actions"] += [action("0", "start", at, spared=["0"]) for at in (200, 300)]


def started_after_its_fall(rollout: Rollout) -> None:
    rollout.after.metrics["actions"].append(action("0", "start", fallen=["0"]))


def protected_by_another_client(rollout: Rollout) -> None:
    """After the operation, and before it was available."""
    two_domains(rollout)
    rollout.after.timeline.extend(
        [
            changed(101, "0", "busy", "operation"),
            changed(140, "0", "busy", None),
            changed(150, "0", "protect_actions", True),
        ]
    )


def repaired_after_the_upgrade(rollout: Rollout) -> None:
    rollout.after.timeline.extend([changed(390, "0", "repair", "Reimage"), changed(400, "0", "os_disk", "another")])


def moved_by_others_after_the_last_look(rollout: Rollout) -> None:
    rollout.written.append(theirs(450, {MODE: ["Manual", "Automatic"]}))
    rollout.worked_on(450, "0", "Azure")
    old_image_called_upgraded(rollout)


def made_by_others_after_the_last_look(rollout: Rollout) -> None:
    rollout.written.append(theirs(440, {VERSION: [NEW, THIRD]}))
    rollout.after.instances["2"] = instance(THIRD, 2)
    rollout.after.timeline.append(changed(450, "2", "exists", True))


def canceled_while_azure_rolls(rollout: Rollout) -> None:
    canceled_not_tried(rollout)
    rollout.happens(50, "rolling_upgrade")


def not_all_called_back(rollout: Rollout) -> None:
    rollout.stops(2, said="Not all of instances 0, 1 are back.")


FINE = [
    protected_by_another_client,
    repaired_after_the_upgrade,
    moved_by_others_after_the_last_look,
    made_by_others_after_the_last_look,
    canceled_while_azure_rolls,
    not_all_called_back,
    other_members_written,
    an_image_from_before,
    an_image_planned_on,
    stopped_by_their_mode,
    stopped_by_their_image,
    stopped_by_lost_members,
    stopped_by_the_check,
    all_checked,
    fallen_and_named,
    started_after_another_client_deallocated_it_at_work,
    started_again_as_it_never_ran,
    started_after_its_fall,
]


@pytest.mark.parametrize("happens", FINE, ids=[happens.__name__ for happens in FINE])
def test_what_is_right_breaks_no_rule(happens: Callable[[Rollout], None], tmp_path: Path) -> None:
    assert wrong_after(happens, tmp_path) == []


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    wrong = wrong_after(spoil, tmp_path)
    assert [one for one in wrong if said in one], wrong
