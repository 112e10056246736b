# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set's health source is this one, and no other."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._rollout import commands, health_monitor
from .._rollout.health_monitor import EXTENSION, PROBE, Shown
from .._rollout.model import ScaleSet
from .._rollout.problem import Refused
from .._rollout.upgrade_policy import MANUAL
from . import model_write
from .client import Azure, Clock, OperationRef
from .errors import AzureError

_TO_THE_MODEL = (
    "Instances that are there already get it when they are brought to the model: steady.vmss.instance_upgrade with "
    "whole_model: true."
)
_BY_AZURE = "Azure brings the instances that are there to the model by itself, as upgrade mode {mode} says."


@dataclass(frozen=True)
class SourceChange:
    """Each source before and after, as results show them."""

    scale_set: ScaleSet
    before: Shown
    after: Shown
    notes: t.Sequence[str] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after


def set_source(azure: Azure, clock: Clock, options: t.Mapping[str, t.Any], *, check_mode: bool) -> SourceChange:
    """Bring the health source to what is asked for. Raises Refused before anything is written.

    What needs a source is never without: there the new one is written before the old one is taken away. Elsewhere it is
    the other way round, for whether Azure takes two for a moment is unverified.
    """
    deadline = clock.now() + options["timeout"]
    scale_set = azure.scale_set(options["resource_group"], options["name"])
    before, after = health_monitor.shown(scale_set), health_monitor.wanted(scale_set, options)
    if before == after:
        return SourceChange(scale_set, before, after)
    if check_mode:
        model_write.refuse_beside_rolling_upgrade(
            azure, scale_set, f"set the health source of scale set {scale_set.name}"
        )
    mode = scale_set.upgrade_mode
    notes = [_TO_THE_MODEL if mode == MANUAL else _BY_AZURE.format(mode=mode)]
    steps = [name for name in (EXTENSION, PROBE) if before[name] != after[name]]
    needs = health_monitor.needs(scale_set)
    steps.sort(key=lambda step: (after[step] is None) == bool(needs))
    for name in [] if check_mode else steps:
        writer = _extension if name == EXTENSION else _probe
        try:
            scale_set, note = writer(azure, clock, scale_set, after[name], deadline)
        except AzureError as error:
            if len(steps) == 1 or (name == steps[0]) != bool(needs):
                raise
            hint = (
                f"If Azure takes only one source at a time, turn off meanwhile what needs one: {' and '.join(needs)}."
                if needs
                else "The scale set has no health source now; run the same again. The one that was taken away: "
                f"{before[steps[0]]}."
            )
            raise Refused(f"{str(error).rstrip('.')}. {hint}") from error
        notes += [note] if note else []
    return SourceChange(scale_set, before, after, notes)


def _extension(
    azure: Azure, clock: Clock, scale_set: ScaleSet, wanted: Shown | None, deadline: float
) -> tuple[ScaleSet, str]:
    def done(fresh: ScaleSet) -> bool:
        return bool(health_monitor.shown(fresh)[EXTENSION] == wanted)

    def send(fresh: ScaleSet) -> OperationRef:
        if wanted is None:
            return azure.delete_extension(fresh, str((health_monitor.extension(fresh) or {}).get("name")))
        body = health_monitor.document(fresh, wanted)
        return azure.write_extension(fresh, body["name"], body, whole=True)

    verb, into = ("take", "out of") if wanted is None else ("put", "into")
    what = f"{verb} the Application Health extension {into} the model of scale set {scale_set.name}"
    judge = _judge(azure, what)
    return model_write.until(azure, clock, scale_set, deadline, what=what, done=done, judge=judge, send=send)


def _probe(
    azure: Azure, clock: Clock, scale_set: ScaleSet, wanted: str | None, deadline: float
) -> tuple[ScaleSet, str]:
    def done(fresh: ScaleSet) -> bool:
        return health_monitor.probe_id(fresh).lower() == (wanted or "").lower()

    def send(fresh: ScaleSet) -> OperationRef | None:
        # Whether PATCH merges the network profile is unverified, so it carries the interfaces too.
        network = {**health_monitor.network(fresh), "healthProbe": {"id": wanted} if wanted else None}
        body = model_write.patch(fresh, {"virtualMachineProfile": {"networkProfile": network}})
        return azure.write_model(fresh, body, what=what)

    what = f"{'set' if wanted else 'take away'} the health probe of scale set {scale_set.name}"
    probe = "virtualMachineProfile.networkProfile.healthProbe"
    by_hand = commands.az("vmss update", scale_set.resource_group, scale_set.name, "--remove", probe)
    otherwise = None if wanted else by_hand
    judge = _judge(azure, what)
    return model_write.until(
        azure, clock, scale_set, deadline, what=what, done=done, judge=judge, send=send, otherwise=otherwise
    )


def _judge(azure: Azure, what: str) -> t.Callable[[ScaleSet], None]:
    return lambda fresh: model_write.refuse_beside_rolling_upgrade(azure, fresh, what)
