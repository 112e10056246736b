# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout as the role runs it: calls of the module's use case, with the user's tasks in between."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Failure, Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions, RolloutRequest
from ansible_collections.steady.vmss.plugins.module_utils._rollout.endings import sets_back
from ansible_collections.steady.vmss.plugins.module_utils._rollout.memory import Memory
from ansible_collections.steady.vmss.plugins.module_utils._rollout.steps import (
    Seen,
    SetServices,
    Step,
    Upgrade,
    Write,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rollout

from .asking import request
from .simulated import Clock

SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
OLD, NEW, NEWER = "24.4.20261001", "24.4.20261118", "24.4.20261201"
SET = {"resource_group": "shop", "name": "web"}


def of_version(version: str) -> dict[str, str]:
    return {**SERIES, "version": version}


def scenario(capacity: int = 5, version: str = OLD, **changes: Any) -> dict[str, Any]:
    """One scale set of a platform image, in quick times."""
    knobs = {"upgrade": 60, "health_lag": 15, "write": 5, "create": 60, **changes.pop("knobs", {})}
    web = {**SET, "capacity": capacity, "image": of_version(version), "knobs": knobs, **changes}
    return {"images": {"platform": [{**SERIES, "versions": [OLD, NEW, NEWER]}]}, "scale_sets": [web]}


class Client(Protocol):
    """`Simulated` itself, or a `Controller` on it."""

    @property
    def clock(self) -> Clock: ...

    def session(self) -> requests.Session: ...


class Failed(Exception):
    """A task of the user's failed."""


class Killed(Exception):
    """This run ends here, as by kill -9."""


class Play:
    """One run of the role. `options` are the module's; `check` is the user's rollout_health_check, which may raise.

    `rolls`, `closes`: False for a run that is killed right before its first batch, or before it closes its record.
    """

    def __init__(
        self,
        client: Client,
        connection: dict[str, Any],
        version: str | None = NEW,
        *,
        check: Callable[[list[str]], None] | None = None,
        **options: Any,
    ) -> None:
        self.clock = client.clock
        self.azure = connect(
            request(ConnectionOptions, connection), {"HOME": "/nonexistent"}, self.clock, client.session()
        )
        self.check = check
        hooks = {"health_check": "check.yml"} if check else {}
        wanted = {"image": of_version(version)} if version else {}
        self.options: dict[str, Any] = {**SET, **hooks, **wanted, **options}
        self.on_failure = str(options.get("on_failure", "stop"))
        self.memory: Memory | None = None
        self.plan: dict[str, Any] = {}  # what preflight decided, and `left` then
        self.outcome = "refused"
        self.why = ""
        self.codes: set[str] = set()  # of the refusal or the stop, and of the findings that it rests on
        self.findings: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.batches: list[dict[str, Any]] = []
        self.changed = False
        self.rolls = self.closes = True
        self.back_codes: set[str] = set()  # of a model that could not be set back

    @property
    def model_back(self) -> bool:
        """Whether the stop has written the previous image into the model."""
        memory = self.memory
        if memory is None or memory.stop is None or memory.plan is None:
            return False
        written = memory.phase != "write_back" and not memory.stop.refused
        return written and sets_back(memory) and not memory.back.model_failed

    @property
    def back_failed(self) -> str:
        return self.memory.back.model_failed if self.memory else ""

    def run(self) -> Play:
        more: dict[str, Any] = {}
        try:
            while True:
                asked = request(RolloutRequest, {**self.options, **more})
                answer, failure = Watched(self, asked).run()
                if self._learn(answer, failure):
                    return self
                # Between two tasks the memory is what a play keeps of it.
                memory = json.loads(json.dumps(answer["memory"]))
                more = {"memory": memory, "hook": self._hook(answer["next"]["batch"])}
        except Killed:
            return self

    def _hook(self, batch: dict[str, Any]) -> dict[str, Any]:
        try:
            if self.check:
                self.check([one["instance_id"] for one in batch["instances"]])
        except Failed as failed:
            return {"outcome": "failed", "task": "Check", "words": str(failed)}
        return {"outcome": "done"}

    def _learn(self, answer: dict[str, Any], failure: Failure | None) -> bool:
        """Whether that was the last call."""
        self.changed = self.changed or answer["changed"]
        self.warnings += answer["warnings"]
        self.findings = answer["findings"] or self.findings
        if answer["next"] is not None:
            return False
        result = answer["rollout_result"]
        self.outcome, self.batches = result["outcome"], result["batches"]
        if failure:
            self.why = failure.message
            self.codes = {failure.code, *_errors(self.findings)}
        return True


def _errors(findings: Iterable[dict[str, str]]) -> list[str]:
    return [one["code"] for one in findings if one["severity"] == "error"]


class Watched(rollout.Driver):
    """The driver, with a look at each step."""

    def __init__(self, play: Play, asked: RolloutRequest) -> None:
        super().__init__(play.azure, play.clock, asked, check_mode=False)
        self.play = play

    def carry_out(self, step: Step, memory: Memory) -> Seen:
        play = self.play
        play.memory = memory
        if not play.rolls and isinstance(step, SetServices | Upgrade):
            raise Killed
        if not play.closes and isinstance(step, Write) and step.why == "end":
            play.outcome = "upgraded"
            raise Killed
        seen = super().carry_out(step, memory)
        if seen.failed and isinstance(step, Write) and step.why == "back":
            play.back_codes.add(seen.failed.code)
        if seen.plan is not None:
            left = seen.instances.left if seen.instances else ()
            play.plan = {**dataclasses.asdict(seen.plan), "previous_image": seen.plan.previous, "left": list(left)}
        return seen

    def answer(self, step: Step, memory: Memory) -> tuple[dict[str, Any], Failure | None]:
        self.play.memory = memory
        return super().answer(step, memory)

    def _write(self, step: Write, memory: Memory) -> Seen:
        try:
            return super()._write(step, memory)
        except Refused as refused:
            if step.why == "back":
                self.play.back_codes.update(_errors(refused.fields.get("findings", ())))
            raise
