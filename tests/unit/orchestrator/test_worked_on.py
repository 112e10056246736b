# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instances an upgrade of Azure's own has worked on, and which were down for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import PastUpgrade, RollingUpgrade
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.observation import EXTENSIONS, OS
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.rolling_upgrade import CANCELLED, COMPLETED

from ..orchestrated import NEW, OLD, T0, UNHEALTHY, Azure, drive, fleet, instance, outcomes


def test_an_upgrade_that_no_list_has_caught_in_the_act_made_one_unavailable_all_the_same() -> None:
    assert drive(Azure(fleet(1))).report.max_unavailable_seen == 1
    assert drive(Azure(fleet(1, version="2.0.0"))).report.max_unavailable_seen == 0

    class Counting(Azure):
        def show(self) -> RollingUpgrade | None:
            found = super().show()
            return found and replace(found, counts={**found.counts, "in_progress": 2 if found.running else 0})

    assert drive(Counting(fleet(10))).report.max_unavailable_seen == 2


class Busy(Azure):
    """Somebody's upgrade to `target` has three instances in progress until T0 + 100, and changes none."""

    def advance(self, to: float) -> None:
        self.now = max(self.now, to)
        code = "Completed" if self.now > T0 + 100 else "RollingForward"
        self.latest = RollingUpgrade(
            code, T0 - 10, {"in_progress": 3} if code == "RollingForward" else {"successful": 3}
        )
        past = PastUpgrade(code, T0 - 10, None, {}, "User", self.target)
        self.history = [past] if self.kind == OS else []


def busy(version: str = "1.0.0", **members: Any) -> Busy:
    azure = Busy({i: replace(one, os_disk=f"{i}-old") for i, one in fleet(3, version=version).items()}, **members)
    azure.advance(T0)
    return azure


@pytest.mark.parametrize("wanted", [COMPLETED, CANCELLED])
@pytest.mark.parametrize(
    ("version", "most"), [("1.0.0", 3), ("2.0.0", 0), ("mixed", 1)], ids=["all work", "no work", "two ran it before"]
)
def test_what_azure_counts_as_in_progress_and_has_nothing_to_do_is_not_unavailable(
    wanted: str, version: str, most: int
) -> None:
    azure = busy("1.0.0" if version == "mixed" else version)
    if version == "mixed":
        azure.instances |= {"0": instance(0, "2.0.0"), "1": instance(1, "2.0.0")}
    assert drive(azure, wanted, history=azure.history).report.max_unavailable_seen == most


def test_what_azure_counts_is_unavailable_only_in_an_os_upgrade_to_what_is_asked_for() -> None:
    for azure in (busy(kind=EXTENSIONS), busy(target=OLD)):
        assert drive(azure, CANCELLED, history=azure.history).report.max_unavailable_seen == 0
    assert drive(busy(), CANCELLED).report.max_unavailable_seen == 0, "the history may not be read"


@pytest.mark.parametrize("listed_before", [True, False])
@pytest.mark.parametrize("works", [True, False], ids=["it works on one", "it works on none"])
def test_what_another_client_upgrades_before_azure_starts_is_not_the_upgrades_work(
    works: bool, listed_before: bool
) -> None:
    """Azure starts by itself at T0 + 900 and stops at once, or upgrades 2 first; another client upgraded 1 before."""
    began, upgraded_at = T0 + 900, T0 + (100 if listed_before else 850)

    class Meanwhile(Azure):
        def advance(self, to: float) -> None:
            self.now = max(self.now, to)
            disk = upgraded_at if works else T0 - 9000  # where it worked on none Azure's counts tell, not the disk
            if self.now >= upgraded_at:
                self.instances["1"] = instance(1, "2.0.0", os_disk_time=disk)
                self.instances["3"] = replace(self.instances["3"], provisioning="Failed")
            if self.now >= began:
                if works:
                    self.instances["2"] = instance(2, "2.0.0", os_disk_time=began + 10)
                counts = {"successful": int(works), "failed": 0, "in_progress": 0, "pending": 4 - works}
                why = UNHEALTHY if works else replace(UNHEALTHY, code="X", message="too many were unhealthy before it")
                self.latest = RollingUpgrade("Faulted", began, counts, why)
                self.history = [PastUpgrade("Faulted", began, began + 1, counts, "Platform", NEW, why)]

    azure = Meanwhile(fleet(4, os_disk_time=T0 - 9000))
    run = drive(azure, start=10800)
    ours = ["2"] if works else []
    assert run.report.outcome == "stopped"
    assert outcomes(run).get("upgraded", []) == ours and "1" not in run.report.instances
    assert [i for batch in run.report.batches for i in batch.instance_ids] == ours
    assert [i for group in run.watch.put_back(run.report.instances) for i in group["all"]] == ours
    assert works or outcomes(run) == {"not_started": ["0", "2", "3"]}
