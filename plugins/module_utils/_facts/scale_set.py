# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we know of a scale set and its instances. Plain data, read from Azure by `_arm.reading`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .images import Image
from .problems import Problem

UNIFORM = "Uniform"
FLEXIBLE = "Flexible"

UpgradeMode = t.Literal["Manual", "Automatic", "Rolling"]
MANUAL: t.Final = "Manual"
AUTOMATIC: t.Final = "Automatic"
ROLLING: t.Final = "Rolling"

ServiceState = t.Literal["NotRunning", "Running", "Suspended"]  # of an orchestration service
NOT_RUNNING: t.Final = "NotRunning"
RUNNING: t.Final = "Running"
SUSPENDED: t.Final = "Suspended"
AT_WORK = ("Updating", "Creating", "Migrating")  # provisioning states beside which Azure takes no other write


@dataclass(frozen=True)
class Instance:
    """One VM of a scale set.

    Times are Azure's own clock in seconds since the epoch; compare them only with each other.
    """

    instance_id: str
    name: str = ""
    computer_name: str = ""
    zone: str | None = None
    update_domain: int | None = None
    fault_domain: int | None = None
    power: str = "running"  # PowerState: running, stopped, deallocated, starting, … or "" where unknown
    provisioning: str = "Succeeded"  # Succeeded, Updating, Creating, Failed, Canceled, Deleting, …
    provisioning_time: float | None = None
    error: str | None = None  # what Azure says of a failed instance or extension: "code: message"
    health: str | None = None  # healthy, unhealthy, initializing, unknown; None where Azure reports none
    health_time: float | None = None
    extensions_settled: bool = True  # no extension is failed or in transition
    image: Image | None = None
    exact_version: str | None = None
    os_disk: str | None = None  # the OS disk's id, name or VHD URI, whichever Azure reports
    os_disk_time: float | None = None
    latest_model_applied: bool | None = None  # a hint, never the truth (Azure compares generations, not content)
    protected_from_scale_in: bool = False
    protected_from_actions: bool = False
    created: float | None = None  # an upgrade keeps it: it tells who came after a rollout began
    extension_versions: tuple[tuple[str, str], ...] = ()  # (extension, the version of its handler that runs)


@dataclass(frozen=True)
class ScaleSet:
    """A scale set's model and policy. `document` is the resource as Azure sent it, every member included."""

    id: str
    name: str
    resource_group: str
    location: str
    orchestration_mode: str = UNIFORM
    capacity: int = 0
    zones: tuple[str, ...] = ()
    provisioning_state: str = "Succeeded"
    upgrade_mode: UpgradeMode = MANUAL
    automatic_os_upgrade: bool = False
    deferred_os_upgrade: bool = False  # an automatic upgrade waits until somebody approves it
    automatic_repairs: bool = False
    zone_rebalancing: bool = False
    health_sources: tuple[
        str, ...
    ] = ()  # of: application_health_extension, load_balancer_probe, external_health_policy
    service_fabric: bool = False
    image: Image | None = None
    os_type: str = ""  # Linux, Windows
    ephemeral_os_disk: bool = False
    purchase_plan: t.Mapping[str, str] | None = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    document: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)

    @property
    def has_health_source(self) -> bool:
        return bool(self.health_sources)

    @property
    def flexible(self) -> bool:
        return self.orchestration_mode == FLEXIBLE


@dataclass(frozen=True)
class RollingUpgrade:
    """The latest of Azure's own rolling upgrades of a scale set (GET rollingUpgrades/latest)."""

    code: str  # RollingForward, RollingBack, Cancelled, Completed, Faulted
    started: float | None = None
    counts: t.Mapping[str, int] = field(default_factory=dict)  # successful, failed, in_progress, pending
    problem: Problem | None = None
    last_action: str = ""  # Start, Cancel
    last_action_time: float | None = None
    policy: t.Mapping[str, t.Any] = field(default_factory=dict)  # the rollingUpgradePolicy it runs by, as Azure sent it

    @property
    def running(self) -> bool:
        return self.code in ("RollingForward", "RollingBack")


@dataclass(frozen=True)
class PastUpgrade:
    """One entry of a scale set's OS upgrade history, which Azure keeps for five upgrades in two months."""

    code: str
    started: float | None = None
    ended: float | None = None
    counts: t.Mapping[str, int] = field(default_factory=dict)
    started_by: str = ""  # User, Platform, Unknown
    target: Image | None = None  # with the exact version, although the model says latest
    problem: Problem | None = None
    restored: int = 0  # instances that Azure gave their previous OS disk back
    not_restored: int = 0
    restore_problem: Problem | None = None


@dataclass(frozen=True)
class Retirement:
    """The end that its publisher has given to an image version (`imageDeprecationStatus`, `endOfLifeDate`).

    `at`: POSIX seconds, None where Azure gives no time. `final`: nothing can be made of it from then on. `over`: Azure
    says that it has come.
    """

    at: float | None = None
    final: bool = True
    over: bool = False
    alternative: str = ""  # of the publisher's: an offer or a plan


@dataclass(frozen=True)
class ImageVersion:
    """One version of a platform or gallery image, as the catalogue lists it."""

    version: str
    image: Image
    provisioning_state: str = "Succeeded"
    excluded_from_latest: bool = False
    regions: tuple[str, ...] | None = None  # None where the image is everywhere (platform) or the list cannot be read
    excluded_regions: tuple[str, ...] = ()
    published: str | None = None  # RFC 3339
    retirement: Retirement | None = None
    disk_gb: int | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What the catalogue knows of one exact image; a field is None where Azure does not say."""

    image: Image
    found: bool = True
    version: ImageVersion | None = None
    os_type: str | None = None
    architecture: str | None = None
    generation: str | None = None
    purchase_plan: t.Mapping[str, str] | None = None
    specialized: bool = False
    disk_gb: int | None = None
    security_type: str | None = None  # Standard, TrustedLaunch, TrustedLaunchSupported, ConfidentialVM and so on
