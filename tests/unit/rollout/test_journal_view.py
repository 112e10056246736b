# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Views of stored journals of every outcome, and of hostile and broken ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.journal_lines import events, place
from ansible_collections.steady.vmss.plugins.module_utils._rollout import journal_view, plain_lines
from ansible_collections.steady.vmss.plugins.module_utils._rollout import map as heat_map
from ansible_collections.steady.vmss.plugins.module_utils._rollout.instance_states import State
from ansible_collections.steady.vmss.plugins.module_utils._rollout.journal_view import LAST_EVENTS, View, view

from ..refusals import refused
from ..rollout_journals import ID, SCENES, stored, written

PAGE = Path(__file__).parents[3] / "docs" / "docsite" / "rst" / "journal.rst"

# What each ended with, and the states of its instances 0, 1, 2, …
ENDS: dict[str, tuple[str, str, str]] = {
    "upgraded": ("upgraded", "", "ccc"),
    "unchanged": ("unchanged", "", "ccc"),
    "refused": ("refused", "preflight_failed", "ooo"),
    "stopped": ("stopped", "hook_failed", "ccF"),
    "stopped_unhealthy": ("stopped", "instances_failed", "cFo"),
    "rolled_back": ("rolled_back", "hook_failed", "ccc"),
    "failed": ("failed", "instances_failed", "ccccF"),
    "cancelled": ("cancelled", "cancelled", "Doo"),
    "killed": ("", "", "ccc"),
    "resumed": ("unchanged", "", "ccc"),
    "throttled": ("upgraded", "", "ccc"),
    "zonal": ("upgraded", "", "cpcczcccccccccccccccccccccccccc"[:30]),
    "cut_off": ("", "", "cDo"),
}


def letters(found: View) -> str:
    return "".join(heat_map.LOOKS[found.states[one]].letter for one in sorted(found.states, key=int))


def test_every_scene_is_stored() -> None:
    assert {*SCENES, "cut_off"} == set(ENDS)


@pytest.mark.parametrize("name", sorted(ENDS))
def test_a_stored_journal_is_read(name: str) -> None:
    found = view(stored(name))
    assert (found.outcome, found.code, letters(found)) == ENDS[name]
    assert (found.title, found.rollout) == ("shop/web", ID)
    assert found.unavailable.most <= found.unavailable.allowed == found.plan.allowed
    assert found.calls.all > 0 and found.started is not None and found.last is not None
    assert 0 < len(found.said) <= LAST_EVENTS or name == "refused"


@pytest.mark.parametrize("name", ["upgraded", "refused", "stopped_unhealthy"])
def test_what_is_stored_is_what_the_code_writes(name: str, tmp_path: Path) -> None:
    """Else write them again, as the head of rollout_journals.py says."""

    def told(lines: list[str]) -> list[tuple[str, ...]]:
        return [(event["event"], *sorted(event)) for event in events(lines)]

    assert told(written(name, tmp_path).splitlines()) == told(stored(name))


def test_a_cut_off_journal_is_read_up_to_there() -> None:
    whole, cut = stored("upgraded"), stored("cut_off")
    assert json.loads(whole[0]) and cut[-1] not in whole and whole[: len(cut) - 1] == cut[:-1]
    assert view(cut) == view(cut[:-1])
    assert view([line.encode() for line in cut]) == view(cut)


@pytest.mark.parametrize("schema", [None, 0, 2, "1", "later"])
def test_another_schema_is_refused_with_words(schema: Any) -> None:
    line = {**json.loads(stored("upgraded")[0]), "schema": schema}
    with refused("journal_not_readable", f"is of schema {schema!r}, and this release reads schema 1"):
        view([json.dumps(line)])


def test_a_view_goes_on_as_the_journal_does() -> None:
    lines, found = stored("rolled_back"), View()
    most = 0
    for event in events(lines):
        found = journal_view.fold(found, event)
        assert found.unavailable.most >= most
        most = found.unavailable.most
    assert found == view(lines)


def test_while_it_runs() -> None:
    cut = view(stored("cut_off"))
    assert cut.batch is not None and (cut.batch.number, cut.batch.of, cut.batch.label) == (2, 3, "update domain 1")
    assert cut.batch.instance_ids == ("1",) and cut.done == 1 and cut.estimate is not None
    assert cut.estimate.from_batches == 1 and cut.last is not None and cut.estimate.end > cut.last
    assert (cut.unavailable.now, cut.unavailable.most, cut.unavailable.allowed) == (1, 1, 1)


def test_the_calls_of_several_module_calls_are_added() -> None:
    found = view(stored("upgraded"))
    ended = next(event for event in events(stored("upgraded")) if event["event"] == "ended")
    before_its_end = view(stored("upgraded")[:-1])
    assert found.calls.all == ended["all_calls"] > before_its_end.calls.now
    assert before_its_end.calls.earlier > 0 and abs(before_its_end.calls.all - found.calls.all) <= 8
    assert view(stored("throttled")).calls.throttled == 30


def test_a_run_that_goes_on_begins_its_view_anew() -> None:
    lines = stored("resumed")
    second = [number for number, line in enumerate(lines) if '"planned"' in line][1]
    first, again = view(lines[:second]), view(lines[: second + 1])
    assert first.batch is not None and (again.batch, again.done, again.outcome) == (None, 0, "")
    assert again.started == again.last


def test_instances_that_are_upgraded_without_a_rollout() -> None:
    lines = [line for line in stored("cut_off") if not re.search('"(planned|batch_begins|batch_ended)"', line)]
    found = view(lines)
    assert found.batch is not None and (found.batch.number, found.batch.of) == (2, 0)
    assert heat_map.header(found, (found.last or 0.0) + 5)[1] == "batch 2 UD 1 for 5s"
    assert found.started is not None and letters(found) == "cDo"


def test_what_the_user_checks_is_shown_as_being_checked() -> None:
    seen = set()
    found = View()
    for event in events(stored("stopped")):
        found = journal_view.fold(found, event)
        seen |= {one for one, state in found.states.items() if state == "checking"}
    assert seen == {"0", "1", "2"} and found.states["2"] == "failed"


def test_the_page_says_all_that_is_written() -> None:
    page = PAGE.read_text("utf-8")
    for name in ENDS:
        for event in events(stored(name)):
            words = {event["event"], *event, *event.get("states", {})}
            assert {one for one in words if f"``{one}``" not in page} <= {"batch", "problem", "note", "status"}, name
    assert "``schema``" in page and "``1``" in page


def test_each_state_has_a_letter_of_its_own() -> None:
    looks = heat_map.LOOKS
    assert {*looks, "gone"} == set(State.__args__)  # type: ignore[attr-defined]
    assert len({look.letter for look in looks.values()}) == len(looks)


def test_places() -> None:
    assert place("/subscriptions/S/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachineScaleSets/Web") == (
        "shop/web"
    )
    assert place("else") == place(None) == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_no_line_breaks_a_view(data: st.DataObject) -> None:
    """A file that others can write to: any member may be anything."""
    names = sorted(journal_view.FOLDS)
    found = view(stored("cut_off"))
    for _turn in range(3):
        name = data.draw(st.sampled_from(names))
        example = next((one for one in events([*stored("upgraded"), *stored("stopped")]) if one["event"] == name), {})
        member = data.draw(st.sampled_from(sorted(example)))
        event = {**example, "scale_set": found.scale_set, "event": name, member: data.draw(json_values)}
        found = journal_view.fold(found, event)
        for line in heat_map.one_map(found, (80, 24), 0.0):
            assert len(heat_map.plain(line)) <= 80
        plain_lines.lines(event)


def test_hostile_text_does_nothing() -> None:
    event = {**json.loads(stored("upgraded")[0]), "event": "waiting", "reason": "\x1b[2J::error::x ##vso[task.x]"}
    found = journal_view.fold(view(stored("cut_off")), event)
    shown = "\n".join(heat_map.plain(line) for line in heat_map.one_map(found, (200, 30), 0.0))
    lines = plain_lines.lines(event)
    for text in (shown, *lines):
        assert "\x1b" not in text and "##" not in text and not re.search(r"^\s*::", text, re.MULTILINE)
    assert "no batch may start yet" in shown and "no batch may start yet" in lines[0]


@pytest.mark.parametrize(
    "line", ["[" * 50_000, '{"schema": 1, "seconds": 1e400}', '{"schema": 1, "seconds": NaN}', "{"]
)
def test_a_line_that_no_release_writes_is_passed_over(line: str) -> None:
    assert list(events([line, *stored("unchanged")])) == list(events(stored("unchanged")))
