# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of variables, however a survey, `-e` or a playbook gives them."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError


def listed(value: object) -> list[str]:
    """A list however it was given: a list, JSON text, text with commas, or nothing."""
    if value is None or value == "":
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise AnsibleFilterError(f"'{value}' starts like a JSON list and is none: {exc}") from exc
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [str(item).strip() for item in value if str(item).strip()]
