# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may keep a rollout from its first write or its first batch: events that have come, each with whom it struck."""

from __future__ import annotations

import itertools
from typing import Any

import security
from draw import RECORD, Case
from world import MODE, World, new_tags, of_image

OS_UPGRADE = "properties.upgradePolicy.automaticOSUpgradePolicy"
AT_WORK = ("Creating", "Updating", "Deleting")
# What a refusal says, and the reason that it then has to have; where it says none of these any reason is enough.
SAID = {
    "max_unhealthy ": "sick",
    "every instance at once": "mode",
    "a rolling upgrade of its own": "mode",
    "during this rollout": "mode",
    "permission_missing": "forbidden",
    "security_type": "security",
}


def excuses(case: Case, before: World, world: World) -> dict[str, bool]:
    """What may keep a rollout from its first write or its first batch. Who works on an instance, or scales the set, is
    waited for, with the patience of an upgrade, which is longer than any of them takes here.
    """
    theirs = world.writes("another client")
    chosen = case.variables.get("rollout_instance_ids") or ()
    return {
        "forbidden": any(fault["action"] == "forbidden" for fault in case.scenario["faults"]),
        "sick": too_many_sick(case, before, world),
        "rolling": bool(world.happened("rolling_upgrade")),
        "mode": any(
            one["changes"].get(MODE, ["", "Manual"])[1] != "Manual"
            or any(path.startswith(OS_UPGRADE) for path in one["changes"])
            for one in theirs
        ),
        # What was there before the first read is what the rollout starts from.
        "image": any(of_image(one) and one["time"] >= world.first_read for one in theirs),
        "record": any(RECORD in new_tags(one) for one in theirs),
        "security": security.refused(case),
        "gone": any(key not in world.instances or world.instances[key]["leaving"] for key in chosen),
    }


def too_many_sick(case: Case, before: World, world: World) -> bool:
    """Whether more than 20 % of the instances, where the user allows no more, were sick at some time."""
    if case.variables.get("rollout_max_unhealthy") == "100%":
        return False
    there = min(
        sum(case.chosen(key, one) and one["power"] != "deallocated" for key, one in seen.instances.items())
        for seen in (before, world)
    )
    return len(sick(before, world)) > there * 20 // 100


def sick(before: World, world: World) -> set[str]:
    """The instances that were, or were shown, unavailable at some time while nobody worked on them."""
    state = {key: {**one} for key, one in before.instances.items()}
    found = {key for event in world.happened("show") for key in event["instance_ids"]}
    found |= {key for key, one in state.items() if _is_sick(one)}
    changed = [entry for entry in world.timeline if entry["what"] in ("available", "provisioning", "power")]
    for _time, entries in itertools.groupby(changed, key=lambda entry: float(entry["time"])):
        struck = set()
        for entry in entries:
            # One that is made counts once it was available, or was found not to be.
            one = state.setdefault(entry["instance"], {"available": True, "provisioning": "", "power": "running"})
            one[entry["what"]] = entry["to"]
            struck.add(entry["instance"])
        found |= {key for key in struck if _is_sick(state[key])}
    return found


def _is_sick(one: dict[str, Any]) -> bool:
    absent = one["power"] == "deallocated" and not one.get("fell")
    return not (one["available"] or absent or one["provisioning"] in AT_WORK)


def is_justified(found: dict[str, bool], said: str) -> bool:
    named = {reason for words, reason in SAID.items() if words in said}
    return all(found[reason] for reason in named) if named else any(found.values())
