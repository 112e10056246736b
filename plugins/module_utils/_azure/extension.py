# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One extension of the model is this one; every other is left alone."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._rollout import extension as extensions
from .._rollout.extension import Shown
from .._rollout.model import ScaleSet
from .._rollout.upgrade_policy import AUTOMATIC
from . import model_write
from .client import Azure, Clock, OperationRef
from .errors import redact

# Whether a PATCH without them keeps them is unverified.
_UNSEEN = (
    "Azure shows nobody the protected settings of extension {name}, so whether it still has them after this write "
    "cannot be seen. Where it needs some, give them along."
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


def set_extension(azure: Azure, clock: Clock, options: t.Mapping[str, t.Any], *, check_mode: bool) -> ExtensionChange:
    """Bring one extension of the model to what is asked for. Raises Refused before anything is written."""
    deadline = clock.now() + options["timeout"]
    name = options["extension"]
    scale_set = azure.scale_set(options["resource_group"], options["name"])
    before = extensions.shown(extensions.find(scale_set, name))
    absent = options["state"] == "absent"
    after = None if absent else extensions.after(before, options)
    protected = not absent and extensions.writes_protected(before, options)
    what = f"{'delete' if absent else 'write'} extension {name} of scale set {scale_set.name}"
    if before == after and not protected:
        return ExtensionChange(scale_set, before, after)

    def judge(fresh: ScaleSet) -> None:
        model_write.refuse_beside_rolling_upgrade(azure, fresh, what)

    warnings = [] if absent or protected or before is None else [_UNSEEN.format(name=name)]
    if scale_set.upgrade_mode == AUTOMATIC:
        warnings.append(
            f"scale set {scale_set.name} is in mode Automatic: Azure brings every instance to this at once."
        )
    if check_mode:
        judge(scale_set)
        return ExtensionChange(scale_set, before, after, protected, warnings=warnings)
    # Without a tag nothing shows that Azure has the protected settings but that it took the write.
    taken = not protected or bool(options.get("force_update_tag"))

    def done(fresh: ScaleSet) -> bool:
        return taken and extensions.shown(extensions.find(fresh, name)) == after

    def send(fresh: ScaleSet) -> OperationRef:
        nonlocal taken
        stored = extensions.find(fresh, name)
        if after is None:
            return azure.delete_extension(fresh, name)
        body = extensions.document(after, options, protected=protected)
        ref = azure.write_extension(fresh, name, body, whole=stored is None)
        taken = True
        return ref

    written, note = model_write.until(azure, clock, scale_set, deadline, what=what, done=done, judge=judge, send=send)
    return ExtensionChange(written, before, after, protected, note, warnings)


def without_signatures(value: t.Any) -> t.Any:
    """Settings as results show them: the query of a URI may be a signature."""
    if isinstance(value, dict):
        return {name: without_signatures(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_signatures(item) for item in value]
    return redact(value) if isinstance(value, str) else value
