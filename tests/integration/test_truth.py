# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance is done when it runs the image and is healthy, whatever Azure says too early, too late or never."""

from __future__ import annotations

import itertools
from typing import Any

import harness
import pytest
import scenes
from scenes import StartSimulator

# Simulated seconds in one of the client's: the client waits on in its own while Azure's 45 s and 60 s pass.
TIME_SCALE = 20


def assert_one_after_the_other(sim: harness.Simulator, name: str, result: dict[str, Any]) -> None:
    """By the simulator's figures no instance was started before the one before it was available again."""
    assert not result["failed"], (name, result["msg"])
    found = scenes.judged(sim, name)
    assert found["ran"] == [["0"], ["1"]], name
    for earlier, later in itertools.pairwise(found["batches"]):
        assert earlier["ended"] is not None and later["started"] >= earlier["ended"], name
    assert found["unavailable"]["max"] == 1, name
    assert set(scenes.versions(sim, name).values()) == {scenes.NEW}, name
    for batch, said in zip(found["batches"], result["rollout_result"]["instances"].values(), strict=True):
        assert (said["outcome"], said["attempts"]) == ("upgraded", 1), name
        assert said["seconds_unavailable"] >= batch["seconds"] / TIME_SCALE - 1, name


@pytest.mark.long
def test_nothing_that_azure_says_too_early_makes_an_instance_done(simulator: StartSimulator) -> None:
    never = {"health_time": "never"}
    lingering = {"health_linger": 45, "upgrade": 20, "health_lag": 90, **never}
    late = {"set_updating_late": 30, "operation_early": 55, "upgrade": 60}
    sets = {
        # The set turns Updating late, and the operation says Succeeded while the instance is still down.
        "late": late,
        # The old `healthy` is shown for 45 s after the disk was replaced, and its time never moves.
        "lingering": lingering,
        "together": {**lingering, **late},
        # The old `healthy` is shown until the new one is there, with one and the same time: nothing proves it new.
        "unproven": {"upgrade": 30, "health_lag": 15, "health_linger": 90, **never},
        "sick": {"health_linger": 45, **never},
    }
    sick = {"kind": "unhealthy", "scale_set": "sick", "instance": "0"}
    world = scenes.several(*(scenes.scale_set(2, knobs, name) for name, knobs in sets.items()), instance_faults=[sick])
    sim = simulator(world, TIME_SCALE)
    options = {name: {"health_timeout": 60} for name in sets} | {"sick": {"health_timeout": 3}}
    results = scenes.upgrade(sim, options, health_lag=4)

    for name in ("late", "lingering", "together", "unproven"):
        assert_one_after_the_other(sim, name, results[name])
    # Nor is it awaited for ever: unproven health is believed when it held for as long as old health lingers …
    assert all(i["seconds_unavailable"] < 12 for i in results["unproven"]["rollout_result"]["instances"].values())
    # … and health that does not come ends the rollout.
    result = results["sick"]
    assert result["failed"]
    for word in ("scale set sick", "shop", "instance 0", "health unhealthy", "not available within 3 s"):
        assert word in result["msg"]
    assert scenes.judged(sim, "sick")["ran"] == [["0"]]
    assert scenes.versions(sim, "sick")["1"] == scenes.OLD


@pytest.mark.long
def test_an_old_disk_is_reimaged_once_and_a_late_version_is_awaited(simulator: StartSimulator) -> None:
    kept = {"upgrade_keeps_disk": True}
    late = {"exact_version_late": 60}
    world = scenes.several(
        scenes.scale_set(2, kept, "kept"),
        scenes.scale_set(2, {**kept, **late}, "kept-late", update_domains=1),
        scenes.scale_set(2, late, "late"),
        scenes.scale_set(2, kept, "flexible", orchestration="Flexible"),
    )
    sim = simulator(world, TIME_SCALE)
    options = {"kept": {"version_lag": 2}, "kept-late": {"max_unavailable": 2}, "late": {}, "flexible": {}}
    results = scenes.upgrade(sim, options, version_lag=6)

    # manualupgrade applied the model and left the old disk: each is reimaged, once, before the next is touched.
    for name, ran in (("kept", [["0"], ["0"], ["1"], ["1"]]), ("kept-late", [["0", "1"], ["0", "1"]])):
        assert not results[name]["failed"], (name, results[name]["msg"])
        found = scenes.judged(sim, name)
        assert found["ran"] == ran, name
        assert found["reimages"] == found["disks_replaced"] == {"0": 1, "1": 1}, name
        assert set(scenes.versions(sim, name).values()) == {scenes.NEW}, name
        reports = results[name]["rollout_result"]["instances"].values()
        assert [report["image_after"]["version"] for report in reports] == [scenes.NEW] * 2, name

    # The version shown is the old one for 60 s more: the disk is the new one already, and is not replaced again.
    assert_one_after_the_other(sim, "late", results["late"])
    first, second = scenes.judged(sim, "late")["batches"]
    assert second["started"] >= first["up"]["0"] + 60
    assert scenes.judged(sim, "late")["reimages"] == {}

    # A Flexible set cannot be reimaged: the rollout stops there, having touched one instance.
    result = results["flexible"]
    [[touched]] = scenes.judged(sim, "flexible")["ran"]
    assert result["failed"]
    for word in (
        "scale set flexible",
        f"instance {touched}",
        "still runs the old image",
        "cannot reimage",
        "scale out",
    ):
        assert word in result["msg"]
    assert scenes.judged(sim, "flexible")["disks_replaced"] == {}


def test_health_newer_than_the_operations_end_is_believed_at_once(simulator: StartSimulator) -> None:
    """Of a server that keeps the disk's time, and stamps the provisioning state with the time of each read."""
    knobs = {"disk_time": "stays", "provisioning_time": "read"}
    sim = simulator(scenes.scenario(2, knobs, update_domains=1))
    result = scenes.upgrade(sim, {"web": {"max_unavailable": 2}})["web"]
    (batch,) = result["rollout_result"]["batches"]
    assert batch["outcome"] == "upgraded" and batch["settle_seconds"] < 60, "it waited for the lag"
