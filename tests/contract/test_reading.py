# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules read right what Azure told from 2018 to 2023. Runs where the recordings lie beside the project."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
import yaml

from ansible_collections.steady.vmss.plugins.module_utils._arm import reading
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import problem_of_answer
from ansible_collections.steady.vmss.plugins.module_utils._facts import problems

from .test_table import REFERENCE, needs_reference

RECORDINGS, SAMPLES = REFERENCE / "recordings", REFERENCE / "samples"
pytestmark = needs_reference

# (file, (code, last action, start, successful, in progress, pending)).
NET2018 = "net2018__VMScaleSetRollingUpgradeTests__TestVMScaleSetRollingUpgradeAPIs.json"
HISTORY = "net2019__VMScaleSetRollingUpgradeTests__TestVMScaleSetRollingUpgradeHistory.json"
CANCELLED = ("Cancelled", "Cancel", 1525391080.7344148, 1, 0, 1)
ROLLING = ("RollingForward", "Start", 1611048759.4113874, 0, 1, 0)
COMPLETED = ("Completed", "Start", 1679639269.1048703, 2, 0, 0)
LATEST = [
    (NET2018, CANCELLED),
    ("py2021__test_compute_vmss_rolling_upgrades.yaml", ROLLING),
    ("azcli__hybrid_2018_03_01__test_vmss_rolling_upgrade.yaml", ("Completed", "Start", 1679636536.596173, 2, 0, 0)),
    ("azcli__hybrid_2020_09_01__test_vmss_rolling_upgrade.yaml", COMPLETED),
]


def read(document: Any) -> tuple[Any, ...]:
    found = reading.rolling_upgrade(document)
    counts = (found.counts["successful"], found.counts["in_progress"], found.counts["pending"])
    return (found.code, found.last_action, found.started, *counts)


def bodies(name: str, part: str) -> list[Any]:
    """The answers to GETs whose address holds `part`, in the order they were recorded."""
    text = (RECORDINGS / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        entries = json.loads(text)["Entries"]
        asked = [e for e in entries if e["RequestMethod"] == "GET" and part in e["RequestUri"]]
        return [json.loads(body) for e in asked if (body := e["ResponseBody"])]
    entries = yaml.safe_load(text)["interactions"]
    asked = [e for e in entries if e["request"]["method"] == "GET" and part in e["request"]["uri"]]
    return [json.loads(text) for entry in asked if (text := entry["response"]["body"]["string"])]


@pytest.mark.parametrize(("name", "expected"), LATEST, ids=lambda value: value[0])
def test_recorded_upgrades_are_read_right(name: str, expected: tuple[Any, ...]) -> None:
    assert read(bodies(name, "/rollingUpgrades/latest")[-1]) == expected


@pytest.mark.parametrize("name", [name for name, _expected in LATEST])
def test_every_recorded_look_at_an_upgrade_is_read_whole(name: str) -> None:
    looks = [body["properties"] for body in bodies(name, "/rollingUpgrades/latest") if "properties" in body]
    assert looks
    for shown in looks:
        status, progress = shown["runningStatus"], shown["progress"]
        found = reading.rolling_upgrade({"properties": shown})
        assert (found.code, found.last_action, found.policy) == (status["code"], status["lastAction"], shown["policy"])
        for seconds, text in ((found.started, "startTime"), (found.last_action_time, "lastActionTime")):
            assert seconds is not None and abs(seconds - moment(status[text])) < 1e-3
        assert found.counts == {
            "successful": progress["successfulInstanceCount"],
            "failed": progress["failedInstanceCount"],
            "in_progress": progress["inProgressInstanceCount"],
            "pending": progress["pendingInstanceCount"],
        }
        assert found.problem is None


def moment(text: str) -> float:
    """Azure's time without its seventh digit, read by other means than ours."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


def test_recorded_refusals_and_failures_are_read_right() -> None:
    """A start that failed, a cancel with nothing to cancel, a mode that the set may not have."""
    name = "ps2018__TestVirtualMachineScaleSetRollingUpgrade.json"
    (failed,) = [body for body in bodies(name, "/operations/") if body.get("status") == "Failed"]
    operation = reading.operation(failed)
    assert (operation.status, str(operation.problem)) == (
        "Failed",
        "InternalExecutionError: An internal execution error occurred.",
    )
    refusals = {}
    for entry in json.loads((RECORDINGS / name).read_text(encoding="utf-8"))["Entries"]:
        if entry["StatusCode"] in (400, 409):
            found = problem_of_answer(entry["StatusCode"], {}, entry["ResponseBody"])
            refusals[found.code] = (found.kind, found.message)
    assert refusals["OperationNotAllowed"] == (
        problems.REFUSED,
        "There is no ongoing Rolling Upgrade to cancel.",
    )
    kind, message = refusals["BadRequest"]
    assert kind == problems.REFUSED and message.endswith("because a health probe was not provided.")


def test_the_recorded_history_is_read_right() -> None:
    (body,) = bodies(HISTORY, "/osUpgradeHistory")
    (found,) = [reading.past_upgrade(item) for item in body["value"]]
    assert (found.code, found.started_by, found.counts["successful"]) == ("Completed", "User", 2)
    assert (found.started, found.ended) == (1570333258.2647773, 1570333299.2030898)
    assert found.target is not None and found.target.version == "9600.19463.1909091746"
    assert (found.problem, found.restored, found.not_restored) == (None, 0, 0)


def test_the_recorded_operation_of_a_cancelled_upgrade_says_succeeded() -> None:
    """Why no operation is ever believed: Azure answers the same for an upgrade that was cancelled half way."""
    assert [body["properties"]["runningStatus"]["code"] for body in bodies(NET2018, "/rollingUpgrades/latest")][
        -1
    ] == "Cancelled"
    ended = [body for body in bodies(NET2018, "/operations/") if body.get("status") not in (None, "InProgress")]
    assert {reading.operation(body).status for body in ended} == {"Succeeded"}


def test_samples_of_real_traffic_are_read() -> None:
    def body(name: str) -> Any:
        return json.loads((SAMPLES / f"{name}.json").read_text())["response"]["body"]

    listed = [reading.instance(item) for item in body("vm_list_uniform_2022-11-01")["value"]]
    assert {one.exact_version for one in listed} == {"18.04.202305220"}
    view = {"provisioningState": 0, "instanceView": body("vm_instanceview_vmhealth_net2019")}
    old = reading.instance({"instanceId": "4", "name": "web_4", "properties": view})
    assert (old.health, old.provisioning, old.update_domain, old.extensions_settled) == ("healthy", "Updating", 0, True)
    flexible = reading.instance(body("vm_get_flex_standalone"))
    assert (flexible.instance_id, flexible.exact_version) == (flexible.name, "18.04.202305220")
    assert reading.scale_set(body("vmss_get_flex_2022-11-01")).flexible
    assert reading.rolling_upgrade(body("rolling_latest_running")).running
    assert reading.operation(body("lro_failed_vmextension")).status == "Failed"
