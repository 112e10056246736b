# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge excuses a refusal by what has come, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from draw import OLD
from good_rollout import Rollout, changed, instance, wrong_after


def refuses(rollout: Rollout, accepted: int = 0) -> None:
    """Before anything was done; another client has written a tag of its own."""
    rollout.case.scenario["events"].append({"do": "write", "patch": {"tags": {"owner": "another team"}}})
    rollout.stops(0)
    rollout.result["outcome"] = "refused"
    rollout.written.clear()
    rollout.after.metrics["non_get"].clear()
    rollout.after.metrics["accepted_writes"] = accepted


def refuses_for_what_did_not_come(rollout: Rollout) -> None:
    refuses(rollout)
    rollout.case.events.extend(
        [{"do": "fail"}, {"do": "rolling_upgrade"}, {"do": "write", "patch": {"properties": {}}}]
    )


def refuses_for_what_is_waited_for(rollout: Rollout) -> None:
    refuses(rollout)
    rollout.happens(3, "scale")
    rollout.happens(4, "work", "1")
    rollout.after.timeline.extend(
        [
            changed(4, "1", "provisioning", "Updating"),
            changed(4, "1", "available", False),
            changed(9, "1", "provisioning", "Succeeded"),
            changed(9, "1", "available", True),
        ]
    )


def sickens(rollout: Rollout) -> None:
    rollout.happens(4, "canceled", "1")
    rollout.after.timeline.extend([changed(4, "1", "provisioning", "Canceled"), changed(4, "1", "available", False)])


def refuses_for_the_sick_that_are_allowed(rollout: Rollout) -> None:
    refuses(rollout)
    sickens(rollout)
    rollout.case.variables["rollout_max_unhealthy"] = "100%"


def refuses_for_one_of_many(rollout: Rollout) -> None:
    refuses(rollout)
    sickens(rollout)
    for world in (rollout.before, rollout.after):
        world.instances.update({str(key): instance(OLD, key) for key in range(5)})


def refuses_for_another_reason(rollout: Rollout) -> None:
    refuses(rollout)
    sickens(rollout)
    rollout.run.failures = ["preflight_failed: upgrade mode Automatic upgrades every instance at once"]


def refuses_with_repairs_suspended_meanwhile(rollout: Rollout) -> None:
    refuses(rollout, accepted=2)


def refuses_for_the_sick(rollout: Rollout) -> None:
    refuses(rollout)
    sickens(rollout)
    rollout.run.failures = ["preflight_failed: 1 of 2 instances are unhealthy, and max_unhealthy 20 % allows 0"]


SPOILT: Iterable[tuple[Callable[[Rollout], None], str]] = [
    (refuses, "refused without a reason"),
    (refuses_for_what_did_not_come, "refused without a reason"),
    (refuses_for_what_is_waited_for, "refused without a reason"),
    (refuses_for_the_sick_that_are_allowed, "refused without a reason"),
    (refuses_for_one_of_many, "refused without a reason"),
    (refuses_for_another_reason, "refused without a reason"),
    (refuses_with_repairs_suspended_meanwhile, "refused after it had written"),
]

FINE = [
    refuses_for_the_sick,
]


@pytest.mark.parametrize("happens", FINE, ids=[happens.__name__ for happens in FINE])
def test_what_is_right_breaks_no_rule(happens: Callable[[Rollout], None], tmp_path: Path) -> None:
    assert wrong_after(happens, tmp_path) == []


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    wrong = wrong_after(spoil, tmp_path)
    assert [one for one in wrong if said in one], wrong
