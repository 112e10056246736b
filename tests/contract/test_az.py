"""The real `az`, unmodified, works against the simulator and prints what the recordings show.

`make contract` installs azure-cli into an environment of its own and puts its `az` on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import shapes
from .arm import Arm
from .table import served

Az = Callable[..., Any]
GROUP_AND_NAME = ("-g", "rg", "-n", "az")
URN = "contoso:server:2025-datacenter"


def az_of(config: Path, more: dict[str, str]) -> Az:
    """An `az` with a configuration of its own: `az("vmss", "list")` -> what it prints, parsed."""
    program = shutil.which("az")
    if not program:
        pytest.fail("there is no az on the path: `make contract` installs azure-cli and puts it there")
    foreign = ("AZURE_", "ARM_", "REQUESTS_", "SSL_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {
        "AZURE_CONFIG_DIR": str(config),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_OUTPUT": "json",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "AZURE_AUTO_UPGRADE_ENABLE": "no",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
        **more,
    }

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"az {' '.join(arguments[:2])} ended with {done.returncode}:\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def sign_in(az: Az, simulator: Arm, cloud: str) -> None:
    az("cloud", "set", "--name", cloud)
    user, secret = simulator.environment["AZURE_CLIENT_ID"], simulator.environment["AZURE_SECRET"]
    az("login", "--service-principal", "-u", user, "-p", secret, "--tenant", simulator.tenant)


@pytest.fixture(scope="module")
def az(simulator: Arm, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """An `az` that has been told of the cloud by the URL of its Resource Manager, and has signed in."""
    trusted = {name: simulator.environment[name] for name in ("REQUESTS_CA_BUNDLE", "AZURE_CORE_INSTANCE_DISCOVERY")}
    az = az_of(tmp_path_factory.mktemp("az"), trusted)
    az("cloud", "register", "--name", "registered", "--endpoint-resource-manager", simulator.url)
    sign_in(az, simulator, "registered")
    return az


def test_the_environment_of_the_simulator_is_all_that_az_needs(simulator: Arm, tmp_path: Path) -> None:
    az = az_of(tmp_path, simulator.environment)
    (cloud,) = az("cloud", "list")
    sign_in(az, simulator, cloud["name"])
    assert az("account", "show")["id"] == simulator.subscription


def assert_printed(printed: Any, name: str, prefix: str = "", *, without: tuple[str, ...] = (), only: str = "") -> None:
    """`printed` holds every member the exchange of that name was recorded with, in its form; or those below `only`.

    az lifts the members of each `properties` to their owner, and a list's `value` is the list.
    """
    expected = {
        prefix + path.removeprefix("value").replace("properties.", ""): form for path, form in served(name).items()
    }
    expected = {
        path.removeprefix(only): form
        for path, form in expected.items()
        if path.startswith(only) and path not in without
    }
    assert expected, f"nothing below {only} was recorded in {name}"
    seen = shapes.shape_of(printed)
    wrong = {
        path: (form, seen.get(path)) for path, form in expected.items() if not shapes.accepts(form, seen.get(path, ""))
    }
    assert not wrong, f"not as recorded (member: expected, printed): {wrong}"


def test_vmss_list(az: Az) -> None:
    sets = {item["name"]: item for item in az("vmss", "list")}
    assert {"az", "flexible"} <= sets.keys()
    assert_printed(sets["az"], "Uniform scale set")
    assert_printed(sets["flexible"], "Flexible scale set")
    assert {item["name"] for item in az("vmss", "list", "-g", "rg")} <= sets.keys()


def test_vmss_show(az: Az) -> None:
    assert_printed(az("vmss", "show", *GROUP_AND_NAME), "Uniform scale set")


def test_vmss_list_instances(az: Az) -> None:
    instances = az("vmss", "list-instances", "-g", "rg", "-n", "linux", "--expand", "instanceView")
    assert [item["instanceId"] for item in instances] == ["0", "3"]
    assert_printed(instances, "instances of a Uniform set")
    assert_printed(instances, "instance view", "[].instanceView.")


def test_vmss_get_instance_view(az: Az) -> None:
    monitored = ("-g", "rg", "-n", "monitored")
    assert_printed(az("vmss", "get-instance-view", *monitored), "scale set instance view")
    assert_printed(az("vmss", "get-instance-view", *monitored, "--instance-id", "0"), "instance view with health")


def test_vmss_update_update_instances_reimage(az: Az) -> None:
    """The three ways az moves an image: the model, the instances to the model, the disks anew."""
    reference = "virtualMachineProfile.storageProfile.imageReference"
    updated = az("vmss", "update", *GROUP_AND_NAME, "--set", f"{reference}.version=2.0.20260201")
    # Read-only, so az leaves it out of its PUT; the simulator does not put it back.
    flag = "virtualMachineProfile.osProfile.windowsConfiguration.enableVMAgentPlatformUpdates"
    assert_printed(updated, "Uniform scale set", without=(flag,))
    assert updated["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"] == "2.0.20260201"

    def running() -> dict[str, tuple[str, str]]:
        """`{instance id: (version, disk)}`"""
        profiles = {
            item["instanceId"]: item["storageProfile"] for item in az("vmss", "list-instances", *GROUP_AND_NAME)
        }
        return {key: (p["imageReference"]["exactVersion"], p["osDisk"]["name"]) for key, p in profiles.items()}

    before = running()
    assert {version for version, _disk in before.values()} == {"1.0.20260101"}
    assert az("vmss", "update-instances", *GROUP_AND_NAME, "--instance-ids", "0", "1") is None
    upgraded = running()
    assert [upgraded[key][0] for key in ("0", "1", "2")] == ["2.0.20260201", "2.0.20260201", "1.0.20260101"]

    assert az("vmss", "reimage", *GROUP_AND_NAME, "--instance-ids", "1") is None
    reimaged = running()
    assert reimaged["1"][0] == "2.0.20260201", "a reimage keeps the model that the instance has"
    assert {key for key in reimaged if reimaged[key][1] != upgraded[key][1]} == {"1"}


def test_vmss_rolling_upgrade_start_get_latest_and_history(az: Az) -> None:
    rolled = ("-g", "rg", "-n", "az-rolled")
    assert az("vmss", "get-os-upgrade-history", *rolled) == []
    assert az("vmss", "rolling-upgrade", "start", *rolled) is None
    latest = az("vmss", "rolling-upgrade", "get-latest", *rolled)
    assert_printed(latest, "latest rolling upgrade, completed")
    assert latest["runningStatus"]["code"] == "Completed"
    assert latest["progress"]["successfulInstanceCount"] == 3
    (upgrade,) = az("vmss", "get-os-upgrade-history", *rolled)
    upgrade |= upgrade.pop("properties")
    # az knows this time by the name endTime only, and leaves it out.
    assert_printed([upgrade], "history of rolling upgrades", without=("[].runningStatus.completedTime",))
    assert upgrade["startedBy"] == "User"
    assert upgrade["targetImageReference"]["version"] == "2.0.20260201", "the version that latest meant"
    instances = az("vmss", "list-instances", *rolled)
    assert {item["storageProfile"]["imageReference"]["exactVersion"] for item in instances} == {"2.0.20260201"}


def test_vmss_rolling_upgrade_cancel(az: Az) -> None:
    cancelled = ("-g", "rg", "-n", "az-cancelled")
    with pytest.raises(AssertionError, match="There is no ongoing Rolling Upgrade to cancel"):
        az("vmss", "rolling-upgrade", "cancel", *cancelled)
    assert az("vmss", "rolling-upgrade", "start", *cancelled, "--no-wait") is None
    running = az("vmss", "rolling-upgrade", "get-latest", *cancelled)
    assert_printed(running, "latest rolling upgrade, running")
    assert running["runningStatus"]["code"] == "RollingForward"
    with pytest.raises(AssertionError, match="OperationNotAllowed"):
        az("vmss", "rolling-upgrade", "start", *cancelled)
    assert az("vmss", "rolling-upgrade", "cancel", *cancelled) is None
    latest = az("vmss", "rolling-upgrade", "get-latest", *cancelled)
    assert_printed(latest, "latest rolling upgrade, cancelled")
    assert (latest["runningStatus"]["code"], latest["runningStatus"]["lastAction"]) == ("Cancelled", "Cancel")
    assert latest["progress"]["pendingInstanceCount"] > 0


def test_vmss_update_of_the_upgrade_policy(az: Az) -> None:
    # As a whole: Azure shows the policy only where somebody has sent one or the mode needs it.
    policy = ("upgradePolicy.mode=Rolling", 'upgradePolicy.rollingUpgradePolicy={"maxBatchInstancePercent": 40}')
    updated = az("vmss", "update", "-g", "rg", "-n", "az-policy", "--set", *policy)
    assert updated["upgradePolicy"]["mode"] == "Rolling"
    assert updated["upgradePolicy"]["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 40
    assert_printed(updated["upgradePolicy"], "Uniform scale set", only="upgradePolicy.")
    automatic = 'upgradePolicy.automaticOSUpgradePolicy={"enableAutomaticOSUpgrade": true}'
    updated = az("vmss", "update", "-g", "rg", "-n", "az-policy", "--set", automatic)
    assert updated["upgradePolicy"]["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] is True
    pinned = "virtualMachineProfile.storageProfile.imageReference.version=1.0.20260101"
    with pytest.raises(AssertionError, match="must use Platform or Gallery Image with version set to 'latest'"):
        az("vmss", "update", "-g", "rg", "-n", "az-policy", "--set", pinned)


def test_vmss_extension_list_and_show(az: Az) -> None:
    (listed,) = az("vmss", "extension", "list", "-g", "rg", "--vmss-name", "az-rolled")
    assert listed["name"] == "ApplicationHealthLinux"
    shown = az("vmss", "extension", "show", "-g", "rg", "--vmss-name", "az-rolled", "-n", listed["name"])
    assert shown == listed
    # As it was recorded in a scale set, for none was recorded by itself.
    in_a_set = "virtualMachineProfile.extensionProfile.extensions[]."
    assert {"publisher", "settings", "typeHandlerVersion"} <= shown.keys()
    assert_printed(shown, "patch a scale set", only=in_a_set)
    assert az("vmss", "extension", "upgrade", "-g", "rg", "-n", "az-extended") is None
    latest = az("vmss", "rolling-upgrade", "get-latest", "-g", "rg", "-n", "az-extended")
    assert (latest["runningStatus"]["code"], latest["progress"]["successfulInstanceCount"]) == ("Completed", 3)


def test_vmss_set_orchestration_service_state(az: Az) -> None:
    repaired = ("-g", "rg", "-n", "repaired-by-az")
    for action, state in (("Suspend", "Suspended"), ("Resume", "Running")):
        chosen = ("--service-name", "AutomaticRepairs", "--action", action)
        assert az("vmss", "set-orchestration-service-state", *repaired, *chosen) is None
        (service,) = az("vmss", "get-instance-view", *repaired)["orchestrationServices"]
        assert service == {"serviceName": "AutomaticRepairs", "serviceState": state}


def test_vm_image_list(az: Az) -> None:
    images = az("vm", "image", "list", "--all", "--publisher", "contoso", "-l", "westeurope")
    assert {"architecture", "offer", "publisher", "sku", "urn", "version"} <= images[0].keys()
    assert {f"{URN}:1.0.20260101", f"{URN}:2.0.20260201"} <= {image["urn"] for image in images}


def test_vm_image_show(az: Az) -> None:
    for version in ("1.0.20260101", "latest"):
        image = az("vm", "image", "show", "-l", "westeurope", "--urn", f"{URN}:{version}")
        unknown_to_az = ("replicaType", "osDiskImage.sizeInGb", "osDiskImage.sizeInBytes")
        assert_printed(image, "version of a platform image", without=unknown_to_az)
        assert image["name"] == ("2.0.20260201" if version == "latest" else version)
