# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.permissions import Grant, Permissions
from ansible_collections.steady.vmss.plugins.module_utils._rollout.permissions import (
    READ,
    REIMAGED,
    SERVICES,
    START,
    UPGRADE,
    WRITE,
    findings,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import REIMAGE
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey

from ..fleet import START as BEGAN
from ..fleet import uniform
from .test_proof import ONE, kept_disks

EVERYTHING = (READ, WRITE, UPGRADE, REIMAGED, START, SERVICES)


def lacking(survey: Survey, *absent: str, services: bool = False) -> set[tuple[str, str]]:
    """(severity, action) of what is found where every role allows all but these."""
    permissions = Permissions([Grant(["*"], absent)])
    found = list(findings(survey, permissions, services=services))
    assert all(f.code == "permission_missing" and "Virtual Machine Contributor" in str(f) for f in found)
    return {(f.severity, action) for f in found for action in EVERYTHING if action in f.message}


def test_each_action_that_is_absent_is_an_error_where_it_is_needed() -> None:
    survey = uniform(5).survey()
    assert survey.to_do and lacking(survey) == set()
    for action in (WRITE, UPGRADE):
        assert lacking(survey, action) == {("error", action)}
    assert lacking(survey, WRITE, UPGRADE) == {("error", WRITE), ("error", UPGRADE)}
    for action in (REIMAGED, START):
        assert lacking(survey, action) == {("info", action)}
    assert lacking(survey, SERVICES) == set()
    assert lacking(survey, SERVICES, services=True) == {("error", SERVICES)}


def test_a_model_alone_needs_no_more_than_its_write() -> None:
    survey = uniform(0).survey()
    assert not survey.to_do
    assert lacking(survey, WRITE) == {("error", WRITE)}
    assert lacking(survey, UPGRADE, REIMAGED, START) == set()


def test_flexible_instances_are_never_reimaged() -> None:
    survey = uniform(5).survey()
    flexible = replace(survey, scale_set=replace(survey.scale_set, orchestration_mode="Flexible"))
    assert lacking(flexible, REIMAGED) == set()


@pytest.mark.parametrize(
    "permissions",
    [
        Permissions([Grant(["*"], [WRITE])], "AuthorizationFailed"),
        # what was just read is not in the list: the list is not all
        Permissions([]),
        Permissions([Grant(["Microsoft.Network/*"])]),
    ],
)
def test_what_is_not_known_is_a_note_and_no_error(permissions: Permissions) -> None:
    (found,) = findings(uniform(5).survey(), permissions, services=False)
    assert (found.severity, found.code) == ("info", "permissions_not_checked")
    assert permissions.not_known in found.message and "Microsoft.Authorization/permissions/read" in found.remedy


def test_an_unproven_instance_needs_a_reimage_and_no_upgrade() -> None:
    survey = kept_disks(replace(ONE, unproven=REIMAGE)).survey(since=BEGAN)
    assert survey.to_do and set(survey.to_do) == set(survey.unproven)
    assert lacking(survey, REIMAGED) == {("error", REIMAGED)}
    assert lacking(survey, UPGRADE) == set()
