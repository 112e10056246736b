# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set's upgrade policy: its members, their ranges and Azure's defaults, and what is asked of it.

Members: https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-sets/create-or-update#upgradepolicy
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._facts import availability, running_image
from .._facts.documents import at
from .._facts.domains import instance_order, ranges
from .._facts.findings import ERROR, WARNING, Finding
from .._facts.images import Image
from .._facts.problems import Refused
from .._facts.scale_set import AUTOMATIC, MANUAL, Instance, ScaleSet
from .._options import AutomaticOsUpgradePolicyOptions, RollingUpgradePolicyOptions, UpgradePolicyRequest, given

Policy = dict[str, t.Any]

ROLLING_POLICY = "rolling_upgrade_policy"
AUTOMATIC_POLICY = "automatic_os_upgrade_policy"
ENABLED = "enable_automatic_os_upgrade"

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Member:
    """One member as Azure writes it, with Azure's default. `least` to `most` is the range of a percentage."""

    wire: str
    default: int | bool | str
    least: int = 0
    most: int = 100

    @property
    def is_duration(self) -> bool:
        return isinstance(self.default, str)

    @property
    def is_percentage(self) -> bool:
        return isinstance(self.default, int) and not isinstance(self.default, bool)


SECTIONS: dict[str, tuple[str, dict[str, Member]]] = {
    ROLLING_POLICY: (
        "rollingUpgradePolicy",
        {
            "max_batch_instance_percent": Member("maxBatchInstancePercent", 20, least=5),
            "max_unhealthy_instance_percent": Member("maxUnhealthyInstancePercent", 20, least=5),
            "max_unhealthy_upgraded_instance_percent": Member("maxUnhealthyUpgradedInstancePercent", 20),
            "pause_time_between_batches": Member("pauseTimeBetweenBatches", "PT0S"),
            "enable_cross_zone_upgrade": Member("enableCrossZoneUpgrade", False),
            "prioritize_unhealthy_instances": Member("prioritizeUnhealthyInstances", False),
            "rollback_failed_instances_on_policy_breach": Member("rollbackFailedInstancesOnPolicyBreach", False),
            "max_surge": Member("maxSurge", False),
        },
    ),
    AUTOMATIC_POLICY: (
        "automaticOSUpgradePolicy",
        {
            ENABLED: Member("enableAutomaticOSUpgrade", False),
            "disable_automatic_rollback": Member("disableAutomaticRollback", False),
            "use_rolling_upgrade_policy": Member("useRollingUpgradePolicy", False),
            "os_rolling_upgrade_deferral": Member("osRollingUpgradeDeferral", False),
        },
    ),
}


def seconds(duration: object) -> float | None:
    """The seconds of an ISO 8601 duration of days and less ("PT1M30S"), or of a plain number; None for all else."""
    text = str(duration).strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = _DURATION.fullmatch(text)
    if not found or text.upper().endswith(("P", "T")):
        return None
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def stored(scale_set: ScaleSet) -> t.Mapping[str, t.Any]:
    """The policy as Azure sent it; {} where it sent none (Flexible)."""
    return at(scale_set.document, "properties", "upgradePolicy") or {}


def current(policy: t.Mapping[str, t.Any]) -> Policy:
    """A policy of Azure's in the words of the module's options, every member given, defaults where Azure says none."""
    mode = str(policy.get("mode") or MANUAL)
    result: Policy = {"mode": mode[:1].upper() + mode[1:].lower()}
    for section, (wire, members) in SECTIONS.items():
        given = policy.get(wire) or {}
        result[section] = {name: _or_default(member, given.get(member.wire)) for name, member in members.items()}
    return result


def _or_default(member: Member, value: object) -> object:
    return member.default if value is None else value


def desired(request: UpgradePolicyRequest) -> Policy:
    """What the options ask for, and nothing else. Raises Refused with all that is out of range."""
    wanted: Policy = {"mode": request.mode} if request.mode else {}
    wrong = []
    sections = {
        ROLLING_POLICY: given(request.rolling_upgrade_policy, RollingUpgradePolicyOptions),
        AUTOMATIC_POLICY: given(request.automatic_os_upgrade_policy, AutomaticOsUpgradePolicyOptions),
    }
    for section, (_dummy, members) in SECTIONS.items():
        asked_for = {name: value for name, value in sections[section].items() if value != ""}
        for name, value in asked_for.items():
            if reason := _out_of_range(members[name], value):
                wrong.append(f"{section}.{name} {reason}")
            elif members[name].is_duration and seconds(value) == 0:
                asked_for[name] = members[name].default
            elif members[name].is_duration and not str(value).upper().startswith("P"):
                asked_for[name] = f"PT{value}S"
        if asked_for:
            wanted[section] = asked_for
    if wrong:
        raise Refused("option_invalid", f"{'; '.join(wrong)}. Nothing was written.")
    if not wanted:
        raise Refused("nothing_asked", f"nothing is asked for: give mode, {ROLLING_POLICY} or {AUTOMATIC_POLICY}.")
    return wanted


def _out_of_range(member: Member, value: t.Any) -> str:
    if member.is_duration and seconds(value) is None:
        return f"'{value}' is not a duration: write ISO 8601 such as PT30S, or seconds"
    if member.is_percentage and not member.least <= value <= member.most:
        return f"{value} is out of range: Azure takes {member.least} to {member.most}"
    return ""


def merged(policy: t.Mapping[str, t.Any], wanted: Policy) -> Policy:
    """The policy, shown, as it is once what is asked for is written."""
    before = current(policy)
    result = {**before, **{name: value for name, value in wanted.items() if name == "mode"}}
    for section in SECTIONS:
        given = wanted.get(section, {})
        result[section] = {
            name: now if name not in given or _equal(now, given[name]) else given[name]
            for name, now in before[section].items()
        }
    return result


def _equal(one: object, other: object) -> bool:
    if isinstance(one, str):
        return seconds(one) == seconds(other)
    return one == other


def patch(policy: t.Mapping[str, t.Any], wanted: Policy) -> dict[str, t.Any]:
    """The `upgradePolicy` to write: all that is stored, for whether PATCH merges is unverified, and what is asked."""
    body: dict[str, t.Any] = dict(policy)
    if "mode" in wanted:
        body["mode"] = wanted["mode"]
    for section, (wire, members) in SECTIONS.items():
        if section in wanted:
            given = {members[name].wire: value for name, value in wanted[section].items()}
            body[wire] = {**(policy.get(wire) or {}), **given}
    return body


def enables(before: Policy, later: Policy) -> bool:
    """Whether the change turns automatic OS upgrades on."""
    return bool(later[AUTOMATIC_POLICY][ENABLED] and not before[AUTOMATIC_POLICY][ENABLED])


def findings(scale_set: ScaleSet, policy: Policy) -> t.Iterator[Finding]:
    """What does not fit together in a policy as `merged` gives it."""
    rolling = policy[ROLLING_POLICY]
    if scale_set.service_fabric and policy["mode"] not in (AUTOMATIC, scale_set.upgrade_mode):
        yield Finding(
            ERROR,
            "service_fabric_mode",
            f"Service Fabric manages scale set {scale_set.name} and upgrades its domains itself, which only mode "
            "Automatic allows.",
            "Keep the mode Automatic.",
        )
    if scale_set.flexible and rolling["rollback_failed_instances_on_policy_breach"]:
        yield Finding(
            ERROR,
            "rollback_flexible",
            f"scale set {scale_set.name} is Flexible, where Azure cannot roll failed instances back.",
            f"Leave {ROLLING_POLICY}.rollback_failed_instances_on_policy_breach false.",
        )
    if scale_set.flexible and rolling["max_surge"] and policy[AUTOMATIC_POLICY][ENABLED]:
        yield Finding(
            ERROR,
            "max_surge_flexible",
            f"scale set {scale_set.name} is Flexible, where automatic OS image upgrades and max surge exclude each "
            "other.",
            f"Set {ROLLING_POLICY}.max_surge to false.",
        )
    batch, unhealthy = rolling["max_batch_instance_percent"], rolling["max_unhealthy_instance_percent"]
    if batch > unhealthy:
        yield Finding(
            WARNING,
            "batch_above_unhealthy",
            f"a batch of {batch} % is more than the {unhealthy} % that may be unhealthy, and instances that are being "
            "upgraded count as unhealthy: Azure may refuse this, or stop after a batch.",
            f"Raise {ROLLING_POLICY}.max_unhealthy_instance_percent to {batch}, or make batches smaller.",
        )


def not_proven(instances: t.Iterable[Instance], target: Image | None, since: float | None) -> dict[str, str]:
    """The instances that are not proven to have the model, each with why.

    `target`: what the model's image means now, None where that is not known. `since`: as `running_image.judge`.
    """
    found = {one.instance_id: _why_not_proven(one, target, since) for one in sorted(instances, key=instance_order)}
    return {instance_id: why for instance_id, why in found.items() if why}


def _why_not_proven(instance: Instance, target: Image | None, since: float | None) -> str:
    if instance.provisioning.lower() == "deleting":
        return ""
    model = running_image.judge_model(instance)
    if model == running_image.OUTDATED:
        return "it does not have the newest model"
    if model == running_image.UNPROVEN:
        return "Azure does not show whether it has the newest model"
    if target is None:
        return "what the model's image means now is not known"
    verdict = running_image.judge(instance, target, since=since)
    if verdict == running_image.CURRENT:
        return ""
    if verdict == running_image.UNPROVEN:
        return "nothing shows which image is on its disk"
    return f"it runs {running_image.running_image(instance) or 'another image'} and the model means {target} now"


def would_bring_instances(
    scale_set: ScaleSet, later: Policy, instances: t.Sequence[Instance], unproven: t.Mapping[str, str], *, may: bool
) -> t.Iterator[Finding]:
    """What Azure may do at a write after which the mode is not Manual. `may`: the user has asked for that."""
    mode = later["mode"]
    if not unproven or mode == MANUAL:
        return
    reasons = "; ".join(
        f"{ranges([i for i, why in unproven.items() if why == one])}: {one}" for one in dict.fromkeys(unproven.values())
    )
    down = sum(availability.is_counted(one) for one in instances if one.instance_id in unproven)
    how = "at once" if mode == AUTOMATIC else f"in batches of {later[ROLLING_POLICY]['max_batch_instance_percent']} %"
    stays = scale_set.upgrade_mode == mode and not scale_set.service_fabric
    manual = "Set mode: Manual too, in a playbook rollout_upgrade_mode: Manual; or bring"
    first = f"{manual if stays else 'Bring'} them to it first,"
    yield Finding(
        WARNING if may else ERROR,
        "behind",
        f"{len(unproven)} of {len(instances)} instances of scale set {scale_set.name} are not proven to have the "
        f"newest model ({reasons}): in mode {mode}, Azure may bring them to it {how}, and {down} of them go down for "
        "that.",
        ""
        if may
        else f"{first} in batches, with steady.vmss.instance_upgrade and whole_model: true; or let Azure do it, "
        f"with azure_may_upgrade: true.",
    )


def acting_on_a_write(scale_set: ScaleSet, *, may: bool) -> str:
    """What Azure does in this mode when the model is written, for a warning; "" in mode Manual.

    Raises Refused unless the user has asked for that.
    """
    mode = scale_set.upgrade_mode
    if mode == MANUAL:
        return ""
    how = "all at once" if mode == AUTOMATIC else "in batches by its rolling upgrade policy"
    disks = (
        ", with new OS disks where a newer version of its image is published"
        if scale_set.image and scale_set.image.follows_latest
        else ""
    )
    words = (
        f"scale set {scale_set.name} is in upgrade mode {mode}: Azure brings its {scale_set.capacity} instances to "
        f"the new model, {how}{disks}"
    )
    if may:
        return f"{words}."
    manual = (
        ""
        if scale_set.service_fabric
        else "Set the mode to Manual first (steady.vmss.upgrade_policy, mode: Manual), or "
    )
    ask = f"{'let' if manual else 'Let'} Azure do so, with azure_may_upgrade: true."
    raise Refused("azure_would_upgrade", f"{words}. Nothing was written. {manual}{ask}")
