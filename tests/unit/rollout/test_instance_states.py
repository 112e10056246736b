# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of an instance in one word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import PLATFORM, Image
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._rollout.instance_states import changes, snapshot, states
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey

OLD = Image(PLATFORM, "canonical", "ubuntu", "22_04", "1.9.0")
NEW = replace(OLD, version="1.10.0")
SET = ScaleSet("id", "web", "shop", "westeurope", image=NEW, health_sources=("application_health_extension",))


def instance(number: int = 0, version: str = "1.9.0", **facts: Any) -> Instance:
    image = NEW if version == NEW.version else OLD
    usual = {"update_domain": number % 5, "image": image, "exact_version": version, "health": "healthy"}
    return Instance(str(number), **{**usual, **facts})


def survey(*instances: Instance, **facts: Any) -> Survey:
    return Survey(SET, instances, NEW, **facts)


@pytest.mark.parametrize(
    ("found", "at_work", "state"),
    [
        (instance(), False, "outdated"),
        (instance(), True, "down"),  # asked, and still shown in service
        (instance(provisioning="Updating"), False, "down"),
        (instance(power="stopped"), False, "down"),
        (instance(power="deallocated"), False, "deallocated"),
        (instance(provisioning="Deleting"), False, "gone"),
        (instance(health="unhealthy"), False, "unhealthy"),
        (instance(provisioning="Failed"), False, "unhealthy"),
        (instance(health="initializing"), False, "starting"),
        (instance(health=None), False, "starting"),
        (instance(protected_from_actions=True), False, "protected"),
        (instance(version="1.11.0"), False, "skipped"),
        (instance(version="1.10.0"), False, "current"),
        (instance(version="1.10.0"), True, "checking"),
        (instance(version="1.10.0", health=None), True, "starting"),
        (instance(version="1.10.0", health="unhealthy"), True, "unhealthy"),
        (instance(version="1.10.0", provisioning="Updating"), True, "down"),
        (instance(version="1.10.0", health="unhealthy"), False, "unhealthy"),
        (instance(image=NEW, exact_version=None), False, "unproven"),
    ],
)
def test_a_state(found: Instance, at_work: bool, state: str) -> None:
    assert states(survey(found), {"0"} if at_work else ()) == {"0": state}


def test_what_failed_and_what_is_not_chosen() -> None:
    found = survey(instance(0), instance(1), excluded={"0": "it never came back"}, selection=Selection(("0",)))
    assert states(found) == {"0": "failed", "1": "skipped"}
    assert snapshot(found)["why"] == {"0": "it never came back", "1": "not chosen"}


def test_a_snapshot_is_in_the_order_of_the_rollout() -> None:
    found = survey(*(instance(number) for number in (11, 2, 0, 7, 10)))
    shown = snapshot(found, {"0"})
    assert list(shown["domains"].items()) == [
        ("update domain 0", ["0", "10"]),
        ("update domain 1", ["11"]),
        ("update domain 2", ["2", "7"]),
    ]
    assert shown["states"] == {"down": ["0"], "outdated": ["2", "7", "10", "11"]}
    assert (shown["unavailable"], shown["allowed"]) == (1, 1) and "why" not in shown


def test_only_what_has_changed_is_told() -> None:
    before = survey(instance(0), instance(1), instance(2))
    known = states(before)
    assert changes(known, before) is None
    after = survey(instance(0), instance(1, power="stopped"), instance(8), policy=Policy())
    told = changes(known, after)
    assert told is not None and told["states"] == {"down": ["1"], "outdated": ["8"], "gone": ["2"]}
    assert told["new"] == {"8": "update domain 3"} and told["unavailable"] == 1
