# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests as a module makes them of its arguments, so that no test repeats a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ansible_collections.steady.vmss.plugins.module_utils import _options

SET = {"resource_group": "rg", "name": "web"}


def request[R](kind: type[R], arguments: Mapping[str, Any] | None = None, **more: Any) -> R:
    """An option that this kind of request does not have is a TypeError. One scale set that is not named is rg/web."""
    needs_one = issubclass(kind, _options.ScaleSetOptions)
    return _options.parse(kind, {**(SET if needs_one else {}), **(arguments or {}), **more})


def fitting(kind: type[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a play's arguments, which are for several modules, that this kind of request has."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in arguments.items() if name in names}
