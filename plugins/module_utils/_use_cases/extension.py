# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One extension of the model is this one; no other is touched."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._arm import model_write, operations
from .._arm.client import Azure, Clock, OperationRef
from .._arm.errors import AzureError
from .._arm.redaction import redact
from .._facts.documents import with_model
from .._facts.problems import LOST, REFUSED, Operation, Problem
from .._facts.scale_set import ScaleSet
from .._journal import Journal
from .._model import extension, health_source
from .._model.extension import Shown
from .._options import ExtensionRequest
from .._orchestrator import upgrade_policy

_UNKNOWN = (
    "Whether Azure has the protected settings now cannot be seen. Run the same again, with a force_update_tag, which "
    "can."
)
_TRIES = 3  # of a write of protected settings whose operation did not end well

# Whether a PATCH without them keeps them is unverified.
_UNSEEN = (
    "Azure never shows the protected settings of extension {name}, so whether it still has them after this write "
    "cannot be seen. Where it needs them, set protected_settings too."
)


@dataclass(frozen=True)
class ExtensionChange:
    """The extension before and after, without its protected settings."""

    scale_set: ScaleSet
    before: Shown | None
    after: Shown | None
    protected: bool = False  # protected settings are written
    note: str = ""
    warnings: t.Sequence[str] = ()

    @property
    def changed(self) -> bool:
        return self.protected or self.before != self.after


def set_extension(azure: Azure, clock: Clock, request: ExtensionRequest, *, check_mode: bool) -> ExtensionChange:
    """Bring one extension of the model to what is asked for. Raises Refused before anything is written.

    The API has no ETag here, so all is decided anew of each read, and what others have changed meanwhile stays.
    """
    extension.refuse_nothing(request)
    deadline = clock.now() + request.timeout
    name = request.extension
    first = with_model(azure.scale_set(request.resource_group, request.name))
    write = _Write(azure, clock, request, deadline)
    before, after = write.now(first), write.after(first)
    protected = write.protected(first)
    if before == after and not protected:
        return ExtensionChange(first, before, after)
    warnings = [] if write.absent or protected or before is None else [_UNSEEN.format(name=name)]
    if acting := upgrade_policy.acting_on_a_write(first, may=write.may):
        warnings.append(acting)
    if check_mode:
        write.judge(first)
        return ExtensionChange(first, before, after, protected, warnings=warnings)
    journal = Journal(request.journal, scale_set=first.id)
    one = model_write.ModelWrite(
        write.what(first), write.done, write.judge, write.send, has_etag=False, tell=journal.teller(clock.now)
    )
    written, note = model_write.write_model_until(azure, clock, first, deadline, one)
    return ExtensionChange(written, before, write.now(written), protected, note, [*warnings, *journal.warnings])


class _Write:
    """One call's wishes, judged and sent of the document that was read last."""

    def __init__(self, azure: Azure, clock: Clock, request: ExtensionRequest, deadline: float) -> None:
        self.azure, self.clock, self.request, self.deadline = azure, clock, request, deadline
        self.name = request.extension
        self.absent = request.state == "absent"
        self.may = request.azure_may_upgrade
        self._taken = False  # Azure has said that it took the protected settings, which it shows nobody
        self._sent = 0

    def what(self, scale_set: ScaleSet) -> str:
        return f"{'delete' if self.absent else 'write'} extension {self.name} of scale set {scale_set.name}"

    def now(self, scale_set: ScaleSet) -> Shown | None:
        return extension.current(extension.find(scale_set, self.name))

    def after(self, scale_set: ScaleSet) -> Shown | None:
        return None if self.absent else extension.merged(self.now(scale_set), self.request)

    def protected(self, scale_set: ScaleSet) -> bool:
        return not self.absent and not self._taken and extension.writes_protected(self.now(scale_set), self.request)

    def done(self, fresh: ScaleSet) -> bool:
        if self.absent:
            return self.now(fresh) is None
        return extension.stands(self.now(fresh), self.request) and not self.protected(fresh)

    def judge(self, fresh: ScaleSet) -> None:
        upgrade_policy.acting_on_a_write(fresh, may=self.may)
        stored = extension.find(fresh, self.name)
        later = self.after(fresh)
        if stored and health_source.is_source(stored.get("properties")) and not health_source.is_source(later):
            health_source.refuse_last(fresh, health_source.EXTENSION)
        model_write.refuse_beside_rolling_upgrade(self.azure, fresh, self.what(fresh))

    def send(self, fresh: ScaleSet) -> OperationRef | None:
        later = self.after(fresh)
        if later is None:
            return self.azure.delete_extension(fresh, self.name)
        protected = self.protected(fresh)
        body = extension.document(later, self.request, protected=protected)
        ref = self.azure.write_extension(fresh, self.name, body, whole=self.now(fresh) is None)
        if not protected or self.request.force_update_tag:
            return ref  # the tag is read back, and it came with the protected settings
        self._sent += 1
        operation = (
            operations.wait_for_operation(self.azure, self.clock, ref, self.deadline)
            if ref.url
            else Operation("Succeeded")
        )
        self._taken = operation is not None and operation.status == "Succeeded"
        if self._taken:
            return None
        if self._sent >= _TRIES or operation is None or operation.status == "Failed":
            said = (operation.problem if operation else None) or Problem(LOST, "", "its operation was not seen to end.")
            problem = replace(said, kind=REFUSED, message=f"{said.message} {_UNKNOWN}")
            raise AzureError(problem, self.what(fresh), fresh.name, code="protected_settings_unknown")
        self.clock.sleep(operations.RETRY)
        return None


def without_signatures(value: t.Any) -> t.Any:
    """Settings as results show them: the query of a URI may be a signature."""
    if isinstance(value, dict):
        return {name: without_signatures(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_signatures(item) for item in value]
    return redact(value) if isinstance(value, str) else value
