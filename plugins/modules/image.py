#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Set the image of a scale set's model
version_added: 1.0.0
description:
  - Makes the model of a virtual machine scale set name one image, by a PATCH of the image and nothing else.
  - No instance is touched. In upgrade mode V(Manual) new instances are made of the image, the others wait for
    M(steady.vmss.instance_upgrade).
  - The image must exist, be ready and be replicated to the scale set's region, or nothing is written.
  - The write carries the ETag that was read. When another client has written since, the scale set is read and checked
    again, and another image, another rollout's record, another upgrade mode or a rolling upgrade of Azure's is refused.
    While another client changes the scale set the module waits.
  - After the write the scale set is compared with what it was before. Where anything but the image, the capacity and
    the record is gone or differs the module fails, with the members that were lost; what is there beside is a warning.
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
  image:
    description:
      - The image, as a dictionary of one form or as one string.
      - "A platform image: C(publisher), C(offer), C(sku), C(version), or the URN V(publisher:offer:sku:version). What
        is left out is taken from the model, so V({version: 22.04.202611180}) or the version alone is enough."
      - "A managed image, a gallery image or gallery image version: C(id), or its resource id. A gallery image without a
        version follows the newest."
      - "C(shared_gallery_image_id) and C(community_gallery_image_id)."
      - "An unmanaged VHD: C(vhd_uri), or its https URI. Azure retired unmanaged disks in 2025 and still serves them.
        A SAS other than the model's is written; without a SAS the model's is kept."
    type: raw
    required: true
  security_type:
    description:
      - The model's security type, written in the same PATCH as the image. Unset, it stays as it is.
      - V(TrustedLaunch) needs an image of generation 2, and takes a scale set of generation 1 to it too. Where the
        model does not say otherwise, C(vTpmEnabled) is on and C(secureBootEnabled) off, as C(az) has it. It is refused
        where the model has data disks.
      - V(Standard) takes it back, as far as Azure allows that.
    type: str
    choices: [TrustedLaunch, Standard]
  upgrade_mode:
    description:
      - V(Manual) sets the upgrade mode to Manual first, where it is not, and reads it back before the image is written.
      - Unset, a scale set in mode C(Automatic) or C(Rolling) is refused, because Azure would upgrade its instances
        at once.
    type: str
    choices: [Manual]
  record:
    description:
      - The rollout record to put on the scale set's tags in the same write, as M(steady.vmss.upgrade_plan_info) returns
        it.
      - Where the model already names the image the tags alone are written, which is refused in another upgrade mode
        than V(Manual). If a record that ends a rollout cannot be written then, that is a warning and no failure.
    type: dict
    suboptions:
      id:
        description: The rollout's id.
        type: str
        required: true
      target:
        description: The target image as one string.
        type: str
        required: true
      previous:
        description: The previous image as one string.
        type: str
      selection:
        description: The instances that take part, in words.
        type: str
      started:
        description: When the rollout started, by Azure's clock.
        type: str
      suspended:
        description: The orchestration services that the rollout suspends and resumes.
        type: list
        elements: str
      security:
        description:
          - The security type of the model before, where the rollout changes it, with what of its firmware is not as
            usual (secure boot off, a virtual TPM).
        type: str
        choices:
          - TrustedLaunch
          - Standard
          - TrustedLaunch-secure-boot
          - TrustedLaunch-no-vtpm
          - TrustedLaunch-secure-boot-no-vtpm
      state:
        description: Whether the rollout is in progress, is rolling back, or how it ended.
        type: str
        choices: [in_progress, going_back, finished, stopped, rolled_back]
        default: in_progress
  latest_must_mean:
    description:
      - An exact image. O(image) must then be one that follows the newest version, and is written only while the newest
        version is this one.
    type: raw
  replaces:
    description:
      - Write only while the model names this image, so that no other client's write is undone. The image that the
        module reads first where it is not given.
      - Whatever it is, an image that changes between a read and the write is never overwritten.
    type: raw
  replaces_rollout:
    description:
      - The id of the rollout in progress whose record may be replaced, V("") for none. The one that the module reads
        first where it is not given.
    type: str
  timeout:
    description: How long to wait for another client's change to end and for the write itself, in seconds.
    type: int
    default: 1800
  journal:
    description: A file to which what happens is appended as JSON lines.
    type: path
seealso:
  - module: steady.vmss.instance_upgrade
  - module: steady.vmss.upgrade_plan_info
"""

EXAMPLES = r"""
- name: Let new instances be made of another version, without touching the others
  steady.vmss.image:
    resource_group: shop
    name: web
    image: Canonical:ubuntu-24_04-lts:server:24.04.202611180

- name: Only the version changes, the rest of the reference stays
  steady.vmss.image:
    resource_group: shop
    name: web
    image:
      version: 24.04.202611180

- name: A gallery image version, where gallery is the gallery's resource id
  steady.vmss.image:
    resource_group: shop
    name: web
    image:
      id: "{{ gallery }}/images/web/versions/1.4.0"
"""

RETURN = r"""
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
image_before:
  description: The image that the model named.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202610010}
image_after:
  description: The image that the model names now, or would name in check mode.
  returned: success
  type: dict
  sample: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: 24.04.202611180}
upgrade_mode:
  description: The upgrade mode that was read last.
  returned: success
  type: str
  sample: Manual
joined:
  description:
    - Whether another controller has begun the same rollout at the same moment, to this image and of these instances.
      Its record is kept, and a new plan continues that rollout.
  returned: success
  type: bool
  sample: false
note:
  description: Why nothing was written where that is not simply because the model already names the image.
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
from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.image import set_image, without_same_type


def body(azure: Azure, request: ImageRequest, *, check_mode: bool) -> dict[str, t.Any]:
    change = set_image(azure, _module.SystemClock(), request, check_mode=check_mode)
    before = images.show(change.before.image)
    after = images.show(change.target) if change.changed else before
    shown = without_same_type(change.shown_before, change.shown_after) if change.changed else (before, before)
    other_sas = {"sas": "another one"} if change.changed and shown[0] == shown[1] else {}
    return {
        "changed": change.changed,
        "scale_set": change.before.id,
        "image_before": before,
        "image_after": after,
        "upgrade_mode": change.after.upgrade_mode,
        "joined": change.joined,
        "note": change.note,
        "warnings": change.warnings,
        **_module.diff_of(shown[0], {**(shown[1] or {}), **other_sas}),
    }


def main() -> None:
    _module.run(body, ImageRequest)


if __name__ == "__main__":
    main()
