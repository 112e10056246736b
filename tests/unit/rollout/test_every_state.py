# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The batch decision over every state of a small scale set, against a table of what each state allows.

All states of up to five instances take minutes: `make long`. The ordinary tests have all of up to three, and a sample.
"""

from __future__ import annotations

import itertools
import random
import typing as t
from dataclasses import dataclass, replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._rollout.batches import (
    Batch,
    Wait,
    next_batch,
    remaining_batches,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey

from ..examples import THOROUGH
from ..fleet import FORMS, NEW, OLD

SINCE = 1_000_000.0
NOW = SINCE + 4000.0
TARGET = FORMS["platform"][NEW]
BEFORE = SINCE - 5000.0


@dataclass(frozen=True)
class State:
    """What an instance shows, and what may follow from it.

    `down`: unavailable; with `by_health` only where the set has a health source. `upgraded`: it may be started.
    `ours`: this rollout has started it. `doubt`: it may have; both are another run's where one goes on beside this one.
    `busy`: outdated, and another client works on it. `before`: it did before the rollout began. `stopped`: another
    client has stopped it. `left`: another run beside this one has brought it to the target, long ago, and it is sick.
    """

    name: str
    shown: Instance
    counted: bool = True
    down: bool = False
    by_health: bool = False
    upgraded: bool = False
    ours: bool = False
    doubt: bool = False
    busy: bool = False
    before: bool = False
    stopped: bool = False
    current: bool = False
    left: bool = False


def shown(version: str, made: float = NOW - 540, **fields: t.Any) -> Instance:
    made = made if version == NEW else BEFORE
    usual = Instance("", image=FORMS["platform"][version], exact_version=version, os_disk_time=made, created=BEFORE)
    return replace(usual, health="healthy", health_time=made + 30, **fields)


STATES = (
    State("old", shown(OLD), upgraded=True),
    State("old, sick", replace(shown(OLD), health="unhealthy"), upgraded=True, down=True, by_health=True),
    State("old, no capacity", shown(OLD, power="deallocated", provisioning="Failed"), upgraded=True, down=True),
    State("old, canceled", shown(OLD, provisioning="Canceled"), upgraded=True, down=True),
    State("old, changing", shown(OLD, provisioning="Updating"), down=True, doubt=True),
    State("old, changing before", shown(OLD, provisioning="Updating"), down=True, doubt=True, before=True),
    State("old, stopped", shown(OLD, power="stopped"), upgraded=True, down=True, stopped=True),
    State("old, created", replace(shown(OLD, provisioning="Creating"), created=SINCE + 1), down=True, busy=True),
    State("old, protected", shown(OLD, protected_from_actions=True)),
    State("old, deallocated", shown(OLD, power="deallocated"), counted=False),
    State("old, deallocated, canceled", shown(OLD, power="deallocated", provisioning="Canceled"), counted=False),
    State("being upgraded", replace(shown(OLD, provisioning="Updating"), image=TARGET), down=True, ours=True),
    State("new", shown(NEW), current=True),
    State("new, booting", replace(shown(NEW), health="initializing"), down=True, by_health=True, ours=True),
    State("new, created", replace(shown(NEW, provisioning="Creating"), created=SINCE + 1), down=True),
    State("new, sick", replace(shown(NEW, SINCE + 60), health="unhealthy"), down=True, by_health=True, left=True),
)
LIMITS = (Limit(1), Limit(2), Limit(40, percent=True))
CANARIES = (0, 1)
ORDERS = ("domain", "none")
SOURCES = (True, False)
BESIDE = (False, True)
CHOSEN = (Selection(), Selection(("0", "2", "3")))
BUSY = ("wait", "skip")
Option = tuple[Limit, int, str, bool, bool, str, Selection]
OPTIONS: list[Option] = [
    option
    for option in itertools.product(LIMITS, CANARIES, ORDERS, SOURCES, BESIDE, BUSY, CHOSEN)
    if not (option[1] and option[5] == "skip")  # neither knows of the other
]

# One instance each, made once: (state, place) -> what Azure shows.
PLACED = [[replace(state.shown, instance_id=str(n), update_domain=n % 2) for n in range(5)] for state in STATES]
SETS = {
    source: ScaleSet("id", "web", "g", "w", image=TARGET, health_sources=("load_balancer_probe",) if source else ())
    for source in SOURCES
}
POLICIES = {
    (limit, canary, order, busy): Policy(
        limit, (), canary, order, Thresholds(unhealthy=Limit(100, percent=True)), busy=busy
    )
    for limit, canary, order, busy in itertools.product(LIMITS, CANARIES, ORDERS, BUSY)
}


def survey_of(states: tuple[int, ...], option: Option) -> Survey:
    limit, canary, order, source, beside, busy, chosen = option
    instances = tuple(PLACED[state][n] for n, state in enumerate(states))
    policy = POLICIES[limit, canary, order, busy]
    survey = Survey(SETS[source], instances, TARGET, policy, chosen, since=SINCE, read_at=NOW, health_lag=0.0)
    if before := frozenset(str(n) for n, state in enumerate(states) if STATES[state].before):
        survey = replace(survey, busy_before=before)
    return replace(survey, inherited=frozenset()) if beside else survey


def check(states: tuple[int, ...], option: Option) -> None:
    """Never too many, never two domains, never what is not ours to touch, and always a step or a named wait."""
    limit, canary, order, source, beside, busy, chosen = option
    found = next_batch(survey_of(states, option))
    are = [STATES[state] for state in states]
    down = {n for n, one in enumerate(are) if one.down and (source or not one.by_health)}
    mine = [n for n in range(len(are)) if not chosen.instance_ids or str(n) in chosen.instance_ids]
    ours = {n for n in mine if are[n].ours and (source or not are[n].by_health)}
    passed = {n for n in mine if busy == "skip" and (are[n].before or are[n].stopped or are[n].busy)}
    doubt = {n for n in mine if are[n].doubt} - passed
    theirs = ours | doubt if beside else set()
    ours, doubt = ours - theirs, doubt - theirs
    left = {n for n in mine if are[n].left and source and beside}
    breach = bool(left)  # max_unhealthy_upgraded is 0
    ready = {n for n in mine if are[n].upgraded} - passed
    most = limit.of(sum(one.counted for one in are))
    said = f"{[one.name for one in are]}, {option}: {found}"
    if isinstance(found, Batch):
        ids = [int(i) for i in found.instance_ids]
        assert ids and len(ids) == len(set(ids)) and set(ids) <= set(mine), said
        assert order == "none" or len({n % 2 for n in ids}) == 1, said
        assert order == "none" or not theirs or {n % 2 for n in theirs} == {ids[0] % 2}, said
        assert not doubt and not found.reimage, said
        if found.adopted:
            assert set(ids) == {n for n in ours if order == "none" or n % 2 == ids[0] % 2}, said
            return
        assert not ours and not breach and set(ids) <= ready, said
        assert len(down.union(ids)) <= max(most, len(down)), said
        assert not ready & down or set(ids) & down, said
        proven = sum(one.current or (not source and one.by_health and (one.ours or one.left)) for one in are)
        assert len(ids) <= canary - proven or canary <= proven, said
    elif isinstance(found, Wait):
        outside = any(are[n].busy for n in mine)
        full = bool(ready) and not ready & down and len(down) >= most
        assert found.reason and not (ours and not doubt), said
        assert doubt or theirs or full or breach or (outside and not ready) or found.skips, said
        assert found.busy or full or breach or found.skips, said
        assert found.skips == bool(passed and not (ready or ours or doubt or theirs or breach)), said
        assert not breach or doubt or ours or found.code == "unhealthy_on_target", said
    else:
        assert not breach and not (ours or doubt or theirs or ready or passed or any(are[n].busy for n in mine)), said


def every(most: int) -> t.Iterator[tuple[int, ...]]:
    for count in range(most + 1):
        yield from itertools.product(range(len(STATES)), repeat=count)


def test_every_state_of_up_to_three_instances_and_some_of_five() -> None:
    for states in every(2):
        for option in OPTIONS:
            check(states, option)
    rng = random.Random(10)
    for _case in range(12_000):
        count = rng.choice((3, 4, 5, 5))
        check(tuple(rng.randrange(len(STATES)) for _n in range(count)), rng.choice(OPTIONS))


def test_the_plan_of_every_sampled_state_has_an_end() -> None:
    rng = random.Random(11)
    for _case in range(1_000):
        states, option = tuple(rng.randrange(len(STATES)) for _n in range(5)), rng.choice(OPTIONS)
        batches = remaining_batches(survey_of(states, option))
        done = [i for batch in batches for i in batch.instance_ids]
        assert len(done) == len(set(done)) <= 5


def fives(first: int, chosen: Selection) -> t.Iterator[tuple[int, ...]]:
    """Five instances, of the same domain and choice in one order of their states only: they are interchangeable."""
    alike = ((0, 2), (4,), (3,), (1,)) if chosen.instance_ids else ((0, 2, 4), (1, 3))
    groups = [list(itertools.combinations_with_replacement(range(len(STATES)), len(group))) for group in alike]
    for parts in itertools.product(*groups):
        if parts[0][0] == first:
            states = [0] * 5
            for group, part in zip(alike, parts, strict=True):
                for place, state in zip(group, part, strict=True):
                    states[place] = state
            yield tuple(states)


@pytest.mark.skipif(not THOROUGH, reason="takes minutes: make long")
@pytest.mark.parametrize("first", range(len(STATES)), ids=[state.name for state in STATES])
def test_every_state_of_up_to_five_instances(first: int) -> None:
    """Some four million decisions, by the state of the first instance."""
    for rest in every(3):
        for option in OPTIONS:
            check((first, *rest), option)
    for option in OPTIONS:
        for states in fives(first, option[-1]):
            check(states, option)
