#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deferred_upgrade
short_description: Approve a deferred automatic OS upgrade of a scale set
version_added: 1.0.0
description:
  - Where a virtual machine scale set defers its automatic OS upgrades, Azure announces an upgrade to the instances and
    waits until it is approved, for each of them.
  - Approves it for the instances that do not run the newest version of the image yet. The others are skipped.
  - An approval starts nothing where nothing waits for it.
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
    support: partial
    details:
      - Azure does not show which instances are approved, so an approval is sent until the instance is upgraded.
options:
  instance_ids:
    description:
      - The instances to approve, by instance id. Empty means every one that does not run the newest version yet; each
        is named to Azure.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to wait until Azure accepts the approval, in seconds.
    type: int
    default: 900
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.upgrade_policy
  - module: steady.vmss.lifecycle_event
"""

EXAMPLES = r"""
- name: Approve one instance first
  steady.vmss.deferred_upgrade:
    resource_group: shop
    name: web
    instance_ids: ["0"]

- name: Approve all that wait
  steady.vmss.deferred_upgrade:
    resource_group: shop
    name: web
"""

RETURN = r"""
approved:
  description: The instances that were approved, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["0", "3"]
current:
  description: Chosen instances that run the newest version already.
  returned: success
  type: list
  elements: str
  sample: ["1"]
note:
  description: Why nothing was approved where that is not simply because all are current.
  returned: success
  type: str
  sample: ""
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 5, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import DeferredUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import deferred_upgrade


def body(azure: Azure, request: DeferredUpgradeRequest, *, check_mode: bool) -> dict[str, t.Any]:
    approval = deferred_upgrade.approve(azure, _module.SystemClock(), request, check_mode=check_mode)
    approved = list(approval.approved)
    return {
        "changed": bool(approved),
        "approved": approved,
        "current": list(approval.current),
        "note": approval.note,
        "warnings": approval.warnings,
        **_module.diff_of({"approved": []}, {"approved": approved}),
    }


def main() -> None:
    _module.run(body, DeferredUpgradeRequest)


if __name__ == "__main__":
    main()
