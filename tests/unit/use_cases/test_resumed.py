# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout that was killed and is run again: what the earlier run started is seen to its end before it is claimed."""

from __future__ import annotations

import pytest

from ..play import NEW, Play
from .test_between import disks, kept, play, simulated, versions


@pytest.mark.parametrize("broken", [True, False])
def test_the_last_batch_is_not_finished_by_a_health_of_the_old_disk(broken: bool) -> None:
    """The new disk is there, Azure says Succeeded, and shows for a while what it showed of the disk before."""
    azure = simulated(1, knobs={"health_linger": 60, "health_lag": 90})
    if broken:
        azure.fault(kind="unhealthy", image_version=NEW)
    run = Play(azure, azure.options)
    run.rolls = False
    run.run()
    azure.do(do="upgrade", instances=["0"])  # what the killed run had sent
    while versions(azure) != {NEW} or azure.state()["instances"]["0"]["provisioning"] != "Succeeded":
        azure.sleep(1)
    again = play(azure)
    found = kept(azure)
    assert found is not None and disks(azure) == 1
    if broken:
        assert (again.outcome, again.codes, found.state) == ("stopped", {"instances_failed"}, "stopped"), again.why
    else:
        assert (again.outcome, found.state) == ("upgraded", "finished")
        assert azure.metrics()["scale_sets"]["web"]["unavailable"]["now"] == 0, "it has waited for the health"
