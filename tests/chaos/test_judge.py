# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge finds each rule broken, once the simulator's figures of a good rollout are made those of a bad one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import judge
import pytest
from draw import GROUP, NAME, NEW, OLD, SERIES, Case

SECRET = "s3cr3t-of-the-principal"


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
    calm = {"power": "running", "leaving": False, "protect_actions": False, "available": True}
    return {"version": version, **where, **calm}


@dataclass
class Rollout:
    """A rollout of two instances in two domains, as it should go; a test spoils something."""

    case: Case
    before: judge.World
    after: judge.World
    run: Ended
    result: dict[str, Any]

    @classmethod
    def good(cls) -> Rollout:
        scenario: dict[str, Any] = {"scale_sets": [{"instances": {}}], "events": [], "faults": []}
        variables = {"rollout_resource_group": GROUP, "rollout_image": {**SERIES, "version": NEW}}
        case = Case(0, scenario, variables, "1", "domain")
        services = {"AutomaticRepairs": "Running"}
        metrics = {"accepted_writes": 0, "batches": [], "non_get": [], "scale_sets": {NAME: {"disks_replaced": {}}}}
        old = {"0": instance(OLD, 0), "1": instance(OLD, 1)}
        before = judge.World({"instances": old, "document": document(OLD), "services": services}, metrics, [])
        batches = [
            {
                "instance_ids": [key],
                "taken_down": [key],
                "down_already": [],
                "there_then": 2,
                "started": 10.0 * number,
                "available": {key: 10.0 * number + 5},
            }
            for number, key in enumerate("01")
        ]
        posts = [{"method": "POST", "operation": judge.UPGRADE, "instance_ids": [key]} for key in "01"]
        figures = {"disks_replaced": {"0": 1, "1": 1}, "domains_down_at_once": 1}
        after = judge.World(
            {
                "instances": {"0": instance(NEW, 0), "1": instance(NEW, 1)},
                "document": document(NEW),
                "services": services,
            },
            {"accepted_writes": 3, "batches": batches, "non_get": posts, "scale_sets": {NAME: figures}},
            [{"what": what, "instance": key, "to": NEW} for key in "01" for what in ("image", "os_disk")],
        )
        reports = {key: {"outcome": "upgraded", "image_after": {"version": NEW}} for key in "01"}
        return cls(case, before, copy.deepcopy(after), Ended(), {"outcome": "upgraded", "instances": reports})

    def wrong(self, journals: Path) -> list[str]:
        return list(judge.everything(self.case, self.before, self.after, self.run, self.result, Secretive(), journals))


def one_too_many(rollout: Rollout) -> None:
    rollout.after.metrics["batches"][1]["down_already"] = ["0"]


def two_domains(rollout: Rollout) -> None:
    rollout.after.figures["domains_down_at_once"] = 2
    rollout.after.metrics["batches"][0]["available"] = {"0": 15.0}


def capacity_lost(rollout: Rollout) -> None:
    rollout.after.scale_set["document"]["sku"]["capacity"] = 1


def tag_lost(rollout: Rollout) -> None:
    rollout.after.scale_set["document"]["tags"].clear()


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
    rollout.after.timeline.append({"what": "os_disk", "instance": "0"})


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
    rollout.result["outcome"], rollout.run.rc, rollout.run.failures = "stopped", 2, [f"scale set {NAME}"]


def silent_stop(rollout: Rollout) -> None:
    rollout.after.scale_set["document"] = document(OLD)
    rollout.result["outcome"], rollout.run.rc, rollout.run.failures = "stopped", 2, ["it failed"]


def wrong_exit(rollout: Rollout) -> None:
    rollout.run.rc = 2


def traceback(rollout: Rollout) -> None:
    rollout.run.output = "Traceback (most recent call last):"


def secret_shown(rollout: Rollout) -> None:
    rollout.run.output = f"Authorization: {SECRET}"


SPOILT: Iterable[tuple[Callable[[Rollout], None], str]] = [
    (one_too_many, "1 allowed"),
    (two_domains, "in hand at once"),
    (capacity_lost, "the document changed"),
    (tag_lost, "the document changed"),
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
]


def test_a_good_rollout_breaks_no_rule(tmp_path: Path) -> None:
    assert Rollout.good().wrong(tmp_path) == []


def test_a_tolerated_failure_that_is_told_breaks_no_rule(tmp_path: Path) -> None:
    rollout = Rollout.good()
    failure_not_tolerated(rollout)
    rollout.case.variables["rollout_max_unhealthy_upgraded"] = "30%"
    old_image_called_upgraded(rollout)
    assert rollout.wrong(tmp_path) == []


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    rollout = Rollout.good()
    spoil(rollout)
    assert [one for one in rollout.wrong(tmp_path) if said in one], rollout.wrong(tmp_path)
