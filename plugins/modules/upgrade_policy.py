#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_policy
short_description: Set the upgrade policy of a scale set
version_added: 1.0.0
description:
  - Sets the upgrade mode, the rolling upgrade policy and automatic OS image upgrades of a virtual machine scale set.
    Members that are not given stay as they are.
  - Before automatic OS image upgrades or the mode V(Rolling) are turned on, everything that they need is checked, and
    all that is missing is named in one message, each with its remedy. Nothing is written then.
  - Needed are an image that follows the newest version, from the marketplace or a gallery, of which a version is
    replicated to the region and not excluded from latest; one health source; a Standard load balancer where a probe is
    the source and there are several placement groups, and a probe interval below two minutes; on Windows
    C(enableAutomaticUpdates) off; no patch mode C(AutomaticByPlatform); signed URIs that have not expired; and for
    Service Fabric durability Silver or Gold and an extension of version 1.1.
  - What this principal may not read, and key vaults, are named as unchecked.
  - The write carries the ETag that was read. While another client changes the scale set the module waits, and while a
    rolling upgrade of Azure's runs it refuses.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._rollout.scale_set
  - steady.vmss._rollout.azure_may_upgrade
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  mode:
    description:
      - What Azure does with the instances when the model is written.
      - V(Manual) upgrades none, V(Automatic) upgrades all at once, V(Rolling) in batches by O(rolling_upgrade_policy).
      - A write after which the mode is V(Automatic) or V(Rolling) is refused unless every instance is proven to have
        the newest model and the image that this means now. See O(azure_may_upgrade).
      - Service Fabric supports V(Automatic) only.
    type: str
    choices: [Manual, Automatic, Rolling]
  rolling_upgrade_policy:
    description: How Azure's own rolling upgrades go.
    type: dict
    suboptions:
      max_batch_instance_percent:
        description: The most instances that are upgraded at once, V(5) to V(100) percent. Azure's default is 20.
        type: int
      max_unhealthy_instance_percent:
        description:
          - The most instances that may be unhealthy before a batch, V(5) to V(100) percent of all. Those being upgraded
            count. Azure's default is 20.
        type: int
      max_unhealthy_upgraded_instance_percent:
        description:
          - The most upgraded instances that may be unhealthy after a batch, V(0) to V(100) percent of those upgraded.
            Azure's default is 20.
        type: int
      pause_time_between_batches:
        description: The pause between batches, as an ISO 8601 duration such as V(PT1M30S), or in seconds.
        type: str
      enable_cross_zone_upgrade:
        description: Whether a batch may hold instances of several zones.
        type: bool
      prioritize_unhealthy_instances:
        description: Whether unhealthy instances are upgraded first.
        type: bool
      rollback_failed_instances_on_policy_breach:
        description: Whether Azure rolls failed instances back to the previous model when it stops. Uniform only.
        type: bool
      max_surge:
        description: Whether Azure makes new instances and deletes the old ones, instead of upgrading them in place.
        type: bool
  automatic_os_upgrade_policy:
    description: Whether and how Azure upgrades the instances automatically when a newer version of the image appears.
    type: dict
    suboptions:
      enable_automatic_os_upgrade:
        description:
          - Whether it does.
          - After it was turned on, Azure may take 3 hours for the first upgrade. In mode C(Manual) the instances have
            to be brought to the model, with M(steady.vmss.instance_upgrade) and
            O(steady.vmss.instance_upgrade#module:whole_model).
        type: bool
      disable_automatic_rollback:
        description: Whether Azure leaves the new OS disk on an instance that does not become healthy.
        type: bool
      use_rolling_upgrade_policy:
        description: Whether O(rolling_upgrade_policy) holds for automatic upgrades, instead of Azure's defaults.
        type: bool
      os_rolling_upgrade_deferral:
        description: Whether an upgrade waits until it is approved.
        type: bool
  timeout:
    description:
      - How long to wait for another client's change to end and for the write itself, in seconds.
      - In mode C(Rolling), Azure may upgrade instances within the write.
    type: int
    default: 1800
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.health_monitor
  - module: steady.vmss.image
  - name: Automatic OS image upgrades
    description: Microsoft's requirements, and the images that are supported.
    link: https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-automatic-upgrade
"""

EXAMPLES = r"""
- name: Let Azure upgrade the OS image by itself, a tenth of the instances at a time
  steady.vmss.upgrade_policy:
    resource_group: shop
    name: web
    rolling_upgrade_policy:
      max_batch_instance_percent: 10
      pause_time_between_batches: PT1M
    automatic_os_upgrade_policy:
      enable_automatic_os_upgrade: true
      use_rolling_upgrade_policy: true

- name: Turn it off again
  steady.vmss.upgrade_policy:
    resource_group: shop
    name: web
    automatic_os_upgrade_policy:
      enable_automatic_os_upgrade: false

- name: See what automatic upgrades still need
  steady.vmss.upgrade_policy:
    resource_group: shop
    name: web
    automatic_os_upgrade_policy:
      enable_automatic_os_upgrade: true
  check_mode: true
"""

RETURN = r"""
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
before:
  description: The policy as it was, with Azure's defaults where nothing is set.
  returned: success
  type: dict
  sample:
    mode: Manual
    rolling_upgrade_policy: {max_batch_instance_percent: 20, max_surge: false}
    automatic_os_upgrade_policy: {enable_automatic_os_upgrade: false, use_rolling_upgrade_policy: false}
after:
  description: The policy as it is now, or would be in check mode.
  returned: success
  type: dict
  sample:
    mode: Manual
    rolling_upgrade_policy: {max_batch_instance_percent: 10, max_surge: false}
    automatic_os_upgrade_policy: {enable_automatic_os_upgrade: true, use_rolling_upgrade_policy: true}
findings:
  description:
    - What was found of all that the policy needs, errors included. What is not an error is shown as a warning.
  returned: success, or where the scale set is not ready
  type: list
  elements: dict
  sample:
    - severity: error
      code: no_health_source
      message: scale set web has no health source, so Azure cannot see whether an upgraded instance works.
      remedy: Add the Application Health extension or a load balancer probe with steady.vmss.health_monitor.
      sentence: …
note:
  description: Azure's message for an operation that failed or was cancelled although it stored the policy.
  returned: success
  type: str
  sample: ""
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 7, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._facts.findings import ERROR
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePolicyRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.upgrade_policy import set_policy


def body(azure: Azure, request: UpgradePolicyRequest, *, check_mode: bool) -> dict[str, t.Any]:
    change = set_policy(azure, _module.SystemClock(), request, check_mode=check_mode)
    warnings = [str(finding) for finding in change.findings if finding.severity != ERROR]
    return {
        "changed": change.changed,
        "scale_set": change.scale_set.id,
        "before": change.before,
        "after": change.after,
        "findings": [finding.as_dict() for finding in change.findings],
        "note": change.note,
        "warnings": [*(warnings if change.changed else []), *change.warnings],
        **_module.diff_of(change.before, change.after),
    }


def main() -> None:
    _module.run(body, UpgradePolicyRequest)


if __name__ == "__main__":
    main()
