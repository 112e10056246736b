# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the judge of Azure's orchestrator looks at: documents, instances, and what one call has read and sent."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .simulated import ScaleSet

if TYPE_CHECKING:
    from simulator.instance import Instance
    from simulator.rolling_upgrade import RollingUpgrade
    from simulator.scale_set import Operation

Document = dict[str, Any]
Changes = dict[str, tuple[Any, Any]]
POLICY, ROLLING, AUTOMATIC = "upgrade_policy", "rollingUpgradePolicy", "automaticOSUpgradePolicy"
HEALTH, EXTENSION, UPGRADE, INFO = "health_monitor", "extension", "rolling_upgrade", "rolling_upgrade_info"
POLICY_PATH = "properties.upgradePolicy"
PROBE_PATH = "properties.virtualMachineProfile.networkProfile.healthProbe"
WINDOWS_PATH = "properties.virtualMachineProfile.osProfile.windowsConfiguration.enableAutomaticUpdates"
# What Azure itself adds to a policy that was written in part (API.md section 3.3).
COMPLETED = (None, 20, "PT0S", False)
TIMEOUT, SLACK = 1800.0, 180.0
UPGRADE_TIMEOUT, HEALTH_TIMEOUT, AUTOMATIC_WAIT = 14400.0, 300.0, 10800.0
GONE_PATIENCE = 900.0
MOST_CALLS, MOST_WRITES = 3000, 10  # Azure allows ten models
# So many requests may stand between the read that a write without an ETag rests on and the write, beside one for each
# instance, and so many seconds: nobody can ask faster.
FEW, BRIEF = 4, 5.0
WRITES = {"PATCH", "PUT", "DELETE", "POST"}
NOTHING_WRITTEN = re.compile(r"nothing (was|has been) (written|changed|sent|done)|wrote nothing", re.IGNORECASE)
NOT_STORED = re.compile(r"(did|has) not store", re.IGNORECASE)
START, CANCEL = ("StartOSUpgrade", "StartExtensionUpgrade"), "Cancel"


def camel(name: str) -> str:
    """`enable_automatic_os_upgrade` as Azure writes it; `os` is `OS` but at the beginning."""
    first, *others = name.split("_")
    return first + "".join("OS" if word == "os" else word.capitalize() for word in others)


def changes(old: Any, new: Any, path: str = "") -> Changes:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return {} if old == new else {path: (old, new)}
    found: Changes = {}
    for key in {**old, **new}:
        found |= changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    return found


def profile_of(document: Document) -> Document:
    profile: Document = document["properties"].get("virtualMachineProfile") or {}
    return profile


def extensions_of(document: Document) -> dict[str, Document]:
    """The properties of the model's extensions, by name in lower case."""
    listed = (profile_of(document).get("extensionProfile") or {}).get("extensions") or []
    return {str(one["name"]).lower(): one.get("properties") or {} for one in listed}


def document_changes(old: Document, new: Document) -> Changes:
    """Extensions by name, as `extensions.<name>.<member>`; `extensions.<name>` where one is new or gone."""

    def plain(document: Document) -> Document:
        found = copy.deepcopy(document)
        found["tags"] = found.get("tags") or {}
        found["extensions"] = extensions_of(found)
        profile_of(found).pop("extensionProfile", None)
        return found

    return changes(plain(old), plain(new))


def is_health(properties: Document | None) -> bool:
    return str((properties or {}).get("type", "")).startswith("ApplicationHealth")


def sources_of(document: Document) -> list[str]:
    found = ["application_health_extension" for one in extensions_of(document).values() if is_health(one)]
    probe = (profile_of(document).get("networkProfile") or {}).get("healthProbe") or {}
    return [*found, "load_balancer_probe"] if probe.get("id") else found


def policy_of(document: Document) -> Document:
    policy: Document = document["properties"].get("upgradePolicy") or {}
    return policy


def mode_of(document: Document) -> str:
    return str(policy_of(document).get("mode") or "Manual")


def automatic_of(document: Document) -> bool:
    return bool((policy_of(document).get(AUTOMATIC) or {}).get("enableAutomaticOSUpgrade"))


def needs_of(document: Document) -> list[str]:
    """What needs a health source."""
    repairs = (document["properties"].get("automaticRepairsPolicy") or {}).get("enabled")
    needs = {"mode Rolling": mode_of(document) == "Rolling", "automatic OS upgrades": automatic_of(document)}
    return [name for name, there in {**needs, "automatic repairs": bool(repairs)}.items() if there]


def follows(document: Document) -> bool:
    """Whether the model's image is whatever is newest."""
    storage = profile_of(document).get("storageProfile") or {}
    reference = storage.get("imageReference") or {}
    named = reference.get("id") or reference.get("sharedGalleryImageId") or reference.get("communityGalleryImageId")
    if named:
        return "/galleries/" in named.lower().replace("sharedg", "g").replace("communityg", "g") and (
            "/versions/" not in named.lower()
        )
    return str(reference.get("version")) == "latest"


def key_of(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))


@dataclass(frozen=True)
class Seen:
    """One instance as Azure showed it; `current`: it has the newest model, and the image that this means then."""

    version: str | None
    available: bool
    counted: bool
    there: bool
    protected: bool
    joining: bool
    current: bool
    created: float
    disk_time: float

    @classmethod
    def of(cls, one: Instance, owner: ScaleSet, newest: str | None, now: float) -> Seen:
        health = one.shown_health(now)
        word = one.shown("health", now) or (health[0] if health else None)
        power = one.shown("power", now) or one.power
        provisioning = one.shown("provisioning", now) or one.provisioning
        there = not (one.gone or one.leaving)
        version = one.shown_exact(now)
        source = bool(sources_of(owner.document))
        return cls(
            version=version,
            # An instance of a set with a source that it has not got yet shows no health: not available, not counted.
            available=power == "running" and provisioning == "Succeeded" and word == ("healthy" if source else word),
            counted=there and not (source and word is None) and not one.joining and one.power != "deallocated",
            there=there,
            protected=one.protect_actions,
            joining=one.joining,
            current=one.generation == owner.generation and (newest is None or one.image.exact == newest),
            created=one.created,
            disk_time=one.disk_time,
        )


@dataclass(frozen=True)
class Met:
    """The set as a request met it."""

    document: Document
    etag: int
    instances: dict[str, Seen]
    upgrade: RollingUpgrade | None
    rolling: bool
    writing: list[Operation]
    state: str
    upgrades: int
    gone: bool


@dataclass
class Written:
    """A write that Azure accepted, whosever."""

    by: str
    old: Document
    new: Document
    entry: dict[str, Any]

    @property
    def changes(self) -> Changes:
        return document_changes(self.old, self.new)


@dataclass
class Call:
    """One call of a module, with what it has read and sent."""

    name: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    check: bool = False
    began: float = 0.0
    first: Document | None = None
    read: Met | None = None
    listed: dict[str, Seen] | None = None
    listed_on: int = -1
    listed_slept: float = 0.0
    seen: dict[str, Seen] = field(default_factory=dict)
    ran: dict[str, str | None] = field(default_factory=dict)
    most_down: int = 0
    least_down: int = 0
    looks: list[tuple[float, str | None, bool]] = field(default_factory=list)
    looked: bool = False
    history: list[Document] | None = None
    calls: int = 0
    since_read: int = 0
    slept: float = 0.0
    sent: int = 0
    writes: list[Written] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    read_back: bool = True
    started: list[RollingUpgrade] = field(default_factory=list)
    answered: bool = False
    cancelled: list[RollingUpgrade | None] = field(default_factory=list)
    lost: bool = False
    gone_at: float | None = None
    failing: bool = False
    told_bad: bool = False
    told_good: bool = False
    secret_sent: bool = False

    def option(self, name: str, default: Any = None) -> Any:
        value = self.options.get(name)
        return default if value is None else value

    @property
    def latest(self) -> str | None:
        return self.looks[-1][1] if self.looks else None

    @property
    def touched(self) -> bool:
        """Whether Azure did something because of it."""
        return bool(self.started or self.cancelled or any(one.changes for one in self.writes))


@dataclass(frozen=True)
class Broken:
    rule: str
    words: str


def short(result: dict[str, Any] | None) -> str:
    return json.dumps({key: value for key, value in (result or {}).items() if key != "arm"}, default=str)[:1500]
