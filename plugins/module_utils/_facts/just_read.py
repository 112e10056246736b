# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one step of a rollout has read at its end, and the next one, at once after it, need not read again."""

from __future__ import annotations

from dataclasses import dataclass

from .scale_set import ImageFacts, Instance, ScaleSet

_JUST = 1.0  # seconds within which what was read is still what is


@dataclass(frozen=True)
class JustRead:
    """`at`: when, by the clock of this run. None is what that step has not read."""

    at: float
    scale_set: ScaleSet | None = None
    instances: tuple[Instance, ...] | None = None
    image: ImageFacts | None = None

    def now(self, now: float) -> JustRead:
        """All of it, or nothing where it is older."""
        return self if now - self.at <= _JUST else JustRead(now)
