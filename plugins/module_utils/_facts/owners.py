# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that own a scale set and write its model themselves, known by the tags that they leave on it."""

from __future__ import annotations

from dataclasses import dataclass

from .scale_set import ScaleSet


@dataclass(frozen=True)
class Owner:
    """`tag`: how the name of its tag begins, in lower case. `way`: how it takes a new image."""

    tag: str
    name: str
    way: str


OWNERS = (
    Owner("aks-managed-", "Azure Kubernetes Service", "Use az aks nodepool upgrade --node-image-only."),
    Owner(
        "__azuredevopselasticpool",
        "an Azure DevOps agent pool",
        "Write the image into the model with steady.vmss.image; the pool replaces its agents after their jobs.",
    ),
    Owner(
        "sigs.k8s.io_cluster-api-provider-azure_",
        "Cluster API",
        "Name the image in the AzureMachinePool; its controller rolls the nodes.",
    ),
)


def owner_of(scale_set: ScaleSet) -> Owner | None:
    names = [name.lower() for name in scale_set.tags]
    return next((owner for owner in OWNERS if any(name.startswith(owner.tag) for name in names)), None)
