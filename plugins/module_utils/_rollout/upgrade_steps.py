# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine of the batches asks for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._facts.report import Outcome

Request = t.Literal["upgrade", "reimage", "start"]
UPGRADE: t.Final = "upgrade"
REIMAGE: t.Final = "reimage"
START: t.Final = "start"


class Step:
    """What the machine asks for: Look, Poll, Send or Finished."""


@dataclass(frozen=True)
class Look(Step):
    """Read the instances at this time; with `model`, the scale set too."""

    at: float
    model: bool = False


@dataclass(frozen=True)
class Poll(Step):
    """Read the operation at this time."""

    at: float


@dataclass(frozen=True)
class Send(Step):
    """Ask Azure to upgrade, reimage or start exactly these instances."""

    kind: Request
    instance_ids: tuple[str, ...]


@dataclass(frozen=True)
class Finished(Step):
    outcome: Outcome | None
