# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook status: the map of all scale sets of a resource group, and watching what was started elsewhere."""

from __future__ import annotations

import re
import time
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, NEW, OLD, SERIES, StartSimulator


def shown(run: harness.Result) -> Any:
    return run.of("ansible.builtin.debug")[0].result["msg"]


def test_every_scale_set_of_the_group_and_watching_ends_where_nothing_runs(simulator: StartSimulator) -> None:
    sim = simulator(
        scenes.several(
            scenes.scale_set(4, update_domains=2),
            scenes.scale_set(2, name="api", update_domains=1, image={**SERIES, "version": NEW}),
            scenes.scale_set(2, name="other", resource_group="elsewhere"),
        )
    )
    variables = {"rollout_resource_group": GROUP, "rollout_image": NEW, "rollout_watch": "10"}
    run = harness.run_playbook("steady.vmss.status", sim, extra_vars=variables)
    assert run.rc == 0, run.output
    assert sim.metrics()["non_get"] == []
    lines = shown(run)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [f"{GROUP}/api", f"{GROUP}/web"]
    command = "ansible-playbook steady.vmss.upgrade_instances -e rollout_resource_group=shop -e rollout_scale_set=web"
    row = f"  UD 0  o0 o2  {command} -e rollout_update_domains=0 -e rollout_image={':'.join([*SERIES.values(), NEW])}"
    assert row in lines and "  UD 0  c0 c1" in lines
    assert run.of("scale_set_info")[0].result["watched"] == "nothing runs there now"
    assert run.stderr.splitlines()[1:] == lines  # below the time


@pytest.mark.long
@pytest.mark.parametrize("playbook", ["upgrade_image", "trigger_os_upgrade"])
def test_watching_follows_what_was_started_elsewhere_until_it_ends(simulator: StartSimulator, playbook: str) -> None:
    latest = {"image": {**SERIES, "version": "latest"}, "running": OLD} if playbook == "trigger_os_upgrade" else {}
    sim = simulator(scenes.scenario(6, {"upgrade": 300}, update_domains=3, **latest), 15)
    place = {"rollout_resource_group": GROUP, "rollout_scale_set": NAME}
    image = {} if latest else {"rollout_image": NEW}
    started = harness.start_playbook(f"steady.vmss.{playbook}", sim, extra_vars={**place, **image})
    while not sim.metrics()["accepted_writes"]:
        time.sleep(0.1)
    began = time.monotonic()
    run = harness.run_playbook("steady.vmss.status", sim, extra_vars={**place, "rollout_watch": 10}, timeout=280)
    seconds = time.monotonic() - began
    done = started.wait()
    assert (run.rc, done.rc) == (0, 0), run.output + done.output
    found = run.of("scale_set_info")[0].result
    assert found["watched"] == "nothing runs there now"
    assert {one["state"] for row in found["scale_sets"][0]["map"] for one in row["instances"]} == {"current"}
    looks = re.findall(r"^\d\d:\d\d:\d\dZ$", run.stderr, re.MULTILINE)
    assert len(looks) >= 2, run.stderr
    assert found["arm"]["calls"] <= 4 * (seconds / 60 + 1)
