#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: automatic_upgrades
short_description: Turn automatic OS image upgrades on with all that they need
version_added: 1.0.0
description:
  - Lets Azure upgrade the OS image of a virtual machine scale set automatically, and sets what that needs where it is
    asked for. In this order, upgrade mode C(Manual), a model that follows the newest version of its image, the health
    source and the upgrade policy.
  - All of it is checked before anything is written. What is missing, and is not set by this call, is named in one
    message, each with its remedy.
  - In upgrade mode C(Manual) the instances are brought to the model last, batch by batch, as by
    M(steady.vmss.instance_upgrade) with O(steady.vmss.instance_upgrade#module:whole_model). Where the model names
    another image then, as with O(follow_latest), each of them gets a new OS disk. The module fails while instances that
    have the model are not available, whichever run has brought them. Check mode returns the batches;
    O(upgrade_instances=false) leaves the instances as they are.
  - What is not given stays as it is. M(steady.vmss.upgrade_policy) turns automatic OS image upgrades off.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._rollout.scale_set
  - steady.vmss._rollout.azure_may_upgrade
  - steady.vmss._rollout.health_lag
  - steady.vmss._rollout.patience
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  follow_latest:
    description: Whether the model is set to follow the newest version of its image.
    type: bool
    default: false
  upgrade_mode:
    description:
      - V(Manual) is written before all else. In modes C(Rolling) and C(Automatic) Azure would answer the other writes.
      - The mode stays V(Manual).
    type: str
    choices: [Manual]
  health_monitor:
    description: The health source. Without O(health_monitor.source) the scale set keeps the one that it has.
    type: dict
    suboptions:
      source:
        description: As O(steady.vmss.health_monitor#module:source).
        type: str
        choices: [application_health_extension, load_balancer_probe]
      replace:
        description: As O(steady.vmss.health_monitor#module:replace).
        type: bool
        default: false
      probe_id:
        description: As O(steady.vmss.health_monitor#module:probe_id).
        type: str
      protocol:
        description: As O(steady.vmss.health_monitor#module:protocol).
        type: str
        choices: [http, https, tcp]
      port:
        description: As O(steady.vmss.health_monitor#module:port).
        type: int
      request_path:
        description: As O(steady.vmss.health_monitor#module:request_path).
        type: str
      interval_in_seconds:
        description: As O(steady.vmss.health_monitor#module:interval_in_seconds).
        type: int
      number_of_probes:
        description: As O(steady.vmss.health_monitor#module:number_of_probes).
        type: int
      grace_period:
        description: As O(steady.vmss.health_monitor#module:grace_period).
        type: int
      health_states:
        description: As O(steady.vmss.health_monitor#module:health_states).
        type: str
        choices: [binary, rich]
      extension_name:
        description: As O(steady.vmss.health_monitor#module:extension_name).
        type: str
  rolling_upgrade_policy:
    description: How Azure's own upgrades go.
    type: dict
    suboptions:
      max_batch_instance_percent:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.max_batch_instance_percent).
        type: int
      max_unhealthy_instance_percent:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.max_unhealthy_instance_percent).
        type: int
      max_unhealthy_upgraded_instance_percent:
        description:
          - As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.max_unhealthy_upgraded_instance_percent).
        type: int
      pause_time_between_batches:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.pause_time_between_batches).
        type: str
      enable_cross_zone_upgrade:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.enable_cross_zone_upgrade).
        type: bool
      prioritize_unhealthy_instances:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.prioritize_unhealthy_instances).
        type: bool
      rollback_failed_instances_on_policy_breach:
        description:
          - As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.rollback_failed_instances_on_policy_breach).
        type: bool
      max_surge:
        description: As O(steady.vmss.upgrade_policy#module:rolling_upgrade_policy.max_surge).
        type: bool
  automatic_os_upgrade_policy:
    description: How Azure upgrades by itself.
    type: dict
    suboptions:
      disable_automatic_rollback:
        description: As O(steady.vmss.upgrade_policy#module:automatic_os_upgrade_policy.disable_automatic_rollback).
        type: bool
      use_rolling_upgrade_policy:
        description:
          - As O(steady.vmss.upgrade_policy#module:automatic_os_upgrade_policy.use_rolling_upgrade_policy).
          - V(true) where it is not given and O(rolling_upgrade_policy) is.
        type: bool
      os_rolling_upgrade_deferral:
        description: As O(steady.vmss.upgrade_policy#module:automatic_os_upgrade_policy.os_rolling_upgrade_deferral).
        type: bool
  upgrade_instances:
    description:
      - Whether the instances are brought to the model in upgrade mode C(Manual). In the other modes Azure does that.
      - Where they are not, Azure may not see the health of an instance, which it needs, until it has the model.
    type: bool
    default: true
  max_unavailable:
    description:
      - The most instances of the whole scale set that may be unavailable at once while they are brought to the model,
        those included that already were.
      - A number, or a percent of the instances there are now, rounded down and at least 1.
    type: str
    default: 20%
  timeout:
    description: How long to wait for another client's change to end and for a write itself, in seconds.
    type: int
    default: 1800
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.upgrade_policy
  - module: steady.vmss.health_monitor
  - module: steady.vmss.rolling_upgrade_info
"""

EXAMPLES = r"""
- name: Let Azure upgrade the OS image by itself, a tenth of the instances at a time
  steady.vmss.automatic_upgrades:
    resource_group: shop
    name: web
    follow_latest: true
    upgrade_mode: Manual
    health_monitor:
      source: application_health_extension
      protocol: http
      port: 8080
      request_path: /health
    rolling_upgrade_policy:
      max_batch_instance_percent: 10
"""

RETURN = r"""
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
before:
  description: The image, the health sources and the upgrade policy as they were.
  returned: always
  type: dict
  sample:
    image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
    health_sources: {application_health_extension: null, load_balancer_probe: null}
    upgrade_policy: {mode: Rolling}
after:
  description: The same as they are now, or would be in check mode.
  returned: always
  type: dict
  sample:
    image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: latest}
    health_sources: {application_health_extension: {protocol: http, port: 8080}, load_balancer_probe: null}
    upgrade_policy: {mode: Manual}
findings:
  description:
    - What was found of all that automatic OS image upgrades need. Errors that this call does not repair are refused.
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: no_health_source
      message: scale set web has no health source, so Azure cannot see whether an upgraded instance works.
      remedy: Add the Application Health extension or a load balancer probe with steady.vmss.health_monitor.
      sentence: …
notes:
  description: Azure's message for a write that failed although it was stored, and findings of the probe.
  returned: success
  type: list
  elements: str
  sample: []
rollout_result:
  description:
    - The result of the instances, as M(steady.vmss.instance_upgrade) returns it; null in other modes than C(Manual) and
      where O(upgrade_instances=false).
  returned: always
  type: dict
  sample: {outcome: upgraded, batches: []}
left_alone:
  description: Instances that were skipped, with the reason.
  returned: always
  type: dict
  sample: {"7": deallocated}
batches:
  description: The instances that were upgraded, or would be in check mode, batch by batch.
  returned: always
  type: list
  elements: str
  sample: ["update domain 0: 0,2", "update domain 1: 1,3"]
report:
  description: What Azure does from now on, as a sentence.
  returned: success
  type: str
  sample: Automatic OS image upgrades are on. Azure may take 3 hours for the first one.
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 31, writes: 6, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import AutomaticUpgradesRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import automatic_upgrades


def body(azure: Azure, request: AutomaticUpgradesRequest, *, check_mode: bool) -> dict[str, t.Any]:
    result, failure = automatic_upgrades.enable(azure, _module.SystemClock(), request, check_mode=check_mode)
    if failure:
        raise _module.Failed(failure.code, failure.message, **result)
    return result


def main() -> None:
    _module.run(body, AutomaticUpgradesRequest)


if __name__ == "__main__":
    main()
