# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One finding of the preflight."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .codes import Code

Severity = t.Literal["error", "warning", "info"]
ERROR: t.Final = "error"
WARNING: t.Final = "warning"
INFO: t.Final = "info"


@dataclass(frozen=True)
class Finding:
    """One finding. An error ends the rollout before anything is written."""

    severity: Severity
    code: Code
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_dict(self) -> dict[str, str]:
        """The fields, and `sentence` with message and remedy in one."""
        return {**asdict(self), "sentence": str(self)}
