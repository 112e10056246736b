# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which upgrade of Azure's is which: they have no id, and are known by when they started."""

from __future__ import annotations

import typing as t

from .._facts import images
from .._facts.images import Image
from .._facts.scale_set import ROLLING, PastUpgrade, RollingUpgrade
from .observation import EXTENSIONS, OS

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


def was_over(upgrade: RollingUpgrade | None, first: RollingUpgrade | None) -> bool:
    """Whether it had ended by the look that showed `first` as the latest: Azure runs one at a time."""
    if upgrade is None or first is None or upgrade.started is None or first.started is None:
        return False
    return not first.running if started_at(upgrade, first.started) else upgrade.started < first.started


def kind_of(entry: PastUpgrade | None, upgrade_mode: str) -> str | None:
    """The kind of an upgrade by the history's entry of it: the history has OS upgrades only. None where it is unknown.

    In mode Rolling a write runs an upgrade of whatever it has changed; whether the history has those is unverified.
    """
    if entry is not None:
        return OS
    return None if upgrade_mode == ROLLING else EXTENSIONS


def is_to_another_image(entry: PastUpgrade, wanted: Image | None) -> bool:
    """Whether it was to something older than what is wanted, or to another series."""
    ran = entry.target
    if ran is None or ran.follows_latest or wanted is None:
        return False
    mine, ours = (images.version_key(i.version or i.gallery_version) for i in (ran, wanted))
    return mine < ours or not images.same_series(ran, wanted)
