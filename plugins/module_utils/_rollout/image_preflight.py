# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight of the image: whether Azure would make instances of it, for this scale set and its model."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts import catalogue, images
from .._facts.codes import Code
from .._facts.documents import at, profile
from .._facts.findings import ERROR, INFO, WARNING, Finding
from .._facts.scale_set import ImageFacts, ImageVersion, Retirement
from .._facts.times import timestamp
from .._model import security_type
from .survey import Survey

# Azure's values of an image's feature SecurityType that leave no choice; one that is "supported" may be left out.
_SECURITY_TYPES = {"trustedlaunch": "TrustedLaunch", "confidentialvm": "ConfidentialVM"}

# With which change of the security type a scale set's generation changes too.
_TYPE_OF_GENERATION = {"V1": security_type.STANDARD, "V2": security_type.TRUSTED_LAUNCH}

_ROUNDED_UP = 1  # GB: Azure shows 31 of an image whose disks have 30


@dataclass(frozen=True)
class Known:
    """What the catalogue knows of the images. `replaced`: the one that the target replaces, where it is another one and
    no other version of the same. `previous`: the version to go back to, where it can be asked."""

    target: ImageFacts
    replaced: ImageFacts | None = None
    previous: ImageVersion | None = None


def findings(survey: Survey, known: Known, now: float | None, security: str | None = None) -> t.Iterator[Finding]:
    """`now`: Azure's clock, None where it is not known, so that no date can be called past. `security`: the security
    type that is written with the image, None where the model's stays."""
    scale_set, target, facts = survey.scale_set, survey.target, known.target
    if reason := images.type_switch(target, scale_set.image):
        yield Finding(ERROR, "image_type", f"scale set {scale_set.name} cannot take this image: {reason}")
        return
    if not facts.found:
        yield Finding(
            ERROR,
            "image_not_found",
            f"image {target} does not exist in {scale_set.location}, or this principal may not read it.",
            "List what there is with the module steady.vmss.image_info.",
        )
        return
    if facts.version is not None and (why := catalogue.why_not(facts.version, scale_set.location)):
        yield Finding(
            ERROR,
            "image_not_usable",
            f"image {target} cannot be used for scale set {scale_set.name}: {why}.",
            "Replicate it to the region, or wait until it is ready.",
        )
    yield from _retirement(survey, facts, now)
    yield from _retirement_of_previous(survey, known.previous, now)
    yield from _kind(survey, facts, known.replaced, security)
    yield from _model(survey, facts)
    yield from _security(survey, facts, security)
    yield from _terms(survey, facts)


def _retirement(survey: Survey, facts: ImageFacts, now: float | None) -> t.Iterator[Finding]:
    """Azure Marketplace takes a deprecated image away from new and reimaged instances alike; a gallery's end of life is
    a date that its owner has set."""
    ends = facts.version.retirement if facts.version else None
    if ends is None:
        return
    come = _has_come(ends, now)
    day = f" on {timestamp(ends.at)}" if ends.at else ""
    instead = f" The publisher names {ends.alternative} instead." if ends.alternative else ""
    image = f"image {survey.target}"
    if not ends.final and come:
        words = f"{image} reached its end of life{day}: its owner may delete it at any time."
        yield Finding(WARNING, "image_retired", words, "Choose a newer version.")
    elif ends.final and come:
        words = f"{image} was deprecated by its publisher{day}: Azure makes no instance of it.{instead}"
        yield Finding(ERROR, "image_retired", words, "Choose another image.")
    elif ends.final:
        words = f"{image} will be deprecated by its publisher{day}: Azure then makes no instance of it.{instead}"
        yield Finding(WARNING, "image_retired", words, "Plan the change to another image.")


def _has_come(ends: Retirement, now: float | None) -> bool:
    return ends.over or (ends.at is not None and now is not None and ends.at <= now)


def _retirement_of_previous(survey: Survey, version: ImageVersion | None, now: float | None) -> t.Iterator[Finding]:
    ends = version.retirement if version else None
    if version is None or ends is None or not _has_come(ends, now):
        return
    what = "was deprecated by its publisher" if ends.final else "reached its end of life"
    day = f" on {timestamp(ends.at)}" if ends.at else ""
    yield Finding(
        WARNING,
        "previous_image_retired",
        f"image {version.image}, to which scale set {survey.scale_set.name} would go back, {what}{day}: going back may "
        "fail.",
        "Name another one with rollback_image where you go back.",
    )


def _model(survey: Survey, facts: ImageFacts) -> t.Iterator[Finding]:
    """What Azure refuses in a model of this image."""
    name, target, model = survey.scale_set.name, survey.target, profile(survey.scale_set)
    if facts.specialized and at(model, "osProfile"):
        yield Finding(
            ERROR,
            "image_specialized",
            f"image {target} is specialized, and the model of scale set {name} has an osProfile, which Azure does not "
            "take with such an image.",
            "Choose a generalized image.",
        )
    size = at(model, "storageProfile", "osDisk", "diskSizeGB")
    if facts.disk_gb and isinstance(size, int) and facts.disk_gb - _ROUNDED_UP > size:
        yield Finding(
            ERROR,
            "image_disk_size",
            f"the OS disk of image {target} has {facts.disk_gb} GB, and the model of scale set {name} has {size} GB: "
            "no disk is smaller than its image.",
            f"Raise osDisk.diskSizeGB of the model to {facts.disk_gb}, or choose a smaller image.",
        )


def _security(survey: Survey, facts: ImageFacts, wanted: str | None) -> t.Iterator[Finding]:
    """Whether the image and the security type, the model's or the one that is asked for, go together."""
    scale_set, target, trusted = survey.scale_set, survey.target, security_type.TRUSTED_LAUNCH
    has = security_type.current(scale_set)
    kind = (wanted or has).lower()
    model = f"the model of scale set {scale_set.name} {'gets' if wanted else 'has'} security type {wanted or has}"
    needs = _SECURITY_TYPES.get((facts.security_type or "").lower())
    if needs and kind != needs.lower():
        ask = f"Set rollout_security_type: {trusted}, or choose" if needs == trusted and not wanted else "Choose"
        words = f"image {target} needs security type {needs}, and {model}."
        yield Finding(ERROR, "image_security_type", words, f"{ask} an image that does not need it.")
    elif kind == trusted.lower() and (facts.generation or "").upper() == "V1":
        words = f"image {target} is of generation 1, and {model}, which needs generation 2."
        remedy = "Choose an image of generation 2, or set rollout_security_type: Standard."
        yield Finding(ERROR, "image_security_type", words, remedy)
    if wanted is not None:
        yield from _change(survey, has, wanted)


def _change(survey: Survey, has: str, wanted: str) -> t.Iterator[Finding]:
    """Of the security type. What a rollout refuses by itself here, Azure has not been asked."""
    scale_set, trusted = survey.scale_set, security_type.TRUSTED_LAUNCH
    if has not in security_type.TYPES:
        yield Finding(
            ERROR,
            "image_security_type",
            f"scale set {scale_set.name} has security type {has}: a rollout changes only "
            f"{' and '.join(security_type.TYPES)} into each other.",
            "Leave out rollout_security_type.",
        )
    elif wanted == trusted and at(profile(scale_set), "storageProfile", "dataDisks"):
        yield Finding(
            ERROR,
            "security_type_data_disks",
            f"the model of scale set {scale_set.name} has data disks: Azure then brings {trusted} only with new "
            "instances, by a rolling upgrade of its own with maxSurge. A rollout in upgrade mode Manual keeps the "
            "instances, so this collection refuses it; Azure has not been asked.",
            "Use Azure's rolling upgrade with maxSurge, or create a scale set of that type.",
        )
    else:
        words = f"the security type of scale set {scale_set.name} becomes {wanted} with the image; it is {has} now."
        back = "A way back writes Standard with the previous image, as far as Azure allows it."
        yield Finding(INFO, "security_type", words, back if wanted == trusted else "")


def _kind(
    survey: Survey, facts: ImageFacts, facts_before: ImageFacts | None, security: str | None
) -> t.Iterator[Finding]:
    """Its operating system, architecture and generation, of which only the last may change, with the security type."""
    scale_set, target = survey.scale_set, survey.target
    if facts.os_type and scale_set.os_type and facts.os_type.lower() != scale_set.os_type.lower():
        yield Finding(
            ERROR,
            "os_type",
            f"image {target} is {facts.os_type}, and scale set {scale_set.name} is {scale_set.os_type}. Azure "
            "never changes the OS type.",
            "Choose an image of the same OS type.",
        )
    for code, word, now, before in _alike(facts, facts_before):
        if not now or not before or now.lower() == before.lower():
            continue
        kind = _TYPE_OF_GENERATION.get(now.upper()) if code == "image_generation" else None
        if kind is None or kind != security:
            more = f", or set rollout_security_type: {kind}" if kind else ""
            yield Finding(
                ERROR,
                code,
                f"image {target} is of {word} {now}, and the image that it replaces in scale set {scale_set.name} "
                f"of {before}.",
                f"Choose an image of {word} {before}{more}.",
            )


def _terms(survey: Survey, facts: ImageFacts) -> t.Iterator[Finding]:
    """What may be needed to make instances of it: a SAS, a purchase plan."""
    scale_set, target = survey.scale_set, survey.target
    model = scale_set.image
    if target.kind == images.VHD and not target.signed and model and model.signed and not images.same(model, target):
        yield Finding(
            WARNING,
            "vhd_without_sas",
            f"image {target} is named without a SAS, and the one that scale set {scale_set.name} has now has one. "
            "A SAS is never stored, so the SAS of the VHD must be given again.",
            "Give the whole URI, unless the VHD needs none: no instance can be made of it otherwise.",
        )
    wanted, carried = dict(facts.purchase_plan or {}), dict(scale_set.purchase_plan or {})
    if wanted and _plan_key(wanted) != _plan_key(carried):
        yield Finding(
            ERROR,
            "purchase_plan",
            f"image {target} is sold under the plan {'/'.join(_plan_key(wanted))}, and scale set "
            f"{scale_set.name} carries "
            f"{'/'.join(_plan_key(carried)) if carried else 'none'}. A rollout does not change a plan: this "
            "collection refuses it, Azure has not been asked.",
            "Create a scale set with that plan, or choose an image under the plan the set has.",
        )


def _alike(facts: ImageFacts, before: ImageFacts | None) -> list[tuple[Code, str, str | None, str | None]]:
    """What must not differ: the code, the word, and what it is of the image and of the one that it replaces."""
    return [
        ("image_architecture", "architecture", facts.architecture, before.architecture if before else None),
        ("image_generation", "generation", facts.generation, before.generation if before else None),
    ]


def _plan_key(plan: t.Mapping[str, str]) -> tuple[str, ...]:
    return tuple(str(plan.get(name) or "").lower() for name in ("publisher", "product", "name"))
