# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes and actions: each is sent once and never again. And how the operations stand that they start."""

from __future__ import annotations

import json
import typing as t

from .._facts import problems
from .._facts.problems import Operation, Problem
from .._facts.scale_set import ScaleSet
from . import reading
from .connection import Connection, OperationRef, as_json
from .errors import AzureError, retry_after
from .instance_ids import explicit_ids
from .policies import body_text, is_json


class Writes(Connection):
    def write_model(self, scale_set: ScaleSet, body: t.Mapping[str, t.Any], *, what: str) -> OperationRef | None:
        """PATCH of these members, refused by Azure (412) where the scale set is no longer the one that was read.

        `what` completes the sentence "Cannot …". None where Azure did it at once.
        """
        headers = {"If-Match": scale_set.etag} if scale_set.etag else {}
        update = self._compute().virtual_machine_scale_sets.begin_update
        started = self._write(what, scale_set, update, json.dumps(body).encode(), headers=headers)
        return started if started.url else None

    def write_extension(
        self, scale_set: ScaleSet, name: str, body: t.Mapping[str, t.Any], *, whole: bool
    ) -> OperationRef:
        """Put one extension of the model; the others stay as they are. `whole`: all of it (PUT), else these members."""
        group = self._compute().virtual_machine_scale_set_extensions
        put = group.begin_create_or_update if whole else group.begin_update
        what = f"write extension {name} of scale set {scale_set.name}"
        return self._write(what, scale_set, put, name, json.dumps(body).encode())

    def delete_extension(self, scale_set: ScaleSet, name: str) -> OperationRef:
        """Take one extension out of the model. Instances keep it until they are brought to the model."""
        delete = self._compute().virtual_machine_scale_set_extensions.begin_delete
        what = f"delete extension {name} of scale set {scale_set.name}"
        return self._write(what, scale_set, delete, name)

    def set_service_state(self, scale_set: ScaleSet, service: str, action: str) -> OperationRef:
        """`action` is Suspend or Resume."""
        what = f"{action.lower()} {service} of scale set {scale_set.name}"
        set_state = self._compute().virtual_machine_scale_sets.begin_set_orchestration_service_state
        body = json.dumps({"serviceName": service, "action": action}).encode()
        return self._send(what, scale_set, set_state, body)

    def write_instance(self, scale_set: ScaleSet, instance_id: str, document: t.Mapping[str, t.Any]) -> OperationRef:
        """PUT of one instance, refused by Azure (412) where it is no longer the one whose `etag` is in the document."""
        what = f"write instance {instance_id} of scale set {scale_set.name}"
        update = self._compute().virtual_machine_scale_set_vms.begin_update
        body = json.dumps({name: value for name, value in document.items() if name != "etag"}).encode()
        headers = {"If-Match": etag} if (etag := document.get("etag")) else {}
        return self._send(what, scale_set, update, instance_id, body, headers=headers)

    def upgrade_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Bring these instances to the model (POST manualupgrade). Raises Refused unless the ids are explicit."""
        return self._act("upgrade", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_update_instances)

    def reimage_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Put a new OS disk from their model into these instances; data disks stay. Raises Refused like upgrade.

        An ephemeral OS disk gets the model's image only where that is said; else the one the instance was made from.
        """
        more = {"forceUpdateOSDiskForEphemeral": True} if scale_set.ephemeral_os_disk else {}
        return self._act("reimage", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_reimage, more)

    def start_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Start these instances, which Azure has left deallocated. Raises Refused like upgrade."""
        return self._act("start", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_start)

    def _act(
        self,
        verb: str,
        scale_set: ScaleSet,
        ids: t.Sequence[str],
        action: t.Callable[..., t.Any],
        more: t.Mapping[str, t.Any] | None = None,
    ) -> OperationRef:
        named = explicit_ids(ids)
        what = f"{verb} {_instances_named(named)} of scale set {scale_set.name}"
        return self._send(what, scale_set, action, json.dumps({"instanceIds": named, **(more or {})}).encode())

    def start_os_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """Let Azure roll the newest version of the model's image through the set (POST osRollingUpgrade)."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._write(
            f"start a rolling OS upgrade of scale set {scale_set.name}", scale_set, group.begin_start_os_upgrade
        )

    def start_extension_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """Let Azure roll the newest version of each extension through the set (POST extensionRollingUpgrade)."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._write(
            f"start a rolling extension upgrade of scale set {scale_set.name}",
            scale_set,
            group.begin_start_extension_upgrade,
        )

    def cancel_rolling_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """The batch in progress is finished, not undone. Refused by Azure where none runs."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._send(f"cancel the rolling upgrade of scale set {scale_set.name}", scale_set, group.begin_cancel)

    def approve_upgrade(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Let the deferred OS upgrade go on at these instances. Raises Refused unless the ids are explicit."""
        named = explicit_ids(ids)
        what = f"approve the deferred upgrade of {_instances_named(named)} of scale set {scale_set.name}"
        if len(named) == 1:
            group = self._compute().virtual_machine_scale_set_vms
            return self._send(what, scale_set, group.begin_approve_rolling_upgrade, named[0])
        body = json.dumps({"instanceIds": named}).encode()
        action = self._compute().virtual_machine_scale_sets.begin_approve_rolling_upgrade
        return self._send(what, scale_set, action, body, content_type="application/json")

    def _write(
        self, what: str, scale_set: ScaleSet, action: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> OperationRef:
        """A request that changes what instances are made of, or starts an upgrade to it: kept in `written`."""
        try:
            started = self._send(what, scale_set, action, *args, **kwargs)
        except AzureError as error:
            if error.problem.kind == problems.LOST:
                self.written.append(f"{what} (no answer)")
            raise
        self.written.append(f"{what} (accepted)")
        return started

    def _send(
        self, what: str, scale_set: ScaleSet, action: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> OperationRef:
        """`what` completes the sentence "Cannot …"."""
        names = (scale_set.resource_group, scale_set.name)
        answer = self._call(what, scale_set.name, action, *names, *args, polling=False, **kwargs)
        ref = self._operation_ref(answer)
        has_body = bool(body_text(answer).strip()) or answer.request.method in ("PATCH", "PUT")
        if not ref.url and (answer.status_code == 202 or (has_body and not is_json(answer))):
            problem = Problem(problems.LOST, "", "the answer is not JSON", answer.status_code)
            raise AzureError(problem, what, scale_set.name)
        return ref

    def operation(self, ref: OperationRef) -> Operation:
        """Look once at a long-running operation. Azure forgets old ones: an AzureError of kind "missing"."""
        if not ref.url:
            return Operation("Succeeded")
        answer = self._get("read the state of the operation", "", ref.url, may_be_empty=True)
        if answer.status_code == 202:
            return Operation("InProgress", retry_after=retry_after(answer.headers))
        return reading.operation(as_json(answer) if answer.text().strip() else {}, retry_after(answer.headers))

    def _operation_ref(self, answer: t.Any) -> OperationRef:
        url = answer.headers.get("Azure-AsyncOperation")
        if not url and answer.status_code == 202:
            url = answer.headers.get("Location")
        return OperationRef(url or "", self._clock.now())


def _instances_named(ids: t.Sequence[str]) -> str:
    return f"instance{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
