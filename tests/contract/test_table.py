"""The committed table says what the recordings say. Runs where the reference material lies beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import shapes
from .table import TABLE

REFERENCE = Path(__file__).parents[3] / "shared" / "azure"


needs_reference = pytest.mark.skipif(
    not (REFERENCE / "samples").is_dir(),
    reason=f"no recordings at {REFERENCE.parent.name}/{REFERENCE.name} beside the project",
)


def recorded(entry: dict[str, Any]) -> dict[str, Any]:
    """The exchange an entry was derived from."""
    if "sample" in entry:
        sample: dict[str, Any] = json.loads((REFERENCE / "samples" / f"{entry['sample']}.json").read_text())
        return sample
    cassette = yaml.load((REFERENCE / "recordings" / entry["recording"]).read_text(), yaml.CSafeLoader)
    interaction = cassette["interactions"][entry["interaction"]]
    request, response = interaction["request"], interaction["response"]
    return {
        "request": {**{key: request[key] for key in ("method", "uri")}, "body": json.loads(request["body"] or "null")},
        "response": {
            "status": response["status"]["code"],
            "headers": {name: values[0] for name, values in response["headers"].items()},
            "body": json.loads(response["body"]["string"] or "null"),
        },
    }


@needs_reference
@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["name"])
def test_entry_says_what_was_recorded(entry: dict[str, Any]) -> None:
    expected = shapes.exchange_of(recorded(entry))
    said: dict[str, Any] = {key: entry[key] for key in ("request", "status", "headers", "words") if key in entry}
    if "body" in said["request"]:
        said["request"] = {**said["request"], "body": shapes.flat(said["request"]["body"])}
    if "members" in entry:
        said["members"] = shapes.flat(entry["members"])
    assert said == expected


@needs_reference
def test_every_sample_has_an_entry() -> None:
    samples = {path.stem for path in (REFERENCE / "samples").glob("*.json")}
    assert samples == {entry["sample"] for entry in TABLE if "sample" in entry}


def test_table_is_well_formed() -> None:
    """On a fresh clone too: names are unique, and every difference says what it is and why."""
    assert len({entry["name"] for entry in TABLE}) == len(TABLE)
    assert sum("sample" in entry for entry in TABLE) == 27
    for entry in TABLE:
        assert {"name", "request", "status", "headers"} <= entry.keys(), entry["name"]
        for difference in entry.get("differences", []):
            kinds = difference.keys() - {"reason"}
            assert len(kinds) == 1 and kinds <= {"missing", "extra", "form", "header"} and difference["reason"], entry[
                "name"
            ]
