#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_upgrade
short_description: Bring instances of a scale set to the model's image
version_added: 1.0.0
description:
  - Makes the chosen instances of a virtual machine scale set run the image that its model names, and be available.
  - Works in batches that never take more than O(max_unavailable) instances of the set away and never touch two domains
    at once. Each batch is upgraded, its running image is verified, and its health is awaited before the next one
    starts.
  - An instance that already runs the image is not touched, so the module can be run again at any time. Where it is not
    available, as where an earlier run failed at it or was killed, it is waited for, and the module fails where it does
    not become available.
  - Where Azure's operation leaves the old disk although the model was applied, the instance is reimaged once. Data
    disks are never reset. If Azure left it deallocated because capacity was missing, it is started once.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._rollout.scale_set
  - steady.vmss._rollout
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
  image:
    description:
      - The target image of the instances, in any form that O(steady.vmss.image#module:image) takes.
      - The module refuses to start where the model names another one. Unset means the model's.
    type: raw
  whole_model:
    description:
      - Bring the instances to all of the model, not to its image alone, for instance after the health source or an
        extension has changed. Those that have not got the latest model and those that failed are upgraded.
      - What is applied only with a new OS disk, such as custom data, is not applied to an instance that keeps its disk.
        RV(notes) names those; O(unproven=reimage) brings it.
      - Of the instances of a Flexible scale set Azure does not tell whether they have got it. Only those that failed
        are upgraded there, and a warning names the others.
      - The model may name the version V(latest) then, and an instance gets the newest image along with the rest.
    type: bool
    default: false
  model_will_change:
    description:
      - In check mode, whether an earlier task would write the model, so that with O(whole_model) no instance has it.
        The batches that check mode returns are planned for that. Otherwise this has no effect.
    type: bool
    default: false
  unproven:
    description:
      - What becomes of instances that name the image while nothing proves what is on their disks. Azure reports no
        exact version of some images, and then only the time of the OS disk tells, where a rollout record says since
        when the model has named the image.
      - V(report) names them in RV(unproven). V(reimage) gives them a new OS disk, in batches like any other. It needs
        the record and the time of the disk, or nothing would be proven by it, and a Uniform scale set.
      - With O(whole_model), V(reimage) gives every instance that is upgraded, and every one whose disk is not known to
        be newer than the record, a new OS disk, because custom data, for instance, needs one. Without a record
        it does so each time it is run.
    type: str
    choices: [report, reimage]
    default: report
  rollout:
    description:
      - The id of the rollout that this call belongs to. Where the record of another one that is in progress stands on
        the scale set, nothing more is upgraded. Neither is it where the upgrade mode is not V(Manual) or automatic OS
        image upgrades are on, for a rollout begins in mode V(Manual) and another client must have changed it.
      - By default whichever rollout the scale set is in when the call begins.
    type: str
  begins:
    description: Whether this run has started the rollout, so that no earlier run has left instances partly upgraded.
    type: bool
    default: false
  touched:
    description:
      - Instances that this rollout may have started, and of which nobody has read what became, as after a call that was
        killed. They are awaited before anything is decided, count whatever their power state is, and are started where
        Azure has left them deallocated.
    type: list
    elements: str
    default: []
  busy_before:
    description: Instances that another client was changing already when the rollout began, and that O(busy=skip) skips.
    type: list
    elements: str
    default: []
  batch:
    description:
      - Upgrade only these of the chosen instances now, and return what comes next. A rollout calls the module once per
        batch this way.
    type: list
    elements: str
    default: []
  wait_only:
    description: Upgrade nothing; wait until the next batch can start, and return that batch.
    type: bool
    default: false
  earlier_batches:
    description: The RV(rollout_result.batches) of earlier calls of the same rollout; they number the batches and
      tell how long one takes.
    type: list
    elements: dict
    default: []
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.image
  - module: steady.vmss.upgrade_plan_info
"""

EXAMPLES = r"""
- name: Bring two instances to the model's image
  steady.vmss.instance_upgrade:
    resource_group: shop
    name: web
    instance_ids: ["3", "7"]

- name: Bring every instance to the model after its extensions have changed
  steady.vmss.instance_upgrade:
    resource_group: shop
    name: web
    whole_model: true

- name: Bring update domain 2 to the model's image, one instance at a time
  steady.vmss.instance_upgrade:
    resource_group: shop
    name: web
    update_domains: [2]
    max_unavailable: 1
"""

RETURN = r"""
rollout_result:
  description: What this call did; the role P(steady.vmss.rollout#role) returns the same shape for a whole rollout.
  returned: always
  type: dict
  contains:
    id:
      description: The rollout's id from the scale set's tags, where this is its target.
      type: str
    scale_set:
      description: The scale set's resource id.
      type: str
    outcome:
      description:
        - V(unchanged), V(upgraded), V(stopped), or V(failed) where the work is finished and instances have failed
          within O(max_unhealthy_upgraded).
        - V(cancelled) where the job was cancelled. What Azure has accepted continues there.
      type: str
    code:
      description: The code where it did not succeed, as in the error catalogue.
      type: str
    why:
      description: Why the work stopped.
      type: str
    message:
      description: Where the work stopped, what was attempted, what happened and what runs where, in sentences.
      type: str
    target_image:
      description: The image that the model names.
      type: dict
    previous_image:
      description: The image that the rollout record names as the one before.
      type: dict
    started:
      description: When this call started, RFC 3339, UTC.
      type: str
    finished:
      description: When this call ended.
      type: str
    batches:
      description: The finished batches, or in check mode the batches to do.
      type: list
      elements: dict
    instances:
      description: What became of each instance that was touched, by instance id.
      type: dict
    unavailable:
      description: How many instances could be unavailable at once, and the most that were.
      type: dict
    arm:
      description: Requests to Azure Resource Manager that this took.
      type: dict
  sample:
    id: 7f3c0b8e2d5149c0a4f1f6c2f0a7b1de
    scale_set: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
    outcome: upgraded
    code: null
    why: ""
    target_image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
    previous_image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
    started: "2026-11-21T02:00:00Z"
    finished: "2026-11-21T02:04:10Z"
    batches:
      - number: 1
        label: zone 1, update domain 0
        instance_ids: ["0", "5"]
        started: "2026-11-21T02:00:02Z"
        finished: "2026-11-21T02:04:10Z"
        outcome: upgraded
        adopted: false
        operation_seconds: 231.4
        settle_seconds: 16.2
        unsettled_seconds: 12.1
    instances:
      "0":
        image_before: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
        image_after: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
        attempts: 1
        seconds_unavailable: 71.2
        outcome: upgraded
        why: ""
    unavailable: {max_allowed: 2, max_seen: 2}
    arm: {calls: 14, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
next_batch:
  description: The next batch; null where nothing remains to do.
  returned: always
  type: dict
  sample: {number: 2, label: zone 1, update domain 1, instance_ids: ["1"], adopted: false}
outdated:
  description: The chosen instances that do not run the image yet.
  returned: always
  type: list
  elements: str
  sample: ["1"]
left:
  description: The chosen instances that are still to be upgraded or awaited.
  returned: always
  type: list
  elements: str
  sample: ["1"]
on_target:
  description: The chosen instances that run the image, or name it unproven, and that nobody is changing.
  returned: always
  type: list
  elements: str
  sample: ["0"]
unproven:
  description: The chosen instances that name the image while nothing proves what is on their disks.
  returned: always
  type: list
  elements: str
  sample: []
notes:
  description: What O(whole_model) may not have brought, because instances kept their OS disks.
  returned: always
  type: list
  elements: str
  sample: []
instances_now:
  description: What the instances run and which are unavailable, with the time at which they were read, as a sentence.
  returned: always
  type: str
  sample: "Scale set web (resource group shop) as last read at 2026-11-21T02:00:04Z: Of 3 instances 3 run …"
batch_now:
  description: What the instances of O(batch) run now, as it was read last; null where no batch was given.
  returned: always
  type: dict
  contains:
    there:
      description: Those that run the image and are in service, or are deallocated by choice.
      type: list
      elements: str
    complete:
      description: Whether all of them are, except those that no longer exist.
      type: bool
    sentence:
      description: Which instances run what, and which are not in service.
      type: str
  sample:
    there: ["0", "1"]
    complete: true
    sentence: "Instances on Canonical:ubuntu-24_04-lts:server:24.04.202610010 and in service: 0, 1."
busy:
  description: Instances that O(busy=skip) skips until the end, with the reason. RV(left) is without them.
  returned: always
  type: dict
  sample: {"4": provisioning Updating}
left_alone:
  description: Instances that do not run the image and are skipped, with the reason.
  returned: always
  type: dict
  sample: {"7": deallocated}
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 14, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import InstanceUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import instance_upgrade


def body(azure: Azure, request: InstanceUpgradeRequest, *, check_mode: bool) -> dict[str, t.Any]:
    result, failure = instance_upgrade.upgrade(azure, _module.SystemClock(), request, check_mode=check_mode)
    if failure:
        raise _module.Failed(failure.code, failure.message, **result)
    return result


def main() -> None:
    _module.run(body, InstanceUpgradeRequest)


if __name__ == "__main__":
    main()
