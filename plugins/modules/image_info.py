#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Versions of a platform or gallery image
version_added: 1.0.0
description:
  - Lists the versions of an image with where they are replicated and what is excluded from latest, and says which exact
    version V(latest) means in a region.
  - Versions are ordered by number, so 1.10.0 is newer than 1.9.0.
  - Of a scale set it says what an automatic OS upgrade would install now, and what the instances run. An automatic
    upgrade never changes the SKU.
author: [steady.vmss contributors (@steady-vmss)]
extends_documentation_fragment:
  - steady.vmss._azure
  - steady.vmss._attributes
  - steady.vmss._attributes.info_module
options:
  image:
    description:
      - The image, in any form that O(steady.vmss.image#module:image) takes but a VHD; its version is ignored.
      - What a platform image leaves out is taken from the model of the scale set O(name).
    type: raw
  location:
    description: The region. Unset means the region of the scale set O(name).
    type: str
  resource_group:
    description: The resource group of the scale set O(name).
    type: str
  name:
    description: A scale set whose image and region are used.
    type: str
  running:
    description: Whether the instances of the scale set O(name) are read, to show what they run.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Which version would a rollout to latest take?
  steady.vmss.image_info:
    resource_group: shop
    name: web
  register: found

- name: Show it
  ansible.builtin.debug:
    var: found.newest

- name: What would automatic OS upgrade install now, and what do the instances run?
  ansible.builtin.debug:
    msg: "{{ found.automatic_os_upgrade.sentence }} {{ found.running }}"

- name: The versions of a gallery image
  steady.vmss.image_info:
    location: westeurope
    image: "{{ gallery }}/images/web"
"""

RETURN = r"""
image:
  description: The image that was asked for, as it follows the newest version.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: latest}
location:
  description: The region.
  returned: success
  type: str
  sample: westeurope
newest:
  description:
    - The exact image that V(latest) means in the region; none where no version can be used there, and for the managed
      image or VHD of a scale set, which has no versions.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
versions:
  description: The versions, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The version.
      type: str
    image:
      description: The image with this version.
      type: dict
    provisioning_state:
      description: Provisioning state; only V(Succeeded) can be used.
      type: str
    excluded_from_latest:
      description: Whether the version is excluded from latest.
      type: bool
    regions:
      description: Where the version is replicated; null where it is everywhere or Azure does not report it.
      type: list
      elements: str
    published:
      description: When it was published.
      type: str
    why_not:
      description: Why the version cannot be used in the region, or not as latest.
      type: str
  sample:
    - version: 1.4.0
      provisioning_state: Succeeded
      excluded_from_latest: false
      regions: [westeurope]
      published: "2026-11-18T00:00:00Z"
      why_not: ""
automatic_os_upgrade:
  description: What Azure's automatic OS upgrade would do with the scale set now.
  returned: when O(name) is given
  type: dict
  contains:
    enabled:
      description: Whether it is on.
      type: bool
    installs:
      description: The exact image that it would install; none where the model does not follow the newest version.
      type: dict
    in_the_way:
      description: What Azure would refuse it for, each with the remedy; not what lies outside of the scale set.
      type: list
      elements: str
    sentence:
      description: That in words, and what it never changes.
      type: str
  sample:
    enabled: true
    installs: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
    in_the_way: []
    sentence: Automatic OS upgrade is on and would install Canonical:ubuntu-24_04-lts:server:24.04.202611180 now. …
running:
  description: The images that the instances run.
  returned: when O(name) is given and O(running) is true
  type: list
  elements: dict
  contains:
    image:
      description: The image; none where Azure does not report it.
      type: dict
    verdict:
      description:
        - V(current), V(outdated), V(newer) or V(unproven), compared with RV(newest), or with the model's image where
          that has no versions.
      type: str
    instance_ids:
      description: The instances that run it.
      type: list
      elements: str
  sample:
    - image: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
      verdict: outdated
      instance_ids: ["0", "3"]
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 2, writes: 0, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import ImageInfoRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image_info


def body(azure: Azure, request: ImageInfoRequest, *, check_mode: bool) -> dict[str, t.Any]:  # noqa: ARG001 - reads only
    return {"changed": False, **image_info.read(azure, request)}


def main() -> None:
    _module.run(
        body,
        ImageInfoRequest,
        required_one_of=[("image", "name"), ("location", "name")],
        required_together=[("resource_group", "name")],
    )


if __name__ == "__main__":
    main()
