"""The simulator sends no member that the newest SDK's schema does not know, and none of another type.

Runs where the reference material lies beside the project; elsewhere the table of shapes stands for it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .arm import Arm

SCHEMA = Path(__file__).parents[3] / "shared" / "azure" / "spec" / "sdk-39-models.json"
pytestmark = pytest.mark.skipif(not SCHEMA.is_file(), reason="no schema of the SDK at shared/azure beside the project")

SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "datetime": (str,),
}


def problems(model: str, document: Any, path: str, models: dict[str, Any]) -> list[str]:
    """What in `document` is unknown to `model`, or of another type."""
    if not isinstance(document, dict):
        return [f"{path}: {type(document).__name__} instead of {model}"]
    found: list[str] = []
    for name, value in document.items():
        member, where = models[model].get(name), f"{path}.{name}"
        if member is None:
            found.append(f"{where}: unknown to {model}")
            continue
        words = re.findall(r"\w+", member["type"])
        below = next((word for word in words if word in models), None)
        items = value if "list" in words and isinstance(value, list) else [value]
        if "list" in words and not isinstance(value, list):
            found.append(f"{where}: {type(value).__name__} instead of a list")
        elif "dict" in words or "Any" in words:
            continue
        elif below:
            found += [problem for item in items for problem in problems(below, item, where, models)]
        else:
            allowed = tuple(kind for word in words for kind in SCALARS.get(word, ()))
            # Flexible sets list `zones: [null]`.
            found += [
                f"{where}: {item!r} instead of {member['type']}"
                for item in items
                if allowed and (item is not None or not isinstance(value, list)) and type(item) not in allowed
            ]
    return found


def test_every_member_of_a_rolling_upgrade_is_known(simulator: Arm) -> None:
    models = json.loads(SCHEMA.read_text())["models"]
    path = simulator.scale_set("known-to-the-sdk")
    simulator.finish(simulator.call("POST", f"{path}/osRollingUpgrade"))
    found = problems(
        "RollingUpgradeStatusInfo", simulator.call("GET", f"{path}/rollingUpgrades/latest").json(), "", models
    )
    (upgrade,) = simulator.call("GET", f"{path}/osUpgradeHistory").json()["value"]
    # The recorded name of the time at which it ended, which the SDK expects as endTime.
    upgrade["properties"]["runningStatus"].pop("completedTime")
    found += problems("UpgradeOperationHistoricalStatusInfo", upgrade, "history", models)
    assert not found


@pytest.mark.parametrize("name", ["linux", "windows", "monitored", "patched", "flexible"])
def test_every_member_is_known(simulator: Arm, name: str) -> None:
    models = json.loads(SCHEMA.read_text())["models"]
    path = simulator.scale_set(name)
    listed = "$expand=instanceView"
    found = problems("VirtualMachineScaleSet", simulator.call("GET", path).json(), name, models)
    for item in simulator.call("GET", f"{path}/virtualMachines?{listed}").json()["value"]:
        found += problems("VirtualMachineScaleSetVM", item, f"{name}[]", models)
    if name != "flexible":
        view = simulator.call("GET", f"{path}/instanceView").json()
        found += problems("VirtualMachineScaleSetInstanceView", view, f"{name}.instanceView", models)
    assert not found
