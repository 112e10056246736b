# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options of the modules, as the variables of the roles and playbooks give them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connection
short_description: The connection options that the variables of the roles give
version_added: 1.0.0
description:
  - Builds the connection options of the modules from the variables of the same names with the prefix C(rollout_), as
    C(rollout_subscription_id).
  - A variable that is not set, or empty, gives no option, so what C(group/steady.vmss.all) in C(module_defaults) says
    of it holds.
author: [steady.vmss contributors (@steady-vmss)]
options: {}
"""

EXAMPLES = r"""
- name: Sign in as the roles do
  module_defaults:
    group/steady.vmss.connection: "{{ lookup('steady.vmss.connection') }}"
  block:
    - name: Read the scale set
      steady.vmss.scale_set_info:
        resource_group: "{{ rollout_resource_group }}"
        name: "{{ rollout_scale_set }}"
"""

RETURN = r"""
_raw:
  description: The options that are given, as one dictionary.
  type: list
  elements: dict
"""

import typing as t
from dataclasses import fields

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions


class LookupModule(LookupBase):
    def run(
        self, _terms: list[t.Any], variables: dict[str, t.Any] | None = None, **_options: t.Any
    ) -> list[dict[str, t.Any]]:
        by_name = lookup_loader.get("ansible.builtin.vars", loader=self._loader, templar=self._templar)
        found = {}
        for option in (one.name for one in fields(ConnectionOptions)):
            values = by_name.run([f"rollout_{option}"], variables, default="")
            if values and values[0] not in (None, ""):
                found[option] = values[0]
        return [found]
