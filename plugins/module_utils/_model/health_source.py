# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health source of a scale set: what it is, what is asked for, and what would be wrong with that.

Settings: https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-health-extension
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, fields, replace

from .._facts import documents
from .._facts.problems import Refused
from .._facts.scale_set import ROLLING, ScaleSet
from .._options import ApplicationHealthOptions, HealthMonitorRequest, given

EXTENSION = "application_health_extension"
PROBE = "load_balancer_probe"
PUBLISHER = "Microsoft.ManagedServices"
STATES = {"binary": "1.0", "rich": "2.0"}  # by the extension's typeHandlerVersion

_PROBE_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/loadBalancers/[^/]+/probes/[^/]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Setting:
    """A number of the extension's: Azure's name for it, what it takes, and what it is where left out."""

    wire: str
    least: int
    most: int
    default: int | None = None


NUMBERS = {
    "port": Setting("port", 1, 65535),
    "interval_in_seconds": Setting("intervalInSeconds", 5, 60, 5),
    "number_of_probes": Setting("numberOfProbes", 1, 24, 1),
    "grace_period": Setting("gracePeriod", 0, 14400),
}
OF_THE_EXTENSION = tuple(one.name for one in fields(ApplicationHealthOptions))

Shown = dict[str, t.Any]


def extension(scale_set: ScaleSet) -> dict[str, t.Any] | None:
    """The Application Health extension of the model, as Azure sent it."""
    for one in documents.extensions(scale_set):
        if is_source(one.get("properties")):
            return one
    return None


def network(scale_set: ScaleSet) -> dict[str, t.Any]:
    found = documents.profile(scale_set).get("networkProfile")
    return dict(found) if isinstance(found, dict) else {}


def with_probe(scale_set: ScaleSet, given: str) -> ScaleSet:
    """The scale set as it would be with this probe."""
    properties = documents.at(scale_set.document, "properties") or {}
    profile = {**documents.profile(scale_set), "networkProfile": {**network(scale_set), "healthProbe": {"id": given}}}
    document = {**scale_set.document, "properties": {**properties, "virtualMachineProfile": profile}}
    return replace(scale_set, document=document)


def probe_id(scale_set: ScaleSet) -> str:
    return str(documents.at(network(scale_set), "healthProbe", "id") or "")


def current(scale_set: ScaleSet) -> Shown:
    """Each source that the model has, in the words of the module's options; None for one that it has not."""
    return {EXTENSION: _shown_extension(extension(scale_set)), PROBE: probe_id(scale_set) or None}


def _shown_extension(found: t.Mapping[str, t.Any] | None) -> Shown | None:
    if found is None:
        return None
    properties = found.get("properties") or {}
    settings = properties.get("settings") or {}
    rich = str(properties.get("typeHandlerVersion") or "").startswith("2")
    return {
        "extension_name": found.get("name"),
        "health_states": "rich" if rich else "binary",
        "protocol": settings.get("protocol"),
        "request_path": settings.get("requestPath"),
        **{name: settings.get(setting.wire, setting.default) for name, setting in NUMBERS.items()},
    }


def desired(scale_set: ScaleSet, request: HealthMonitorRequest) -> Shown:
    """What `current` is to be. Options not given stay as they are. Raises Refused with all that is wrong."""
    if request.state == "absent":
        return _without(scale_set, request)
    wrong: list[str] = []
    if request.source == PROBE:
        result = _wanted_probe(scale_set, request, wrong)
    else:
        result = _wanted_extension(scale_set, request, wrong)
    others = [name for name in scale_set.health_sources if name != request.source]
    if "external_health_policy" in others:
        wrong.append(f"scale set {scale_set.name} has an external health policy, which must be removed first")
    elif others and not request.replace:
        wrong.append(
            f"scale set {scale_set.name} has the health source {others[0]}, and Azure takes only one; replace: true "
            "replaces it"
        )
    taken = len(wrong) == 1 and bool(others)
    if wrong:
        raise Refused("health_source_taken" if taken else "option_invalid", f"{'; '.join(wrong)}. Nothing was written.")
    return result


def _without(scale_set: ScaleSet, request: HealthMonitorRequest) -> Shown:
    before = current(scale_set)
    removed = [request.source] if request.source else [EXTENSION, PROBE]
    result = {name: None if name in removed else value for name, value in before.items()}
    left = [name for name in scale_set.health_sources if name not in removed]
    if result != before and not left:
        refuse_none(scale_set)
    return result


def refuse_none(scale_set: ScaleSet) -> None:
    """Raises Refused where something of the scale set needs a health source, for a write that would leave none."""
    if needed := needs(scale_set):
        raise Refused(
            "health_source_needed",
            f"scale set {scale_set.name} needs its health source, for {' and '.join(needed)}. Nothing was written.",
        )


def refuse_last(scale_set: ScaleSet, name: str) -> None:
    """Raises Refused where taking this source away leaves none and something needs one."""
    if name in scale_set.health_sources and len(scale_set.health_sources) == 1:
        refuse_none(scale_set)


def is_source(properties: t.Mapping[str, t.Any] | None) -> bool:
    """Whether an extension of these properties tells health."""
    return str(documents.at(properties, "type")).lower().startswith("applicationhealth")


def half_done(scale_set: ScaleSet | None, before: Shown, after: Shown) -> str:
    """What there is, and how to go on, where the second write of a replacement has failed. None: it cannot be read."""
    ways = {EXTENSION: "the Application Health extension", PROBE: "the load balancer probe"}
    old = next(name for name in ways if before[name] is not None and after[name] is None)
    if scale_set is None:
        return "What health sources the scale set has now could not be read. Run the same again."
    there = [ways[name] for name, value in current(scale_set).items() if value is not None]
    if not there:
        return (
            "The scale set has no health source now. Run the same again, or restore what was removed: "
            f"{ways[old]}, {before[old]}."
        )
    needed = needs(scale_set)
    off = (
        f" If Azure takes only one at a time, turn off during the change what needs one: {' and '.join(needed)}."
        if needed
        else ""
    )
    if len(there) == 1:
        return f"The health source of the scale set is {there[0]} now. Run the same again.{off}"
    return (
        f"The scale set has two health sources now, {' and '.join(there)}, and Azure uses only one. Run the same "
        f"again, or take {ways[old]} away: steady.vmss.health_monitor with state: absent and source: {old}.{off}"
    )


def needs(scale_set: ScaleSet) -> list[str]:
    """What of the scale set cannot be without a health source, with the way to turn it off."""
    needed = []
    if scale_set.automatic_os_upgrade and not scale_set.service_fabric:
        needed.append("automatic OS image upgrades are on (turn them off: steady.vmss.upgrade_policy)")
    if scale_set.upgrade_mode == ROLLING:
        needed.append("the upgrade mode is Rolling (set another: steady.vmss.upgrade_policy)")
    if scale_set.automatic_repairs:
        needed.append("automatic repairs are on (az vmss update --enable-automatic-repairs false)")
    return needed


def _wanted_probe(scale_set: ScaleSet, request: HealthMonitorRequest, wrong: list[str]) -> Shown:
    probe = str(request.probe_id or "")
    if not _PROBE_ID.fullmatch(probe):
        wrong.append(
            f"probe_id '{probe}' is not the resource id of a load balancer's probe, "
            "/subscriptions/…/providers/Microsoft.Network/loadBalancers/NAME/probes/NAME"
        )
    if strange := given(request, ApplicationHealthOptions):
        wrong.append(f"{', '.join(strange)}: a load balancer's probe is set up at the load balancer")
    if scale_set.flexible:
        wrong.append(
            f"scale set {scale_set.name} is Flexible, where only the Application Health extension reports health"
        )
    if scale_set.service_fabric:
        cluster = "belongs to a Service Fabric cluster, where Azure refuses a probe and none is needed"
        wrong.append(f"scale set {scale_set.name} {cluster}")
    same = probe_id(scale_set).lower() == probe.lower()
    return {EXTENSION: None, PROBE: probe_id(scale_set) if same else probe}


def _wanted_extension(scale_set: ScaleSet, request: HealthMonitorRequest, wrong: list[str]) -> Shown:
    stored = extension(scale_set)
    before = _shown_extension(stored) or {}
    result = {**dict.fromkeys(OF_THE_EXTENSION), **before, **given(request, ApplicationHealthOptions)}
    result["health_states"] = result["health_states"] or "binary"
    default_name = f"ApplicationHealth{scale_set.os_type}"
    other = request.extension_name
    if stored and other and other.lower() != str(stored.get("name")).lower():
        wrong.append(
            f"the Application Health extension of scale set {scale_set.name} has the name {stored.get('name')}, which "
            f"Azure does not change to {other}: omit extension_name, or remove the extension first"
        )
    name = str(before.get("extension_name") or result["extension_name"] or default_name)
    result["extension_name"] = name
    for number, setting in NUMBERS.items():
        value = result[number] = setting.default if result[number] is None else result[number]
        if value is not None and not setting.least <= value <= setting.most:
            wrong.append(f"{number} {value} is out of range: Azure takes {setting.least} to {setting.most}")
    if request.probe_id:
        wrong.append("probe_id is only for source load_balancer_probe")
    if not scale_set.os_type:
        wrong.append(f"the model of scale set {scale_set.name} does not say whether it is Linux or Windows")
    taken = {str(one.get("name")).lower() for one in documents.extensions(scale_set) if one is not stored}
    if name.lower() in taken:
        wrong.append(f"another extension has the name {name}; give extension_name")
    wrong += _of_the_protocol(result, request)
    return {EXTENSION: result, PROBE: None}


def _of_the_protocol(result: Shown, request: HealthMonitorRequest) -> t.Iterator[str]:
    if result["protocol"] == "tcp":
        if result["port"] is None:
            yield "protocol tcp needs a port"
        if request.request_path is not None:
            yield "protocol tcp takes no request_path"
        result["request_path"] = None
    elif result["protocol"] in ("http", "https"):
        if not result["request_path"]:
            yield f"protocol {result['protocol']} needs a request_path"
    else:
        yield "protocol is missing: http, https or tcp"
    if result["health_states"] == "binary":
        if request.grace_period is not None:
            yield "grace_period is only for health_states rich"
        result["grace_period"] = None


def document(scale_set: ScaleSet, result: Shown) -> dict[str, t.Any]:
    """The whole extension to write: what is wanted, and every member of the stored one that the options do not name."""
    stored = dict((extension(scale_set) or {}).get("properties") or {})
    stored.pop("provisioningState", None)
    settings = dict(stored.get("settings") or {})
    values = {"protocol": result["protocol"], "requestPath": result["request_path"]}
    values |= {setting.wire: result[name] for name, setting in NUMBERS.items()}
    settings = {name: value for name, value in {**settings, **values}.items() if value is not None}
    version = str(stored.get("typeHandlerVersion") or "")
    if not version.startswith(STATES[result["health_states"]][0]):
        version = STATES[result["health_states"]]
    properties = {
        "autoUpgradeMinorVersion": True,
        **stored,
        "publisher": PUBLISHER,
        "type": f"ApplicationHealth{scale_set.os_type}",
        "typeHandlerVersion": version,
        "settings": settings,
    }
    return {"name": result["extension_name"], "properties": properties}
