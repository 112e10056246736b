# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads of scale sets, their instances and Azure's own upgrades."""

from __future__ import annotations

import typing as t

from .._facts import documents, problems
from .._facts.scale_set import Instance, PastUpgrade, RollingUpgrade, ScaleSet, ServiceState
from . import reading
from .connection import Connection, as_object
from .errors import AzureError


class ScaleSets(Connection):
    def scale_set(self, resource_group: str, name: str) -> ScaleSet:
        answer = self._call(
            f"read scale set {name}", name, self._compute().virtual_machine_scale_sets.get, resource_group, name
        )
        return reading.scale_set(as_object(answer), answer.headers.get("ETag"))

    def scale_set_id(self, resource_group: str, name: str) -> str:
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{resource_group}"
        return f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"

    def scale_sets(self, resource_group: str | None = None) -> t.Iterator[ScaleSet]:
        group = self._compute().virtual_machine_scale_sets
        if resource_group:
            pages = self._pages(
                f"list the scale sets of resource group {resource_group}", "", group.list, resource_group
            )
        else:
            pages = self._pages(f"list the scale sets of subscription {self.subscription_id}", "", group.list_all)
        for page in pages:
            yield from (reading.scale_set(item) for item in page)

    def instances(self, scale_set: ScaleSet) -> list[Instance]:
        """Every instance with its instance view. Pages are let go as they are read, so memory stays small."""
        found = self._flexible_instances(scale_set) if scale_set.flexible else self._uniform_instances(scale_set)
        return list({one.instance_id: one for one in found}.values())  # a page may repeat one while the set scales

    def _uniform_instances(self, scale_set: ScaleSet) -> t.Iterator[Instance]:
        pages = self._pages(
            f"list the instances of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machine_scale_set_vms.list,
            scale_set.resource_group,
            scale_set.name,
            expand="instanceView",
        )
        return (reading.instance(item) for page in pages for item in page)

    def _flexible_instances(self, scale_set: ScaleSet) -> t.Iterator[Instance]:
        pages = self._pages(
            f"list the instances of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machines.list,
            scale_set.resource_group,
            filter=f"'virtualMachineScaleSet/id' eq '{scale_set.id}'",
            expand="instanceView",
        )
        for page in pages:
            for item in page:
                belongs_to = documents.at(item, "properties", "virtualMachineScaleSet", "id")
                if belongs_to and str(belongs_to).lower() != scale_set.id.lower():
                    continue
                shown = documents.at(item, "properties", "instanceView")
                complete = item if shown else self._flexible_instance(scale_set, item)
                if complete:
                    yield reading.instance(complete)

    def _flexible_instance(self, scale_set: ScaleSet, item: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """A virtual machine with its instance view, None where it is gone meanwhile."""
        name = str(item.get("name"))
        try:
            answer = self._call(
                f"read instance {name} of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machines.get,
                scale_set.resource_group,
                name,
                expand="instanceView",
            )
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return None
            raise
        return as_object(answer)

    def latest_rolling_upgrade(self, scale_set: ScaleSet) -> RollingUpgrade | None:
        """Azure's own latest rolling upgrade, None where there never was one."""
        try:
            answer = self._call(
                f"read the latest rolling upgrade of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machine_scale_set_rolling_upgrades.get_latest,
                scale_set.resource_group,
                scale_set.name,
            )
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return None
            raise
        return reading.rolling_upgrade(as_object(answer))

    def os_upgrade_history(self, scale_set: ScaleSet) -> list[PastUpgrade]:
        """The OS upgrades that Azure remembers, in its order; a set that it knows nothing of has none."""
        group = self._compute().virtual_machine_scale_sets
        names = (scale_set.resource_group, scale_set.name)
        attempted = f"read the OS upgrade history of scale set {scale_set.name}"
        try:
            pages = list(self._pages(attempted, scale_set.name, group.get_os_upgrade_history, *names))
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return []
            raise
        return [reading.past_upgrade(item) for page in pages for item in page]

    def services(self, scale_set: ScaleSet) -> dict[str, ServiceState]:
        """Each orchestration service's state; {} where Azure shows none (Flexible)."""
        try:
            answer = self._call(
                f"read the instance view of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machine_scale_sets.get_instance_view,
                scale_set.resource_group,
                scale_set.name,
            )
        except AzureError as exc:
            if scale_set.flexible and exc.problem.kind == problems.REFUSED:
                return {}
            raise
        listed = reading.dicts(as_object(answer).get("orchestrationServices"))
        return {str(one.get("serviceName")): reading.service_state(one.get("serviceState")) for one in listed}

    def instance_document(self, scale_set: ScaleSet, instance_id: str) -> dict[str, t.Any]:
        """One instance as Azure sent it, every member included."""
        answer = self._call(
            f"read instance {instance_id} of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machine_scale_set_vms.get,
            scale_set.resource_group,
            scale_set.name,
            instance_id,
        )
        return as_object(answer)

    def resource(self, path: str, api_version: str, what: str) -> dict[str, t.Any]:
        """Any other resource or list of Azure's, as it sent it. `what` completes the sentence "Cannot read …"."""
        return as_object(self._get(f"read {what}", "", self._url(path, "", api_version)))
