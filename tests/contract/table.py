"""The committed table of shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from . import shapes

TABLE: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "shapes.yml").read_text())


def entry(name: str) -> dict[str, Any]:
    return next(entry for entry in TABLE if entry["name"] == name)


def served(name: str) -> dict[str, str]:
    """The shape of the body that the simulator answers with: the recorded one without what it is known to leave out."""
    exchange = entry(name)
    expected = shapes.flat(exchange["members"])
    kept = shapes.uncovered({("missing", path) for path in expected}, exchange.get("differences", []))
    return {path: expected[path] for _kind, path in kept}
