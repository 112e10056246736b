# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set as it is now, as the playbook status shows it: of the simulator's truth."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions, ScaleSetInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._rollout import status_map
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import scale_set_info

from ..asking import request
from ..play import NEW, NEWER, OLD, SERIES, SET, Play, of_version, scenario
from ..simulated import Simulated

ALL = ["rolling_upgrade", "services", "automatic_upgrades"]
COMMAND = "ansible-playbook steady.vmss.{} -e rollout_resource_group=shop -e rollout_scale_set=web"
IMAGE = f" -e rollout_image={':'.join(SERIES.values())}:{{}}"


def status(azure: Simulated, **options: Any) -> dict[str, Any]:
    wire = connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, azure.clock, azure.session())
    asked = request(ScaleSetInfoRequest, {**SET, "newest": True, "also_read": ALL, **options})
    return scale_set_info.as_result(scale_set_info.read(wire, asked), asked)


def line(lines: list[str], name: str) -> str:
    (found,) = [one for one in lines if one.split()[:1] == [name]]
    return found


def test_the_map() -> None:
    states = {
        "1": {"version": NEW},
        "2": {"power": "deallocated"},
        "3": {"protect_actions": True},
        "5": {"health": "unhealthy"},
        "6": {"version": NEW, "provisioning": "Failed"},
    }
    azure = Simulated(scenario(7, update_domains=3, instances=states))
    found = status(azure, image=of_version(NEW))
    lines = found["lines"]
    assert lines[0] == "shop/web  Uniform, 7 instances, 3 domains, westeurope, upgrade mode Manual"
    row = f"{COMMAND.format('upgrade_instances')} -e rollout_update_domains={{}}{IMAGE.format(NEW)}"
    assert lines[-4:-1] == [
        f"  UD 0  o0 p3 U6  {row.format(0)}",
        f"  UD 1  c1 o4     {row.format(1)}",
        "  UD 2  z2 U5",
    ]
    assert lines[-1] == "  c 1 current  z 1 deallocated  o 2 outdated  p 1 protected  U 2 unhealthy"
    assert line(lines, "newest").endswith(f":{NEWER} is published, and 0 of 7 instances run it")
    assert "Automatic OS upgrade is off" in line(lines, "automatic")
    assert "What prevents it: the model of scale set web" in line(lines, "automatic")
    assert "health unhealthy" in "".join(one for one in lines if one.startswith("  down       5"))
    assert found["shown"] == lines
    assert status(azure, format="json")["shown"] == status(azure, format="json")["scale_sets"]


@pytest.mark.parametrize(
    ("members", "row", "command"),
    [
        ({"zones": ["1", "2"]}, "zone 1 UD 0", "upgrade_instances} -e rollout_zones=1 -e rollout_update_domains=0"),
        (
            {"orchestration": "Flexible", "fault_domains": 2},
            "FD 0",
            "upgrade_instances} -e rollout_fault_domains=0",
        ),
        ({"update_domains": 1}, "UD 0", "upgrade_instances} -e rollout_update_domains=0"),
    ],
)
def test_a_row_names_the_command_for_it(members: dict[str, Any], row: str, command: str) -> None:
    lines = status(Simulated(scenario(4, **members)), image=of_version(NEW))["lines"]
    (found,) = [one for one in lines if one.startswith(f"  {row} ")]
    playbook, _brace, chosen = command.partition("}")
    assert found.endswith(f"{COMMAND.format(playbook)}{chosen}{IMAGE.format(NEW)}")


def test_the_command_of_a_row_upgrades_that_row() -> None:
    azure = Simulated(scenario(6, update_domains=3))
    rows = status(azure, image=of_version(NEW))["scale_sets"][0]["map"]
    Play(azure, azure.options, NEW, update_domains=[rows[1]["domain"].rpartition(" ")[2]]).run()
    after = status(azure)["scale_sets"][0]["map"]
    assert [{one["state"] for one in row["instances"]} for row in after] == [{"outdated"}, {"current"}, {"outdated"}]
    assert [bool(row["command"]) for row in after] == [True, False, True]


def test_a_rollout_that_has_not_ended() -> None:
    azure = Simulated(scenario(5, automatic_repairs=True))
    cut = Play(azure, azure.options, NEW)
    cut.rolls = False  # killed right after the model was written
    cut.run()
    lines = status(azure)["lines"]
    told = line(lines, "rollout")
    assert "has not ended" in told and told.endswith(f"{COMMAND.format('upgrade_image')}{IMAGE.format(NEW)}")
    Play(azure, azure.options, NEW).run()
    assert not [one for one in status(azure)["lines"] if one.split()[0] in ("rollout", "suspended")]


def test_what_is_suspended_is_told() -> None:
    azure = Simulated(scenario(2, automatic_repairs=True, services={"AutomaticRepairs": "Suspended"}))
    assert line(status(azure)["lines"], "suspended").endswith("AutomaticRepairs (by another client)")


def test_an_upgrade_of_azures_own() -> None:
    latest = {"runningStatus": {"code": "RollingForward", "startTime": "2026-11-27T01:00:00Z"}, "progress": {}}
    azure = Simulated(scenario(2, rolling_latest=latest))
    told = line(status(azure)["lines"], "azure")
    assert "its latest rolling upgrade, started 2026-11-27T01:00:00Z, is running (RollingForward)" in told


def test_a_set_without_instances_and_one_whose_image_is_not_known() -> None:
    azure = Simulated(scenario(0))
    assert status(azure)["scale_sets"][0]["map"] == []
    unknown = status(Simulated(scenario(2, version=OLD)), image={"version": "latest", "sku": "absent"})
    assert all(not row["command"] for row in unknown["scale_sets"][0]["map"])


def test_rows_are_numbered_and_chosen_by_their_numbers() -> None:
    shown = {
        "resource_group": "shop",
        "name": "web",
        "target_image": {"version": "2"},
        "map": [
            {
                "domain": f"update domain {domain}",
                "instances": [{"instance_id": one, "state": "outdated"} for one in ids],
            }
            for domain, ids in enumerate((["0", "3"], ["1", "4"], ["2"]))
        ],
    }
    assert status_map.to_choose_from(shown)[1:4] == ["  1  UD 0  o0 o3", "  2  UD 1  o1 o4", "  3  UD 2  o2"]
    assert status_map.chosen(shown, "3, 1") == ["2", "0", "3"]
    assert status_map.chosen(shown, "1-2 2") == ["0", "3", "1", "4"]
    assert status_map.chosen(shown, " ") == []
    for wrong in ("4", "0", "1-9999999", "x", "-1"):
        with pytest.raises(Refused, match="is no row of the map; there are 1 to 3"):
            status_map.chosen(shown, wrong)
