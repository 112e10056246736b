# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map and the plain lines, as they look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.journal_lines import Event, events
from ansible_collections.steady.vmss.plugins.module_utils._rollout import estimate, plain_lines
from ansible_collections.steady.vmss.plugins.module_utils._rollout import map as heat_map
from ansible_collections.steady.vmss.plugins.module_utils._rollout.journal_view import Batch, View, view
from ansible_collections.steady.vmss.plugins.module_utils._rollout.plain_lines import lasted, lines, short_image

from ..rollout_journals import stored

SETS = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"
TIMES = "\N{MULTIPLICATION SIGN}"
STATES = list(heat_map.LOOKS)


def shown(found: View, width: int = 80, height: int = 24) -> list[str]:
    return [heat_map.plain(line) for line in heat_map.one_map(found, (width, height), (found.last or 0.0) + 10)]


def of(domains: dict[str, int], state: str = "outdated", prefix: str = "") -> View:
    """Instances by domain, numbered through."""
    found = {}
    for label, count in domains.items():
        for _one in range(count):
            found[f"{prefix}{len(found)}"] = label
    return View(SETS, states=dict.fromkeys(found, state), domains=found, started=0.0, last=0.0)


def test_the_map_in_the_middle_of_a_rollout() -> None:
    assert shown(view(stored("cut_off"))) == [
        "shop/web  Uniform, 3 instances, 3 update domains, westeurope",
        "batch 2/3 UD 1 for 10s   1/3 instances done",
        "to 24.4.20261118   elapsed 1m34s   end about 02:03Z, by the last batch",
        "unavailable 1 now, 1 at most, 1 allowed   35 calls, not throttled",
        "UD 0  c0",
        "UD 1  D1",
        "UD 2  o2",
        "D 1 down  o 1 outdated  c 1 current",
        "02:01:24Z  batch 1 of 3 ended upgraded after 76 s; remaining: 2 instances",
        "02:01:24Z  batch 2 of 3 begins: update domain 1, instance 1",
        "02:01:24Z  Azure accepted the upgrade of instance 1",
    ]


def test_the_map_of_zones() -> None:
    rows = shown(view(stored("zonal")))
    assert rows[4:8] == [
        "zone 1 UD 0  c0  c3  c6  c9  c12 c15 c18 c21 c24 c27",
        "zone 2 UD 0  p1  z4  c7  c10 c13 c16 c19 c22 c25 c28",
        "zone 3 UD 0  c2  c5  c8  c11 c14 c17 c20 c23 c26 c29",
        "c 28 current  p 1 protected  z 1 deallocated",
    ]


def fleets() -> Iterator[tuple[str, View]]:
    yield "5 domains", of({f"update domain {n}": 200 for n in range(5)})
    yield "20 domains", of({f"update domain {n}": 50 for n in range(20)})
    yield "3 zones", of({f"zone {n}, update domain 0": n * 111 + 112 for n in range(3)})
    yield "60 domains", of({f"zone {z}, update domain {n}": 17 for z in (1, 2, 3) for n in range(20)})
    yield "no domains", of({"all instances": 1000})
    yield "flexible", of({f"fault domain {n}": 334 for n in range(3)}, prefix="web_a1b2c3d")
    yield "each alone", of({f"fault domain {n}": 1 for n in range(1000)})


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (60, 15), (40, 10), (20, 8)])
@pytest.mark.parametrize(("name", "found"), list(fleets()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_thousand_instances_fit(name: str, found: View, width: int, height: int) -> None:
    rows = shown(found, width, height)
    assert len(rows) <= height and max(map(len, rows)) <= width
    if (width, height) == (80, 24) and name != "each alone":
        cells = sum(row.count("o") - row.count("zone") for row in rows[4:-1])
        grouped = "a letter is up to" in rows[-1]
        assert grouped or cells >= len(found.states), name
        assert not grouped or name == "60 domains", name


def test_what_is_down_is_seen_where_a_letter_is_several_instances() -> None:
    found = of({f"zone {z}, update domain {n}": 17 for z in (1, 2, 3) for n in range(20)})
    found = replace(found, states={**found.states, "500": "down", "501": "current"})
    rows = shown(found)
    assert sum(row.count("D") - row.count("UD") for row in rows[4:-1]) == 1 and "D 1 down" in rows[-1]


def test_ids_are_shown_where_they_fit() -> None:
    few = of({"fault domain 0": 3}, prefix="web_")
    assert shown(few)[4] == "FD 0  o0 o1 o2"
    assert "o0" not in "".join(shown(of({"all instances": 1000}))[4:])


def test_several_scale_sets_share_the_screen() -> None:
    one, other = of({"update domain 0": 3}), of({"update domain 0": 5})
    lines = [heat_map.plain(line) for line in heat_map.frame([one, View(), other], (80, 24), 0.0)]
    assert [line[:8] for line in lines].count("shop/web") == 2 and len(lines) <= 24
    many = heat_map.frame([one] * 10, (80, 24), 0.0)
    assert len(many) == 10 and all("unavailable" in heat_map.plain(line) for line in many)
    assert heat_map.frame([], (80, 24), 0.0) == heat_map.frame([one], (10, 24), 0.0) == []


def test_colours_are_beside_the_letters_and_never_in_their_place() -> None:
    found = of({"update domain 0": len(STATES)})
    found = replace(found, states=dict(zip(found.states, STATES, strict=True)))
    rows = heat_map.one_map(found, (80, 24), 0.0)
    plain = heat_map.plain(rows[4])
    assert [cell[0] for cell in plain.split()[2:]] == [heat_map.LOOKS[state].letter for state in STATES]
    assert heat_map.coloured(rows[4]).count("\x1b[0m") == len(STATES)
    assert "\x1b" not in plain


def test_wide_characters_take_two_columns() -> None:
    assert heat_map.fit("日本語", 5) == "日本" and heat_map.fit("abc", 2) == "ab" and heat_map.fit("abc", 3) == "abc"


def test_the_end_that_is_estimated() -> None:
    found = replace(view(stored("cut_off")), batch=Batch(2, 3, "update domain 1", ("1",), 0.0))
    assert "by the last batch" in heat_map.header(found, 0.0)[2]
    early = replace(found, estimate=None, batches_done=0)
    assert "end unknown before a batch" in heat_map.header(early, 0.0)[2]
    assert "end" not in heat_map.header(replace(early, batches_done=3), 0.0)[2]


DONE = [
    {"started": "2026-01-01T00:00:00Z", "instance_ids": ["0"]},
    {"started": "2026-01-01T00:01:00Z", "instance_ids": ["1", "2", "3", "4"]},
    {"started": "2026-01-01T00:03:00Z", "instance_ids": ["5", "6", "7"]},
]
AT = 1767225600.0


@pytest.mark.parametrize(
    ("done", "ahead", "now", "left"),
    [
        ([], [4], AT, (0.0, 0)),
        (DONE[:1], [], AT + 60, (0.0, 0)),
        (DONE[:1], [4, 4], AT + 60, (120.0, 1)),  # there is only the canary to go by
        (DONE, [4, 4], AT + 280, (220.0, 2)),  # without the canary
        (DONE, [1], AT + 280, (280 / 3, 3)),
        ([{"instance_ids": ["0"]}], [4], AT, (0.0, 0)),
    ],
)
def test_an_estimate_rests_on_batches_like_those_ahead(
    done: list[Any], ahead: list[int], now: float, left: tuple[float, int]
) -> None:
    assert estimate.seconds_left(done, ahead, now) == pytest.approx(left)


# -- plain lines --------------------------------------------------------------------------------------


def said(name: str, **options: Any) -> list[str]:
    return [line for event in events(stored(name)) for line in lines(event, **options)]


def test_the_lines_of_a_rollout() -> None:
    assert said("upgraded") == [
        "shop/web  Uniform, 3 instances, 3 update domains, westeurope",
        f"  now 24.4.20261001 {TIMES}3   to 24.4.20261118   limit 1 (20 %)   batches 1+1+1, about 52 calls",
        "02:00:00Z    asks Azure to set the image of scale set web to Canonical:ubuntu-24_04-lts:server:24.4.20261118",
        "02:00:07Z    Azure has stored the change of the model",
        "02:00:07Z  batch 1/3  update domain 0  instance 0",
        "02:01:24Z    upgraded 1/1  1m16s   1/3, end about 02:03Z",
        "02:01:24Z    check.yml ok",
        "02:01:24Z  batch 2/3  update domain 1  instance 1",
        "02:02:41Z    upgraded 1/1  1m17s   2/3, end about 02:03Z",
        "02:02:41Z    check.yml ok",
        "02:02:41Z  batch 3/3  update domain 2  instance 2",
        "02:03:56Z    upgraded 1/1  1m15s   3/3",
        "02:03:57Z    check.yml ok",
        ("02:03:57Z    asks Azure to write the record of rollout 0123456789abcdef0123456789abcdef on scale set web"),
        "02:03:57Z    Azure has stored the change of the model",
        "DONE  shop/web on 24.4.20261118: 3/3 in 3m57s, never more than 1 of 1 unavailable, 60 calls",
    ]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("unchanged", "UNCHANGED  shop/web runs 24.4.20261001: nothing to do, 4 calls"),
        ("refused", "REFUSED  shop/web: preflight_failed, nothing was upgraded, 6 calls"),
        ("stopped_unhealthy", "STOPPED  shop/web (instances_failed): 1/3 in "),
        ("rolled_back", "ROLLED BACK  shop/web (hook_failed): 3 rolled back in "),
        ("failed", "FAILED  shop/web (instances_failed): 4/5 in "),
        ("cancelled", "CANCELLED  shop/web (cancelled): 0/3 in 1m00s, never more than 1 of 1 unavailable, 23 calls"),
    ],
)
def test_the_last_line(name: str, last: str) -> None:
    assert said(name)[-1].startswith(last)


def test_a_stop_is_said_with_its_code_and_its_words_once() -> None:
    found = said("stopped_unhealthy")
    assert sum("stops: instances_failed: " in line for line in found) == 1
    assert not [line for line in found if "stops: 1 of" in line]
    assert any("is refused: preflight_failed: " in line for line in said("refused"))
    assert any(line.endswith("check.yml failed") for line in said("stopped"))
    assert any("rolls 3 instances back to 24.4.20261001: 0-2" in line for line in said("rolled_back"))


def test_of_several_scale_sets_each_line_says_which() -> None:
    assert all("shop/web" in line or line.startswith("  now") for line in said("upgraded", named=True))


def event(name: str, **facts: Any) -> Event:
    return {"event": name, "time": "2026-11-21T02:00:09Z", "scale_set": SETS, **facts}


def test_a_canary_is_called_so() -> None:
    begins = {"number": 1, "of": 6, "label": "update domain 0", "instances": ["0"], "canary": True, "adopted": False}
    assert lines(event("batch_begins", **begins)) == ["02:00:09Z  batch 1/6 canary  update domain 0  instance 0"]
    many = {**begins, "canary": False, "instances": [str(2 * n) for n in range(90)]}
    (line,) = lines(event("batch_begins", **many))
    assert "90 instances 0,2,4," in line and line.endswith(",…") and len(line) < 130


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([1, 19, 20, 20, 20, 20], "canary 1, then 19+20+20+20+20"),
        ([1, 1, 1], "batches 1+1+1"),
        ([5], "batches 5"),
        ([], "nothing to upgrade"),
        ([1, *[20] * 49, 19], f"canary 1, then 49{TIMES}20+19"),
        ([2, *range(3, 20)], "canary 2, then 3+4+5+6+7+8+9+10+…"),
    ],
)
def test_how_the_batches_are_said(sizes: list[int], words: str) -> None:
    plan = next(one for one in events(stored("upgraded")) if one["event"] == "planned")
    plan = {**plan, "sizes": sizes, "latest": True, "allowed": 3, "limit": "3"}
    (_first, second) = lines(plan)
    expected = ", about 52 calls" if sizes else ""
    assert second == f"  now 24.4.20261001 {TIMES}3   to 24.4.20261118 (latest)   limit 3   {words}{expected}"
    (_first, second) = lines({**plan, "expected_seconds": 1500})
    assert second.endswith(f"{words}, about 25m00s, about 52 calls" if sizes else words)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0s"), (59, "59s"), (192, "3m12s"), (3599.6, "1h00m"), (7380, "2h03m"), (-3, "0s")]
)
def test_how_long(seconds: float, words: str) -> None:
    assert lasted(seconds) == words


def test_the_short_name_of_an_image() -> None:
    gallery = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/a/images/web/versions/1.2.3"
    assert [short_image(one) for one in ("a:b:c:1.2", gallery, "https://x/y/web.vhd", "", "odd")] == [
        "1.2",
        "1.2.3",
        "web.vhd",
        "",
        "odd",
    ]


def test_what_is_not_of_the_schema_says_nothing() -> None:
    assert lines({"event": "planned"}) == lines({"event": "ended"}) == lines({}) == lines(event("unknown")) == []
    assert plain_lines.clock(None) == "--:--:--"
