# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import CredentialError
from ansible_collections.steady.vmss.plugins.module_utils._facts.permissions import Grant
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet

from ..fake_azure import WEB, FakeAzure

PATH = f"{WEB}/providers/Microsoft.Authorization/permissions"
SET = ScaleSet(id=WEB, name="web", resource_group="rg", location="westus")
ALL = {"actions": ["*"], "notActions": ["x"], "dataActions": [], "notDataActions": []}


def test_every_role_is_read_in_one_call(azure: Azure, arm: FakeAzure) -> None:
    arm.on("GET", PATH, (200, {}, {"value": [ALL, {"actions": ["a", "b"]}]}))
    found = azure.permissions(SET)
    assert (found.grants, found.not_known) == ((Grant(("*",), ("x",)), Grant(("a", "b"))), "")
    assert arm.sent() == [("GET", PATH)] and arm.query()["api-version"] == ["2022-04-01"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, {"error": {"code": "AuthorizationFailed", "message": "Not you."}}, "AuthorizationFailed: Not you"),
        (404, {"error": {"code": "NotFound", "message": "Gone."}}, "Gone"),
        (200, {"value": [ALL], "nextLink": "https://management.azure.com/more"}, "more pages"),
        (200, {"value": [ALL, "*"]}, "unknown form"),
        (200, {"value": [{"actions": "*"}]}, "unknown form"),
        (200, {"permissions": []}, "unknown form"),
        (200, [], "not a JSON object"),
    ],
)
def test_what_cannot_be_read_or_is_not_whole_is_said(
    azure: Azure, arm: FakeAzure, status: int, body: Any, words: str
) -> None:
    arm.on("GET", PATH, (status, {}, body))
    assert words in azure.permissions(SET).not_known
    assert len(arm.requests) == 1


def test_a_sign_in_that_fails_is_no_note(azure: Azure, arm: FakeAzure) -> None:
    arm.token_answers = [(401, {}, {"error": "invalid_client", "error_description": "AADSTS7000222: Expired."})]
    with pytest.raises(CredentialError):
        azure.permissions(SET)
