# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would automatic OS upgrade install now, and what do my instances run?"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ImageVersion, Instance, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import next_upgrade

LATEST = images.parse("Canonical:0001-com-ubuntu-server-jammy:22_04-lts:latest")
GALLERY = images.parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/shared/images/web")
VERSIONS = ("1.9.0", "1.10.0")


def answer(model: Any = LATEST, **members: Any) -> dict[str, Any]:
    scale_set = ScaleSet(
        id="/web",
        name="web",
        resource_group="shop",
        location="west",
        image=model,
        health_sources=("application_health_extension",),
        **members,
    )
    listed = [ImageVersion(one, model.with_version(one)) for one in VERSIONS] if model.kind != images.MANAGED else []
    return next_upgrade.answer(scale_set, listed)


def test_one_that_is_on_and_ready() -> None:
    found = answer(automatic_os_upgrade=True)
    assert found["enabled"] and found["installs"]["version"] == "1.10.0" and found["in_the_way"] == []
    assert "is on and would install" in found["sentence"] and "never changes these" in found["sentence"]
    assert "SKU" in found["sentence"]


def test_one_that_is_off() -> None:
    found = answer()
    assert (found["enabled"], found["installs"]["version"]) == (False, "1.10.0")
    assert "is off; it would install" in found["sentence"]


def test_a_gallery_image_never_becomes_another_image() -> None:
    found = answer(GALLERY)
    assert found["installs"]["id"].endswith("/versions/1.10.0")
    assert "never another image" in found["sentence"] and "SKU" not in found["sentence"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LATEST.with_version("1.9.0"), "pins image"),
        (
            images.parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/golden"),
            "only from a gallery",
        ),
    ],
)
def test_what_does_not_follow_the_newest_gets_nothing(model: Any, words: str) -> None:
    found = answer(model)
    assert found["installs"] is None and "would install nothing" in found["sentence"]
    assert any(words in one for one in found["in_the_way"])


def test_what_runs_is_grouped_by_image_and_compared() -> None:
    def instance(number: int, version: str | None) -> Instance:
        return Instance(str(number), image=LATEST, exact_version=version)

    found = next_upgrade.running(
        [instance(10, "1.9.0"), instance(2, "1.9.0"), instance(1, "1.10.0"), instance(3, None)],
        LATEST.with_version("1.10.0"),
    )
    assert [(one["verdict"], one["instance_ids"]) for one in found] == [
        ("current", ["1"]),
        ("outdated", ["2", "10"]),
        ("unproven", ["3"]),
    ]
    assert found[1]["image"]["version"] == "1.9.0"
