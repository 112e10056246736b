# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import running_image
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import (
    COMMUNITY_GALLERY,
    GALLERY,
    MANAGED,
    PLATFORM,
    VHD,
    Image,
)
from ansible_collections.steady.vmss.plugins.module_utils._facts.running_image import (
    CURRENT,
    NEWER,
    OUTDATED,
    UNPROVEN,
    disk_replaced,
    judge,
    judge_model,
)
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import Instance

from ..examples import examples

TARGET = Image(PLATFORM, "canonical", "ubuntu", "22_04", "1.10.0")
COMPUTE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute"
GALLERY_TARGET = Image(GALLERY, id=f"{COMPUTE}/galleries/g/images/web/versions/1.10.0")
MANAGED_TARGET = Image(MANAGED, id=f"{COMPUTE}/images/new")
VHD_TARGET = Image(VHD, id="https://blobs.example/new.vhd")

parts = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))


def text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


@settings(max_examples=examples(1000))
@given(
    mine=parts,
    wanted=parts,
    shown=st.sampled_from(("latest", "exact", "target")),
    whole_id=st.booleans(),
    gallery=st.booleans(),
    hint=st.none() | st.booleans(),
    names_target=st.booleans(),
    since=st.none() | st.just(50.0),
    disk_time=st.none() | st.floats(0, 100),
)
def test_the_exact_version_has_the_last_word(
    mine: tuple[int, int, int],
    wanted: tuple[int, int, int],
    shown: str,
    whole_id: bool,
    gallery: bool,
    hint: bool | None,
    names_target: bool,
    since: float | None,
    disk_time: float | None,
) -> None:
    """Neither the model's word, nor latestModelApplied, nor the age of the disk outweighs it."""
    target = (GALLERY_TARGET if gallery else TARGET).with_version(text(wanted))
    said = {"latest": target.following_latest(), "exact": target.with_version(text(mine)), "target": target}[shown]
    exact = str(target.with_version(text(mine))) if gallery and whole_id else text(mine)
    instance = Instance("0", image=said, exact_version=exact, latest_model_applied=hint, os_disk_time=disk_time)
    verdict = judge(instance, target, model_names_target=names_target, since=since)
    assert verdict == (CURRENT if mine == wanted else NEWER if mine > wanted else OUTDATED)
    assert judge(instance, target, before=replace(instance, os_disk="other")) == verdict


@settings(max_examples=examples(1000))
@given(
    target=st.sampled_from((MANAGED_TARGET, VHD_TARGET)),
    named=st.booleans(),
    hint=st.none() | st.booleans(),
    since=st.none() | st.just(50.0),
    disk_time=st.none() | st.floats(0, 100),
    disks=st.tuples(st.sampled_from((None, "a", "b")), st.sampled_from((None, "a", "b"))),
    times=st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 3)),
)
def test_without_a_version_only_the_disk_proves(
    target: Image,
    named: bool,
    hint: bool | None,
    since: float | None,
    disk_time: float | None,
    disks: tuple[str | None, str | None],
    times: tuple[int | None, int | None],
) -> None:
    other = Image(target.kind, id=f"{target.id}x")
    instance = Instance("0", image=target if named else other, latest_model_applied=hint, os_disk_time=disk_time)
    fresh = since is not None and disk_time is not None and disk_time > since
    expected = OUTDATED if not named else CURRENT if fresh else UNPROVEN
    assert judge(instance, target, since=since) == expected
    after = replace(instance, os_disk=disks[0], os_disk_time=times[0])
    before = replace(instance, os_disk=disks[1], os_disk_time=times[1], image=other)
    replaced = (None not in disks and disks[0] != disks[1]) or (None not in times and times[0] > times[1])  # type: ignore[operator]
    assert bool(disk_replaced(after, before)) == replaced
    assert (judge(after, target, since=since, before=before) == CURRENT) == (named and replaced)


CASES = {
    "another sku": (Image(PLATFORM, "canonical", "ubuntu", "20_04", "1.10.0"), "1.10.0", OUTDATED),
    "another publisher": (Image(PLATFORM, "redhat", "ubuntu", "22_04", "1.10.0"), "1.10.0", OUTDATED),
    "other letters": (Image(PLATFORM, "Canonical", "UBUNTU", "22_04", "latest"), "1.10.0", CURRENT),
    "no exact version, target": (TARGET, None, UNPROVEN),
    "no exact version, latest": (TARGET.with_version("latest"), None, OUTDATED),
    "older by number, not by text": (TARGET.with_version("latest"), "1.9.0", OUTDATED),
    "newer": (TARGET.with_version("latest"), "1.11.0", NEWER),
    "another kind": (Image(MANAGED, id=f"{COMPUTE}/images/web"), None, OUTDATED),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_platform_image(name: str) -> None:
    reported, exact, verdict = CASES[name]
    assert judge(Instance("0", image=reported, exact_version=exact), TARGET) == verdict


GALLERY_CASES = {
    "id with the version": (GALLERY_TARGET, None, UNPROVEN),  # a pinned id proves nothing of the disk
    "id with an older version": (GALLERY_TARGET.with_version("1.9.0"), None, OUTDATED),
    "id without a version": (GALLERY_TARGET.following_latest(), None, OUTDATED),
    "id without a version, exact": (GALLERY_TARGET.following_latest(), "1.10.0", CURRENT),
    "exact against the id": (GALLERY_TARGET, "1.9.0", OUTDATED),
    "another image": (Image(GALLERY, id=f"{COMPUTE}/galleries/g/images/db/versions/1.10.0"), "1.10.0", OUTDATED),
    "a community gallery": (
        Image(COMMUNITY_GALLERY, id="/CommunityGalleries/p/images/web/versions/1.10.0"),
        None,
        OUTDATED,
    ),
}


@pytest.mark.parametrize("name", sorted(GALLERY_CASES))
def test_a_gallery_image(name: str) -> None:
    reported, exact, verdict = GALLERY_CASES[name]
    assert judge(Instance("0", image=reported, exact_version=exact), GALLERY_TARGET) == verdict


@pytest.mark.parametrize(("hint", "verdict"), [(None, UNPROVEN), (True, UNPROVEN), (False, OUTDATED)])
def test_where_azure_reports_no_image(hint: bool | None, verdict: str) -> None:
    instance = Instance("0", latest_model_applied=hint)
    assert judge(instance, TARGET) == verdict
    assert judge(instance, TARGET, model_names_target=False) == OUTDATED
    assert running_image.running_image(instance) is None


def test_the_running_image_is_exact() -> None:
    latest = Instance("0", image=TARGET.following_latest(), exact_version="1.9.0")
    assert running_image.running_image(latest) == TARGET.with_version("1.9.0")
    assert running_image.running_image(Instance("0", image=VHD_TARGET, exact_version="1.0.0")) == VHD_TARGET


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        ({"latest_model_applied": True}, CURRENT),
        ({"latest_model_applied": False}, OUTDATED),
        ({"latest_model_applied": None}, UNPROVEN),
        ({"latest_model_applied": True, "provisioning": "Failed"}, OUTDATED),
        ({"latest_model_applied": True, "extensions_settled": False}, OUTDATED),
    ],
)
def test_the_whole_model_is_a_matter_of_generations(shown: dict[str, t.Any], verdict: str) -> None:
    assert judge_model(Instance("0", image=TARGET, exact_version="1.10.0", **shown)) == verdict
