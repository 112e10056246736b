#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scale_set_info
short_description: Scale sets with their model, policy, health source and instances
version_added: 1.0.0
description:
  - Reads virtual machine scale sets and every instance of them, in both orchestration modes.
  - The running image of an instance is what Azure reports as its exact version, not what the model says.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._attributes.info_module
options:
  resource_group:
    description: Only scale sets of this resource group. Required with O(name).
    type: str
  name:
    description: Only this scale set.
    type: str
  image:
    description:
      - Judge the instances against this image, in any form that O(steady.vmss.image#module:image) takes. Unset means
        the image that the model of each scale set names.
      - V(latest) is resolved to the newest exact version.
    type: raw
  instances:
    description: Whether to read the instances too.
    type: bool
    default: true
  newest:
    description: Whether to read the newest published version of the image that each model names too, which takes one
      request more for each scale set.
    type: bool
    default: false
  also_read:
    description:
      - What else may change the instances, each with one request more for each scale set.
      - V(rolling_upgrade) is Azure's latest rolling upgrade, V(services) the orchestration services, as automatic
        repairs, and V(automatic_upgrades) what an automatic OS upgrade would do now.
    type: list
    elements: str
    choices: [rolling_upgrade, services, automatic_upgrades]
    default: []
  instance_ids:
    description: Show only these instances. Empty means all.
    type: list
    elements: str
    default: []
  addresses:
    description: Whether to read the private addresses of the instances shown, which takes further requests.
    type: bool
    default: false
  format:
    description: The form of RV(shown).
    type: str
    choices: [text, json]
    default: text
  watch:
    description:
      - Look again after so many seconds until no rollout and no upgrade of Azure's own runs and nobody works on an
        instance, and show each map that is new on stderr.
      - It looks less often where that would take more than four requests a minute, so a scale set is read every 30 s at
        the soonest. Where nothing changes for 30 minutes it ends too.
      - O(newest) is read once, and of O(also_read) only V(rolling_upgrade). With C(async) it looks once.
    type: float
"""

EXAMPLES = r"""
- name: What runs where?
  steady.vmss.scale_set_info:
    resource_group: shop
    name: web
  register: found

- name: The instances that do not run the image of the model
  ansible.builtin.debug:
    msg: "{{ found.scale_sets[0].instances | selectattr('outdated', 'eq', true) | map(attribute='instance_id') }}"

- name: What is not on the newest published version, whatever the model names?
  steady.vmss.scale_set_info:
    resource_group: shop
    name: web
    image: latest
  register: published

- name: Watch what runs in a scale set until it ends
  steady.vmss.scale_set_info:
    resource_group: shop
    name: web
    watch: 10

- name: The instances that are not on the newest published version
  ansible.builtin.debug:
    msg: "{{ published.scale_sets[0].instances | selectattr('outdated', 'eq', true) | map(attribute='instance_id') }}"
"""

RETURN = r"""
scale_sets:
  description: The scale sets.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Resource id.
      type: str
    name:
      description: Name.
      type: str
    resource_group:
      description: Resource group.
      type: str
    location:
      description: Region.
      type: str
    orchestration_mode:
      description: V(Uniform) or V(Flexible).
      type: str
    capacity:
      description: Capacity.
      type: int
    zones:
      description: Availability zones.
      type: list
      elements: str
    provisioning_state:
      description: Provisioning state.
      type: str
    upgrade_mode:
      description: V(Manual), V(Automatic) or V(Rolling).
      type: str
    automatic_os_upgrade:
      description: Whether Azure upgrades the OS image automatically.
      type: bool
    automatic_repairs:
      description: Whether Azure replaces unhealthy instances.
      type: bool
    health_sources:
      description: The sources of instance health, of V(application_health_extension), V(load_balancer_probe) and
        V(external_health_policy).
      type: list
      elements: str
    service_fabric:
      description: Whether Service Fabric manages the scale set.
      type: bool
    image:
      description: The image that the model names.
      type: dict
    os_type:
      description: V(Linux) or V(Windows).
      type: str
    plan:
      description: The marketplace plan that the scale set carries.
      type: dict
    tags:
      description: Tags.
      type: dict
    rollout:
      description: The rollout record on the tags, of the rollout that runs or of the last one. C(state) says which, and
        C(way_back) is the image that the role P(steady.vmss.rollback#role) goes back to where none is given. It is null
        where the image must be given, because the recorded image is not a version of what the model names, and Azure
        reports it neither for an instance nor for an upgrade of its own; other clients may have written the tags.
      type: dict
    target_image:
      description: The image that the instances were judged against; null where it is not known.
      type: dict
    target_problem:
      description: Why it is not known, for instance because the image that V(latest) would mean may not be read.
        Every instance is V(unproven) then. Empty where it could.
      type: str
    newest_image:
      description: The newest published version of the image that the model names; null where it is not known. Only with
        O(newest).
      type: dict
    newest_problem:
      description: Why it is not known. Only with O(newest).
      type: str
    rolling_upgrade:
      description: Azure's latest rolling upgrade, as RV(steady.vmss.rolling_upgrade_info#module:latest); null where
        there never was one. Only with O(also_read).
      type: dict
    services:
      description: The states of the orchestration services, by name. Only with O(also_read).
      type: dict
    automatic_upgrades:
      description: What an automatic OS upgrade would do now, as
        RV(steady.vmss.image_info#module:automatic_os_upgrade). Only with O(also_read).
      type: dict
    map:
      description: The domains in the order in which a rollout takes them, each as C(domain), C(instances) with their
        C(state), and the C(command) that upgrades what is outdated of them. Only with O(instances).
      type: list
      elements: dict
    instances:
      description: The instances, in order of their ids.
      type: list
      elements: dict
      contains:
        instance_id:
          description: Azure's instance id.
          type: str
        name:
          description: The VM's name.
          type: str
        computer_name:
          description: The host name inside the VM.
          type: str
        zone:
          description: Availability zone.
          type: str
        update_domain:
          description: Update domain.
          type: int
        fault_domain:
          description: Fault domain.
          type: int
        power:
          description: Power state.
          type: str
        provisioning:
          description: Provisioning state.
          type: str
        health:
          description: Health state by the scale set's health source.
          type: str
        health_time:
          description: When that state was reported.
          type: str
        image:
          description: The running image, with the exact version where Azure reports one.
          type: dict
        latest_model_applied:
          description: Azure's hint whether the newest model was applied. It compares generations of the model, not
            its content.
          type: bool
        verdict:
          description: V(current), V(outdated), V(newer) or V(unproven).
          type: str
        outdated:
          description: Whether the instance runs another image than the target; null where nothing proves it.
          type: bool
        available:
          description: Running, provisioned, no extension failed or in transition, and healthy.
          type: bool
        why_unavailable:
          description: What keeps the instance from being available.
          type: str
        addresses:
          description: Private addresses, the primary one first; only with O(addresses).
          type: list
          elements: str
        protected_from_scale_in:
          description: Whether scale-in spares the instance.
          type: bool
        protected_from_scale_set_actions:
          description: Whether the scale set's actions spare the instance.
          type: bool
    sentences:
      description: The same in words, C(scale_set) as one sentence, C(instances) as one each, and C(map) as lines, a row
        a domain, a cell an instance lettered by its state; only with O(instances).
      type: dict
  sample:
    - name: web
      resource_group: shop
      orchestration_mode: Uniform
      capacity: 5
      upgrade_mode: Manual
      health_sources: [application_health_extension]
      instances:
        - {instance_id: "0", update_domain: 0, power: running, health: healthy, outdated: true, available: true}
lines:
  description: The lines of the maps of all scale sets.
  returned: success
  type: list
  elements: str
  sample: ["shop/web  Uniform, 2 instances, 2 domains", "  UD 0  o0", "  UD 1  c1", "  c 1 current  o 1 outdated"]
shown:
  description: What a playbook shows, the RV(lines), or where O(format=json) the RV(scale_sets).
  returned: success
  type: list
  elements: raw
watched:
  description: Why it looks no more.
  returned: with O(watch)
  type: str
  sample: nothing runs there now
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 2, writes: 0, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import ScaleSetInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import scale_set_info


def body(azure: Azure, request: ScaleSetInfoRequest, *, check_mode: bool) -> dict[str, t.Any]:  # noqa: ARG001 - reads only
    return {"changed": False, **scale_set_info.as_result(scale_set_info.read(azure, request), request)}


def main() -> None:
    _module.run(body, ScaleSetInfoRequest, required_by={"name": ["resource_group"]})


if __name__ == "__main__":
    main()
