#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan_info
short_description: Plan a rollout from live state
version_added: 1.0.0
description:
  - Reads a virtual machine scale set, its instances, its rolling upgrade and the image, and says what a rollout to that
    image would do now. It writes nothing.
  - V(latest), or a gallery image without a version, is resolved to the newest exact version that can be used in the
    scale set's region. An unfinished rollout keeps the version it once chose.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._attributes.info_module
  - steady.vmss._rollout.scale_set
  - steady.vmss._rollout
  - steady.vmss._rollout.health_lag
options:
  image:
    description: The image to roll out, in any form that O(steady.vmss.image#module:image) takes. Unset means the
      model's.
    type: raw
  security_type:
    description: The security type that the model is to get with the image; see
      O(steady.vmss.rollout#module:security_type).
    type: str
    choices: [TrustedLaunch, Standard]
  upgrade_mode:
    description: V(Manual) says that the rollout may set the upgrade mode to Manual first.
    type: str
    choices: [Manual]
  follow_latest:
    description: Whether the model is to follow the newest version again once the rollout has ended.
    type: bool
    default: false
  suspend_services:
    description: Whether automatic repairs and zone balancing are to be suspended for the rollout, where they run.
    type: bool
    default: false
  protected:
    description: Whether outdated instances that are protected from scale set actions are skipped or end the rollout.
    type: str
    choices: [skip, refuse]
    default: skip
  take_over:
    description: Whether an unfinished rollout to another image may be ended by this one.
    type: bool
    default: false
  managed_elsewhere:
    description: Whether a scale set that another service owns, such as AKS, is rolled all the same.
    type: bool
    default: false
  unproven:
    description: What becomes of instances of which nothing proves what is on their disks; see
      O(steady.vmss.instance_upgrade#module:unproven).
    type: str
    choices: [report, reimage]
    default: report
  going_back:
    description: Whether this rollout is a rollback to an earlier image, which its record then states.
    type: bool
    default: false
  seconds_per_instance:
    description:
      - What the time that the rollout takes is estimated from, the seconds of one instance from the request to upgrade
        it until it is healthy.
      - Unset, the journals in O(journal_dir) tell it. Where they do not, no time is told, and the number of calls is
        estimated from 180.
    type: float
  journal_dir:
    description: A directory with the journals of earlier rollouts; the newest five of this scale set are read.
    type: path
  healthy_for:
    description: Seconds for which an instance must stay healthy after its upgrade.
    type: float
    default: 0
  pause:
    description: Seconds between two batches.
    type: float
    default: 0
  format:
    description: The form of RV(shown) and RV(lines).
    type: str
    choices: [text, json, markdown]
    default: text
seealso:
  - module: steady.vmss.image
  - module: steady.vmss.instance_upgrade
"""

EXAMPLES = r"""
- name: What would a rollout to the newest version do?
  steady.vmss.upgrade_plan_info:
    resource_group: shop
    name: web
    image:
      version: latest
    max_unavailable: 20%
  register: plan

- name: Show the batches
  ansible.builtin.debug:
    var: plan.batches
"""

RETURN = r"""
instances_now:
  description: What the instances run and which are unavailable, with the time at which they were read, as a sentence.
  returned: success
  type: str
  sample: "Scale set web (resource group shop) as last read at 2026-11-21T02:00:04Z: Of 3 instances 3 run …"
rollout_id:
  description: The id of the rollout that is recorded in the scale set's tags for this target, otherwise a new one.
  returned: success
  type: str
  sample: 7f3c0b8e2d5149c0a4f1f6c2f0a7b1de
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
target_image:
  description: The one exact image that the rollout moves to.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
latest_image:
  description: The target as it follows the newest version.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: latest}
previous_image:
  description: The image that the rollout's record names as the one before; where there is none, the one that most
    outdated instances run. Never V(latest).
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
model_image:
  description: The image that the model names.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
security_type:
  description: What the security type of the model becomes with the image; null where it stays as it is.
  returned: success
  type: str
  sample: null
write_model:
  description: Whether the image, the upgrade mode or the rollout record has to be written before the first batch.
  returned: success
  type: bool
  sample: true
close_record:
  description: Whether nothing is left of a rollout whose record does not say that it has ended.
  returned: success
  type: bool
  sample: false
all_on_target:
  description: Whether every chosen instance that can be upgraded runs the target already.
  returned: success
  type: bool
  sample: false
replaces_rollout:
  description: The id of the rollout whose record is on the tags, for O(steady.vmss.image#module:replaces_rollout).
  returned: success
  type: str
  sample: ""
begins:
  description: Whether it is a new rollout and not one that goes on, for O(steady.vmss.instance_upgrade#module:begins).
  returned: success
  type: bool
  sample: true
errors:
  description: Why the rollout may not go on, the sentences of the RV(findings) that are errors. Empty where nothing is
    to do.
  returned: success
  type: list
  elements: str
  sample: []
follow_latest:
  description: Whether the model has to be set back to following the newest version at the end.
  returned: success
  type: bool
  sample: false
suspend:
  description: The orchestration services to suspend now.
  returned: success
  type: list
  elements: str
  sample: [AutomaticRepairs]
resume:
  description: The orchestration services to resume at the end.
  returned: success
  type: list
  elements: str
  sample: [AutomaticRepairs]
left_suspended:
  description: Those of them that an interrupted rollout has left suspended.
  returned: success
  type: list
  elements: str
  sample: []
nothing_to_do:
  description: Whether nothing is to do.
  returned: success
  type: bool
  sample: false
record:
  description: The rollout record, for O(steady.vmss.image#module:record).
  returned: success
  type: dict
  sample:
    id: 7f3c0b8e2d5149c0a4f1f6c2f0a7b1de
    target: Canonical:ubuntu-24_04-lts:server:24.04.202611180
    previous: Canonical:ubuntu-24_04-lts:server:24.04.202610010
    selection: all
    started: "2026-11-21T02:00:00Z"
    suspended: [AutomaticRepairs]
    security: null
    state: in_progress
findings:
  description: Preflight findings, errors first. An error ends a rollout before anything is written.
  returned: success
  type: list
  elements: dict
  sample:
    - severity: warning
      code: no_health_source
      message: "scale set web has no health source: an instance counts as available once it runs and is provisioned."
      remedy: Add the Application Health extension.
      sentence: "scale set web has no health source: an instance counts as available once it runs and is
        provisioned. Add the
        Application Health extension."
check:
  description:
    - What runs the target already and may not have passed the user's check, in groups of no more than may be
      unavailable; the role checks it before anything is written. Empty where the rollout to the target has finished, or
      goes back, and where nothing is to do.
  returned: success
  type: list
  elements: dict
  sample: []
on_target:
  description: The chosen instances that run the image, or name it unproven, and that nobody is changing.
  returned: success
  type: list
  elements: str
  sample: ["0"]
unproven:
  description:
    - The chosen instances that an unfinished rollout to the target has left without a proof of what is on their disks.
  returned: success
  type: list
  elements: str
  sample: []
batches:
  description: All batches still to do, in order, if every upgrade goes well. C(available) instances serve while a batch
    is upgraded; C(seconds) is how long it takes, null where nothing tells.
  returned: success
  type: list
  elements: dict
  sample:
    - {number: 1, label: update domain 0, instance_ids: ["0"], adopted: false, available: 4, seconds: 95}
next_batch:
  description: The batch to start now; null where nothing is to do or an error prevents it.
  returned: success
  type: dict
  sample: {number: 1, label: update domain 0, instance_ids: ["0"], adopted: false}
in_the_way:
  description: Why no batch can start now although instances are outdated.
  returned: success
  type: str
  sample: ""
outdated:
  description: The chosen instances that do not run the target.
  returned: success
  type: list
  elements: str
  sample: ["0", "1", "2", "3", "4"]
left:
  description: The chosen instances that are still to be upgraded or awaited.
  returned: success
  type: list
  elements: str
  sample: ["0", "1", "2", "3", "4"]
busy:
  description: Instances that O(busy=skip) skips until the end, with the reason. RV(left) is without them.
  returned: success
  type: dict
  sample: {"4": provisioning Updating}
left_alone:
  description: Outdated instances that are skipped, with the reason.
  returned: success
  type: dict
  sample: {"7": deallocated}
instances:
  description: Every instance as M(steady.vmss.scale_set_info) shows it, judged against the target.
  returned: success
  type: list
  elements: dict
unavailable:
  description: How many instances may be unavailable at once, and how many are now.
  returned: success
  type: dict
  sample: {max_allowed: 1, now: 0}
counted:
  description: The instances that count for O(max_unavailable), the deallocated ones left out.
  returned: success
  type: int
  sample: 5
lowest_available:
  description: The fewest instances that are available at any time of the rollout, if every upgrade goes well.
  returned: success
  type: int
  sample: 4
duration:
  description: How long the rollout takes, in C(seconds), without your task files where the time is not from journals;
    null where nothing tells. C(rests_on) is V(given), V(journals), of so many earlier C(rollouts), or V(assumed).
  returned: success
  type: dict
  sample: {seconds: 510, rests_on: journals, rollouts: 2}
canary:
  description: The C(batches) and C(seconds) that the canary costs; null where there is none.
  returned: success
  type: dict
  sample: {batches: 1, seconds: 95}
calls:
  description: The requests to Azure Resource Manager that the rollout takes, without those for your task files, and how
    many of each kind in the busiest minute, beside what Azure allows for one scale set in C(a_minute) and at once in a
    C(burst).
  returned: success
  type: dict
  sample:
    total: 79
    writes: 7
    limits:
      - {name: reads of the instances, calls: 25, busiest_minute: 8, a_minute: 10, burst: 30}
shown:
  description: The plan to be shown, as a list of lines, or as a dictionary where O(format=json).
  returned: success
  type: raw
lines:
  description: The lines of the same for a file.
  returned: success
  type: list
  elements: str
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 5, writes: 0, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradePlanInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import upgrade_plan_info


def body(azure: Azure, request: UpgradePlanInfoRequest, *, check_mode: bool) -> dict[str, t.Any]:  # noqa: ARG001 - reads only
    return {"changed": False, **upgrade_plan_info.look_ahead(azure, request)}


def main() -> None:
    _module.run(body, UpgradePlanInfoRequest)


if __name__ == "__main__":
    main()
