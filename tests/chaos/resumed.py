# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule 7 over several runs of one command: the judge of what is killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from draw import OLD
from world import IMAGE, World


def resumed(before: World, after: World, stopped: int = 0) -> Iterator[str]:
    """The same command goes on to the same target: it takes another one only when all instances run the first, or the
    model was put back by a run that has stopped; and no instance gets a disk that brings it no new image. `before` any
    run, and `after` all; `stopped`: so many writes were made when a run had stopped by itself.
    """
    for write in after.writes()[stopped:]:
        if _named(write).endswith(OLD):
            yield f"the model was put back to {OLD}, and no run has stopped"
    runs = {key: str(one["version"]) for key, one in before.instances.items() if key in after.instances}
    model, target, moved = before.model_image(), "", set[str]()
    for happened in _in_order(after):
        key, what, to = happened.get("instance", ""), happened["what"], str(happened.get("to"))
        if what == "model":
            behind = sorted(key for key, version in runs.items() if not version.endswith(target))
            if target and to not in (target, OLD) and behind:
                yield f"{target} was given up for {to}, and {behind} did not run it"
            model, target = to, "" if to == OLD else to
        elif what == "exists":
            runs |= {key: model} if happened["to"] else {}
        elif what == "image":
            runs[key] = to
            moved.add(key)
        elif key not in moved:
            yield f"instance {key} got a new disk and no new image"
        else:
            moved.discard(key)


def _in_order(world: World) -> list[dict[str, Any]]:
    """Writes of the image, instances that are made, their new images and their new disks."""
    written = [{"time": one["time"], "what": "model", "to": _named(one)} for one in world.writes() if _named(one)]
    there = set(world.instances)
    changed = [
        entry
        for entry in world.timeline
        if entry["what"] in ("exists", "image", "os_disk") and entry["instance"] in there
    ]
    return sorted([*written, *changed], key=lambda one: float(one["time"]))


def _named(write: dict[str, Any]) -> str:
    """The version that the write names; "" where it leaves the image as it is."""
    named = [new for path, (_old, new) in write["changes"].items() if IMAGE.match(path)]
    return str(named[0].get("version") if isinstance(named[0], dict) else named[0]) if named else ""
