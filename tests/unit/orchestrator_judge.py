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
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .orchestrator_claims import Claims, asked
from .orchestrator_facts import (
    AUTOMATIC,
    AUTOMATIC_WAIT,
    BRIEF,
    CANCEL,
    EXTENSION,
    FEW,
    GONE_PATIENCE,
    HEALTH,
    INFO,
    MOST_CALLS,
    MOST_WRITES,
    POLICY,
    START,
    UPGRADE,
    Broken,
    Call,
    Document,
    Met,
    Seen,
    Written,
    automatic_of,
    document_changes,
    extensions_of,
    follows,
    mode_of,
    needs_of,
    policy_of,
    short,
    sources_of,
)
from .simulated import Controller, Reply, Request, ScaleSet, Simulated

if TYPE_CHECKING:
    from simulator.rolling_upgrade import RollingUpgrade


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
        call.listed_slept += seconds
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
        self.note(f"{call.name} ends: {'failed, ' + message if failed else 'exit 0'} {short(result)}")
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
        if name == "Operations_Get":
            status = (reply.body or {}).get("status")
            call.told_bad |= status in ("Failed", "Canceled")
            call.told_good |= status == "Succeeded"
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
            call.listed, call.listed_on, call.listed_slept = met.instances, met.etag, 0.0
            self._saw(call, met.instances)
        elif name == "VirtualMachines_List" and reply.status == 200:
            call.seen = dict(met.instances)
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
        # No document shows them: whether they differ nobody can know who was not told that his write has succeeded.
        secret = "protectedSettings" in (request.json().get("properties") or {})
        call.secret_sent |= secret
        self._wrote(call, met, new, pinned=False, hidden=secret and not call.told_good)

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

    def _wrote(self, call: Call, met: Met, new: list[Written], *, pinned: bool, hidden: bool = False) -> None:
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
        if not done.changes and not hidden:
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
        wrong = [path for path, pair in done.changes.items() if not asked(call, path, *pair, done)]
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
        if self.owner.flexible:
            return
        # A start carries no ETag: what comes between the list right before it and the start nobody can see.
        shown = call.listed if call.listed_slept <= BRIEF else None
        if self._idle(met.instances) and (shown is None or self._idle(shown)):
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

    @staticmethod
    def _idle(instances: dict[str, Seen]) -> bool:
        """Whether an upgrade to the newest image has nothing to do there."""
        behind = any(seen.there and not seen.protected and not seen.current for seen in instances.values())
        return bool(instances) and not behind and all(seen.available for seen in instances.values())

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
