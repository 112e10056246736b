# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a principal may do somewhere, as Azure's roles say it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """One role of the principal's: patterns of actions, in which * stands for any text."""

    actions: t.Sequence[str]
    not_actions: t.Sequence[str] = ()

    def allows(self, action: str) -> bool:
        return _matches(self.actions, action) and not _matches(self.not_actions, action)


@dataclass(frozen=True)
class Permissions:
    """All that its roles allow together. `not_known`: why the list may lack some, "" where it is whole."""

    grants: t.Sequence[Grant] = ()
    not_known: str = ""

    def allows(self, action: str) -> bool:
        return any(grant.allows(action) for grant in self.grants)


def _matches(patterns: t.Sequence[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns
    )
