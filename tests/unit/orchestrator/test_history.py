# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an upgrade had ended when the first look was taken, by Azure's own times alone."""

from __future__ import annotations

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import RollingUpgrade
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.history import was_over

RUNS, ENDED, FAILED, NO_START = (
    RollingUpgrade("RollingForward", 100.0),
    RollingUpgrade("Completed", 100.0),
    RollingUpgrade("Faulted", 100.4),
    RollingUpgrade("Completed"),
)
LATER, LATER_ENDED = RollingUpgrade("RollingForward", 200.0), RollingUpgrade("Cancelled", 200.0)


@pytest.mark.parametrize(
    ("upgrade", "first", "over"),
    [
        (ENDED, ENDED, True),
        (ENDED, FAILED, True),
        (ENDED, RUNS, False),
        (ENDED, LATER, True),
        (ENDED, LATER_ENDED, True),
        (LATER_ENDED, ENDED, False),
        (LATER_ENDED, RUNS, False),
        (LATER, ENDED, False),
        (ENDED, None, False),
        (None, ENDED, False),
        (NO_START, ENDED, False),
        (ENDED, NO_START, False),
    ],
)
def test_what_was_over(upgrade: RollingUpgrade | None, first: RollingUpgrade | None, over: bool) -> None:
    assert was_over(upgrade, first) is over
