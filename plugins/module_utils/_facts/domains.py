# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Domains, and the choice of instances that a user makes with them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .problems import Refused
from .scale_set import Instance

_NUMBER = re.compile(r"[0-9]{1,18}")  # of an instance or a domain; anything longer is a name
_SPAN = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_MOST_CHOSEN = 10_000  # a scale set has at most 1,000 instances


@dataclass(frozen=True, order=True)
class Domain:
    """What is upgraded one after the other. `key` sorts the domains of one scale set."""

    key: tuple[tuple[int, str], ...]
    label: str


def _natural(text: object) -> tuple[int, str]:
    return (int(str(text)), "") if _NUMBER.fullmatch(str(text)) else (-1, str(text))


def instance_order(instance: Instance) -> tuple[int, str]:
    return _natural(instance.instance_id)


def domains(instances: t.Sequence[Instance], order_by: str) -> dict[str, Domain]:
    """The domain of each instance, by instance id.

    `domain`: zone first on a zonal set, then update domain, else fault domain where no instance has an update domain.
    """
    by_fault_domain = order_by == "fault_domain" or all(i.update_domain is None for i in instances)
    word, attribute = ("fault domain", "fault_domain") if by_fault_domain else ("update domain", "update_domain")
    found = {}
    for instance in instances:
        parts: list[tuple[str, object]] = []
        if order_by != "none" and instance.zone is not None:
            parts.append(("zone", instance.zone))
        if order_by in ("domain", "fault_domain"):
            number = getattr(instance, attribute)
            if number is not None:
                parts.append((word, number))
        label = ", ".join(f"{word} {value}" for word, value in parts) or "all instances"
        found[instance.instance_id] = Domain(tuple(_natural(value) for _dummy, value in parts), label)
    return found


@dataclass(frozen=True)
class Selection:
    """The instances a user chose; every empty field means all. Several fields narrow each other."""

    instance_ids: tuple[str, ...] = ()
    update_domains: tuple[int, ...] = ()
    fault_domains: tuple[int, ...] = ()
    zones: tuple[str, ...] = ()

    def holds(self, instance: Instance) -> bool:
        return (
            (not self.instance_ids or instance.instance_id in self.instance_ids)
            and (not self.update_domains or instance.update_domain in self.update_domains)
            and (not self.fault_domains or instance.fault_domain in self.fault_domains)
            and (not self.zones or instance.zone in self.zones)
        )

    def check(self, instances: t.Sequence[Instance], scale_set: str) -> None:
        """Refuse ids and domains that no instance has, and parts that exclude each other; none must shrink silently."""
        for word, wanted, there in (
            ("instance", self.instance_ids, {i.instance_id for i in instances}),
            ("update domain", self.update_domains, {i.update_domain for i in instances}),
            ("fault domain", self.fault_domains, {i.fault_domain for i in instances}),
            ("zone", self.zones, {i.zone for i in instances}),
        ):
            there = there - {None}
            if unknown := [w for w in wanted if w not in there]:
                known = ranges(str(value) for value in there) or "none"
                raise Refused(
                    "selection_not_found",
                    f"scale set {scale_set} has no {word} {', '.join(map(str, unknown))}. It has: {known}.",
                )
        if instances and not any(self.holds(i) for i in instances):
            raise Refused("selection_not_found", f"no instance of scale set {scale_set} is in all of: {self}.")

    def __str__(self) -> str:
        parts = {
            "instances": ranges(self.instance_ids),
            "update domains": ranges(map(str, self.update_domains)),
            "fault domains": ranges(map(str, self.fault_domains)),
            "zones": ranges(self.zones),
        }
        return "; ".join(f"{word} {text}" for word, text in parts.items() if text) or "all"

    @classmethod
    def parse(cls, text: str) -> Selection:
        """The inverse of str(). Others may have written the text: a range that is wider than any scale set, and a
        domain that is no number, is one that no instance has; a word that is unknown says nothing.
        """
        parts: dict[str, list[str]] = {}
        for part in text.split("; "):
            word, _dummy, values = part.rpartition(" ")
            parts[word] = spread(values)
        return cls(
            tuple(parts.get("instances", ())),
            tuple(int(v) if _NUMBER.fullmatch(v) else -1 for v in parts.get("update domains", ())),
            tuple(int(v) if _NUMBER.fullmatch(v) else -1 for v in parts.get("fault domains", ())),
            tuple(parts.get("zones", ())),
        )


def select(instance_ids: object, update_domains: object, fault_domains: object, zones: object) -> Selection:
    """A selection from option values, with the ranges of `ranges`. Raises Refused for a domain that is no number."""
    return Selection(
        tuple(_texts(instance_ids)),
        tuple(_numbers(update_domains, "update domain")),
        tuple(_numbers(fault_domains, "fault domain")),
        tuple(_texts(zones)),
    )


def _texts(values: object) -> list[str]:
    texts = (str(value).strip() for value in values or ())  # type: ignore[attr-defined]
    return [one for text in texts for one in spread(text)]


def _numbers(values: object, word: str) -> list[int]:
    texts = _texts(values)
    if wrong := [text for text in texts if not _NUMBER.fullmatch(text)]:
        raise Refused("option_invalid", f"{word} '{wrong[0]}' is not a number.")
    return [int(text) for text in texts]


def spread(text: str) -> list[str]:
    """The inverse of `ranges`; a range that is wider than any scale set stays one word."""
    found: list[str] = []
    for part in text.split(","):
        span = _SPAN.fullmatch(part)
        count = int(span[2]) - int(span[1]) + 1 if span else 0
        if span and 0 < count <= _MOST_CHOSEN - len(found):
            found += [str(n) for n in range(int(span[1]), int(span[2]) + 1)]
        elif part:
            found.append(part)
    return found


def ranges(values: t.Iterable[str]) -> str:
    """Short form of a list of ids: 0-5,9; ids that are no numbers follow as they are."""
    distinct = sorted(set(values), key=_natural)
    out: list[str] = []
    run: list[int] = []
    for value in [*distinct, ""]:
        if _NUMBER.fullmatch(value) and (not run or int(value) == run[-1] + 1):
            run.append(int(value))
            continue
        if run:
            out.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
        run = [int(value)] if _NUMBER.fullmatch(value) else []
        if value and not run:
            out.append(value)
    return ",".join(out)
