# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's health check that keeps what it was asked, and refuses what a case draws. Run as a program, it is the check.

`{"kind": "never"}` refuses nothing, `always` everything, `some` a batch that holds one of the instances whose name
falls on `modulo`, `number` the batch of that number, `first` as many as `times`.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from pathlib import Path
from typing import Any


def write(directory: Path, policy: dict[str, Any]) -> Path:
    """The task file for `rollout_health_check`."""
    directory.mkdir()
    (directory / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
    (directory / "log").write_text("", encoding="utf-8")
    program = [sys.executable, str(Path(__file__).resolve()), "{{ rollout_batch | to_json }}", str(directory)]
    task = {"name": "Ask the application", "ansible.builtin.command": {"argv": program}, "changed_when": False}
    tasks = directory / "check.yml"
    tasks.write_text(json.dumps([task]), encoding="utf-8")  # JSON is YAML
    return tasks


def asked(directory: Path) -> list[dict[str, Any]]:
    """What it was asked: `wall`, `number`, `instance_ids`, and whether it `passed`."""
    lines = (directory / "log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def refused(policy: dict[str, Any], name: str) -> bool:
    """Whether the check refuses each batch that holds this instance, however often it is asked."""
    if policy["kind"] == "some":
        return zlib.crc32(name.encode()) % int(policy["modulo"]) == 0
    return bool(policy["kind"] == "always")


def passes(policy: dict[str, Any], batch: dict[str, Any], before: int) -> bool:
    """`before`: how often it was asked before."""
    if policy["kind"] == "number":
        return bool(batch["number"] != policy["number"])
    if policy["kind"] == "first":
        return bool(before >= policy["times"])
    return not any(refused(policy, instance["name"]) for instance in batch["instances"])


def main(text: str, directory: Path) -> int:
    batch = json.loads(text)
    policy = json.loads((directory / "policy.json").read_text(encoding="utf-8"))
    passed = passes(policy, batch, len(asked(directory)))
    ids = [str(instance["instance_id"]) for instance in batch["instances"]]
    entry = {"wall": time.time(), "number": batch["number"], "instance_ids": ids, "passed": passed}
    with (directory / "log").open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
