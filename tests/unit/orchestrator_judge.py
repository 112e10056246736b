# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A judge of the calls beside our own rollouts, which knows nothing of the product: policy, health source, extension,
and Azure's own rolling upgrades.

It looks at each request of each call, at what the request met and at what the call had read by then. What a call says
about itself is compared with the truth of the simulated world and with what Azure had shown to that very call.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .simulated import Controller, Reply, Request, ScaleSet, Simulated

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


class Judge:
    """Watches one simulated Azure. `acting` is the call whose request comes; None while a client comes unjudged."""

    def __init__(self, azure: Simulated, tolerates: Callable[[Broken], bool] = lambda _broken: False) -> None:
        self.azure, self.tolerates = azure, tolerates
        self.acting: Call | None = None
        self.broken: list[Broken] = []
        self.tolerated: list[Broken] = []
        self.history: list[str] = []
        self.owner = azure.scale_set()
        self.written: list[Written] = []
        self.claims = Claims(self)
        self._met: Met | None = None
        self._many = (0, 0)
        self._watch_writes()
        azure.before.append(self._before)
        azure.after.append(self._after)

    def _watch_writes(self) -> None:
        recorder = self.azure.world.recorder
        original = recorder.wrote

        def wrote(now: float, owner: ScaleSet, name: str, by: str, document: Document, client: str = "") -> Document:
            old, new = copy.deepcopy(owner.document), copy.deepcopy(document)
            entry = original(now, owner, name, by, document, client)
            if owner is self.owner:
                self.written.append(Written(by, old, new, entry))
            return entry

        recorder.wrote = wrote  # type: ignore[method-assign]

    def says(self, rule: str, words: str, call: Call | None = None) -> None:
        who = f"{call.name} ({call.module}): " if call else ""
        found = Broken(rule, f"{who}{words} (at {self.azure.world.now:.1f} s)")
        (self.tolerated if self.tolerates(found) else self.broken).append(found)

    def check(self) -> None:
        assert not self.broken, "\n".join(
            ["rules broken:", *(f"  {one.rule}: {one.words}" for one in self.broken), "so far:", *self.history[-60:]]
        )

    def note(self, words: str) -> None:
        self.history.append(f"  {self.azure.world.now:8.1f} {words}")

    # The truth.

    def met(self) -> Met:
        owner, world = self.owner, self.azure.world
        return Met(
            document=copy.deepcopy(owner.document),
            etag=owner.etag,
            instances=self.instances(),
            upgrade=owner.upgrade if owner.upgrade and owner.upgrade.running else None,
            rolling=owner.rolling,
            writing=owner.running("write"),
            state=owner.provisioning_state(world.now),
            upgrades=len(owner.upgrades),
            gone=world.find(owner.resource_group, owner.name) is None,
        )

    def newest(self) -> str | None:
        """The version that the model's image means now."""
        owner = self.owner
        try:
            storage, location = owner.profile["storageProfile"], owner.document["location"]
            found: str | None = self.azure.world.catalogue.resolve(storage, location).exact
        except Exception:  # there is none
            return None
        return found

    def instances(self) -> dict[str, Seen]:
        newest, now = self.newest(), self.azure.world.now
        return {key: Seen.of(one, self.owner, newest, now) for key, one in self.owner.instances.items()}

    def seconds(self, text: str) -> float:
        """Of the virtual time."""
        moment, started = datetime.fromisoformat(text), self.azure.world.started
        return (moment - started.replace(tzinfo=started.tzinfo or moment.tzinfo)).total_seconds()

    def upgrade_of(self, started: str | None, ours: Sequence[RollingUpgrade] = ()) -> RollingUpgrade | None:
        """The upgrade that started then, `ours` first. What an event shows without touching a disk is none."""
        if not started or started == "none":
            return None
        when = self.seconds(started)
        near = [one for one in self.owner.upgrades if abs(one.started - when) < 1.0]
        return min(near, key=lambda one: (one not in ours, abs(one.started - when)), default=None)

    # Each call.

    def began(self, call: Call) -> None:
        call.began = self.azure.world.now
        call.ran = {key: one.image.exact for key, one in self.owner.instances.items()}
        self.note(f"{call.name} begins: {call.module} {call.options}{' (check)' if call.check else ''}")

    def slept(self, call: Call, seconds: float) -> None:
        call.slept += seconds
        if call.gone_at is not None and self.azure.world.now > call.gone_at + GONE_PATIENCE:
            self.says("h waits", f"the set is gone since {call.gone_at:.0f} s", call)
            call.gone_at = None

    def ended(
        self,
        call: Call,
        *,
        result: dict[str, Any] | None = None,
        failed: bool = False,
        message: str = "",
        crash: BaseException | None = None,
    ) -> None:
        """A call has ended by itself: `failed` with `message`, or with exit 0."""
        self.note(f"{call.name} ends: {'failed, ' + message if failed else 'exit 0'} {_short(result)}")
        if crash is not None:
            self.says("i ends", f"{type(crash).__name__}: {crash}", call)
            return
        self.claims.check(call, result or {}, failed=failed, message=message)

    # Each request.

    def _before(self, _request: Request) -> None:
        self._met = self.met()
        self._many = len(self.written), len(self.owner.upgrades)

    def _after(self, request: Request, reply: Reply) -> None:
        call, met = self.acting, self._met
        if call is None or met is None or not request.operation:
            return
        call.calls += 1
        call.since_read += 1
        if call.calls == MOST_CALLS:
            self.says("i ends", f"{call.calls} calls", call)
        if met.gone and call.gone_at is None:
            call.gone_at = self.azure.world.now
        call.failing = reply.status >= 400 or reply.spoil is not None
        if request.method == "GET":
            if reply.status in (200, 404) and reply.spoil is None:
                self._read(call, request, reply, met)
            return
        self.note(
            f"{call.name} {request.operation} {request.body.decode()[:160]} -> {reply.status} {reply.spoil or ''}"
        )
        call.sent += 1
        if call.sent == MOST_WRITES + 1:
            self.says("i ends", f"{call.sent} writes", call)
        self._sent(call, request, reply, met)

    # What it reads.

    def _read(self, call: Call, request: Request, reply: Reply, met: Met) -> None:
        name = request.operation
        if name.startswith(("VirtualMachine", "Operations")):
            down = sum(seen.there and not seen.available for seen in met.instances.values())
            call.most_down = max(call.most_down, down)
        if name == "Operations_Get" and (reply.body or {}).get("status") in ("Failed", "Canceled"):
            call.told_bad = True
        if name == "VirtualMachineScaleSets_Get" and reply.status == 200:
            call.read, call.since_read, call.slept, call.read_back = met, 0, 0.0, True
            call.first = call.first or met.document
        elif name.startswith("VirtualMachineScaleSetExtensions_"):
            call.read_back = True
        elif name.endswith("_GetLatest"):
            status = (reply.body or {}).get("properties", {}).get("runningStatus", {}) if reply.status == 200 else {}
            running = status.get("code") in ("RollingForward", "RollingBack")
            call.looks.append((self.azure.world.now, status.get("startTime"), running))
            call.looked = True
        elif name.endswith("_GetOSUpgradeHistory") and reply.status == 200:
            call.history = copy.deepcopy(reply.body["value"])
        elif name == "VirtualMachineScaleSetVMs_List" and reply.status == 200:
            call.listed, call.listed_on = met.instances, met.etag
            self._saw(call, met.instances)
        elif name.startswith(("VirtualMachines_", "VirtualMachineScaleSetVMs_")) and reply.status == 200:
            one = str(request.parameters.get("machine") or request.parameters.get("vm") or "").lower()
            named = {key: seen for key, seen in met.instances.items() if one in ("", key.lower())}
            call.seen |= named

    @staticmethod
    def _saw(call: Call, instances: dict[str, Seen]) -> None:
        there = {key: seen for key, seen in instances.items() if seen.there}
        call.seen = dict(instances)
        call.least_down = max(call.least_down, sum(seen.counted and not seen.available for seen in there.values()))

    # What it sends.

    def _sent(self, call: Call, request: Request, reply: Reply, met: Met) -> None:
        name = request.operation.partition("_")[2]
        if call.check or call.module == INFO:
            self.says("j idempotence", f"{name} is sent in check mode or by a module that only reads", call)
        new = [one for one in self.written[self._many[0] :] if one.by == "client"]
        if request.operation in ("VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_CreateOrUpdate"):
            self._set_write(call, request, met, new)
        elif request.operation.startswith("VirtualMachineScaleSetExtensions_"):
            self._extension_write(call, request, met, new)
        elif name in START:
            self._start(call, name, reply, met)
        elif name == CANCEL:
            self._cancel(call, reply, met)
        else:
            self.says("m explicit", f"{name} is nothing that this module sends", call)
        if reply.spoil is not None:
            call.lost = True

    def _set_write(self, call: Call, request: Request, met: Met, new: list[Written]) -> None:
        if call.module not in (POLICY, HEALTH):
            self.says("m explicit", "it writes the whole set", call)
        etag = request.headers.get("if-match", "").strip('"')
        if not etag:
            self.says("b etag", "a write without If-Match", call)
        elif call.read is None or etag != str(call.read.etag):
            self.says("b etag", f"If-Match {etag} is of no document that it read last", call)
        body = request.json()
        if call.read is not None:
            self._ready(call, call.read, body)
            self._permitted(call, call.read, mode_of({"properties": body.get("properties") or {}}), body)
        self._wrote(call, met, new, pinned=bool(etag))

    def _extension_write(self, call: Call, request: Request, met: Met, new: list[Written]) -> None:
        """Azure knows no ETag here: what the call rests on must have been asked right before."""
        if call.module not in (HEALTH, EXTENSION):
            self.says("m explicit", "it writes an extension", call)
        if call.read is None or not self._fresh(call):
            self.says("b etag", f"{request.method} of an extension, and the set was not read right before", call)
        if call.read is not None:
            self._permitted(call, call.read, "", {"extension": True})
        self._wrote(call, met, new, pinned=False)

    def _fresh(self, call: Call) -> bool:
        return call.slept <= BRIEF and call.since_read <= FEW + len(self.owner.instances)

    def _ready(self, call: Call, read: Met, body: Document) -> None:
        """What turns something on rests on the document whose ETag it carries."""
        document, policy = read.document, policy_of({"properties": body.get("properties") or {}})
        automatic = (policy.get(AUTOMATIC) or {}).get("enableAutomaticOSUpgrade")
        if automatic and not automatic_of(document) and not follows(document):
            self.says("l not ready", "automatic OS upgrades are turned on, and the image is pinned", call)
        wanted = automatic or policy.get("mode") == "Rolling"
        if wanted and not sources_of(document) and not self._fabric(document):
            self.says("l not ready", f"{policy} is written, and there is no health source", call)

    @staticmethod
    def _fabric(document: Document) -> bool:
        return any("servicefabric" in str(one.get("type", "")).lower() for one in extensions_of(document).values())

    def _permitted(self, call: Call, read: Met, mode: str, body: Document) -> None:
        """Outside of Manual a write needs the user's word, or the proof that every instance has the model."""
        named = policy_of({"properties": body.get("properties") or {}}).get("mode")
        after = mode if named else mode_of(read.document)
        if after == "Manual" or call.option("azure_may_upgrade", False):
            return
        there = {key: seen for key, seen in read.instances.items() if seen.there}
        if self.owner.flexible or call.listed is None:
            unproven = sorted(there)
        else:
            unproven = sorted(key for key, seen in call.listed.items() if seen.there and not seen.current)
            if call.listed_on < read.etag:
                self.says(
                    "a azure acts", f"written with mode {after}, and the list is older than what it rests on", call
                )
        if unproven:
            self.says("a azure acts", f"written with mode {after}; {unproven} are not proven to have the model", call)

    def _wrote(self, call: Call, met: Met, new: list[Written], *, pinned: bool) -> None:
        fresh = self._fresh(call)
        if met.writing and not (set(map(id, met.writing)) <= set(map(id, call.operations))):
            late = self.owner.knobs.set_updating_late > 0
            if call.read is not None and not late and ((pinned and new) or call.read.state == "Updating"):
                self.says("k another's", f"written while {[one.name for one in met.writing]} run", call)
        if call.read is not None and call.read.rolling:
            self.says("k another's", "sent while a rolling upgrade ran that it had been shown", call)
        if not new:
            return
        done = new[0]
        call.writes.append(done)
        call.operations += [one for one in self.owner.running("write") if one not in met.writing]
        call.read_back = False
        if not done.changes:
            self.says("j idempotence", "a write that changes nothing", call)
        self._azure_acts(call, met, done, race=not pinned and fresh)
        self._only_asked(call, done, race=not pinned and fresh)
        self._sources(call, done, race=not pinned and fresh)

    def _azure_acts(self, call: Call, met: Met, done: Written, *, race: bool) -> None:
        """Instances that Azure works on because of the write."""
        touched = set(done.entry["upgraded"])
        for one in self.owner.upgrades[met.upgrades :]:
            touched |= set(one.pending) | set(one.worked_on) if one.kind == "model" else set()
        if not any(path.startswith(("properties.virtualMachineProfile", "extensions")) for path in done.changes):
            listed = call.listed or {}  # what came between the list and the write nobody could see
            behind = {key for key, seen in met.instances.items() if not seen.current}
            touched = {key for key in touched & behind if key not in listed or not listed[key].current}
        if not touched or call.option("azure_may_upgrade", False):
            return
        if race and call.read is not None and mode_of(call.read.document) == "Manual":
            return
        self.says("a azure acts", f"the write makes Azure upgrade {sorted(touched)} in mode {mode_of(done.new)}", call)

    def _only_asked(self, call: Call, done: Written, *, race: bool) -> None:
        read = call.read.document if call.read else None
        wrong = [path for path, pair in done.changes.items() if not _asked(call, path, *pair, done)]
        if race and read is not None:  # what came between the read and the write nobody could see
            unseen = document_changes(read, done.old)
            wrong = [path for path in wrong if path not in unseen]
        if wrong:
            self.says("c only what was asked", f"also changes {sorted(wrong)}", call)

    def _sources(self, call: Call, done: Written, *, race: bool) -> None:
        needs = needs_of(done.new)
        lost = sources_of(done.old) and not sources_of(done.new)
        if not lost or not needs:
            return
        read = call.read.document if race and call.read is not None else None
        if read is not None and (not needs_of(read) or len(sources_of(read)) > 1):
            return  # that it is needed, or that the other source is gone, has come since
        self.says("d health source", f"none is left, and {' and '.join(needs)} need one", call)

    # Azure's own upgrades.

    def _start(self, call: Call, name: str, reply: Reply, met: Met) -> None:
        if call.module != UPGRADE or call.option("state") == "cancelled":
            self.says("m explicit", f"{name} is sent", call)
        if not call.looked:
            self.says("n blind", "a start, and the latest upgrade was not read since the last one", call)
        call.looked = False
        kind = "os" if name == START[0] else "extensions"
        if kind != call.option("type", "os"):
            self.says("e which upgrade", f"starts {kind}, asked was {call.option('type', 'os')}", call)
        self._may_start(call, met)
        new = [one for one in self.owner.upgrades[self._many[1] :] if one.started_by == "User" and one.kind != "model"]
        if reply.status == 202 and new:
            call.started.append(new[0])
            call.answered = reply.spoil is None

    def _may_start(self, call: Call, met: Met) -> None:
        if call.option("upgrade_started"):
            self.says("e which upgrade", "another one is started than the one that is meant", call)
        known = call.options.get("upgrade_known")
        if known and call.looks:
            same = call.latest is None if known == "none" else call.latest and self.same(known, call.latest)
            if not same and self._kind(call.latest) == "os" == call.option("type", "os"):
                self.says("e which upgrade", f"one came since {known}, and another one is started", call)
        if call.started and call.answered:
            self.says("n blind", "a second start", call)
        if call.looks and call.looks[-1][2]:
            self.says("e which upgrade", "a start while it is shown that one runs", call)
        if call.option("type", "os") == "os" and call.read is not None:
            self._may_start_os(call, met, call.read)

    def _may_start_os(self, call: Call, met: Met, read: Met) -> None:
        if not follows(read.document):
            self.says("l not ready", "a start, and the image is pinned", call)
        behind = [key for key, seen in met.instances.items() if seen.there and not seen.protected and not seen.current]
        if self.owner.flexible:
            return
        if met.instances and not behind and not any(not s.available for s in met.instances.values()):
            self.says("j idempotence", "a start, and every instance runs the newest image", call)
        if call.option("state") == "completed" and automatic_of(read.document):
            wait = float(call.option("wait_for_start", AUTOMATIC_WAIT))
            tried = {
                str(one.target.exact)
                for one in self.owner.upgrades[: met.upgrades]
                if one.target is not None and one.started_by == "Platform" and not one.running
            }
            insists = "wait_for_start" in call.options or self.newest() not in tried
            if self.azure.world.now < call.began + wait and insists:
                self.says("e which upgrade", "Azure was to start it by itself, and had time for it", call)

    def same(self, one: str, other: str) -> bool:
        return abs(self.seconds(one) - self.seconds(other)) < 1.0

    def _kind(self, started: str | None) -> str:
        found = self.upgrade_of(started)
        return found.kind if found else ""

    def _cancel(self, call: Call, reply: Reply, met: Met) -> None:
        if call.module != UPGRADE or call.option("state") != "cancelled":
            self.says("m explicit", "a cancellation is sent", call)
        if not call.looked:
            self.says("n blind", "a cancellation, and the latest upgrade was not read since the last one", call)
        call.looked = False
        meant = call.option("upgrade_started") or next((one for _at, one, runs in call.looks if runs), None)
        if meant is None:
            self.says("e which upgrade", "a cancellation, and it was shown none that runs", call)
        elif call.latest is None or not self.same(meant, call.latest) or not call.looks[-1][2]:
            self.says("e which upgrade", f"{meant} is meant, and {call.latest} is cancelled", call)
        elif met.upgrade is not None and self.upgrade_of(meant) is not met.upgrade and call.slept > BRIEF:
            self.says("e which upgrade", f"{meant} is meant; another one has come, which it did not look for", call)
        if reply.status == 202:
            call.cancelled.append(met.upgrade)


def _asked(call: Call, path: str, old: Any, new: Any, done: Written) -> bool:
    """Whether the options ask for this change, or Azure itself makes it."""
    if call.module == POLICY:
        return _policy_asked(call, path, old, new)
    if call.module == HEALTH:
        return _health_asked(call, path, old, new, done)
    if call.module == EXTENSION:
        return _extension_asked(call, path)
    return False


def _policy_asked(call: Call, path: str, old: Any, new: Any) -> bool:
    if path == WINDOWS_PATH and automatic_of({"properties": {"upgradePolicy": _policy_wanted(call)}}):
        return True
    if path != POLICY_PATH and not path.startswith(f"{POLICY_PATH}."):
        return False
    wanted: Any = _policy_wanted(call)
    for part in path.removeprefix(POLICY_PATH).split(".")[1:]:
        wanted = wanted.get(part) if isinstance(wanted, dict) else None
    if old is None:
        return _policy_fits(path, wanted, new)
    return wanted is not None and _equal(path, new, wanted)


def _policy_fits(path: str, wanted: Any, new: Any) -> bool:
    """What is new is asked for, or Azure's own completion."""
    if isinstance(new, dict):
        inner = wanted if isinstance(wanted, dict) else {}
        return all(_policy_fits(key, inner.get(key), value) for key, value in new.items())
    return new in COMPLETED if wanted is None else _equal(path, new, wanted)


def _policy_wanted(call: Call) -> Document:
    wanted: Document = {"mode": call.options["mode"]} if call.options.get("mode") else {}
    for option, member in (("rolling_upgrade_policy", ROLLING), ("automatic_os_upgrade_policy", AUTOMATIC)):
        given = {camel(key): value for key, value in (call.options.get(option) or {}).items() if value is not None}
        if given:
            wanted[member] = given
    return wanted


def _equal(path: str, new: Any, wanted: Any) -> bool:
    """A pause may be written in two ways."""
    return bool(new == wanted) or (path.endswith("pauseTimeBetweenBatches") and wanted is not None)


def _health_asked(call: Call, path: str, old: Any, new: Any, done: Written) -> bool:
    source, absent, replace = call.option("source"), call.option("state") == "absent", call.option("replace", False)
    if path.startswith(PROBE_PATH):
        if source == "load_balancer_probe" and not absent:
            return not path.endswith(".id") or new == call.option("probe_id")
        return ((absent and source in (None, "load_balancer_probe")) or replace) and not new
    if not path.startswith("extensions."):
        return False
    name = path.split(".")[1]
    if not is_health(extensions_of(done.old).get(name)) and not is_health(extensions_of(done.new).get(name)):
        return False
    if name not in extensions_of(done.new):
        return bool(source == "load_balancer_probe" and replace) or (absent and source != "load_balancer_probe")
    return source == "application_health_extension" and not absent and _setting_asked(call, path, old, new)


SETTINGS = {
    "protocol": ("protocol",),
    "port": ("port", "protocol"),
    "requestPath": ("request_path", "protocol"),
    "intervalInSeconds": ("interval_in_seconds",),
    "numberOfProbes": ("number_of_probes",),
    "gracePeriod": ("grace_period", "health_states"),
    "typeHandlerVersion": ("health_states",),
}


def _setting_asked(call: Call, path: str, old: Any, new: Any) -> bool:
    member = path.rpartition(".")[2]
    if path.count(".") == 1 or old is None:
        return True
    return any(call.options.get(option) is not None for option in SETTINGS.get(member, ())) and old != new


def _extension_asked(call: Call, path: str) -> bool:
    name = str(call.options["extension"]).lower()
    if path == f"extensions.{name}":
        return True
    if not path.startswith(f"extensions.{name}."):
        return False
    member, *inner = path.removeprefix(f"extensions.{name}.").split(".")
    members = {
        "settings", "publisher", "type", "type_handler_version", "auto_upgrade_minor_version", "protected_settings",
        "enable_automatic_upgrade", "force_update_tag", "provision_after_extensions",
    }  # fmt: skip
    option = next((name for name in members if camel(name) == member), None)
    if option is None or call.options.get(option) is None:
        return False
    return option != "settings" or not inner or inner[0] in call.options["settings"]


def _short(result: dict[str, Any] | None) -> str:
    return json.dumps({key: value for key, value in (result or {}).items() if key != "arm"}, default=str)[:1500]


class Claims:
    """What a call says when it ends, against what it had read and against the truth."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def says(self, rule: str, words: str, call: Call) -> None:
        self.judge.says(rule, words, call)

    def check(self, call: Call, result: dict[str, Any], *, failed: bool, message: str) -> None:
        self._secrets(call, f"{message} {json.dumps(result, default=str)}")
        self._time(call)
        self._changed(call, result, message)
        if call.check:
            return
        if call.module == UPGRADE:
            self._upgrade(call, result, failed=failed)
        elif call.module == INFO:
            self._info(call, result)
        elif failed:
            self._failed_write(call, message)
        else:
            self._stored(call, result)

    def _secrets(self, call: Call, text: str) -> None:
        for value in (call.options.get("protected_settings") or {}).values():
            if len(str(value)) > 3 and str(value) in text:
                self.says("o secrets", "a protected setting is shown", call)

    def _time(self, call: Call) -> None:
        took = self.judge.azure.world.now - call.began
        if call.module == INFO:
            return
        if call.module != UPGRADE:
            most = float(call.option("timeout", TIMEOUT))
        else:
            automatic = call.first is not None and automatic_of(call.first) and call.option("state") == "completed"
            most = float(call.option("wait_for_start", AUTOMATIC_WAIT if automatic else 0))
            others = len({one for _at, one, _runs in call.looks if one})
            most += float(call.option("timeout", UPGRADE_TIMEOUT)) * max(1, others)
            most += float(call.option("health_timeout", HEALTH_TIMEOUT)) + float(call.option("poll_interval", 30)) * 2
        if took > most + SLACK:
            self.says("h waits", f"{took:.0f} s of at most {most:.0f} s", call)

    def _changed(self, call: Call, result: dict[str, Any], message: str) -> None:
        claimed = result.get("changed")
        if NOTHING_WRITTEN.search(message) and call.touched:
            self.says("g claims", f"it says {message[:200]!r}, and something was", call)
        if claimed is False and call.touched and not call.check:
            self.says("g claims", "changed is false, and something was changed", call)
        watched = self.judge.upgrade_of(result.get("upgrade_started"), call.started)
        meanwhile = watched is not None and (watched.ended is None or watched.ended >= call.began)
        meanwhile = meanwhile or any(runs for _at, _one, runs in call.looks)
        if claimed and not call.check and not (call.touched or call.writes or call.lost or meanwhile):
            self.says("g claims", "changed is true, and nothing was", call)

    # Writes of the model.

    def _failed_write(self, call: Call, message: str) -> None:
        truth = self.judge.owner.document
        if NOT_STORED.search(message) and call.writes and not self._missing(call, truth):
            self.says("g claims", f"it says {message[:200]!r}, and all of it is stored", call)
        mine = [one for one in call.writes if call.module == HEALTH and one.changes]
        if mine and sources_of(truth) != sources_of(mine[0].old) and self._unsaid(sources_of(truth), message):
            self.says("g claims", f"there are {sources_of(truth)} now, and {message[:200]!r} does not say so", call)

    @staticmethod
    def _unsaid(there: list[str], message: str) -> bool:
        text = message.lower()
        words = {"application_health_extension": "extension", "load_balancer_probe": "probe"}
        if not there:
            return not re.search(r"\b(no|none|without)\b", text)
        return not all(words[one] in text for one in there)

    def _stored(self, call: Call, result: dict[str, Any]) -> None:
        read = call.read.document if call.read else None
        if read is None:
            self.says("f read back", "exit 0, and the set was never read", call)
            return
        if call.writes and not call.read_back:
            self.says("f read back", "exit 0, and nothing was read after the last write", call)
        missing = self._missing(call, read)
        if missing:
            self.says("f read back", f"exit 0, and the set that it read last has not {missing}", call)
        self._after(call, result, read)
        self._operation(call, result)

    def _operation(self, call: Call, result: dict[str, Any]) -> None:
        bad = [one for one in call.operations[-1:] if one.status in ("Failed", "Canceled")]
        if not bad:
            return
        if call.options.get("protected_settings"):
            self.says("f read back", f"exit 0, and the operation ended {bad[0].status}; nobody can read them", call)
        elif call.told_bad and not (result.get("note") or result.get("notes") or result.get("warnings")):
            self.says("g claims", f"the operation ended {bad[0].status}, and nothing says so", call)

    def _missing(self, call: Call, document: Document) -> dict[str, Any]:
        """What was asked and is not in the document."""
        if call.module == POLICY:
            there, found = policy_of(document), {}
            for path, (_old, wanted) in changes({}, {"": _policy_wanted(call)}).items():
                for name, value in (wanted if isinstance(wanted, dict) else {path: wanted}).items():
                    pairs = value.items() if isinstance(value, dict) else [("", value)]
                    for member, one in pairs:
                        stored = (there.get(name) or {}).get(member) if member else there.get(name, "Manual")
                        if not _equal(member, stored, one) and not (stored is None and one in COMPLETED):
                            found[member or name] = one
            return found
        if call.module == HEALTH:
            return self._missing_source(call, document)
        return self._missing_extension(call, document)

    @staticmethod
    def _missing_source(call: Call, document: Document) -> dict[str, Any]:
        there, source = sources_of(document), call.option("source")
        if call.option("state") == "absent":
            left = [one for one in there if source in (None, one)]
            return {"absent": left} if left else {}
        found: dict[str, Any] = {} if there == [source] else {"source": source, "but": there}
        if source == "application_health_extension":
            health = next((one for one in extensions_of(document).values() if is_health(one)), {})
            settings = health.get("settings") or {}
            for option in ("protocol", "port", "request_path", "interval_in_seconds", "number_of_probes"):
                wanted = call.options.get(option)
                if wanted is not None and str(settings.get(camel(option))) != str(wanted):
                    found[option] = wanted
        elif ((profile_of(document).get("networkProfile") or {}).get("healthProbe") or {}).get("id", "").lower() != str(
            call.option("probe_id")
        ).lower():
            found["probe_id"] = call.option("probe_id")
        return found

    @staticmethod
    def _missing_extension(call: Call, document: Document) -> dict[str, Any]:
        stored = extensions_of(document).get(str(call.options["extension"]).lower())
        if call.option("state") == "absent":
            return {"absent": True} if stored is not None else {}
        if stored is None:
            return {"extension": call.options["extension"]}
        found = {}
        for option in ("publisher", "type", "type_handler_version", "force_update_tag", "enable_automatic_upgrade"):
            wanted = call.options.get(option)
            if wanted is not None and stored.get(camel(option)) != wanted:
                found[option] = wanted
        settings = stored.get("settings") or {}
        given = (call.options.get("settings") or {}).items()
        return {**found, **{key: value for key, value in given if settings.get(key) != value}}

    def _after(self, call: Call, result: dict[str, Any], read: Document) -> None:
        """`after` is what was read last."""
        after = result.get("after")
        if call.module == POLICY and after:
            policy = policy_of(read)
            said, stored = after.get("mode"), mode_of(read)
            pairs = [("mode", said, stored)] if said else []
            for option, member in (("rolling_upgrade_policy", ROLLING), ("automatic_os_upgrade_policy", AUTOMATIC)):
                for key, value in (after.get(option) or {}).items():
                    there = (policy.get(member) or {}).get(camel(key))
                    pairs += [(key, value, there)] if there is not None else []
            wrong = {key: (said, there) for key, said, there in pairs if said != there}
        elif call.module == HEALTH and after is not None:
            named = sorted(key for key, value in after.items() if value)
            wrong = {} if named == sorted(set(sources_of(read))) else {"sources": (named, sources_of(read))}
        elif call.module == EXTENSION:
            wrong = self._extension_after(call, after, read)
        else:
            wrong = {}
        if wrong:
            self.says("f read back", f"after says and the set that it read last has {wrong}", call)

    @staticmethod
    def _extension_after(call: Call, after: Any, read: Document) -> dict[str, Any]:
        stored = extensions_of(read).get(str(call.options["extension"]).lower())
        if (stored is None) != (not after):
            return {"extension": (after, stored)}
        known = {key: stored.get(camel(key)) for key in (after or {})} if stored else {}
        return {key: (after[key], there) for key, there in known.items() if there is not None and there != after[key]}

    # Azure's upgrades.

    def _upgrade(self, call: Call, result: dict[str, Any], *, failed: bool) -> None:
        if not result:
            return
        meant = self._meant(call, result)
        self._looks(call, result)
        self._instances(call, result, meant)
        self._outcome(call, result, meant, failed=failed)
        if meant is not None:
            self._told(call, result, meant)
        self._down(call, result, meant)

    def _meant(self, call: Call, result: dict[str, Any]) -> RollingUpgrade | None:
        judge, said = self.judge, result.get("upgrade_started")
        given = call.option("upgrade_started")
        if given and said and judge.upgrade_of(given) is not judge.upgrade_of(said):
            self.says("e which upgrade", f"{given} was meant, and the result is about {said}", call)
        meant = judge.upgrade_of(said, call.started)
        if said and meant is None and not any(one and judge.same(one, said) for _at, one, _runs in call.looks):
            self.says("e which upgrade", f"no upgrade started at {said}", call)
        if meant is None:
            return None
        ours = meant in call.started
        if ours == bool(result.get("adopted")) and not call.lost and not given:
            who = "this call" if ours else "somebody else"
            self.says("g claims", f"adopted is {result.get('adopted')}, and {said} was started by {who}", call)
        wanted = {"os": "os", "extensions": "extension"}[call.option("type", "os")]
        if call.option("state") != "cancelled" and not given and meant.kind != wanted:
            self.says("e which upgrade", f"{said} is an upgrade of kind {meant.kind}, asked was {wanted}", call)
        return meant

    def _looks(self, call: Call, result: dict[str, Any]) -> None:
        """`before` and `after` are looks of this call."""
        first = call.looks[0][1] if call.looks else None
        before, after = result.get("before"), result.get("after")
        if before and not (first and self.judge.same(before["started"], first)):
            self.says("f read back", f"before is of {before['started']}; first shown was {first}", call)
        shown = [one for _at, one, _runs in call.looks if one]
        if after and not any(self.judge.same(after["started"], one) for one in shown):
            self.says("f read back", f"after is of {after['started']}, which it was not shown", call)
        if after and shown and self.judge.same(after["started"], shown[-1]) and after["running"] != call.looks[-1][2]:
            self.says("f read back", f"after says running {after['running']}, which is not what it saw last", call)

    def _instances(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None) -> None:
        target = ((result.get("rollout_result") or {}).get("target_image") or {}).get("version")
        if call.option("type", "os") != "os" or not target:
            return
        wrong = []
        for key in result.get("done") or []:
            seen = call.seen.get(key)
            new_disk = seen is not None and meant is not None and seen.disk_time >= meant.started
            if seen is None or (key_of(seen.version) < key_of(target) if seen.version else not new_disk):
                wrong.append(f"{key}: {seen.version if seen else None}")
        if wrong:
            self.says("f read back", f"done are said to be {wrong}, target {target}", call)
        for key, one in ((result["rollout_result"].get("instances")) or {}).items():
            seen = call.seen.get(key)
            back = one.get("outcome") == "rolled_back"
            if seen and back and key_of(seen.version) >= key_of(target):
                self.says("f read back", f"{key} is said to be back, and it showed {seen.version}", call)
            if seen and seen.version and one.get("outcome") == "upgraded" and key_of(seen.version) < key_of(target):
                self.says("f read back", f"{key} is said to be upgraded, and it showed {seen.version}", call)

    def _outcome(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None, *, failed: bool) -> None:
        outcome, state = (result.get("rollout_result") or {}).get("outcome"), call.option("state")
        if state == "cancelled":
            self._cancelled(call, outcome, meant, failed=failed)
        elif state == "started" and not failed and not meant and outcome != "unchanged":
            self.says("g claims", "exit 0, and no upgrade was started or adopted", call)
        if not failed and state != "cancelled" and call.option("type", "os") == "os":
            finished = state == "completed" or outcome == "unchanged"
            if finished and outcome in ("upgraded", "unchanged"):
                self._all_have_it(call, result, meant, outcome)
        if failed and outcome == "failed" and meant in call.started and meant.running and not call.failing:
            took = self.judge.azure.world.now - call.began
            if took < float(call.option("timeout", UPGRADE_TIMEOUT)):
                self.says("g claims", f"failed after {took:.0f} s, and the upgrade that it started runs", call)

    def _cancelled(self, call: Call, outcome: Any, meant: RollingUpgrade | None, *, failed: bool) -> None:
        if not failed and meant is not None and meant.running:
            self.says("g claims", "exit 0, and the upgrade that was to be cancelled runs", call)
        if outcome == "upgraded" and meant is not None and meant.code != "Completed":
            self.says("g claims", f"upgraded, and the upgrade ended {meant.code}", call)

    def _all_have_it(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None, outcome: Any) -> None:
        image = (result.get("rollout_result") or {}).get("target_image") or {}
        target = image.get("version") or self.judge.newest()
        spared = {*(result.get("left_alone") or {}), *(result.get("unproven") or {})}
        since = meant.started if meant else call.began
        chosen = {
            key: seen for key, seen in call.seen.items()
            if seen.there and not seen.joining and seen.created <= since and key not in spared
        }  # fmt: skip
        chosen = {key: seen for key, seen in chosen.items() if not (seen.protected and self.judge.owner.flexible)}
        old = {key: seen.version for key, seen in chosen.items() if key_of(seen.version) < key_of(target)}
        if old and target:
            self.says("g claims", f"exit 0, {outcome}, and of target {target} they showed {old}", call)
        sick = sorted(key for key, seen in chosen.items() if seen.counted and not seen.available)
        if sick and outcome == "upgraded":
            self.says("g claims", f"exit 0, {outcome}, and {sick} were not available when it looked last", call)

    def _told(self, call: Call, result: dict[str, Any], meant: RollingUpgrade) -> None:
        reason = result.get("reason")
        code = (meant.error or {}).get("code")
        if reason and reason.get("code") != code:
            self.says("g claims", f"reason is {reason.get('code')}, and the upgrade's is {code}", call)
        by = result.get("started_by")
        if by and call.history is not None and by != "Unknown" and by != meant.started_by:
            self.says("g claims", f"started by {by}, in truth by {meant.started_by}", call)
        restored = result.get("restored")
        if restored is not None and not meant.running and restored != meant.restored:
            self.says("g claims", f"restored {restored}, in truth {meant.restored}", call)
        self._put_back(call, result, meant)

    def _put_back(self, call: Call, result: dict[str, Any], meant: RollingUpgrade) -> None:
        for part in result.get("put_back") or []:
            version = (part.get("image") or {}).get("version")
            for key in part.get("all") or []:
                one = self.judge.owner.instances.get(key)
                if one is not None and one.created > meant.started:
                    self.says("g claims", f"{key} is to be put back, and it was made meanwhile", call)
                if one is not None and key not in meant.worked_on and key not in (part.get("assumed") or []):
                    self.says("g claims", f"{key} is to be put back, and the upgrade did not work on it", call)
                before = meant.previous.get(key)
                ran = before.image.exact if before else call.ran.get(key)
                if version and ran and key not in (part.get("assumed") or []) and version != ran:
                    self.says("g claims", f"{key} is said to have run {version}, and it ran {ran}", call)

    def _down(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None) -> None:
        seen = ((result.get("rollout_result") or {}).get("unavailable") or {}).get("max_seen")
        most = max(call.most_down, meant.max_unavailable if meant else 0)
        if seen is not None and seen > most:
            self.says("g claims", f"{seen} were seen unavailable, and there were at most {most}", call)
        if seen is not None and not self.judge.owner.flexible and seen < call.least_down:
            self.says("g claims", f"{seen} were seen unavailable, and Azure showed {call.least_down}", call)

    def _info(self, call: Call, result: dict[str, Any]) -> None:
        latest = result.get("latest")
        if latest and (call.latest is None or not self.judge.same(latest["started"], call.latest)):
            self.says("f read back", f"latest is of {latest['started']}; shown was {call.latest}", call)
        told = result.get("history")
        if told is not None and call.history is not None and len(told) != len(call.history):
            self.says("f read back", f"{len(told)} upgrades in the history; shown were {len(call.history)}", call)


class Watch:
    """The clock of a call that is played without a controller: the judge sees it sleep."""

    def __init__(self, judge: Judge, call: Call) -> None:
        self.judge, self.call = judge, call

    def now(self) -> float:
        return self.judge.azure.now()

    def sleep(self, seconds: float) -> None:
        self.judge.slept(self.call, seconds)
        self.judge.azure.sleep(seconds)


class Watched(Controller):
    """A controller whose every request is judged, as one call."""

    def __init__(self, judge: Judge, call: Call, work: Callable[[Controller], Any]) -> None:
        self.judge, self.call = judge, call
        super().__init__(judge.azure, work, call.name)

    def sleep(self, seconds: float) -> None:
        self.judge.slept(self.call, seconds)
        super().sleep(seconds)

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        self._give_way()
        request.headers["x-simulated-client"] = self.name
        self.judge.acting = self.call
        try:
            return self.azure.send(request, *args, **options)
        finally:
            self.judge.acting = None
