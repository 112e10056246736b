# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout as it runs: a live map in a terminal, grouped lines in a CI job."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
type: aggregate
short_description: Shows a rollout while it runs, as a live map of the scale set
version_added: 1.0.0
description:
  - Enable it with C(callbacks_enabled = steady.vmss.rollout) in C(ansible.cfg), or with C(ANSIBLE_CALLBACKS_ENABLED).
  - In a terminal, with the stdout callback P(ansible.builtin.default#callback), it shows a map of each scale set while
    the modules M(steady.vmss.rollout) and M(steady.vmss.instance_upgrade) run. A row is a domain, a cell an instance,
    lettered and coloured by its state. What Ansible prints meanwhile appears above the map.
  - In GitHub Actions and in Azure Pipelines the progress lines are grouped, and a failure of a module of this
    collection becomes an annotation, and the job gets a summary.
  - Everywhere else it shows nothing, and the progress lines appear on stderr as they do without it.
  - C(NO_COLOR) and C(ANSIBLE_NOCOLOR) take the colours away. The letters say the same.
  - It follows the journal of the rollout, where that can be read while the module runs. That is with connection
    V(local), and without become, check mode, async and no_log.
author: [steady.vmss contributors (@steady-vmss)]
options:
  show:
    description:
      - V(auto) shows the map where it can be drawn, and grouped lines in a CI job.
      - V(lines) shows neither, and leaves it to the progress lines on stderr.
    type: str
    choices: [auto, lines]
    default: auto
    ini:
      - section: callback_steady_vmss_rollout
        key: show
    env:
      - name: STEADY_VMSS_SHOW
  last_events:
    description: How many of the last events are shown below the map.
    type: int
    default: 3
    ini:
      - section: callback_steady_vmss_rollout
        key: last_events
    env:
      - name: STEADY_VMSS_LAST_EVENTS
"""

import contextlib
import os
import sys
import threading
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

from ansible_collections.steady.vmss.plugins.module_utils._rollout import ci_job
from ansible_collections.steady.vmss.plugins.module_utils._rollout import map as heat_map
from ansible_collections.steady.vmss.plugins.plugin_utils._journals import Shown
from ansible_collections.steady.vmss.plugins.plugin_utils._progress import Progress
from ansible_collections.steady.vmss.plugins.plugin_utils._screen import LOCK, Screen, is_default

_EVERY = 0.5  # seconds between two looks into the journals
_ACTIONS = ("steady.vmss.rollout", "steady.vmss.instance_upgrade")

display = Display()


def may_draw(terminal: t.TextIO, stdout_callback: str, environment: t.Mapping[str, str]) -> bool:
    return is_default(stdout_callback) and environment.get("TERM", "dumb") != "dumb" and terminal.isatty()


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "steady.vmss.rollout"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self._progress = Progress()
        self._screen: Screen | None = None
        self._ci: ci_job.Commands | None = None
        self._at_work: set[str] = set()  # hosts that run a module which is shown
        self._grouped = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # -- what Ansible says --------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: t.Any) -> None:  # noqa: ARG002
        if self.get_option("show") == "lines":
            return
        if service := ci_job.service_of(os.environ):
            self._ci = ci_job.Commands(service)
        elif may_draw(sys.stdout, str(constants.DEFAULT_STDOUT_CALLBACK), os.environ):
            self._screen = Screen(sys.stdout)
        Shown.by_callback = bool(self._ci or self._screen)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        if not Shown.by_callback or _action(task) not in _ACTIONS:
            return
        with LOCK:
            self._at_work.add(host.name)
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._on_end(result, failed=False)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._on_end(result, failed=not ignore_errors)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._on_end(result, failed=False)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._on_end(result, failed=True)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002
        self._ended.set()
        if self._thread:
            self._thread.join(10)
        with LOCK:
            self._at_work.clear()
            self._show()
            self._close()
        if self._ci:
            self._write_summary(self._ci)

    # -- what is shown ------------------------------------------------------------------------

    def _on_end(self, result: t.Any, *, failed: bool) -> None:
        task, host = result.task, result.host
        with LOCK:
            if host.name in self._at_work:
                self._at_work.discard(host.name)
                self._show()
                self._close()
        if self._ci and _action(task).startswith("steady.vmss."):
            self._annotate(self._ci, result.result, failed=failed)

    def _follow(self) -> None:
        while not self._ended.wait(_EVERY):
            self._show()

    def _show(self) -> None:
        """Under the lock, so that no worker is forked in the middle of this."""
        with LOCK:
            if not Shown.by_callback:
                return
            try:
                lines = self._progress.read()
                if self._ci:
                    self._say(self._ci, lines)
                elif self._screen:
                    self._draw(self._screen)
            except Exception as error:  # the play goes on, whatever becomes of its picture
                Shown.by_callback = False
                self._at_work.clear()
                self._close()
                display.warning(f"steady.vmss.rollout shows nothing any more: {type(error).__name__}: {error}")

    def _draw(self, screen: Screen) -> None:
        for line in self._progress.taken_endings():
            display.display(line, stderr=True)
        running = self._progress.running() if self._at_work else []
        frame = heat_map.frame(running, screen.size(), time.time(), self.get_option("last_events"))
        plain = constants.ANSIBLE_NOCOLOR or bool(os.environ.get("NO_COLOR"))
        as_text = heat_map.plain if plain else heat_map.coloured
        screen.draw([(as_text(line), len(heat_map.plain(line))) for line in frame])

    def _say(self, service: ci_job.Commands, lines: t.Iterable[str]) -> None:
        for line in lines:
            if not self._grouped:
                self._grouped = True
                display.display(service.group("steady.vmss: progress"), stderr=True)
            display.display(line, stderr=True)

    def _close(self) -> None:
        """Where nothing runs any more that is shown."""
        if self._at_work:
            return
        self._progress.pause()
        if self._ci and self._grouped:
            self._grouped = False
            display.display(self._ci.end_group(), stderr=True)
        if self._screen:
            self._screen.close()

    def _annotate(self, service: ci_job.Commands, result: t.Mapping[str, t.Any], *, failed: bool) -> None:
        """The role lets the failure of the module rollout pass, and fails after it with the same words."""
        failure = str(result.get("failure") or (result.get("msg", "") if failed else ""))
        if failure:
            code = str(result.get("code") or "task_failed")
            display.display(service.error("steady.vmss", code, failure.removeprefix(f"{code}: ")), stderr=True)

    def _write_summary(self, service: ci_job.Commands) -> None:
        text = ci_job.summary(self._progress.views.values())
        path = os.environ.get("GITHUB_STEP_SUMMARY")
        if service.service == "azure" and (kept := os.environ.get("AGENT_TEMPDIRECTORY")):
            path = str(Path(kept) / f"steady-vmss-{os.getpid()}.md")
        if not path or not text:
            return
        with contextlib.suppress(OSError):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
            if service.service == "azure":
                display.display(service.summary(path), stderr=True)


def _action(task: t.Any) -> str:
    return str(task.resolved_action or task.action)
