# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses variables that cannot be meant, and looks again and again where somebody watches what runs in a scale set."""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display

from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._rollout import watching
from ansible_collections.steady.vmss.plugins.plugin_utils._checked import ActionModule as CheckedModule

display = Display()

Result = dict[str, t.Any]


class ActionModule(CheckedModule):
    def execute(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> Result:
        asked = args.pop("watch", None)
        try:
            every = watching.interval(asked)
        except Refused as refused:
            return {"failed": True, "code": refused.code, "msg": str(refused)}
        if every is None or self._task.async_val:
            return super().execute(args, task_vars)
        return self._watched(every, args, task_vars)

    def _watched(self, every: float, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> Result:
        """The last look. Each that shows something new is shown on stderr, for stdout may be a callback's."""
        result = super().execute({**args, "also_read": ["rolling_upgrade"]}, task_vars)
        calls, changed, told = 0, time.monotonic(), None
        while not result.get("failed"):
            calls += result["arm"]["calls"]
            lines, entries = result["lines"], result["scale_sets"]
            if lines != told:
                changed, told = time.monotonic(), lines
                if not self._task.no_log:
                    display.display("\n".join([time.strftime("%H:%M:%SZ", time.gmtime()), *lines]), stderr=True)
            stuck = time.monotonic() - changed > watching.PATIENCE
            if stuck or not watching.runs(entries):
                why = watching.STUCK if stuck else watching.ENDED
                return {**result, "arm": {**result["arm"], "calls": calls}, "watched": why}
            time.sleep(watching.pause(every, result["arm"]["calls"]))
            result = super().execute(watching.next_options(args, entries), task_vars)
        return result
