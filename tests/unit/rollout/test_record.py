# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import catalogue
from ansible_collections.steady.vmss.plugins.module_utils._facts.domains import Selection
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import Image, parse
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ImageVersion, Instance
from ansible_collections.steady.vmss.plugins.module_utils._rollout import record, resume
from ansible_collections.steady.vmss.plugins.module_utils._rollout.record import Record

from ..fleet import FORMS, NEW, OLD, uniform
from ..refusals import refused

TARGET = FORMS["platform"][NEW]
START = 1_800_000_000.0
ID = "7f3c0b8e2d5149c0a4f1f6c2f0a7b1de"
RECORD = Record(ID, str(TARGET), str(FORMS["platform"][OLD]), "update domains 0-1", START)


# Azure allows groups of 90 characters, galleries and images of 80.
LONGEST = (
    f"/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups/{'g' * 90}/providers"
    f"/Microsoft.Compute/galleries/{'a' * 80}/images/{'i' * 80}/versions/2147483647.2147483647.2147483647"
)


# -- the record -------------------------------------------------------------------------------


@given(
    target=st.sampled_from([FORMS[form][NEW] for form in sorted(FORMS)]),
    selection=st.sampled_from(("all", "instances 0-5,9", "zones 1")),
    previous=st.sampled_from(["", *(str(FORMS[form][OLD]) for form in sorted(FORMS)), LONGEST]),
    state=st.sampled_from(record.STATES),
    suspended=st.sets(st.sampled_from(record.SERVICES)),
    started=st.integers(1_500_000_000, 4_000_000_000),
    others=st.dictionaries(st.text("abc", min_size=1), st.text("xyz"), max_size=5),
)
def test_a_record_is_read_back_from_the_tags(
    target: Image,
    selection: str,
    previous: str,
    state: str,
    suspended: set[str],
    started: int,
    others: dict[str, str],
) -> None:
    written = Record(ID, str(target), previous, selection, float(started), tuple(suspended), state)
    tags = record.with_record(others, written)
    assert record.read(tags) == written
    assert max(map(len, tags.values())) <= 256
    assert {name: value for name, value in tags.items() if name in others} == others
    assert written.names(target) and not written.names(None)
    shorter = replace(written, previous="")
    assert record.read({**tags, **record.with_record(tags, shorter)}) == shorter, "where Azure merges tags"
    assert record.with_record(tags, shorter) == record.with_record(others, shorter), "where Azure replaces them"


@pytest.mark.parametrize("length", [255, 256, 257, 511, 512, 513])
def test_an_image_of_any_length_fits(length: int) -> None:
    image = f"https://blobs.example/{'x' * (length - 26)}.vhd"
    assert len(image) == length
    written = replace(RECORD, target=image)
    assert record.read(record.with_record({}, written)) == written


def test_a_selection_of_any_length_fits() -> None:
    named = Selection(instance_ids=tuple(f"web-of-the-shop_{n:08x}" for n in range(1000)))
    kept = replace(RECORD, selection=record.in_words(named))
    assert len(kept.selection) < 256 and record.read(kept.tags()) == kept
    assert kept.selects(named) and not kept.selects(Selection()) and not kept.selects(Selection(("1",)))
    assert kept.selected(named) == named
    assert kept.selected(Selection()) == Selection(), "unknown to whoever does not give it again: all"
    assert RECORD.selected(Selection()) == Selection(update_domains=(0, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rollout", "7f3c"),
        ("rollout", "../../../../etc/passwd000000000000"),
        ("rollout", ID.upper()),
        ("target", "nonsense"),
        ("previous", "nonsense"),
        ("started", "9999-01-01T00:00:00Z"),
        ("started", "0001-01-01T00:00:00Z"),
        ("started", "yesterday"),
        ("state", "paused"),
    ],
)
def test_what_no_rollout_has_written_is_no_record(name: str, value: str) -> None:
    assert record.read(RECORD.tags()) == RECORD
    assert record.read({**RECORD.tags(), f"steady-vmss-{name}": value}) is None


def test_a_service_that_azure_has_not_is_not_put_back() -> None:
    found = record.read({**RECORD.tags(), "steady-vmss-suspended": "AutomaticRepairs,rm -rf"})
    assert found is not None and found.suspended == ("AutomaticRepairs",)


@pytest.mark.parametrize(
    ("state", "model", "expected"),
    [
        # a rollout from OLD to NEW
        ("in_progress", NEW, OLD),
        ("finished", NEW, OLD),
        ("stopped", OLD, OLD),
        ("stopped", NEW, OLD),  # rollout_keep_model
        ("rolled_back", OLD, OLD),
        # a way back is on the image that the model names
        ("going_back", NEW, NEW),
        ("rolled_back", NEW, NEW),
    ],
)
def test_a_way_back_never_goes_forth(state: str, model: str, expected: str) -> None:
    kept = replace(RECORD, state=state)
    assert kept.way_back(FORMS["platform"][model]) == FORMS["platform"][expected]


def test_which_records_end() -> None:
    states = {state: replace(RECORD, state=state) for state in record.STATES}
    assert [state for state, one in states.items() if one.open] == ["in_progress", "going_back"]
    assert [state for state, one in states.items() if one.resumable] == ["in_progress", "going_back", "stopped"]
    kept = replace(RECORD, suspended=("AutomaticRepairs",)).ended("finished")
    assert (kept.state, kept.suspended) == ("finished", ())


def test_no_record() -> None:
    assert record.read({}) is None
    for name in ("rollout", "target", "started"):
        tags = RECORD.tags()
        tags[f"steady-vmss-{name}"] = ""
        assert record.read(tags) is None, f"a person has emptied {name}"


def test_a_sas_stays_out_of_the_tags() -> None:
    target = parse("https://blobs.example/web.vhd?sig=secret")
    written = replace(RECORD, target=str(target))
    assert "secret" not in str(written.tags()) and written.names(target)


def test_tags_that_do_not_fit() -> None:
    ours = len(RECORD.tags())
    assert len(record.with_record({str(n): "" for n in range(50 - ours)}, RECORD)) == 50
    with refused("tags_full", "50"):
        record.with_record({str(n): "" for n in range(51 - ours)}, RECORD)
    full = {**{str(n): "" for n in range(50 - ours)}, **RECORD.tags()}
    assert len(record.with_record(full, RECORD)) == 50, "a record that is there already needs no room"


# -- what the user's image means --------------------------------------------------------------


def version(number: str, **fields: object) -> ImageVersion:
    return ImageVersion(number, TARGET.with_version(number), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "why", "why_as_latest"),
    [
        (version("1.0.0"), None, None),
        (version("1.0.0", regions=("West Europe", "eastus")), None, None),
        (version("1.0.0", regions=("eastus",)), "not replicated to westeurope (it is in eastus)", "not replicated"),
        (version("1.0.0", regions=()), "not replicated to westeurope (it is in no region)", "not replicated"),
        (version("1.0.0", excluded_regions=("West Europe",)), "not replicated", "not replicated"),
        (version("1.0.0", provisioning_state="Creating"), "its provisioning state is Creating", "provisioning"),
        (version("1.0.0", excluded_from_latest=True), None, "it is excluded from latest"),
    ],
)
def test_whether_a_version_can_be_used(found: ImageVersion, why: str | None, why_as_latest: str | None) -> None:
    for expected, said in (
        (why, catalogue.why_not(found, "westeurope")),
        (why_as_latest, catalogue.why_not(found, "westeurope", as_latest=True)),
    ):
        assert said is None if expected is None else expected in str(said)


def test_latest_is_the_newest_that_can_be_used() -> None:
    found = [
        version("1.9.0"),
        version("1.10.0"),
        version("1.11.0", excluded_from_latest=True),
        version("1.12.0", regions=("eastus",)),
        version("1.13.0", provisioning_state="Creating"),
        version("1.2.0"),
    ]
    assert catalogue.newest(TARGET.following_latest(), found, "westeurope") == TARGET.with_version("1.10.0")


def test_no_usable_version_says_why() -> None:
    with refused("image_not_usable", r"1\.0\.0: it is excluded from latest\. Replicate a version"):
        catalogue.newest(TARGET, [version("1.0.0", excluded_from_latest=True)], "westeurope")
    with refused("image_not_usable"):
        catalogue.newest(TARGET, [], "westeurope")


def test_an_unfinished_rollout_to_latest_keeps_its_version() -> None:
    latest = replace(uniform(5).survey(), target=TARGET.following_latest())
    assert resume.resumed(latest, RECORD) == TARGET
    assert resume.resumed(latest, None) is None
    other = replace(latest, target=parse("other:ubuntu:22_04:latest"))
    assert resume.resumed(other, RECORD) is None


def test_a_finished_rollout_to_latest_resolves_anew() -> None:
    fleet = uniform(5)
    for machine in fleet.machines.values():
        machine.content, machine.applied = NEW, True
    latest = replace(fleet.survey(), target=TARGET.following_latest())
    assert resume.resumed(latest, RECORD) is None


def test_a_narrow_rollout_that_is_done_binds_no_wider_one() -> None:
    fleet = uniform(3)
    fleet.machines["0"].content, fleet.machines["0"].applied = NEW, True
    latest = replace(fleet.survey(), target=TARGET.following_latest())
    assert resume.resumed(latest, replace(RECORD, selection="instances 0")) is None
    assert resume.resumed(latest, replace(RECORD, selection="instances 0-1")) == TARGET


def test_the_previous_image_is_what_most_instances_ran() -> None:
    def runs(number: str) -> Instance:
        return Instance("0", image=TARGET.following_latest(), exact_version=number)

    outdated = [runs("1.0.0"), runs("1.9.0"), runs("1.9.0"), runs(NEW), Instance("1", image=TARGET.following_latest())]
    older = [TARGET.with_version("1.9.0"), TARGET.with_version("1.0.0")]
    assert resume.images_before(outdated, TARGET.following_latest(), TARGET) == older
    assert resume.images_before([], FORMS["managed"][OLD], FORMS["managed"][NEW]) == [FORMS["managed"][OLD]]
    assert resume.images_before([], TARGET, TARGET) == []
    assert resume.images_before([], None, TARGET) == []
    assert resume.images_before([], TARGET.following_latest(), TARGET) == []  # it may mean the target by now


@pytest.mark.parametrize(
    ("runs", "state", "expected"),
    [
        (["2.0.0", "2.0.0"], "finished", False),
        (["2.0.0", "1.0.0"], "stopped", False),
        (["1.0.0", "1.0.0"], "in_progress", False),  # killed before the first batch
        (["2.0.0", "0.9.0"], "finished", False),  # of a selection
        (["2.0.10", "2.0.10"], "finished", True),  # by Azure's own upgrade
        (["2.0.0", "2.0.10"], "finished", True),
        (["0.9.0", "0.9.0"], "stopped", True),
        (["2.0.10", "2.0.10"], "going_back", False),  # the model tells, and a way back that is run again goes on
        ([], "finished", False),
    ],
)
def test_a_record_counts_while_what_it_names_runs(runs: list[str], state: str, expected: bool) -> None:
    series = "Canonical:ubuntu:server"
    kept = record.Record("a" * 32, f"{series}:2.0.0", f"{series}:1.0.0", "all", 1_800_000_000.0, state=state)
    latest = parse(f"{series}:latest")
    running = [Instance(str(n), image=latest, exact_version=version) for n, version in enumerate(runs)]
    assert kept.overtaken(running) == expected


def test_the_security_type_before_is_kept_where_the_rollout_changes_it() -> None:
    """Its tag is written where there is something to say, and emptied where a merging PATCH would leave the old one."""
    changed = replace(RECORD, security="Standard")
    assert record.read(changed.tags()) == changed and "steady-vmss-security" not in RECORD.tags()
    assert record.read({**RECORD.tags(), "steady-vmss-security": "ConfidentialVM"}) == RECORD
    next_one = record.with_record(changed.tags(), RECORD)
    assert next_one["steady-vmss-security"] == "" and record.read(next_one) == RECORD
    assert changed.as_dict()["security"] == "Standard" and RECORD.as_dict()["security"] is None
