# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers and percents of instances: max_unavailable, batch_size, canary."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .problems import Refused


@dataclass(frozen=True)
class Limit:
    """A number of instances, or a percent of those there are now."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """Percents are rounded down, and never below 1: Azure's rolling upgrade counts the same way."""
        return max(1, total * self.number // 100) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number} %" if self.percent else str(self.number)


def parse_limit(value: object, name: str, *, least: int = 1) -> Limit | None:
    """As `read_limit` reads it; None where the value is unset ("" or None)."""
    return None if value is None or value == "" else read_limit(value, name, least=least)


def read_limit(value: object, name: str, *, least: int = 1) -> Limit:
    """Read 3, "3" or "20%". Raises Refused."""
    text = str(value).strip()
    found = re.fullmatch(r"(\d+)\s*(%?)", text)
    if not found or isinstance(value, bool):
        raise Refused("option_invalid", f"{name} '{text}' is neither a number of instances (2) nor a percent ('20%').")
    limit = Limit(int(found[1]), bool(found[2]))
    if limit.number < least:
        raise Refused("option_invalid", f"{name} '{text}' would never let an instance be upgraded; the least is 1.")
    if limit.percent and limit.number > 100:
        raise Refused("option_invalid", f"{name} '{text}' is more than all instances; the most is '100%'.")
    return limit
