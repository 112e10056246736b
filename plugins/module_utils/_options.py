# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every option of every module, once: its type, default and choices, which Ansible's argument spec is made from.

A class named …Request is a module's options, as its use case gets them; one named …Options is a part that several
share. A field without a default is required. A test compares all of them with the documentation.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing as t
from dataclasses import dataclass, field

from ._facts.scale_set import UpgradeMode

FilePath = t.NewType("FilePath", str)
Spec = dict[str, dict[str, t.Any]]
R = t.TypeVar("R")

AuthSource = t.Literal["auto", "env", "credential_file", "workload_identity", "msi", "cli"]
HealthSource = t.Literal["application_health_extension", "load_balancer_probe"]
OnFailure = t.Literal["stop", "rollback_failed", "rollback_all"]
OrderBy = t.Literal["domain", "fault_domain", "zone", "none"]
RecordState = t.Literal["in_progress", "going_back", "finished", "stopped", "rolled_back"]
SecurityType = t.Literal["TrustedLaunch", "Standard"]
RecordedSecurity = t.Literal[
    "TrustedLaunch",
    "Standard",
    "TrustedLaunch-secure-boot",
    "TrustedLaunch-no-vtpm",
    "TrustedLaunch-secure-boot-no-vtpm",
]
Service = t.Literal["AutomaticRepairs", "AutomaticZoneRebalancing"]

_TYPES = {str: "str", int: "int", float: "float", bool: "bool", FilePath: "path", t.Any: "raw"}
_NO_LOG = {"no_log": True}


# -- parts ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ConnectionOptions:
    subscription_id: str | None = None
    client_id: str | None = None
    secret: str | None = field(default=None, repr=False, metadata=_NO_LOG)
    tenant: str | None = None
    auth_source: AuthSource | None = None
    profile: str | None = None
    cloud_environment: str | None = None
    auxiliary_tenants: t.Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ScaleSetOptions(ConnectionOptions):
    resource_group: str
    name: str


@dataclass(frozen=True, kw_only=True)
class JournalOptions(ScaleSetOptions):
    journal: FilePath | None = None


@dataclass(frozen=True, kw_only=True)
class AzureMayUpgradeOptions:
    azure_may_upgrade: bool = False


@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    instance_ids: t.Sequence[str] = ()
    update_domains: t.Sequence[str] = ()
    fault_domains: t.Sequence[str] = ()
    zones: t.Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    max_unavailable: str = "20%"
    batch_size: t.Sequence[str] = ()
    canary: int | None = None
    max_unhealthy: str = "20%"
    max_unhealthy_upgraded: str = "0"
    include_deallocated: bool = False
    downgrade: bool = False
    order_by: OrderBy = "domain"
    unproven: t.Literal["report", "reimage"] = "report"
    busy: t.Literal["wait", "skip"] = "wait"


@dataclass(frozen=True, kw_only=True)
class HealthLagOptions:
    health_lag: float = 120


@dataclass(frozen=True, kw_only=True)
class PatienceOptions(HealthLagOptions):
    healthy_for: float = 0
    health_timeout: float = 300
    upgrade_timeout: float = 3600
    version_lag: float = 120


@dataclass(frozen=True, kw_only=True)
class HookOptions:
    """The user's task files."""

    before: str | None = None
    before_batch: str | None = None
    health_check: str | None = None
    after_batch: str | None = None
    after: str | None = None
    on_failure_tasks: str | None = None


@dataclass(frozen=True, kw_only=True)
class HookEndOptions:
    """How the user's tasks ended."""

    outcome: t.Literal["done", "failed"]
    task: str | None = None
    words: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    id: str
    target: str
    previous: str | None = None
    selection: str | None = None
    started: str | None = None
    suspended: t.Sequence[str] | None = None
    security: RecordedSecurity | None = None
    state: RecordState = "in_progress"


@dataclass(frozen=True, kw_only=True)
class RollingUpgradePolicyOptions:
    max_batch_instance_percent: int | None = None
    max_unhealthy_instance_percent: int | None = None
    max_unhealthy_upgraded_instance_percent: int | None = None
    pause_time_between_batches: str | None = None
    enable_cross_zone_upgrade: bool | None = None
    prioritize_unhealthy_instances: bool | None = None
    rollback_failed_instances_on_policy_breach: bool | None = None
    max_surge: bool | None = None


@dataclass(frozen=True, kw_only=True)
class AutomaticUpgradesPolicyOptions:
    """How Azure upgrades by itself."""

    disable_automatic_rollback: bool | None = None
    use_rolling_upgrade_policy: bool | None = None
    os_rolling_upgrade_deferral: bool | None = None


@dataclass(frozen=True, kw_only=True)
class AutomaticOsUpgradePolicyOptions(AutomaticUpgradesPolicyOptions):
    enable_automatic_os_upgrade: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ExtensionOptions:
    """What an extension is, less what Azure never shows."""

    publisher: str | None = None
    type: str | None = None
    type_handler_version: str | None = None
    auto_upgrade_minor_version: bool | None = None
    enable_automatic_upgrade: bool | None = None
    provision_after_extensions: t.Sequence[str] | None = None
    settings: t.Mapping[str, t.Any] | None = None
    force_update_tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class ApplicationHealthOptions:
    """What only the Application Health extension has."""

    protocol: t.Literal["http", "https", "tcp"] | None = None
    port: int | None = None
    request_path: str | None = None
    interval_in_seconds: int | None = None
    number_of_probes: int | None = None
    grace_period: int | None = None
    health_states: t.Literal["binary", "rich"] | None = None
    extension_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class HealthSourceOptions(ApplicationHealthOptions):
    source: HealthSource | None = None
    replace: bool = False
    probe_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProtectionOptions:
    from_scale_in: bool | None = None
    from_scale_set_actions: bool | None = None


# -- modules ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AutomaticUpgradesRequest(JournalOptions, AzureMayUpgradeOptions, PatienceOptions):
    follow_latest: bool = False
    upgrade_mode: t.Literal["Manual"] | None = None
    health_monitor: HealthSourceOptions | None = None
    rolling_upgrade_policy: RollingUpgradePolicyOptions | None = None
    automatic_os_upgrade_policy: AutomaticUpgradesPolicyOptions | None = None
    upgrade_instances: bool = True
    max_unavailable: str = PolicyOptions.max_unavailable
    timeout: int = 1800


@dataclass(frozen=True, kw_only=True)
class DeferredUpgradeRequest(JournalOptions):
    instance_ids: t.Sequence[str] = ()
    timeout: int = 900


@dataclass(frozen=True, kw_only=True)
class ExtensionRequest(JournalOptions, ExtensionOptions, AzureMayUpgradeOptions):
    extension: str
    state: t.Literal["present", "absent"] = "present"
    protected_settings: t.Mapping[str, t.Any] | None = field(default=None, repr=False, metadata=_NO_LOG)
    timeout: int = 1800


@dataclass(frozen=True, kw_only=True)
class HealthMonitorRequest(JournalOptions, HealthSourceOptions, AzureMayUpgradeOptions):
    state: t.Literal["present", "absent"] = "present"
    timeout: int = 1800


@dataclass(frozen=True, kw_only=True)
class ImageRequest(JournalOptions):
    image: t.Any
    security_type: SecurityType | None = None
    upgrade_mode: t.Literal["Manual"] | None = None
    record: RecordOptions | None = None
    latest_must_mean: t.Any = None
    replaces: t.Any = None
    replaces_rollout: str | None = None
    timeout: int = 1800


@dataclass(frozen=True, kw_only=True)
class ImageInfoRequest(ConnectionOptions):
    image: t.Any = None
    location: str | None = None
    resource_group: str | None = None
    name: str | None = None
    running: bool = True


@dataclass(frozen=True, kw_only=True)
class InstanceProtectionRequest(JournalOptions, ProtectionOptions):
    instance_ids: t.Sequence[str]
    timeout: int = 600


@dataclass(frozen=True, kw_only=True)
class InstanceUpgradeRequest(JournalOptions, SelectionOptions, PolicyOptions, PatienceOptions):
    image: t.Any = None
    whole_model: bool = False
    model_will_change: bool = False
    rollout: str | None = None
    begins: bool = False
    touched: t.Sequence[str] = ()
    busy_before: t.Sequence[str] = ()
    batch: t.Sequence[str] = ()
    wait_only: bool = False
    earlier_batches: t.Sequence[t.Mapping[str, t.Any]] = ()


@dataclass(frozen=True, kw_only=True)
class LifecycleEventRequest(ScaleSetOptions):
    state: t.Literal["listed", "approved", "rejected", "delayed"] = "listed"
    event: str | None = None
    instance_ids: t.Sequence[str] = ()
    until: str | None = None


@dataclass(frozen=True, kw_only=True)
class OrchestrationServiceRequest(JournalOptions):
    services: t.Sequence[Service] = t.get_args(Service)
    state: t.Literal["Running", "Suspended"]
    timeout: int = 3600


@dataclass(frozen=True, kw_only=True)
class RollingUpgradeRequest(JournalOptions):
    state: t.Literal["started", "completed", "cancelled"]
    type: t.Literal["os", "extensions"] = "os"
    wait_for_start: int | None = None
    upgrade_started: str | None = None
    upgrade_known: str | None = None
    timeout: int = 14400
    health_timeout: int = 300
    poll_interval: float = 30


@dataclass(frozen=True, kw_only=True)
class RollingUpgradeInfoRequest(ScaleSetOptions):
    history: bool = True


@dataclass(frozen=True, kw_only=True)
class RolloutRequest(ScaleSetOptions, SelectionOptions, PolicyOptions, PatienceOptions, HookOptions):
    image: t.Any = None
    security_type: SecurityType | None = None
    upgrade_mode: t.Literal["Manual"] | None = None
    follow_latest: bool = False
    suspend_services: bool = True
    protected: t.Literal["skip", "refuse"] = "skip"
    take_over: bool = False
    managed_elsewhere: bool = False
    pause: float = 0
    on_failure: OnFailure = "stop"
    keep_model: bool = False
    back: bool = False
    journal_dir: FilePath | None = None
    memory: t.Mapping[str, t.Any] | None = None
    hook: HookEndOptions | None = None
    died: bool = False
    work_dir: FilePath | None = None


# Of a rollout, what the role and the action plugin say, and no variable of a user's.
BETWEEN_CALLS: t.Final = ("back", "memory", "hook", "died", "work_dir")

# What the way back of an earlier rollout sets itself, whatever is asked.
BACK: t.Final[dict[str, t.Any]] = {
    "downgrade": True,
    "take_over": True,
    "managed_elsewhere": True,
    "keep_model": True,
    "max_unhealthy": "100%",
    "on_failure": "stop",
}


@dataclass(frozen=True, kw_only=True)
class ScaleSetInfoRequest(ConnectionOptions):
    resource_group: str | None = None
    name: str | None = None
    image: t.Any = None
    instances: bool = True
    newest: bool = False
    also_read: t.Sequence[t.Literal["rolling_upgrade", "services", "automatic_upgrades"]] = ()
    instance_ids: t.Sequence[str] = ()
    addresses: bool = False
    format: t.Literal["text", "json"] = "text"
    watch: float | None = None


@dataclass(frozen=True, kw_only=True)
class UpgradePlanInfoRequest(ScaleSetOptions, SelectionOptions, PolicyOptions, HealthLagOptions):
    image: t.Any = None
    security_type: SecurityType | None = None
    upgrade_mode: t.Literal["Manual"] | None = None
    follow_latest: bool = False
    suspend_services: bool = False
    protected: t.Literal["skip", "refuse"] = "skip"
    take_over: bool = False
    managed_elsewhere: bool = False
    going_back: bool = False
    seconds_per_instance: float | None = None
    journal_dir: FilePath | None = None
    healthy_for: float = PatienceOptions.healthy_for
    pause: float = RolloutRequest.pause
    format: t.Literal["text", "json", "markdown"] = "text"


@dataclass(frozen=True, kw_only=True)
class UpgradePolicyRequest(JournalOptions, AzureMayUpgradeOptions):
    mode: UpgradeMode | None = None
    rolling_upgrade_policy: RollingUpgradePolicyOptions | None = None
    automatic_os_upgrade_policy: AutomaticOsUpgradePolicyOptions | None = None
    timeout: int = 1800


# -- between Ansible and the classes ----------------------------------------------------------------


def request_of(module: str) -> type[ConnectionOptions]:
    """The request class is called as the module is."""
    kind = globals()["".join(word.title() for word in module.split("_")) + "Request"]
    return t.cast(type[ConnectionOptions], kind)


def unusable_number(params: t.Mapping[str, t.Any]) -> str:
    """An option that is a number and counts nothing: below 0, infinite or none; "" where all can be meant."""
    for name, value in params.items():
        if isinstance(value, (int, float)) and not 0 <= value < math.inf:
            return f"{name} is {value:g}, but must be 0 or more."
    return ""


def argument_spec(request: type) -> Spec:
    """What Ansible checks a module's arguments by."""
    hints = t.get_type_hints(request)
    return {one.name: _argument(one, hints[one.name]) for one in dataclasses.fields(request)}


def _argument(one: dataclasses.Field[t.Any], hint: t.Any) -> dict[str, t.Any]:
    spec = {**_type(_given(hint)), **one.metadata}
    if one.default is dataclasses.MISSING:
        spec["required"] = True
    elif one.default is not None:
        spec["default"] = list(one.default) if isinstance(one.default, tuple) else one.default
    return spec


def _type(hint: t.Any) -> dict[str, t.Any]:
    origin, inner = t.get_origin(hint), t.get_args(hint)
    if origin is t.Literal:
        return {"type": "str", "choices": list(inner)}
    if origin is not None and issubclass(origin, t.Mapping):
        return {"type": "dict"}
    if origin is not None and issubclass(origin, t.Sequence):
        of_each = _type(inner[0])
        return {**of_each, "type": "list", "elements": of_each["type"]}
    if dataclasses.is_dataclass(hint):
        return {"type": "dict", "options": argument_spec(t.cast(type, hint))}
    return {"type": _TYPES[hint]}


def _given(hint: t.Any) -> t.Any:
    """The type of an option where it is given: `str` of `str | None`."""
    if t.get_origin(hint) in (t.Union, types.UnionType):
        return next(one for one in t.get_args(hint) if one is not types.NoneType)
    return hint


def parse(kind: type[R], params: t.Mapping[str, t.Any]) -> R:
    """The request of a module's arguments. One that is not given, or "" where there is a default, has its default."""
    hints = t.get_type_hints(kind)
    found: dict[str, t.Any] = {}
    for name, value in params.items():
        if value is None or (value == "" and getattr(kind, name, None) is not None):
            continue
        part = _given(hints.get(name))
        found[name] = parse(part, value) if isinstance(part, type) and dataclasses.is_dataclass(part) else value
    return kind(**found)


def given(options: object, part: type) -> dict[str, t.Any]:
    """Those options of this part that are given, by name; none of a part that is None."""
    names = [one.name for one in dataclasses.fields(part)] if options is not None else []
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def part(kind: type[R], request: object, **more: t.Any) -> R:
    """A smaller request of a larger one: the options that both have, and `more`."""
    names = {one.name for one in dataclasses.fields(t.cast(t.Any, kind))}
    same = {one.name: getattr(request, one.name) for one in dataclasses.fields(t.cast(t.Any, request))}
    return kind(**{**{name: value for name, value in same.items() if name in names}, **more})


def set_by_user(request: object) -> dict[str, t.Any]:
    """The options that are not at their defaults, by name."""
    fields = dataclasses.fields(t.cast(t.Any, request))
    return {one.name: value for one in fields if (value := getattr(request, one.name)) not in (one.default, None, [])}


def secrets(request: ConnectionOptions) -> list[t.Any]:
    """The values that may be shown nowhere."""
    return [getattr(request, one.name) for one in dataclasses.fields(request) if one.metadata.get("no_log")]
