# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import FLEXIBLE, Instance, ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._options import UpgradeMode, UpgradePolicyRequest
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator import upgrade_policy
from ansible_collections.steady.vmss.plugins.module_utils._orchestrator.upgrade_policy import (
    AUTOMATIC_POLICY,
    ENABLED,
    ROLLING_POLICY,
    SECTIONS,
)

from ..asking import request
from ..refusals import refused

PERCENTAGES = [name for name, member in SECTIONS[ROLLING_POLICY][1].items() if member.is_percentage]
FLAGS = {section: [n for n, m in members.items() if m.default is False] for section, (_w, members) in SECTIONS.items()}


@st.composite
def asked(draw: st.DrawFn) -> upgrade_policy.Policy:
    """Options that are in range."""
    members = SECTIONS[ROLLING_POLICY][1]
    rolling = {name: st.integers(members[name].least, members[name].most) for name in PERCENTAGES}
    pause = {"pause_time_between_batches": st.sampled_from(["PT0S", "PT30S", "PT1M", "pt90s", "45", "P1D"])}
    flags = {section: dict.fromkeys(names, st.booleans()) for section, names in FLAGS.items()}
    options: dict[str, Any] = {"mode": draw(st.sampled_from(get_args(UpgradeMode)))}
    options[ROLLING_POLICY] = draw(st.fixed_dictionaries({}, optional=rolling | pause | flags[ROLLING_POLICY]))
    options[AUTOMATIC_POLICY] = draw(st.fixed_dictionaries({}, optional=flags[AUTOMATIC_POLICY]))
    return options


STORED = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["Manual", "rolling", "Automatic"]),
        "aMemberOfTomorrow": st.integers(),
        "rollingUpgradePolicy": st.fixed_dictionaries(
            {},
            optional={
                "maxBatchInstancePercent": st.integers(5, 100),
                "pauseTimeBetweenBatches": st.sampled_from(["PT0S", "PT60S"]),
                "maxSurge": st.booleans(),
                "aMemberOfTomorrow": st.text(max_size=3),
            },
        ),
        "automaticOSUpgradePolicy": st.fixed_dictionaries({}, optional={"enableAutomaticOSUpgrade": st.booleans()}),
    },
)


@given(stored=STORED, options=asked())
def test_what_is_asked_is_written_and_nothing_else_changes(
    stored: dict[str, Any], options: upgrade_policy.Policy
) -> None:
    wanted = upgrade_policy.desired(request(UpgradePolicyRequest, options))
    written = upgrade_policy.patch(stored, wanted)
    assert written.get("aMemberOfTomorrow") == stored.get("aMemberOfTomorrow")
    for section, (wire, members) in SECTIONS.items():
        before, now = stored.get(wire) or {}, written.get(wire) or {}
        assert {name: now[name] for name in before if name not in now} == {}
        asked_for = {members[name].wire for name in wanted.get(section, {})}
        assert {name for name in {*before, *now} if before.get(name) != now.get(name)} <= asked_for
    # Written once, the same is asked for in vain.
    shown = upgrade_policy.current(written)
    assert upgrade_policy.merged(written, wanted) == shown
    later = upgrade_policy.merged(stored, wanted)
    for section in SECTIONS:
        for name, value in wanted.get(section, {}).items():
            found = later[section][name]
            assert found == value or upgrade_policy.seconds(found) == upgrade_policy.seconds(value)
            assert later[section][name] == shown[section][name] or upgrade_policy.seconds(
                found
            ) == upgrade_policy.seconds(value)
    assert later["mode"] == wanted["mode"]


@pytest.mark.parametrize("name", PERCENTAGES)
@pytest.mark.parametrize("off", [-1, 1])
def test_a_percentage_out_of_range_is_refused(name: str, off: int) -> None:
    member = SECTIONS[ROLLING_POLICY][1][name]
    value = member.least - 1 if off < 0 else member.most + 1
    with pytest.raises(Refused) as refused:
        upgrade_policy.desired(request(UpgradePolicyRequest, {ROLLING_POLICY: {name: value}}))
    for word in (name, str(value), f"{member.least} to {member.most}", "Nothing was written"):
        assert word in str(refused.value)
    for edge in (member.least, member.most):
        assert upgrade_policy.desired(request(UpgradePolicyRequest, {ROLLING_POLICY: {name: edge}})) == {
            ROLLING_POLICY: {name: edge}
        }


def test_all_that_is_out_of_range_is_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        upgrade_policy.desired(
            request(
                UpgradePolicyRequest,
                {
                    ROLLING_POLICY: {
                        "max_batch_instance_percent": 4,
                        "max_unhealthy_instance_percent": 101,
                        "pause_time_between_batches": "a while",
                    }
                },
            )
        )
    for word in ("max_batch_instance_percent", "max_unhealthy_instance_percent", "'a while' is no duration"):
        assert word in str(refused.value)


def test_nothing_asked_for_is_refused() -> None:
    with refused("nothing_asked"):
        upgrade_policy.desired(
            request(UpgradePolicyRequest, {"mode": None, ROLLING_POLICY: {"max_surge": None}, AUTOMATIC_POLICY: None})
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0S", 0),
        ("PT1M30S", 90),
        ("pt1h", 3600),
        ("P1DT1S", 86401),
        ("PT0.5S", 0.5),
        ("90", 90),
        (90, 90),
        ("", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("-5", None),
        ("PT-5S", None),
        ("5 minutes", None),
    ],
)
def test_durations(text: object, seconds: float | None) -> None:
    assert upgrade_policy.seconds(text) == seconds


def test_defaults_of_azures_are_no_change() -> None:
    wanted = upgrade_policy.desired(
        request(
            UpgradePolicyRequest,
            {"mode": "Manual", ROLLING_POLICY: {"max_batch_instance_percent": 20, "max_surge": False}},
        )
    )
    assert upgrade_policy.merged({}, wanted) == upgrade_policy.current({})
    pause = upgrade_policy.desired(
        request(UpgradePolicyRequest, {ROLLING_POLICY: {"pause_time_between_batches": "60"}})
    )
    stored = {"rollingUpgradePolicy": {"pauseTimeBetweenBatches": "PT1M"}}
    assert upgrade_policy.merged(stored, pause) == upgrade_policy.current(stored)


FITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "rollback_flexible": ({"rollingUpgradePolicy": {"rollbackFailedInstancesOnPolicyBreach": True}}, "error", FLEXIBLE),
    "max_surge_flexible": (
        {"rollingUpgradePolicy": {"maxSurge": True}, "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}},
        "error",
        FLEXIBLE,
    ),
    "batch_above_unhealthy": ({"rollingUpgradePolicy": {"maxBatchInstancePercent": 30}}, "warning", "Uniform"),
}


@pytest.mark.parametrize("code", sorted(FITS))
def test_what_does_not_fit_together(code: str) -> None:
    stored, severity, orchestration = FITS[code]
    owner = ScaleSet("id", "web", "shop", "westeurope", orchestration_mode=orchestration)
    found = list(upgrade_policy.findings(owner, upgrade_policy.current(stored)))
    assert [(one.code, one.severity) for one in found] == [(code, severity)]
    assert found[0].remedy
    assert not list(upgrade_policy.findings(owner, upgrade_policy.current({})))
    if orchestration == FLEXIBLE:
        uniform = ScaleSet("id", "web", "shop", "westeurope")
        assert not list(upgrade_policy.findings(uniform, upgrade_policy.current(stored)))


TARGET = images.parse("Canonical:ubuntu:server:2.0.0")
WEB = ScaleSet("id", "web", "shop", "westeurope")
HAS_IT = Instance("0", image=TARGET, exact_version="2.0.0", latest_model_applied=True)


@pytest.mark.parametrize(
    ("members", "since", "why"),
    [
        ({}, None, ""),
        ({"latest_model_applied": None}, None, "does not show whether"),  # Flexible
        ({"latest_model_applied": False}, None, "it does not have the newest model"),
        ({"provisioning": "Failed"}, None, "it does not have the newest model"),
        ({"exact_version": "1.0.0"}, None, "runs Canonical:ubuntu:server:1.0.0 and the model means"),
        ({"exact_version": "3.0.0"}, None, "runs Canonical:ubuntu:server:3.0.0 and the model means"),
        ({"exact_version": None}, None, "nothing shows which image"),
        ({"exact_version": None, "os_disk_time": 5.0}, 4.0, ""),
        ({"exact_version": None, "os_disk_time": 5.0}, 6.0, "nothing shows which image"),
        ({"provisioning": "Deleting", "latest_model_applied": False}, None, ""),
    ],
)
def test_what_proves_that_an_instance_has_the_model(members: dict[str, Any], since: float | None, why: str) -> None:
    found = upgrade_policy.not_proven([replace(HAS_IT, **members)], TARGET, since)
    assert list(found) == (["0"] if why else [])
    assert why in found.get("0", "")
    unknown = upgrade_policy.not_proven([HAS_IT], None, None)
    assert "is not known" in unknown["0"]


@pytest.mark.parametrize("mode", ["Automatic", "Rolling", "Manual"])
@pytest.mark.parametrize("may", [True, False])
@pytest.mark.parametrize("behind", [0, 3])
def test_a_mode_that_would_bring_instances_along(mode: str, may: bool, behind: int) -> None:
    later = upgrade_policy.current({"mode": mode})
    instances = [replace(HAS_IT, instance_id=str(n), power="deallocated" if n == 2 else "running") for n in range(5)]
    unproven = {str(n): "because" for n in range(behind)}
    found = list(upgrade_policy.would_bring_instances(WEB, later, instances, unproven, may=may))
    if mode == "Manual" or not behind:
        assert found == []
        return
    (one,) = found
    assert one.severity == ("warning" if may else "error")
    how = "at once" if mode == "Automatic" else "in batches of 20 %"
    for words in ("3 of 5 instances", "0-2: because", how, "2 of them go down"):
        assert words in one.message
    assert ("azure_may_upgrade: true" in one.remedy) != may


@pytest.mark.parametrize("mode", ["Automatic", "Rolling", "Manual"])
@pytest.mark.parametrize("fabric", [True, False])
def test_a_write_of_the_model_in_a_mode_that_acts_on_it(mode: str, fabric: bool) -> None:
    owner = replace(
        WEB, upgrade_mode=mode, capacity=10, service_fabric=fabric, image=images.parse("Canonical:ubuntu:server:latest")
    )
    if mode == "Manual":
        assert upgrade_policy.acting_on_a_write(owner, may=False) == ""
        return
    warned = upgrade_policy.acting_on_a_write(owner, may=True)
    assert "10 instances" in warned and ("all at once" in warned) == (mode == "Automatic") and "new OS disks" in warned
    with refused("azure_would_upgrade", "azure_may_upgrade: true") as raised:
        upgrade_policy.acting_on_a_write(owner, may=False)
    assert ("mode: Manual" in str(raised.value)) != fabric  # which takes no other mode


@pytest.mark.parametrize("mode", ["Manual", "Rolling"])
def test_service_fabric_takes_mode_automatic_only(mode: str) -> None:
    owner = replace(WEB, service_fabric=True, upgrade_mode="Automatic")
    found = list(upgrade_policy.findings(owner, upgrade_policy.current({"mode": mode})))
    assert [(one.code, one.severity) for one in found] == [("service_fabric_mode", "error")]
    assert not list(upgrade_policy.findings(owner, upgrade_policy.current({"mode": "Automatic"})))


def test_what_turns_automatic_upgrades_on() -> None:
    off, on = (
        upgrade_policy.current({}),
        upgrade_policy.current({"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}),
    )
    assert upgrade_policy.enables(off, on)
    assert not upgrade_policy.enables(on, on) and not upgrade_policy.enables(on, off)
    assert on[AUTOMATIC_POLICY][ENABLED] is True
