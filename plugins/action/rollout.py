# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ties the module's life to the play and shows its progress; finds the user's task files, tells the module how they
ended, and lets a rollout whose module was killed alone come to its end.
"""

from __future__ import annotations

import contextlib
import glob
import json
import sys
import typing as t
from pathlib import Path
from types import MappingProxyType

from ansible import constants
from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.commands import TO_FILL_IN
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._facts.report import merge, stats
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    BACK,
    BETWEEN_CALLS,
    ConnectionOptions,
    HookOptions,
    SelectionOptions,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout import status_map
from ansible_collections.steady.vmss.plugins.plugin_utils import _asked, _task_files
from ansible_collections.steady.vmss.plugins.plugin_utils._journal_follower import ActionModule as WaitingModule
from ansible_collections.steady.vmss.plugins.plugin_utils._journal_follower import place_of, work_directory
from ansible_collections.steady.vmss.plugins.plugin_utils._journals import Journals
from ansible_collections.steady.vmss.plugins.plugin_utils._progress import progress_lines
from ansible_collections.steady.vmss.plugins.plugin_utils._screen import is_default
from ansible_collections.steady.vmss.plugins.plugin_utils._variables import listed

# Of the play's own process, where Ansible loads this first: a worker has another stdin.
AT_TERMINAL = sys.stdin is not None and sys.stdin.isatty()
_HOOKS = list(HookOptions.__dataclass_fields__)
_SIGN_IN = list(ConnectionOptions.__dataclass_fields__)
_CHOICES = list(SelectionOptions.__dataclass_fields__)
COLLECTION = Path(__file__).resolve().parents[2]

Args = dict[str, t.Any]

display = Display()


class ActionModule(WaitingModule):
    on_map = True

    def _say(self, lines: t.Iterable[bytes], journals: Journals) -> t.Iterable[str]:
        return progress_lines(lines, journals)

    def refused(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        return with_result(result, self._task.args)

    def execute(self, args: Args, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        if args.get("memory"):  # it goes on as it was asked at its start, whatever its task files have set since
            args = kept(args)
        elif said := self.choice(args, task_vars) or self.overridden(args) or self.found(args, task_vars or {}):
            return with_result({"failed": True, "code": said[0], "msg": said[1]}, args)
        if args.get("hook"):
            args["hook"] = ended(args["hook"])
        if not self._in_sight():
            return with_result(super(WaitingModule, self).execute(args, task_vars), args)
        with work_directory(kept=self._is_on_map()) as directory:
            args["work_dir"] = directory
            if args.get("journal_dir"):
                args["journal_dir"] = self._path(args["journal_dir"])
            with self.showing(_journals(args, directory), task_vars):
                result = super(WaitingModule, self).execute(args, task_vars)
                if "module_stdout" in result and (memory := _kept(directory)):
                    again = {**args, "memory": memory, "died": True, "hook": None}
                    result = super(WaitingModule, self).execute(again, task_vars)
        return with_result(result, args)

    def choice(self, args: Args, task_vars: dict[str, t.Any] | None) -> tuple[Code, str] | None:
        """Where nothing is chosen and somebody sits at a terminal, rows of the map are asked for."""
        said = unchosen(args)
        if said is None or not AT_TERMINAL or not is_default(str(constants.DEFAULT_STDOUT_CALLBACK)):
            return said
        wanted = {name: args[name] for name in (*_SIGN_IN, "resource_group", "name", "image") if name in args}
        read = self._execute_module("steady.vmss.scale_set_info", module_args=wanted, task_vars=task_vars)
        if read.get("failed"):
            return read.get("code", "task_failed"), str(read.get("msg"))
        (shown,) = read["scale_sets"]
        try:
            args["instance_ids"] = status_map.chosen(shown, _answer(status_map.to_choose_from(shown)))
        except Refused as refused:
            return refused.code, f"{refused} Nothing was written."
        return None if args["instance_ids"] else said

    def overridden(self, args: Args) -> tuple[Code, str] | None:
        """Extra variables of a rollout that would say what a rollback says itself."""
        if not args.get("back"):
            return None
        own = {"resource_group": args.get("resource_group"), "scale_set": args.get("name"), "image": args.get("image")}
        own |= {"instance_ids": listed(args.get("instance_ids")), **BACK}
        extra = load_extra_vars(self._loader)
        beaten = [
            f"rollout_{name}"
            for name, value in own.items()
            if f"rollout_{name}" in extra and not _same(extra[f"rollout_{name}"], value)
        ]
        if not beaten:
            return None
        return "variables_overridden", (
            f"{', '.join(beaten)} {'is' if len(beaten) == 1 else 'are'} given as extra variables, and the rollback of "
            f"scale set {args.get('name')} (resource group {args.get('resource_group')}) sets them itself. Omit them, "
            "empty ones too: rollback_image and rollback_instance_ids select the image and the instances. Nothing was "
            "written."
        )

    def found(self, args: Args, task_vars: t.Mapping[str, t.Any]) -> tuple[Code, str] | None:
        """The task files, looked for beside the playbook and where Ansible was started, never in this collection."""
        beside = [Path(str(task_vars.get("playbook_dir", "."))), Path.cwd()]
        places = [place for place in dict.fromkeys(beside) if not place.resolve().is_relative_to(COLLECTION)]
        missing, wrong = [], ""
        for hook in _HOOKS:
            if file := args.get(hook):
                found = next((path for place in places if (path := place / str(file)).is_file()), None)
                missing += [] if found else [f"rollout_{hook} = {file}"]
                args[hook] = str(found)
                if found and not wrong and (why := _task_files.why_none(found, self._loader)):
                    wrong = f"rollout_{hook} = {file}: this file {why}. Nothing was written."
        if not missing:
            return ("option_invalid", wrong) if wrong else None
        return "hook_not_found", (
            f"{', '.join(missing)}: there is no such file in {' or '.join(map(str, places))}. Give the path of a file "
            "of tasks, not the tasks themselves and no directory. Nothing was written."
        )


def _journals(args: Args, work_dir: str) -> Journals:
    kept_in, pattern = args.get("journal_dir"), f"{glob.escape(str(args.get('name')))}-*.jsonl"
    return Journals(place_of(args), kept_in or work_dir, pattern, kept=bool(kept_in))


def kept(args: Args) -> Args:
    """The sign-in, what is said between two calls, and the place that the memory names; the module has the rest."""
    try:
        place = {name: args["memory"]["rules"]["asked"].get(name) for name in ("resource_group", "name", "journal_dir")}
    except (AttributeError, KeyError, TypeError):
        return args  # the module says that this is no memory
    again = {name: args[name] for name in (*_SIGN_IN, *BETWEEN_CALLS, "image") if name in args}
    return {**again, **{name: value for name, value in place.items() if value is not None}}


def unchosen(args: Args) -> tuple[Code, str] | None:
    """A rollout of chosen instances, as the playbook upgrade_instances asks for it, without any that is chosen."""
    if not args.pop("chosen", False) or any(args.get(name) for name in _CHOICES):
        return None
    return "option_invalid", (
        "Choose instances with rollout_instance_ids, rollout_update_domains, rollout_fault_domains or rollout_zones. "
        "The playbook steady.vmss.upgrade_image upgrades them all. Nothing was written."
    )


def _answer(lines: list[str]) -> str:
    """What is typed; "" for somebody who leaves."""
    with contextlib.suppress(AnsiblePromptInterrupt, AnsiblePromptNoninteractive):
        typed: bytes = display.prompt_until("\n".join(lines))
        return typed.decode(errors="replace").strip()
    return ""


def ended(hook: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """How the user's tasks ended, less the words of a task that is no_log: the module's options are logged."""
    if hook["outcome"] == "done":
        return {"outcome": "done"}
    result = hook.get("result") or {}
    failed = [one for one in result.get("results") or [{**result, "failed": True}] if one.get("failed")]
    words = "; ".join(str(one.get("msg", "it gave no message")) for one in failed)
    return {"outcome": "failed", "task": hook.get("task"), "words": None if hook.get("hidden") else words}


def _kept(directory: str) -> t.Any:
    """The memory of a module that was killed; None where it had none yet."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((Path(directory) / "memory.json").read_text(encoding="utf-8"))
    return None


def _same(extra: t.Any, own: t.Any) -> bool:
    if isinstance(own, bool):
        return str(extra).lower() in (("true", "yes", "on", "1", "y", "t") if own else ("false", "no", "off", "0"))
    return bool(listed(extra) == own if isinstance(own, list) else extra == own)


def with_result(result: dict[str, t.Any], args: t.Mapping[str, t.Any] = MappingProxyType({})) -> dict[str, t.Any]:
    """What ends a rollout has a `rollout_result`, also where the module did not come so far, and `stats` of it."""
    if result.get("failed") and not result.get("rollout_result"):
        code = result.setdefault("code", "task_failed" if "module_stdout" in result else "option_invalid")
        if code != "task_failed" and not args.get("memory"):
            result["msg"] = _asked.unwritten(str(result.get("msg")))
        result |= {"next": None, "hooks_due": 0}
        result["rollout_result"] = merge([{"outcome": "refused", "code": code, "arm": result.get("arm") or {}}])
    if result.get("failed"):
        result["msg"] = _asked.by_variable(str(result.get("msg")), args)
    failure = f"{result.get('code', 'task_failed')}: {result.get('msg')}" if result.get("failed") else ""
    place = "/".join(str(args.get(name) or TO_FILL_IN) for name in ("resource_group", "name"))
    kept = stats(place, result["rollout_result"], result.get("journal")) if result.get("rollout_result") else {}
    return {**result, "failure": failure, "stats": kept}
