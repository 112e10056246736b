# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model's image is this one: a PATCH of the image and our tags, and of nothing else."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field, replace

from .._arm import model_write, operations
from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._arm.redaction import redact
from .._facts import catalogue, commands, images
from .._facts.documents import at, profile, with_model
from .._facts.images import Image
from .._facts.problems import Refused
from .._facts.scale_set import MANUAL, ImageFacts, ImageVersion, RollingUpgrade, ScaleSet
from .._facts.times import timestamp
from .._journal import Journal
from .._model import security_type
from .._options import ImageRequest
from .._rollout import model_diff, preflight, record
from .._rollout.image_preflight import Known
from .._rollout.record import Record
from .._rollout.survey import Survey
from . import upgrade_plan_info

_LONGEST_SHOWN = 400  # characters of a lost member's value


@dataclass(frozen=True)
class ImageChange:
    """The outcome: what the model named before and names now. `after` is what was read last."""

    before: ScaleSet
    after: ScaleSet
    target: Image
    changed: bool
    note: str = ""
    warnings: t.Sequence[str] = ()
    joined: bool = False  # the record that stands is another controller's, of the same rollout
    security_type: str | None = None  # that was asked for

    @property
    def shown_before(self) -> dict[str, str]:
        return {**(images.show(self.before.image) or {}), "security_type": security_type.current(self.before)}

    @property
    def shown_after(self) -> dict[str, str]:
        wanted = self.security_type if self.changed else None
        kind = security_type.kind_of(wanted) if wanted else security_type.current(self.after)
        return {**(images.show(self.target) or {}), "security_type": kind}


def without_same_type(before: dict[str, str], after: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Two images as they are shown, with their security types only where these differ."""
    if before["security_type"].lower() != after["security_type"].lower():
        return before, after
    kept = [{name: value for name, value in one.items() if name != "security_type"} for one in (before, after)]
    return kept[0], kept[1]


class _LeavePinned(Exception):
    """`latest` no longer means the image that it must mean."""


@dataclass
class _Write:
    """One call's wishes, and what of the first read they rest on."""

    azure: Azure
    clock: Clock
    request: ImageRequest
    first: ScaleSet
    target: Image
    record: Record | None
    deadline: float
    journal: Journal
    known: ImageFacts | None  # of the target, or of another image
    requested: float | None = None  # when a write was sent last
    last: ScaleSet = field(init=False)
    read_at: float = field(init=False)  # when `last` was
    sent: list[ScaleSet] = field(default_factory=list)  # the documents that the image was written on, oldest first

    def __post_init__(self) -> None:
        self.last, self.read_at = self.first, self.clock.now()

    def state(self) -> str:
        """What stands, as far as this call knows; how to go on is the role's to say where it wrote a record."""
        asked = {"resource_group": self.last.resource_group, "scale_set": self.last.name, "image": str(self.target)}
        command = commands.playbook("upgrade_image", {f"rollout_{name}": value for name, value in asked.items()})
        go_on = "" if self.record else f" Continue, once the cause is fixed: {command}"
        return (
            f"The model of scale set {self.last.name} (resource group {self.last.resource_group}) named "
            f"{self.last.image} in upgrade mode {self.last.upgrade_mode} as last read at {timestamp(self.read_at)}; "
            f"at {timestamp(self.requested)} a write was sent, and Azure may have done it. It touches no "
            f"instance.{go_on}"
        )

    @property
    def to_manual(self) -> bool:
        return self.request.upgrade_mode == MANUAL

    @property
    def ends(self) -> bool:
        """Whether only the end of a rollout is to be recorded: no other image is meant to be replaced."""
        if self.record is None or self.record.open or self.needs_mode:
            return False
        given = self.request.replaces
        meant = images.parse(given) if given else self.first.image
        return images.same(meant, self.target) and self.security_to_write(self.first) is None

    @property
    def is_later(self) -> bool:
        """Whether the rollout has written before: it ends, goes back or goes on."""
        ours, found = self.record, record.read(self.first.tags)
        return ours is not None and (ours.state != record.IN_PROGRESS or (found is not None and found.id == ours.id))

    @property
    def needs_mode(self) -> bool:
        return self.to_manual and self.first.upgrade_mode != MANUAL

    # -- what stands ----------------------------------------------------------------------------

    def image_stands(self, fresh: ScaleSet) -> bool:
        # Whether Azure shows a SAS is unverified: one that is not shown is ours with a new VHD, or when sent twice.
        shown = fresh.image is not None and fresh.image.signed
        if shown or not self.target.signed or not images.same(fresh.image, self.target):
            return images.written(fresh.image, self.target)
        return len(self.sent) > 1 or (bool(self.sent) and not images.same(self.first.image, self.target))

    def record_stands(self, fresh: ScaleSet) -> bool:
        if self.record is None:
            return True
        found = record.read(fresh.tags)
        if self.image_stands(fresh) and not self.record.open and (found is None or self._has_ended(found)):
            return True  # no end is written of a rollout that is not there, and none over another end
        return found == self.record or self.joins(fresh)

    def joins(self, fresh: ScaleSet) -> bool:
        found = record.read(fresh.tags)
        return self.record is not None and found is not None and self.record.joins(found)

    def _has_ended(self, found: Record) -> bool:
        """Whether another controller of the same rollout has brought it to an end, and to another one than this."""
        ours = self.record is not None and found.id == self.record.id
        return ours and self.record is not None and found.final and found.state != self.record.state

    def security_to_write(self, fresh: ScaleSet) -> str | None:
        wanted = self.request.security_type
        return None if security_type.stands(fresh, wanted) else wanted

    def model_stands(self, fresh: ScaleSet) -> bool:
        return self.image_stands(fresh) and self.security_to_write(fresh) is None

    def stands(self, fresh: ScaleSet) -> bool:
        return self.model_stands(fresh) and self.record_stands(fresh)

    def is_done(self, fresh: ScaleSet) -> bool:
        """An image that came without its security type is not written again: the comparison tells what is missing."""
        came = bool(self.sent) and not images.written(self.first.image, self.target) and self.image_stands(fresh)
        return self.stands(fresh) or (came and self.record_stands(fresh))

    # -- whether it may be written ----------------------------------------------------------------

    def judge_mode(self, fresh: ScaleSet) -> None:
        self._judge(fresh, to_manual=True)

    def judge(self, fresh: ScaleSet) -> None:
        """Into another mode than Manual nothing is written, for Azure would act on it at once."""
        self._judge(fresh, to_manual=False)

    def _judge(self, fresh: ScaleSet, *, to_manual: bool) -> None:
        self.last, self.read_at = fresh, self.clock.now()
        self._refuse_where_changed(fresh)
        versions: list[ImageVersion] = []
        exact, facts = self.target, ImageFacts(self.target)
        if self.request.latest_must_mean or not self.model_stands(fresh):  # else only the record is written
            versions = upgrade_plan_info.versions_of(self.azure, self.target, fresh)
            known, self.known = self.known, None  # only the first time
            if known and known.image == self.target:
                facts = known
            else:
                exact, facts = upgrade_plan_info.exact_of(self.azure, self.target, fresh, versions)
        if self.request.latest_must_mean:
            expected = images.parse(self.request.latest_must_mean)
            other = catalogue.newest_as_text(self.target, versions, fresh.location)
            if not images.same(exact, expected):
                raise _LeavePinned(f"latest means {exact} now, not {expected}; the model stays pinned")
            if other is not None and not images.same(other, expected):
                raise _LeavePinned(
                    f"Azure may order the versions as text, and latest then means {other}, not {expected}; the model "
                    "stays pinned"
                )
        security = self.security_to_write(fresh)
        kind = security_type.kind_of(security) if security else None
        request = preflight.Request(to_manual=to_manual, managed_elsewhere=True, security_type=kind)
        observed = preflight.Observed(Known(facts), self._rolling_upgrade(fresh))
        found = preflight.findings(Survey(fresh, (), exact), observed, request)
        if errors := [str(finding) for finding in found if finding.severity == preflight.ERROR]:
            raise Refused("preflight_failed", " ".join(errors), findings=[finding.as_dict() for finding in found])
        if self.record:
            record.with_record(fresh.tags, self.record)

    def _refuse_where_changed(self, fresh: ScaleSet) -> None:
        """The image and the record that are replaced are those that the decision rests on."""
        given = self.request.replaces
        expected = images.parse(given) if given else self.first.image
        if not (images.same(fresh.image, expected) or (fresh.image and images.same(fresh.image, self.target))):
            raise Refused(
                "image_changed",
                f"the model of scale set {fresh.name} names {fresh.image} and not {expected}: another client has "
                "changed it. Nothing was written.",
            )
        theirs = record.read(fresh.tags)
        allowed = self.request.replaces_rollout
        if allowed is None:
            found = record.read(self.first.tags)
            allowed = found.id if found else ""
        if theirs and self.record and not self.record.open and self._has_ended(theirs):
            raise Refused(
                "rollout_ended",
                f"rollout {theirs.id} on scale set {fresh.name} has ended as {theirs.state} meanwhile, by another "
                "controller. Nothing was written.",
            )
        if words := record.of_another(fresh, allowed, self.record.id if self.record else ""):
            raise Refused("rollout_changed", f"{words}. Nothing was written.")

    def _rolling_upgrade(self, fresh: ScaleSet) -> RollingUpgrade | None:
        """The latest of Azure's own. The write that sets the model back after a stop waits until that one has ended."""
        sets_back = self.record is not None and not self.record.open and not self.image_stands(fresh)
        found = self.azure.latest_rolling_upgrade(fresh)
        while sets_back and found is not None and found.running and self.clock.now() <= self.deadline:
            self.clock.sleep(operations.RETRY)
            found = self.azure.latest_rolling_upgrade(fresh)
        return found

    # -- the writes -----------------------------------------------------------------------------

    def mode(self, scale_set: ScaleSet) -> ScaleSet:
        """The mode alone, read back, so that no image is ever written into another mode."""
        properties = {"upgradePolicy": {"mode": MANUAL}}
        return self._until(
            scale_set,
            what=f"set scale set {scale_set.name} from upgrade mode {scale_set.upgrade_mode} to {MANUAL}",
            done=lambda fresh: fresh.upgrade_mode == MANUAL,
            judge=self.judge_mode,
            body=lambda fresh: model_write.patch(fresh, properties),
        )

    def image(self, scale_set: ScaleSet) -> ScaleSet:
        def body(fresh: ScaleSet) -> model_write.Body:
            image = None if self.image_stands(fresh) else self.target
            if image is not None and self.record is not None and self.record.names(image):  # maybe long after the plan
                self.record = replace(self.record, started=float(int(self.azure.server_time or self.record.started)))
            self.sent.append(fresh)
            return image_patch(fresh, image, self.record, self.security_to_write(fresh))

        security = self.security_to_write(scale_set)
        with_type = f" with security type {security_type.kind_of(security)}" if security else ""
        what = (
            f"write the record of rollout {self.record.id} on scale set {scale_set.name}"
            if self.record and self.model_stands(scale_set)
            else f"set the image of scale set {scale_set.name} to {self.target}{with_type}"
        )
        return self._until(scale_set, what=what, done=self.is_done, judge=self.judge, body=body)

    def _until(
        self,
        scale_set: ScaleSet,
        *,
        what: str,
        done: t.Callable[[ScaleSet], bool],
        judge: t.Callable[[ScaleSet], None],
        body: t.Callable[[ScaleSet], model_write.Body],
    ) -> ScaleSet:
        def send(fresh: ScaleSet) -> OperationRef | None:
            self.requested = self.clock.now()
            return self.azure.write_model(fresh, body(fresh), what=what)

        tell = self.journal.teller(self.clock.now)
        # Nothing follows the end of a rollout, so it is enough that Azure shows it.
        write = model_write.ModelWrite(what, done, judge, send, tell=tell, awaits=not self.ends)
        written, _note = model_write.write_model_until(self.azure, self.clock, scale_set, self.deadline, write)
        return written

    # -- what came of it --------------------------------------------------------------------------

    def compared(self, written: ScaleSet) -> list[str]:
        """Warnings for what the document has more than before. Raises Refused where it has less."""
        if not self.sent:
            return []
        before, after = self.sent[-1].document, written.document
        if wanted := self.request.security_type:  # exactly that, and nothing beside it
            before, after = security_type.plain(security_type.written(before, wanted)), security_type.plain(after)
        difference = model_diff.compare(before, after)
        if difference.lost:
            lost = "; ".join(f"{path} was {_shown(value)}" for path, value in difference.lost.items())
            raise Refused(
                "model_members_lost",
                f"the model of scale set {written.name} (resource group {written.resource_group}) is not what it was "
                f"before its image was written: {lost}. It names {written.image} now, and new instances are made of "
                "it. No instance was touched, and nothing more is written. Restore the members, then run the same "
                "again.",
                lost={path: _shown(value) for path, value in difference.lost.items()},
            )
        if difference.added:
            added = "; ".join(f"{path} = {_shown(value)}" for path, value in difference.added.items())
            return [f"since the write scale set {written.name} has changed besides the image: {added}"]
        return []


def set_image(
    azure: Azure, clock: Clock, request: ImageRequest, *, check_mode: bool, known: ImageFacts | None = None
) -> ImageChange:
    """Bring the model to the image, the record and, where that is asked for, the mode Manual.

    `known`: what the plan has read right before of its image.

    Raises Refused before, and AzureError at, a write that cannot be. Where only the record is left to write, and it
    cannot be, that is a warning: the rollout stays what it was, and its next run closes the record.
    """
    new_record = upgrade_plan_info.record_from(request.record)
    first = with_model(azure.scale_set(request.resource_group, request.name))
    target = images.complete(images.parse(request.image), first.image)
    found = record.read(first.tags)
    if new_record and found and found.id == new_record.id:  # the time of the write is on the set alone
        new_record = replace(new_record, started=found.started)
    journal = Journal(request.journal, scale_set=first.id, rollout=new_record.id if new_record else None)
    write = _Write(azure, clock, request, first, target, new_record, clock.now() + request.timeout, journal, known)
    if write.stands(first) and not write.needs_mode:
        return ImageChange(first, first, target, changed=False, joined=write.joins(first))
    try:
        if check_mode:
            write.judge_mode(first) if write.needs_mode else write.judge(first)
            return ImageChange(first, first, target, changed=True, security_type=request.security_type)
        scale_set = write.mode(first) if write.needs_mode else first
        scale_set = scale_set if write.stands(scale_set) else write.image(scale_set)
    except _LeavePinned as reason:
        return ImageChange(first, first, target, changed=False, note=str(reason))
    except (Refused, AzureError) as error:
        if isinstance(error, Refused) and write.is_later:
            error = error.after_earlier_calls()
        if not write.ends or new_record is None:
            if isinstance(error, AzureError) and write.requested is not None:
                error.and_now(write.state())
            raise error from None
        words = _end_unrecorded(new_record, error, write.last)
        return ImageChange(first, first, target, changed=False, note=words, warnings=[*journal.warnings, words])
    warnings = write.compared(scale_set)
    warnings = [*journal.warnings, *warnings]
    return ImageChange(
        first,
        scale_set,
        target,
        bool(azure.written),
        warnings=warnings,
        joined=write.joins(scale_set),
        security_type=request.security_type,
    )


def _end_unrecorded(ended: Record, error: Refused | AzureError, last: ScaleSet) -> str:
    """The rollout itself is over, so this fails nothing. `last`: what was read last, and is shown."""
    if isinstance(error, Refused) and error.code == "rollout_changed":
        return f"how rollout {ended.id} ended is not recorded: {error}"
    found = record.read(last.tags)
    shown = record.still_shown(found) if found and found.id == ended.id else ""
    if isinstance(error, Refused) and error.code == "image_changed":
        return f"how rollout {ended.id} ended is not recorded: {error} {shown}".rstrip()
    return f"the record of rollout {ended.id} stays open, and its next run closes it: {error} {shown}".rstrip()


def _shown(value: t.Any) -> str:
    try:
        text = redact(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    except RecursionError:
        return "…"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def image_patch(
    scale_set: ScaleSet, target: Image | None, new_record: Record | None, security: str | None = None
) -> dict[str, t.Any]:
    """The PATCH body; without a target and a security type, of the tags alone. Whether Azure merges or replaces what it
    holds is unverified, so it carries what must stay: every tag, the purchase plan, for a VHD every member of the OS
    disk, and with a security type all of the securityProfile. Raises Refused for tags that do not fit.
    """
    if target is None and security is None:
        return {"tags": record.with_record(scale_set.tags, new_record) if new_record else dict(scale_set.tags)}
    model: dict[str, t.Any] = {}
    if target is not None and target.kind == images.VHD:
        os_disk = at(profile(scale_set), "storageProfile", "osDisk") or {}
        with_uri = {**os_disk, "image": {**(os_disk.get("image") or {}), "uri": target.id}}
        model["storageProfile"] = {"osDisk": with_uri}
    elif target is not None:
        model["storageProfile"] = {"imageReference": images.to_wire(target)}
    if security is not None:
        model["securityProfile"] = security_type.desired(scale_set.document, security)
    body = model_write.patch(scale_set, {"virtualMachineProfile": model})
    if new_record:
        body["tags"] = record.with_record(scale_set.tags, new_record)
    return body
