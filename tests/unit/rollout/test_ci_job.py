# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a CI service is given: nothing that somebody else wrote is a command of its."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._rollout.ci_job import Commands, Service, service_of, summary
from ansible_collections.steady.vmss.plugins.module_utils._rollout.journal_view import Plan, View, view

from ..rollout_journals import stored


@pytest.mark.parametrize(
    ("environment", "service"),
    [
        ({}, None),
        ({"GITHUB_ACTIONS": "true"}, "github"),
        ({"GITHUB_ACTIONS": "false"}, None),
        ({"TF_BUILD": "True"}, "azure"),
        ({"TF_BUILD": ""}, None),
    ],
)
def test_the_service(environment: dict[str, str], service: str | None) -> None:
    assert service_of(environment) == service


def test_the_commands() -> None:
    github, azure = Commands("github"), Commands("azure")
    assert (github.group("a"), github.end_group()) == ("::group::a", "::endgroup::")
    assert (azure.group("a"), azure.end_group()) == ("##[group]a", "##[endgroup]")
    assert github.error("shop/web, 1", "hook_failed", "100 % down\nso") == (
        "::error title=shop/web%2C 1%3A hook_failed::100 %25 down so"
    )
    assert azure.error("shop/web", "a;b]", "100 %") == (
        "##vso[task.logissue type=error;code=a%3Bb%5D]shop/web: 100 %AZP25"
    )


@given(st.sampled_from(["github", "azure"]), st.text(), st.text(), st.text())
def test_no_text_is_a_command_of_its_own(service: Service, title: str, code: str, message: str) -> None:
    for line in (Commands(service).error(title, code, message), Commands(service).group(title)):
        assert len(line.splitlines()) == 1
        assert not re.search(r"##(vso)?\[", line[2:])


def test_the_summary_of_a_job() -> None:
    text = summary([view(stored("stopped_unhealthy")), view(stored("upgraded"))])
    assert text.count("### shop/web\n") == 2
    assert "| outcome | stopped (instances\\_failed) |" in text and "| outcome | upgraded |" in text
    assert "| instances | 1 current, 1 failed, 1 outdated |" in text and "| batches | 2 of 3 |" in text
    assert "health unhealthy" in text


def test_the_summary_is_text_and_nothing_else() -> None:
    hostile = View("<script>", plan=Plan(target="a|b`c"), why="**x** ![y](z)\n## own", outcome="<img src=x>")
    text = summary([hostile])
    assert "<" not in text and "](" not in text.replace("\\](", "") and "\n## " not in text
    assert "a\\|b\\`" in text
