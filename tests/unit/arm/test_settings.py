# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where each value of a sign-in is taken from."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.credentials import VARIABLES, Settings, read_settings
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import CredentialError
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

from ..asking import request
from .test_credentials import profile

VALUES = ("subscription_id", "cloud_environment", "client_id", "secret", "tenant")
PLACES = ("options", "work", "variables", "default", "cli")
NAMES = {name: VARIABLES[name][0] for name in VALUES}


def placed(home: Path, places: dict[str, set[str]]) -> Settings:
    """What is read where each place gives these values, each with the place's name in it."""
    options: dict[str, str] = {name: f"options-{name}" for name in places.get("options", ())}
    environment = {NAMES[name]: f"variables-{name}" for name in places.get("variables", ())}
    for section in ("work", "default"):
        if section in places:
            profile(home, section, **{name: f"{section}-{name}" for name in places[section]})
    if "work" in places:
        options["profile"] = "work"
    if "cli" in places:
        chosen = {"subscriptions": [{"id": "cli-subscription_id", "isDefault": True}]}
        (home / ".azure" / "azureProfile.json").write_text(json.dumps(chosen), "utf-8-sig")
    return read_settings(request(ConnectionOptions, options), {"HOME": str(home), **environment})


@pytest.mark.parametrize("here", list(product([False, True], repeat=5)), ids=str)
def test_each_value_comes_from_the_first_place_that_has_it(home: Path, here: tuple[bool, ...]) -> None:
    """Every set of places that give everything, but the CLI, which knows the subscription only."""
    there = [place for place, is_there in zip(PLACES, here, strict=True) if is_there]
    found = placed(home, {place: set(VALUES) for place in there})
    # A profile that was named takes the place of the profile "default".
    order = [place for place in there if not (place == "default" and "work" in there)]
    for name in VALUES:
        able = [place for place in order if place != "cli" or name == "subscription_id"]
        assert getattr(found, name) == (f"{able[0]}-{name}" if able else ""), name


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", PLACES[:4])
def test_one_value_in_one_place_and_all_in_another(home: Path, name: str, place: str) -> None:
    """A principal's values are never mixed; the others are taken one by one, in the same order."""
    others = [other for other in PLACES[:4] if other != place and {place, other} != {"work", "default"}]
    for other in others:
        (home / ".azure" / "credentials").unlink(missing_ok=True)
        first = PLACES.index(place) < PLACES.index(other)
        said = ""
        try:
            found = placed(home, {place: {name}, other: set(VALUES)})
        except CredentialError as error:
            said = str(error)
        if said:
            assert first and name in ("client_id", "tenant"), (place, other, said)
            assert "\n" not in said and "in one place" in said
            continue
        principal = {getattr(found, one).partition("-")[0] for one in ("client_id", "secret", "tenant")} - {""}
        assert len(principal) == 1, (place, other, found)
        if name in ("subscription_id", "cloud_environment"):
            assert getattr(found, name) == f"{place if first else other}-{name}"
            assert principal == {other}
