# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Journals of rollouts of every outcome, as the real code writes them against the simulated Azure.

`.venv/bin/python -m tests.unit.rollout_journals` writes those that are stored in tests/unit/journals again.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Cancelled

from .play import NEW, OLD, Failed, Play, scenario
from .simulated import Simulated

STORED = Path(__file__).parent / "journals"
ID = "0123456789abcdef0123456789abcdef"


def _play(azure: Simulated, journals: Path, **options: Any) -> Play:
    return Play(azure, azure.options, journal_dir=str(journals), **options)


def _roll(journals: Path, *, capacity: int = 3, before: dict[str, Any] | None = None, **options: Any) -> Play:
    """One run over a set of its own. `before`: changes of the scenario."""
    azure = Simulated(scenario(capacity, **(before or {})))
    return _play(azure, journals, **options).run()


def _checked(journals: Path, check: Callable[[list[str]], None], **options: Any) -> None:
    """With a task file of the user's, after which the module begins to count anew."""
    azure = Simulated(scenario(3))
    play = _play(azure, journals, **options)

    def counted(ids: list[str]) -> None:
        play.azure.usage.calls = 0
        check(ids)

    play.check, play.options = counted, {**play.options, "health_check": "check.yml"}
    play.run()


def _refuse(ids: list[str]) -> None:
    if "2" in ids:
        raise Failed("the shop answers 503")


def _pass(ids: list[str]) -> None:
    """The user's check finds nothing wrong."""


def _cancelled(journals: Path) -> None:
    azure = Simulated(scenario(3))
    play = _play(azure, journals)

    def wanted() -> None:
        if azure.calls > 25:
            raise Cancelled("the job was cancelled")

    play.azure.check_wanted = wanted
    with contextlib.suppress(Cancelled):
        play.run()


def _killed(journals: Path) -> None:
    play = _play(Simulated(scenario(3)), journals)
    play.closes = False
    play.run()


def _resumed(journals: Path) -> None:
    azure = Simulated(scenario(3))
    first = _play(azure, journals)
    first.closes = False
    first.run()
    _play(azure, journals, check=_pass).run()


def _failed(journals: Path) -> None:
    azure = Simulated(scenario(5))
    azure.fault(kind="unhealthy", instance="4", image_version=NEW)
    _play(azure, journals, max_unhealthy_upgraded="2", health_timeout=120).run()


def _throttled(journals: Path) -> None:
    azure = Simulated(scenario(3))
    azure.fault(operation="VirtualMachineScaleSets_UpdateInstances", action="throttle", retry_after=30, times=1)
    _play(azure, journals).run()


def _unhealthy(journals: Path) -> None:
    azure = Simulated(scenario(3))
    azure.fault(kind="unhealthy", instance="1", image_version=NEW)
    _play(azure, journals, health_timeout=120).run()


_MIXED = {"1": {"protect_actions": True}, "4": {"power": "deallocated"}, "7": {"version": NEW}}

SCENES: dict[str, Callable[[Path], object]] = {
    "upgraded": lambda path: _checked(path, _pass),
    "zonal": lambda path: _roll(path, capacity=30, before={"zones": ["1", "2", "3"], "instances": _MIXED}),
    "unchanged": lambda path: _roll(path, version=OLD),
    "refused": lambda path: _roll(path, before={"upgrade_mode": "Automatic"}),
    "stopped": lambda path: _checked(path, _refuse),
    "stopped_unhealthy": _unhealthy,
    "rolled_back": lambda path: _checked(path, _refuse, on_failure="rollback_all"),
    "failed": _failed,
    "cancelled": _cancelled,
    "killed": _killed,
    "resumed": _resumed,
    "throttled": _throttled,
}


def written(name: str, directory: Path) -> str:
    """The journal that this scene writes, with an id that is always the same."""
    SCENES[name](directory)
    (file,) = directory.glob("web-*.jsonl")
    text = file.read_text(encoding="utf-8")
    (rollout,) = {json.loads(line)["rollout"] for line in text.splitlines()}
    return re.sub(rollout, ID, text)


def stored(name: str) -> list[str]:
    return (STORED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()


def main() -> None:
    for name in SCENES:
        with tempfile.TemporaryDirectory() as directory:
            text = written(name, Path(directory))
        (STORED / f"{name}.jsonl").write_text(text, encoding="utf-8")
    whole = (STORED / "upgraded.jsonl").read_text(encoding="utf-8").splitlines()
    middle = len(whole) // 2
    cut = "\n".join([*whole[:middle], whole[middle][:70]])
    (STORED / "cut_off.jsonl").write_text(cut, encoding="utf-8")


if __name__ == "__main__":
    main()
