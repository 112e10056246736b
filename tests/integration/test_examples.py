# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example template describes a scale set that automatic upgrades find nothing missing of."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import harness
import scenes
from scenes import GROUP, StartSimulator

FOLDER = harness.CHECKOUT / "examples" / "automatic_upgrades"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
GIVEN = {"adminPublicKey": "ssh-ed25519 AAAA test"}
TOKEN = re.compile(r"\s*(?:'(?P<text>[^']*)'|(?P<name>\w+)|(?P<mark>[(),.]))")


class Template:
    """An ARM template with its expressions worked out, as far as the examples use them."""

    def __init__(self, document: dict[str, Any], given: dict[str, Any]) -> None:
        defaults = {name: one["defaultValue"] for name, one in document["parameters"].items() if "defaultValue" in one}
        self._document, self._given = document, {**defaults, **given}
        missing = set(document["parameters"]) - set(self._given)
        assert not missing, f"parameters without a value: {missing}"

    def resource(self, kind: str) -> dict[str, Any]:
        (found,) = [one for one in self._document["resources"] if one["type"] == kind]
        resolved: dict[str, Any] = self.resolved(found)
        return resolved

    def resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.resolved(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if isinstance(value, str) and value.startswith("["):
            return self._expression(list(TOKEN.finditer(value[1:-1])))
        return value

    def _expression(self, tokens: list[re.Match[str]]) -> Any:
        token = tokens.pop(0)
        if token["text"] is not None:
            return token["text"]
        assert tokens.pop(0)["mark"] == "("
        arguments = []
        while tokens[0]["mark"] != ")":
            if tokens[0]["mark"] == ",":
                tokens.pop(0)
            arguments.append(self._expression(tokens))
        tokens.pop(0)
        result = getattr(self, f"_{token['name'].lower()}")(*arguments)
        while tokens and tokens[0]["mark"] == ".":
            result = result[tokens[1]["name"]]
            del tokens[:2]
        return result

    def _parameters(self, name: str) -> Any:
        return self.resolved(self._given[name])

    def _variables(self, name: str) -> Any:
        return self.resolved(self._document["variables"][name])

    def _format(self, text: str, *values: Any) -> str:
        return text.format(*values)

    def _base64(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    def _resourcegroup(self) -> dict[str, str]:
        return {"location": "westeurope"}

    def _resourceid(self, kind: str, *names: str) -> str:
        provider, *kinds = kind.split("/")
        path = "/".join(f"{one}/{name}" for one, name in zip(kinds, names, strict=True))
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{provider}/{path}"


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "main.json").read_text(encoding="utf-8"))
    return found


def test_nothing_is_missing_of_the_example(simulator: StartSimulator) -> None:
    made = Template(document(), GIVEN).resource("Microsoft.Compute/virtualMachineScaleSets")
    image = made["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
    off = copy.deepcopy(made["properties"])
    off["upgradePolicy"]["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] = False
    plain = {"resource_group": GROUP, "capacity": made["sku"]["capacity"], "health": "none", "image": image}
    sets = [{**plain, "name": "web", "properties": made["properties"]}, {**plain, "name": "off", "properties": off}]
    series = {name: image[name] for name in ("publisher", "offer", "sku")}
    sim = simulator({"images": {"platform": [{**series, "versions": ["22.04.1"]}]}, "scale_sets": sets}, 60)

    enable = {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
    as_it_is = scenes.module(sim, "upgrade_policy", args={**enable, "name": "web"}, check=True)
    assert not as_it_is["changed"] and not as_it_is["failed"] and as_it_is["findings"] == [], as_it_is
    turned_on = scenes.module(sim, "upgrade_policy", args={**enable, "name": "off"})
    assert turned_on["changed"] and not turned_on["failed"] and turned_on["findings"] == [], turned_on
    assert as_it_is["after"] == turned_on["after"]


def test_both_forms_of_the_example_say_the_same() -> None:
    bicep = (FOLDER / "main.bicep").read_text(encoding="utf-8")
    template = document()
    listed = [f"{one['type']}@{one['apiVersion']}" for one in template["resources"]]
    assert re.findall(r"^resource \w+ '([^']+)'", bicep, re.MULTILINE) == listed
    assert re.findall(r"^param (\w+) ", bicep, re.MULTILINE) == list(template["parameters"])
    said = [*members(template["resources"]), *members(template["parameters"])]
    lines = re.findall(r"^\s*(?:param )?(\w+)(?: \w+ =|:) (?:'([^'$]*)'|(\d+|true|false))$", bicep, re.MULTILINE)
    assert sorted((name, text or word) for name, text, word in lines) == sorted(said)


def members(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The plain values, each with its name: those that both forms write alike."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "defaultValue":
                yield from members(item, name)
            elif key not in ("type", "apiVersion", "metadata", "dependsOn") or name == "properties":
                yield from members(item, key)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                yield from members(item, name)
    elif not (isinstance(value, str) and value.startswith("[")):
        yield name, value if isinstance(value, str) else json.dumps(value)
