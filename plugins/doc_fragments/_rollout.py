# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say which instances, how many at once, and in which order."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  instance_ids:
    description:
      - Instances to take part, by Azure's instance id (a number in Uniform orchestration, the VM's name in Flexible).
      - Empty means all. This and the other choices narrow each other.
    type: list
    elements: str
    default: []
  update_domains:
    description: Update domains to take part, by number. Empty means all.
    type: list
    elements: str
    default: []
  fault_domains:
    description: Fault domains to take part, by number. Empty means all.
    type: list
    elements: str
    default: []
  zones:
    description: Availability zones to take part. Empty means all.
    type: list
    elements: str
    default: []
  max_unavailable:
    description:
      - The most instances of the whole scale set that may be unavailable at once, those included that already were.
      - A number, or a percent of the instances there are now, rounded down and at least 1.
    type: str
    default: 20%
  batch_size:
    description:
      - The most instances that are upgraded together, as a number or a percent of the instances there are now.
      - A list gives the size of the first batch, the second, and so on, the last one holding for the rest, as in
        V([1, 10%, 50%]).
      - O(max_unavailable) and the domain may make a batch smaller. Empty means as many as they allow.
    type: list
    elements: str
    default: []
  canary:
    description:
      - The size of the first batch, which proves the image on this scale set. V(0) turns it off.
      - Unset means 1 on scale sets of five instances or more, otherwise none.
      - Instances that already run the target image and are available count as proof.
    type: int
  max_unhealthy:
    description:
      - The most instances of the whole scale set that may be unhealthy before a batch, as a number or a percent of
        those there are now. A percent is rounded down, but one instance may always be, and never all unless it is
        V(100%).
      - Instances that Azure is creating or changing, and those whose health is C(initializing), are not judged.
    type: str
    default: 20%
  max_unhealthy_upgraded:
    description:
      - The most instances that may fail among those that the rollout has upgraded, as a number or a percent of them,
        rounded down. Those that fail within it are not changed, the rest is upgraded, and the rollout ends as a failure
        that names them.
    type: str
    default: "0"
  include_deallocated:
    description:
      - Whether deallocated instances are upgraded too.
      - They are skipped otherwise, and count as neither available nor unavailable.
    type: bool
    default: false
  downgrade:
    description: Whether instances that run a newer version than the target get the target, as a rollback needs.
    type: bool
    default: false
  busy:
    description:
      - What becomes of instances that another client is changing, or has stopped without deallocating them.
      - V(wait) waits for those that are changed, and upgrades stopped ones first, as everything that is unavailable.
      - V(skip) skips both, and comes back to them when all others are upgraded. What is still being changed
        C(health_timeout) seconds later, or still stopped, is named and left for the next run; the rollout succeeds
        without it, and its record stays open.
      - Either way they count for O(max_unavailable) and O(max_unhealthy). An instance that shows a change which this
        rollout itself may have started, in this run or another one, is always waited for.
    type: str
    choices: [wait, skip]
    default: wait
  order_by:
    description:
      - What is upgraded one after the other.
      - V(domain) is zone after zone and within a zone update domain after update domain; fault domains where there are
        no update domains.
      - V(fault_domain) is zone after zone, fault domain after fault domain. V(zone) is zone after zone. V(none)
        mixes all.
    type: str
    default: domain
    choices: [domain, fault_domain, zone, none]
"""

    SCALE_SET = r"""
options:
  resource_group:
    description: The resource group of the scale set.
    type: str
    required: true
  name:
    description: The scale set's name.
    type: str
    required: true
"""

    AZURE_MAY_UPGRADE = r"""
options:
  azure_may_upgrade:
    description:
      - Whether Azure may bring instances to the model because of this write, as it does outside of upgrade mode
        V(Manual), in mode V(Automatic) all at once and in mode V(Rolling) in batches. Otherwise the write is refused
        unless every instance is proven to have the model. A warning says how many instances it is about, in check mode
        too.
      - In Flexible orchestration Azure does not show whether an instance has the newest model, so this is always needed
        there for another mode than V(Manual).
    type: bool
    default: false
"""

    HEALTH_LAG = r"""
options:
  health_lag:
    description:
      - How long a health state from before the upgrade may linger, in seconds. Health that cannot be shown to be newer
        than the upgrade must hold for so long.
    type: float
    default: 120
"""

    PATIENCE = r"""
options:
  healthy_for:
    description: How long an instance must stay available before it counts as upgraded, in seconds.
    type: float
    default: 0
  health_timeout:
    description: How long an upgraded instance may take to become available, in seconds.
    type: float
    default: 300
  upgrade_timeout:
    description: How long Azure may take to upgrade a batch, in seconds.
    type: float
    default: 3600
  version_lag:
    description: How long Azure may show the old version after an upgrade, in seconds, before the instance is reimaged.
    type: float
    default: 120
"""
