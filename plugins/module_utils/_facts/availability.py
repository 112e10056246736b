# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is an instance available, and may its health be believed?"""

from __future__ import annotations

from .scale_set import Instance

HEALTHY = "healthy"
ENDED = ("Succeeded", "Failed", "Canceled")  # provisioning states: each is the end of an operation
_NOT_THERE = ("deallocated", "deallocating")


def settled(instance: Instance) -> bool:
    """Whether nobody works on it."""
    return instance.provisioning in ENDED


def is_counted(instance: Instance) -> bool:
    """Deallocated instances and those being deleted count neither as available nor as unavailable.

    One is deallocated by choice only where its last operation succeeded or was called off: Azure deallocates a VM to
    replace its OS disk, and leaves one deallocated and Failed that it could not start.
    """
    if instance.provisioning.lower() == "deleting":
        return False
    return instance.power not in _NOT_THERE or instance.provisioning not in ("Succeeded", "Canceled")


def in_service(instance: Instance) -> bool:
    """Running, provisioned, and no extension failed or in transition."""
    return instance.power == "running" and instance.provisioning == "Succeeded" and instance.extensions_settled


def available(instance: Instance, has_health_source: bool) -> bool:
    return in_service(instance) and (not has_health_source or instance.health == HEALTHY)


def why_unavailable(instance: Instance, has_health_source: bool) -> str:
    """What keeps the instance from being available, in Azure's words; "" where it is available."""
    if instance.provisioning != "Succeeded":
        reason = f"provisioning {instance.provisioning}"
    elif instance.power != "running":
        reason = f"power state {instance.power or 'unknown'}"
    elif not instance.extensions_settled:
        reason = "an extension is failed or in transition"
    elif has_health_source and instance.health != HEALTHY:
        reason = f"health {instance.health}" if instance.health else "no health reported"
    else:
        return ""
    return f"{reason} ({instance.error})" if instance.error else reason


def reported_since(instance: Instance, before: Instance, ended: float | None = None) -> bool:
    """Whether the health was reported after the upgrade, by Azure's own times.

    The disk's time tells when the upgrade happened where it moved; else the provisioning state's where that moved, or
    the operation's end. One of the two is enough, for the provisioning state may bear the time of each read.
    """
    reported = instance.health_time
    if reported is None:
        return False
    if instance.os_disk_time is not None and instance.os_disk_time != before.os_disk_time:
        return reported > instance.os_disk_time
    provisioned = instance.provisioning_time
    if provisioned is not None and provisioned != before.provisioning_time and reported > provisioned:
        return True
    return ended is not None and reported > ended


def remade_at(instance: Instance) -> float | None:
    """When the OS disk was made, as far as Azure says."""
    return instance.provisioning_time if instance.os_disk_time is None else instance.os_disk_time


def newer_than_disk(instance: Instance) -> bool:
    made = remade_at(instance)
    return made is not None and instance.health_time is not None and instance.health_time > made
