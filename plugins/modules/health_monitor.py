#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_monitor
short_description: Set the health source of a scale set
version_added: 1.0.0
description:
  - Makes the Application Health extension or a load balancer probe the health source of a virtual machine scale set.
    Rolling upgrades, automatic OS image upgrades and automatic repairs use it, and Azure allows only one.
  - Only the extension itself or the probe is written. Other extensions are not touched, their protected settings
    included.
  - In upgrade mode C(Manual) the instances that are there get it when they are brought to the model, with
    M(steady.vmss.instance_upgrade) and O(steady.vmss.instance_upgrade#module:whole_model). The module says so.
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
  state:
    description:
      - V(absent) removes the O(source), or all of them where it is not given. That is refused while a feature needs it.
    type: str
    choices: [present, absent]
    default: present
  source:
    description: Where Azure learns whether an instance is healthy. Required with O(state=present).
    type: str
    choices: [application_health_extension, load_balancer_probe]
  replace:
    description:
      - Whether O(source) may replace another one. While a feature needs a source, the new one is written
        first. If a failure occurs between the two writes, the message names the sources that the scale set then has.
      - Without it a scale set that has another one is refused.
    type: bool
    default: false
  probe_id:
    description: The resource id of the load balancer's probe, with O(source=load_balancer_probe).
    type: str
  protocol:
    description:
      - The protocol with which the extension probes the application.
      - This and the other options of the extension stay as they are where they are not given.
    type: str
    choices: [http, https, tcp]
  port:
    description: The port that it probes; required with V(tcp).
    type: int
  request_path:
    description: The path that it requests; required with V(http) and V(https).
    type: str
  interval_in_seconds:
    description: The seconds between two probes, V(5) to V(60). Azure's default is 5.
    type: int
  number_of_probes:
    description: The number of consecutive equal answers that change the health, V(1) to V(24). Azure's default is 1.
    type: int
  grace_period:
    description: The seconds that a new instance may be C(initializing), up to V(14400), with V(rich) states.
    type: int
  health_states:
    description:
      - V(binary) is healthy for status 200, and unhealthy for all else.
      - V(rich) reads the answer's body, which must be C({"ApplicationHealthState":"Healthy"}) or C(Unhealthy). Without
        it an instance is C(unknown), which counts as unhealthy.
      - Unset means what the extension has, else V(binary).
    type: str
    choices: [binary, rich]
  extension_name:
    description:
      - The name of a new extension; an existing one keeps its name.
      - Unset means C(ApplicationHealthLinux) or C(ApplicationHealthWindows).
    type: str
  timeout:
    description: How long to wait for another client's change to end and for the writes, in seconds.
    type: int
    default: 1800
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.upgrade_policy
  - module: steady.vmss.instance_upgrade
"""

EXAMPLES = r"""
- name: Probe the application's health page every ten seconds
  steady.vmss.health_monitor:
    resource_group: shop
    name: web
    source: application_health_extension
    protocol: http
    port: 8080
    request_path: /health
    interval_in_seconds: 10

- name: Use the load balancer's probe instead, where balancer is the load balancer's resource id
  steady.vmss.health_monitor:
    resource_group: shop
    name: web
    source: load_balancer_probe
    probe_id: "{{ balancer }}/probes/health"
    replace: true

- name: Have no health source
  steady.vmss.health_monitor:
    resource_group: shop
    name: web
    state: absent
"""

RETURN = r"""
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
before:
  description: The health sources that the model had; null for one that it did not have.
  returned: success
  type: dict
  sample: {application_health_extension: null, load_balancer_probe: null}
after:
  description: The health sources that the model has now, or would have in check mode.
  returned: success
  type: dict
  sample:
    application_health_extension:
      extension_name: ApplicationHealthLinux
      health_states: binary
      protocol: http
      port: 8080
      request_path: /health
      interval_in_seconds: 10
      number_of_probes: 1
      grace_period: null
    load_balancer_probe: null
notes:
  description:
    - What remains to do for the instances, findings of the probe that affect Azure's own upgrades, and Azure's message
      of a write that failed though it was stored.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      Instances that are there already get it when they are brought to the model: steady.vmss.instance_upgrade with
      whole_model: true.
findings:
  description:
    - Findings of the load balancer's probe that affect automatic OS image upgrades and upgrade mode Rolling. Errors
      are refused where these are on. Empty for the extension.
  returned: success, or where the scale set is not ready
  type: list
  elements: dict
  sample:
    - severity: error
      code: probe_interval
      message: the health probe health of scale set web asks every 120 s, which is not less than two minutes.
      remedy: Set the probe's intervalInSeconds below 120.
      sentence: …
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 6, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import HealthMonitorRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.health_monitor import set_source


def body(azure: Azure, request: HealthMonitorRequest, *, check_mode: bool) -> dict[str, t.Any]:
    change = set_source(azure, _module.SystemClock(), request, check_mode=check_mode)
    return {
        "changed": change.changed,
        "scale_set": change.scale_set.id,
        "before": change.before,
        "after": change.after,
        "notes": list(change.notes),
        "findings": [finding.as_dict() for finding in change.findings],
        "warnings": list(change.warnings),
        **_module.diff_of(change.before, change.after),
    }


def main() -> None:
    _module.run(body, HealthMonitorRequest, required_if=[("state", "present", ["source"])])


if __name__ == "__main__":
    main()
