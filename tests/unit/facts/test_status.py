# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set and its instances in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts import status

IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": "1.0.1"}
PLACE = {"zone": None, "update_domain": 1, "instance_id": "0"}
INSTANCE: dict[str, Any] = {**PLACE, "image": IMAGE, "verdict": "current", "available": True, "why_unavailable": ""}
SICK = {"available": False, "why_unavailable": "its health is unhealthy"}
SET = {"name": "web", "orchestration_mode": "Uniform", "upgrade_mode": "Manual", "image": IMAGE, "target_image": IMAGE}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "instance 0, update domain 1: current, available, runs 1.0.1"),
        ({"zone": "2"}, "instance 0, zone 2, update domain 1: current, available, runs 1.0.1"),
        ({"update_domain": None, **SICK}, "instance 0: current, its health is unhealthy, runs 1.0.1"),
        ({"image": {"id": "/i"}}, "instance 0, update domain 1: current, available, runs /i"),
        (
            {"image": None, "verdict": "unproven"},
            "instance 0, update domain 1: unproven, available, runs an image that Azure does not report",
        ),
    ],
)
def test_an_instance(members: dict[str, Any], said: str) -> None:
    assert status.instance({**INSTANCE, **members}) == said


def test_a_scale_set() -> None:
    instances = [INSTANCE, {**INSTANCE, "verdict": "outdated"}, INSTANCE]
    common = "web, Uniform, upgrade mode Manual, model p:o:s:1.0.1; "
    sound = status.scale_set({**SET, "target_problem": "", "instances": instances})
    assert sound == f"{common}compared with p:o:s:1.0.1: 2 current, 1 outdated"
    broken = {**SET, "target_image": None, "target_problem": "No version.", "instances": []}
    assert status.scale_set(broken) == f"{common}No version: no instances"
