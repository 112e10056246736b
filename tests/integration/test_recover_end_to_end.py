# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`recover_credentials` with each condition broken, refused in one sentence, repaired as it says, and working."""

from __future__ import annotations

from collections.abc import Mapping

import end_to_end
import harness
import pytest
import scenes
import side_by_side
from end_to_end import FORMS, Condition, cancel, roll, scale_set
from scenes import StartSimulator
from test_recover_credentials import BOOT, FAILURE, GIVEN, OTHER

PLAYBOOK = "recover_credentials"
LET_AZURE = {"azure_may_upgrade": True}
UNHEALED = {"extensions": [BOOT, OTHER], "instances": {"0": {"failure": FAILURE}}}
# With the settings of the first run, instances fail again.
EXPIRED_AGAIN = {"extension_force_update_tag": "expired again"}
FAULTS = [
    {"kind": "fail", "extension": "boot", "while_settings": {"timestamp": 1}, "action": "apply", **FAILURE},
    {"kind": "fail", "extension": "boot", "force_update_tag": "expired again", "action": "apply", **FAILURE},
]


def to_manual(sim: harness.Simulator, name: str) -> None:
    """As the message says, by steady.vmss.upgrade_policy."""
    assert scenes.module(sim, "upgrade_policy", args={"name": name, "mode": "Manual"})["changed"]


CONDITIONS: dict[str, Condition] = {
    "another-name": Condition(
        "the model has no extension bootstrap",
        "a new one needs",
        UNHEALED,
        given={"extension_name": "bootstrap"},
        repaired_by={"extension_name": "boot"},
    ),
    **{
        f"{mode.lower()}-manual": Condition(
            f"in upgrade mode {mode}",
            "steady.vmss.upgrade_policy, mode: Manual",
            {**UNHEALED, "upgrade_mode": mode},
            repair=to_manual,
        )
        for mode in ("Rolling", "Automatic")
    },
    **{
        f"{mode.lower()}-azure": Condition(
            f"in upgrade mode {mode}",
            "azure_may_upgrade: true",
            {**UNHEALED, "upgrade_mode": mode},
            repaired_by=LET_AZURE,
            most_down=down,
        )
        for mode, down in (("Rolling", 1), ("Automatic", 3))
    },
    "upgrade-running": Condition(
        "a rolling upgrade of Azure's is running", "cancel_upgrade", UNHEALED, breaks=roll, repair=cancel
    ),
    "no-name": Condition(
        "extension is empty",
        "extension_name",
        UNHEALED,
        given={"extension_name": ""},
        repaired_by={"extension_name": "boot"},
    ),
    "nothing-new": Condition(
        "Nothing was written",
        "extension_force_update_tag",
        UNHEALED,
        given={name: "" for name in GIVEN if name.startswith("extension_") and name != "extension_name"},
        repaired_by=GIVEN,
    ),
}
SAMPLE = {name: CONDITIONS[name] for name in ("another-name", "upgrade-running")}


def broken_and_repaired(simulator: StartSimulator, conditions: Mapping[str, Condition], form: str) -> None:
    sets = [scale_set(name, form, one.members) for name, one in conditions.items()]
    sets.append(scale_set("expired-again", form, UNHEALED))
    sim = simulator(scenes.several(*sets, instance_faults=FAULTS, server={"buckets": 100}), 120)
    wrong = end_to_end.broken(sim, PLAYBOOK, conditions, GIVEN)

    again = {"expired-again": Condition("", "", given=EXPIRED_AGAIN, repaired_by=GIVEN)}
    given = end_to_end.variables(again, GIVEN, repaired=False)
    runs = side_by_side.run_playbook(sim, PLAYBOOK, given, allow_warnings=end_to_end.WARNINGS)
    wrong += stops_at_the_failed_instance(sim, runs["expired-again"])

    everything = {**conditions, **again}
    wrong += end_to_end.repaired(sim, PLAYBOOK, everything, GIVEN)
    for name in everything:
        instances = scenes.truth(sim, name)["instances"].values()
        had_failed, *others = [one["latest_model_applied"] for one in instances]
        if not had_failed or not (form == "Flexible" or all(others)):
            wrong.append(f"{name}: new credentials on {[had_failed, *others]}")
    assert not wrong, "\n".join(wrong)


def stops_at_the_failed_instance(sim: harness.Simulator, run: harness.Result) -> list[str]:
    """Credentials that have expired too: written, tried on the instance that had failed, and on no other."""
    name = "expired-again"
    failed = next(key for key, one in scenes.truth(sim, name)["instances"].items() if one["failure"])
    said = run.failures
    if run.rc != 2 or len(said) != 1 or scenes.judged(sim, name)["ran"] != [[failed]]:
        return [f"{name}: exit {run.rc}, messages {said}, ran {scenes.judged(sim, name)['ran']}"]
    words = (f"instance {failed}: ", FAILURE["message"], "No other instance is upgraded", "run the same again")
    return [f"{name}: {said[0]}"] if not all(one in said[0] for one in words) else []


@pytest.mark.long
def test_a_condition_is_broken_and_repaired(simulator: StartSimulator) -> None:
    broken_and_repaired(simulator, SAMPLE, "Flexible")


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_each_condition_is_broken_and_repaired(simulator: StartSimulator, form: str) -> None:
    broken_and_repaired(simulator, CONDITIONS, form)
