# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's orchestrator needs and the scale set's document does not tell: image, load balancer, cluster.

Whatever this principal may not read is said to be unchecked.
"""

from __future__ import annotations

import typing as t

from .._arm import reading
from .._arm.client import Azure
from .._arm.errors import AzureError
from .._facts import documents, problems
from .._facts.scale_set import ScaleSet
from .._orchestrator import readiness
from .._orchestrator.readiness import NodeType, Prerequisites, Probe

_LOAD_BALANCERS = "2023-09-01"
_CLUSTERS = "2021-06-01"
_UNREADABLE = (problems.DENIED, problems.MISSING, problems.REFUSED)

Found = t.TypeVar("Found")


def read(azure: Azure, scale_set: ScaleSet, purpose: str) -> Prerequisites:
    """Ask for what `purpose` needs, in at most three calls."""
    not_read: dict[str, str] = {}
    image = scale_set.image
    versions = None
    if image is not None and image.follows_latest and purpose in (readiness.AUTOMATIC, readiness.OS_UPGRADE):
        versions = _attempt(not_read, "image", lambda: tuple(azure.image_versions(image, scale_set.location)))
    probe = node_type = None
    if "load_balancer_probe" in scale_set.health_sources:
        probe = _attempt(not_read, "probe", lambda: _probe(azure, scale_set, not_read))
    if scale_set.service_fabric:
        node_type = _attempt(not_read, "cluster", lambda: _node_type(azure, scale_set, not_read))
    return Prerequisites(versions, probe, node_type, not_read)


def read_probe(azure: Azure, scale_set: ScaleSet) -> Prerequisites:
    """The load balancer's probe that the model names, and nothing else."""
    not_read: dict[str, str] = {}
    probe = _attempt(not_read, "probe", lambda: _probe(azure, scale_set, not_read))
    return Prerequisites(probe=probe, not_read=not_read)


def _attempt(not_read: dict[str, str], what: str, look: t.Callable[[], Found]) -> Found | None:
    try:
        return look()
    except AzureError as error:
        if error.problem.kind not in _UNREADABLE:
            raise
        not_read[what] = str(error.problem)
        return None


def _probe(azure: Azure, scale_set: ScaleSet, not_read: dict[str, str]) -> Probe | None:
    probe_id = str(documents.at(documents.profile(scale_set), "networkProfile", "healthProbe", "id"))
    balancer, _dummy, name = probe_id.rpartition("/probes/")
    document = azure.resource(balancer, _LOAD_BALANCERS, f"the load balancer of health probe {name}")
    for one in _items(document, "properties", "probes"):
        if str(one.get("name")).lower() == name.lower():
            return Probe(
                interval=float(documents.at(one, "properties", "intervalInSeconds") or 0),
                load_balancer_sku=str(documents.at(document, "sku", "name") or "Basic"),
                rules=len(_items(one, "properties", "loadBalancingRules")),
            )
    not_read["probe"] = "the load balancer has no probe of that name"
    return None


def _node_type(azure: Azure, scale_set: ScaleSet, not_read: dict[str, str]) -> NodeType | None:
    """The cluster that the extension names by its endpoint, among all of the subscription."""
    settings = readiness.service_fabric_extension(scale_set).get("settings")
    endpoint, name = (str(documents.at(settings, key) or "").lower() for key in ("clusterEndpoint", "nodeTypeRef"))
    subscription = reading.part_of_id(scale_set.id, "subscriptions")
    path = f"/subscriptions/{subscription}/providers/Microsoft.ServiceFabric/clusters"
    clusters = azure.resource(path, _CLUSTERS, "the Service Fabric clusters")
    for one in _items(clusters, "value"):
        if endpoint and str(documents.at(one, "properties", "clusterEndpoint") or "").lower() == endpoint:
            for node_type in _items(one, "properties", "nodeTypes"):
                if str(node_type.get("name")).lower() == name:
                    durability = str(node_type.get("durabilityLevel") or "Bronze")
                    return NodeType(durability, node_type.get("isStateless") is True)
    not_read["cluster"] = "no cluster that this principal may read has its node type"
    return None


def _items(document: object, *path: str) -> list[dict[str, t.Any]]:
    listed = documents.at(document, *path)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
