# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set's health source is this one, and no other."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._arm import model_write
from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._facts import commands
from .._facts.documents import with_model
from .._facts.findings import Finding
from .._facts.problems import Refused
from .._facts.scale_set import ROLLING, ScaleSet
from .._journal import Journal
from .._model import health_source
from .._model.health_source import EXTENSION, PROBE, Shown
from .._options import HealthMonitorRequest
from .._orchestrator import readiness, upgrade_policy
from . import prerequisites

_TO_THE_MODEL = (
    "Instances that are there already get it when they are brought to the model: steady.vmss.instance_upgrade with "
    "whole_model: true."
)


@dataclass(frozen=True)
class SourceChange:
    """Each source before and after, as results show them."""

    scale_set: ScaleSet
    before: Shown
    after: Shown
    notes: t.Sequence[str] = ()
    warnings: t.Sequence[str] = ()
    findings: t.Sequence[Finding] = ()  # of the probe that is asked for

    @property
    def changed(self) -> bool:
        return self.before != self.after


def set_source(azure: Azure, clock: Clock, request: HealthMonitorRequest, *, check_mode: bool) -> SourceChange:
    """Bring the health source to what is asked for. Raises Refused before anything is written.

    What needs a source is never without: there the new one is written before the old one is taken away. Elsewhere it is
    the other way round, for whether Azure takes two for a moment is unverified. What needs one is asked at each send.
    """
    deadline = clock.now() + request.timeout
    may = request.azure_may_upgrade
    scale_set = with_model(azure.scale_set(request.resource_group, request.name))
    before, after = health_source.current(scale_set), health_source.desired(scale_set, request)
    found = _of_the_probe(azure, scale_set, after[PROBE])
    if before == after:
        return SourceChange(scale_set, before, after, findings=found)
    _refuse_where_not_ready(scale_set, found)
    acting = upgrade_policy.acting_on_a_write(scale_set, may=may)
    if check_mode:
        model_write.refuse_beside_rolling_upgrade(
            azure, scale_set, f"set the health source of scale set {scale_set.name}"
        )
    notes = [*([] if acting else [_TO_THE_MODEL]), *map(str, found)]
    warnings = [acting] if acting else []
    if check_mode:
        return SourceChange(scale_set, before, after, notes, warnings, found)
    steps = [name for name in (EXTENSION, PROBE) if before[name] != after[name]]
    replacement = len(steps) > 1 and any(after[name] is not None for name in steps)
    new_first = bool(health_source.needs(scale_set))
    steps.sort(key=lambda step: (after[step] is None) == new_first)
    written = 0
    journal = Journal(request.journal, scale_set=scale_set.id)
    while steps:
        remove, first = after[steps[0]] is None, replacement and not written
        write = _Write(azure, request, journal, may=may, remove=remove, first=first, found=found)
        try:
            scale_set, note = _written(clock, write, steps[0], scale_set, deadline)
        except _Needed:
            scale_set = azure.scale_set(scale_set.resource_group, scale_set.name)
            steps.reverse()  # the new one goes first
            continue
        except (AzureError, Refused) as error:
            if not (replacement and (written or new_first)):
                raise
            half = health_source.half_done(_fresh(azure, scale_set), before, after)
            raise Refused("health_source_half_replaced", f"{str(error).rstrip('.')}. {half}") from error
        steps.pop(0)
        written += 1
        notes += [note] if note else []
    if not _stands(scale_set, request):
        raise _lost(scale_set, before, after, replacement=replacement)
    warnings += journal.warnings
    return SourceChange(scale_set, before, health_source.current(scale_set), notes, warnings, found)


def _of_the_probe(azure: Azure, scale_set: ScaleSet, probe_id: str | None) -> list[Finding]:
    """What of the probe would be in the way of Azure's own upgrades."""
    if not probe_id:
        return []
    named = health_source.with_probe(scale_set, probe_id)
    return list(readiness.probe_findings(named, prerequisites.read_probe(azure, named)))


def _refuse_where_not_ready(scale_set: ScaleSet, found: t.Sequence[Finding]) -> None:
    """Raises Refused where Azure upgrades by itself already, and could not with what was found."""
    rolling = scale_set.upgrade_mode == ROLLING
    if not readiness.errors(found) or not (rolling or scale_set.automatic_os_upgrade):
        return
    purpose = readiness.AUTOMATIC if scale_set.automatic_os_upgrade else readiness.ROLLING_MODE
    raise Refused("not_ready", readiness.refusal(scale_set, purpose, found), findings=[one.as_dict() for one in found])


def _stands(scale_set: ScaleSet, request: HealthMonitorRequest) -> bool:
    try:
        return health_source.current(scale_set) == health_source.desired(scale_set, request)
    except Refused:
        return False


def _lost(scale_set: ScaleSet, before: Shown, after: Shown, *, replacement: bool) -> Refused:
    """Each write was read back, and by the last read another client has undone one of them."""
    said = f"another client changed the health source of scale set {scale_set.name} after this call had written it."
    if replacement:
        half = health_source.half_done(scale_set, before, after)
        return Refused("health_source_half_replaced", f"{said} {half}")
    there = ", ".join(scale_set.health_sources) or "none"
    return Refused("write_taken_back", f"{said} It has {there} now. Run the same again.")


class _Needed(Exception):
    """A source is to be taken away before the new one is there, and by now something needs it."""


def _fresh(azure: Azure, scale_set: ScaleSet) -> ScaleSet | None:
    try:
        return azure.scale_set(scale_set.resource_group, scale_set.name)
    except AzureError:
        return None


@dataclass(frozen=True)
class _Write:
    """One source written or taken away. `first`: of the two writes of a replacement."""

    azure: Azure
    request: HealthMonitorRequest
    journal: Journal
    may: bool
    remove: bool
    first: bool
    found: t.Sequence[Finding]

    def stands(self, fresh: ScaleSet, name: str) -> bool:
        now = health_source.current(fresh)[name]
        return now is None if self.remove else bool(now == health_source.desired(fresh, self.request)[name])

    def judge(self, fresh: ScaleSet, name: str, what: str) -> None:
        upgrade_policy.acting_on_a_write(fresh, may=self.may)
        _refuse_where_not_ready(fresh, self.found)
        if self.remove:
            try:
                health_source.refuse_last(fresh, name)
            except Refused as refusal:
                if self.first:
                    raise _Needed from refusal
                raise
        model_write.refuse_beside_rolling_upgrade(self.azure, fresh, what)

    def extension(self, fresh: ScaleSet, _what: str) -> OperationRef:
        if self.remove:
            return self.azure.delete_extension(fresh, str((health_source.extension(fresh) or {}).get("name")))
        body = health_source.document(fresh, health_source.desired(fresh, self.request)[EXTENSION])
        return self.azure.write_extension(fresh, body["name"], body, whole=True)

    def probe(self, fresh: ScaleSet, what: str) -> OperationRef | None:
        wanted = None if self.remove else {"id": health_source.desired(fresh, self.request)[PROBE]}
        # Whether PATCH merges the network profile is unverified, so it carries the interfaces too.
        network = {**health_source.network(fresh), "healthProbe": wanted}
        body = model_write.patch(fresh, {"virtualMachineProfile": {"networkProfile": network}})
        return self.azure.write_model(fresh, body, what=what)


def _written(clock: Clock, write: _Write, name: str, scale_set: ScaleSet, deadline: float) -> tuple[ScaleSet, str]:
    into = ("take", "out of") if write.remove else ("put", "into")
    what = f"{into[0]} the Application Health extension {into[1]} the model of scale set {scale_set.name}"
    send: t.Callable[[ScaleSet, str], OperationRef | None] = write.extension
    by_hand = None
    if name == PROBE:
        what = f"{'take away' if write.remove else 'set'} the health probe of scale set {scale_set.name}"
        send = write.probe
        probe = "virtualMachineProfile.networkProfile.healthProbe"
        by_hand = commands.az("vmss update", scale_set.resource_group, scale_set.name, "--remove", probe)
    one = model_write.ModelWrite(
        what,
        done=lambda fresh: write.stands(fresh, name),
        judge=lambda fresh: write.judge(fresh, name, what),
        send=lambda fresh: send(fresh, what),
        otherwise=by_hand if write.remove else None,
        has_etag=name == PROBE,
        tell=write.journal.teller(clock.now),
    )
    return model_write.write_model_until(write.azure, clock, scale_set, deadline, one)
