# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of every module that changes Azure: its module does not outlive the play."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.steady.vmss.plugins.module_utils import _controller
from ansible_collections.steady.vmss.plugins.plugin_utils._checked import ActionModule as CheckedModule

_PR_SET_PDEATHSIG = 1


class ActionModule(CheckedModule):
    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Run the module with these options. Under async it lives on: there the worker ends at once, as it should."""
        if not self._task.async_val:
            self._tie()
        return super().execute(args, task_vars)

    def _tie(self) -> None:
        """On Linux this worker ends with the play, and the module with it; and the module asks for both."""
        play = os.getppid()
        if sys.platform == "linux":  # Ansible's worker hands a SIGTERM on to all that it started
            with contextlib.suppress(AttributeError, OSError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != play:
            raise AnsibleError("the play has ended")
        if self._connection.transport == "local":
            controller = {_controller.VARIABLE: _controller.named((play, os.getpid()))}
            self._task.environment = [*(self._task.environment or []), controller]
