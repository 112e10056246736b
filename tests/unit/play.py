# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sequence of the role `rollout` in Python, for tests that need no ansible-playbook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import requests

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ConnectionOptions,
    ImageRequest,
    InstanceUpgradeRequest,
    OrchestrationServiceRequest,
    UpgradePlanInfoRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import (
    image,
    instance_upgrade,
    orchestration_service,
    upgrade_plan_info,
)

from .asking import fitting, request
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
    """A task of the play failed, one of the user's where nothing else is said. `code` as its result has it."""

    def __init__(self, message: str, code: Code = "hook_failed", findings: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.codes = {code, *_errors(findings)}


def _errors(findings: Sequence[dict[str, str]]) -> list[str]:
    return [one["code"] for one in findings if one["severity"] == "error"]


class Play:
    """One run of the role. `options` are the modules'; `check` is the user's rollout_health_check, which may raise."""

    def __init__(
        self,
        client: Client,
        connection: dict[str, Any],
        version: str | None = NEW,
        *,
        on_failure: str = "stop",
        keep_model: bool = False,
        check: Callable[[list[str]], None] | None = None,
        **options: Any,
    ) -> None:
        self.clock = client.clock
        self.azure = connect(
            request(ConnectionOptions, connection), {"HOME": "/nonexistent"}, self.clock, client.session()
        )
        self.on_failure, self.keep_model, self.check = on_failure, keep_model, check
        wanted = {"image": of_version(version)} if version else {}
        self.options: dict[str, Any] = {**SET, **wanted, "suspend_services": True, **options}
        self.plan: dict[str, Any] = {}
        self.outcome = "refused"
        self.why = ""
        self.codes: set[str] = set()  # of the refusal or the stop, and of the findings that it rests on
        self.warnings: list[str] = []
        self.batches: list[dict[str, Any]] = []
        self.changed = False
        self.rolls = self.closes = True  # False: as a run that is killed before that
        self.back_failed = ""
        self.back_codes: set[str] = set()

    # -- the tasks ------------------------------------------------------------------------------

    def run(self) -> Play:
        self.plan = self._plan()
        if errors := self.plan["errors"]:
            self.why, self.codes = " ".join(errors), {"preflight_failed", *_errors(self.plan["findings"])}
            return self
        self.outcome = "unchanged"
        code = ""
        if not self.plan["nothing_to_do"]:
            try:
                self._roll()
                self.outcome = "upgraded"
            except Failed as failure:
                self.outcome, self.why, code = "stopped", str(failure), failure.code
                self.codes = failure.codes
                self._stop(code)
            resumed = self._resume()
        else:
            resumed = True
        if self.closes:
            self._end(code, resumed=resumed)
        return self

    def _plan(self) -> dict[str, Any]:
        asked = request(UpgradePlanInfoRequest, fitting(UpgradePlanInfoRequest, self.options))
        return upgrade_plan_info.as_result(upgrade_plan_info.make(self.azure, asked))

    def _roll(self) -> None:
        plan = self.plan
        if plan["write_model"]:
            with _told():
                joined = self._write(
                    image=plan["target_image"],
                    upgrade_mode=self.options.get("upgrade_mode"),
                    record=plan["record"],
                    replaces=plan["model_image"],
                    replaces_rollout=plan["replaces_rollout"],
                )
            if joined:
                self.plan = {}  # it plans
                again = self._plan()
                if again["errors"]:
                    self.plan = plan
                    raise Failed(" ".join(again["errors"]), "preflight_failed", again["findings"])
                plan = self.plan = again
        if not self.rolls:
            return
        with _told():
            self._services("Suspended", plan["suspend"])
        following, left = plan["next_batch"], plan["left"]
        for _turn in range(200):
            if not left:
                return
            ids = following["instance_ids"] if following else []
            given = {"image": plan["target_image"], "rollout": plan["record"]["id"]}
            given["begins"] = plan["begins"]
            done = self._upgrade(**given, batch=ids, wait_only=not ids, earlier_batches=self.batches)
            if ids and self.check:
                self.check(ids)
            following, left = done["next_batch"], done["left"]
        raise Failed("instances of the old image keep appearing", "instances_keep_appearing")

    def _stop(self, code: str) -> None:
        plan = self.plan
        rolls_back = self.on_failure != "stop"
        if code == "model_members_lost" or not plan["previous_image"]:
            return
        if not rolls_back and (self.keep_model or plan["all_on_target"]):
            return
        try:
            with _told():
                self._write(
                    image=plan["previous_image"],
                    replaces=plan["target_image"],
                    record={**plan["record"], "state": "stopped"},
                    replaces_rollout=plan["record"]["id"],
                )
        except Failed as failure:
            self.back_failed, self.back_codes = str(failure), failure.codes
            return
        self.model_back = True
        if not rolls_back:
            return
        touched = [i for batch in self.batches for i in batch["instance_ids"]]
        failed = [i for batch in self.batches for i in batch["failed_instance_ids"]]
        ids = touched if self.on_failure == "rollback_all" else failed
        try:
            back = self._upgrade(
                image=plan["previous_image"], batch=ids, downgrade=True, canary=0, max_unhealthy="100%", keep=False
            )
            self.outcome = "rolled_back" if not set(ids) & set(back["left_alone"]) else "stopped"
        except Failed as failure:
            self.why += f" {failure}"

    def _resume(self) -> bool:
        try:
            with _told():
                self._services("Running", self.plan["resume"])
        except Failed as failure:
            self.why += f" {failure}"
            return False
        return True

    def _end(self, code: str, *, resumed: bool) -> None:
        plan = self.plan
        worked = not plan["nothing_to_do"] and code != "model_members_lost"
        if not (plan["close_record"] and plan["nothing_to_do"]) and not (worked and not self.back_failed):
            return
        going_back = plan["record"]["state"] == "going_back"
        state = "rolled_back" if going_back else "finished"
        if code:
            state = "going_back" if going_back else self.outcome
        model = plan["previous_image"] if getattr(self, "model_back", False) else plan["target_image"]
        suspended = [] if resumed else plan["record"]["suspended"]
        try:
            with _told():
                self._write(
                    image=model,
                    replaces=model,
                    record={**plan["record"], "state": state, "suspended": suspended},
                    replaces_rollout=plan["record"]["id"],
                )
        except Failed as failure:
            self.warnings.append(str(failure))

    # -- the modules ----------------------------------------------------------------------------

    def _write(self, **options: Any) -> bool:
        """Whether another controller has begun the same rollout meanwhile."""
        given = {**SET, **{name: value for name, value in options.items() if value is not None}}
        change = image.set_image(self.azure, self.clock, request(ImageRequest, given), check_mode=False)
        self.changed = self.changed or change.changed
        self.warnings += change.warnings
        return change.joined

    def _services(self, state: str, services: list[str]) -> None:
        if services:
            options = {**SET, "services": services, "state": state, "timeout": 600}
            orchestration_service.set_state(
                self.azure, self.clock, request(OrchestrationServiceRequest, options), check_mode=False
            )

    def _upgrade(self, *, keep: bool = True, **options: Any) -> dict[str, Any]:
        asked = request(InstanceUpgradeRequest, {**fitting(InstanceUpgradeRequest, self.options), **options})
        with _told():
            result, failure = instance_upgrade.upgrade(self.azure, self.clock, asked, check_mode=False)
        self.changed = self.changed or result["changed"]
        if keep:
            self.batches += result["rollout_result"]["batches"]
        if failure:
            raise Failed(failure.message, failure.code)
        return result


@contextmanager
def _told() -> Iterator[None]:
    """A module that fails, as the play sees it."""
    try:
        yield
    except (Refused, AzureError) as error:
        raise Failed(str(error), error.code, getattr(error, "fields", {}).get("findings", ())) from error
