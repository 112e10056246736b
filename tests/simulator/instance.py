"""One VM of a scale set: what it is, and what Azure says it is, which is not always the same."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .images import Resolved

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def base36(number: int, width: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")


def seeded_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


@dataclass
class Shown:
    """A value that Azure goes on showing until `until` although it is not true any more."""

    value: Any
    until: float


@dataclass
class Instance:
    """Times are simulated seconds. `health` is None on a set without a health source.

    `original` is the image it was created from, `custom_data` what its present disk was provisioned with; `attached`
    says that somebody made it elsewhere and joined it to a Flexible set, `fell` that an upgrade which failed left it
    deallocated.
    """

    instance_id: str
    name: str
    number: int
    zone: str | None
    update_domain: int | None
    fault_domain: int | None
    computer_name: str
    vm_id: str
    generation: int
    model: dict[str, Any]
    image: Resolved
    os_disk: str
    created: float
    disk_time: float
    power: str = "running"
    provisioning: str = "Succeeded"
    provisioning_time: float = 0.0
    failure: dict[str, str] | None = None
    health: str | None = None
    health_time: float = 0.0
    has_health: bool = False
    protect_scale_in: bool = False
    protect_actions: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    etag: int = 1
    busy: str | None = None
    original: Resolved | None = None
    custom_data: str | None = None
    attached: bool = False
    fell: bool = False
    joining: bool = False
    leaving: bool = False
    gone: bool = False
    work: int = 0
    extensions_pending: list[str] = field(default_factory=list)
    old_exact: Shown | None = None
    old_health: Shown | None = None
    other_words: Shown | None = None
    draws: dict[str, int] = field(default_factory=dict)

    @property
    def domain(self) -> tuple[str | None, int | None]:
        """What is upgraded one after the other."""
        return (self.zone, self.fault_domain if self.update_domain is None else self.update_domain)

    @property
    def available(self) -> bool:
        healthy = not self.has_health or self.health == "healthy"
        return not self.gone and self.power == "running" and self.provisioning == "Succeeded" and healthy

    @property
    def unhealthy(self) -> bool:
        """As a rolling upgrade counts: Unknown is unhealthy, Initializing is not, the deallocated do not count."""
        if self.gone or self.leaving or self.joining or self.power == "deallocated":
            return False
        sick = self.has_health and self.health not in ("healthy", "initializing")
        return sick or self.provisioning == "Failed" or self.power != "running"

    def shown(self, what: str, now: float) -> str | None:
        """The word shown instead of the true `provisioning`, `power` or `health`; None where the truth is shown."""
        if self.other_words is None or now >= self.other_words.until:
            return None
        word: str | None = self.other_words.value.get(what)
        return word

    def shown_exact(self, now: float) -> str | None:
        if self.old_exact is not None and now < self.old_exact.until:
            value: str | None = self.old_exact.value
            return value
        return self.image.exact

    def shown_health(self, now: float) -> tuple[str, float] | None:
        """The state and its time, or None where there is no source."""
        if not self.has_health:
            return None
        if self.old_health is not None and now < self.old_health.until:
            state: str
            time: float
            state, time = self.old_health.value
            return state, time
        return (self.health or "unknown", self.health_time)
