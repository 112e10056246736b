# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the modules that the collection's own roles and playbooks use: there no module runs for
variables that cannot be meant.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.release import __version__
from ansible.utils.display import Display

from ansible_collections.steady.vmss.plugins.module_utils._facts.releases import old_ansible
from ansible_collections.steady.vmss.plugins.plugin_utils import _asked

display = Display()


class ActionModule(ActionBase):
    _supports_async = True

    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        args, variables = dict(self._task.args), task_vars or {}
        if said := self._misunderstood(args, variables):
            return self.refused({"failed": True, "code": said[0], "msg": said[1]})
        return self.execute(args, task_vars)

    def refused(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result where the module does not run."""
        return result

    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Run the module with these options."""
        detached = bool(self._task.async_val)
        result: dict[str, t.Any] = self._execute_module(module_args=args, task_vars=task_vars, wrap_async=detached)
        return result

    def _misunderstood(self, args: dict[str, t.Any], variables: t.Mapping[str, t.Any]) -> _asked.Said | None:
        """Why it cannot be done or meant. Asked at the start of a rollout: task files may set what they like."""
        if old_release := old_ansible(__version__, sys.executable):
            return "requirements_missing", old_release
        origin = _asked.Origin(Path(str(self._task.get_path()).rpartition(":")[0]).resolve())
        if origin.ours and variables.get("__rollout_in_task_file"):
            return "rollout_nested", _asked.NESTED
        if not origin.ours or args.get("memory"):
            return None
        if old := _asked.deprecated(variables):
            display.deprecated(old, version="2.0.0", collection_name="steady.vmss")
        by_name = lookup_loader.get("ansible.builtin.vars", loader=self._loader, templar=self._templar)
        return (
            _asked.nameless(variables)
            or _asked.unknown(variables, origin.playbook)
            or _asked.without_place(args)
            or _asked.wrong_word(variables, lambda name: by_name.run([name], variables, default="")[0])
            or self._once_per_host(variables)
        )

    def _once_per_host(self, variables: t.Mapping[str, t.Any]) -> _asked.Said | None:
        if self._runs_once():
            return None
        names = {name for ours in _asked.known().values() for name in ours}

        def own(host: str) -> dict[str, t.Any]:
            of_host = variables["hostvars"][host]
            try:
                return {name: of_host[name] for name in names if name in of_host}
            except AnsibleError:  # in a variable that the play may not even read
                return {"": host}

        hosts = variables.get("ansible_play_hosts_all") or ()
        return _asked.once_per_host(variables["inventory_hostname"], hosts, own) if len(hosts) > 1 else None

    def _runs_once(self) -> bool:
        """An include does not hand it on."""
        part = self._task
        while part is not None:
            if part.run_once:
                return True
            part = getattr(part, "_parent", None)
        return False
