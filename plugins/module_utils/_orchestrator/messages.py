# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade of Azure's own that did not end well says to the person who has to go on with it."""

from __future__ import annotations

import typing as t

from .._facts import commands, sentences
from .._facts.domains import ranges
from .._facts.images import Image
from .._facts.report import Outcome
from . import stop_reason
from .observation import OS
from .rolling_upgrade import CANCELLED, COMPLETED, RollingRun

_VERBS: dict[Outcome | None, str] = {
    "stopped": "stopped",
    "rolled_back": "stopped and was rolled back",
    "failed": "did not finish",
}


def stopped(run: RollingRun, previous: Image | None, read_at: float | None = None) -> str:
    """What was attempted, what happened, what runs where now, and the commands that go on and go back. `read_at`: of
    what Azure tells no more.
    """
    scale_set = run.watch.scale_set
    wanted = "rolling OS upgrade" if run.watch.kind == OS else "rolling extension upgrade"
    to = f" to {run.watch.target}" if run.watch.target is not None else ""
    what = f"Azure's {wanted} of scale set {scale_set.name} (resource group {scale_set.resource_group}){to}"
    began = run.current is not None or run.acted or run.report.outcome != "failed"
    verb = _VERBS.get(run.report.outcome, "ended") if began else "did not start"
    how = f"{verb}: {run.report.end.why.rstrip('.')}."
    runs = sentences.runs(run.watch.now.values(), run.watch.unavailable)
    parts = [f"{what} {how}", sentences.as_last_read(runs, read_at), _disks(run, previous), _go_on(run)]
    return " ".join(part for part in parts if part)


def died(args: t.Mapping[str, t.Any]) -> str:
    """Of a module that was killed alone."""
    place = f"scale set {args.get('name')} (resource group {args.get('resource_group')})"
    return (
        f"The module that ran Azure's upgrade of {place} ended without a result. What Azure has accepted continues "
        "there: run the same again, it follows the upgrade that runs."
    )


def _disks(run: RollingRun, previous: Image | None) -> str:
    """What Azure did with the OS disks of the instances that failed."""
    if run.watch.kind != OS or run.current is None or run.current.code != "Faulted":
        return ""
    past = run.history_entry
    if run.restored is None:
        return (
            "Azure's history does not show whether it restored OS disks (the permission is "
            "Microsoft.Compute/virtualMachineScaleSets/osUpgradeHistory/read); what the instances run stands above."
        )
    if past is not None and past.restored:
        back = [i for i, one in run.report.instances.items() if one.outcome == "rolled_back"]
        left = f", and could not be on {past.not_restored}" if past.not_restored else ""
        said = f" ({past.restore_problem})" if past.restore_problem else ""
        read = f"instances {ranges(back)} run their previous image again" if back else "no instance reports it"
        said = f"the previous OS disk was restored on {past.restored} instances{left}{said}"
        return f"Azure's history says that {said}; {read}."
    scale_set = run.watch.scale_set
    place = {"rollout_resource_group": scale_set.resource_group, "rollout_scale_set": scale_set.name}
    image = {"rollback_image": str(previous)} if previous else {}
    by_hand = past is None or past.started_by == "User"
    why = " A manually started upgrade has no automatic rollback." if by_hand else ""
    first = (
        " Turn automatic OS upgrades off first (playbook steady.vmss.disable_automatic_upgrades)."
        if scale_set.automatic_os_upgrade
        else ""
    )
    return f"Azure restored no OS disk.{why} Roll back:{first} {commands.playbook('rollback', {**place, **image})}"


def _go_on(run: RollingRun) -> str:
    scale_set = run.watch.scale_set
    problem = run.report.end.problem
    if problem is not None and stop_reason.instances_are_pinned(problem):
        return (
            "Azure checks the model that the instances have, not only the scale set's: bring an instance to the "
            "model first, with steady.vmss.instance_upgrade and whole_model: true."
        )
    if run.wanted == CANCELLED:
        return f"Cancel it again: {commands.of('cancel_upgrade', scale_set)}"
    if run.watch.kind != OS:
        return "Continue, once the cause is fixed: run the same again."
    go_on = "Continue, once the cause is fixed"
    if run.current is not None and run.current.running:
        go_on = f"{_unanswered(run)}Wait further"
    if run.wanted == COMPLETED and run.patience.start and run.current is None:
        go_on = "Run the same again to wait longer, or start it manually"
    return f"{go_on}: {commands.of('trigger_os_upgrade', scale_set)}"


def _unanswered(run: RollingRun) -> str:
    """What Azure may be waiting for."""
    properties = run.watch.scale_set.document.get("properties") or {}
    asked = [
        *(["an approval (steady.vmss.deferred_upgrade)"] if run.watch.scale_set.deferred_os_upgrade else []),
        *(["an answer to its hooks (steady.vmss.lifecycle_event)"] if properties.get("lifecycleHooksProfile") else []),
    ]
    return f"It may wait for {' or '.join(asked)}. " if asked else ""


def cancellation(result: t.Mapping[str, t.Any], *, check_mode: bool) -> str:
    """How a cancellation ended, of the module's result: whether it was one, and what is upgraded."""
    before, ended = result["before"], result["rollout_result"]
    if not result["changed"] and (before is None or not before["running"]):
        return "No rolling upgrade runs."
    missing = [*result["not_done"], *result["left_alone"], *result["unproven"]]
    counted = f"Upgraded: {', '.join(result['done']) or 'none'}. Not upgraded: {', '.join(missing) or 'none'}."
    if ended["code"] == "upgrade_cancelled":
        return f"Cancelled. {counted}"
    return f"It would be cancelled. {counted}" if check_mode else f"Not cancelled: {ended['why']}. {counted}"


def latest(shown: t.Mapping[str, t.Any] | None) -> str:
    """Azure's latest upgrade, as the results show it."""
    if shown is None:
        return "Azure reports no rolling upgrade."
    counts = {name: shown["counts"].get(name, 0) for name in ("successful", "failed", "in_progress", "pending")}
    listed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    reason = f". {shown['reason']['sentence']}" if shown["reason"] else ""
    return f"{shown['code']}, started {shown['started']}: {listed} instances{reason}"


def past(shown: t.Mapping[str, t.Any]) -> str:
    """An entry of Azure's history of OS upgrades, as the results show it."""
    image, counts = shown["target_image"], shown["counts"]
    to = image.get("version") or next(iter(image.values())) if image else "an image that Azure does not report"
    restored = f", {shown['restored']} restored" if shown["restored"] else ""
    reason = f". {shown['reason']['sentence']}" if shown["reason"] else ""
    return (
        f"{shown['started']}: {shown['code']}, started by {shown['started_by'] or 'an unknown client'}, ended "
        f"{shown['ended'] or 'not yet'}, to {to}, {counts.get('successful', 0)} of {sum(counts.values())} "
        f"instances{restored}{reason}"
    )


def progress(event: t.Mapping[str, t.Any]) -> str:
    """One event of the journal for somebody who waits; "" for what tells nothing new and for what others wrote."""
    known = {name: "an unknown time" if value is None else value for name, value in event.items()}
    counts = [event.get(name, 0) for name in ("successful", "in_progress", "pending", "failed")]
    said = {
        "waiting": "{reason}; waits until {until} at most",
        "upgrade_sent": "Azure accepted the request to start",
        "cancel_sent": "Azure accepted the cancellation and finishes the batch in progress",
        "request_failed": "the request failed: {problem}",
        "adopted": "follows the upgrade that has run since {upgrade_started}",
        "started": "the upgrade started at {upgrade_started}",
        "progress": (
            f"{{code}}: {counts[0]} of {sum(counts)} instances successful, {counts[1]} in progress, "
            f"{counts[2]} pending, {counts[3]} failed"
        ),
        "verifying": "Azure shows no upgrade in progress any more; verifies the instances",
    }.get(str(event.get("event")), "")
    try:
        return said.format_map(known)
    except KeyError:  # another module's event of that name
        return ""
