# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A survey and `-e key=value` give nothing but text: the same rollout comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
import side_by_side
import yaml
from scenes import GROUP, NEW, OLD, SERIES, StartSimulator

pytestmark = pytest.mark.both_ends

COMPUTE = "/subscriptions/{subscription}/resourceGroups/images/providers/Microsoft.Compute"
SPEC = harness.CHECKOUT / "roles" / "rollout" / "meta" / "argument_specs.yml"
REQUIRED = ("rollout_resource_group", "rollout_scale_set")


def names() -> list[str]:
    """Every variable that the role has."""
    return list(yaml.safe_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])


def scenario() -> dict[str, Any]:
    common = {"resource_group": GROUP, "capacity": 6, "fault_domains": 2, "zones": ["1", "2"], "update_domains": 3}
    common |= {"knobs": scenes.QUICK, "image": {**SERIES, "version": OLD}}
    sets = [{**common, "name": name} for name in ("typed", "text")]
    sets += [{**common, "name": name, "capacity": 2} for name in ("plain", "empty")]
    managed = {"image": {"id": f"{COMPUTE}/images/golden-1"}}
    sets += [{**common, "name": "managed", **managed}]
    sets += [{**common, "name": "vhd", "image": {"vhd": "https://account.blob.core.example/vhds/one.vhd?sig=a"}}]
    sets += [{**common, "name": "platform"}]
    return {
        "images": {
            "platform": [{**SERIES, "versions": [OLD, NEW]}],
            "managed": [{"name": f"golden-{number}", "resource_group": "images"} for number in (1, 2)],
        },
        "server": {"buckets": 100},
        "scale_sets": sets,
    }


@pytest.mark.long
def test_text_is_as_good_as_types(simulator: StartSimulator, tmp_path: Path) -> None:
    azure = simulator(scenario(), 600)
    scenes.name_new(azure, "plain", "empty")
    hook = tmp_path / "hook.yml"
    hook.write_text(json.dumps([{"name": "Hook", "ansible.builtin.debug": {"var": "rollout_batch.number"}}]))
    once = tmp_path / "once.yml"
    once.write_text(json.dumps([{"name": "Once", "ansible.builtin.debug": {"var": "rollout_scale_set"}}]))
    typed: dict[str, Any] = {
        "rollout_resource_group": GROUP,
        "rollout_scale_set": "typed",
        "rollout_subscription_id": azure.subscription,
        "rollout_client_id": azure.environment["AZURE_CLIENT_ID"],
        "rollout_secret": azure.environment["AZURE_SECRET"],
        "rollout_tenant": azure.environment["AZURE_TENANT"],
        "rollout_auth_source": "auto",
        "rollout_profile": "",
        "rollout_cloud_environment": azure.environment["AZURE_CLOUD_ENVIRONMENT"],
        "rollout_image": {"sku": "server", "version": NEW},
        "rollout_upgrade_mode": "Manual",
        "rollout_security_type": "Standard",
        "rollout_instance_ids": [0, 1, 2, 3, 4],
        "rollout_update_domains": [0, 1],
        "rollout_fault_domains": [0, 1],
        "rollout_zones": ["1", "2"],
        "rollout_order_by": "zone",
        "rollout_max_unavailable": 3,
        "rollout_canary": 0,
        "rollout_batch_size": "50%",
        "rollout_max_unhealthy": "50%",
        "rollout_max_unhealthy_upgraded": 1,
        "rollout_include_deallocated": True,
        "rollout_protected": "refuse",
        "rollout_downgrade": False,
        "rollout_suspend_services": False,
        "rollout_take_over": True,
        "rollout_managed_elsewhere": True,
        "rollout_unproven": "report",
        "rollout_busy": "skip",
        "rollout_on_failure": "stop",
        "rollout_healthy_for": 1,
        "rollout_health_timeout": 60,
        "rollout_upgrade_timeout": 600,
        "rollout_health_lag": 10,
        "rollout_version_lag": 10,
        "rollout_pause": 1,
        "rollout_before": str(once),
        "rollout_after": str(once),
        "rollout_on_failure_tasks": str(once),
        "rollout_before_batch": str(hook),
        "rollout_health_check": str(hook),
        "rollout_after_batch": str(hook),
        "rollout_keep_model": True,
        "rollout_follow_latest": True,
        "rollout_journal_dir": str(tmp_path / "typed"),
    }
    assert set(names()) <= set(typed)
    as_text = {
        name: value
        if isinstance(value, str)
        else ",".join(map(str, value))
        if name in ("rollout_instance_ids", "rollout_zones")
        else json.dumps(value)
        for name, value in typed.items()
    }
    text = {**as_text, "rollout_scale_set": "text", "rollout_keep_model": "yes", "rollout_follow_latest": "True"}
    assert all(isinstance(value, str) for value in text.values())
    plain = {"rollout_resource_group": GROUP, "rollout_scale_set": "plain", "rollout_max_unavailable": "100%"}
    empty = {**dict.fromkeys(names(), ""), **plain, "rollout_scale_set": "empty"}
    started = [
        harness.start_playbook("steady.vmss.upgrade_image", azure, extra_vars=typed),
        harness.start_playbook(
            "steady.vmss.upgrade_image", azure, arguments=[f"-e{name}={quoted(value)}" for name, value in text.items()]
        ),
    ]
    runs = [run.wait() for run in started]
    started = [
        harness.start_playbook("steady.vmss.upgrade_image", azure, extra_vars=plain),
        harness.start_playbook("steady.vmss.upgrade_image", azure, extra_vars=empty),
    ]
    runs += [run.wait() for run in started]
    metrics, sets = azure.metrics(), azure.state()["scale_sets"]
    seen: dict[str, Any] = {}
    for name, run in zip(("typed", "text", "plain", "empty"), runs, strict=True):
        assert run.rc == 0, run.output
        seen[name] = {
            "batches": [batch["instance_ids"] for batch in metrics["batches"] if batch["scale_set"] == name],
            "versions": {key: instance["version"] for key, instance in sets[name]["instances"].items()},
            "image": sets[name]["document"]["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"],
            "tags": sorted(sets[name]["document"]["tags"]),
            "tasks": [task.name for task in run.tasks if task.status != "skipped"],
        }
    assert seen["text"] == seen["typed"]
    assert seen["typed"]["batches"] == [["0", "2"], ["1", "3"]]
    assert seen["typed"]["image"]["version"] == "latest"
    assert len(list((tmp_path / "typed").iterdir())) == 2
    assert seen["empty"] == seen["plain"]
    assert sorted(key for batch in seen["plain"]["batches"] for key in batch) == ["0", "1"]


def quoted(value: str) -> str:
    """As one argument of -e, which splits at blanks."""
    return "'" + value + "'" if " " in value else value


@pytest.mark.long
def test_every_spelling_of_an_image(simulator: StartSimulator) -> None:
    azure = simulator(scenario(), 600)
    wanted = {**SERIES, "version": NEW}
    golden = f"{COMPUTE}/images/golden-2".replace("{subscription}", azure.subscription)
    uri = "https://account.blob.core.example/vhds/two.vhd"
    spellings: dict[str, list[Any]] = {
        "platform": [":".join(wanted.values()), json.dumps(wanted), {"version": NEW}, "latest"],
        "managed": [{"id": golden}, golden],
        "vhd": [f"{uri}?sig=b", json.dumps({"vhd_uri": f"{uri}?sig=b"})],
    }
    cases = {
        f"{name}-{number}": {"rollout_resource_group": GROUP, "rollout_scale_set": name, "rollout_image": image}
        for name, images in spellings.items()
        for number, image in enumerate(images)
    }
    runs = side_by_side.roll_out(azure, cases, check=True)
    targets = {"platform": wanted, "managed": {"id": golden}, "vhd": {"vhd_uri": uri}}
    for case, run in runs.items():
        assert run.failures == [], case
        result = run.fact("rollout_result")
        assert result["target_image"] == targets[case.partition("-")[0]], case
        assert sum(len(batch["instance_ids"]) for batch in result["batches"]) == 6, case
        assert run.of("rollout")[0].changed, case
    assert azure.metrics()["non_get"] == []
