# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why Azure's own rolling upgrade stopped, translated: which threshold, which instance, what next.

Azure's codes and words, as users reported them: microsoft/AzureTRE #1591, opencb/opencga #987,
hashicorp/terraform-provider-azurerm #15196, MicrosoftDocs/azure-docs #113861.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass

from .._facts.problems import Problem, instance_of
from .._facts.scale_set import PastUpgrade
from .._facts.times import timestamp


class _Known(t.NamedTuple):
    meaning: str
    next: str
    threshold: str = ""


_KNOWN = {
    "maxunhealthyupgradedinstancepercentexceededinrollingupgrade": _Known(
        "too many of the upgraded instances are unhealthy, so what they were upgraded to is the likely cause",
        "Check the instance before you continue. Starting again does not fix a broken image: publish a fixed "
        "version, or roll back",
        "maxUnhealthyUpgradedInstancePercent",
    ),
    "maxunhealthyinstancepercentexceededinrollingupgrade": _Known(
        "too many instances of the whole scale set were unhealthy before a batch, including those being upgraded",
        "See which are unhealthy (playbook steady.vmss.status), fix them or raise maxUnhealthyInstancePercent with "
        "steady.vmss.upgrade_policy, and start again; what is upgraded stays upgraded",
        "maxUnhealthyInstancePercent",
    ),
    "maxunhealthyinstancepercentexceededbeforerollingupgrade": _Known(
        "too many instances were unhealthy already, so no instance was touched",
        "Fix them (playbook steady.vmss.status names them), or raise maxUnhealthyInstancePercent with "
        "steady.vmss.upgrade_policy, and start again",
        "maxUnhealthyInstancePercent",
    ),
    "rollingupgradebatchstarttimenotwithinscheduledwindows": _Known(
        "the scheduled maintenance windows ended before the last batch",
        "Azure continues in the next window; a manual start does not wait for one",
    ),
    "vmextensionprovisioningerror": _Known(
        "an extension failed on an instance that was upgraded",
        "Fix the extension's settings in the model first (playbook steady.vmss.recover_credentials where credentials "
        "have expired)",
    ),
    "operationpreempted": _Known("a newer write replaced the upgrade", "Start it again once that write has ended"),
    "allocationfailed": _Known(
        "Azure had no capacity for an instance",
        "Start it again later; maxSurge needs capacity and quota for one more batch",
    ),
}
_UNKNOWN = _Known(
    "", "See the instances (playbook steady.vmss.status) and Azure's words; start it again once the cause is gone"
)

_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?% of instances", re.IGNORECASE)
_ALLOWED = re.compile(r"threshold of (\d+(?:\.\d+)?) ?%", re.IGNORECASE)
_CAUSE = re.compile(r"most impactful error is: (.+?)\.?\s*(?:First failed instance|$)", re.IGNORECASE)
_INSTANCE = re.compile(r"first failed instance id is: ([A-Za-z0-9_-]+)", re.IGNORECASE)
_NAMED = re.compile(r"(?:virtualMachines/|\bVM '?)([A-Za-z0-9_-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class StopReason:
    """`threshold`: the member of the rolling upgrade policy that was exceeded, "" where none was. Percents, or None."""

    code: str
    said: str  # Azure's words
    threshold: str
    percent: float | None
    allowed_percent: float | None
    instance_id: str
    cause: str  # what Azure calls the most impactful error, else the innermost of its error's tree
    meaning: str
    next: str

    def as_dict(self) -> dict[str, t.Any]:
        """The fields, and `sentence` with all of it."""
        return {**asdict(self), "sentence": str(self)}

    def __str__(self) -> str:
        parts = [self.meaning or "Azure stopped it"]
        if self.threshold:
            figures = f"{self.percent:g} %" if self.percent is not None else "more"
            allowed = f" of {self.allowed_percent:g} %" if self.allowed_percent is not None else ""
            parts.append(f"{figures} is over {self.threshold}{allowed}")
        if self.instance_id:
            parts.append(f"instance {self.instance_id} failed first")
        if self.cause:
            parts.append(f"its error: {self.cause}")
        told = f"{self.code}: {self.said}" if self.code else self.said
        return f"{'; '.join(parts)} ({told.rstrip('.')}). {self.next}."


def of(problem: Problem | None) -> StopReason | None:
    """The reason in an upgrade's error; None where it has none."""
    if problem is None:
        return None
    known = _KNOWN.get(problem.code.lower(), _UNKNOWN)
    text = problem.message
    return StopReason(
        code=problem.code,
        said=text,
        threshold=known.threshold,
        percent=_number(_SHARE, text),
        allowed_percent=_number(_ALLOWED, text),
        instance_id=_instance(problem),
        cause=(_first(_CAUSE, text) or "; ".join(problem.causes)).rstrip("."),
        meaning=known.meaning,
        next=known.next,
    )


def of_attempt(attempt: PastUpgrade) -> str:
    """Of Azure's own attempt that is not this call's, and may be why nothing starts."""
    reason = of(attempt.problem)
    back = f" It restored the previous OS disk on {attempt.restored} of the instances." if attempt.restored else ""
    return (
        f"Azure already tried this version automatically, at {timestamp(attempt.started)}, and ended as "
        f"{attempt.code}{f': {reason}' if reason else '.'}{back} Azure does not report whether it will try again"
    )


def instances_are_pinned(problem: Problem) -> bool:
    """Azure's refusal where the model follows the newest version, and no instance has got that model yet."""
    return "imagereference.version set to latest" in str(problem).lower()


def _instance(problem: Problem) -> str:
    found = _first(_INSTANCE, problem.message)
    if not found and problem.details:
        found = instance_of(problem.details[0][1])
    return found or _first(_NAMED, problem.message)


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    found = _first(pattern, text)
    return float(found) if found else None
