# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that no rollout may break, judged by the simulator's own figures. Each check returns what is wrong."""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from draw import NAME, NEW, NEWER, OLD, OTHER_TAG, Case
from harness import Simulator

OUR_TAGS = "steady-vmss-"
CRASH = re.compile(r"Traceback \(most recent call last\)|MODULE FAILURE|module failed to deserialize|UndefinedError")
# The requests beside GET that a rollout has any business with.
ALLOWED = {
    "VirtualMachineScaleSets_Update",
    "VirtualMachineScaleSets_UpdateInstances",
    "VirtualMachineScaleSets_Reimage",
    "VirtualMachineScaleSets_SetOrchestrationServiceState",
}
UPGRADE = "VirtualMachineScaleSets_UpdateInstances"
ON_INSTANCES = {UPGRADE, "VirtualMachineScaleSets_Reimage"}


@dataclass(frozen=True)
class World:
    """The simulator's figures at one moment."""

    scale_set: dict[str, Any]
    metrics: dict[str, Any]
    timeline: list[dict[str, Any]]

    @classmethod
    def of(cls, sim: Simulator) -> World:
        return cls(sim.state()["scale_sets"][NAME], sim.metrics(), sim.timeline())

    @property
    def instances(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.scale_set["instances"]
        return found

    @property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = self.metrics["scale_sets"][NAME]
        return found

    def changes(self, what: str) -> Iterator[dict[str, Any]]:
        return (entry for entry in self.timeline if entry["what"] == what)


class Ran(Protocol):
    """What is read of a run of `ansible-playbook`."""

    @property
    def rc(self) -> int: ...

    @property
    def failures(self) -> list[str]: ...

    @property
    def output(self) -> str: ...


class KnowsSecrets(Protocol):
    def secrets(self) -> list[str]: ...


def everything(
    case: Case, before: World, after: World, run: Ran, result: dict[str, Any] | None, sim: KnowsSecrets, journals: Path
) -> Iterator[str]:
    """All that is wrong with a rollout. `result`: its `rollout_result`, None where it was refused before."""
    yield from ending(case, after, run, result)
    yield from availability(case, after)
    yield from domains(case, after, result)
    yield from hands_off(case, before, after, run)
    yield from explicit(after)
    yield from once(after)
    yield from secrets(sim, run, journals)
    if result:
        yield from truth(case, after, result)


def availability(case: Case, world: World) -> Iterator[str]:
    """Rule 1: nobody is taken down where that, with those known to be down, makes more than allowed."""
    for batch in world.metrics["batches"]:
        down = {*batch["down_already"], *batch["taken_down"]}
        allowed = case.most_unavailable(batch["there_then"])
        if batch["taken_down"] and len(down) > allowed:
            yield f"{batch['taken_down']} taken down with {batch['down_already']} down already, {allowed} allowed"


def domains(case: Case, world: World, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 2: one domain at a time. An instance whose failure the thresholds tolerate has been let go of."""
    figure = {"fault_domain": "fault_domains", "zone": "zones", "domain": "domains"}.get(case.order_by)
    if figure is None or world.figures[f"{figure}_down_at_once"] <= 1:
        return
    let_go = set(_failed(result or {}))
    held: dict[str, float] = {}  # instance id -> when it is available again
    for batch in world.metrics["batches"]:
        held = {key: until for key, until in held.items() if until > batch["started"]}
        held |= {key: batch["available"].get(key, math.inf) for key in batch["instance_ids"] if key not in let_go}
        at_once = {_domain(figure, world.instances[key]) for key in held if key in world.instances}
        if len(at_once) > 1:
            yield f"{figure} {sorted(at_once)} in hand at once, with {batch['instance_ids']}"


def _domain(figure: str, instance: dict[str, Any]) -> str:
    fault, update = instance["fault_domain"], instance["update_domain"]
    row = {"zones": None, "fault_domains": fault, "domains": fault if update is None else update}[figure]
    return f"{instance['zone']}/{row}"


def hands_off(case: Case, before: World, after: World, run: Ran) -> Iterator[str]:
    """Rule 3: the image and our tags have changed, and nothing else that no other client has changed."""
    mine, theirs = (_kept(case, world) for world in (before, after))
    if mine != theirs:
        yield f"the document changed: {mine} is now {theirs}"
    if [*after.changes("written by another client")] and OTHER_TAG not in after.scale_set["document"]["tags"]:
        yield "the other client's tag was overwritten"
    mine, theirs = before.scale_set["services"], after.scale_set["services"]
    if mine != theirs and "could not be put back" not in "".join(run.failures):
        yield f"the services were {mine} and are {theirs}"
    skipped = {key for key, i in before.instances.items() if i["protect_actions"]}
    if touched := sorted(skipped & {*after.figures["disks_replaced"]}):
        yield f"protected instances {touched} got a new disk"


def _kept(case: Case, world: World) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(world.scale_set["document"])
    document["properties"]["virtualMachineProfile"]["storageProfile"].pop("imageReference")
    tags = document.get("tags", {})
    document["tags"] = {k: v for k, v in tags.items() if not k.startswith(OUR_TAGS) and k != OTHER_TAG}
    if any(event["do"] == "scale" or event.get("scale_in") for event in case.events):
        document["sku"].pop("capacity")
    return document


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
    repaired = {entry["instance"] for entry in world.changes("repair")}
    for entry in world.timeline:
        if entry["what"] == "image":
            images[entry["instance"]] = entry["to"]
        if entry["what"] == "os_disk" and entry["instance"] not in repaired:
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
    by_another = {entry["instance"] for entry in world.changes("running_version")}
    for key, report in result.get("instances", {}).items():
        instance = world.instances.get(key)
        if report["outcome"] not in expected or instance is None or key in by_another:
            continue
        if instance["version"] != expected[report["outcome"]]:
            yield f"instance {key} is called {report['outcome']} to {report['image_after']}, runs {instance['version']}"
        elif key not in available and not instance["available"]:
            yield f"instance {key} is called {report['outcome']} and has never been available"
    if result["outcome"] in ("upgraded", "unchanged", "failed"):
        accounted = {*_failed(result), *(key for key, i in world.instances.items() if _left_alone(i))}
        behind = [key for key, i in world.instances.items() if i["version"] != target and key not in accounted]
        if behind:
            yield f"{result['outcome']}, but {behind} do not run {target}"


def _failed(result: dict[str, Any]) -> list[str]:
    return [key for key, report in result.get("instances", {}).items() if report["outcome"] == "failed"]


def _left_alone(instance: dict[str, Any]) -> bool:
    absent = instance["power"] in ("deallocated", "deallocating") or instance["leaving"]
    return bool(instance["protect_actions"] or absent)


def settled(case: Case, world: World) -> bool:
    """Whether another run has nothing to do: what came after the rollout's last look is not its fault."""
    target = target_of(case, world)
    if "latest" in _asked(case) and target != NEWER and any(event["do"] == "publish" for event in case.events):
        return False
    return all(_left_alone(i) or (i["version"] == target and i["available"]) for i in world.instances.values())


def _may_refuse(case: Case) -> bool:
    """Whether something is wrong from the start, or may be before the first write."""
    forbidden = any(fault["action"] == "forbidden" for fault in case.scenario["faults"])
    sick = [one for one in case.scale_set["instances"].values() if {"health", "failure"} & set(one)]
    hurt = any(event["do"] in ("fail", "unhealthy", "power", "show", "rolling_upgrade") for event in case.events)
    return forbidden or len(sick) > 1 or hurt


def ending(case: Case, world: World, run: Ran, result: dict[str, Any] | None) -> Iterator[str]:
    """Rule 6: every run ends in one of the known ways, says so by its exit status, and leaves the model as it must."""
    if CRASH.search(run.output):
        yield "it crashed"
    outcome = result["outcome"] if result else "refused"
    if (run.rc == 0) != (outcome in ("upgraded", "unchanged")):
        yield f"{outcome} with exit status {run.rc}"
    if outcome == "refused" and world.metrics["accepted_writes"]:
        yield "refused after it had written"
    if outcome == "refused" and not _may_refuse(case):
        yield "refused without a reason"
    if outcome not in ("refused", "unchanged", "upgraded", "failed", "stopped", "rolled_back"):
        yield f"it ended {outcome}"
    failed = _failed(result or {})
    if outcome in ("upgraded", "unchanged") and failed:
        yield f"{outcome}, and instances {failed} failed"
    if outcome == "failed" and not (case.tolerates and failed and NAME in run.failures[-1]):
        yield f"failed without a failure that was to be tolerated: {run.failures[-1]}"
    if outcome in ("stopped", "rolled_back"):
        storage = world.scale_set["document"]["properties"]["virtualMachineProfile"]["storageProfile"]
        reference = storage["imageReference"]
        if OLD not in (reference.get("version") or reference["id"]):
            yield f"{outcome}, and the model names {reference}"
        if NAME not in run.failures[-1]:
            yield f"{outcome} without naming the scale set: {run.failures[-1]}"


def secrets(sim: KnowsSecrets, run: Ran, *directories: Path) -> Iterator[str]:
    """Rule 9: nothing secret in any output or journal."""
    journals = [file for directory in directories for file in directory.rglob("*.jsonl")]
    texts = {"the output": run.output, **{str(file): file.read_text(encoding="utf-8") for file in journals}}
    for secret in sim.secrets():
        yield from (f"{where} shows {secret[:6]}…" for where, text in texts.items() if secret in text)
