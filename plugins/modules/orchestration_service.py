#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: orchestration_service
short_description: Suspend or resume automatic repairs and zone balancing of a scale set
version_added: 1.0.0
description:
  - Suspends or resumes an orchestration service of a virtual machine scale set, so that Azure does not replace or move
    instances while they are worked on.
  - A service that the scale set does not run is not changed and is reported as V(NotRunning).
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
  services:
    description: The services.
    type: list
    elements: str
    choices: [AutomaticRepairs, AutomaticZoneRebalancing]
    default: [AutomaticRepairs, AutomaticZoneRebalancing]
  state:
    description: The state they are to have.
    type: str
    choices: [Running, Suspended]
    required: true
  timeout:
    description:
      - How long to wait for the writes, in seconds. One takes as long as whatever else runs on the scale set.
    type: int
    default: 3600
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
"""

EXAMPLES = r"""
- name: Suspend automatic repairs while the load balancer is rebuilt
  steady.vmss.orchestration_service:
    resource_group: shop
    name: web
    services: [AutomaticRepairs]
    state: Suspended
"""

RETURN = r"""
before:
  description: The state of each service as it was.
  returned: success
  type: dict
  sample: {AutomaticRepairs: Running, AutomaticZoneRebalancing: NotRunning}
after:
  description: The state of each service as it is now, or would be in check mode.
  returned: success
  type: dict
  sample: {AutomaticRepairs: Suspended, AutomaticZoneRebalancing: NotRunning}
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 4, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import OrchestrationServiceRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import orchestration_service


def body(azure: Azure, request: OrchestrationServiceRequest, *, check_mode: bool) -> dict[str, t.Any]:
    clock = _module.SystemClock()
    before, after, warnings = orchestration_service.set_state(azure, clock, request, check_mode=check_mode)
    shown = {"before": before, "after": after, **_module.diff_of(before, after)}
    return {"changed": before != after, **shown, "warnings": warnings}


def main() -> None:
    _module.run(body, OrchestrationServiceRequest)


if __name__ == "__main__":
    main()
