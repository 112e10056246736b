"""The JSON that Azure shows: scale sets, instances, views, operations, images. Reads the world, never changes it."""

from __future__ import annotations

import copy
from typing import Any

from . import model, upgrade_policy
from .extensions import extensions_of
from .images import GalleryImage, GalleryVersion, ManagedImage, PlatformImage
from .instance import Instance
from .scale_set import Operation, ScaleSet
from .world import World

SETS = "Microsoft.Compute/virtualMachineScaleSets"
# Older api-versions show neither exactVersion nor what the instance's model was.
MODERN = "2018-10-01"
DISPLAY = {
    "Succeeded": ("succeeded", "Info", "Provisioning succeeded"),
    "Updating": ("updating", "Info", "Updating"),
    "Creating": ("creating", "Info", "Creating"),
    "Deleting": ("deleting", "Info", "Deleting"),
    "Failed": ("failed", "Error", "Provisioning failed"),
}
HEALTH_TEXT = {
    "healthy": ("Info", "The VM is reporting itself as healthy"),
    "unhealthy": ("Warning", "The VM is reporting itself as unhealthy or is unreachable"),
    "initializing": ("Info", "The VM is initializing"),
    "unknown": ("Warning", "The health of the VM is unknown"),
}
ENABLED = "ExtensionOperation:enable. Status:Success"
# Members that no client knows: the wire of a later api-version.
FUTURE = {"someNewMember": {"kind": "SomeNewKind", "items": [1, None, {"nested": True}]}, "someNewFlag": True}


def display(state: str) -> tuple[str, str, str]:
    """The word, level and text of a provisioning state, also of one that nobody knows."""
    return DISPLAY.get(state, (state.lower(), "Info", state))


class Wire:
    """Everything is said to one api-version, in the name of one subscription."""

    def __init__(self, world: World, subscription: str) -> None:
        self.world = world
        self.subscription = subscription

    def time(self, when: float) -> str:
        """Seven digits and an offset, as Azure writes them."""
        moment = self.world.timestamp(when)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}1+00:00"

    def group_id(self, group: str) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}"

    def set_id(self, owner: ScaleSet) -> str:
        return f"{self.group_id(owner.resource_group)}/providers/{SETS}/{owner.name}"

    def instance_id(self, owner: ScaleSet, instance: Instance) -> str:
        group = owner.resource_group.upper() if owner.knobs.id_case == "upper_group" else owner.resource_group
        return f"{self.group_id(group)}/providers/{SETS}/{owner.name}/virtualMachines/{instance.instance_id}"

    def vm_id(self, owner: ScaleSet, instance: Instance) -> str:
        return f"{self.group_id(owner.resource_group)}/providers/Microsoft.Compute/virtualMachines/{instance.name}"

    # Scale sets.

    def scale_set(self, owner: ScaleSet, api_version: str, *, state: str | None = None) -> dict[str, Any]:
        document = copy.deepcopy(owner.document)
        upgrade_policy.shown(document, api_version, always=owner.knobs.rolling_policy_shown == "always")
        for extension in extensions_of(model.profile_of(document)):
            extension.get("properties", {}).pop("protectedSettings", None)
        properties = document.pop("properties")
        self._show_later_members(owner, properties, api_version)
        properties["provisioningState"] = state or owner.provisioning_state(self.world.now)
        properties["uniqueId"] = owner.unique_id
        if api_version >= "2021-03-01":
            properties["timeCreated"] = self.time(owner.created)
        body = {"name": owner.name, "id": self.set_id(owner), "type": SETS, **document}
        if api_version >= "2024-03-01":
            body["etag"] = f'"{owner.etag}"'
        if owner.knobs.future_members:
            body |= FUTURE
            properties |= FUTURE
        body["properties"] = properties
        return body

    def _show_later_members(self, owner: ScaleSet, properties: dict[str, Any], api_version: str) -> None:
        """What later api-versions show unasked, and an id in a case that nobody wrote."""
        profile = properties.get("virtualMachineProfile")
        if isinstance(profile, dict) and api_version >= "2024-11-01":
            profile["timeCreated"] = self.time(owner.created)
        if isinstance(profile, dict) and api_version >= "2025-11-01":
            security = profile.setdefault("securityProfile", {})
            security.setdefault("securityType", "Standard")
        group = properties.get("proximityPlacementGroup")
        if isinstance(group, dict) and "id" in group:
            parts = str(group["id"]).split("/")
            properties["proximityPlacementGroup"] = {
                "id": "/".join([*parts[:4], *map(str.upper, parts[4:5]), *parts[5:]])
            }

    def set_view(self, owner: ScaleSet) -> dict[str, Any]:
        counts: dict[str, int] = {}
        for instance in owner.instances.values():
            code = "ProvisioningState/" + display(self._provisioning(instance))[0]
            counts[code] = counts.get(code, 0) + 1
        word, level, text = display(owner.provisioning_state(self.world.now))
        summary = [{"code": code, "count": count} for code, count in sorted(counts.items())]
        extensions = model.profile_of(owner.document).get("extensionProfile", {}).get("extensions", [])
        view: dict[str, Any] = {"virtualMachine": {"statusesSummary": summary}}
        if extensions:
            view["extensions"] = [{"name": e["name"], "statusesSummary": copy.deepcopy(summary)} for e in extensions]
        view["statuses"] = [
            {
                "code": f"ProvisioningState/{word}",
                "level": level,
                "displayStatus": text,
                "time": self.time(owner.state_time),
            }
        ]
        services = owner.service_states()
        if services:
            view["orchestrationServices"] = [{"serviceName": k, "serviceState": v} for k, v in services.items()]
        return view

    # Instances.

    def instance_item(
        self, owner: ScaleSet, instance: Instance, api_version: str, *, view: bool = False
    ) -> dict[str, Any]:
        """A Uniform instance, as in lists and alone."""
        body: dict[str, Any] = {
            "name": instance.name,
            "id": self.instance_id(owner, instance),
            "type": f"{SETS}/virtualMachines",
            "location": owner.document["location"],
            "tags": {**owner.document.get("tags", {}), **instance.tags},
        }
        if api_version >= "2025-11-01":
            body["etag"] = f'"{instance.etag}"'
        body["instanceId"] = instance.instance_id
        body["sku"] = {k: v for k, v in owner.document["sku"].items() if k != "capacity"}
        if instance.zone:
            body["zones"] = [instance.zone]
        properties: dict[str, Any] = {"latestModelApplied": instance.generation == owner.generation}
        if api_version >= MODERN:
            network = instance.model.get("networkProfile", {}).get("networkInterfaceConfigurations", [])
            properties["modelDefinitionApplied"] = "VirtualMachineScaleSet"
            properties["networkProfileConfiguration"] = {"networkInterfaceConfigurations": copy.deepcopy(network)}
        properties |= self._vm_properties(owner, instance, api_version)
        if owner.knobs.future_members:
            properties |= FUTURE
        if instance.protect_scale_in or instance.protect_actions:
            properties["protectionPolicy"] = {
                "protectFromScaleIn": instance.protect_scale_in,
                "protectFromScaleSetActions": instance.protect_actions,
            }
        if view:
            properties["instanceView"] = self.instance_view(owner, instance)
        body["properties"] = properties
        extensions = self._extensions(
            owner, instance, f"{SETS}/virtualMachines/extensions", self.instance_id(owner, instance)
        )
        if extensions:
            body["resources"] = extensions
        return body

    def selected_item(self, owner: ScaleSet, instance: Instance) -> dict[str, Any]:
        """What `$select=instanceView` leaves: no name, no model, and a latestModelApplied that is always false."""
        properties = {
            "latestModelApplied": False,
            "instanceView": self.instance_view(owner, instance),
            "hardwareProfile": {},
            "provisioningState": self._provisioning(instance),
        }
        return {"id": self.instance_id(owner, instance), "instanceId": instance.instance_id, "properties": properties}

    def flexible_item(self, owner: ScaleSet, instance: Instance, api_version: str) -> dict[str, Any]:
        """A Flexible instance in the scale set's own list: next to nothing."""
        body: dict[str, Any] = {
            "name": instance.name,
            "id": self.instance_id(owner, instance),
            "type": f"{SETS}/virtualMachines",
            "location": owner.document["location"],
            "instanceId": instance.instance_id,
            "zones": [instance.zone],
        }
        if api_version >= "2025-11-01":
            body["etag"] = f'"{instance.etag}"'
            body["properties"] = {"virtualMachineResourceId": self.vm_id(owner, instance)}
        return body

    def virtual_machine(
        self, owner: ScaleSet, instance: Instance, api_version: str, *, view: bool = False
    ) -> dict[str, Any]:
        """A Flexible instance as the virtual machine it is."""
        properties: dict[str, Any] = self._vm_properties(owner, instance, api_version)
        properties = {
            "vmId": properties.pop("vmId"),
            "virtualMachineScaleSet": {"id": self.set_id(owner)},
            **properties,
        }
        if instance.fault_domain is not None:
            properties["platformFaultDomain"] = instance.fault_domain
        if view:
            properties["instanceView"] = self.instance_view(owner, instance)
        body: dict[str, Any] = {
            "name": instance.name,
            "id": self.vm_id(owner, instance),
            "type": "Microsoft.Compute/virtualMachines",
            "location": owner.document["location"],
            "tags": {**owner.document.get("tags", {}), **instance.tags},
        }
        if instance.zone:
            body["zones"] = [instance.zone]
        if api_version >= "2024-07-01":
            body["etag"] = f'"{instance.etag}"'
        body["properties"] = properties
        extensions = self._extensions(
            owner, instance, "Microsoft.Compute/virtualMachines/extensions", self.vm_id(owner, instance)
        )
        if extensions:
            body["resources"] = extensions
        return body

    def _vm_properties(self, owner: ScaleSet, instance: Instance, api_version: str) -> dict[str, Any]:
        hidden = ("computerNamePrefix", "customData", "adminPassword")
        system = {k: copy.deepcopy(v) for k, v in instance.model.get("osProfile", {}).items() if k not in hidden}
        properties: dict[str, Any] = {"vmId": instance.vm_id}
        if api_version >= MODERN:
            properties["hardwareProfile"] = {"vmSize": owner.document["sku"]["name"]}
        properties |= {
            "storageProfile": self._storage(owner, instance, api_version),
            "osProfile": {"computerName": instance.computer_name, **system},
            "networkProfile": {"networkInterfaces": [self._nic_reference(owner, instance)]},
            "provisioningState": self._provisioning(instance),
        }
        if api_version >= "2021-11-01":
            properties["timeCreated"] = self.time(instance.created)
        return properties

    def _storage(self, owner: ScaleSet, instance: Instance, api_version: str) -> dict[str, Any]:
        model_storage = instance.model["storageProfile"]
        storage: dict[str, Any] = {}
        reference = copy.deepcopy(model_storage.get("imageReference"))
        if reference is not None:
            exact = self._shown_exact(owner, instance)
            if exact is not None and api_version >= MODERN:
                reference["exactVersion"] = exact
            storage["imageReference"] = reference
        disk = copy.deepcopy(model_storage.get("osDisk", {}))
        shown = {"osType": disk.get("osType") or instance.image.os, "name": instance.os_disk}
        unshown = ("image", "vhdContainers", "name", "osType")
        shown |= {key: value for key, value in disk.items() if key not in unshown}
        if "vhdContainers" in disk or (instance.image.kind == "vhd" and "managedDisk" not in disk):
            container = (disk.get("vhdContainers") or ["https://simulated.blob.example/vhds"])[0]
            return {**storage, "osDisk": {**shown, "vhd": {"uri": f"{container}/{instance.os_disk}.vhd"}}}
        managed = disk.get("managedDisk", {"storageAccountType": "Premium_LRS"})
        group = self.group_id(owner.resource_group)
        shown["managedDisk"] = {**managed, "id": f"{group}/providers/Microsoft.Compute/disks/{instance.os_disk}"}
        data = copy.deepcopy(model_storage.get("dataDisks") or [])
        return {**storage, "osDisk": shown, "dataDisks": data}

    def _shown_exact(self, owner: ScaleSet, instance: Instance) -> str | None:
        """Always there for platform images, for gallery images as the scenario says, for others never."""
        if instance.image.kind == "platform" or owner.knobs.gallery_exact_version:
            return instance.shown_exact(self.world.now)
        return None

    def _extensions(self, owner: ScaleSet, instance: Instance, kind: str, parent: str) -> list[dict[str, Any]]:
        return [
            {
                "name": extension["name"],
                "id": f"{parent}/extensions/{extension['name']}",
                "type": kind,
                "location": owner.document["location"],
                "properties": {
                    **{k: v for k, v in extension["properties"].items() if k != "protectedSettings"},
                    "provisioningState": "Updating" if instance.provisioning == "Updating" else "Succeeded",
                },
            }
            for extension in instance.model.get("extensionProfile", {}).get("extensions", [])
        ]

    def instance_view(self, owner: ScaleSet, instance: Instance) -> dict[str, Any]:
        now = self.world.now
        view: dict[str, Any] = {}
        if not owner.flexible:
            view["placementGroupId"] = owner.unique_id
            view["platformUpdateDomain"] = instance.update_domain if instance.update_domain is not None else 0
            view["platformFaultDomain"] = instance.fault_domain if instance.fault_domain is not None else 0
        elif instance.fault_domain is not None:
            view["platformFaultDomain"] = instance.fault_domain
        up = instance.power == "running" and instance.provisioning != "Creating"
        just_stopped = instance.power == "stopped" and instance.provisioning == "Succeeded"
        windows = instance.image.os == "Windows"
        if instance.power != "deallocated":
            view["computerName"] = instance.computer_name
            view["vmAgent"] = self._agent(instance, up or just_stopped)
        if up or just_stopped:
            view["osName"] = "Windows Server 2022 Datacenter" if windows else "ubuntu"
            view["osVersion"] = "10.0.20348" if windows else "24.04"
        time = self.time(instance.disk_time if owner.knobs.disk_time == "moves" else instance.created)
        good = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
        view["disks"] = [{"name": instance.os_disk, "statuses": [{**good, "time": time}]}]
        for number, _disk in enumerate(instance.model["storageProfile"].get("dataDisks") or [], 2):
            name = f"{instance.name}_disk{number}_{instance.vm_id.replace('-', '')}"
            view["disks"].append({"name": name, "statuses": [{**good, "time": self.time(instance.created)}]})
        extensions = instance.model.get("extensionProfile", {}).get("extensions", [])
        if extensions and up:
            view["extensions"] = [self._extension_view(instance, extension, good) for extension in extensions]
        health = instance.shown_health(now)
        if health is not None:
            view["vmHealth"] = {"status": self._health(owner, instance, *health)}
        view["hyperVGeneration"] = "V2"
        provisioning = self._provisioning(instance)
        word, level, text = display(provisioning)
        if instance.failure and instance.provisioning == "Failed":
            word = f"failed/{instance.failure['code']}"
        status = {"code": f"ProvisioningState/{word}", "level": level, "displayStatus": text}
        if instance.failure and instance.provisioning == "Failed":
            status["message"] = instance.failure["message"]
        if provisioning in ("Succeeded", "Failed", "Canceled"):
            read = owner.knobs.provisioning_time == "read"
            status["time"] = self.time(now if read else instance.provisioning_time)
        on = instance.shown("power", now) or instance.power
        power = {"code": f"PowerState/{on}", "level": "Info", "displayStatus": f"VM {on}"}
        view["statuses"] = [status, power]
        if owner.knobs.future_members:
            text = "A state that no client knows yet"
            more = {"level": "SomeNewLevel", "displayStatus": text, "time": self.time(now)}
            view["statuses"].append({"code": "SomeNewState/pending", **more})
            view |= FUTURE
        return view

    def _provisioning(self, instance: Instance) -> str:
        return instance.shown("provisioning", self.world.now) or instance.provisioning

    def _agent(self, instance: Instance, up: bool) -> dict[str, Any]:
        time = self.time(self.world.now)
        if not up:
            status = {
                "code": "ProvisioningState/Unavailable",
                "level": "Warning",
                "displayStatus": "Not Ready",
                "message": "VM status blob is found but not yet populated.",
                "time": time,
            }
            return {"vmAgentVersion": "Unknown", "statuses": [status]}
        status = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Ready",
            "message": "Guest Agent is running",
            "time": time,
        }
        handlers = [
            {
                "type": f"{e['properties'].get('publisher')}.{e['properties'].get('type')}",
                "typeHandlerVersion": e["properties"].get("typeHandlerVersion"),
                "status": {
                    "code": "ProvisioningState/succeeded",
                    "level": "Info",
                    "displayStatus": "Ready",
                    "message": ENABLED,
                },
            }
            for e in instance.model.get("extensionProfile", {}).get("extensions", [])
        ]
        return {"vmAgentVersion": "2.9.0.4", "statuses": [status], "extensionHandlers": handlers}

    def _extension_view(self, instance: Instance, extension: dict[str, Any], good: dict[str, str]) -> dict[str, Any]:
        kind = f"{extension['properties'].get('publisher')}.{extension['properties'].get('type')}"
        status: dict[str, Any] = {**good, "message": "ExtensionOperation:enable. Status:Success"}
        failure = instance.failure or {}
        mine = failure.get("extension", extension["name"]) == extension["name"]
        if instance.provisioning == "Failed" and "Extension" in failure.get("code", "") and mine:
            status = {
                "code": f"ProvisioningState/failed/{failure['code']}",
                "level": "Error",
                "displayStatus": "Provisioning failed",
                "message": failure["message"],
            }
        if extension["name"] in instance.extensions_pending:
            status = {"code": "ProvisioningState/transitioning", "level": "Info", "displayStatus": "Transitioning"}
        status["time"] = self.time(instance.provisioning_time)
        version = extension["properties"].get("typeHandlerVersion")
        return {"name": extension["name"], "type": kind, "typeHandlerVersion": version, "statuses": [status]}

    def _health(self, owner: ScaleSet, instance: Instance, state: str, when: float) -> dict[str, Any]:
        state = instance.shown("health", self.world.now) or state
        level, text = HEALTH_TEXT.get(state, ("Info", state))
        if owner.knobs.health_time == "never":
            when = instance.created
        elif owner.knobs.health_time == "report":
            lingering = instance.old_health is not None and self.world.now < instance.old_health.until
            when = when if lingering else max(when, self.world.now - self.world.now % 5)
        return {"code": f"HealthState/{state}", "level": level, "displayStatus": text, "time": self.time(when)}

    # Network.

    def address(self, instance: Instance) -> str:
        number = instance.number + 4
        return f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"

    def _nic_name(self, owner: ScaleSet, instance: Instance) -> str:
        configurations = (
            model.profile_of(owner.document).get("networkProfile", {}).get("networkInterfaceConfigurations", [])
        )
        name: str = configurations[0]["name"] if configurations else f"{owner.name}-nic"
        return f"{name}-{instance.instance_id.rsplit('_', 1)[-1]}" if owner.flexible else name

    def nic_id(self, owner: ScaleSet, instance: Instance) -> str:
        name = self._nic_name(owner, instance)
        if owner.flexible:
            return f"{self.group_id(owner.resource_group)}/providers/Microsoft.Network/networkInterfaces/{name}"
        return f"{self.instance_id(owner, instance)}/networkInterfaces/{name}"

    def _nic_reference(self, owner: ScaleSet, instance: Instance) -> dict[str, Any]:
        reference: dict[str, Any] = {"id": self.nic_id(owner, instance)}
        if owner.flexible:
            reference["properties"] = {"primary": True, "deleteOption": "Delete"}
        return reference

    def nic(self, owner: ScaleSet, instance: Instance) -> dict[str, Any]:
        nic_id, name = self.nic_id(owner, instance), self._nic_name(owner, instance)
        machine = self.vm_id(owner, instance) if owner.flexible else self.instance_id(owner, instance)
        ip = {
            "name": f"{owner.name}-ip",
            "id": f"{nic_id}/ipConfigurations/{owner.name}-ip",
            "properties": {
                "provisioningState": "Succeeded",
                "privateIPAddress": self.address(instance),
                "privateIPAllocationMethod": "Dynamic",
                "primary": True,
                "privateIPAddressVersion": "IPv4",
            },
        }
        properties = {
            "provisioningState": "Succeeded",
            "ipConfigurations": [ip],
            "primary": True,
            "virtualMachine": {"id": machine},
        }
        body: dict[str, Any] = {"name": name, "id": nic_id, "properties": properties}
        if owner.flexible:
            body |= {"type": "Microsoft.Network/networkInterfaces", "location": owner.document["location"]}
        return body

    # Operations and images.

    def operation(self, operation: Operation) -> dict[str, Any]:
        body: dict[str, Any] = {"startTime": self.time(operation.started)}
        if operation.ended is not None:
            body["endTime"] = self.time(operation.ended)
        body["status"] = operation.status
        if operation.error is not None:
            body["error"] = operation.error
        body["name"] = operation.id
        return body

    def platform_id(self, location: str, image: PlatformImage, version: str) -> str:
        return (
            f"/Subscriptions/{self.subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{image.publisher}"
            f"/ArtifactTypes/VMImage/Offers/{image.offer}/Skus/{image.sku}/Versions/{version}"
        )

    def platform_version(self, location: str, image: PlatformImage, version: str) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "hyperVGeneration": image.generation,
            "architecture": image.architecture,
            "replicaType": "Managed",
            "disallowed": {"vmDiskType": "Unmanaged"},
            "automaticOSUpgradeProperties": {
                "automaticOSUpgradeSupported": image.automatic_os_upgrade and image.plan is None
            },
            "imageDeprecationStatus": {"imageState": "Active"},
            "osDiskImage": {"operatingSystem": image.os, "sizeInGb": 31, "sizeInBytes": 32213303808},
            "dataDiskImages": [],
            "features": [{"name": "IsAcceleratedNetworkSupported", "value": "True"}],
        }
        if image.plan is not None:
            properties["plan"] = image.plan
        return {
            "properties": properties,
            "location": location,
            "name": version,
            "id": self.platform_id(location, image, version),
        }

    def gallery_image(self, image: GalleryImage, location: str) -> dict[str, Any]:
        body: dict[str, Any] = {"name": image.name, "location": location}
        properties: dict[str, Any] = {
            "osType": image.os,
            "osState": "Generalized",
            "hyperVGeneration": image.generation,
            "architecture": image.architecture,
            "identifier": {"publisher": "simulated", "offer": image.owner, "sku": image.name},
        }
        if image.plan is not None:
            properties["purchasePlan"] = image.plan
        if image.family == "gallery":
            properties["provisioningState"] = "Succeeded"
            body |= {"id": self._gallery_id(image), "type": "Microsoft.Compute/galleries/images", "tags": {}}
        else:
            body["identifier"] = {"uniqueId": self._foreign_id(image)}
        return {**body, "properties": properties}

    def gallery_version(
        self, image: GalleryImage, version: GalleryVersion, location: str, *, replication: bool
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"name": version.version, "location": location}
        published = self.time(version.published)
        if image.family != "gallery":
            body["identifier"] = {"uniqueId": f"{self._foreign_id(image)}/Versions/{version.version}"}
            body["properties"] = {"publishedDate": published, "excludeFromLatest": version.exclude_from_latest}
            return body
        regions = [
            {"name": r, "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"} for r in version.regions
        ]
        properties: dict[str, Any] = {
            "publishingProfile": {
                "targetRegions": regions,
                "replicaCount": 1,
                "excludeFromLatest": version.exclude_from_latest,
                "publishedDate": published,
                "storageAccountType": "Standard_LRS",
            },
            "provisioningState": version.state,
            "storageProfile": {"osDiskImage": {"hostCaching": "ReadWrite"}},
        }
        if replication:
            done = version.state == "Succeeded"
            properties["replicationStatus"] = {
                "aggregatedState": "Completed" if done else "InProgress",
                "summary": [
                    {
                        "region": r,
                        "state": "Completed" if done else "Replicating",
                        "details": "",
                        "progress": 100 if done else 40,
                    }
                    for r in version.regions
                ],
            }
        kind = "Microsoft.Compute/galleries/images/versions"
        gallery = f"{self._gallery_id(image)}/versions/{version.version}"
        return {**body, "id": gallery, "type": kind, "tags": {}, "properties": properties}

    def _gallery_id(self, image: GalleryImage) -> str:
        base = self.group_id(image.resource_group)
        if image.subscription:
            base = base.replace(self.subscription, image.subscription)
        return f"{base}/providers/Microsoft.Compute/galleries/{image.owner}/images/{image.name}"

    def _foreign_id(self, image: GalleryImage) -> str:
        return f"/{image.family.capitalize()}Galleries/{image.owner}/Images/{image.name}"

    def managed_image(self, image: ManagedImage) -> dict[str, Any]:
        group = self.group_id(image.resource_group)
        disk = {
            "osType": image.os,
            "osState": "Generalized",
            "diskSizeGB": 30,
            "managedDisk": {"id": f"{group}/providers/Microsoft.Compute/disks/{image.name}-source"},
            "caching": "ReadWrite",
            "storageAccountType": "Premium_LRS",
        }
        return {
            "name": image.name,
            "id": f"{group}/providers/Microsoft.Compute/images/{image.name}",
            "type": "Microsoft.Compute/images",
            "location": image.location,
            "tags": {},
            "properties": {
                "storageProfile": {"osDisk": disk, "dataDisks": []},
                "provisioningState": "Succeeded",
                "hyperVGeneration": image.generation,
            },
        }
