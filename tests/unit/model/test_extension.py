# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._model import extension
from ansible_collections.steady.vmss.plugins.module_utils._options import ExtensionRequest

from ..asking import request
from ..refusals import refused

STORED = {
    "name": "boot",
    "properties": {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "forceUpdateTag": "may",
        "settings": {"timestamp": 1, "skipDos2Unix": True},
    },
}
BEFORE = extension.current(STORED)


def options(**given: Any) -> dict[str, Any]:
    return {"extension": "boot", "settings": None, "protected_settings": None, "force_update_tag": None, **given}


def test_what_is_not_given_stays() -> None:
    after = extension.merged(
        BEFORE, request(ExtensionRequest, options(settings={"timestamp": 2}, force_update_tag="june"))
    )
    assert BEFORE is not None
    assert after == {**BEFORE, "settings": {"timestamp": 2, "skipDos2Unix": True}, "force_update_tag": "june"}
    assert extension.merged(BEFORE, request(ExtensionRequest, options())) == BEFORE


def test_nothing_given_of_an_extension_is_refused() -> None:
    for nothing in (options(), options(settings={}), options(protected_settings={})):
        with refused("nothing_asked", "extension boot"):
            extension.refuse_nothing(request(ExtensionRequest, nothing))
        extension.refuse_nothing(request(ExtensionRequest, {**nothing, "state": "absent"}))
    for given in ({"force_update_tag": "june"}, {"auto_upgrade_minor_version": False}, {"settings": {"a": 1}}):
        extension.refuse_nothing(request(ExtensionRequest, options(**given)))


def test_only_what_is_given_is_written_with_the_settings_whole() -> None:
    given = options(settings={"timestamp": 2}, protected_settings={"secret": "s"})
    after = extension.merged(BEFORE, request(ExtensionRequest, given))
    assert extension.document(after, request(ExtensionRequest, given), protected=True)["properties"] == {
        "settings": {"timestamp": 2, "skipDos2Unix": True},
        "protectedSettings": {"secret": "s"},
    }
    assert (
        "protectedSettings"
        not in extension.document(after, request(ExtensionRequest, given), protected=False)["properties"]
    )


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({}, False),
        ({"protected_settings": {}}, False),
        ({"force_update_tag": "june"}, False),
        ({"protected_settings": {"a": "b"}}, True),
        ({"protected_settings": {"a": "b"}, "force_update_tag": "june"}, True),
        ({"protected_settings": {"a": "b"}, "force_update_tag": "may"}, False),
    ],
)
def test_protected_settings_are_written_unless_the_tag_says_they_are_there(
    given: dict[str, Any], written: bool
) -> None:
    assert extension.writes_protected(BEFORE, request(ExtensionRequest, options(**given))) is written


def test_a_new_extension_says_what_it_is() -> None:
    with refused("extension_incomplete", "type, type_handler_version"):
        extension.merged(None, request(ExtensionRequest, options(publisher="p")))
    full = options(publisher="p", type="t", type_handler_version="1.0", protected_settings={"a": "b"})
    assert extension.merged(None, request(ExtensionRequest, full))["type"] == "t"
    assert extension.writes_protected(None, request(ExtensionRequest, {**full, "force_update_tag": "any"}))
