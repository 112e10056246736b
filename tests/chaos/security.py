# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception of rule 3: the security type that the user asks for, with the image and back with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from draw import Case
from world import IMAGE, World, of_image

SECURITY = "properties.virtualMachineProfile.securityProfile"
TYPE, UEFI = f"{SECURITY}.securityType", f"{SECURITY}.uefiSettings."
STANDARD = "Standard"


def asked_for(case: Case) -> str:
    found: str = case.variables.get("rollout_security_type", "")
    return found


def refused(case: Case) -> bool:
    """Whether it may be refused: with data disks, and by an Azure that knows no way from Trusted Launch."""
    to = asked_for(case)
    storage = _profile(case.scale_set.get("properties")).get("storageProfile") or {}
    return bool(to) and (bool(storage.get("dataDisks")) or (_no_way_back(case) and _kind(before(case)) != to))


def may_stay(case: Case, said: str) -> bool:
    """Whether a stop may leave the new image in the model, as Azure does not take the type back, and it says so."""
    on = asked_for(case) == "TrustedLaunch" and _kind(before(case)) == STANDARD
    return on and _no_way_back(case) and "not set back" in said


def _no_way_back(case: Case) -> bool:
    return bool(case.scale_set.get("knobs", {}).get("security_back") == "refuse")


def before(case: Case) -> dict[str, Any]:
    """The security profile that the scale set is made with."""
    return _profile(case.scale_set.get("properties")).get("securityProfile") or {}


def _profile(properties: dict[str, Any] | None) -> dict[str, Any]:
    return (properties or {}).get("virtualMachineProfile") or {}


def _kind(profile: dict[str, Any]) -> str:
    return str(profile.get("securityType") or STANDARD)


def flat(value: Any, path: str) -> dict[str, Any]:
    """Each member that has a value, by its path."""
    if not isinstance(value, dict):
        return {} if value is None else {path: value}
    return {key: one for name, member in value.items() for key, one in flat(member, f"{path}.{name}").items()}


def changed(changes: dict[str, Any]) -> dict[str, list[Any]]:
    """What a write changes of the security profile, member by member."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for path, (was, now) in changes.items():
        if is_security(path):
            old, new = old | flat(was, path), new | flat(now, path)
    return {key: [old.get(key), new.get(key)] for key in {**old, **new} if old.get(key) != new.get(key)}


def is_security(path: str) -> bool:
    return path == SECURITY or path.startswith(f"{SECURITY}.")


def writes(case: Case, world: World, target: str) -> Iterator[str]:
    """The type asked for comes with the target image, what was there before with any other, and no other member differs
    but the firmware settings that belong to Trusted Launch and to nothing else.
    """
    wanted, first = asked_for(case), _kind(before(case))
    there = first
    for write in world.writes():
        found = changed(write["changes"])
        for path, (old, new) in found.items():
            # A setting that the user has made is kept, and goes only with the type.
            firmware = path.startswith(UEFI) and TYPE in found and None in (old, new)
            if not (wanted and (path == TYPE or firmware)):
                yield f"our write changed {path} from {old} to {new}"
        there = str(found.get(TYPE, [None, there])[1] or STANDARD)
        if found and not of_image(write):
            yield f"{sorted(found)} written without the image"
        if wanted and of_image(write):
            ahead = any(IMAGE.match(path) and target in str(new) for path, (_old, new) in write["changes"].items())
            due = wanted if ahead else first
            if there != due:
                yield f"an image was written with security type {there}, not {due}"


def left(case: Case, world: World, outcome: str, target: str) -> Iterator[str]:
    """In the end the type is that of the image which the model names, and all else is as before."""
    named, wanted = world.model_image(), asked_for(case)
    if not wanted or not world.writes():
        return
    now = flat(_profile(world.scale_set["document"]["properties"]).get("securityProfile"), SECURITY)
    was = flat(before(case), SECURITY)
    for one in (now, was):
        one.setdefault(TYPE, STANDARD)
    if outcome in ("upgraded", "unchanged", "failed") and named.endswith(target) and now[TYPE] != wanted:
        yield f"it ended {outcome}, and the security type is {now[TYPE]}, not {wanted}"
    theirs = any(of_image(write) for write in world.writes("another client"))  # with their image the type stays
    if not named.endswith(target) and now != was and any(of_image(write) for write in world.writes()) and not theirs:
        yield f"the model names {named} with {now}, and it was {was}"
