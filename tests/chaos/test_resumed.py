# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of killed and repeated runs sees a target that is given up, and a disk that is replaced for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from draw import NEW, NEWER, OLD
from good_rollout import VERSION, document, instance, write
from resumed import resumed
from world import World

IMAGES = "Canonical:ubuntu-24_04-lts:server:"


def names(time: float, old: str, new: str) -> dict[str, Any]:
    return write(time, {VERSION: [old, new]})


def gets(time: float, key: str, image: str) -> list[dict[str, Any]]:
    """The instance's new disk, with its image where that is another."""
    disk = {"time": time, "what": "os_disk", "instance": key, "to": "disk"}
    return [*([{**disk, "what": "image", "to": IMAGES + image}] if image else []), disk]


def made(time: float, key: str) -> list[dict[str, Any]]:
    return [{"time": time, "what": "exists", "instance": key, "from": False, "to": True}]


FIRST = [*gets(20, "0", NEW), *gets(30, "1", NEW)]
SECOND = [*gets(60, "0", NEWER), *gets(70, "1", NEWER)]
ON, BACK, NEXT = names(10, OLD, NEW), names(40, NEW, OLD), names(50, OLD, NEWER)
CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]], list[str]]] = [
    ("finished", [ON], FIRST, []),
    ("finished, and the next one", [ON, names(50, NEW, NEWER)], FIRST + SECOND, []),
    ("given up", [ON, names(50, NEW, NEWER)], FIRST[:2] + SECOND, [f"{NEW} was given up for {NEWER}, and ['1']"]),
    ("put back, and begun anew", [ON, BACK, NEXT], FIRST[:2] + SECOND, []),
    ("never begun", [NEXT], SECOND, []),
    ("one more, of the target", [ON, names(50, NEW, NEWER)], FIRST + made(35, "2") + SECOND + gets(80, "2", NEWER), []),
    (
        "one more, of the old image",
        [ON, names(50, NEW, NEWER)],
        made(5, "2") + FIRST + SECOND + gets(80, "2", NEWER),
        [f"{NEW} was given up for {NEWER}, and ['2']"],
    ),
    ("twice", [ON], FIRST + gets(40, "1", ""), ["instance 1 got a new disk and no new image"]),
    (
        "what was made of the target",
        [ON],
        FIRST + made(35, "2") + gets(40, "2", ""),
        ["instance 2 got a new disk and no new image"],
    ),
]


@pytest.mark.parametrize(
    ("written", "timeline", "said"), [one[1:] for one in CASES], ids=[name for name, *_rest in CASES]
)
def test_what_is_found(written: list[dict[str, Any]], timeline: list[dict[str, Any]], said: list[str]) -> None:
    before, after = (
        World(
            {"instances": {key: instance(OLD, 0) for key in there}, "document": document(OLD)},
            {"model_writes": written},
            timeline,
        )
        for there in ("01", "012")
    )
    found = list(resumed(before, after, stopped=99))
    assert len(found) == len(said) and all(one.startswith(words) for one, words in zip(found, said, strict=True)), found


def test_only_a_run_that_has_stopped_puts_the_model_back() -> None:
    worlds = [
        World(
            {"instances": {key: instance(OLD, 0) for key in "01"}, "document": document(OLD)},
            {"model_writes": written},
            [*FIRST[:2], *SECOND],
        )
        for written in ([], [ON, BACK, NEXT])
    ]
    assert list(resumed(*worlds, stopped=2)) == []
    for stopped in (0, 1):
        assert list(resumed(*worlds, stopped)) == [f"the model was put back to {OLD}, and no run has stopped"]
