#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rolling_upgrade_info
short_description: Azure's latest rolling upgrade of a scale set, and its OS upgrade history
version_added: 1.0.0
description:
  - Tells of the latest rolling upgrade of Azure's own, whoever started it, and of the OS upgrades that Azure remembers.
  - Why one stopped is translated into the threshold, the instance, and what to do next.
  - Azure keeps the last five OS upgrades of two months. Upgrades of extensions are the latest one at most.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._attributes.info_module
  - steady.vmss._rollout.scale_set
options:
  history:
    description: Whether the OS upgrade history is read too.
    type: bool
    default: true
seealso:
  - module: steady.vmss.rolling_upgrade
"""

EXAMPLES = r"""
- name: What did Azure upgrade last night?
  steady.vmss.rolling_upgrade_info:
    resource_group: shop
    name: web
  register: found

- name: Show it
  ansible.builtin.debug:
    var: found.history
"""

RETURN = r"""
latest:
  description: The latest rolling upgrade; null where Azure reports none.
  returned: success
  type: dict
  contains:
    code:
      description: V(RollingForward), V(RollingBack), V(Completed), V(Cancelled) or V(Faulted).
      type: str
    running:
      description: Whether it still runs.
      type: bool
    started:
      description: When it started, RFC 3339, UTC.
      type: str
    last_action:
      description: V(Start) or V(Cancel).
      type: str
    last_action_time:
      description: When that was.
      type: str
    counts:
      description: Azure's counts of C(successful), C(failed), C(in_progress) and C(pending) instances. Successful are
        also those that had nothing to upgrade.
      type: dict
    policy:
      description: The rolling upgrade policy that it runs by, as Azure writes it.
      type: dict
    reason:
      description: Why it stopped; null where Azure reports no error.
      type: dict
      contains:
        code:
          description: Azure's code.
          type: str
        said:
          description: Azure's words.
          type: str
        threshold:
          description: The member of the rolling upgrade policy that was exceeded; empty where none was.
          type: str
        percent:
          description: The percentage that exceeded it.
          type: float
        allowed_percent:
          description: The percentage that is allowed.
          type: float
        instance_id:
          description: The instance that failed first.
          type: str
        cause:
          description: What Azure calls the most impactful error.
          type: str
        meaning:
          description: What that means.
          type: str
        next:
          description: What to do next.
          type: str
        sentence:
          description: All of it in one sentence.
          type: str
  sample:
    code: Faulted
    running: false
    started: "2026-11-21T02:00:04Z"
    last_action: Start
    last_action_time: "2026-11-21T02:00:03Z"
    counts: {successful: 0, failed: 1, in_progress: 0, pending: 4}
    policy: {maxBatchInstancePercent: 20, maxUnhealthyInstancePercent: 20, maxUnhealthyUpgradedInstancePercent: 20}
    reason:
      code: MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade
      threshold: maxUnhealthyUpgradedInstancePercent
      percent: 100.0
      allowed_percent: 20.0
      instance_id: "0"
history:
  description: The OS upgrades that Azure remembers, in its order.
  returned: when O(history) is true
  type: list
  elements: dict
  contains:
    code:
      description: Its status, as in RV(latest.code).
      type: str
    started:
      description: When it started, RFC 3339, UTC.
      type: str
    ended:
      description: When it ended.
      type: str
    started_by:
      description: V(User), V(Platform) or V(Unknown).
      type: str
    target_image:
      description: The exact image that it installed.
      type: dict
    counts:
      description: Counts as in RV(latest.counts).
      type: dict
    restored:
      description: How many instances got their previous OS disk back.
      type: int
    not_restored:
      description: How many should have, and did not.
      type: int
    restore_error:
      description: Azure's message about those.
      type: str
    reason:
      description: Why it stopped, as in RV(latest.reason).
      type: dict
  sample:
    - code: Completed
      started: "2026-11-20T02:00:04Z"
      ended: "2026-11-20T02:31:40Z"
      started_by: Platform
      target_image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
      counts: {successful: 5, failed: 0, in_progress: 0, pending: 0}
      restored: 0
      not_restored: 0
      restore_error: ""
      reason: null
sentences:
  description: The same in words, C(latest) as one sentence and C(history) as one each.
  returned: success
  type: dict
  sample: {latest: Azure reports no rolling upgrade., history: []}
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 3, writes: 0, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import RollingUpgradeInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rolling_upgrade_info


def body(azure: Azure, request: RollingUpgradeInfoRequest, *, check_mode: bool) -> dict[str, t.Any]:  # noqa: ARG001 - reads only
    return {"changed": False, **rolling_upgrade_info.read(azure, request)}


def main() -> None:
    _module.run(body, RollingUpgradeInfoRequest)


if __name__ == "__main__":
    main()
