# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rollout in virtual time must have ended: what it says is what the machines say."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade

from ..fleet import OLD, START, Fleet, Machine

LONGEST = 100_000.0  # virtual seconds that no rollout of 60 instances may exceed


def ours(fleet: Fleet) -> list[Machine]:
    machines = fleet.machines.values()
    return [m for m in machines if m.counted and not m.protected and fleet.selected(m)]


def must_stop(fleet: Fleet) -> bool:
    """Something happened to the fleet that no rollout can go on after."""
    faults = fleet.faults
    ids = {m.id for m in ours(fleet)} | set(fleet.gone)
    broken = faults.never_healthy | faults.fails | (faults.keeps_disk if fleet.flexible else frozenset())
    return bool(ids & broken) or bool({"failed", "hangs"} & set(faults.operations))


def no_room(fleet: Fleet) -> bool:
    counted = [m for m in fleet.machines.values() if m.counted]
    sick = [m for m in counted if not m.available(fleet.now) and not m.worked]
    return len(sick) >= fleet.policy.max_unavailable.of(len(counted))


def check_end(fleet: Fleet, upgrade: Upgrade) -> None:
    """The outcome is what the machines say it is."""
    assert fleet.now - START < LONGEST
    assert upgrade.report.outcome in (
        ("failed", "stopped") if upgrade.report.failed else ("upgraded", "unchanged", "stopped")
    )
    assert upgrade.report.end.finished == fleet.now
    if upgrade.report.outcome == "stopped":
        assert must_stop(fleet) or no_room(fleet), upgrade.report.end.why
        assert upgrade.report.end.why
    else:
        left = {m.id for m in fleet.machines.values() if m.worked and not m.done(fleet.now)}
        left |= {m.id for m in ours(fleet) if m.content == OLD}
        assert left <= fleet.tolerated or (fleet.tolerates and "failed" in fleet.faults.operations)


def down(fleet: Fleet) -> list[Instance]:
    return [replace(i, provisioning="Updating", health=None) for i in fleet.instances()[0]]
