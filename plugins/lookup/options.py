# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a module, as the variables of the roles and playbooks give them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: options
short_description: A module's options from the variables of the roles
version_added: 1.0.0
description:
  - Builds the options of a module of this collection from the variables of the same names with the prefix C(rollout_),
    as C(rollout_max_unavailable), and C(rollout_scale_set) for the scale set's name.
  - The scale set is that of C(rollout_resource_group) and C(rollout_scale_set) whatever the prefix. Where one of them
    is not set, the same name with the prefix, which is deprecated, takes its place.
  - A variable that is not set, or empty, gives no option. How to sign in is for P(steady.vmss.connection#lookup).
author: [steady.vmss contributors (@steady-vmss)]
options:
  _terms:
    description: The module's name; with an option's name after a dot, what that dictionary holds.
    type: list
    elements: str
    required: true
  prefix:
    description: The prefix of the variables' names, without its underscore.
    type: str
    default: rollout
  only:
    description: The options that are given, all where it is empty.
    type: list
    elements: str
    default: []
  back:
    description:
      - Whether the module rolls back. Image and instances are then what C(rollback_image) and C(rollback_instance_ids)
        say, and what a rollback sets itself is not given.
    type: bool
    default: false
  chosen:
    description:
      - Whether C(rollout_instance_ids), C(rollout_update_domains), C(rollout_fault_domains) or C(rollout_zones) must
        choose instances. The action plugin of M(steady.vmss.rollout) refuses a rollout of all of them then.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Roll out as the role does
  steady.vmss.rollout:
  module_defaults:
    steady.vmss.rollout: "{{ lookup('steady.vmss.options', 'rollout') }}"
"""

RETURN = r"""
_raw:
  description: The options that are given, as one dictionary.
  type: list
  elements: dict
"""

import typing as t

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ansible_collections.steady.vmss.plugins.plugin_utils._variables import options_of


class LookupModule(LookupBase):
    def run(
        self, terms: list[str], variables: dict[str, t.Any] | None = None, **options: t.Any
    ) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=options)
        by_name = lookup_loader.get("ansible.builtin.vars", loader=self._loader, templar=self._templar)

        def value_of(name: str) -> t.Any:
            return next(iter(by_name.run([name], variables, default="")), "")

        given = {name: self.get_option(name) for name in ("prefix", "only", "back", "chosen")}
        return [options_of(terms[0], value_of, **given)]
