"""Faults that happen to an instance while it gets a new disk or is created: inner truth, not protocol."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from .extensions import extensions_of

if TYPE_CHECKING:
    from .images import Resolved
    from .instance import Instance


@dataclass
class InstanceFault:
    """`kind`: `fail` (ends in provisioning state Failed with `code`) or `unhealthy` (up, but never healthy).

    Whatever of scale_set, instance, image_version and action (upgrade, reimage, create, apply, extension, restore) is
    given must match. With `extension`, only where the model that is applied has that extension, with `while_settings`
    among its settings and protected settings, and with that `force_update_tag`, where these are given: new credentials
    in the model mend it. `chance` is drawn once for each instance and image; `times` bounds how often the fault
    strikes. `disk` says whether the new disk was there when it failed (`new`) or not yet (`old`: the instance keeps
    its image and stays stopped), `power: deallocated` that the failed work leaves it deallocated, as a failed
    allocation does.
    """

    kind: str
    scale_set: str | None = None
    instance: str | None = None
    image_version: str | None = None
    action: str | None = None
    chance: float = 1.0
    times: int | None = None
    code: str = "VMExtensionProvisioningError"
    message: str = "VM has reported a failure when processing extension 'app'. Error message: \"Enable failed\"."
    disk: str = "new"
    power: str | None = None
    seconds: float | None = None
    extension: str | None = None
    while_settings: dict[str, Any] | None = None
    force_update_tag: str | None = None
    struck: int = 0

    def matches(
        self, scale_set: str, instance: Instance, image: Resolved, action: str, profile: dict[str, Any]
    ) -> bool:
        if self.times is not None and self.struck >= self.times:
            return False
        if self.scale_set not in (None, scale_set) or self.action not in (None, action):
            return False
        if self.instance is not None and not fnmatch.fnmatchcase(instance.instance_id, self.instance):
            return False
        if self.extension is not None and not self._concerns(profile):
            return False
        return self.image_version is None or fnmatch.fnmatchcase(image.exact or image.identity, self.image_version)

    def _concerns(self, profile: dict[str, Any]) -> bool:
        for extension in extensions_of(profile):
            properties = extension.get("properties") or {}
            settings = {**(properties.get("settings") or {}), **(properties.get("protectedSettings") or {})}
            if extension["name"] == self.extension:
                same_tag = self.force_update_tag in (None, properties.get("forceUpdateTag"))
                return same_tag and (self.while_settings or {}).items() <= settings.items()
        return False

    def failure(self) -> dict[str, str]:
        """What the instance shows of it."""
        extension = {} if self.extension is None else {"extension": self.extension}
        return {"code": self.code, "message": self.message, **extension}

    def take(self, seed: int, scale_set: str, number: int) -> bool:
        if self.chance < 1.0:
            rng = Random(f"{seed}/{scale_set}/{number}/fault/{self.image_version}/{self.kind}")
            if rng.random() >= self.chance:
                return False
        self.struck += 1
        return True
