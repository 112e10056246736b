#!/usr/bin/python
# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extension
short_description: Manage one extension of a scale set's model
version_added: 1.0.0
description:
  - Writes one extension of the model of a virtual machine scale set, or removes it. The other extensions are not
    touched, their protected settings included.
  - Members that are not given stay as they are, and so do settings that are not named.
  - In upgrade mode C(Manual) the instances get it when they are brought to the model, with
    M(steady.vmss.instance_upgrade) and O(steady.vmss.instance_upgrade#module:whole_model).
  - Azure never shows protected settings. They appear in no result, and whether they are the ones that Azure has can
    only be seen by O(force_update_tag).
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
    support: partial
    details:
      - With O(protected_settings) and no O(force_update_tag) every run writes.
options:
  extension:
    description: The extension's name in the model.
    type: str
    required: true
  state:
    description: Whether the model has the extension.
    type: str
    choices: [present, absent]
    default: present
  publisher:
    description: Its publisher; required for a new one.
    type: str
  type:
    description: Its type, such as V(CustomScript); required for a new one.
    type: str
  type_handler_version:
    description: Its version as major and minor number; required for a new one.
    type: str
  auto_upgrade_minor_version:
    description: Whether an instance gets the newest minor version when the extension is installed.
    type: bool
  enable_automatic_upgrade:
    description: Whether Azure upgrades the extension automatically.
    type: bool
  provision_after_extensions:
    description: Names of the extensions that are installed before this one.
    type: list
    elements: str
  settings:
    description: Its public settings. The query of a URI is never shown, because it may be a signature.
    type: dict
  protected_settings:
    description: Its protected settings, all of them.
    type: dict
  force_update_tag:
    description:
      - A word of your choice for this state of the settings, such as the date on which a credential was renewed.
        Another word makes Azure run the extension again on every instance that is brought to the model.
      - Where the extension has this word already, O(protected_settings) are not written again.
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
  - module: steady.vmss.health_monitor
"""

EXAMPLES = r"""
- name: Give the extension that sets up the instances a new signature
  steady.vmss.extension:
    resource_group: shop
    name: web
    extension: bootstrap
    protected_settings:
      fileUris: ["{{ signed_uri }}"]
    force_update_tag: "2026-11-21"

- name: Bring the instances to it, batch by batch
  steady.vmss.instance_upgrade:
    resource_group: shop
    name: web
    whole_model: true

- name: Remove an extension from the model
  steady.vmss.extension:
    resource_group: shop
    name: web
    extension: bootstrap
    state: absent
"""

RETURN = r"""
scale_set:
  description: The scale set's resource id.
  returned: success
  type: str
  sample: /subscriptions/…/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web
before:
  description: The extension as the model had it, without protected settings; null where it had none.
  returned: success
  type: dict
  sample: {publisher: Microsoft.Azure.Extensions, type: CustomScript, type_handler_version: "2.1", settings: {}}
after:
  description: The extension as the model has it now, or would have in check mode.
  returned: success
  type: dict
  sample: {publisher: Microsoft.Azure.Extensions, type: CustomScript, type_handler_version: "2.1", settings: {}}
protected_settings_written:
  description: Whether protected settings were written, or would be in check mode.
  returned: success
  type: bool
  sample: true
note:
  description: Azure's message for an operation that failed or was cancelled although it stored the extension.
  returned: success
  type: str
  sample: ""
arm:
  description: Requests to Azure Resource Manager that this took.
  returned: always
  type: dict
  sample: {calls: 6, writes: 1, retries: 0, conflicts: 0, throttled_seconds: 0}
"""

import typing as t

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._options import ExtensionRequest
from ansible_collections.steady.vmss.plugins.module_utils._use_cases.extension import set_extension, without_signatures


def body(azure: Azure, request: ExtensionRequest, *, check_mode: bool) -> dict[str, t.Any]:
    change = set_extension(azure, _module.SystemClock(), request, check_mode=check_mode)
    before, after = (without_signatures(one) for one in (change.before, change.after))
    return {
        "changed": change.changed,
        "scale_set": change.scale_set.id,
        "before": before,
        "after": after,
        "protected_settings_written": change.protected,
        "note": change.note,
        "warnings": change.warnings,
        **_module.diff_of(before, after),
    }


def main() -> None:
    _module.run(body, ExtensionRequest)


if __name__ == "__main__":
    main()
