# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which upgrade of Azure's is which: they have no id, and are known by when they started."""

from __future__ import annotations

import typing as t

from .._facts.scale_set import PastUpgrade, RollingUpgrade

_SAME = 1.0  # seconds by which two writings of one time may differ


def entry_of(history: t.Iterable[PastUpgrade], started: float | None) -> PastUpgrade | None:
    """The history's entry of the upgrade that started then."""
    return next(
        (
            one
            for one in history
            if started is not None and one.started is not None and abs(one.started - started) <= _SAME
        ),
        None,
    )


def started_at(upgrade: RollingUpgrade, started: float | None) -> bool:
    return started is not None and upgrade.started is not None and abs(upgrade.started - started) <= _SAME
