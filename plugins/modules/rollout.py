#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll an image through a scale set, until a task file of yours is due
version_added: 1.0.0
description:
  - A whole rollout, from preflight to report. It writes the image and the rollout's record into the scale set's model,
    upgrades the instances batch by batch, proves what each runs, waits for its health, and ends the record.
  - One call runs until a task file of the user's is due, which RV(next) then names, or until the rollout has ended.
    Without task files one call is the whole rollout. The role P(steady.vmss.rollout#role) runs the task files and
    calls again; use the role unless you need something else.
  - After a breach nothing more is upgraded, and the model gets the previous image again, so that scale-out and repairs
    do not multiply a broken one.
  - All state is in Azure. Killed at any moment, the same rollout continues when it is run again.
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
    support: partial
    details:
      - It shows the model's image, and its security type where that changes.
  idempotent:
    support: full
options:
  image:
    description: The image to roll out, in any form that O(steady.vmss.image#module:image) takes. Unset means the
      model's; with O(back), the one that the record of the last rollout names as the one before.
    type: raw
  security_type:
    description:
      - The security type that the model gets with the image, in one write, as O(steady.vmss.image#module:security_type)
        says. It rolls a scale set of generation 1 to an image of generation 2 with V(TrustedLaunch).
      - It is taken back with the image, by the write-back after a stop and by the role P(steady.vmss.rollback#role),
        which reads it from the rollout's record. Where Azure refuses that, Azure's words are in the message.
      - Refused where the model names the image already, and V(TrustedLaunch) where it has data disks.
    type: str
    choices: [TrustedLaunch, Standard]
  upgrade_mode:
    description: V(Manual) lets the rollout set the upgrade mode to Manual before it writes the image.
    type: str
    choices: [Manual]
  follow_latest:
    description: Whether the model follows the newest version again at the end, if that still is the target.
    type: bool
    default: false
  suspend_services:
    description: Whether automatic repairs and zone balancing, where they run, are suspended meanwhile and then resumed.
    type: bool
    default: true
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
  pause:
    description: How long to wait between batches, in seconds.
    type: float
    default: 0
  before:
    description: A task file that is due once, before anything is written. This and the other five are looked for beside
      the playbook and where Ansible was started.
    type: str
  before_batch:
    description: A task file that is due before each batch.
    type: str
  health_check:
    description: A task file that is due after each batch, and at the start for what runs the target already.
    type: str
  after_batch:
    description: A task file that is due after each batch that has passed O(health_check).
    type: str
  after:
    description: A task file that is due once, after the last batch.
    type: str
  on_failure_tasks:
    description: A task file that is due once after a stop, after the rollback and the write-back of the model.
    type: str
  on_failure:
    description:
      - What a stopped rollout does. V(stop) touches no instance.
      - V(rollback_failed) rolls the instances that failed back to the previous image, V(rollback_all) every instance
        that this rollout has upgraded, in batches within O(max_unavailable). Both set the model back too.
    type: str
    choices: [stop, rollback_failed, rollback_all]
    default: stop
  keep_model:
    description: Whether a stopped rollout leaves the new image in the model instead of writing the previous one back.
    type: bool
    default: false
  back:
    description:
      - Whether this is the rollback of an earlier rollout, as of the role P(steady.vmss.rollback#role).
      - O(downgrade), O(take_over) and O(keep_model) are then V(true), O(max_unhealthy) is V(100%) and O(on_failure) is
        V(stop), whatever is asked.
    type: bool
    default: false
  journal_dir:
    description: A directory for the journal, one file of JSON lines per rollout.
    type: path
  memory:
    description: The RV(memory) of the call before, of the same rollout.
    type: dict
  hook:
    description: How the task file ended that the call before has named. With O(memory), unset means that it went well.
    type: dict
    suboptions:
      outcome:
        description: Whether the tasks went well.
        type: str
        choices: [done, failed]
        required: true
      task:
        description: The name of the task that failed.
        type: str
      words:
        description: Its message. Unset where it must not be shown.
        type: str
  died:
    description: Whether the call that O(memory) is of ended without a result.
    type: bool
    default: false
  work_dir:
    description: A directory in which the module keeps its memory while it works, and the journal where O(journal_dir)
      is unset. The action plugin makes one and removes it.
    type: path
notes:
  - What the rollout does is shown on stderr as it happens, where the module runs on the controller with connection
    C(local). Not with C(async), C(become) or C(no_log); there O(journal_dir) tells it.
seealso:
  - module: steady.vmss.upgrade_plan_info
  - module: steady.vmss.instance_upgrade
"""

EXAMPLES = r"""
- name: Roll a new version through the scale set, at most a fifth of the instances at a time
  steady.vmss.rollout:
    resource_group: shop
    name: web
    image:
      version: 24.04.202611180
    max_unavailable: 20%

- name: Go back to what ran before
  steady.vmss.rollout:
    resource_group: shop
    name: web
    back: true
"""

RETURN = r"""
next:
  description: The task file that is due; null where the rollout has ended.
  returned: always
  type: dict
  contains:
    hook:
      description: The option that names it.
      type: str
    file:
      description: The file.
      type: str
    batch:
      description: The batch that it is about, with its instances and their private addresses; none where it is of the
        whole rollout.
      type: dict
    failure:
      description: For O(on_failure_tasks), why the rollout stopped, what runs now and how to continue.
      type: str
  sample: {hook: before_batch, file: /etc/shop/drain.yml, batch: {number: 1, label: update domain 0, instances: []}}
hooks_due:
  description: How many task files are still due, RV(next) included, if all goes well.
  returned: always
  type: int
  sample: 12
memory:
  description: The value for the next call; null where the rollout has ended.
  returned: always
  type: dict
  sample: {version: 1, phase: before_batch}
rollout_result:
  description: What the rollout did.
  returned: when it has ended
  type: dict
  contains:
    id:
      description: The rollout's id from the scale set's tags, or the one that it has put there.
      type: str
    scale_set:
      description: The scale set's resource id.
      type: str
    outcome:
      description:
        - V(unchanged), V(upgraded), V(refused) before anything was written, V(stopped), V(rolled_back), or V(failed)
          where instances have failed within O(max_unhealthy_upgraded) or a last step could not be done.
        - V(cancelled) where the job was cancelled. What Azure has accepted continues there.
      type: str
    code:
      description: The code where it did not succeed, as in the error catalogue.
      type: str
    why:
      description: Why the work stopped.
      type: str
    target_image:
      description: The one exact image that the rollout moves to.
      type: dict
    previous_image:
      description: The image that the rollout record names as the one before.
      type: dict
    started:
      description: When the rollout started, RFC 3339, UTC.
      type: str
    finished:
      description: When it ended.
      type: str
    batches:
      description: The finished batches, or in check mode the batches to do.
      type: list
      elements: dict
    instances:
      description: What became of each instance that was touched, by instance id.
      type: dict
    busy:
      description: Instances that O(busy=skip) has skipped to the end, with the reason.
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
    busy: {}
    unavailable: {max_allowed: 2, max_seen: 2}
    arm: {calls: 14, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
report:
  description: How the rollout ended and what was planned, as text; null where it did not succeed.
  returned: when it has ended
  type: dict
  sample: {ended: "upgraded: 5 batches, 5 instances, at most 1 of 1 unavailable, 40 ARM calls."}
journal:
  description: The file of the journal; null where O(journal_dir) is unset, in check mode, and where the rollout was
    refused before it was planned.
  returned: when it has ended
  type: str
  sample: /var/log/rollouts/web-7f3c0b8e2d5149c0a4f1f6c2f0a7b1de.jsonl
stats:
  description: What the role gives to M(ansible.builtin.set_stats); empty while the rollout goes on.
  returned: always
  type: dict
  sample: {steady_vmss: {shop/web: {outcome: upgraded, code: ""}}}
failure:
  description: Why the rollout did not succeed, with its code before it; V("") where it succeeded or is in progress.
  returned: always
  type: str
  sample: ""
findings:
  description: What preflight found, as RV(steady.vmss.upgrade_plan_info#module:findings); empty in a later call.
  returned: always
  type: list
  elements: dict
  sample: []
arm:
  description: Requests to Azure Resource Manager that this call took.
  returned: always
  type: dict
  sample: {calls: 31, writes: 6, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import RolloutRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rollout


def body(azure: Azure, request: RolloutRequest, *, check_mode: bool) -> dict[str, t.Any]:
    result, failure = rollout.roll_out(azure, _module.SystemClock(), request, check_mode=check_mode)
    if failure:
        raise _module.Failed(failure.code, failure.message, **result)
    return result


def main() -> None:
    _module.run(body, RolloutRequest)


if __name__ == "__main__":
    main()
