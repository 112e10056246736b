#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_protection
short_description: Protect instances from scale-in and from the scale set's actions
version_added: 1.0.0
description:
  - Sets the protection policy of instances of a virtual machine scale set.
  - An instance that is protected from scale set actions is excluded from every rollout.
  - Of a Flexible scale set Azure may not show the protection. Then this module refuses and names the command of C(az)
    that sets it, and a rollout does not see it, so name the instances that it may touch.
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
  instance_ids:
    description: The instances, by Azure's instance id.
    type: list
    elements: str
    required: true
  from_scale_in:
    description: Whether the instances are protected from scale-in. Unset does not change it.
    type: bool
  from_scale_set_actions:
    description:
      - Whether the instances are protected from upgrades and other actions of the scale set. Unset does not change it.
      - Azure protects such an instance from scale-in too, so O(from_scale_in=false) is refused with it.
    type: bool
  timeout:
    description: How long to wait for the writes, in seconds.
    type: int
    default: 600
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.scale_set_info
"""

EXAMPLES = r"""
- name: Leave the node that holds the quorum out of the rollout
  steady.vmss.instance_protection:
    resource_group: shop
    name: db
    instance_ids: ["0"]
    from_scale_set_actions: true

- name: Let it take part again
  steady.vmss.instance_protection:
    resource_group: shop
    name: db
    instance_ids: ["0"]
    from_scale_set_actions: false
    from_scale_in: false
"""

RETURN = r"""
before:
  description: The protection of each instance as it was, by instance id.
  returned: success
  type: dict
  sample: {"0": {from_scale_in: false, from_scale_set_actions: false}}
after:
  description: The protection of each instance as it is now, or would be in check mode.
  returned: success
  type: dict
  sample: {"0": {from_scale_in: true, from_scale_set_actions: true}}
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 4, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import InstanceProtectionRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import instance_protection


def body(azure: Azure, request: InstanceProtectionRequest, *, check_mode: bool) -> dict[str, t.Any]:
    clock = _module.SystemClock()
    before, after, warnings = instance_protection.protect(azure, clock, request, check_mode=check_mode)
    shown = {"before": before, "after": after, **_module.diff_of(before, after)}
    return {"changed": before != after, **shown, "warnings": warnings}


def main() -> None:
    _module.run(body, InstanceProtectionRequest, required_one_of=[("from_scale_in", "from_scale_set_actions")])


if __name__ == "__main__":
    main()
