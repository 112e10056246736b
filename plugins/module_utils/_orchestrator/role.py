# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role azure_rolling_upgrade does next and says, of the results of its tasks so far."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._facts import commands
from .._facts.report import merge, stats
from .._facts.sentences import named

Result = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Asked:
    """The role's variables, as strings where they may be. `sign_in`: the connection options, by the roles' names."""

    resource_group: str
    scale_set: str
    type: str = "os"
    on_failure: str = "stop"
    wait_for_start: str = ""
    journal: str = ""  # the file that the upgrade writes, "" for none
    sign_in: t.Mapping[str, t.Any] = field(default_factory=dict)

    def command(self, playbook: str, **more: t.Any) -> str:
        place = {"rollout_resource_group": self.resource_group, "rollout_scale_set": self.scale_set}
        return commands.playbook(playbook, {**place, **more, **self.sign_in})

    @property
    def which(self) -> str:
        return "failed" if self.on_failure == "rollback_failed" else "all"


@dataclass(frozen=True)
class Done:
    """Results of the role's tasks, empty for what has not run.

    `turned_off`: of turning automatic upgrades off. `backs`: each rollback's `group`, `rollout_result` and `failure`.
    """

    plan: Result
    end: Result = field(default_factory=dict)
    turned_off: Result = field(default_factory=dict)
    backs: t.Sequence[Result] = ()
    check_mode: bool = False

    @property
    def planned(self) -> str:
        return str(self.plan.get("planned", "none"))


def role(done: Done, asked: Asked) -> dict[str, t.Any]:
    """All that the role needs to know: whether to run the upgrade, what to put back, its result and its words."""
    plan = done.plan
    result = _result(done)
    failure = _failure(done, asked)
    return {
        "runs": done.planned != "none" and not done.check_mode and "code" not in plan,
        "upgrade_started": plan.get("upgrade_started"),
        "upgrade_known": plan.get("upgrade_known"),
        "turns_off": bool(_groups(done, asked)) and plan.get("automatic_os_upgrade") is True,
        "groups": [] if "code" in done.turned_off else _groups(done, asked),
        "goes_on_back": all(not back["failure"] for back in done.backs),
        "summary": None if "code" in plan else _summary(done, asked),
        "rollout_result": result,
        "stats": stats(f"{asked.resource_group}/{asked.scale_set}", result, asked.journal if done.end else None),
        "failure": f"{result['code'] or 'task_failed'}: {failure}" if failure else "",
        "report": _report(done, result),
    }


def _groups(done: Done, asked: Asked) -> list[dict[str, t.Any]]:
    """What is put back: Azure stopped at instances that do not become healthy, and left the new disk on them."""
    known = done.end.get("reason") is not None and done.end.get("restored") is not None
    if not known or not _would_go_back(done, asked):
        return []
    return [{**one, "instance_ids": one[asked.which]} for one in _ran(done, asked) if one["image"]]


def _would_go_back(done: Done, asked: Asked) -> bool:
    outcome = (done.end.get("rollout_result") or {}).get("outcome")
    return asked.on_failure not in ("", "stop") and asked.type in ("", "os") and outcome == "stopped"


def _ran(done: Done, asked: Asked) -> list[Result]:
    return [one for one in done.end.get("put_back") or [] if one[asked.which]]


# -- the result -------------------------------------------------------------------------------------


def _result(done: Done) -> dict[str, t.Any]:
    plan, end = done.plan, done.end
    if "code" in plan:
        refused = {"outcome": "refused", "code": plan["code"], "arm": plan.get("arm") or {}}
        return merge([plan.get("rollout_result") or refused])
    first = plan["rollout_result"]
    steps = [first if done.check_mode else {**first, "outcome": "unchanged", "batches": []}]
    if end:
        without = {"outcome": "failed", "code": end.get("code"), "arm": end.get("arm") or {}}
        steps.append(end.get("rollout_result") or without)
    steps += [{**back["rollout_result"], "puts_back": True} for back in done.backs if back["rollout_result"]]
    return merge(steps)


def _are_back(back: Result) -> list[str]:
    instances = (back["rollout_result"] or {}).get("instances") or {}
    return [one for one, report in instances.items() if report["outcome"] == "upgraded"]


# -- the words --------------------------------------------------------------------------------------


def _summary(done: Done, asked: Asked) -> dict[str, t.Any]:
    plan = done.plan
    shown = plan["rollout_result"]
    return {
        "planned": plan["planned"],
        "target": shown["target_image"],
        "previous": shown["previous_image"],
        "instances": plan["not_done"],
        "left_alone": plan["left_alone"],
        "findings": [one["sentence"] for one in plan.get("findings") or []],
        "rollback": _no_way_back_of_azures(done, asked),
        "progress": f"Shown at any time by {asked.command('upgrade_history')}, by the journal in "
        "azure_rolling_upgrade_journal_dir step by step, and below where the play waits on the controller itself.",
    }


def _no_way_back_of_azures(done: Done, asked: Asked) -> str:
    plan = done.plan
    by_itself = plan.get("automatic_os_upgrade") and asked.wait_for_start != "0"
    running = (plan.get("before") or {}).get("running")
    if done.planned == "none" or asked.type not in ("", "os") or running or by_itself:
        return ""
    previous = plan["rollout_result"]["previous_image"]
    command = asked.command("rollback", **({"rollback_image": previous} if previous else {}))
    return (
        "Azure restores no OS disk after a manually started upgrade, unless the policy sets "
        "rollbackFailedInstancesOnPolicyBreach. To go back: azure_rolling_upgrade_on_failure=rollback_all, or "
        f"afterwards {command}"
    )


def _failure(done: Done, asked: Asked) -> str:
    for one in (done.plan, done.end):
        if "code" in one:
            parts = [one.get("msg", ""), _at_the_plan(done), _unknown(done, asked), *_put_back(done, asked)]
            return " ".join(part for part in parts if part)
    return ""


def _at_the_plan(done: Done) -> str:
    """What ran where, of a module that has not come to say it."""
    if "code" not in done.end or done.end.get("rollout_result") or "done" not in done.plan:
        return ""
    target, done_then = done.plan["rollout_result"]["target_image"], done.plan["done"]
    here = (
        f"{named(done_then)} ran {_named(target or {}) or 'the newest'}" if done_then else "none ran the newest version"
    )
    return f"When the role began, of its instances {here}; {named(done.plan['not_done']) or 'none'} did not."


def _unknown(done: Done, asked: Asked) -> str:
    ids = [i for one in _ran(done, asked) if not one["image"] for i in one[asked.which]]
    if not ids or not _would_go_back(done, asked):
        return ""
    command = asked.command("rollback")
    return (
        f"What instances {', '.join(ids)} ran before is not known, so they were not rolled back: {command} with "
        "rollback_image and rollback_instance_ids."
    )


def _put_back(done: Done, asked: Asked) -> t.Iterator[str]:
    groups = _groups(done, asked)
    if not groups or not (done.backs or "code" in done.turned_off):
        return
    for back in done.backs:
        if not back["failure"]:
            yield _is_back(back)
    off = ""
    if done.turned_off.get("changed"):
        off = "Automatic OS upgrades are off now; playbook steady.vmss.enable_automatic_upgrades turns them on again."
    failures = (*(back["failure"] for back in done.backs), done.turned_off.get("msg"))
    kept_from_it = next((one for one in failures if one), "")
    if not kept_from_it:
        yield f"The model names {_named(groups[-1]['image'])}."
        yield off
        return
    back_ids = {one for back in done.backs for one in _are_back(back)}
    missing = [i for group in groups for i in group["instance_ids"] if i not in back_ids]
    if missing:
        yield f"Instances {', '.join(missing)} could not be rolled back."
    else:
        yield "The instances run their previous image again, but a step failed."
    yield f"{off} The cause: {kept_from_it}".strip()


def _is_back(back: Result) -> str:
    group, ids = back["group"], _are_back(back)
    guessed = [one for one in group["assumed"] if one in ids]
    how = f"; what {', '.join(guessed)} ran before is not known, and the others ran this" if guessed else ", as before"
    return f"Instances {', '.join(ids) or 'none'} run {_named(group['image'])} now{how}."


def _named(image: Result) -> str:
    return ":".join(map(str, image.values()))


def _report(done: Done, result: Result) -> str:
    unavailable = result["unavailable"]
    seen = (
        f" At least {unavailable['max_seen']} of them were unavailable at once; the policy allows "
        f"{unavailable['max_allowed']}."
        if unavailable["max_seen"] and not done.check_mode
        else ""
    )
    return (
        f"{'It would be ' if done.check_mode else ''}{result.get('outcome')}: {len(result['instances'])} instances, "
        f"{result['arm']['calls']} ARM calls.{seen}"
    )
