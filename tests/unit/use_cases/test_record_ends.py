# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the record of a rollout ends whose model, or tags, another client has changed."""

from __future__ import annotations

from typing import Any

import pytest

from ..play import NEWER, OLD
from ..simulated import Simulated
from .test_between import GET, mode, pins, play, simulated


def removes_the_tags(azure: Simulated) -> None:
    owner = azure.scale_set()
    owner.document["tags"] = {}
    owner.etag += 1


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (pins(NEWER), ("names Canonical", NEWER, "another client", "show it as in_progress, with AutomaticRepairs")),
        (pins(OLD), ("names Canonical", OLD, "another client", "show it as in_progress, with AutomaticRepairs")),
        (None, ("another client has removed", "scale set web show none")),
        (mode("Automatic"), ("stays open", "Automatic", "show it as in_progress, with AutomaticRepairs")),
    ],
    ids=["newer", "old", "tags", "mode"],
)
def test_an_end_that_cannot_be_written_is_a_warning(event: dict[str, Any] | None, says: tuple[str, ...]) -> None:
    """Of what another client changes while the user's last task runs, when every instance is done."""
    azure = simulated(1, health="binary", automatic_repairs={"repairAction": "Replace"})

    def check(_ids: list[str]) -> None:
        azure.do(**event) if event else removes_the_tags(azure)
        azure.sleep(60)

    run = play(azure, check=check)
    assert run.outcome == "upgraded", run.why
    (words,) = run.warnings
    assert all(one in words for one in says), words
    assert azure.state()["services"]["AutomaticRepairs"] == "Running"


def test_an_end_for_which_the_scale_set_cannot_even_be_read_is_a_warning() -> None:
    azure = simulated(1)

    def check(_ids: list[str]) -> None:
        azure.fault(operation=GET, action="error", status=403, code="AuthorizationFailed", message="Not any more.")

    run = play(azure, check=check)
    assert run.outcome == "upgraded", run.why
    (words,) = run.warnings
    assert "stays open" in words and "Not any more." in words, words
