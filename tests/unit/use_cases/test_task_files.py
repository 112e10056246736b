# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between two calls of a rollout the user's task files run, and others work: what then holds, and what goes on."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Failure
from ansible_collections.steady.vmss.plugins.module_utils._options import RolloutRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rollout

from ..asking import request
from ..play import NEW, NEWER, OLD, SET, Failed, Killed, of_version, scenario
from ..refusals import refused
from ..simulated import Simulated
from .test_between import UPGRADE, disks, kept, named, ours, play, simulated, writes

DONE = {"outcome": "done"}
ASKED = {**SET, "image": of_version(NEW), "before_batch": "drain.yml"}


def call(azure: Simulated, **options: Any) -> tuple[dict[str, Any], Failure | None]:
    asked = request(RolloutRequest, {**ASKED, **options})
    return rollout.roll_out(ours(azure), azure.clock, asked, check_mode=False)


# -- what others bring to the target meanwhile ----------------------------------------------------


@pytest.mark.parametrize("healthy", [True, False])
def test_what_another_client_upgrades_meanwhile_passes_the_check_too(healthy: bool) -> None:
    azure, checked = simulated(5), []

    def check(ids: list[str]) -> None:
        checked.append(ids)
        if len(checked) == 1:
            azure.do(do="upgrade", instances=["4"])
        if not healthy and "4" in ids:
            raise Failed("the shop answers 503")

    run, found = play(azure, check=check), kept(azure)
    assert sorted(one for ids in checked for one in ids) == list("01234") and checked[-1] == ["4"]
    assert found is not None
    if healthy:
        assert (run.outcome, found.state) == ("upgraded", "finished")
        return
    assert (run.outcome, run.codes, named(azure)) == ("stopped", {"hook_failed"}, OLD), run.why
    assert "because of instance 4, which this run has not upgraded" in run.why
    before = writes(azure), disks(azure)
    again = play(azure, check=check)
    assert again.outcome == "refused" and (writes(azure), disks(azure)) == before, again.why


@pytest.mark.parametrize("died_at", ["1", "2", "3"])
def test_what_a_run_beside_this_one_left_unchecked_is_checked_here(died_at: str) -> None:
    """It upgrades on while this one's task file runs, and is killed before its own check of this instance."""
    azure, checked = simulated(5), []

    def dies(ids: list[str]) -> None:
        if died_at in ids:
            raise Killed

    def check(ids: list[str]) -> None:
        checked.append(ids)
        if len(checked) == 1:
            play(azure, check=dies)

    assert play(azure, check=check).outcome == "upgraded"
    assert {one for ids in checked for one in ids} == set("01234")


# -- what a task file sets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "api"},
        {"instance_ids": ["4"]},
        {"image": of_version(NEWER)},
        {"back": True},
        {"max_unavailable": "100%"},
        {"keep_model": True, "suspend_services": False},
    ],
    ids=str,
)
def test_a_rollout_goes_on_as_it_was_asked_at_its_start(changes: dict[str, Any]) -> None:
    """Whatever options the later calls are given."""
    shop = scenario(3)
    shop["scale_sets"].append({**shop["scale_sets"][0], "name": "api"})
    azure = Simulated(shop)
    answer, batches = call(azure)[0], []
    while answer["next"]:
        batches.append([one["instance_id"] for one in answer["next"]["batch"]["instances"]])
        answer, failure = call(azure, memory=json.loads(json.dumps(answer["memory"])), hook=DONE, **changes)
        assert failure is None
    assert batches == [["0"], ["1"], ["2"]] and answer["rollout_result"]["outcome"] == "upgraded"
    assert {one["version"] for one in azure.state()["instances"].values()} == {NEW}
    assert {one["version"] for one in azure.state("api")["instances"].values()} == {OLD}
    assert azure.operations().count(UPGRADE) == 3 and not azure.state("api")["document"]["tags"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("plan", None),
        ("plan", "web"),
        ("walk", None),
        ("walk", []),
        ("back", None),
        ("rules", None),
        ("phase", "later"),
        ("phase", None),
        ("rules.asked", None),
        ("more", 1),
        ("version", "1"),
    ],
)
def test_a_broken_memory_is_refused_with_words(path: str, value: Any) -> None:
    azure = simulated(3)
    memory = copy.deepcopy(json.loads(json.dumps(call(azure)[0]["memory"])))
    *above, last = path.split(".")
    (memory[above[0]] if above else memory)[last] = value
    before = len(azure.operations())
    with refused("memory_not_usable", "memory of a rollout"):
        call(azure, memory=memory, hook=DONE)
    assert len(azure.operations()) == before
