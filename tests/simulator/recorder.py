"""The judge: availability, batches and every state change, from the world's inner truth and from nothing else."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .instance import Instance
    from .rolling_upgrade import RollingUpgrade
    from .scale_set import ScaleSet


def differences(old: Any, new: Any, path: str = "") -> dict[str, list[Any]]:
    """`{path: [old, new]}` of every member that differs; None where there is none. Lists are compared as wholes."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return {} if old == new else {path: [copy.deepcopy(old), copy.deepcopy(new)]}
    found: dict[str, list[Any]] = {}
    for key in [*old, *(key for key in new if key not in old)]:
        found |= differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    return found


@dataclass(frozen=True)
class Before:
    """A set just before an action: who is unavailable, who was when a client last read the instances, and when a client
    last read the set itself.
    """

    there: int
    unavailable: frozenset[str]
    unavailable_when_read: frozenset[str]
    model_read: float = float("-inf")


@dataclass
class Batch:
    """One accepted action that replaces disks; times are simulated seconds.

    `down_already` are those that were unavailable both then and when a client last read the instances, so that whoever
    asked for the action could know.
    """

    scale_set: str
    action: str
    instance_ids: list[str]
    started: float
    unavailable_then: int
    before: Before
    by: str = "client"
    up: dict[str, float] = field(default_factory=dict)
    available: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """`seconds` runs until the slowest instance is available, health included; None while one is not."""
        done = len(self.available) == len(self.instance_ids)
        ended = max(self.available.values(), default=self.started) if done else None
        return {
            "scale_set": self.scale_set,
            "action": self.action,
            "by": self.by,
            "instance_ids": self.instance_ids,
            "started": self.started,
            "ended": ended,
            "seconds": None if ended is None else ended - self.started,
            "unavailable_when_accepted": self.unavailable_then,
            "there_then": self.before.there,
            "down_already": sorted(self.before.unavailable & self.before.unavailable_when_read),
            "model_read": max(self.before.model_read, 0.0),
            "taken_down": [i for i in self.instance_ids if i not in self.before.unavailable],
            "up": self.up,
            "available": self.available,
        }


@dataclass
class SetFigures:
    """What is wrong with one set now, and at worst."""

    unavailable: set[str] = field(default_factory=set)
    in_hand: dict[str, Instance] = field(default_factory=dict)
    unavailable_when_read: frozenset[str] = frozenset()
    spared_when_read: frozenset[str] = frozenset()
    protected_when_read: frozenset[str] = frozenset()
    stopped_when_read: frozenset[str] = frozenset()
    model_read: dict[str, float] = field(default_factory=dict)
    last_read: float = 0.0
    planned_on: dict[str, float] = field(default_factory=dict)
    max_unavailable: int = 0
    max_in_hand: int = 0
    max_when_accepted: int = 0
    max_domains: int = 0
    max_fault_domains: int = 0
    max_zones: int = 0

    def see(self) -> None:
        self.max_unavailable = max(self.max_unavailable, len(self.unavailable))
        self.max_in_hand = max(self.max_in_hand, len(self.in_hand))
        down = self.in_hand.values()
        self.max_domains = max(self.max_domains, len({instance.domain for instance in down}))
        self.max_fault_domains = max(self.max_fault_domains, len({(i.zone, i.fault_domain) for i in down}))
        self.max_zones = max(self.max_zones, len({instance.zone for instance in down}))

    def reset(self) -> None:
        self.max_unavailable = self.max_in_hand = self.max_when_accepted = 0
        self.max_domains = self.max_fault_domains = self.max_zones = 0
        self.see()


class Recorder:
    def __init__(self) -> None:
        self.timeline: list[dict[str, Any]] = []
        self.batches: list[Batch] = []
        self.figures: dict[str, SetFigures] = {}
        self.disks_replaced: dict[str, Counter[str]] = {}
        self.reimages: dict[str, Counter[str]] = {}
        self.repairs: dict[str, Counter[str]] = {}
        self.restores: dict[str, Counter[str]] = {}
        self.touched: dict[str, set[str]] = {}
        self.rolling_upgrades: list[tuple[str, RollingUpgrade]] = []
        self.writes: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.max_unavailable = 0
        self._open: dict[tuple[str, str], Batch] = {}

    def of(self, scale_set: str) -> SetFigures:
        return self.figures.setdefault(scale_set, SetFigures())

    def change(self, now: float, scale_set: str, instance: str, what: str, old: Any, new: Any) -> None:
        if old != new:
            self.timeline.append(
                {"time": now, "scale_set": scale_set, "instance": instance, "what": what, "from": old, "to": new}
            )

    def count_instance(self, now: float, owner: ScaleSet, instance: Instance) -> None:
        """After each change of an instance: keeps who is unavailable and who is in an action's hands."""
        figures = self.of(owner.name)
        key = instance.instance_id
        there = not instance.gone and not instance.joining and not instance.leaving
        counted = there and (instance.power != "deallocated" or instance.fell)
        if counted and not instance.available:
            if key not in figures.unavailable:
                self.change(now, owner.name, key, "available", True, False)
            figures.unavailable.add(key)
        elif key in figures.unavailable:
            figures.unavailable.discard(key)
            if not instance.gone:
                self.change(now, owner.name, key, "available", False, True)
        batch = self._open.get((owner.name, key))
        if instance.gone or (
            batch is not None
            and not instance.busy
            and (instance.available or (instance.power == "deallocated" and not instance.fell))
        ):
            figures.in_hand.pop(key, None)
            if batch is not None:
                batch.available[key] = now
                del self._open[(owner.name, key)]
        figures.see()
        self.max_unavailable = max(self.max_unavailable, self.unavailable_now())
        if owner.upgrade is not None and owner.upgrade.running:
            owner.upgrade.max_unavailable = max(owner.upgrade.max_unavailable, len(figures.unavailable))

    def unavailable_now(self) -> int:
        return sum(len(figures.unavailable) for figures in self.figures.values())

    def happened(self, now: float, event: dict[str, Any], instance_ids: list[str]) -> None:
        """What another client did. `instance_ids`: whom the event named or picked."""
        self.events.append({**event, "time": now, "instance_ids": instance_ids})

    def read(self, now: float, owner: ScaleSet, client: str = "") -> None:
        """A client reads the instances now: what it plans rests on the set as it read it before."""
        figures = self.of(owner.name)
        figures.last_read = now
        figures.planned_on[client] = figures.model_read.get(client, 0.0)
        figures.unavailable_when_read = frozenset(figures.unavailable)
        figures.spared_when_read = frozenset(i.instance_id for i in owner.instances.values() if self._spared(i))
        figures.protected_when_read = frozenset(i.instance_id for i in owner.instances.values() if i.protect_actions)
        figures.stopped_when_read = frozenset(i.instance_id for i in owner.instances.values() if self._stopped(i))

    @staticmethod
    def _spared(instance: Instance) -> bool:
        """Protected, or deallocated by somebody's wish."""
        return instance.protect_actions or (instance.power == "deallocated" and not instance.fell)

    @staticmethod
    def _stopped(instance: Instance) -> bool:
        """By somebody's wish, and not by a failure."""
        return instance.power == "stopped" and instance.provisioning == "Succeeded"

    def read_model(self, now: float, owner: ScaleSet, client: str = "") -> None:
        """A client reads the set now; it may have a name, where there are two."""
        self.of(owner.name).model_read[client] = now

    def named(self, now: float, owner: ScaleSet, action: str, instances: list[Instance], by: str) -> None:
        """An action on these instances was accepted. Call it before anything is done to them. `spared`: those that
        were protected or deallocated when a client last read them, and still are; `protected`: those of them that were
        protected then, and still are; `stopped`: those that were stopped then, and still are.
        """
        known, guarded = self.of(owner.name).spared_when_read, self.of(owner.name).protected_when_read
        asleep = self.of(owner.name).stopped_when_read
        self.actions.append(
            {
                "time": now,
                "scale_set": owner.name,
                "by": by,
                "action": action,
                "instance_ids": [i.instance_id for i in instances],
                "spared": [i.instance_id for i in instances if self._spared(i) and i.instance_id in known],
                "protected": [i.instance_id for i in instances if i.protect_actions and i.instance_id in guarded],
                "stopped": [i.instance_id for i in instances if self._stopped(i) and i.instance_id in asleep],
                "attached": [i.instance_id for i in instances if i.attached],
                "fallen": [i.instance_id for i in instances if i.fell],
            }
        )

    def before(self, owner: ScaleSet, client: str = "") -> Before:
        figures = self.of(owner.name)
        there = [i for i in owner.instances.values() if not i.leaving and (i.power != "deallocated" or i.fell)]
        read = figures.model_read.get(client, float("-inf"))
        return Before(len(there), frozenset(figures.unavailable), figures.unavailable_when_read, read)

    def accept(
        self, now: float, owner: ScaleSet, action: str, instances: list[Instance], before: Before, by: str = "client"
    ) -> None:
        """An action was accepted that takes these instances down. Call it once they are down."""
        figures = self.of(owner.name)
        ids = [i.instance_id for i in instances]
        batch = Batch(owner.name, action, ids, now, len(figures.unavailable), before, by)
        figures.max_when_accepted = max(figures.max_when_accepted, len(figures.unavailable))
        self.batches.append(batch)
        for instance in instances:
            figures.in_hand[instance.instance_id] = instance
            self._open[(owner.name, instance.instance_id)] = batch
        figures.see()

    def wrote(
        self, now: float, owner: ScaleSet, name: str, by: str, document: dict[str, Any], client: str = ""
    ) -> dict[str, Any]:
        """A write was accepted. Call it before the document is stored: it keeps what the write was decided upon.

        `planned_on` is when the client had read the set before it last read the instances.
        """
        old = owner.document
        policy = old["properties"].get("upgradePolicy") or {}
        entry = {
            "time": now,
            "scale_set": owner.name,
            "by": by,
            "name": name,
            "etag": owner.etag,
            "mode": owner.mode,
            "automatic_os_upgrade": bool(
                (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade")
            ),
            "while_writing": [op.name for op in owner.running("write")],
            "planned_on": self.of(owner.name).planned_on.get(client, 0.0),
            "tags": dict(old.get("tags") or {}),
            "changes": differences(old, document),
            "upgraded": [],
        }
        self.writes.append(entry)
        return entry

    def up(self, now: float, scale_set: str, instance: str) -> None:
        batch = self._open.get((scale_set, instance))
        if batch is not None:
            batch.up[instance] = now

    def replaced(self, scale_set: str, instance: str, action: str) -> None:
        if action == "repair":
            return
        if action == "restore":
            self.restores.setdefault(scale_set, Counter())[instance] += 1
            return
        self.disks_replaced.setdefault(scale_set, Counter())[instance] += 1
        if action != "upgrade":
            self.reimages.setdefault(scale_set, Counter())[instance] += 1

    def repaired(self, now: float, scale_set: str, instance: str, action: str) -> None:
        self.repairs.setdefault(scale_set, Counter())[instance] += 1
        self.change(now, scale_set, instance, "repair", None, action)

    def replaced_of(self, scale_set: str, instance: str) -> int:
        counts = self.disks_replaced.get(scale_set)
        return 0 if counts is None else counts[instance]

    def replaced_total(self, scale_set: str | None = None) -> int:
        return sum(counts.total() for name, counts in self.disks_replaced.items() if scale_set in (None, name))

    def reset(self) -> None:
        """Forget the past; what is down now stays down."""
        self.timeline.clear()
        self.batches = [batch for batch in self.batches if batch in self._open.values()]
        self.disks_replaced.clear()
        self.reimages.clear()
        self.repairs.clear()
        self.restores.clear()
        self.rolling_upgrades = [(name, upgrade) for name, upgrade in self.rolling_upgrades if upgrade.running]
        self.touched.clear()
        self.writes.clear()
        self.actions.clear()
        self.events.clear()
        for figures in self.figures.values():
            figures.reset()
        self.max_unavailable = self.unavailable_now()

    def as_dict(self) -> dict[str, Any]:
        return {
            "unavailable": {"now": self.unavailable_now(), "max": self.max_unavailable},
            "scale_sets": {
                name: {
                    "unavailable": {
                        "now": len(figures.unavailable),
                        "max": figures.max_unavailable,
                        "max_when_accepted": figures.max_when_accepted,
                        "instance_ids": sorted(figures.unavailable),
                    },
                    "in_hand": {"now": len(figures.in_hand), "max": figures.max_in_hand},
                    "last_read": figures.last_read,
                    "domains_down_at_once": figures.max_domains,
                    "fault_domains_down_at_once": figures.max_fault_domains,
                    "zones_down_at_once": figures.max_zones,
                    "disks_replaced": dict(self.disks_replaced.get(name, {})),
                    "reimages": dict(self.reimages.get(name, {})),
                    "repairs": dict(self.repairs.get(name, {})),
                    "restores": dict(self.restores.get(name, {})),
                    "touched": sorted(self.touched.get(name, ())),
                }
                for name, figures in self.figures.items()
            },
            "domains_down_at_once": max((f.max_domains for f in self.figures.values()), default=0),
            "batches": [batch.as_dict() for batch in self.batches],
            "model_writes": self.writes,
            "actions": self.actions,
            "events": self.events,
            "rolling_upgrades": [{"scale_set": name, **upgrade.as_dict()} for name, upgrade in self.rolling_upgrades],
        }
