# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A judge of rollouts that knows nothing of the product: what a rollout may never do, looked up in the simulated world.

It looks at each request of each run and at what the request met, and keeps what the run had read by then. What a run
says about itself is only compared with the truth. Knobs that let Azure show something else than the truth are not for
it: what a list of the instances shows is what they are then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .judged_run import TAG, Model, Run, Seen, document_changes
from .simulated import Controller, Reply, Request, ScaleSet, Simulated

MODE, IMAGE = "properties.upgradePolicy.mode", "properties.virtualMachineProfile.storageProfile.imageReference"
HEALTH_TIMEOUT = 300.0
MOST_CALLS, LONGEST = 3000, 2 * 86400.0


@dataclass(frozen=True)
class Broken:
    rule: str
    words: str


class Judge:
    """Watches one simulated Azure. `acting` is the run whose request comes; None while a client comes unjudged."""

    def __init__(self, azure: Simulated, tolerates: Callable[[Broken], bool] = lambda _broken: False) -> None:
        self.azure, self.tolerates = azure, tolerates
        self.acting: Run | None = None
        self.broken: list[Broken] = []
        self.tolerated: list[Broken] = []
        self.history: list[str] = []
        self.working: dict[str, str] = {}
        self.suspended_by: dict[str, str] = {}
        self.record_lost = False
        self._met: Model | None = None
        self._counts = (0, 0)
        azure.before.append(self._before)
        azure.after.append(self._after)

    @property
    def owner(self) -> ScaleSet:
        return self.azure.scale_set()

    def says(self, rule: str, words: str, run: Run | None = None) -> None:
        found = Broken(rule, f"{f'{run.name}: ' if run else ''}{words} (at {self.azure.world.now:.1f} s)")
        (self.tolerated if self.tolerates(found) else self.broken).append(found)

    def check(self) -> None:
        assert not self.broken, "\n".join(
            ["rules broken:", *(f"  {one.rule}: {one.words}" for one in self.broken), "so far:", *self.history[-60:]]
        )

    def note(self, words: str) -> None:
        self.history.append(f"  {self.azure.world.now:8.1f} {words}")

    def slept(self, run: Run, seconds: float) -> None:
        run.slept += seconds
        run.slept_since_model += seconds
        run.slept_since_list += seconds
        if run.slept > LONGEST:
            self.says("i endless", f"{run.slept:.0f} s slept", run)

    # What another client does, where the judge must know it.

    def another(self, event: dict[str, Any]) -> None:
        """Before the event."""
        if event["do"] == "service" and event["action"] == "Suspend":
            self.suspended_by[event.get("service", "AutomaticRepairs")] = "another client"
        if any(name.startswith(TAG) for name in (event.get("patch") or {}).get("tags") or {}):
            self.record_lost = True

    # Each request.

    def _before(self, _request: Request) -> None:
        self._met = Model.of(self.owner)
        recorder = self.azure.world.recorder
        self._counts = len(recorder.writes), len(recorder.actions)

    def _after(self, request: Request, reply: Reply) -> None:
        run, met = self.acting, self._met
        if run is None or met is None or not request.operation:
            return
        run.calls += 1
        if run.calls > MOST_CALLS:
            self.says("i endless", f"{run.calls} calls", run)
        name = request.operation.partition("_")[2]
        recorder, (writes, actions) = self.azure.world.recorder, self._counts
        if request.method != "GET":
            self.note(f"{run.name} {name} {request.body.decode()[:110]} -> {reply.status}")
        seen = reply.status == 200 and reply.spoil is None
        if name == "Get" and request.operation.startswith("VirtualMachineScaleSets") and seen:
            self._read(run, met)
        elif name == "List" and seen:
            self._list(run)
        elif request.method in ("PATCH", "PUT"):
            new = [entry for entry in recorder.writes[writes:] if entry["by"] == "client"]
            if new:
                self._wrote(run, request, met, new[0])
        elif name == "SetOrchestrationServiceState" and reply.status == 202:
            self._service(run, request, met)
        elif request.method not in ("GET", "HEAD"):
            taken = [entry for entry in recorder.actions[actions:] if entry["by"] == "client"]
            if taken:
                self._acted(run, request, met, taken[0])
            elif reply.status < 300:
                self.says("d explicit", f"{name} is no action that a rollout takes", run)

    def _read(self, run: Run, met: Model) -> None:
        run.model, run.slept_since_model, run.model_is_new = met, 0.0, True
        if not run.planned:
            run.plan_model = met

    def _list(self, run: Run) -> None:
        owner = self.owner
        run.listed = {key: Seen.of(one, flexible=owner.flexible) for key, one in owner.instances.items()}
        run.listed_at, run.slept_since_list, run.list_is_new = self.azure.world.now, 0.0, True
        there = {key: seen for key, seen in run.listed.items() if key in run.touched}
        run.well |= {key for key, seen in there.items() if seen.available and seen.version == run.expected}
        if not run.planned:
            run.plan_listed = run.listed

    # A write of the model.

    def _wrote(self, run: Run, request: Request, met: Model, entry: dict[str, Any]) -> None:
        run.patches += 1
        now = Model.of(self.owner)
        run.written = now
        found = document_changes(met.document, now.document)
        image = {path for path in found if path.startswith(IMAGE)}
        record = {path for path in found if path.startswith(f"tags.{TAG}")}
        others = {path for path in found if path not in image | record | {MODE}}
        if run.lost:
            self.says("c only the image", "a write after a write that lost members of the model", run)
        loses = self.owner.knobs.image_write_loses
        lost = {path for path in others if loses and image and path.endswith(loses)}
        run.lost = run.lost or bool(lost)
        others -= lost
        if others:
            self.says("c only the image", f"the write also changes {sorted(others)}", run)
        self._onto_what_was_read(run, request, met, entry)
        if MODE in found:
            if not run.command.asks_manual or now.mode != "Manual" or image | record | others:
                self.says("a mode", f"the mode is written with {sorted(found)}, asked: {run.command.asks_manual}", run)
            return
        if met.mode != "Manual" or met.automatic or met.rolling:
            state = f"mode {met.mode}, automatic OS upgrade {met.automatic}, rolling upgrade {met.rolling}"
            self.says("a mode", f"written at {state}: {sorted(found)}", run)
        if image:
            self._image(run, met, now)
        if record:
            self._record(run, met, now)

    def _onto_what_was_read(self, run: Run, request: Request, met: Model, entry: dict[str, Any]) -> None:
        if "if-match" not in request.headers:
            self.says("c only the image", "a write without If-Match", run)
        elif run.model is None or run.model.etag != met.etag:
            self.says("c only the image", "a write with an ETag that the run has not read", run)
        if entry["upgraded"]:
            self.says("a mode", f"the write makes Azure upgrade {entry['upgraded']}", run)
        if entry["while_writing"]:
            self.says("c only the image", f"a write while {entry['while_writing']} run", run)

    def _image(self, run: Run, met: Model, now: Model) -> None:
        target = run.command.target
        if now.image == "latest":
            self.says("a mode", "the word latest is written", run)
        if now.image == target:
            planned = run.plan_model.image if run.plan_model else None
            if met.image not in (planned, target):
                words = f"{met.image} is overwritten with {now.image}; planned on {planned}"
                self.says("b another's image", words, run)
        elif met.image != target:
            self.says("b another's image", f"{met.image} is overwritten with {now.image} on the way back", run)
        elif not run.images and (run.plan_model is None or run.plan_model.image != target):
            self.says("b another's image", f"goes back from {target}, which it neither wrote nor planned on", run)
        elif met.tag("state") == "finished" and met.tag("target").endswith(target):
            self.says("g finished", f"a finished rollout is set back to {now.image}", run)
        run.images.append(now.image)

    def _record(self, run: Run, met: Model, now: Model) -> None:
        theirs, ours = met.tag("rollout"), now.tag("rollout")
        planned = run.plan_model.tag("rollout") if run.plan_model else ""
        if met.open and theirs != ours and not (run.command.take_over and theirs == planned):
            self.says("b another's record", f"the open record {theirs} is overwritten with {ours}", run)
        if theirs == ours and planned != ours and not run.images and run.patches == 1:
            self.says("b another's record", f"writes on {theirs}, which it had not planned on", run)
        if now.tag("state") == "finished" and met.tag("state") != "finished":
            self._all_upgraded(run, "the record says finished")
            if now.image != run.command.target:
                self.says("h claims", f"the record says finished and the model names {now.image}", run)

    # Services.

    def _service(self, run: Run, request: Request, met: Model) -> None:
        body = request.json()
        service, action = body["serviceName"], body["action"]
        if action == "Suspend":
            if service not in met.suspended and service not in self._suspended_read(run):
                self.says("j services", f"suspends {service}, and no record on the set says so", run)
            if met.services.get(service) == "Running":
                self.suspended_by[service] = "rollout"
            run.suspended.add(service)
            return
        known = self._suspended_read(run) | run.suspended
        if self.suspended_by.get(service) == "another client" and service not in known:
            self.says("j services", f"resumes {service}, which another client suspended and no record names", run)
        self.suspended_by.pop(service, None)

    @staticmethod
    def _suspended_read(run: Run) -> set[str]:
        found = set(run.model.suspended) if run.model else set()
        return found | (set(run.plan_model.suspended) if run.plan_model else set())

    # An action on instances.

    def _acted(self, run: Run, request: Request, met: Model, entry: dict[str, Any]) -> None:
        ids, target = list(entry["instance_ids"]), run.expected
        forward = target == run.command.target
        asked = request.json().get("instanceIds") or []
        if not asked or any(key in ("*", "%2A") for key in asked):
            self.says("d explicit", f"{entry['action']} names {asked}", run)
        self._reads_before(run, met, target, entry["action"])
        self._not_ours(run, ids, target, forward=forward)
        self._availability(run, ids)
        self._domains(run, ids, met, forward=forward)
        run.acted.append((ids, target))
        run.well -= set(ids)
        run.list_is_new = run.model_is_new = False
        self.working |= dict.fromkeys(ids, met.tag("rollout"))

    def _reads_before(self, run: Run, met: Model, target: str, action: str) -> None:
        model = run.model
        if model is None or not run.model_is_new or run.slept_since_model:
            self.says("d reads", f"{action} without a read of the set right before it", run)
            return
        if not run.listed or not run.list_is_new or run.slept_since_list:
            self.says("d reads", f"{action} without a list of the instances right before it", run)
        if model.image != target:
            self.says("d reads", f"acts for {target} while the model read right before it names {model.image}", run)
        theirs = model.tag("target")
        if model.open and theirs and not theirs.endswith(run.command.target):
            way = "forward" if target == run.command.target else "back"
            self.says("d reads", f"acts {way} although the record {model.tag('rollout')} is of another rollout", run)
        if run.lost:
            self.says("c only the image", "acts after a write that lost members of the model", run)
        if run.overtaken:
            self.says("d reads", f"a second batch after {run.overtaken}", run)
        if met.image != model.image:
            run.overtaken = f"{met.image} was written between a read and the action on it"

    def _not_ours(self, run: Run, ids: list[str], target: str, *, forward: bool) -> None:
        chosen = run.chosen(run.listed)
        for key in ids:
            seen = run.listed.get(key)
            if seen is None:
                self.says("d explicit", f"acts on {key}, which its last list does not have", run)
                continue
            if key not in chosen:
                self.says("d selection", f"acts on {key}, which was not chosen", run)
            if seen.protected:
                self.says("d protected", f"acts on {key}, which its last list shows as protected", run)
            if seen.at_work:
                self.says("d another's work", f"acts on {key}, which is {seen.provisioning} by {seen.by}", run)
            if seen.version == target and seen.available:
                self.says("e twice", f"acts on {key}, which runs {target} and is available", run)
            if forward and seen.version > target and not run.command.downgrade:
                self.says("d newer", f"brings {key} from {seen.version} to {target}", run)
        if not forward:
            return
        for key in run.touched - set(ids):
            seen = run.listed.get(key)
            if seen and seen.there and seen.version != target and not (seen.protected or seen.at_work):
                self.says("h proof", f"goes on while {key} of an earlier batch runs {seen.version}", run)

    def _availability(self, run: Run, ids: list[str]) -> None:
        there = sum(seen.there for seen in run.listed.values())
        down = {key for key, seen in run.listed.items() if seen.counted and not seen.available}
        taken = {key for key in ids if key in run.listed and run.listed[key].available}
        text = run.command.limit
        limit = max(1, there * int(text[:-1]) // 100) if text.endswith("%") else int(text)
        if taken and len(down | taken) > limit:
            words = f"takes {sorted(taken)} while {sorted(down)} are unavailable; {limit} of {there} may be"
            self.says("e availability", words, run)

    def _domains(self, run: Run, ids: list[str], met: Model, *, forward: bool) -> None:
        domains = {run.listed[key].domain for key in ids if key in run.listed}
        if len(domains) > 1:
            self.says("f domains", f"acts on {ids} of {len(domains)} domains", run)
        for key, seen in run.listed.items():
            if key in ids or seen.domain in domains or self.working.get(key) != met.tag("rollout"):
                continue
            ours = seen.at_work and seen.by != "another client"
            waits = seen.provisioning == "Succeeded" and not seen.healthy and seen.there and not seen.at_work
            if ours or (forward and waits and run.listed_at - seen.provisioned < HEALTH_TIMEOUT):
                self.says("f domains", f"acts on {ids} of {domains} while {key} of {seen.domain} is not back", run)

    # A run's end.

    def _outdated(self, run: Run, listed: dict[str, Seen], target: str) -> list[str]:
        """The chosen instances that run something else, and nothing that the list shows excuses it."""
        command = run.command
        return [
            key
            for key, seen in run.chosen(listed).items()
            if seen.there and seen.version != target and not seen.protected and not seen.attached
            and (command.downgrade or seen.version < target)
        ]  # fmt: skip

    def _all_upgraded(self, run: Run, claim: str) -> None:
        left = self._outdated(run, run.listed, run.command.target)
        if left:
            self.says("h claims", f"{claim}, and {left} run {[run.listed[key].version for key in left]}", run)
        unproven = sorted(key for key in run.touched - run.well if key in run.listed and run.listed[key].there)
        unproven = [key for key in unproven if not run.listed[key].protected]
        if unproven:
            self.says("h claims", f"{claim}, and {unproven} were never seen available on {run.command.target}", run)

    def ended(self, run: Run, *, outcome: str, changed: bool, error: BaseException | None = None) -> None:
        """A run has ended by itself, and says so."""
        self.note(f"{run.name} ends: {outcome}, changed {changed}{f', {error!r}' if error else ''}")
        if error is not None:
            self.says("i ends", f"{type(error).__name__}: {error}", run)
            return
        wrote = bool(run.patches or run.acted)
        if outcome in ("upgraded", "unchanged") and changed != wrote:
            self.says("h claims", f"changed is {changed}; {run.patches} writes and {len(run.acted)} actions", run)
        if outcome in ("upgraded", "unchanged"):
            self._all_upgraded(run, f"{outcome}")
        if outcome == "refused" and wrote:
            self.says("h claims", "refused, after something was done", run)
        if outcome == "unchanged" and (run.acted or run.images):
            self.says("h claims", f"unchanged, after {run.acted} and writes of {run.images}", run)
        self._finished_before(run, wrote=wrote)
        record = Model.of(self.owner)
        for service in set() if self.record_lost else run.suspended - record.suspended:
            if self.suspended_by.get(service) == "rollout" and service != self._going(service):
                self.says("j services", f"{service} is suspended, and nothing on the set says so", run)

    def _going(self, service: str) -> str:
        """The service, where it is being resumed."""
        return service if self.owner.service_states().get(service) == "Running" else ""

    def _finished_before(self, run: Run, *, wrote: bool) -> None:
        """What had finished when this run began is neither undone nor written again."""
        plan, command = run.plan_model, run.command
        if plan is None or plan.tag("state") != "finished" or plan.image != command.target or plan.suspended:
            return
        if command.asks_manual or not plan.tag("target").endswith(command.target):
            return
        if wrote and run.chosen(run.plan_listed) and not self._outdated(run, run.plan_listed, command.target):
            self.says("g finished", "the rollout had finished, and is written again", run)

    def rolled_back(self, run: Run, ids: set[str], previous: str) -> None:
        """A run says that these instances are back on the previous image."""
        model = run.model
        if model is None or previous not in (model.image, run.expected):
            self.says("h claims", f"rolled back, and the model names {model.image if model else None}", run)
        for key in sorted(ids):
            seen = run.listed.get(key)
            if seen and seen.there and not seen.protected and seen.version != previous:
                self.says("h claims", f"rolled back, and {key} runs {seen.version}", run)

    def set_back(self, run: Run, previous: str) -> None:
        """A run says that the model names the previous image."""
        known = [run.written.image if run.written else None, run.model.image if run.model else None]
        if previous not in known:
            self.says("h claims", f"the model is said to be back on {previous}; written and read: {known}", run)

    def plan(self, run: Run, *, nothing_to_do: bool, left: list[str], previous: str | None) -> None:
        """What a run's plan says."""
        listed = run.plan_listed
        if nothing_to_do:
            outdated = self._outdated(run, listed, run.command.target)
            if outdated:
                self.says("h claims", f"nothing to do, and {outdated} are outdated", run)
        chosen = run.chosen(listed)
        wrong = [
            key for key in left
            if key not in chosen or chosen[key].protected
            or (chosen[key].version == run.command.target and chosen[key].available)
        ]  # fmt: skip
        if wrong:
            self.says("h claims", f"{wrong} are planned", run)
        if previous is not None and left and not (run.plan_model and run.plan_model.tag("rollout")):
            ran = {seen.version for seen in listed.values()}
            if previous not in ran:
                self.says("h claims", f"previous is {previous}, and the instances ran {sorted(ran)}", run)

    def service_left(self) -> None:
        """After the next run of a command that had left services suspended."""
        for service, who in self.suspended_by.items():
            if who == "rollout" and self.owner.service_states().get(service) == "Suspended" and not self.record_lost:
                self.says("j services", f"{service} stays suspended after the next run")


class Judged(Controller):
    """A controller whose every request is judged. `about` is the method of the request that it is about to send.

    `look` is called before each: there its player says whether it has planned, and whether it is on its way back.
    """

    def __init__(self, judge: Judge, run: Run, work: Callable[[Controller], Any]) -> None:
        self.judge, self.run = judge, run
        self.about = ""
        self.look: Callable[[], None] = lambda: None
        super().__init__(judge.azure, work, run.name)

    def sleep(self, seconds: float) -> None:
        self.judge.slept(self.run, seconds)
        super().sleep(seconds)

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        self.about = str(request.method)
        if "/oauth2/" in str(request.url) or "openid" in str(request.url):
            self.about = "GET"
        self.look()
        self._give_way()
        self.judge.acting = self.run
        try:
            return self.azure.send(request, *args, **options)
        finally:
            self.judge.acting = None
