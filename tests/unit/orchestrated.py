# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Azure in virtual time that rolls an image through instances by itself, and what drives a run against it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.steady.vmss.plugins.module_utils._facts import images, problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import (
    Instance,
    PastUpgrade,
    RollingUpgrade,
    ScaleSet,
)
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.observation import OS, Watch
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.rolling_upgrade import COMPLETED, RollingRun
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.steps import (
    Cancel,
    Finished,
    Look,
    Patience,
    Start,
)

T0 = 1_000_000.0
OLD = images.parse("Canonical:ubuntu:server:1.0.0")
NEW = images.parse("Canonical:ubuntu:server:2.0.0")
LATEST = images.parse("Canonical:ubuntu:server:latest")
GALLERY = images.parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/a/images/web")
SET = ScaleSet(
    id="/sets/web",
    name="web",
    resource_group="shop",
    location="west",
    image=LATEST,
    health_sources=("load_balancer_probe",),
)
UNHEALTHY = Problem(
    problems.REFUSED,
    "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
    "100% of instances are in an unhealthy state after being upgraded - more than the threshold of 20%. First failed "
    "instance ID is: 0.",
)
STALE = RollingUpgrade("Faulted", T0 - 7 * 86400, {"failed": 1}, UNHEALTHY)
NONE_RUNS = Problem(problems.REFUSED, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.", 409)


def instance(number: int, version: str = "1.0.0", **members: t.Any) -> Instance:
    plain: dict[str, t.Any] = {
        "health": "healthy",
        "update_domain": number % 5,
        "image": LATEST,
        "exact_version": version,
    }
    return Instance(str(number), **{**plain, **members})


@dataclass
class Azure:
    """Upgrades two instances every `batch` seconds once it has started; plays what the tests ask for."""

    instances: dict[str, Instance]
    latest: RollingUpgrade | None = None
    batch: float = 120.0
    visible_after: float = 0.0
    platform_starts: float | None = None
    breaks_at: int | None = None  # this instance is never healthy on the new version
    restores: bool = False
    cancel_at: float | None = None  # by another client
    operation: Operation = Operation("InProgress")
    refuses: list[Problem] = field(default_factory=list)
    write_ends: float = 0.0
    now: float = T0
    began: float | None = None
    accepted: float | None = None
    starts: list[float] = field(default_factory=list)
    cancels: list[float] = field(default_factory=list)
    gets: list[float] = field(default_factory=list)
    history: list[PastUpgrade] = field(default_factory=list)
    history_readable: bool = True
    kind: str = OS  # of the upgrade that runs
    target: images.Image | None = NEW
    old: dict[str, str] = field(default_factory=dict)  # what an instance ran before where it is not 1.0.0
    cancelled: float | None = None
    _done: set[str] = field(default_factory=set)

    def advance(self, to: float) -> None:
        self.now = max(self.now, to)
        if self.began is None and self.platform_starts is not None and self.now >= self.platform_starts:
            self.begin(self.platform_starts)
        if self.began is None or (
            self.latest is not None and self.latest.started == self.began and not self.latest.running
        ):
            return
        if self.cancelled is None and self.cancel_at is not None and self.now >= self.cancel_at:
            self.cancelled = self.cancel_at
        ids = sorted((i for i, one in self.instances.items() if not one.protected_from_actions), key=int)
        last = number = int((self.now - self.began) // self.batch)
        if self.cancelled is not None:
            last = int((self.cancelled - self.began) // self.batch) + 1
            number = min(number, last)
        ripe = ids[: number * 2]
        code, error = "RollingForward", None
        for one in ripe:
            if one in self._done:
                continue
            if self.breaks_at is not None and int(one) >= self.breaks_at:
                code, error = "Faulted", UNHEALTHY
                version, health = (self.old.get(one, "1.0.0"), "healthy") if self.restores else ("2.0.0", "unhealthy")
                self.instances[one] = replace(self.instances[one], exact_version=version, health=health)
                break
            self._done.add(one)
            self.instances[one] = replace(self.instances[one], exact_version="2.0.0")
        if code == "RollingForward" and len(self._done) == len(ids):
            code = "Completed"
        elif code == "RollingForward" and self.cancelled is not None and number == last:
            code = "Cancelled"
        counts = {"successful": len(self._done), "failed": int(error is not None), "in_progress": 0}
        counts["pending"] = len(ids) - sum(counts.values())
        self.latest = RollingUpgrade(code, self.began, counts, error)
        if self.kind == OS:
            self.history = [PastUpgrade(code, self.began, None, counts, "User", self.target)]
        if code != "RollingForward" and self.kind == OS:
            restored = int(self.restores and error is not None)
            self.history = [PastUpgrade(code, self.began, self.now, counts, "User", self.target, error, restored)]

    def as_it_is(self, scale_set: ScaleSet) -> ScaleSet:
        return scale_set

    def begin(self, at: float) -> None:
        self.began = at
        self._done.clear()

    def start(self) -> Problem | None:
        self.starts.append(self.now)
        if self.refuses:
            return self.refuses.pop(0)
        self.began = self.now + self.visible_after
        return None

    def cancel(self) -> Problem | None:
        self.cancels.append(self.now)
        if self.refuses:
            return self.refuses.pop(0)
        self.cancelled = self.now
        return None

    def show(self) -> RollingUpgrade | None:
        self.gets.append(self.now)
        if self.began is not None and self.now < self.began:
            return STALE if self.latest is STALE else None
        return self.latest


def drive(azure: Azure, wanted: str = COMPLETED, *, most: int = 2000, **options: t.Any) -> RollingRun:
    kind, ours = options.pop("kind", OS), options.pop("current_started", None)
    trial = {
        name: options.pop(name) for name in ("failed_attempt", "retry_anyway", "known", "history") if name in options
    }
    scale_set = options.pop("scale_set", replace(SET, automatic_os_upgrade="start" in options))
    azure.advance(azure.now)
    watch = Watch(scale_set, azure.instances.values(), kind, NEW if kind == OS else None, now=azure.now)
    run = RollingRun(
        watch, azure.show(), now=azure.now, wanted=wanted, patience=Patience(**options), current_started=ours, **trial
    )
    return follow(azure, run, scale_set, most=most)


def follow(azure: Azure, run: RollingRun, scale_set: ScaleSet, *, most: int = 2000) -> RollingRun:
    for _turn in range(most):
        step = run.next(azure.now)
        if isinstance(step, Finished):
            assert isinstance(run.next(azure.now), Finished)
            return run
        if isinstance(step, Start | Cancel):
            problem = azure.start() if isinstance(step, Start) else azure.cancel()
            if problem is None:
                run.accepted(azure.now)
            else:
                run.refused(azure.now, problem)
            continue
        assert isinstance(step, Look)
        assert step.at >= azure.now
        azure.advance(step.at)
        latest = azure.show()
        if step.instances:
            azure.gets.append(azure.now)
        run.saw(
            azure.now,
            latest,
            instances=list(azure.instances.values()) if step.instances else None,
            scale_set=replace(
                azure.as_it_is(scale_set),
                provisioning_state="Updating" if azure.now < azure.write_ends else "Succeeded",
            )
            if step.scale_set
            else None,
            operation=azure.operation if step.operation else None,
            history=azure.history if step.history and azure.history_readable else None,
        )
    raise AssertionError(f"no end in {most} turns: {run.report.events[-3:]}")


def fleet(number: int, **members: t.Any) -> dict[str, Instance]:
    return {str(n): instance(n, **members) for n in range(number)}


def outcomes(run: RollingRun) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one, report in run.report.instances.items():
        found.setdefault(report.outcome, []).append(one)
    return found
