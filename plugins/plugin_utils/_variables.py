# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of variables, however a survey, `-e` or a playbook gives them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import fields

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.vmss.plugins.module_utils import _options

_NO_VARIABLES = {*(one.name for one in fields(_options.ConnectionOptions)), *_options.BETWEEN_CALLS, "going_back"}
_PLACE = ("resource_group", "name")
_OF_A_WAY_BACK = ("image", "instance_ids")


def listed(value: object) -> list[str]:
    """A list however it was given: a list, JSON text, text with commas or blanks, or nothing."""
    if value is None or value == "":
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise AnsibleFilterError(f"'{value}' looks like a JSON list and is not valid: {exc}") from exc
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [str(item).strip() for item in value if str(item).strip()]


def options_of(
    module: str,
    value_of: t.Callable[[str], t.Any],
    *,
    prefix: str = "rollout",
    only: t.Sequence[str] = (),
    back: bool = False,
    chosen: bool = False,
) -> dict[str, t.Any]:
    """The options of a module that variables give, as the lookup `options` says. `value_of`: "" for what is not set."""
    module, _dot, part = module.partition(".")
    spec = _options.argument_spec(_options.request_of(module))
    found: dict[str, t.Any] = {name: True for name, on in (("back", back), ("chosen", chosen)) if on}
    for option, kind in (spec[part]["options"] if part else spec).items():
        if option in _NO_VARIABLES or (only and option not in only) or (back and option in _options.BACK):
            continue
        if option in _PLACE:
            value = _place(option, value_of, "rollback" if back else prefix)
        else:
            value = value_of(f"{'rollback' if back and option in _OF_A_WAY_BACK else prefix}_{option}")
        if kind["type"] == "list":
            value = listed(value)
        elif kind["type"] == "str" and value is not None:
            value = str(value)
        if value not in ("", None, []) or option in _PLACE:
            found[option] = value
    return found


def _place(option: str, value_of: t.Callable[[str], t.Any], old_prefix: str) -> t.Any:
    """By the name that it has for all; the old one, with a prefix of its own, counts where that is unset."""
    variable = "scale_set" if option == "name" else option
    value = value_of(f"rollout_{variable}")
    return value_of(f"{old_prefix}_{variable}") if value in ("", None) and old_prefix != "rollout" else value
