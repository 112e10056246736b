# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every form of an image is rolled out, and the second time there is nothing to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness
import pytest
import side_by_side
from scenes import GROUP, NEW, OLD, SERIES, StartSimulator

pytestmark = pytest.mark.both_ends

COMPUTE = "/subscriptions/{subscription}/resourceGroups/images/providers/Microsoft.Compute"
GALLERY = f"{COMPUTE}/galleries/company/images/web"
SHARED = "/SharedGalleries/partner-1/Images/web"
COMMUNITY = "/CommunityGalleries/open-1/Images/web"
OLD_SAS, NEW_SAS = "sig=the%2Bold%2Bsignature", "sig=the%2Bnew%2Bsignature"
VHD = "https://account.blob.core.example/vhds"
VERSIONS = [
    {"version": "1.9.0"},
    {"version": "1.10.0"},  # the newest that can be used, and not by text
    {"version": "1.11.0", "regions": ["northeurope"]},
    {"version": "1.12.0", "exclude_from_latest": True},
    {"version": "1.13.0", "state": "Creating"},
]
# The images of the models before; what is asked for; the version or image that the instances then run; the model then.
FORMS: dict[str, tuple[dict[str, str], dict[str, Any], str, dict[str, str]]] = {
    "version": ({**SERIES, "version": OLD}, {"rollout_image": {"version": NEW}}, NEW, {**SERIES, "version": NEW}),
    "sku": (
        {**SERIES, "version": "latest"},
        {"rollout_image": {"sku": "minimal", "version": "latest"}, "rollout_follow_latest": True},
        "24.04.10",
        {**SERIES, "sku": "minimal", "version": "latest"},
    ),
    "latest": (
        {**SERIES, "version": "latest"},
        {"rollout_image": "latest", "rollout_follow_latest": True},
        NEW,
        {**SERIES, "version": "latest"},
    ),
    "managed": (
        {"id": f"{COMPUTE}/images/golden-1"},
        {"rollout_image": f"{COMPUTE}/images/golden-2"},
        f"{COMPUTE}/images/golden-2",
        {"id": f"{COMPUTE}/images/golden-2"},
    ),
    "gallery-version": (
        {"id": f"{GALLERY}/versions/1.9.0"},
        {"rollout_image": {"id": f"{GALLERY}/versions/1.12.0"}},  # asked for by name, it may be excluded from latest
        "1.12.0",
        {"id": f"{GALLERY}/versions/1.12.0"},
    ),
    "gallery": (
        {"id": GALLERY},
        {"rollout_image": GALLERY},
        "1.10.0",
        {"id": f"{GALLERY}/versions/1.10.0"},
    ),
    "shared": (
        {"sharedGalleryImageId": f"{SHARED}/Versions/1.9.0"},
        {"rollout_image": {"shared_gallery_image_id": f"{SHARED}/Versions/1.10.0"}},
        "1.10.0",
        {"sharedGalleryImageId": f"{SHARED}/Versions/1.10.0"},
    ),
    "community": (
        {"communityGalleryImageId": f"{COMMUNITY}/Versions/1.9.0"},
        {"rollout_image": COMMUNITY, "rollout_follow_latest": True},
        "1.10.0",
        {"communityGalleryImageId": COMMUNITY},
    ),
    "vhd": (
        {"vhd": f"{VHD}/one.vhd?sv=2024&{OLD_SAS}"},
        {"rollout_image": {"vhd_uri": f"{VHD}/two.vhd?sv=2024&{NEW_SAS}"}},
        f"{VHD}/two.vhd?sv=2024&{NEW_SAS}",
        {},
    ),
}
RUNNING = {"sku": "24.04.9", "latest": OLD, "gallery": "1.9.0"}
SCENARIO = {
    "images": {
        "platform": [
            {**SERIES, "versions": ["24.04.9", OLD, NEW]},
            {**SERIES, "sku": "minimal", "versions": ["24.04.9", "24.04.10"]},
        ],
        "managed": [{"name": f"golden-{number}", "resource_group": "images"} for number in (1, 2)],
        "galleries": [
            {"name": "company", "resource_group": "images", "images": [{"name": "web", "versions": VERSIONS}]},
            {"name": "partner-1", "family": "shared", "images": [{"name": "web", "versions": VERSIONS}]},
            {"name": "open-1", "family": "community", "images": [{"name": "web", "versions": VERSIONS}]},
        ],
    },
    "server": {"buckets": 100},
    "scale_sets": [
        {
            "name": name,
            "resource_group": GROUP,
            "capacity": 2,
            "update_domains": 1,
            "image": before,
            "knobs": {"upgrade": 60, "health_lag": 15, "write": 5},
            **({"running": RUNNING[name]} if name in RUNNING else {}),
        }
        for name, (before, *_rest) in FORMS.items()
    ],
}


def given(azure: harness.Simulator, value: Any) -> Any:
    """With the simulator's subscription filled in."""
    if isinstance(value, dict):
        return {key: given(azure, item) for key, item in value.items()}
    return value.replace("{subscription}", azure.subscription) if isinstance(value, str) else value


@pytest.fixture
def azure(simulator: StartSimulator) -> harness.Simulator:
    return simulator(SCENARIO, time_scale=600)


@pytest.mark.long
def test_each_form_is_rolled_out_once(azure: harness.Simulator, tmp_path: Path) -> None:
    journals = tmp_path / "journals"
    cases = {
        name: {
            "rollout_resource_group": GROUP,
            "rollout_scale_set": name,
            "rollout_max_unavailable": "100%",
            "rollout_journal_dir": str(journals),
            **given(azure, asked),
        }
        for name, (_dummy, asked, *rest) in FORMS.items()
    }
    # Modules' arguments are shown only when asked for from ansible-core 2.21 on.
    shown = {"ANSIBLE_INJECT_INVOCATION": "true"}
    first = side_by_side.roll_out(azure, cases, verbosity=3, diff=True, env=shown)
    figures, sets = azure.metrics()["scale_sets"], azure.state()["scale_sets"]
    assert {name: run.failures for name, run in first.items()} == {name: [] for name in FORMS}
    for name, (_dummy, _asked, runs, model) in FORMS.items():
        wanted = given(azure, runs)
        instances = sets[name]["instances"].values()
        assert {i["version"] or i["image"] for i in instances} == {wanted.lower() if name == "managed" else wanted}, (
            name
        )
        assert figures[name]["disks_replaced"] == {"0": 1, "1": 1}, name
        storage = sets[name]["document"]["properties"]["virtualMachineProfile"]["storageProfile"]
        assert storage.get("imageReference", {}) == given(azure, model), name
        assert first[name].fact("rollout_result")["outcome"] == "upgraded", name
    disk = sets["vhd"]["document"]["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"]
    assert disk["image"]["uri"].endswith(NEW_SAS)  # Azure got it, and nobody else
    assert sorted(path.name.split("-")[0] for path in journals.iterdir()) == sorted(n.split("-")[0] for n in FORMS)
    for name, entry in sets.items():
        tags = json.dumps(entry["document"]["tags"])
        assert "steady-vmss-rollout" in tags, name
        assert "signature" not in tags and "sv=2024" not in tags, name
    output = next(iter(first.values())).output + "".join(p.read_text() for p in journals.iterdir())
    results = json.dumps([task.result for run in first.values() for task in run.tasks])
    assert f"{VHD}/two.vhd" in output
    assert [word for word in ("signature", *azure.secrets()) if word in output + results] == []

    azure.reset()
    second = side_by_side.roll_out(azure, cases)
    metrics = azure.metrics()
    assert {name: run.fact("rollout_result")["outcome"] for name, run in second.items()} == dict.fromkeys(
        FORMS, "unchanged"
    )
    assert metrics["non_get"] == []
    assert all(run.stats[name]["changed"] == 0 for name, run in second.items())
    assert metrics["arm_calls"] <= 6 * len(FORMS)


def test_image_info(azure: harness.Simulator) -> None:
    cases = given(
        azure,
        {
            "gallery": {"image": GALLERY, "location": "westeurope"},
            "elsewhere": {"image": GALLERY, "location": "North Europe"},
            "shared": {"image": SHARED, "location": "westeurope"},
            "community": {"image": COMMUNITY, "location": "westeurope"},
            "platform": {"resource_group": GROUP, "name": "version"},
            "custom": {"resource_group": GROUP, "name": "managed"},
            "other sku": {"resource_group": GROUP, "name": "version", "image": {"sku": "minimal"}},
        },
    )
    found = {case: run.tasks[0].result for case, run in side_by_side.run_module(azure, "image_info", cases).items()}
    assert [version["version"] for version in found["gallery"]["versions"]] == [v["version"] for v in VERSIONS]
    assert {v["version"]: v["why_not"] for v in found["gallery"]["versions"]} == {
        "1.9.0": "",
        "1.10.0": "",
        "1.11.0": "it is not replicated to westeurope (it is in northeurope)",
        "1.12.0": "it is excluded from latest",
        "1.13.0": "its provisioning state is Creating",
    }
    assert found["gallery"]["newest"] == given(azure, {"id": f"{GALLERY}/versions/1.10.0"})
    assert found["elsewhere"]["newest"] == given(azure, {"id": f"{GALLERY}/versions/1.11.0"})
    assert found["shared"]["newest"] == {"shared_gallery_image_id": f"{SHARED}/versions/1.10.0"}
    assert found["community"]["newest"] == {"community_gallery_image_id": f"{COMMUNITY}/versions/1.10.0"}
    assert [version["version"] for version in found["platform"]["versions"]] == ["24.04.9", OLD, NEW]
    assert found["platform"]["newest"] == {**SERIES, "version": NEW}
    custom = found["custom"]
    assert (custom["versions"], custom["newest"], custom["automatic_os_upgrade"]["installs"]) == ([], None, None)
    assert "only from a gallery" in custom["automatic_os_upgrade"]["in_the_way"][0]
    assert [one["instance_ids"] for one in custom["running"]] == [["0", "1"]]
    assert found["other sku"]["newest"] == {**SERIES, "sku": "minimal", "version": "24.04.10"}
    assert azure.metrics()["non_get"] == []
