# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automatic OS image upgrades turned on: what that call repairs itself, what it refuses, and what it reports."""

from __future__ import annotations

import typing as t
from dataclasses import fields, replace

from .._facts.codes import Code
from .._facts.findings import ERROR
from .._facts.problems import Refused
from .._options import (
    AutomaticOsUpgradePolicyOptions,
    AutomaticUpgradesPolicyOptions,
    AutomaticUpgradesRequest,
    HealthMonitorRequest,
    UpgradePolicyRequest,
    part,
    set_by_user,
)

Findings = t.Sequence[t.Mapping[str, str]]

# What a new health source, and a model that follows the newest version, do away with. The new source is checked itself.
_BY_THE_SOURCE: t.Final[frozenset[Code]] = frozenset(
    ("no_health_source", "health_sources", "load_balancer_basic", "probe_flexible", "probe_interval")
)
_BY_THE_IMAGE: t.Final[frozenset[Code]] = frozenset(("image_pinned",))
# How this call repairs them. The playbook's variables are named in brackets.
_REPAIRS: t.Final = {
    _BY_THE_SOURCE: "Or let this call do it, with health_monitor (health_monitor_source and the variables beside it).",
    _BY_THE_IMAGE: "Or let this call do it, with follow_latest: true (rollout_follow_latest).",
}


def policy(request: AutomaticUpgradesRequest) -> UpgradePolicyRequest:
    """The policy that is asked for. Azure goes by a rolling upgrade policy only where it is told to."""
    asked = request.automatic_os_upgrade_policy or AutomaticUpgradesPolicyOptions()
    members = part(AutomaticOsUpgradePolicyOptions, asked, enable_automatic_os_upgrade=True)
    if request.rolling_upgrade_policy is not None and members.use_rolling_upgrade_policy is None:
        members = replace(members, use_rolling_upgrade_policy=True)
    return part(UpgradePolicyRequest, request, mode=request.upgrade_mode, automatic_os_upgrade_policy=members)


def source(request: AutomaticUpgradesRequest) -> HealthMonitorRequest | None:
    """The health source that is asked for; None where the scale set keeps what it has."""
    wanted = request.health_monitor
    if wanted is None:
        return None
    if wanted.source is None:
        if given := set_by_user(wanted):
            names = " and ".join(f"health_monitor_{name}" for name in given)
            raise Refused(
                "option_invalid",
                f"{names} {'is' if len(given) == 1 else 'are'} given without health_monitor_source, so nothing would "
                "read it. Add health_monitor_source (application_health_extension or load_balancer_probe), or omit it. "
                "Nothing was written.",
            )
        return None
    return part(HealthMonitorRequest, request, **{one.name: getattr(wanted, one.name) for one in fields(wanted)})


def in_the_way(request: AutomaticUpgradesRequest, found: Findings) -> list[str]:
    """The errors that this call does not repair itself, as sentences, with how it would."""
    repaired = _BY_THE_SOURCE if source(request) else frozenset()
    repaired |= _BY_THE_IMAGE if request.follow_latest else frozenset()
    errors = [one for one in found if one["severity"] == ERROR and one["code"] not in repaired]
    ways = (next((way for codes, way in _REPAIRS.items() if one["code"] in codes), "") for one in errors)
    return [f"{one['sentence']} {way}".rstrip() for one, way in zip(errors, ways, strict=True)]


def refusal(scale_set: str, sentences: t.Iterable[str]) -> str:
    return f"Nothing was written. Scale set {scale_set} is not ready: {' '.join(sentences)}"


_NOT_UPGRADED = (
    " The instances are as they were. Bring those that do not have the newest model to it with "
    "steady.vmss.instance_upgrade and whole_model: true; until then Azure may not see their health, which it needs."
)


def report(mode_before: str, mode_now: str, *, check_mode: bool, skipped: bool = False) -> str:
    """`skipped`: the instances were to be left as they are."""
    on = "would be" if check_mode else "are"
    mode = f" The upgrade mode was {mode_before} and is {mode_now} now." if mode_before != mode_now else ""
    return (
        f"Automatic OS image upgrades {on} on. Azure may take 3 hours for the first one; playbook "
        f"steady.vmss.upgrade_history shows it.{'' if check_mode else mode}{_NOT_UPGRADED if skipped else ''}"
    )
