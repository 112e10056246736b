# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that no rollout may break, judged by the simulator's own figures. Each check returns what is wrong."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import security
import skipped
from draw import NAME, NEW, NEWER, OLD, RECORD, Case
from reasons import OS_UPGRADE, excuses, is_justified
from world import IMAGE, MODE, World, image_change, moved_by_others, new_tags, of_image, worker

OUR_TAGS = "steady-vmss-"
CRASH = re.compile(r"Traceback \(most recent call last\)|MODULE FAILURE|module failed to deserialize|UndefinedError")
# The requests beside GET that a rollout has any business with.
ALLOWED = {
    "VirtualMachineScaleSets_Update",
    "VirtualMachineScaleSets_UpdateInstances",
    "VirtualMachineScaleSets_Reimage",
    "VirtualMachineScaleSets_SetOrchestrationServiceState",
    "VirtualMachineScaleSets_Start",
    "VirtualMachines_Start",
}
UPGRADE = "VirtualMachineScaleSets_UpdateInstances"
ON_INSTANCES = {UPGRADE, "VirtualMachineScaleSets_Reimage", "VirtualMachineScaleSets_Start"}
# Simulated seconds by which a time on the client's clock may be off.
CLOCKS_APART = 15.0
# Two records of one event, rounded.
AT_ONCE = 0.01


class Ran(Protocol):
    """What is read of a run of `ansible-playbook`."""

    @property
    def rc(self) -> int: ...

    @property
    def failures(self) -> list[str]: ...

    @property
    def output(self) -> str: ...

    @property
    def warnings(self) -> list[str]: ...


class KnowsSecrets(Protocol):
    def secrets(self) -> list[str]: ...


def everything(
    case: Case,
    before: World,
    after: World,
    run: Ran,
    result: dict[str, Any] | None,
    sim: KnowsSecrets,
    journals: Path,
    asked: Sequence[dict[str, Any]] = (),
) -> Iterator[str]:
    """All that is wrong with a rollout. `result`: its `rollout_result`, None where it was refused before. `asked`: what
    the user's health check was asked, each with its simulated `time`.
    """
    yield from ending(case, before, after, run, result)
    yield from begins(case, before, after, result)
    yield from names(case, after, result)
    yield from availability(case, after)
    yield from domains(case, after, result)
    yield from sizes(case, after, result)
    yield from writes(case, after)
    yield from security.left(case, after, result["outcome"] if result else "refused", target_of(case, after))
    yield from skipped.skips(case, before, after, run, result)
    yield from services(case, before, after, run)
    yield from hands_off(case, before, after)
    yield from other_clients(after)
    yield from lost_members(case, after, run, result)
    yield from checks(case, after, result, asked)
    yield from claims(after, run, result)
    yield from explicit(after)
    yield from once(after)
    yield from secrets(sim, run, journals)
    if result:
        yield from truth(case, after, result)


def availability(case: Case, world: World) -> Iterator[str]:
    """Rule 1: nobody is taken down where that, with those known to be down, makes more than allowed."""
    for batch in world.batches():
        down = {*batch["down_already"], *batch["taken_down"]}
        allowed = case.most_unavailable(batch["there_then"])
        if batch["taken_down"] and len(down) > allowed:
            yield f"{batch['taken_down']} taken down with {batch['down_already']} down already, {allowed} allowed"


def domains(case: Case, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 2: one domain at a time. An instance whose failure the thresholds tolerate has been let go of, and one that
    another client protects is that client's, as long as it is protected, once what was begun on it has ended.
    """
    figure = {"fault_domain": "fault_domains", "zone": "zones", "domain": "domains"}.get(case.order_by)
    if figure is None or world.figures[f"{figure}_down_at_once"] <= 1:
        return
    let_go = set(_failed(result or {}))
    held: dict[str, float] = {}  # instance id -> when it is available again
    for batch in world.batches():
        now = batch["started"]
        held = {key: until for key, until in held.items() if until > now and not _is_theirs(world, key, now)}
        held |= {key: batch["available"].get(key, math.inf) for key in batch["instance_ids"] if key not in let_go}
        at_once = {_domain(figure, world.instances[key]) for key in held if key in world.instances}
        if len(at_once) > 1:
            yield f"{figure} {sorted(at_once)} in hand at once, with {batch['instance_ids']}"


def _is_theirs(world: World, key: str, now: float) -> bool:
    """Whether the instance is protected then, and nobody works on it."""
    last = {
        what: [entry["to"] for entry in world.changes(what) if entry["instance"] == key and entry["time"] <= now][-1:]
        for what in ("protect_actions", "busy")
    }
    return last["protect_actions"] == [True] and not any(last["busy"])


def _domain(figure: str, instance: dict[str, Any]) -> str:
    fault, update = instance["fault_domain"], instance["update_domain"]
    row = {"zones": None, "fault_domains": fault, "domains": fault if update is None else update}[figure]
    return f"{instance['zone']}/{row}"


def sizes(case: Case, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 1: the n-th batch that was begun takes down no more than the n-th size; what Azure refused was not begun."""
    given = case.variables.get("rollout_batch_size")
    if not isinstance(given, list) or (result or {}).get("outcome") != "upgraded":
        return  # the way back goes in batches of its own
    for number, batch in enumerate(world.batches()):
        step = given[min(number, len(given) - 1)]
        percent = str(step).endswith("%")
        allowed = math.ceil(batch["there_then"] * int(step[:-1]) / 100) if percent else int(step)
        if len(batch["taken_down"]) > max(1, allowed):
            yield f"batch {number + 1} takes down {batch['taken_down']}, more than {step}"


def writes(case: Case, world: World) -> Iterator[str]:
    """Rules 3 and 10: the image and our tags are written and nothing else, in mode Manual, over nobody else's image or
    record. An image that was there when the rollout was planned is what it starts from.
    """
    yield from security.writes(case, world, target_of(case, world))
    # The rollouts whose record it is: its own ones, and what was there before it wrote the image.
    records, begun = {""}, False
    their_image = -math.inf  # when another client wrote the image that is there
    for write in world.metrics["model_writes"]:
        changes, met = write["changes"], str(write["tags"].get(RECORD, ""))
        if not begun:
            records.add(met)
        if write["by"] != "client":
            if of_image(write) and write["time"] >= world.first_read:
                their_image = write["time"]
            continue
        yield from _not_ours(case, changes)
        if write["mode"] != "Manual" and set(changes) != {MODE}:
            yield f"{sorted(changes)} written while the mode was {write['mode']}: {write['upgraded']} went down"
        if write["automatic_os_upgrade"]:
            yield f"{sorted(changes)} written while automatic OS upgrades were on"
        if met not in records:
            yield f"{sorted(changes)} written over the record of the rollout {met}"
        if of_image(write):
            if their_image > -math.inf and (begun or write["planned_on"] <= their_image):
                yield f"another client's image was overwritten: {image_change(write)}"
            their_image, begun = -math.inf, True
        records.add(str(new_tags(write).get(RECORD, "")))


def _not_ours(case: Case, changes: dict[str, Any]) -> Iterator[str]:
    for path, (old, new) in changes.items():
        asked_for = path == MODE and new == "Manual" and case.variables.get("rollout_upgrade_mode")
        lost = _lost(case) and path.endswith(_lost(case)) and new is None
        known = IMAGE.match(path) or path.startswith(f"tags.{OUR_TAGS}") or security.is_security(path)
        if not (known or asked_for or lost):
            yield f"our write changed {path} from {old} to {new}"


def _lost(case: Case) -> str:
    """The member that Azure loses when an image is written; "" where it loses none."""
    found: str = case.scale_set.get("knobs", {}).get("image_write_loses", "")
    return found


def services(case: Case, before: World, after: World, run: Ran) -> Iterator[str]:
    """Rule 7: what was suspended is resumed. What another client asks of a service meanwhile is its own."""
    mine, theirs = before.scale_set["services"], after.scale_set["services"]
    if mine != theirs and not case.did("service") and "could not be resumed" not in "".join(run.failures):
        yield f"the services were {mine} and are {theirs}"


def _cut_off(world: World, by_then: float) -> set[str]:
    """Instances whose upgrade or reimage by this rollout another client has cut off by deallocating them, and that have
    not run since: they look as what our own work has left deallocated.
    """
    begun = {(key, one["started"]) for one in world.batches() for key in one["instance_ids"]}
    ours, found = set(), set()
    for entry in world.timeline:
        key, what, to = entry["instance"], entry["what"], entry["to"]
        if entry["time"] > by_then:
            break
        if what == "busy":
            at_once = any(key == one and abs(entry["time"] - when) < AT_ONCE for one, when in begun)
            ours = ours | {key} if to and to != "another client" and at_once else ours - {key}
        if what == "power" and to == "deallocating" and key in ours:
            found.add(key)
        if what == "power" and to == "running":
            found.discard(key)
    return found


def hands_off(case: Case, before: World, after: World) -> Iterator[str]:
    """Rule 3: no action names an instance that was not chosen, is protected or deallocated, or not made by the set."""
    there = {**before.instances, **after.instances}
    for action in after.metrics["actions"]:
        ids, what = action["instance_ids"], action["action"]
        if action["by"] != "client":
            continue
        if unchosen := [key for key in ids if key in there and not case.chosen(key, there[key])]:
            yield f"{what} of {unchosen}, which were not chosen"
        cut_off = _cut_off(after, action["time"]) - {*action["protected"]} if what == "start" else set()
        if spared := sorted({*action["spared"]} - cut_off):
            yield f"{what} of {spared}, which are protected or deallocated"
        if action["attached"]:
            yield f"{what} of {action['attached']}, which were attached by hand"
        if what == "start" and {*ids} - cut_off != {*action["fallen"]} - cut_off:
            yield f"start of {ids}, of which this rollout has left {action['fallen']} deallocated"
        if what not in ("upgrade", "reimage", "start"):
            yield f"{what} of {ids}"
    skipped = {key for key, i in before.instances.items() if i["protect_actions"]}
    if touched := sorted(skipped & {*after.figures["disks_replaced"]}):
        yield f"protected instances {touched} got a new disk"


def other_clients(world: World) -> Iterator[str]:
    """Rule 3: what another client writes between a read and the action that rests on it costs one batch at most, and
    once it was read, none.
    """
    for time, what in _breaks(world):
        later = [batch for batch in world.batches() if batch["started"] > time]
        knowing = [batch["instance_ids"] for batch in later if batch["model_read"] > time]
        if knowing:
            yield f"another client's {what} was read, and {knowing} were taken down all the same"
        if len(later) > 1:
            yield f"{len(later)} batches after another client's {what}"


def _breaks(world: World) -> Iterator[tuple[float, str]]:
    """What other clients wrote that a rollout must not go on with: when, and what."""
    begun = min((write["time"] for write in world.writes() if of_image(write)), default=math.inf)
    for write in world.writes("another client"):
        changes, time = write["changes"], write["time"]
        if time >= world.first_read and changes.get(MODE, ["", "Manual"])[1] != "Manual":
            yield time, f"mode {changes[MODE][1]}"
        if time >= world.first_read and any(path.startswith(OS_UPGRADE) for path in changes):
            yield time, "automatic OS upgrades"
        if time > begun and of_image(write):
            yield time, f"image ({image_change(write)})"
        if time > begun and RECORD in new_tags(write):
            yield time, f"record {new_tags(write)[RECORD]}"


def lost_members(case: Case, world: World, run: Ran, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 3: a member that is gone after our write stops the rollout before an instance is touched."""
    member = _lost(case)
    gone = [w["time"] for w in world.writes() if any(path.endswith(member) for path in w["changes"])] if member else []
    if not gone:
        return
    if world.batches():
        yield f"{member} was lost, and {[batch['instance_ids'] for batch in world.batches()]} were taken down"
    if more := [sorted(write["changes"]) for write in world.writes() if write["time"] > gone[0]]:
        yield f"{member} was lost, and then {more} were written"
    outcome = result["outcome"] if result else "refused"
    if outcome in ("upgraded", "unchanged") or member.rpartition(".")[2] not in "".join(run.failures[-1:]):
        yield f"{member} was lost, and it ended {outcome}: {run.failures[-1:]}"


def checks(case: Case, world: World, result: dict[str, Any] | None, asked: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Rules 1, 5 and 6: what is called upgraded has passed the user's check; after one that failed nothing more is
    upgraded; what a run before may have left is checked within the limit.
    """
    if case.check is None:
        return
    passed = {key for entry in asked if entry["passed"] for key in entry["instance_ids"]}
    outcome = result["outcome"] if result else "refused"
    upgraded = {key for key, one in (result or {}).get("instances", {}).items() if one["outcome"] == "upgraded"}
    if outcome in ("upgraded", "failed") and (missing := sorted(upgraded - passed)):
        yield f"{missing} are called upgraded and have not passed the user's check"
    failed = [entry["time"] + CLOCKS_APART for entry in asked if not entry["passed"]]
    if failed and outcome in ("upgraded", "unchanged", "failed"):
        yield f"the user's check failed, and it ended {outcome}"
    target = target_of(case, world)
    for batch in world.batches():
        start = batch["started"]
        new = {e["instance"] for e in world.changes("image") if target in str(e["to"]) and e["time"] > start}
        if failed and start > failed[0] and (more := sorted(new & {*batch["instance_ids"]})):
            yield f"{more} got the new image after the user's check had failed"
    for entry in asked:
        if entry["number"] == 0 and len(entry["instance_ids"]) > case.most_unavailable(len(world.instances)):
            yield f"{entry['instance_ids']} were checked together, more than may be unavailable"


def claims(world: World, run: Ran, result: dict[str, Any] | None) -> Iterator[str]:
    """What the last message says, held against the truth."""
    said = run.failures[-1] if run.failures else ""
    for found in re.finditer(r"(?<!Not all of )[Ii]nstances? ([\w-]+(?:(?:, | and )[\w-]+)*) (?:is|are) back\b", said):
        for key in re.split(r", | and ", found[1]):
            one = world.instances.get(key)
            if one is not None and not (OLD in str(one["version"]) and one["available"]):
                yield f"instance {key} is called back; it runs {one['version']}, available: {one['available']}"
    if (
        re.search(r"Not all of instances|nstance \S+ is not back", said)
        and (result or {}).get("outcome") == "rolled_back"
    ):
        yield f"it ended rolled_back, and says: {said}"
    mode = (world.scale_set["document"]["properties"].get("upgradePolicy") or {}).get("mode", "Manual")
    if re.search(r"mode is Manual now", said) and mode != "Manual":
        yield f"the mode is called Manual and is {mode}"
    if re.search(r"nothing (?:was|has been) written", said, re.IGNORECASE) and world.writes():
        yield f"nothing was written, it says, and {[sorted(write['changes']) for write in world.writes()]} were"
    down = _felled_by_us(world)
    if down and re.search(r"unavailable: none", said, re.IGNORECASE):
        yield f"unavailable: none, it says, and {sorted(down)} are down"
    if unnamed := sorted(key for key in down if not re.search(rf"\b{re.escape(key)}\b", said)):
        yield f"{unnamed} were left deallocated by a failed upgrade, and the message does not name them"
    outcome = result["outcome"] if result else "refused"
    if down and outcome in ("upgraded", "unchanged", "rolled_back"):
        yield f"it ended {outcome} with {sorted(down)} deallocated by a failed upgrade"


def _felled_by_us(world: World) -> set[str]:
    """Instances that a failed upgrade has left deallocated, and whose disk nobody else has worked on since ours."""
    return {key for key, one in world.instances.items() if one["fell"] and worker(world, key)[1] == "client"}


def explicit(world: World) -> Iterator[str]:
    """Rules 3 and 4: only known requests, and each action names its instances."""
    for request in world.metrics["non_get"]:
        if request["operation"] not in ALLOWED:
            yield f"{request['method']} of {request['operation']}"
        ids = request.get("instance_ids")
        if request["operation"] in ON_INSTANCES and (not ids or "*" in ids):
            yield f"{request['operation']} names {ids}"


def once(world: World) -> Iterator[str]:
    """Rule 7: no instance gets the same image twice."""
    images = dict.fromkeys(world.instances, "")
    got: Counter[tuple[str, str]] = Counter()
    for entry in world.timeline:
        if entry["what"] == "image":
            images[entry["instance"]] = entry["to"]
        if entry["what"] == "os_disk" and worker(world, entry["instance"], entry["time"])[1] in ("", "client"):
            got[entry["instance"], images.get(entry["instance"], "")] += 1
    yield from (f"instance {key} got {image} {count} times" for (key, image), count in got.items() if count > 1)


def target_of(case: Case, world: World) -> str:
    """NEW, or NEWER where that was published before a rollout of `latest` resolved its target."""
    versions = {str(i["version"]) for i in world.instances.values()}
    newest = any(event["do"] == "publish" for event in case.events) and NEWER in versions
    return NEWER if newest and "latest" in _asked(case) else NEW


def _asked(case: Case) -> str:
    image = case.variables["rollout_image"]
    return "latest" if image.get("version") == "latest" or "/versions/" not in image.get("id", "/versions/") else ""


def truth(case: Case, world: World, result: dict[str, Any]) -> Iterator[str]:
    """Rule 5: what is called upgraded runs the target, what is called put back the old, and has been available."""
    target = target_of(case, world)
    expected = {"upgraded": target, "rolled_back": OLD}
    available = {key for batch in world.metrics["batches"] for key in batch["available"]}
    asked_for = {key for request in world.metrics["non_get"] for key in request.get("instance_ids") or ()}
    for key, report in result.get("instances", {}).items():
        instance = world.instances.get(key)
        if report["outcome"] in ("upgraded", "failed", "rolled_back") and key not in asked_for:
            yield f"instance {key} is called {report['outcome']}, and no action has named it"
        if report["outcome"] not in expected or instance is None or moved_by_others(world, key):
            continue
        if instance["version"] != expected[report["outcome"]]:
            yield f"instance {key} is called {report['outcome']} to {report['image_after']}, runs {instance['version']}"
        elif key not in available and not instance["available"]:
            yield f"instance {key} is called {report['outcome']} and has never been available"
    if result["outcome"] in ("upgraded", "unchanged", "failed"):
        # What others have begun after the last look is not the rollout's: neither what they move, nor what is created
        # of the image that they have written.
        late = {key for key in world.instances if moved_by_others(world, key, world.last_read)}
        if any(of_image(write) for write in world.writes("another client")):
            late |= {e["instance"] for e in world.changes("exists") if e["to"] and e["time"] > world.last_read}
        accounted = {*_failed(result), *late, *skipped.named(result)}
        behind = [key for key, i in mine(case, world).items() if i["version"] != target and key not in accounted]
        if behind:
            yield f"{result['outcome']}, but {behind} do not run {target}"


def _failed(result: dict[str, Any]) -> list[str]:
    return [key for key, report in result.get("instances", {}).items() if report["outcome"] == "failed"]


def mine(case: Case, world: World) -> dict[str, dict[str, Any]]:
    """The instances that the rollout has to bring to its target."""
    return {key: i for key, i in world.instances.items() if case.chosen(key, i) and not _spared(i)}


def _spared(instance: dict[str, Any]) -> bool:
    absent = instance["power"] in ("deallocated", "deallocating") and not instance["fell"]
    return bool(instance["protect_actions"] or absent or instance["leaving"] or instance["attached"])


def settled(case: Case, world: World) -> bool:
    """Whether another run has nothing to do: what came after the rollout's last look is not its fault."""
    target = target_of(case, world)
    if "latest" in _asked(case) and target != NEWER and any(event["do"] == "publish" for event in case.events):
        return False
    if not world.model_image().endswith(target):
        return False  # another client has written, or the newest version is followed
    return all(i["version"] == target and i["available"] for i in mine(case, world).values())


def ending(case: Case, before: World, world: World, run: Ran, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 6: every run ends in one of the known ways, says so by its exit status, and leaves the model as it must."""
    if CRASH.search(run.output):
        yield "it crashed"
    outcome = result["outcome"] if result else "refused"
    if (run.rc == 0) != (outcome in ("upgraded", "unchanged")):
        yield f"{outcome} with exit status {run.rc}"
    if outcome == "refused" and world.metrics["accepted_writes"]:
        yield "refused after it had written"
    if outcome == "refused" and not is_justified(excuses(case, before, world), "".join(run.failures[-1:])):
        yield f"refused without a reason: {''.join(run.failures[-1:])[:200]}"
    if outcome not in ("refused", "unchanged", "upgraded", "failed", "stopped", "rolled_back"):
        yield f"it ended {outcome}"
    failed = _failed(result or {})
    if outcome in ("upgraded", "unchanged") and failed:
        yield f"{outcome}, and instances {failed} failed"
    if outcome == "failed" and not (case.tolerates and failed and NAME in run.failures[-1]):
        yield f"failed without a failure that was to be tolerated: {run.failures[-1]}"
    if outcome in ("stopped", "rolled_back"):
        known = security.may_stay(case, run.failures[-1])
        if not known and not any(world.model_image().endswith(image) for image in _may_be_left(case, world)):
            yield f"{outcome}, and the model names {world.model_image()}"
        if NAME not in run.failures[-1]:
            yield f"{outcome} without naming the scale set: {run.failures[-1]}"


def names(case: Case, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """What has come to its end has written its target into the model, where no other client has written an image."""
    outcome, named = (result or {}).get("outcome"), world.model_image()
    theirs = any(of_image(write) for write in world.writes("another client"))
    if outcome not in ("upgraded", "unchanged", "failed") or theirs or case.variables.get("rollout_follow_latest"):
        return
    if not named.endswith(target_of(case, world)):
        yield f"it ended {outcome}, and the model names {named}"


def begins(case: Case, before: World, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """Rules 1 and 5: what is Canceled is nobody's work: it is tried, and not waited for."""
    if (result or {}).get("outcome") != "stopped" or world.batches() or _may_not_begin(case, before, world):
        return
    attempted = {key for request in world.metrics["non_get"] for key in request.get("instance_ids") or ()}
    there = mine(case, world)
    idle = [key for key, i in there.items() if i["provisioning"] == "Canceled" and not i["busy"]]
    if untried := [key for key in idle if key not in attempted]:
        yield f"it stopped with {untried} Canceled, on which nobody works, and has not tried them"


def _may_not_begin(case: Case, before: World, world: World) -> bool:
    """Whether something beside an instance that is Canceled may keep a rollout from its first batch."""
    return any(excuses(case, before, world).values()) or bool(_lost(case))


def _may_be_left(case: Case, world: World) -> set[str]:
    """The images that the model may name after a stop: the previous one, but where another client has written, or all
    that was asked for was done.
    """
    if any(of_image(write) for write in world.writes("another client")):
        return {""}  # `writes` says whether it was overwritten
    target = target_of(case, world)
    finished = all(i["version"] == target for i in mine(case, world).values())
    return {OLD, target} if finished or _lost(case) or [*_breaks(world)] else {OLD}


def again(world: World, run: Ran, result: dict[str, Any] | None, *, refused: bool, closes: bool) -> Iterator[str]:
    """Rules 5, 6 and 8, of the same command after it has ended, counted from there. `refused`: an instance that the
    user's check refuses runs the target. `closes`: the run before may have left its record to be closed.
    """
    written = [write for write in world.writes() if not (closes and only_record(write))]
    if written:
        yield f"the same command again wrote {[sorted(write['changes']) for write in written]}"
    if named := [(one["action"], one["instance_ids"]) for one in world.metrics["actions"] if one["by"] == "client"]:
        yield f"the same command again: {named}"
    if world.figures["disks_replaced"]:
        yield f"the same command again replaced disks: {world.figures['disks_replaced']}"
    if not closes and world.metrics["non_get"]:
        yield f"the same command again sent {[request['operation'] for request in world.metrics['non_get']]}"
    outcome = result["outcome"] if result else "refused"
    if refused and (run.rc == 0 or outcome in ("upgraded", "unchanged")):
        yield f"what the user's check refuses runs the target, and the same command ended {outcome}"


def only_record(write: dict[str, Any]) -> bool:
    return all(path.startswith(f"tags.{OUR_TAGS}") for path in write["changes"])


def secrets(sim: KnowsSecrets, run: Ran, *directories: Path) -> Iterator[str]:
    """Rule 9: nothing secret in any output or journal."""
    journals = [file for directory in directories for file in directory.rglob("*.jsonl")]
    texts = {"the output": run.output, **{str(file): file.read_text(encoding="utf-8") for file in journals}}
    for secret in sim.secrets():
        yield from (f"{where} shows {secret[:6]}…" for where, text in texts.items() if secret in text)
