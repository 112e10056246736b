# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine of Azure's upgrades asks for, how long it waits, and what an earlier look has shown."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts.report import Outcome
from .._options import RollingUpgradeRequest


class Step:
    """What the machine asks for: Start, Cancel, Look or Finished."""


@dataclass(frozen=True)
class Start(Step):
    """Ask Azure to start an upgrade, once."""


@dataclass(frozen=True)
class Cancel(Step):
    """Ask Azure to cancel the upgrade that runs, once."""


@dataclass(frozen=True)
class Look(Step):
    """At this time read the latest upgrade, and whatever else is true here."""

    at: float
    instances: bool = False
    scale_set: bool = False
    operation: bool = False
    history: bool = False


@dataclass(frozen=True)
class Finished(Step):
    outcome: Outcome | None  # None while Azure's upgrade goes on


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    `start`: for Azure to start an automatic upgrade by itself, 0 to start one ourselves. `unseen`: for a start that was
    accepted to be shown. `settle`: for the instances to be available after its end. `poll`: between two looks.
    """

    start: float = 0.0
    upgrade: float = RollingUpgradeRequest.timeout
    unseen: float = 300.0
    settle: float = RollingUpgradeRequest.health_timeout
    poll: float = RollingUpgradeRequest.poll_interval

    @property
    def first(self) -> float:
        """Until the first look after a request."""
        return min(self.poll, 10.0)


class Known(t.NamedTuple):
    """When the latest upgrade started that an earlier look has shown; None where it showed none."""

    started: float | None
