# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.limits import Limit
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import (
    ImageFacts,
    ImageVersion,
    RollingUpgrade,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout.image_preflight import Known
from ansible_collections.steady.vmss.plugins.module_utils._rollout.policy import Policy
from ansible_collections.steady.vmss.plugins.module_utils._rollout.preflight import Observed, Request, findings
from ansible_collections.steady.vmss.plugins.module_utils._rollout.survey import Survey

from ..fleet import FORMS, NEW, OLD, START, Fleet, uniform, with_machine

TARGET = FORMS["platform"][NEW]
FACTS = ImageFacts(TARGET)
SET: dict[str, tuple[dict[str, t.Any], str]] = {
    "upgrade_mode": ({"upgrade_mode": "Automatic"}, "every instance at once"),
    "upgrade_mode ": ({"upgrade_mode": "Rolling"}, "a rolling upgrade of its own"),
    "automatic_os_upgrade": ({"automatic_os_upgrade": True}, "during this rollout"),
    "service_fabric": ({"service_fabric": True}, "Service Fabric"),
    "image_type": ({"image": FORMS["managed"][NEW]}, "may not be changed"),
}
IMAGE: dict[str, tuple[ImageFacts, str]] = {
    "image_not_found": (replace(FACTS, found=False), "does not exist in westeurope"),
    "image_not_usable": (replace(FACTS, version=ImageVersion(NEW, TARGET, regions=("eastus",))), "not replicated"),
    "os_type": (replace(FACTS, os_type="Windows"), "Azure never changes the OS type"),
    "purchase_plan": (
        replace(FACTS, purchase_plan={"publisher": "p", "product": "o", "name": "s"}),
        "sold under the plan p/o/s, and scale set web carries none",
    ),
}
WARNED: dict[str, tuple[dict[str, t.Any], str]] = {
    "no_health_source": ({"health_sources": ()}, "counts as available once it runs"),
    "health_sources": ({"health_sources": ("application_health_extension", "load_balancer_probe")}, "2 health sources"),
    "automatic_repairs": ({"automatic_repairs": True}, "may replace an instance"),
}


def survey(fleet: Fleet | None = None, **changes: t.Any) -> Survey:
    found = (fleet or uniform(10)).survey()
    return replace(found, scale_set=replace(found.scale_set, os_type="Linux", **changes))


def found(of: Survey, facts: ImageFacts = FACTS, rolling: RollingUpgrade | None = None) -> dict[str, tuple[str, str]]:
    return {
        f.code: (f.severity, str(f))
        for f in findings(of, Observed(Known(facts), rolling))
        if f.code not in ("behind", "canary")
    }


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy(), "6 batches instead of 5"),
        (Policy(max_unavailable=Limit(1)), None),
        (Policy(canary=0), None),
        (Policy(canary=2), None),
    ],
)
def test_what_the_canary_costs_in_time(policy: Policy, said: str | None) -> None:
    of = survey(uniform(10, policy=policy))
    told = [str(one) for one in findings(of, Observed(Known(FACTS))) if one.code == "canary"]
    assert [said in one for one in told if said] == [True] * bool(said) and bool(told) == bool(said)


def test_nothing_to_find() -> None:
    assert found(survey()) == {}


@pytest.mark.parametrize("code", sorted(SET))
def test_a_set_that_is_refused(code: str) -> None:
    changes, words = SET[code]
    severity, text = found(survey(**changes))[code.strip()]
    assert severity == "error" and words in text and "scale set web" in text


@pytest.mark.parametrize("code", sorted(IMAGE))
def test_an_image_that_is_refused(code: str) -> None:
    facts, words = IMAGE[code]
    severity, text = found(survey(), facts)[code]
    assert severity == "error" and words in text and str(TARGET) in text


@pytest.mark.parametrize("code", sorted(WARNED))
def test_a_warning(code: str) -> None:
    changes, words = WARNED[code]
    severity, text = found(survey(**changes))[code]
    assert severity == "warning" and words in text


def test_the_plan_that_the_set_carries_is_enough() -> None:
    plan = {"publisher": "P", "product": "o", "name": "s"}
    assert found(survey(purchase_plan=plan), replace(FACTS, purchase_plan={**plan, "publisher": "p"})) == {}
    assert found(survey(purchase_plan=plan)) == {}, "an image without a plan needs none"


@pytest.mark.parametrize(("code", "refused"), [("RollingForward", True), ("RollingBack", True), ("Completed", False)])
def test_azures_own_rolling_upgrade(code: str, refused: bool) -> None:
    said = found(survey(), rolling=RollingUpgrade(code))
    assert ("rolling_upgrade_running" in said) == refused


def test_the_mode_is_changed_where_the_user_asks_for_it() -> None:
    said = findings(survey(upgrade_mode="Automatic"), Observed(Known(FACTS)), Request(to_manual=True))
    assert [(f.severity, f.code) for f in said if f.code == "upgrade_mode"] == [("info", "upgrade_mode")]


def test_a_set_of_one_will_be_down() -> None:
    severity, text = found(survey(uniform(1)))["all_down"]
    assert severity == "warning" and "nothing serves" in text
    assert "all_down" not in found(survey(uniform(2)))
    assert found(survey(uniform(2)))["half_down"][0] == "warning"
    assert "half_down" not in found(survey(uniform(3)))
    assert "all_down" in found(survey(uniform(4, policy=Policy(max_unavailable=Limit(4)))))


def test_what_is_said_of_the_instances() -> None:
    fleet = with_machine(with_machine(uniform(10), "1", protected=True), "2", settled=False)
    with_machine(fleet, "3", power="deallocated")
    said = found(survey(fleet))
    assert said["skipped"] == (
        "info",
        "outdated and skipped: 1 (protected from scale set actions), 3 (deallocated).",
    )
    assert "1 of 9 instances are already unavailable: 2 (an extension" in said["unavailable"][1]


def test_newer_and_unproven_instances_are_named() -> None:
    newer = survey()
    newer = replace(newer, instances=tuple(replace(i, exact_version="9.0.0") for i in newer.instances[:1]))
    severity, text = found(newer)["newer"]
    assert severity == "warning" and "instances 1 run a newer version" in text and "rollout_downgrade" in text
    assert found(replace(newer, model_names_target=False))["newer"][0] == "error"
    fleet = uniform(1, form="managed")
    fleet.machines["0"].applied = True
    facts = ImageFacts(FORMS["managed"][NEW])
    assert "instances 0 name the target" in found(survey(fleet), facts)["unproven"][1]


def test_a_vhd_that_has_lost_its_sas() -> None:
    of = survey(uniform(2, form="vhd"))
    target = of.target
    signed = replace(FORMS["vhd"][OLD], id=FORMS["vhd"][OLD].id + "?sig=a")
    after = replace(of, scale_set=replace(of.scale_set, image=signed))
    severity, text = found(after, ImageFacts(target))["vhd_without_sas"]
    assert severity == "warning" and "the SAS of the VHD must be given again" in text and "sig=" not in text
    given = replace(after, target=replace(target, id=target.id + "?sig=b"))
    assert "vhd_without_sas" not in found(given, ImageFacts(target))
    assert "vhd_without_sas" not in found(of, ImageFacts(target))
    same = replace(after, scale_set=replace(of.scale_set, image=replace(target, id=target.id + "?sig=a")))
    assert "vhd_without_sas" not in found(same, ImageFacts(target))


def test_no_instances() -> None:
    assert "only its model changes" in found(survey(uniform(0)))["no_instances"][1]


def test_errors_come_first() -> None:
    said = findings(survey(service_fabric=True, automatic_repairs=True), Observed(Known(replace(FACTS, found=False))))
    order = [f.severity for f in said]
    assert order == sorted(order, key=("error", "warning", "info").index) and order[0] == "error"


@pytest.mark.parametrize(
    ("tag", "severity"),
    [
        ("aks-managed-poolName", "error"),
        ("AKS-managed-orchestrator", "error"),
        ("__AzureDevOpsElasticPool", "error"),
        ("sigs.k8s.io_cluster-api-provider-azure_cluster_shop", "error"),
        ("team", None),
        ("not-aks-managed-poolName", None),
    ],
)
def test_a_set_that_another_service_owns(tag: str, severity: str | None) -> None:
    of = survey(tags={tag: "x"})
    said = found(of).get("managed_elsewhere", (None, ""))
    assert said[0] == severity and ("rollout_managed_elsewhere" in said[1]) == (severity == "error")
    allowed = findings(of, Observed(Known(FACTS)), Request(managed_elsewhere=True))
    assert [f.severity for f in allowed if f.code == "managed_elsewhere"] == (["warning"] if severity else [])


def test_what_a_killed_run_has_in_hand_does_not_keep_it_from_going_on() -> None:
    """Five of ten have new disks and report no health yet."""
    instances = [
        replace(i, exact_version=NEW, os_disk_time=START - 60, health=None) if int(i.instance_id) < 5 else i
        for i in survey().instances
    ]
    killed = replace(survey(), instances=tuple(instances), since=START - 600, read_at=START)
    assert "too_many_unhealthy" not in found(killed)
    assert found(replace(killed, since=None))["too_many_unhealthy"][0] == "error"
