# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the record of a rollout ends whose model, or tags, another client has changed."""

from __future__ import annotations

from typing import Any

import pytest

from ..play import NEW, NEWER, OLD, Play
from ..simulated import Reply, Request, Simulated
from .test_between import ANOTHER_ROLLOUT, GET, UPGRADE, kept, mode, pins, play, settled, simulated, writes


def removes_the_tags(azure: Simulated) -> None:
    owner = azure.scale_set()
    owner.document["tags"] = {}
    owner.etag += 1


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (pins(NEWER), ("names Canonical", NEWER, "another client", "show it as in_progress, with AutomaticRepairs")),
        (pins(OLD), ("names Canonical", OLD, "another client", "show it as in_progress, with AutomaticRepairs")),
        (None, ("another client has removed", "scale set web show none")),
        (mode("Automatic"), ("stays open", "Automatic", "show it as in_progress, with AutomaticRepairs")),
    ],
    ids=["newer", "old", "tags", "mode"],
)
def test_an_end_that_cannot_be_written_is_a_warning(event: dict[str, Any] | None, says: tuple[str, ...]) -> None:
    """Of what another client changes while the user's last task runs, when every instance is done."""
    azure = simulated(1, health="binary", automatic_repairs={"repairAction": "Replace"})

    def check(_ids: list[str]) -> None:
        azure.do(**event) if event else removes_the_tags(azure)
        azure.sleep(60)

    run = play(azure, check=check)
    assert run.outcome == "upgraded", run.why
    (words,) = run.warnings
    assert all(one in words for one in says), words
    assert azure.state()["services"]["AutomaticRepairs"] == "Running"


def test_an_end_for_which_the_scale_set_cannot_even_be_read_is_a_warning() -> None:
    azure = simulated(1)

    def check(_ids: list[str]) -> None:
        azure.fault(operation=GET, action="error", status=403, code="AuthorizationFailed", message="Not any more.")

    run = play(azure, check=check)
    assert run.outcome == "upgraded", run.why
    (words,) = run.warnings
    assert "stays open" in words and "Not any more." in words, words


def abandoned(version: str = OLD, state: str = "in_progress") -> Simulated:
    """A rollout to NEW was killed in its first batch, and another client has written another image into the model."""
    azure = simulated(5, health="binary", automatic_repairs={"repairAction": "Replace"})
    killed = Play(azure, azure.options)

    def look(sent: Request, _reply: Reply) -> None:
        if sent.operation == UPGRADE:
            raise KeyboardInterrupt

    azure.after.append(look)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    azure.after.remove(look)
    settled(azure).do(**pins(version))
    if state != "in_progress":
        settled(azure).do(do="write", patch={"tags": {"steady-vmss-state": state}})
    found = kept(settled(azure))
    assert found is not None and (found.state, found.suspended) == (state, ("AutomaticRepairs",))
    return azure


def suspends(azure: Simulated, action: str = "Suspend") -> None:
    azure.do(do="service", service="AutomaticRepairs", action=action)
    azure.sleep(60)


@pytest.mark.parametrize("resumed_before", [False, True])
@pytest.mark.parametrize(("state", "ends"), [("in_progress", "stopped"), ("going_back", "rolled_back")])
def test_who_resumes_what_an_abandoned_rollout_suspended_closes_its_record(
    state: str, ends: str, *, resumed_before: bool
) -> None:
    """What the operator suspends later stays so. A way back that was abandoned never goes forth."""
    azure = abandoned(state=state)
    left = kept(azure)
    if resumed_before:
        suspends(azure, "Resume")
    run = play(azure, OLD)
    assert (run.outcome, run.changed, run.warnings) == ("unchanged", True, []), run.why
    found = kept(azure)
    assert left is not None and found is not None
    assert (found.id, found.state, found.suspended) == (left.id, ends, ())
    assert azure.state()["services"]["AutomaticRepairs"] == "Running"
    suspends(azure)
    before = writes(azure)
    again = play(azure, OLD)
    assert (again.outcome, again.changed, writes(azure)) == ("unchanged", False, before)
    assert azure.state()["services"]["AutomaticRepairs"] == "Suspended"


def test_under_a_model_that_follows_the_newest_version_too() -> None:
    azure = abandoned("latest")
    for one in azure.state()["instances"]:
        azure.do(do="running_version", instances=[one], version=NEWER)
    run = play(azure, "latest", follow_latest=True)
    assert (run.outcome, run.changed, run.warnings) == ("unchanged", True, []), run.why
    found = kept(azure)
    assert found is not None and (found.state, found.suspended) == ("stopped", ())
    profile = azure.state()["document"]["properties"]["virtualMachineProfile"]
    assert profile["storageProfile"]["imageReference"]["version"] == "latest"


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_the_record_of_a_rollout_that_goes_on_again_is_not_closed(gap: int) -> None:
    """It, or another one, has begun after this run's plan."""
    again = {"do": "write", "patch": {**pins(NEW)["patch"], "tags": {"steady-vmss-state": "in_progress"}}}
    for event in (again, {"do": "write", "patch": {"tags": ANOTHER_ROLLOUT}}):
        azure = abandoned()
        reads = azure.operations().count(GET)
        azure.do(**event, when={"calls": {GET: reads + gap}})
        run = play(azure, OLD)
        found = kept(azure)
        assert found is not None and found.state == "in_progress"
        assert run.outcome == "unchanged" and ["is not recorded" in one for one in run.warnings] == [True]


def test_a_rollout_that_never_wrote_its_record_does_not_say_that_it_was_removed() -> None:
    """Another client sets mode Rolling between the plan and the first write, which is then refused."""
    azure = simulated(3)
    azure.do(**mode("Rolling"), when={"calls": {"VirtualMachineScaleSetVMs_List": 1}})
    run = play(azure)
    assert run.outcome != "upgraded" and kept(azure) is None and run.warnings == []
