"""Everything about Azure's behaviour that a scenario may turn; the defaults are what the recordings show."""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import dataclass
from typing import Any


class KnobError(ValueError):
    """A scenario says something that no knob understands; the text names the place."""


@dataclass(frozen=True)
class Duration:
    """Simulated seconds, drawn for each piece of work. `spread`: the cv of lognormal, the half width of uniform."""

    median: float
    distribution: str = "constant"
    spread: float = 0.0

    def draw(self, rng: random.Random) -> float:
        if self.distribution == "lognormal":
            sigma = math.sqrt(math.log(1 + self.spread**2))
            return self.median * math.exp(sigma * rng.gauss(0.0, 1.0))
        if self.distribution == "uniform":
            return rng.uniform(self.median - self.spread, self.median + self.spread)
        return self.median

    @classmethod
    def parse(cls, value: object, where: str) -> Duration:
        """`40`, `{lognormal: 180, cv: 0.3}` or `{uniform: [60, 90]}`."""
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return cls(float(value))
        if isinstance(value, dict) and set(value) in ({"lognormal"}, {"lognormal", "cv"}):
            return cls(float(value["lognormal"]), "lognormal", float(value.get("cv", 0.3)))
        if isinstance(value, dict) and set(value) == {"uniform"} and len(value["uniform"]) == 2:
            low, high = (float(bound) for bound in value["uniform"])
            return cls((low + high) / 2, "uniform", (high - low) / 2)
        raise KnobError(
            f"{where}: {value!r} is no duration; write 40, {{lognormal: 180, cv: 0.3}} or {{uniform: [60, 90]}}"
        )


@dataclass(frozen=True)
class Knobs:
    """One set's behaviour. Seconds are simulated seconds, except the Retry-After members, which are the client's."""

    # How long work takes.
    upgrade: Duration = Duration(75, "lognormal", 0.1)
    reimage: Duration = Duration(75, "lognormal", 0.1)
    model_only: Duration = Duration(10)
    noop: Duration = Duration(1)
    write: Duration = Duration(15)
    create: Duration = Duration(60, "lognormal", 0.1)
    delete: Duration = Duration(30)
    start: Duration = Duration(30)
    poweroff: Duration = Duration(20)
    deallocate: Duration = Duration(50)
    restart: Duration = Duration(30)
    orchestration: Duration = Duration(5)
    # Health.
    health_lag: Duration = Duration(20)
    health_linger: float = 0.0
    health_time: str = "transition"
    provisioning_time: str = "transition"
    disk_time: str = "moves"
    # Lateness of what is shown.
    set_updating_late: float = 0.0
    operation_early: float = 0.0
    exact_version_late: float = 0.0
    # What an upgrade does.
    upgrade_keeps_disk: bool = False
    same_reference_reimages: bool = False
    protected_upgrade: str = "skip"
    deallocated_upgrade: str = "stays"
    fallen_upgrade: str = "starts"
    custom_data_upgrade: str = "keeps"
    automatic_acts_on: str = "model"
    gallery_exact_version: bool = True
    # Azure's own rolling upgrades.
    rolling_prepare: Duration = Duration(0)
    rolling_noop: Duration = Duration(20)
    rolling_health_wait: float = 300.0
    rolling_needs_latest: str = "instances"
    rolling_needs_health: bool = False
    rolling_batch_shrinks: bool = True
    rolling_shows_updating: bool = True
    rolling_start_moves: bool = False
    rolling_refusal: str = "409 OperationNotAllowed"
    rolling_busy: str = "409 OperationNotAllowed"
    rolling_none: str = "404 NotFound"
    rolling_back_shown: bool = True
    surge_quota: bool = True
    unhealthy_below_batch: str = "accept"
    health_sources: str = "one"
    fabric_policy: str = "refuse"
    history_end: str = "completedTime"
    automatic_delay: Duration = Duration(2700)
    automatic_first_delay: Duration = Duration(10800)
    hook_max_wait: float = 10800.0
    extension: Duration = Duration(0)
    extension_upgrade: Duration = Duration(20)
    # Writes.
    conflict_window: float = 0.0
    patch_tags: str = "replace"
    patch_os_disk: str = "merge"
    patch_members: str = "merge"
    patch_lists: str = "merge"
    patch_null: str = "remove"
    security_back: str = "accept"
    extension_answers: str = "recorded"
    rolling_policy_shown: str = "needed"
    action_buckets: str = "subscription"
    notification_holds: str = "reimage"
    next_link_spaces: bool = False
    extension_patch_settings: str = "replace"
    protected_settings: str = "keep"
    failed_instance_fails_write: bool = False
    mode_change_acts: bool = False
    tags_write_is_a_model: bool = True
    capacity_costs_generation: bool = False
    etag_bumps: str = "write"
    model_limit: int = 10
    image_write_loses: str = ""
    overprovision_extra: int = 0
    orchestration_beside: bool = True
    missing_image: str = "404 PlatformImageNotFound"
    # Pages and ids.
    page_size: int = 120
    list_order: str = "text"
    id_case: str = "as_is"
    # Operations.
    poll_url: str = "auto"
    operation_lifetime: float = math.inf
    retry_after_initial: int | None = None
    retry_after_poll: int | None = None
    retry_after_terminal: int | None = None
    # Members and states of a later api-version.
    future_members: bool = False


CHOICES = {
    "security_back": ("accept", "refuse"),
    "extension_answers": ("recorded", "whole"),
    "rolling_policy_shown": ("needed", "always"),
    "action_buckets": ("subscription", "resource"),
    "notification_holds": ("reimage", "all", "nothing"),
    "health_time": ("transition", "report", "never"),
    "provisioning_time": ("transition", "read"),
    "disk_time": ("moves", "stays"),
    "protected_upgrade": ("skip", "refuse"),
    "deallocated_upgrade": ("stays", "starts"),
    "fallen_upgrade": ("starts", "stays"),
    "custom_data_upgrade": ("keeps", "replaces"),
    "automatic_acts_on": ("model", "any"),
    "rolling_needs_latest": ("instances", "model", "nothing"),
    "unhealthy_below_batch": ("accept", "refuse"),
    "health_sources": ("one", "two"),
    "fabric_policy": ("refuse", "accept"),
    "history_end": ("completedTime", "endTime", "both"),
    "patch_tags": ("merge", "replace"),
    "patch_os_disk": ("merge", "replace"),
    "patch_members": ("merge", "replace"),
    "patch_lists": ("merge", "replace"),
    "patch_null": ("remove", "ignore"),
    "extension_patch_settings": ("merge", "replace"),
    "protected_settings": ("keep", "drop"),
    "etag_bumps": ("write", "any"),
    "list_order": ("text", "shuffled"),
    "id_case": ("as_is", "upper_group"),
    "poll_url": ("auto", "long", "short"),
}


def override(base: Knobs, values: dict[str, Any], where: str) -> Knobs:
    """`base` with the knobs of a scenario; raises KnobError with the place of what it does not understand."""
    fields = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    changed: dict[str, Any] = {}
    for name, value in values.items():
        place = f"{where}.{name}"
        if name not in fields:
            raise KnobError(f"{place}: there is no such knob; there are {', '.join(sorted(fields))}")
        default = getattr(Knobs, name)
        if isinstance(default, Duration):
            changed[name] = Duration.parse(value, place)
        elif name in CHOICES:
            if value not in CHOICES[name]:
                raise KnobError(f"{place}: {value!r} is none of {', '.join(CHOICES[name])}")
            changed[name] = value
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                raise KnobError(f"{place}: {value!r} is neither true nor false")
            changed[name] = value
        elif isinstance(default, str):
            changed[name] = str(value)
        elif value is None and default is None:
            changed[name] = None
        elif isinstance(value, int | float) and not isinstance(value, bool):
            changed[name] = float(value) if isinstance(default, float) else int(value)
        else:
            raise KnobError(f"{place}: {value!r} is no number")
    return dataclasses.replace(base, **changed)
