# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run as the judge sees it: what it was asked, what it has read and what it has done."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.instance import Instance

from .simulated import ScaleSet

Document = dict[str, Any]
TAG = "steady-vmss-"
OPEN = ("in_progress", "going_back")
AT_WORK = ("Creating", "Updating", "Deleting")


@dataclass(frozen=True)
class Command:
    """What a run was asked. `limit`: max_unavailable; `ids`, `update_domains`: the selection."""

    target: str
    limit: str = "20%"
    ids: tuple[str, ...] = ()
    update_domains: tuple[str, ...] = ()
    downgrade: bool = False
    take_over: bool = False
    asks_manual: bool = False
    keep_model: bool = False


@dataclass(frozen=True)
class Seen:
    """One instance as a list of the instances showed it."""

    version: str
    available: bool
    counted: bool
    there: bool
    protected: bool
    at_work: bool
    by: str | None
    provisioning: str
    provisioned: float
    healthy: bool
    asleep: bool
    attached: bool
    domain: tuple[str | None, int | None]
    update_domain: str

    @classmethod
    def of(cls, one: Instance, *, flexible: bool) -> Seen:
        """The virtual machines of a Flexible set do not show whether they are protected."""
        asleep = one.power == "deallocated" and not one.fell
        there = not (one.gone or one.leaving)
        return cls(
            version=one.image.exact or one.image.text(),
            available=one.available,
            counted=there and not one.joining and not asleep,
            there=there and not asleep,
            protected=one.protect_actions and not flexible,
            at_work=bool(one.busy) or one.provisioning in AT_WORK,
            by=one.busy,
            provisioning=one.provisioning,
            provisioned=one.provisioning_time,
            healthy=not one.has_health or one.health == "healthy",
            asleep=asleep,
            attached=one.attached,
            domain=one.domain,
            update_domain=str(one.update_domain),
        )


@dataclass(frozen=True)
class Model:
    """The set as a read of it showed it, or as a write or an action met it."""

    document: Document
    etag: int
    automatic: bool
    rolling: bool
    services: dict[str, str]

    @classmethod
    def of(cls, owner: ScaleSet) -> Model:
        policy = owner.document["properties"].get("upgradePolicy") or {}
        automatic = (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade")
        document = copy.deepcopy(owner.document)
        return cls(document, owner.etag, bool(automatic), owner.rolling, owner.service_states())

    @property
    def image(self) -> str:
        return version_of(self.document)

    @property
    def mode(self) -> str:
        return str((self.document["properties"].get("upgradePolicy") or {}).get("mode", "Manual"))

    @property
    def tags(self) -> dict[str, str]:
        return self.document.get("tags") or {}

    def tag(self, name: str) -> str:
        return self.tags.get(TAG + name, "")

    @property
    def open(self) -> bool:
        """Whether a rollout's record is on it that has not ended."""
        return bool(self.tag("rollout")) and (self.tag("state") or "in_progress") in OPEN

    @property
    def suspended(self) -> set[str]:
        return set(self.tag("suspended").replace(",", " ").split())


def version_of(document: Document) -> str:
    reference = document["properties"]["virtualMachineProfile"]["storageProfile"].get("imageReference") or {}
    return str(reference.get("version"))


def changes(old: Any, new: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return {} if old == new else {path: (old, new)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in {**old, **new}:
        found |= changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    return found


def document_changes(old: Document, new: Document) -> dict[str, tuple[Any, Any]]:
    return changes({**old, "tags": old.get("tags") or {}}, {**new, "tags": new.get("tags") or {}})


@dataclass
class Run:
    """One run of a command, and what it has read and done."""

    name: str
    command: Command
    planned: bool = False
    model: Model | None = None
    plan_model: Model | None = None
    listed: dict[str, Seen] = field(default_factory=dict)
    plan_listed: dict[str, Seen] = field(default_factory=dict)
    listed_at: float = 0.0
    slept_since_model: float = 0.0
    slept_since_list: float = 0.0
    list_is_new: bool = False
    model_is_new: bool = False
    calls: int = 0
    slept: float = 0.0
    images: list[str] = field(default_factory=list)
    back: str = ""
    written: Model | None = None
    patches: int = 0
    acted: list[tuple[list[str], str]] = field(default_factory=list)
    well: set[str] = field(default_factory=set)
    lost: bool = False
    overtaken: str = ""
    suspended: set[str] = field(default_factory=set)

    @property
    def expected(self) -> str:
        """The image that its actions bring."""
        return self.back or (self.images[-1] if self.images else self.command.target)

    @property
    def touched(self) -> set[str]:
        return {key for ids, _version in self.acted for key in ids}

    @property
    def forward(self) -> set[str]:
        """The instances that it brought to the target."""
        return {key for ids, version in self.acted for key in ids if version == self.command.target}

    def chosen(self, listed: dict[str, Seen]) -> dict[str, Seen]:
        command = self.command
        found = {key: seen for key, seen in listed.items() if not command.ids or key in command.ids}
        domains = command.update_domains
        return {key: seen for key, seen in found.items() if not domains or seen.update_domain in domains}
