# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random fleets, policies and faults."""

from __future__ import annotations

import math
import random
import typing as t

from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._options import OrderBy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds

from .fleet import FORMS, NEW, START, Faults, Fleet, Machine, Work

limits = st.one_of(st.builds(Limit, st.integers(1, 12)), st.builds(Limit, st.integers(1, 100), st.just(True)))
policies = st.builds(
    Policy,
    max_unavailable=limits,
    batch_sizes=st.lists(limits, max_size=3).map(tuple),
    thresholds=st.builds(
        Thresholds, st.just(Limit(100, percent=True)), st.sampled_from((Limit(0), Limit(0), Limit(2)))
    ),
    canary=st.none() | st.integers(0, 4),
    order_by=st.sampled_from(t.get_args(OrderBy)),
)
STATES: dict[str, dict[str, t.Any]] = {
    "deallocated": {"power": "deallocated"},
    "protected": {"protected": True},
    "unhealthy": {"healthy_from": math.inf},
    "failed": {"provisioning": "Failed", "healthy_from": math.inf},
    "stopped": {"power": "stopped", "healthy_from": math.inf},
    "extension": {"settled": False},
    "current": {"content": NEW, "applied": True},
    "current and sick": {"content": NEW, "applied": True, "healthy_from": math.inf, "settled": False},
    "protected and sick": {"protected": True, "healthy_from": math.inf, "settled": False},
    "foreign": {"foreign_until": START + 100},
}


def lognormal(rng: random.Random, mean: float, cv: float = 0.3) -> t.Callable[[], float]:
    sigma = math.sqrt(math.log(1 + cv * cv))
    return lambda: min(rng.lognormvariate(math.log(mean) - sigma * sigma / 2, sigma), mean * 3) if mean else 0.0


@st.composite
def machines(draw: st.DrawFn, most: int = 60) -> dict[str, Machine]:
    count = draw(st.integers(5, most) if draw(st.integers(0, 9)) == 7 else st.integers(5, 10))  # big ones cost time
    zones = draw(st.sampled_from((0, 0, 2, 3)))
    update_domains = draw(st.sampled_from((None, 1, 3, 5)))
    fault_domains = draw(st.sampled_from((None, 1, 5)))
    found = {}
    for number in range(count):
        found[str(number * 2)] = Machine(
            str(number * 2),
            zone=str(number % zones + 1) if zones else None,
            update_domain=number % update_domains if update_domains else None,
            fault_domain=number % fault_domains if fault_domains else None,
        )
    for machine_id, state in draw(
        st.dictionaries(st.sampled_from(sorted(found)), st.sampled_from(sorted(STATES)), max_size=5)
    ).items():
        for name, value in STATES[state].items():
            setattr(found[machine_id], name, value)
    return found


@st.composite
def fleets(draw: st.DrawFn, *, most: int = 60, faulty: bool = True) -> Fleet:
    found = draw(machines(most))
    ids = sorted(found)
    some = st.lists(st.sampled_from(ids), max_size=2).map(frozenset)
    rng = random.Random(draw(st.integers(0, 1_000_000)))
    fleet = Fleet(
        found,
        form=draw(st.sampled_from(sorted(FORMS))),
        policy=draw(policies),
        selection=draw(
            st.just(Selection())
            | st.builds(Selection, instance_ids=st.lists(st.sampled_from(ids), min_size=1, unique=True).map(tuple))
        ),
        health_source=draw(st.sampled_from((True, True, True, False))),
        flexible=draw(st.sampled_from((False, False, False, True))),
        duration=lognormal(rng, draw(st.sampled_from((20.0, 90.0, 180.0, 600.0)))),
        health_lag=lognormal(rng, draw(st.sampled_from((0.0, 5.0, 20.0, 60.0)))),
    )
    if not fleet.health_source:  # then nobody asks the application
        for machine in found.values():
            machine.healthy_from = 0.0
    if not faulty:
        return fleet
    rarely = st.sampled_from((False, False, False, True))
    fleet.faults = Faults(
        updating_late=draw(st.sampled_from((0.0, 0.0, 5.0, 25.0))),
        linger=draw(st.sampled_from((0.0, 0.0, 10.0, 45.0))),
        version_late=draw(st.sampled_from((0.0, 0.0, 60.0))),
        succeeded_early=draw(rarely),
        health_times=draw(st.sampled_from(("move", "move", "stuck", "none"))),
        disk_times=draw(st.sampled_from((True, True, False))),
        blank_health=draw(st.booleans()),
        power_at_work=draw(st.sampled_from(("running", "stopped", "deallocated", "starting"))),
        keeps_disk=draw(some),
        never_healthy=draw(some) if fleet.health_source and draw(rarely) else frozenset(),
        fails=draw(some) if draw(rarely) else frozenset(),
        sends=tuple(
            draw(st.lists(st.sampled_from(("ok", "ok", "conflict", "lost", "lost_accepted", "throttled")), max_size=8))
        ),
        operations=tuple(
            draw(
                st.lists(
                    st.sampled_from(
                        ("ok", "ok", "ok", "canceled", "unknown", *(("failed", "hangs") if draw(rarely) else ()))
                    ),
                    max_size=5,
                )
            )
        ),
        conflict_after=draw(st.sampled_from((0.0, 0.0, 20.0))),
    )
    for number in range(draw(st.integers(0, 3))):
        at = START + draw(st.floats(1, 2500))
        what = draw(st.sampled_from(("appear", "appear old", "vanish")))
        if what == "vanish":
            fleet.events.append((at, "vanish", found[draw(st.sampled_from(ids))]))
        else:
            fleet.events.append(
                (at, "appear", newcomer(str(1001 + number), at, found[ids[0]], old=what == "appear old"))
            )
    return fleet


def newcomer(machine_id: str, at: float, like: Machine, *, old: bool) -> Machine:
    """An instance that autoscale adds: of the model, or of the old one where it was begun before the write."""
    if old:
        made = START - 10
        return Machine(machine_id, like.zone, like.update_domain, like.fault_domain, disk_time=made, created=made)
    return Machine(
        machine_id,
        like.zone,
        like.update_domain,
        like.fault_domain,
        content=NEW,
        applied=True,
        disk_time=at,
        created=at,
        work=Work(at, at, at, at + 30, replaces=False, word="Creating"),
    )
