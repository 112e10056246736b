#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lifecycle_event
short_description: List, approve, reject or delay lifecycle hook events of a scale set
version_added: 1.0.0
description:
  - Where a virtual machine scale set has lifecycle hooks, Azure asks before it schedules an automatic OS upgrade and
    before each batch of it, and waits for an answer.
  - Lists these events, and answers or delays them. Without an answer Azure takes the hook's default action.
  - Hooks apply to automatic OS upgrades only, not to upgrades that are started manually.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._rollout.scale_set
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(listed) changes nothing. V(approved) lets Azure continue, V(rejected) does not, and V(delayed) makes it wait
        until O(until).
    type: str
    choices: [listed, approved, rejected, delayed]
    default: listed
  event:
    description: The event's name. Unset means every active one.
    type: str
  instance_ids:
    description: The instances that are approved or rejected, by instance id. Empty means all that wait.
    type: list
    elements: str
    default: []
  until:
    description: How long Azure is to wait at least, as a time like V(2026-11-21T04:00:00Z). Azure limits it.
    type: str
seealso:
  - module: steady.vmss.deferred_upgrade
  - module: steady.vmss.rolling_upgrade
"""

EXAMPLES = r"""
- name: What does Azure ask?
  steady.vmss.lifecycle_event:
    resource_group: shop
    name: web
  register: found

- name: Let every batch go on that waits
  steady.vmss.lifecycle_event:
    resource_group: shop
    name: web
    state: approved

- name: Not before the end of the sale
  steady.vmss.lifecycle_event:
    resource_group: shop
    name: web
    state: delayed
    until: "2026-11-21T04:00:00Z"
"""

RETURN = r"""
before:
  description: The events as they were.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The event's name.
      type: str
    type:
      description: V(UpgradeAutoOSScheduling) or V(UpgradeAutoOSRollingBatchStarting).
      type: str
    active:
      description: Whether it still can be answered.
      type: bool
    default_action:
      description: What Azure does without an answer, V(Approve) or V(Reject).
      type: str
    created:
      description: When Azure asked, RFC 3339, UTC.
      type: str
    wait_until:
      description: How long Azure waits.
      type: str
    max_wait_until:
      description: How long it can be made to wait.
      type: str
    targets:
      description: What it is about, each with C(resource_id), C(instance_id) (empty for the scale set itself) and its
        C(state), V(Waiting), V(Approved) or V(Rejected).
      type: list
      elements: dict
  sample:
    - name: 445c0a08-cfc5-4ef6-bb89-fe77c5178628
      type: UpgradeAutoOSRollingBatchStarting
      active: true
      default_action: Approve
      created: "2026-11-21T02:00:00Z"
      wait_until: "2026-11-21T02:20:00Z"
      max_wait_until: "2026-11-21T05:00:00Z"
      targets:
        - {resource_id: /subscriptions/…/virtualMachines/2, instance_id: "2", state: Waiting}
after:
  description: The events as they are now, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: []
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 4, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import LifecycleEventRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import lifecycle_event


def body(azure: Azure, request: LifecycleEventRequest, *, check_mode: bool) -> dict[str, t.Any]:
    before, after = lifecycle_event.set_state(azure, request, check_mode=check_mode)
    return {"changed": before != after, "before": before, "after": after, **_module.diff_of(before, after)}


def main() -> None:
    _module.run(body, LifecycleEventRequest, required_if=[("state", "delayed", ["until"])])


if __name__ == "__main__":
    main()
