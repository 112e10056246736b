# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure would refuse of an image for a model, and what its publisher or owner has announced."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ImageFacts, ImageVersion, Retirement
from ansible_collections.steady.vmss.plugins.module_utils._rollout.image_preflight import Known, findings

from ..fleet import FORMS, NEW, OLD, uniform

TARGET, BEFORE = FORMS["platform"][NEW], FORMS["platform"][OLD]
NOW = 1_800_000_000.0
DAY = 86_400.0
DEPRECATED, SCHEDULED = Retirement(over=True, alternative="ubuntu-26"), Retirement(NOW + DAY)


def found(
    facts: ImageFacts,
    *,
    previous: ImageVersion | None = None,
    replaced: ImageFacts | None = None,
    security: str | None = None,
    **model: t.Any,
) -> dict[str, tuple[str, str]]:
    of = uniform(3).survey()
    document = {"properties": {"virtualMachineProfile": model}}
    of = replace(of, scale_set=replace(of.scale_set, os_type="Linux", document=document))
    return {f.code: (f.severity, str(f)) for f in findings(of, Known(facts, replaced, previous), NOW, security)}


@pytest.mark.parametrize(
    ("ends", "severity", "words"),
    [
        (DEPRECATED, "error", "The publisher names ubuntu-26 instead."),
        (Retirement(NOW - DAY), "error", "was deprecated by its publisher on 2027-01-14"),
        (SCHEDULED, "warning", "will be deprecated by its publisher on 2027-01-16"),
        (Retirement(), "warning", "will be deprecated by its publisher:"),
        (Retirement(NOW - DAY, final=False), "warning", "reached its end of life on 2027-01-14"),
        (Retirement(NOW + DAY, final=False), None, ""),
        (None, None, ""),
    ],
)
def test_the_end_of_an_image(ends: Retirement | None, severity: str | None, words: str) -> None:
    said = found(ImageFacts(TARGET, version=ImageVersion(NEW, TARGET, retirement=ends)))
    assert said.get("image_retired", (None, ""))[0] == severity
    assert words in said.get("image_retired", (None, ""))[1]


@pytest.mark.parametrize(
    ("ends", "warned"),
    [(DEPRECATED, True), (Retirement(NOW - DAY, final=False), True), (SCHEDULED, False), (None, False)],
)
def test_the_end_of_the_image_to_go_back_to(ends: Retirement | None, warned: bool) -> None:
    said = found(ImageFacts(TARGET), previous=ImageVersion(OLD, BEFORE, retirement=ends))
    assert ("previous_image_retired" in said) == warned
    assert not warned or (said["previous_image_retired"][0] == "warning" and str(BEFORE) in str(said))


PROFILE = {"osProfile": {"computerNamePrefix": "web"}}
DISK = {"storageProfile": {"osDisk": {"diskSizeGB": 30}}}


@pytest.mark.parametrize(
    ("facts", "model", "code"),
    [
        ({"specialized": True}, PROFILE, "image_specialized"),
        ({"specialized": True}, {"osProfile": None}, None),
        ({"specialized": True}, {}, None),
        ({}, PROFILE, None),
        ({"disk_gb": 32}, DISK, "image_disk_size"),
        ({"disk_gb": 31}, DISK, None),
        ({"disk_gb": 127}, {}, None),
        ({}, DISK, None),
        ({"security_type": "TrustedLaunch"}, {}, "image_security_type"),
        ({"security_type": "TrustedLaunch"}, {"securityProfile": {"securityType": "Standard"}}, "image_security_type"),
        ({"security_type": "TrustedLaunch"}, {"securityProfile": {"securityType": "TrustedLaunch"}}, None),
        ({"security_type": "ConfidentialVM"}, {"securityProfile": None}, "image_security_type"),
        ({"security_type": "TrustedLaunchSupported"}, {}, None),
        ({"security_type": "Standard"}, {}, None),
    ],
)
def test_what_the_model_must_have(facts: dict[str, t.Any], model: dict[str, t.Any], code: str | None) -> None:
    said = found(ImageFacts(TARGET, **facts), **model)
    assert list(said) == ([code] if code else [])
    assert not code or (said[code][0] == "error" and str(TARGET) in said[code][1] and "scale set web" in said[code][1])


DATA = {"storageProfile": {"dataDisks": [{"lun": 0}]}}
TRUSTED, STANDARD = (
    {"securityProfile": {"securityType": "TrustedLaunch"}},
    {"securityProfile": {"securityType": "Standard"}},
)
CONFIDENTIAL = {"securityProfile": {"securityType": "ConfidentialVM"}}


@pytest.mark.parametrize(
    ("before", "now", "security", "model", "codes"),
    [
        ("V1", "V2", "TrustedLaunch", {}, {"security_type": "info"}),
        ("V1", "V2", "TrustedLaunch", STANDARD, {"security_type": "info"}),
        ("V2", "V2", "TrustedLaunch", {}, {"security_type": "info"}),
        ("V2", "V1", "Standard", TRUSTED, {"security_type": "info"}),
        ("V2", "V2", "Standard", TRUSTED, {"security_type": "info"}),
        ("V1", "V2", None, {}, {"image_generation": "error"}),
        ("V2", "V1", None, {}, {"image_generation": "error"}),
        ("V2", "V1", None, TRUSTED, {"image_generation": "error", "image_security_type": "error"}),
        ("V1", "V1", "TrustedLaunch", {}, {"image_security_type": "error", "security_type": "info"}),
        ("V1", "V2", "TrustedLaunch", DATA, {"security_type_data_disks": "error"}),
        ("V2", "V1", "Standard", {**TRUSTED, **DATA}, {"security_type": "info"}),
        ("V2", "V2", "TrustedLaunch", CONFIDENTIAL, {"image_security_type": "error"}),
        ("V2", "V2", None, {**TRUSTED, **DATA}, {}),
    ],
)
def test_a_generation_changes_with_the_security_type_and_only_with_it(
    before: str, now: str, security: str | None, model: dict[str, t.Any], codes: dict[str, str]
) -> None:
    facts, replaced = ImageFacts(TARGET, generation=now), ImageFacts(BEFORE, generation=before)
    said = found(facts, replaced=replaced, security=security, **model)
    assert {code: severity for code, (severity, _words) in said.items()} == codes
    if "image_generation" in said:
        kind = {"V1": "Standard", "V2": "TrustedLaunch"}[now]
        assert said["image_generation"][1].endswith(f"or set rollout_security_type: {kind}.")
    if "security_type_data_disks" in said:
        assert "this collection refuses it; Azure has not been asked" in said["security_type_data_disks"][1]


@pytest.mark.parametrize(
    ("needs", "security", "refused"),
    [
        ("TrustedLaunch", "TrustedLaunch", False),
        ("TrustedLaunch", "Standard", True),
        ("TrustedLaunchSupported", "TrustedLaunch", False),
        ("ConfidentialVM", "TrustedLaunch", True),
    ],
)
def test_what_the_image_needs_may_come_with_it(needs: str, security: str, refused: bool) -> None:
    model = TRUSTED if security == "Standard" else {}
    said = found(ImageFacts(TARGET, security_type=needs), security=security, **model)
    assert ("image_security_type" in said) == refused


def test_another_purchase_plan_is_refused_by_us_and_the_words_say_so() -> None:
    said = found(ImageFacts(TARGET, purchase_plan={"publisher": "p", "product": "o", "name": "n"}))
    severity, words = said["purchase_plan"]
    assert severity == "error" and "this collection refuses it, Azure has not been asked" in words
