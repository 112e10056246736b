"""Reads a scenario file into a World. Every key is checked: an unknown one is an error, not a surprise."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import yaml

from . import automatic_upgrades, model, repairs, upgrade_policy
from .events import EVENTS, occur
from .faults import WireFault
from .images import Catalogue, GalleryImage, GalleryVersion, ManagedImage, PlatformImage, Resolved
from .instance import seeded_uuid
from .instance_faults import InstanceFault
from .knobs import KnobError, Knobs, override
from .permissions import Permissions
from .scale_set import ScaleSet
from .world import Waiting, World

TOP = {
    "seed",
    "location",
    "subscription",
    "knobs",
    "server",
    "images",
    "permissions",
    "scale_sets",
    "resources",
    "faults",
    "instance_faults",
    "events",
}
SET = {
    "name", "resource_group", "location", "orchestration", "capacity", "instance_ids", "id_gaps", "image", "running",
    "os", "sku", "zones", "update_domains", "fault_domains", "health", "upgrade_mode", "tags", "plan", "properties",
    "knobs", "instances", "extensions", "services", "rolling_latest", "os_history", "automatic_repairs",
}  # fmt: skip
INSTANCE = {
    "version", "power", "provisioning", "health", "zone", "update_domain", "fault_domain", "protect_scale_in",
    "protect_actions", "failure", "tags", "generation_behind", "attached",
}  # fmt: skip
HEALTH = ("rich", "binary", "probe", "none")
SUBSCRIPTION = {"id", "tenant", "client_id", "secret", "name"}


class ScenarioError(ValueError):
    """The scenario file is wrong; the text says where and what would be right."""


@dataclass
class Server:
    """What is not the world's: sign-in, throttling, the account. Seconds are wall seconds.

    `buckets`: how many times Azure's size the throttling buckets have, for runs faster than the clock they fill by.
    """

    token_life: int = 3600
    throttle: str = "off"
    buckets: float = 1.0
    throttle_body: str = "wrapped"


@dataclass
class Account:
    subscription: str = "11111111-1111-4111-8111-111111111111"
    tenant: str = "22222222-2222-4222-8222-222222222222"
    client_id: str = "33333333-3333-4333-8333-333333333333"
    secret: str = "simulated~secret.of-the-simulator"
    name: str = "Simulated"


@dataclass
class Scenario:
    world: World
    account: Account
    server: Server
    faults: list[WireFault]
    resource_groups: dict[str, str]
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    permissions: Permissions = field(default_factory=Permissions)


def _keys(value: object, allowed: set[str], where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: expected a mapping, got {value!r}")
    unknown = {str(key) for key in value} - allowed
    if unknown:
        raise ScenarioError(
            f"{where}: unknown key {', '.join(sorted(unknown))}; known are {', '.join(sorted(allowed))}"
        )
    return value


def _list(value: object, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: expected a list, got {value!r}")
    return value


def load(path: Path, started: datetime) -> Scenario:
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    try:
        return build(text, started)
    except (ScenarioError, KnobError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def build(data: object, started: datetime) -> Scenario:
    top = _keys(data, TOP, "scenario")
    account = _account(_keys(top.get("subscription"), SUBSCRIPTION, "subscription"))
    server = Server(**_keys(top.get("server"), set(Server.__dataclass_fields__), "server"))
    if server.throttle not in ("off", "on") or server.throttle_body not in ("wrapped", "bare"):
        raise ScenarioError(
            "server: throttle is off or on (quote them: YAML reads them as booleans), throttle_body wrapped or bare"
        )
    world = World(started=started, seed=int(top.get("seed", 1)))
    location = str(top.get("location", "westeurope"))
    _images(world.catalogue, _keys(top.get("images"), {"platform", "managed", "galleries"}, "images"), location)
    knobs = override(Knobs(), _keys(top.get("knobs"), set(Knobs.__dataclass_fields__), "knobs"), "knobs")
    groups: dict[str, str] = {}
    for index, entry in enumerate(_list(top.get("scale_sets"), "scale_sets")):
        owner = _scale_set(
            world, account, _keys(entry, SET, f"scale_sets[{index}]"), knobs, location, f"scale_sets[{index}]"
        )
        groups.setdefault(owner.resource_group.lower(), owner.resource_group)
    named = [i.resource_group for i in world.catalogue.managed] + [i.resource_group for i in world.catalogue.galleries]
    for group in named:
        groups.setdefault(group.lower(), group)
    for index, entry in enumerate(_list(top.get("instance_faults"), "instance_faults")):
        world.instance_faults.append(instance_fault(entry, f"instance_faults[{index}]"))
    faults = [wire_fault(entry, f"faults[{i}]") for i, entry in enumerate(_list(top.get("faults"), "faults"))]
    for index, entry in enumerate(_list(top.get("events"), "events")):
        schedule(world, entry, f"events[{index}]")
    resources = {str(entry["id"]).lower(): entry for entry in _list(top.get("resources"), "resources")}
    rights = _keys(top.get("permissions"), set(Permissions.__dataclass_fields__), "permissions")
    for name, value in rights.items():
        _list(value, f"permissions.{name}")
    return Scenario(world, account, server, faults, groups, resources, Permissions(**rights))


def _account(values: dict[str, Any]) -> Account:
    account = Account(**{"subscription" if key == "id" else key: str(value) for key, value in values.items()})
    for name in ("subscription", "tenant", "client_id"):
        if not valid_guid(getattr(account, name)):
            raise ScenarioError(f"subscription: {name} must be a GUID")
    return account


def instance_fault(entry: object, where: str) -> InstanceFault:
    values = _keys(entry, set(InstanceFault.__dataclass_fields__) - {"struck"}, where)
    if values.get("kind") not in ("fail", "unhealthy"):
        raise ScenarioError(f"{where}: kind must be fail or unhealthy")
    if values.get("instance") is not None:
        values = {**values, "instance": str(values["instance"])}
    return InstanceFault(**values)


def wire_fault(entry: object, where: str) -> WireFault:
    values = _keys(entry, set(WireFault.__dataclass_fields__) - {"seen", "struck"}, where)
    try:
        return WireFault(**values)
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"{where}: {error}") from error


def schedule(world: World, entry: object, where: str) -> None:
    """`{at: 30, do: scale, …}` or `{when: {calls: {OPERATION: 2}}, delay: 0, do: …}` or `{when: {upgraded: 3}, …}`."""
    if not isinstance(entry, dict) or (entry.get("do") not in EVENTS and entry.get("do") != "expire_tokens"):
        raise ScenarioError(f"{where}: do must be one of {', '.join(sorted(EVENTS))}, expire_tokens")
    event = {key: value for key, value in entry.items() if key not in ("at", "when", "delay")}
    if "at" in entry:
        world.at(float(entry["at"]), lambda: occur(world, event))
        return
    when = _keys(entry.get("when"), {"calls", "upgraded"}, f"{where}.when")
    delay = float(entry.get("delay", 0))
    if "calls" in when:
        ((operation, count),) = when["calls"].items()
        world.waiting.append(Waiting(event, operation, int(count), None, delay))
    elif "upgraded" in when:
        world.waiting.append(Waiting(event, None, int(when["upgraded"]), event.get("scale_set"), delay))
    else:
        raise ScenarioError(f"{where}: needs at: SECONDS, when: {{calls: {{OPERATION: N}}}} or when: {{upgraded: N}}")


def _images(catalogue: Catalogue, images: dict[str, Any], location: str) -> None:
    for index, entry in enumerate(_list(images.get("platform"), "images.platform")):
        where = f"images.platform[{index}]"
        values = _keys(entry, set(PlatformImage.__dataclass_fields__), where)
        versions = _list(values.get("versions"), f"{where}.versions")
        if not all(isinstance(version, str) for version in versions):
            raise ScenarioError(
                f"{where}.versions: quote the versions, YAML takes some of them for numbers: {versions}"
            )
        catalogue.platform.append(PlatformImage(**{**values, "versions": list(versions)}))
    for index, entry in enumerate(_list(images.get("managed"), "images.managed")):
        values = _keys(entry, set(ManagedImage.__dataclass_fields__), f"images.managed[{index}]")
        catalogue.managed.append(ManagedImage(**{"location": location, **values}))
    for index, entry in enumerate(_list(images.get("galleries"), "images.galleries")):
        where = f"images.galleries[{index}]"
        values = _keys(entry, {"name", "resource_group", "family", "tenant", "subscription", "images"}, where)
        for number, picture in enumerate(_list(values.get("images"), f"{where}.images")):
            place = f"{where}.images[{number}]"
            fields = _keys(picture, {"name", "os", "generation", "architecture", "plan", "versions"}, place)
            allowed = {"version", "regions", "exclude_from_latest", "state"}
            versions = [
                GalleryVersion(**{"regions": [location], **_keys(v, allowed, f"{place}.versions")})
                for v in _list(fields.get("versions"), f"{place}.versions")
            ]
            elsewhere = {name: values[name].lower() for name in ("tenant", "subscription") if name in values}
            if len(elsewhere) == 1:
                raise ScenarioError(f"{where}: a gallery of another tenant has both tenant and subscription")
            family = values.get("family", "gallery")
            if family not in ("gallery", "shared", "community"):
                raise ScenarioError(f"{where}.family: {family!r} is none of gallery, shared, community")
            group, more = values.get("resource_group", "images"), {**fields, **elsewhere, "versions": versions}
            catalogue.galleries.append(GalleryImage(family, values["name"], group, **more))


def _extension(os: str, health: str) -> dict[str, Any]:
    version, more = ("2.0", {"gracePeriod": 600}) if health == "rich" else ("1.0", {})
    return {
        "name": f"ApplicationHealth{os}",
        "properties": {
            "autoUpgradeMinorVersion": True,
            "publisher": "Microsoft.ManagedServices",
            "type": f"ApplicationHealth{os}",
            "typeHandlerVersion": version,
            "settings": {"protocol": "http", "port": 80, "requestPath": "/health", **more},
        },
    }


def default_document(
    account: Account,
    name: str,
    group: str,
    location: str,
    *,
    os: str = "Linux",
    flexible: bool = False,
    capacity: int = 0,
) -> dict[str, Any]:
    """A plain scale set of Azure's defaults, without an image."""
    network = f"/subscriptions/{account.subscription}/resourceGroups/{group}/providers/Microsoft.Network"
    subnet = {"id": f"{network}/virtualNetworks/{name}-vnet/subnets/default"}
    pool = {"id": f"{network}/loadBalancers/{name}-lb/backendAddressPools/pool"}
    ip = {
        "primary": True,
        "subnet": subnet,
        "privateIPAddressVersion": "IPv4",
        "loadBalancerBackendAddressPools": [pool],
    }
    system = (
        {"windowsConfiguration": {"provisionVMAgent": True, "enableAutomaticUpdates": False}}
        if os == "Windows"
        else {"linuxConfiguration": {"disablePasswordAuthentication": True, "provisionVMAgent": True}}
    )
    profile: dict[str, Any] = {
        "osProfile": {
            "computerNamePrefix": name[:9],
            "adminUsername": "azureuser",
            **system,
            "secrets": [],
            "allowExtensionOperations": True,
            "requireGuestProvisionSignal": True,
        },
        "storageProfile": {
            "osDisk": {
                "osType": os,
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": "Premium_LRS"},
                "diskSizeGB": 127 if os == "Windows" else 30,
            },
        },
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {
                    "name": f"{name}-nic",
                    "properties": {
                        "primary": True,
                        "enableAcceleratedNetworking": False,
                        "disableTcpStateTracking": False,
                        "dnsSettings": {"dnsServers": []},
                        "enableIPForwarding": False,
                        "ipConfigurations": [{"name": f"{name}-ip", "properties": ip}],
                    },
                }
            ]
        },
    }
    properties: dict[str, Any] = {
        "singlePlacementGroup": capacity <= 100 and not flexible,
        "virtualMachineProfile": profile,
    }
    if flexible:
        properties |= {
            "orchestrationMode": "Flexible",
            "platformFaultDomainCount": 1,
            "constrainedMaximumCapacity": False,
        }
        profile["networkProfile"]["networkApiVersion"] = "2020-11-01"
        profile["storageProfile"]["osDisk"]["deleteOption"] = "Delete"
    else:
        properties |= {
            "orchestrationMode": "Uniform",
            "upgradePolicy": {"mode": "Manual"},
            "overprovision": False,
            "doNotRunExtensionsOnOverprovisionedVMs": False,
            "platformFaultDomainCount": 5,
        }
    return {
        "location": location,
        "tags": {},
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": capacity},
        "properties": properties,
    }


def _scale_set(
    world: World, account: Account, entry: dict[str, Any], knobs: Knobs, location: str, where: str
) -> ScaleSet:
    for required in ("name", "resource_group", "image"):
        if required not in entry:
            raise ScenarioError(f"{where}: {required} is missing")
    name, group, os = str(entry["name"]), str(entry["resource_group"]), str(entry.get("os", "Linux"))
    flexible = entry.get("orchestration", "Uniform") == "Flexible"
    ids = [str(i) for i in _list(entry.get("instance_ids"), f"{where}.instance_ids")]
    capacity = len(ids) or int(entry.get("capacity", 0))
    document = default_document(
        account, name, group, entry.get("location", location), os=os, flexible=flexible, capacity=capacity
    )
    _apply_short_hands(document, entry, account, name, group, os, where)
    document["properties"] = model.merge(document["properties"], copy.deepcopy(entry.get("properties") or {}))
    upgrade_policy.complete(document, document)
    zones = document.get("zones")
    rng = Random(f"{world.seed}/{name}")
    owner = ScaleSet(
        name=name,
        resource_group=group,
        document=document,
        knobs=override(
            knobs, _keys(entry.get("knobs"), set(Knobs.__dataclass_fields__), f"{where}.knobs"), f"{where}.knobs"
        ),
        unique_id=seeded_uuid(rng),
        created=-86400.0,
        update_domains=None if flexible else int(entry.get("update_domains", 1 if zones else 5)),
        fault_domains=int(entry["fault_domains"])
        if "fault_domains" in entry
        else None
        if flexible
        else 1
        if zones
        else 5,
        id_gaps=bool(entry.get("id_gaps", False)),
        services=dict(entry.get("services") or {}),
        rolling_latest=entry.get("rolling_latest"),
        os_history=_list(entry.get("os_history"), f"{where}.os_history"),
        state_time=-3600.0,
    )
    world.sets[(group.lower(), name.lower())] = owner
    try:
        for number in range(capacity):
            world.place(owner, instance_id=ids[number] if ids else None)
    except Exception as error:
        raise ScenarioError(f"{where}: the model's image cannot be deployed: {error}") from error
    _instances(world, owner, entry, where)
    repairs.watch(world, owner)
    automatic_upgrades.watch(world, owner)
    return owner


def _apply_short_hands(
    document: dict[str, Any], entry: dict[str, Any], account: Account, name: str, group: str, os: str, where: str
) -> None:
    profile = model.profile_of(document)
    image = entry["image"]
    if not isinstance(image, dict):
        raise ScenarioError(f"{where}.image: expected an imageReference, or {{vhd: URI}}")
    if "vhd" in image:
        profile["storageProfile"]["osDisk"]["image"] = {"uri": image["vhd"]}
        profile["storageProfile"]["osDisk"].pop("managedDisk", None)
    else:
        profile["storageProfile"]["imageReference"] = {
            key: value.replace("{subscription}", account.subscription) for key, value in image.items()
        }
    _apply_health(profile, entry, account, name, group, os, where)
    for key in ("tags", "plan"):
        if key in entry:
            document[key] = copy.deepcopy(entry[key])
    if "sku" in entry:
        document["sku"]["name"] = entry["sku"]
    if entry.get("zones"):
        document["zones"] = [str(zone) for zone in entry["zones"]]
    if "upgrade_mode" in entry:
        document["properties"].setdefault("upgradePolicy", {})["mode"] = entry["upgrade_mode"]
    if given := entry.get("automatic_repairs"):
        policy = {"enabled": True, "gracePeriod": "PT10M", "repairAction": "Replace"}
        document["properties"]["automaticRepairsPolicy"] = policy | (given if isinstance(given, dict) else {})


def _apply_health(
    profile: dict[str, Any], entry: dict[str, Any], account: Account, name: str, group: str, os: str, where: str
) -> None:
    health = entry.get("health", "rich")
    if health not in HEALTH:
        raise ScenarioError(f"{where}.health: {health!r} is none of {', '.join(HEALTH)}")
    if health in ("rich", "binary"):
        profile["extensionProfile"] = {"extensions": [_extension(os, health)]}
    if entry.get("extensions"):
        profile.setdefault("extensionProfile", {"extensions": []})["extensions"] += copy.deepcopy(entry["extensions"])
    if health == "probe":
        balancer = (
            f"/subscriptions/{account.subscription}/resourceGroups/{group}/providers/Microsoft.Network/loadBalancers"
        )
        profile["networkProfile"]["healthProbe"] = {"id": f"{balancer}/{name}-lb/probes/health"}


def _instances(world: World, owner: ScaleSet, entry: dict[str, Any], where: str) -> None:
    single = entry.get("instances") or {}
    unknown = {str(key) for key in single} - set(owner.instances) - {str(i.number) for i in owner.instances.values()}
    if unknown:
        raise ScenarioError(f"{where}.instances: there is no instance {', '.join(sorted(unknown))}")
    single = {str(key): value for key, value in single.items()}
    healthy = model.health_source(owner.document) is not None
    for position, instance in enumerate(owner.instances.values()):
        key = instance.instance_id if instance.instance_id in single else str(instance.number)
        given = _keys(single.get(key), INSTANCE, f"{where}.instances.{key}")
        instance.created = instance.disk_time = -86400.0 + position
        instance.provisioning_time = instance.health_time = -7200.0 + position
        instance.health = given.get("health", "healthy") if healthy else None
        version = given.get("version", entry.get("running"))
        if version is not None:
            old = instance.image
            instance.image = Resolved(old.kind, old.identity, str(version), old.os, old.plan)
        if "attached" in given:
            attached = _keys(given["attached"], {"image"}, f"{where}.instances.{key}.attached")
            world.make_attached(instance, attached.get("image"))
        for member in INSTANCE - {"version", "health", "generation_behind", "attached"}:
            if member in given:
                setattr(instance, member, str(given[member]) if member == "zone" else given[member])
        if given.get("generation_behind"):
            instance.generation -= int(given["generation_behind"])
        if instance.power != "running" and healthy:
            instance.health = "unknown" if model.rich_health(owner.document) else "unhealthy"
        if instance.failure:
            instance.provisioning = "Failed"
        world.recorder.count_instance(0.0, owner, instance)


def valid_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
