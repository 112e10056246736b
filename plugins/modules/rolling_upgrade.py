#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rolling_upgrade
short_description: Start, await or cancel a rolling upgrade of Azure's own
version_added: 1.0.0
description:
  - Lets Azure's own orchestrator roll the newest version of the model's image, or of the extensions, through a virtual
    machine scale set, by the set's rolling upgrade policy.
  - An upgrade of the asked O(type) that already runs, Azure's or a person's, is adopted; one of the other type is
    waited for. An earlier or a later upgrade is never confused with the one of this call.
  - Azure's status of an upgrade is not trusted for the instances. They are read, and an upgrade is done when each runs
    the newest image and is available.
  - The model must follow the newest version (C(latest), or a gallery image without a version). An upgrade never changes
    publisher, offer or SKU.
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
      - Azure does not show whether an extension has a newer version, so O(type=extensions) starts one each time.
options:
  state:
    description:
      - V(started) starts one, unless one runs or nothing is to do, and returns once Azure shows it. In upgrade mode
        C(Rolling) one that runs and that Azure's history does not show may be of anything, so its end is awaited first.
      - V(completed) waits for its end too. Where automatic OS upgrades are on, Azure is given O(wait_for_start) to
        start it automatically.
      - V(cancelled) cancels the one that runs, and no other that has replaced it since. Azure finishes the batch in
        progress, which is waited for.
    type: str
    choices: [started, completed, cancelled]
    required: true
  type:
    description: What is upgraded. One that runs is cancelled whatever it is.
    type: str
    choices: [os, extensions]
    default: os
  wait_for_start:
    description:
      - How long Azure may take to start an automatic OS upgrade, in seconds. V(0) starts one now.
      - Unset means 3 hours, which the first one of a scale set may take. Without automatic OS upgrades one is started
        at once.
      - Unset, it is not waited for where Azure already tried the same version automatically and stopped.
    type: int
  upgrade_started:
    description:
      - The RV(upgrade_started) of an earlier call that selects its upgrade. It alone is awaited, judged or cancelled,
        even if it has ended and another one runs.
      - One of another O(type) is refused, where Azure's history shows that; V(cancelled) cancels it all the same.
    type: str
  upgrade_known:
    description:
      - When the latest upgrade started that an earlier call has shown (RV(before)), or V(none) where there was none.
        One that came since is then the one that is awaited, even if it has ended, and is not started again.
    type: str
  timeout:
    description: How long Azure's upgrade may run, in seconds, before this call gives up waiting. It is not cancelled.
    type: int
    default: 14400
  health_timeout:
    description: How long after its end instances may need to be available, in seconds.
    type: int
    default: 300
  poll_interval:
    description: Seconds between two reads of the upgrade.
    type: float
    default: 30
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
notes:
  - How far Azure's upgrade is, is shown on stderr while it is awaited, where the module runs on the controller with
    connection C(local). Not with C(async), C(become) or C(no_log); there O(journal) tells it.
  - An upgrade that is started manually has no automatic rollback; Azure restores the OS disks of failed instances only
    after one that it started itself.
seealso:
  - module: steady.vmss.rolling_upgrade_info
  - module: steady.vmss.upgrade_policy
"""

EXAMPLES = r"""
- name: Upgrade to the newest version, and wait
  steady.vmss.rolling_upgrade:
    resource_group: shop
    name: web
    state: completed
    wait_for_start: 0

- name: Wait for the upgrade that Azure starts by itself after a version was published
  steady.vmss.rolling_upgrade:
    resource_group: shop
    name: web
    state: completed

- name: Roll the newest versions of the extensions
  steady.vmss.rolling_upgrade:
    resource_group: shop
    name: web
    type: extensions
    state: completed

- name: Stop whatever upgrade runs
  steady.vmss.rolling_upgrade:
    resource_group: shop
    name: web
    state: cancelled
"""

RETURN = r"""
rollout_result:
  description: What this call saw and did, in the shape that the role P(steady.vmss.rollout#role) returns.
  returned: always
  type: dict
  contains:
    id:
      description: When Azure's upgrade started, as V(azure-2026-11-21T02:00:04Z), for it has no id; none without one.
      type: str
    scale_set:
      description: The scale set's resource id.
      type: str
    outcome:
      description:
        - V(unchanged), V(upgraded), V(stopped), V(failed), or V(rolled_back) where Azure has restored the previous OS
          disks.
        - Empty while the upgrade runs on, as it does after O(state=started).
      type: str
    code:
      description: The code where it did not succeed, as in the error catalogue.
      type: str
    why:
      description: Why it stopped or nothing was done.
      type: str
    message:
      description: Where it failed, what was attempted, what happened, what runs where and how to go on.
      type: str
    target_image:
      description: The exact image that Azure installs; none for extensions.
      type: dict
    previous_image:
      description: What the instances ran before.
      type: dict
    started:
      description: When this call started, RFC 3339, UTC.
      type: str
    finished:
      description: When this call ended.
      type: str
    batches:
      description:
        - The instances that started to run the target between two reads. Azure does not show its own batches.
        - In check mode all that would be upgraded.
      type: list
      elements: dict
    instances:
      description:
        - What became of each instance that was to be upgraded, by instance id; its outcome is V(upgraded), V(failed),
          V(rolled_back), V(unproven), V(not_started) or V(gone). V(rolled_back) and V(upgraded) are what was read back.
      type: dict
    unavailable:
      description:
        - How many instances Azure's policy lets be unavailable at once, and the most that a look has shown so. There
          were as many at least, for nobody looks all the time.
      type: dict
    arm:
      description: Requests to Azure Resource Manager that this took.
      type: dict
  sample:
    id: azure-2026-11-21T02:00:04Z
    scale_set: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
    outcome: upgraded
    code: null
    why: ""
    target_image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
    previous_image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
    started: "2026-11-21T02:00:00Z"
    finished: "2026-11-21T02:24:10Z"
    batches:
      - {number: 1, label: update domain 0, instance_ids: ["0"], outcome: upgraded}
    instances:
      "0":
        image_before: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
        image_after: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
        attempts: 1
        seconds_unavailable: 60.0
        outcome: upgraded
        why: ""
    unavailable: {max_allowed: 1, max_seen: 1}
    arm: {calls: 31, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
before:
  description: Azure's latest upgrade as this call found it, as in RV(steady.vmss.rolling_upgrade_info#module:latest).
  returned: always
  type: dict
  sample: null
after:
  description: Azure's latest upgrade now.
  returned: always
  type: dict
  sample: {code: Completed, running: false, started: "2026-11-21T02:00:04Z", counts: {successful: 5}}
upgrade_started:
  description: When the upgrade started that this call started or adopted; none where it did neither.
  returned: always
  type: str
  sample: "2026-11-21T02:00:04Z"
adopted:
  description: Whether the upgrade that is awaited, judged or cancelled was started by another client, Azure included.
  returned: always
  type: bool
  sample: false
started_by:
  description: V(User), V(Platform) or V(Unknown), where Azure's history shows it.
  returned: outside check mode
  type: str
  sample: User
restored:
  description: On how many instances Azure restored the previous OS disk; null where its history does not show it.
  returned: outside check mode
  type: int
  sample: 0
reason:
  description: Why Azure stopped this call's upgrade, translated as by M(steady.vmss.rolling_upgrade_info).
  returned: outside check mode
  type: dict
  sample: null
put_back:
  description:
    - What the instances ran before that failed or were upgraded, for a way back; the most common image last. Those that
      the upgrade is seen not to have worked on are in none.
      C(image) is null where it is not known; for the C(assumed) it is not known either, but all others ran this one.
      Instances that were created during the upgrade are in none.
  returned: outside check mode
  type: list
  elements: dict
  sample:
    - image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
      failed: ["0"]
      all: ["0", "1"]
      assumed: []
unproven:
  description: The instances of which nothing shows what they run, though Azure calls their upgrade completed, with why.
  returned: always
  type: dict
  sample: {}
done:
  description: The instances that are proven to run the target.
  returned: always
  type: list
  elements: str
  sample: ["0", "1"]
not_done:
  description: The instances that do not run it yet.
  returned: always
  type: list
  elements: str
  sample: []
left_alone:
  description: The instances that do not run it and that Azure skips, with the reason.
  returned: always
  type: dict
  sample: {"7": protected from scale set actions}
automatic_os_upgrade:
  description: Whether Azure upgrades the scale set automatically when a newer version appears.
  returned: always
  type: bool
  sample: false
findings:
  description: What was found before a start; errors refuse it.
  returned: always
  type: list
  elements: dict
  sample: []
report:
  description: How the cancellation ended and which instances are upgraded, as sentences.
  returned: with O(state=cancelled)
  type: str
  sample: "Cancelled. Upgraded: 0, 1. Not upgraded: 2."
upgrade_known:
  description: For O(upgrade_known) of the call that does it.
  returned: in check mode
  type: str
  sample: none
planned:
  description: What would be done, V(start), V(wait), V(cancel) or V(none).
  returned: in check mode
  type: str
  sample: start
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 31, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import RollingUpgradeRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import rolling_upgrade


def body(azure: Azure, request: RollingUpgradeRequest, *, check_mode: bool) -> dict[str, t.Any]:
    result, failure = rolling_upgrade.run(azure, _module.SystemClock(), request, check_mode=check_mode)
    if failure:
        raise _module.Failed(failure.code, failure.message, **result)
    return result


def main() -> None:
    _module.run(body, RollingUpgradeRequest)


if __name__ == "__main__":
    main()
