# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set in virtual time: it answers what the rollout asks, late and wrongly where told to, and knows the truth.

Every rule of DESIGN §4 that a request could break is asserted where the request is accepted, from what the machines
really do and never from what was reported of them.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.steady.vmss.plugins.module_utils._facts import problems
from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection, domains
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import GALLERY, MANAGED, PLATFORM, VHD, Image
from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Operation, Problem
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import FLEXIBLE, UNIFORM, Instance, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy, Thresholds
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade import Upgrade
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import (
    REIMAGE,
    UPGRADE,
    Finished,
    Look,
    Poll,
    Send,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.upgrade_steps import START as POWER_ON
from ansible_collections.steady.vmss.plugins.module_utils._rollout.verification import Patience

START = 1_000_000.0  # when the rollout wrote the model
OLD, NEW = "1.9.0", "1.10.0"
_GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/ours/images/web/versions/"
_MANAGED = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/web-"
FORMS = {
    form: {version: make(version) for version in (OLD, NEW)}
    for form, make in {
        "platform": lambda version: Image(PLATFORM, "canonical", "ubuntu", "22_04", version),
        "gallery": lambda version: Image(GALLERY, id=_GALLERY + version),
        "gallery_exact": lambda version: Image(GALLERY, id=_GALLERY + version),
        "managed": lambda version: Image(MANAGED, id=_MANAGED + version),
        "vhd": lambda version: Image(VHD, id=f"https://blobs.example/{version}.vhd"),
    }.items()
}
SHOWS_VERSION = ("platform", "gallery_exact")
USUAL = Patience()
LIST_READS, OPERATION_READS = (30.0, 10 / 60), (45.0, 15 / 60)  # burst, reads a second (API.md §4.1)


@dataclass(frozen=True)
class Faults:
    """What this Azure does late or wrongly; seconds. The default is an Azure in which all goes well."""

    updating_late: float = 0.0  # after acceptance nothing shows for so long
    linger: float = 0.0  # the old health outlives its disk
    version_late: float = 0.0
    succeeded_early: bool = False
    health_times: str = "move"  # move (at each change), report (at each report), stuck, none
    disk_times: bool = True
    disk_times_move: bool = True
    provisioning_times: str = "move"  # move, read (the time of each read), stuck
    forgets_ends: bool = False  # the operation does not say when it ended
    blank_health: bool = False  # no health at all while an instance starts, in place of initializing
    power_at_work: str = "running"  # also stopped, deallocated, starting: API.md §3.5 says the VM is deallocated
    keeps_disk: frozenset[str] = frozenset()
    reimage_keeps_disk: bool = False
    never_healthy: frozenset[str] = frozenset()
    fails: frozenset[str] = frozenset()  # provisioning Failed at the end of the work
    unallocated: tuple[str, ...] = ()  # no capacity for it: deallocated and Failed, as often as it is named here
    stays_down: bool = False  # an upgrade of a deallocated instance leaves it deallocated
    wrong_version: frozenset[str] = frozenset()  # a new disk with the old content
    sends: tuple[str, ...] = ()  # per request: ok, conflict, lost, lost_accepted, throttled, denied
    operations: tuple[str, ...] = ()  # per accepted request: ok, canceled, failed, unknown, hangs
    conflict_after: float = 0.0  # 409 for so long after an operation succeeded


@dataclass
class Work:
    start: float
    visible: float
    disk_at: float
    end: float
    replaces: bool = True
    word: str = "Updating"
    wakes: bool = True
    falls: bool = False
    content: str = NEW


@dataclass
class Machine:
    """One VM as it really is."""

    id: str
    zone: str | None = None
    update_domain: int | None = None
    fault_domain: int | None = None
    content: str = OLD
    applied: bool = False
    power: str = "running"
    provisioning: str = "Succeeded"
    settled: bool = True
    protected: bool = False
    disks: int = 0
    disk_time: float = START - 5000
    provisioned: float = START - 4990
    healthy_from: float = START - 4900
    version_from: float = 0.0
    work: Work | None = None
    lingers: tuple[float, tuple[str | None, float]] | None = None  # until when the old health is shown, and what it was
    worked: bool = False
    foreign_until: float = 0.0
    foreign_ends: str = "Succeeded"
    foreign_blocks: bool = True  # Azure refuses every other action meanwhile
    created: float = START - 990_000
    attached: bool = False

    @property
    def counted(self) -> bool:
        """Deallocated by choice it counts on neither side; one that fell while it was worked on is down."""
        return self.power != "deallocated" or self.worked or self.provisioning not in ("Succeeded", "Canceled")

    def available(self, now: float) -> bool:
        return (
            self.power == "running"
            and self.provisioning == "Succeeded"
            and self.settled
            and self.work is None
            and self.healthy_from <= now
            and self.foreign_until <= now
        )

    def done(self, now: float, content: str = NEW) -> bool:
        return self.content == content and self.available(now)


@dataclass
class _Operation:
    end: float
    status: str
    unknown_from: float = math.inf


@dataclass
class Bucket:
    """Azure's token bucket for one scale set."""

    burst: float
    rate: float
    tokens: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> int:
        self.tokens = self.burst if self.tokens < 0 else min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        assert self.tokens >= 1, "read more often than Azure allows"
        self.tokens -= 1
        return int(self.tokens)


@dataclass(repr=False)
class Fleet:
    """The scale set. `duration` and `health_lag` give seconds for one piece of work."""

    machines: dict[str, Machine]
    form: str = "platform"
    faults: Faults = Faults()
    policy: Policy = Policy()
    selection: Selection = Selection()
    health_source: bool = True
    flexible: bool = False
    duration: t.Callable[[], float] = lambda: 180.0
    health_lag: t.Callable[[], float] = lambda: 20.0
    events: list[tuple[float, str, Machine]] = field(default_factory=list)  # (time, appear or vanish, machine)
    now: float = START

    sent: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # accepted requests
    reads: dict[str, int] = field(default_factory=lambda: {"instances": 0, "operation": 0})
    gone: dict[str, Machine] = field(default_factory=dict)
    throttles: bool = True
    killed: bool = False
    most_disks: int = 1
    target_version: str = NEW
    _sends: int = 0
    _operation: _Operation | None = None
    _lists: Bucket = field(default_factory=lambda: Bucket(*LIST_READS))
    _polls: Bucket = field(default_factory=lambda: Bucket(*OPERATION_READS))

    def __post_init__(self) -> None:
        self._unallocated = list(self.faults.unallocated)

    def __repr__(self) -> str:
        """Short, for a failing example: what is not as usual."""
        usual, said = Machine(""), []
        for machine in self.machines.values():
            odd = {n: v for n, v in vars(machine).items() if v != getattr(usual, n) and n != "id"}
            said.append(f"{machine.id}: {odd}")
        names = ("form", "policy", "selection", "health_source", "flexible", "events")
        rest = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        faults = {n: v for n, v in vars(self.faults).items() if v != getattr(Faults(), n)}
        return f"Fleet({{{'; '.join(said)}}}, {rest}, faults={faults}, sent={self.sent})"

    def _repr_pretty_(self, printer: t.Any, _cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print every field of every machine

    # -- time -----------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        self.now = max(self.now, now)
        for event in [e for e in self.events if e[0] <= self.now]:
            self.events.remove(event)
            _dummy, what, machine = event
            if what == "appear":
                self.machines[machine.id] = machine
            else:
                self.gone[machine.id] = machine
                self.machines.pop(machine.id, None)
        for machine in self.machines.values():
            self._work(machine)
            if machine.foreign_until and self.now >= machine.foreign_until:
                machine.foreign_until, machine.provisioning = 0.0, machine.foreign_ends

    def _work(self, machine: Machine) -> None:
        work = machine.work
        if work is None:
            return
        if work.replaces and self.now >= work.disk_at:
            work.replaces = False
            machine.disks += 1
            assert machine.disks <= self.most_disks, f"the disk of {machine.id} was replaced too often"
            machine.content = OLD if machine.id in self.faults.wrong_version else work.content
            machine.disk_time = work.disk_at
            machine.version_from = work.end + self.faults.version_late
        if self.now >= work.end:
            machine.work = None
            machine.settled, machine.provisioned = True, work.end
            if work.falls:
                machine.power, machine.provisioning, machine.healthy_from = "deallocated", "Failed", math.inf
                return
            machine.power = "running" if work.wakes else "deallocated"
            machine.provisioning = "Failed" if machine.id in self.faults.fails else "Succeeded"
            lag = self.health_lag() if self.health_source else 0.0
            machine.healthy_from = math.inf if machine.id in self.faults.never_healthy else work.end + lag

    def selected(self, machine: Machine) -> bool:
        return self.selection.holds(self._shown(machine))

    @property
    def tolerates(self) -> bool:
        return self.policy.thresholds.unhealthy_upgraded.number > 0

    @property
    def tolerated(self) -> frozenset[str]:
        """Instances that may be left behind broken: the user allows some."""
        if not self.tolerates:
            return frozenset()
        kept = self.faults.keeps_disk if self.flexible else frozenset()
        return self.faults.never_healthy | self.faults.fails | kept

    # -- what the rollout reads -----------------------------------------------------------------

    def scale_set(self) -> ScaleSet:
        return ScaleSet(
            id="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web",
            name="web",
            resource_group="g",
            location="westeurope",
            orchestration_mode=FLEXIBLE if self.flexible else UNIFORM,
            health_sources=("application_health_extension",) if self.health_source else (),
            image=self.target,
        )

    @property
    def target(self) -> Image:
        return FORMS[self.form][self.target_version]

    def instances(self) -> tuple[list[Instance], int]:
        """The instances as Azure reports them, and how many such reads it still allows."""
        self.reads["instances"] += 1
        left = self._lists.take(self.now) if self.throttles else 30
        shown = [self._shown(machine) for machine in self.machines.values()]
        return shown[1::2] + shown[::2], left  # Azure keeps no order

    def _shown(self, machine: Machine) -> Instance:
        faults, work = self.faults, machine.work
        visible = work is not None and self.now >= work.visible
        applied = machine.applied and (work is None or visible)
        seen_new = machine.content == NEW and self.now >= machine.version_from and not work
        provisioning = machine.provisioning
        if visible or machine.foreign_until > self.now:
            provisioning = work.word if work else "Updating"
        health, health_time = self._health(machine)
        lingers = machine.lingers is not None and self.now < machine.lingers[0]
        report = health_time if lingers else max(health_time, self.now - self.now % 5)
        times = {"move": health_time, "report": report, "stuck": START - 4900, "none": None}
        provisioned = {"move": machine.provisioned, "read": self.now, "stuck": START - 4990}
        return Instance(
            instance_id=machine.id,
            name=f"web_{machine.id}",
            zone=machine.zone,
            update_domain=machine.update_domain,
            fault_domain=machine.fault_domain,
            power=faults.power_at_work if visible else machine.power,
            provisioning=provisioning,
            provisioning_time=provisioned[faults.provisioning_times],
            health=health,
            health_time=times[faults.health_times] if health else None,
            extensions_settled=machine.settled,
            image=None if machine.attached else FORMS[self.form][NEW if applied else OLD],
            exact_version=(NEW if seen_new else OLD) if self.form in SHOWS_VERSION else None,
            os_disk=f"web_{machine.id}_disk_{machine.disks}",
            os_disk_time=(machine.disk_time if faults.disk_times_move else START - 5000) if faults.disk_times else None,
            latest_model_applied=applied,
            protected_from_actions=machine.protected,
            created=machine.created,
        )

    def _health(self, machine: Machine) -> tuple[str | None, float]:
        if not self.health_source:
            return None, 0.0
        work = machine.work
        booting = None if self.faults.blank_health else "initializing"
        if machine.lingers is not None and self.now < machine.lingers[0]:
            return machine.lingers[1]
        if work is not None and self.now >= work.visible:
            return booting, work.visible
        if machine.healthy_from == math.inf:
            return "unhealthy", machine.provisioned
        return ("healthy", machine.healthy_from) if machine.healthy_from <= self.now else (booting, machine.provisioned)

    def operation(self) -> tuple[Operation | None, int]:
        self.reads["operation"] += 1
        left = self._polls.take(self.now) if self.throttles else 45
        known = self._operation
        if known is None or self.now >= known.unknown_from:
            return None, left
        if self.now < known.end:
            return Operation("InProgress"), left
        end = None if self.faults.forgets_ends else known.end
        said = (
            Problem(problems.REFUSED, "VMExtensionProvisioningError", "it failed") if known.status == "Failed" else None
        )
        return Operation(known.status, said, end=end), left

    # -- what the rollout asks for --------------------------------------------------------------

    def send(self, kind: str, ids: tuple[str, ...]) -> Problem | None:
        """Take a request, or say why not."""
        assert ids, "a request without instances means all of them"
        self._sends += 1
        fault = self.faults.sends[self._sends - 1] if self._sends <= len(self.faults.sends) else "ok"
        if fault == "lost":
            return Problem(problems.LOST, "", "connection reset")
        if fault == "denied":
            return Problem(problems.DENIED, "AuthorizationFailed", "not allowed", 403)
        if fault == "throttled":
            return Problem(problems.THROTTLED, "OperationNotAllowed", "too many", 429, retry_after=20.0)
        if fault == "conflict" or self._busy():
            return Problem(problems.CONFLICT, "Conflict", "another operation is in progress", 409)
        if unknown := [i for i in ids if i not in self.machines]:
            return Problem(problems.REFUSED, "InvalidParameter", f"{unknown} is not an active VM", 400)
        self._check(kind, ids)
        self._start(kind, ids)
        self.sent.append((kind, ids))
        return Problem(problems.LOST, "", "connection reset") if fault == "lost_accepted" else None

    def _busy(self) -> bool:
        machines = self.machines.values()
        at_work = any(m.work is not None or (m.foreign_blocks and m.foreign_until > self.now) for m in machines)
        after = self._operation is not None and self.now < self._operation.end + self.faults.conflict_after
        return at_work or after

    def _check(self, kind: str, ids: tuple[str, ...]) -> None:
        machines = self.machines
        for i in ids:
            assert self.selected(machines[i]) and not machines[i].protected and machines[i].counted, (
                f"{i} is not ours to touch"
            )
        counted = [m for m in machines.values() if m.counted]
        down = {m.id for m in counted if not m.available(self.now)}
        most = max(self.policy.max_unavailable.of(len(counted)), len(down))
        assert len(down.union(ids)) <= most, f"{len(down.union(ids))} unavailable, {most} allowed"
        domain_of = domains([self._shown(m) for m in machines.values()], self.policy.order_by)
        assert len({domain_of[i] for i in ids}) == 1, "a batch of two domains"
        worked = [m for m in machines.values() if m.worked and m.id not in ids]
        unfinished = [m.id for m in worked if not m.done(self.now, self.target_version)]
        unfinished = [i for i in unfinished if i not in self.tolerated]
        if kind == REIMAGE or self.killed:  # those on the old disk still serve, and await their own reimage
            unfinished = [i for i in unfinished if not machines[i].available(self.now)]
        assert not any(machines[i].attached for i in ids), "made of something else"
        if kind == POWER_ON:
            assert all(machines[i].power == "deallocated" and machines[i].worked for i in ids), "started for nothing"
        if kind == REIMAGE:
            assert not self.flexible, "a Flexible scale set has no reimage"
            assert all(machines[i].applied and machines[i].content == OLD for i in ids), "reimaged for nothing"
        assert not unfinished, f"{kind} of {ids} while {unfinished} are in our hands"

    def _start(self, kind: str, ids: tuple[str, ...]) -> None:
        faults = self.faults
        nth = len(self.sent)
        fate = faults.operations[nth] if nth < len(faults.operations) else "ok"
        touched = ids[: len(ids) // 2] if fate in ("canceled", "failed") else ids
        end = self.now + 1.0
        for i in touched:
            machine = self.machines[i]
            keeps = i in faults.keeps_disk and (kind == UPGRADE or faults.reimage_keeps_disk)
            fallen = machine.power == "deallocated"
            goal = self.target_version == NEW
            if kind == UPGRADE and machine.applied == goal and machine.provisioning == "Succeeded":
                continue  # the model is applied already, so Azure does nothing
            if kind != POWER_ON:
                machine.applied = goal
            keeps = keeps or kind == POWER_ON or (kind == UPGRADE and machine.content == self.target_version)
            seconds = 2.0 if keeps else self.duration()
            visible = self.now + faults.updating_late
            done = max(visible + 1.0, self.now + seconds)
            if faults.linger:
                machine.lingers = (visible + done) / 2 + faults.linger, self._health(machine)
            falls = i in self._unallocated
            if falls:
                self._unallocated.remove(i)
            machine.work = Work(
                self.now,
                visible,
                (visible + done) / 2,
                done,
                replaces=not keeps and not falls,
                wakes=not fallen or kind == POWER_ON or not faults.stays_down,
                falls=falls,
                content=self.target_version,
            )
            machine.worked = True
            if falls:
                fate = "failed"
            end = max(end, done)
        if faults.succeeded_early and fate == "ok":
            end = self.now + (end - self.now) / 3
        status = {"canceled": "Canceled", "failed": "Failed"}.get(fate, "Succeeded")
        self._operation = _Operation(math.inf if fate == "hangs" else end, status)
        if fate == "hangs":
            self._operation.end = math.inf
        if fate == "unknown":
            self._operation.unknown_from = self.now + (end - self.now) / 2

    # -- a whole run ----------------------------------------------------------------------------

    def survey(self, *, since: float | None = None) -> Survey:
        instances, _dummy = self.instances()
        return Survey(
            self.scale_set(),
            tuple(instances),
            self.target,
            self.policy,
            self.selection,
            in_manual=True,
            since=since,
            read_at=self.now,
        )

    def roll(
        self,
        patience: Patience = USUAL,
        *,
        kills: t.Sequence[int] = (),
        since: float | None = None,
        latency: float = 0.0,
        most_steps: int = 5000,
        **options: t.Any,
    ) -> Upgrade:
        """Run a rollout to its end, killed and started anew after each of these numbers of steps."""
        upgrade = Upgrade(self.survey(since=since), patience, now=self.now, **options)
        for step_number in range(most_steps):
            if step_number in kills:
                self.killed = True
                upgrade = Upgrade(self.survey(since=START), patience, now=self.now)
            step = upgrade.next(self.now)
            if isinstance(step, Finished):
                return upgrade
            if isinstance(step, Send):
                problem = self.send(step.kind, step.instance_ids)
                upgrade.refused(self.now, problem) if problem else upgrade.accepted(self.now)
                continue
            self.advance(step.at)
            self.advance(self.now + latency)
            if isinstance(step, Poll):
                upgrade.saw_operation(self.now, *self.operation())
            else:
                assert isinstance(step, Look)
                instances, left = self.instances()
                upgrade.saw(self.now, instances, self.scale_set() if step.model else None, left, self.now)
        raise AssertionError(f"no end after {most_steps} steps, {self.now - START:.0f} s")

    def turns_back(self) -> None:
        """The model names the image before again."""
        self.target_version, self.most_disks, self.killed = OLD, 2, True
        self.policy = replace(self.policy, downgrade=True, canary=0, thresholds=Thresholds(Limit(100, percent=True)))

    @property
    def upgrades(self) -> list[tuple[str, ...]]:
        return [ids for kind, ids in self.sent if kind == UPGRADE]


def uniform(count: int, *, domains_: int = 5, zones: int = 0, **fields: t.Any) -> Fleet:
    """A fleet of outdated, available machines, as Azure spreads them."""
    machines = {}
    for number in range(count):
        machines[str(number)] = Machine(
            str(number),
            zone=str(number % zones + 1) if zones else None,
            update_domain=0 if zones else number % domains_,
            fault_domain=number % domains_,
        )
    return Fleet(machines, **fields)


def with_machine(fleet: Fleet, machine_id: str, **fields: t.Any) -> Fleet:
    fleet.machines[machine_id] = replace(fleet.machines[machine_id], **fields)
    return fleet
