# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._model import security_type
from ansible_collections.steady.vmss.plugins.module_utils._rollout.model_diff import compare

from ..fleet import uniform

ON = {"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": False, "vTpmEnabled": True}}


def document(security: Any) -> dict[str, Any]:
    model = {"storageProfile": {"osDisk": {"caching": "None"}}, "osProfile": {"computerNamePrefix": "web"}}
    return {"properties": {"virtualMachineProfile": {**model, "securityProfile": security}}, "tags": {"a": "b"}}


@pytest.mark.parametrize(
    ("security", "current"),
    [(None, "Standard"), ({}, "Standard"), ({"securityType": None}, "Standard"), (ON, "TrustedLaunch")],
)
def test_the_type_that_a_model_has(security: Any, current: str) -> None:
    scale_set = replace(uniform(1).scale_set(), document=document(security))
    assert security_type.current(scale_set) == current
    assert security_type.stands(scale_set, None) and security_type.stands(scale_set, current.upper())
    assert not security_type.stands(scale_set, "ConfidentialVM")


@pytest.mark.parametrize(
    ("before", "wanted", "written"),
    [
        (None, "TrustedLaunch", ON),
        ({"encryptionAtHost": True}, "TrustedLaunch", {"encryptionAtHost": True, **ON}),
        (
            {"uefiSettings": {"secureBootEnabled": True}},
            "TrustedLaunch",
            {**ON, "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}},
        ),
        (
            {**ON, "encryptionAtHost": True},
            "Standard",
            {"encryptionAtHost": True, "securityType": "Standard", "uefiSettings": None},
        ),
    ],
)
def test_what_is_written(before: Any, wanted: str, written: dict[str, Any]) -> None:
    assert security_type.desired(document(before), wanted) == written


# After a write of TrustedLaunch over {encryptionAtHost}, and of Standard over the same with it: what Azure shows, and
# whether that is exactly what was to be written.
AT_HOST = {"encryptionAtHost": True}
SHOWN = [
    (AT_HOST, "TrustedLaunch", {**AT_HOST, **ON}, True),
    (AT_HOST, "TrustedLaunch", {**AT_HOST, **ON, "uefiSettings": {"vTpmEnabled": True}}, True),
    (AT_HOST, "TrustedLaunch", ON, False),
    (AT_HOST, "TrustedLaunch", {**AT_HOST, "securityType": "TrustedLaunch"}, False),
    (AT_HOST, "TrustedLaunch", AT_HOST, False),
    ({**AT_HOST, **ON}, "Standard", AT_HOST, True),
    ({**AT_HOST, **ON}, "Standard", {**AT_HOST, "securityType": "Standard"}, True),
    ({**AT_HOST, **ON}, "Standard", {"securityType": "Standard"}, False),
    (None, "Standard", None, True),
]


@pytest.mark.parametrize(("before", "wanted", "after", "exactly"), SHOWN)
def test_the_model_after_the_write_has_exactly_that(before: Any, wanted: str, after: Any, exactly: bool) -> None:
    expected = security_type.plain(security_type.written(document(before), wanted))
    difference = compare(expected, security_type.plain(document(after)))
    assert (not difference.lost and not difference.added) == exactly, difference
    other = document(after)
    other["properties"]["virtualMachineProfile"].pop("osProfile")
    assert any("osProfile" in path for path in compare(expected, security_type.plain(other)).lost)
