# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A seed draws a case: a scale set, its Azure's bad habits and bad luck, and how the rollout is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import yaml
from harness import CHECKOUT

GROUP, NAME = "shop", "web"
OLD, NEW, NEWER = "24.4.20261001", "24.4.20261118", "24.4.20261201"
# What another client writes into the model.
THIRD = "24.4.20261020"
SERIES = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries/golden/images/web"
# Simulated seconds in one of the client's.
TIME_SCALE = 60
OTHER_TAG = "written-by-another-client"
RECORD = "steady-vmss-rollout"
# Simulated seconds that outlast any rollout.
LONG = 200_000
APPLIANCE = {"publisher": "other", "offer": "appliance", "sku": "standard", "version": "7.0.1"}
AGENT = {"name": "AzureMonitorLinuxAgent", "properties": {"publisher": "Microsoft.Azure.Monitor", "type": "Agent"}}
DATA_DISKS = [
    {"lun": 0, "createOption": "Empty", "diskSizeGB": 64, "managedDisk": {"storageAccountType": "Premium_LRS"}}
]

SETS, VMS = "VirtualMachineScaleSets_", "VirtualMachineScaleSetVMs_"
READS = [SETS + "Get", "*VMs_List", "VirtualMachines_List", "Operations_Get", "*Rolling*", "*Image*", "*"]
WRITES = [SETS + "Update", SETS + "UpdateInstances", SETS + "Reimage"]
FAILURES = {
    "AllocationFailed": "Allocation failed. There is not sufficient capacity for the requested VM size in this region.",
    "VMExtensionProvisioningError": "VM has reported a failure when processing extension 'app'.",
    "OSProvisioningTimedOut": "OS Provisioning for VM did not finish in the allotted time.",
    "SomeNewErrorCode": "An error that no client knows.",
}


@dataclass(frozen=True)
class Case:
    """`variables` are the role's; `limit` and `order_by` are two of them, for the judge. `check`: what the user's
    health check refuses (checks.py), None without one.
    """

    seed: int
    scenario: dict[str, Any]
    variables: dict[str, Any]
    limit: str
    order_by: str
    check: dict[str, Any] | None = None

    @property
    def scale_set(self) -> dict[str, Any]:
        found: dict[str, Any] = self.scenario["scale_sets"][0]
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.scenario["events"]
        return found

    @property
    def tolerates(self) -> bool:
        return bool(self.variables.get("rollout_max_unhealthy_upgraded"))

    def did(self, *names: str) -> bool:
        return any(event["do"] in names for event in self.events)

    def chosen(self, key: str, instance: dict[str, Any]) -> bool:
        """Whether the rollout was asked for it."""
        ids, zones = self.variables.get("rollout_instance_ids"), self.variables.get("rollout_zones")
        return (not ids or key in ids) and (not zones or instance["zone"] in zones)

    def most_unavailable(self, there: int) -> int:
        number = int(self.limit.rstrip("%"))
        return max(1, there * number // 100) if self.limit.endswith("%") else number


def role_variables() -> set[str]:
    """What the role under test knows: a variable it has not learnt yet is not drawn."""
    specs = yaml.safe_load((CHECKOUT / "roles/rollout/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return set(specs["argument_specs"]["main"]["options"])


def case(seed: int) -> Case:
    rng = Random(f"chaos/{seed}")
    kind = rng.choice(["uniform", "uniform", "zonal", "flexible"])
    capacity = rng.randint(5, 40)
    gaps = 10 if kind != "flexible" and rng.random() < 0.5 else 0
    numbers = sorted(rng.sample(range(capacity + gaps), capacity))
    gallery = rng.random() < 0.4
    knobs = _knobs(rng, kind) | _newer(Random(f"chaos/newer/{seed}"))
    properties: dict[str, Any] = {"someMemberOfTomorrow": {"kept": [1, 2]}} if rng.random() < 0.3 else {}
    if rng.random() < 0.3:
        properties["virtualMachineProfile"] = {"storageProfile": {"dataDisks": DATA_DISKS}}
        if rng.random() < 0.2:
            knobs["image_write_loses"] = "storageProfile.dataDisks"
    elif kind != "flexible" and rng.random() < 0.15:
        # A reimage of such disks brings the old image back unless it says otherwise.
        ephemeral = {"diffDiskSettings": {"option": "Local"}, "caching": "ReadOnly"}
        properties["virtualMachineProfile"] = {"storageProfile": {"osDisk": ephemeral}}
        knobs["upgrade_keeps_disk"] = rng.random() < 0.7
    scale_set: dict[str, Any] = {
        "name": NAME,
        "resource_group": GROUP,
        **({"instance_ids": numbers} if gaps else {"capacity": capacity}),
        "image": {"id": f"{GALLERY}/versions/{OLD}"} if gallery else {**SERIES, "version": OLD},
        "health": rng.choice(["rich", "rich", "binary", "none"] + ["probe"] * (kind != "flexible")),
        "tags": {"owner": "shop team", "cost-centre": "42"},
        "properties": properties,
        "extensions": _extensions(rng),
        "knobs": knobs,
        "instances": _instances(rng, kind, numbers),
    }
    if kind == "zonal":
        scale_set["zones"] = ["1", "2", "3"]
    if kind == "flexible":
        scale_set["orchestration"] = "Flexible"
        scale_set["fault_domains"] = rng.choice([1, 3])
    if kind != "flexible" and rng.random() < 0.4:
        scale_set["automatic_repairs"] = {"repairAction": rng.choice(["Replace", "Reimage", "Restart"])}
        if rng.random() < 0.3:
            scale_set["services"] = {"AutomaticRepairs": "Suspended"}
    scenario = {
        "seed": seed,
        "server": {"throttle_body": rng.choice(["wrapped", "bare"])},
        "images": {
            "platform": [{**SERIES, "versions": [OLD, THIRD, NEW]}],
            "galleries": [
                {
                    "name": "golden",
                    "images": [{"name": "web", "versions": [_version(OLD), _version(THIRD), _version(NEW)]}],
                }
            ],
        },
        "scale_sets": [scale_set],
        "faults": [_fault(rng) for _number in range(rng.choice([0, 1, 2, 3, 5, 8]))] + _forbidden(rng),
        "instance_faults": _instance_faults(rng),
        "events": _events(rng, capacity, gallery) + _others(rng, kind, gallery, capacity),
    }
    # A large set goes in large batches: many small ones would only take longer.
    limit = rng.choice(
        ["20%", "20%", "34%", "50%"] + (["10%", "1", "2"] if capacity <= 12 else ["25%", str(capacity // 4)])
    )
    order_by = rng.choice(["domain", "domain", "domain", "fault_domain", "none"] + ["zone"] * (kind == "zonal"))
    variables = _variables(rng, gallery, limit, order_by, capacity)
    if kind == "uniform" and rng.random() < 0.2:
        variables["rollout_instance_ids"] = [str(n) for n in sorted(rng.sample(numbers, max(2, capacity * 2 // 3)))]
    if kind == "zonal" and rng.random() < 0.2:
        variables["rollout_zones"] = ["1", "3"]
    drawn = Case(seed, scenario, variables, limit, order_by, _check(rng, capacity))
    # From streams of their own, so that a seed keeps the play that it had before these were drawn.
    _busy(Random(f"chaos/busy/{seed}"), drawn)
    _security(Random(f"chaos/security/{seed}"), drawn, gallery)
    _notification(Random(f"chaos/notification/{seed}"), drawn)
    return drawn


def _busy(rng: Random, case: Case) -> None:
    """Every fourth rollout skips who is busy: mostly some are from the start, be it for a while or for ever."""
    if rng.random() >= 0.25 or "rollout_busy" not in role_variables():
        return
    case.variables["rollout_busy"] = "skip"
    for _number in range(rng.choice([0, 1, 1, 1, 2, 3])):
        long = rng.choice([600, 1500, 3000, LONG, LONG, LONG])
        event: dict[str, Any] = rng.choice(
            [
                {"do": "work", "seconds": long, "ends": rng.choice(["Succeeded", "Succeeded", "Failed", "Canceled"])},
                {"do": "work", "seconds": long, "ends": "Succeeded"},
                {"do": "power", "power": "stopped"},
            ]
        )
        when: dict[str, Any] = rng.choice(
            [{"at": 1}, {"at": 1}, {"at": 1}, {"when": {"calls": {SETS + "UpdateInstances": rng.randint(1, 3)}}}]
        )
        pick = rng.randrange(1000)
        case.events.append({**event, **when, "pick": pick})
        if event["do"] == "power" and rng.random() < 0.3:
            case.events.append({"do": "power", "power": "running", "at": rng.randint(600, 2400), "pick": pick})


def _security(rng: Random, case: Case, gallery: bool) -> None:
    """Every fifth rollout writes a security type with the image, half of those to Trusted Launch with a generation."""
    knobs, profile = case.scale_set["knobs"], case.scale_set["properties"].get("virtualMachineProfile", {})
    knobs["security_back"] = rng.choice(["accept", "accept", "refuse"])
    # What has data disks is refused: that is seen soon.
    chance = 0.05 if "dataDisks" in profile.get("storageProfile", {}) else 0.25
    if rng.random() >= chance or "rollout_security_type" not in role_variables():
        return
    security: dict[str, Any] = {"encryptionAtHost": True} if rng.random() < 0.5 else {}
    wanted = rng.choice(["TrustedLaunch", "TrustedLaunch", "TrustedLaunch", "Standard"])
    case.variables["rollout_security_type"] = wanted
    if wanted == "Standard":
        firmware = {"secureBootEnabled": rng.random() < 0.5, "vTpmEnabled": True}
        security |= {"securityType": "TrustedLaunch", "uefiSettings": firmware}
    elif rng.random() < 0.5:
        _first_generation(case, gallery)
    if security:
        case.scale_set["properties"].setdefault("virtualMachineProfile", {})["securityProfile"] = security


def _first_generation(case: Case, gallery: bool) -> None:
    """The set's old image is one of generation 1, which has an image of its own."""
    images = case.scenario["images"]
    if gallery:
        images["galleries"][0]["images"].append({"name": "web-gen1", "generation": "V1", "versions": [_version(OLD)]})
        case.scale_set["image"] = {"id": f"{GALLERY}-gen1/versions/{OLD}"}
    else:
        first = {**SERIES, "sku": "server-gen1"}
        images["platform"].append({**first, "generation": "V1", "versions": [OLD]})
        case.scale_set["image"] = {**first, "version": OLD}


def _notification(rng: Random, case: Case) -> None:
    """In every seventh set the instances are told of a new image, and may hold it up."""
    case.scale_set["knobs"]["notification_holds"] = rng.choice(["reimage", "reimage", "all", "nothing"])
    if rng.random() < 0.15:
        asked = {"osImageNotificationProfile": {"enable": True, "notBeforeTimeout": "PT15M"}}
        profile = case.scale_set["properties"].setdefault("virtualMachineProfile", {})
        profile["scheduledEventsProfile"] = asked


def _check(rng: Random, capacity: int) -> dict[str, Any] | None:
    """The user's own health check: mostly none, else one that passes, or refuses some batches."""
    if rng.random() < 0.6:
        return None
    kinds: list[dict[str, Any]] = [
        {"kind": "never"},
        {"kind": "always"},
        {"kind": "some", "modulo": max(2, capacity // 2)},
        {"kind": "some", "modulo": capacity},
        {"kind": "number", "number": rng.randint(1, 4)},
        {"kind": "first", "times": 1},
    ]
    return rng.choice(kinds)


def _version(version: str) -> dict[str, Any]:
    return {"version": version}


def _extensions(rng: Random) -> list[dict[str, Any]]:
    if rng.random() < 0.5:
        return []
    return [
        {
            "name": "app",
            "properties": {
                "publisher": "Microsoft.Azure.Extensions",
                "type": "CustomScript",
                "typeHandlerVersion": "2.1",
                "settings": {"commandToExecute": "start"},
            },
        }
    ]


def _knobs(rng: Random, kind: str) -> dict[str, Any]:
    knobs: dict[str, Any] = {
        "upgrade": rng.choice([{"uniform": [30, 60]}, {"uniform": [30, 150]}, {"lognormal": 75, "cv": 0.3}]),
        "reimage": {"uniform": [30, 60]},
        "write": rng.choice([5, 15, 60]),
        "create": {"uniform": [30, 60]},
        "health_lag": rng.choice([5, 20, 60]),
        "health_time": rng.choice(["transition", "report", "never"]),
        "list_order": rng.choice(["text", "shuffled"]),
        "id_case": rng.choice(["as_is", "upper_group"]),
        "tags_write_is_a_model": rng.random() < 0.5,
        "orchestration_beside": rng.random() < 0.8,
        "fallen_upgrade": rng.choice(["starts", "starts", "stays"]),
        "automatic_acts_on": rng.choice(["model", "any"]),
        "etag_bumps": rng.choice(["write", "any"]),
        "patch_tags": rng.choice(["merge", "replace"]),
        "patch_os_disk": rng.choice(["merge", "replace"]),
        "protected_upgrade": rng.choice(["skip", "refuse"]),
        "poll_url": rng.choice(["auto", "short"]),
        "page_size": rng.choice([3, 10, 120]),
        "gallery_exact_version": rng.random() < 0.5,
        "future_members": rng.random() < 0.3,
    }
    sometimes: dict[str, Any] = {
        "health_linger": rng.choice([30, 90]),
        "set_updating_late": rng.choice([15, 60]),
        "operation_early": rng.choice([20, 200]),
        "exact_version_late": rng.choice([30, 120]),
        "conflict_window": rng.choice([20, 120]),
        "operation_lifetime": rng.choice([0, 30]),
        "retry_after_initial": 1,
        "retry_after_poll": rng.choice([1, 3]),
        "retry_after_terminal": 1,
    }
    knobs |= {name: value for name, value in sometimes.items() if rng.random() < 0.25}
    if kind != "flexible" and rng.random() < 0.15:
        knobs["upgrade_keeps_disk"] = True
    return knobs


def _newer(rng: Random) -> dict[str, Any]:
    """Where newer traffic differs from what was known first, by either form."""
    return {
        "action_buckets": rng.choice(["subscription", "resource"]),
        "extension_answers": rng.choice(["recorded", "whole"]),
        "next_link_spaces": rng.random() < 0.3,
        "patch_lists": rng.choice(["merge", "replace"]),
        "rolling_policy_shown": rng.choice(["needed", "always"]),
    }


def _instances(rng: Random, kind: str, numbers: list[int]) -> dict[int, dict[str, Any]]:
    """Some instances are protected, deallocated or sick before the rollout."""
    # What a Flexible set shows of protection is not known, so there none is protected from actions.
    odd: list[dict[str, Any]] = [
        {"protect_scale_in": True, "protect_actions": kind != "flexible"},
        {"power": "deallocated"},
        {"protect_scale_in": True},
        {"health": "unhealthy"},
        {"failure": {"code": "VMExtensionProvisioningError", "message": "A failure from before this rollout."}},
    ]
    odd.append({"provisioning": "Canceled"})
    if kind == "flexible":
        odd += [{"attached": {"image": APPLIANCE}}, {"attached": {}}]
    chosen = [one for one in odd if rng.random() < 0.15]
    return dict(zip(rng.sample(numbers, len(chosen)), chosen, strict=True))


def _fault(rng: Random) -> dict[str, Any]:
    """Each ends: after it Azure is itself again, and the rollout must be able to end too."""
    where = {"operation": rng.choice(READS if rng.random() < 0.6 else WRITES)}
    when = {"after_calls": rng.choice([0, 0, 1, 3, 6, 12]), "times": rng.choice([1, 1, 2, 3])}
    error: dict[str, Any] = {"action": "error", "retry_after": rng.choice([None, None, 1, 3])}
    kinds: list[dict[str, Any]] = [
        {**error, "status": status, "code": code}
        for status, code in (
            (500, "InternalServerError"),
            (502, "BadGateway"),
            (503, "ServiceUnavailable"),
            (504, "GatewayTimeout"),
            (409, "Conflict"),
            (429, "SubscriptionRequestsThrottled"),
        )
    ]
    kinds += [{"action": "throttle", "retry_after": wait, "bare": bare} for wait in (None, 2) for bare in (True, False)]
    kinds += [{"action": action} for action in ("lost_before", "lost_answer", "reset", "truncated", "html")]
    kinds += [{"action": "delay", "seconds": 2}]
    fault = {**where, **when, **rng.choice(kinds)}
    if fault.get("code") == "Conflict":
        fault["operation"] = rng.choice(WRITES)  # no read conflicts with anything
    return fault


def _forbidden(rng: Random) -> list[dict[str, Any]]:
    """A permission that the role was never given. Not `write`: without it nothing could be set back."""
    missing = rng.choice(["*/manualupgrade/action", "*/virtualMachines/read", "*/rollingUpgrades/read"])
    return [{"action": "forbidden", "permission": missing}] if rng.random() < 0.05 else []


def _instance_faults(rng: Random) -> list[dict[str, Any]]:
    """One image in four is broken, on some instances or on all."""
    if rng.random() < 0.75:
        return []
    broken: dict[str, Any] = {
        "kind": rng.choice(["fail", "fail", "unhealthy"]),
        "image_version": rng.choice([f"*{NEW}*", None]),
        "chance": rng.choice([0.05, 0.2, 1.0]),
    }
    if broken["kind"] == "fail":
        code = rng.choice(sorted(FAILURES))
        broken |= {"code": code, "message": FAILURES[code], "disk": rng.choice(["old", "new"])}
        if code == "AllocationFailed":
            broken |= {"disk": "old", "power": "deallocated"}
    if rng.random() < 0.3:
        broken["times"] = 1
    return [broken]


def _events(rng: Random, capacity: int, gallery: bool) -> list[dict[str, Any]]:
    where = {"gallery": "golden", "image": "web"} if gallery else SERIES
    code = rng.choice(sorted(FAILURES))
    kinds: list[dict[str, Any]] = [
        {"do": "scale", "capacity": capacity + rng.randint(1, 3)},
        {"do": "scale", "capacity": max(3, capacity - rng.randint(1, 3))},
        {"do": "remove", "scale_in": rng.random() < 0.5, "seconds": rng.choice([0, 30])},
        {"do": "remove", "scale_in": rng.random() < 0.5, "seconds": rng.choice([0, 30])},
        {"do": "fail", "code": code, "message": FAILURES[code]},
        {"do": "unhealthy"},
        {"do": "power", "power": rng.choice(["stopped", "deallocated"])},
        {"do": "preempt"},
        {"do": "expire_tokens"},
        {"do": "expire_tokens"},
        {"do": "scale", "capacity": capacity + rng.randint(1, 3)},
        {"do": "rolling_upgrade", "seconds": rng.choice([60, 300])},
        {"do": "write", "patch": {"tags": {OTHER_TAG: "yes"}}},
        {"do": "publish", **where, "version": NEWER},
        {"do": "show", "provisioning": "Rehydrating", "seconds": 120},
        {"do": "show", "health": "pensive", "power": "dreaming", "seconds": 120},
    ]
    events: list[dict[str, Any]] = []
    for _number in range(rng.choice([0, 1, 2, 3, 4])):
        event = {**rng.choice(kinds)}
        if event["do"] in ("remove", "fail", "unhealthy", "power", "show"):
            event["pick"] = rng.randrange(1000)
        event |= rng.choice(
            [
                {"at": rng.randint(60, 1800)},
                {"when": {"upgraded": rng.randint(1, capacity)}, "delay": rng.choice([0, 20])},
                {"when": {"calls": {SETS + "UpdateInstances": rng.randint(1, 4)}}, "delay": rng.choice([0, 10, 60])},
                {"when": {"calls": {SETS + "Update": 1}}, "delay": rng.choice([0, 10])},
                {"when": {"calls": {SETS + "Get": rng.randint(1, 8)}}},
            ]
        )
        events.append(event)
    return events


def _others(rng: Random, kind: str, gallery: bool, capacity: int) -> list[dict[str, Any]]:
    """What other clients write, at any point of a rollout and of its stop: mostly right after an answer."""
    listing = "VirtualMachines_List" if kind == "flexible" else VMS + "List"
    points = [
        (SETS + "Get", 12),
        (SETS + "Get", 4),
        (listing, 10),
        (listing, 3),
        (SETS + "Update", 3),
        (SETS + "UpdateInstances", 5),
        (SETS + "SetOrchestrationServiceState", 2),
        (SETS + "Reimage", 1),
        ("Operations_Get", 30),
    ]
    kinds = _other_clients(rng, kind, gallery, capacity)
    events: list[dict[str, Any]] = []
    for _number in range(rng.choice([0, 1, 1, 1, 2])):
        operation, most = rng.choice(points)
        when: dict[str, Any] = {"calls": {operation: rng.randint(1, most)}}
        if rng.random() < 0.2:
            when = {"upgraded": rng.randint(1, capacity)}
        event = {**rng.choice(kinds), "when": when, "delay": rng.choice([0, 0, 0, 5, 20])}
        if event["do"] in ("protect", "work", "canceled"):
            event["pick"] = rng.randrange(1000)
        if rng.random() < 0.6:
            event["retry"] = 5
        events.append(event)
    return events


def model_write(**properties: Any) -> dict[str, Any]:
    return {"do": "write", "patch": {"properties": properties}}


def _other_clients(rng: Random, kind: str, gallery: bool, capacity: int) -> list[dict[str, Any]]:
    pinned, latest = {"id": f"{GALLERY}/versions/{THIRD}"}, {"id": GALLERY}
    if not gallery:
        pinned, latest = {**SERIES, "version": THIRD}, {**SERIES, "version": "latest"}
    profile = {"storageProfile": {"imageReference": latest}}
    automatic = {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
    # Another rollout's, to another image: with its image, or before it comes to write that.
    target = pinned["id"] if gallery else ":".join(pinned.values())
    tags = {RECORD: f"{rng.getrandbits(128):032x}", "steady-vmss-target": target}
    record = {"do": "write", "patch": {"tags": tags}}
    rollout = model_write(virtualMachineProfile={"storageProfile": {"imageReference": pinned}})
    rollout["patch"]["tags"] = tags
    kinds = [
        model_write(upgradePolicy={"mode": "Automatic"}),
        model_write(upgradePolicy={"mode": "Automatic"}),
        model_write(upgradePolicy={"mode": "Rolling"}),
        model_write(virtualMachineProfile={"storageProfile": {"imageReference": pinned}}),
        model_write(virtualMachineProfile={"storageProfile": {"imageReference": pinned}}),
        model_write(upgradePolicy=automatic, virtualMachineProfile=profile),
        record,
        rollout,
        {"do": "write", "patch": {"tags": {OTHER_TAG: "yes", "owner": "another team"}}},
        {"do": "policy", "extension": AGENT, "tags": {"policy": "applied"}},
        {
            "do": "scale",
            "capacity": capacity + rng.randint(1, 2),
            "creating": rng.choice([600, 1800]),
            "ends_after": 15,
        },
        {"do": "service", "action": rng.choice(["Suspend", "Resume"])},
        {"do": "work", "seconds": rng.choice([300, 1500]), "ends": rng.choice(["Succeeded", "Failed", "Canceled"])},
        {"do": "canceled"},
    ]
    if kind == "flexible":
        kinds += [{"do": "attach", "image": APPLIANCE}, {"do": "attach"}]
    else:
        kinds.append({"do": "protect"})
    return kinds


def _variables(rng: Random, gallery: bool, limit: str, order_by: str, capacity: int) -> dict[str, Any]:
    latest = rng.random() < 0.3
    image: Any = {"id": GALLERY if latest else f"{GALLERY}/versions/{NEW}"}
    if not gallery:
        image = {**SERIES, "version": "latest" if latest else NEW}
    drawn: dict[str, Any] = {
        "rollout_image": image,
        "rollout_max_unavailable": limit,
        "rollout_order_by": order_by,
        "rollout_canary": rng.choice(["", "", 0, 1, 2]),
        "rollout_batch_size": rng.choice(["", "", "25%", max(2, capacity // 5), [1, "10%", "50%"]]),
        "rollout_healthy_for": rng.choice([0, 0, 1]),
        "rollout_on_failure": rng.choice(["stop", "stop", "rollback_failed", "rollback_all"]),
        "rollout_max_unhealthy": rng.choice(["", "", "100%"]),
        "rollout_max_unhealthy_upgraded": rng.choice(["", "", "30%"]),
    }
    patience = {
        "rollout_upgrade_timeout": 90,
        "rollout_health_timeout": 12,
        "rollout_health_lag": 4,
        "rollout_version_lag": 4,
    }
    known = role_variables()
    given = {name: value for name, value in {**drawn, **patience}.items() if name in known and value != ""}
    return {"rollout_resource_group": GROUP, "rollout_scale_set": NAME, **given}
