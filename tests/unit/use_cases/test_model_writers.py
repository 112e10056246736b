# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes beside the image: each is decided on the document that it goes onto, and what was read back counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ExtensionRequest,
    HealthMonitorRequest,
    UpgradePolicyRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import extension, health_monitor, upgrade_policy

from ..asking import request
from ..fake_azure import SUBSCRIPTION, WEB, Answer, FakeAzure, FakeClock
from ..refusals import refused
from ..stored import FAILED, HEALTH, POLL, PREEMPTED, PROBE, REFERENCE, SUCCEEDED, Stored

SET = {"resource_group": "rg", "name": "web", "timeout": 1800}
LATEST = {"storageProfile": {"imageReference": {"version": "latest"}}}
DENIED: Answer = (403, {}, {"error": {"code": "AuthorizationFailed", "message": "No permission."}})
VERSIONS = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers/Canonical/artifacttypes/"
    "vmimage/offers/ubuntu/skus/server/versions"
)


def uniform(number: int, version: str = "1.0.0", **members: Any) -> dict[str, Any]:
    image = {**REFERENCE, "version": "1.0.0", "exactVersion": version}
    properties = {
        "latestModelApplied": True,
        "provisioningState": "Succeeded",
        "storageProfile": {"imageReference": image, "osDisk": {"name": f"disk{number}"}},
        "instanceView": {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]},
    }
    return {"instanceId": str(number), "name": f"web_{number}", "properties": {**properties, **members}}


# -- the policy ---------------------------------------------------------------------------------


def test_another_mode_needs_every_instance_proven_and_unknown_is_not_none_behind(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = Stored(arm, HEALTH)
    web.instances = [uniform(n) for n in range(9)] + [uniform(9, latestModelApplied=None)]
    options = {**SET, "mode": "Automatic"}
    for check_mode in (True, False):
        with refused("not_ready", r"1 of 10 instances .*9: Azure does not show.* 1 of them go down", finds=("behind",)):
            upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, options), check_mode=check_mode)
    assert web.writes() == []
    planned = upgrade_policy.set_policy(
        azure, clock, request(UpgradePolicyRequest, {**options, "azure_may_upgrade": True}), check_mode=True
    )
    assert [(one.code, one.severity) for one in planned.findings] == [("behind", "warning")]
    done = upgrade_policy.set_policy(
        azure, clock, request(UpgradePolicyRequest, {**options, "azure_may_upgrade": True}), check_mode=False
    )
    assert done.changed and web.document["properties"]["upgradePolicy"]["mode"] == "Automatic"


@pytest.mark.parametrize("mode", ["Automatic", "Rolling"])
def test_a_model_that_follows_the_newest_needs_instances_on_the_newest(
    azure: Azure, arm: FakeAzure, clock: FakeClock, mode: str
) -> None:
    """All flags are true, and a newer version is published."""
    web = Stored(arm, HEALTH)
    web.change(virtualMachineProfile=LATEST)
    web.instances = [uniform(n) for n in range(10)]
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}, {"name": "2.0.0"}]))
    with refused("not_ready", r"10 of 10 instances .*0-9: it runs .*1\.0\.0.*2\.0\.0 now", finds=("behind",)):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, "mode": mode}), check_mode=False)
    arm.on("GET", VERSIONS, DENIED)
    with refused("not_ready", r"10 of 10 instances .*what the model's image means now is not known", finds=("behind",)):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, "mode": mode}), check_mode=False)
    assert web.writes() == []
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}]))
    assert (
        upgrade_policy.set_policy(
            azure, clock, request(UpgradePolicyRequest, {**SET, "mode": mode}), check_mode=False
        ).findings
        == []
    )


def test_any_write_into_a_mode_that_acts_needs_the_same(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH, mode="Rolling")
    web.instances = [uniform(0, latestModelApplied=False)]
    pause = {"rolling_upgrade_policy": {"pause_time_between_batches": "PT1M"}}
    with refused("not_ready", finds=("behind",)):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, **pause}), check_mode=False)
    assert upgrade_policy.set_policy(
        azure, clock, request(UpgradePolicyRequest, {**SET, **pause, "mode": "Manual"}), check_mode=False
    ).changed
    assert web.writes() == ["PATCH web"]


def test_after_412_the_image_and_the_health_source_are_asked_again(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = Stored(arm, HEALTH)
    web.change(virtualMachineProfile=LATEST)
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}]))

    def pinned() -> None:
        web.change(virtualMachineProfile={"storageProfile": {"imageReference": {"version": "1.0.0"}}})
        web.extend("health", None)

    web.at = {1: pinned}
    on = {"automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
    with refused("not_ready", finds=("image_pinned", "no_health_source")):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, **on}), check_mode=False)
    assert web.writes() == ["PATCH web"], "Azure refused it with 412"
    assert "automaticOSUpgradePolicy" not in web.document["properties"]["upgradePolicy"]


def test_the_worse_of_two_findings_of_one_kind_counts(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    """Of automatic upgrades, which are on, a missing health source is a warning; of mode Rolling it is an error."""
    web = Stored(arm)
    web.change(
        upgradePolicy={"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}, virtualMachineProfile=LATEST
    )
    arm.on("GET", VERSIONS, (200, {}, [{"name": "1.0.0"}]))
    asked = {"mode": "Rolling", "automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
    with refused("not_ready", finds=("no_health_source",)):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, **asked}), check_mode=False)
    assert web.writes() == []


def test_operations_that_always_end_cancelled_are_few(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm)
    web.stores = False
    web.ends = [PREEMPTED]
    began = clock.now()
    options = {**SET, "rolling_upgrade_policy": {"max_batch_instance_percent": 10}}
    with refused("write_taken_back", "5 times"):
        upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, options), check_mode=False)
    assert web.writes() == ["PATCH web"] * 5 and clock.now() - began < 600


# -- extensions -----------------------------------------------------------------------------------

BOOT: dict[str, Any] = {
    "publisher": "p",
    "type": "CustomScript",
    "typeHandlerVersion": "2.1",
    "settings": {"ours": 1, "theirs": 1},
}


def boot(arm: FakeAzure, mode: str = "Manual", *others: dict[str, Any]) -> Stored:
    web = Stored(arm, {"name": "boot", "properties": BOOT}, *others, mode=mode)
    web.serve("boot")
    web.serve("health")
    return web


def settings(**given: Any) -> dict[str, Any]:
    return {**SET, "extension": "boot", "state": "present", "settings": given}


def run_extension(azure: Azure, clock: FakeClock, options: dict[str, Any], **more: Any) -> extension.ExtensionChange:
    return extension.set_extension(azure, clock, request(ExtensionRequest, options), **{"check_mode": False, **more})


@pytest.mark.parametrize("mode", ["Automatic", "Rolling"])
def test_a_model_write_is_refused_where_azure_acts_on_it(
    azure: Azure, arm: FakeAzure, clock: FakeClock, mode: str
) -> None:
    web = boot(arm, mode, HEALTH)
    absent = {**settings(), "state": "absent"}
    for options in (settings(ours=2), absent):
        for check_mode in (True, False):
            with refused("azure_would_upgrade", f"{mode}: Azure brings its 10 instances"):
                run_extension(azure, clock, options, check_mode=check_mode)
    with refused("azure_would_upgrade", mode):
        health_monitor.set_source(azure, clock, request(HealthMonitorRequest, MONITOR), check_mode=False)
    assert web.writes() == []
    done = run_extension(azure, clock, {**settings(ours=2), "azure_may_upgrade": True})
    assert done.changed and "10 instances" in done.warnings[-1]
    assert not run_extension(azure, clock, settings(ours=2)).changed, "nothing to do is no write"


def test_a_mode_that_another_client_sets_meanwhile_is_seen(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = boot(arm)
    web.change(provisioningState="Updating")
    web.at = {1: lambda: web.change(provisioningState="Succeeded", upgradePolicy={"mode": "Automatic"})}
    with refused("azure_would_upgrade"):
        run_extension(azure, clock, settings(ours=2))
    assert web.writes() == []


def test_settings_that_another_client_changes_meanwhile_stay(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = boot(arm)
    web.change(provisioningState="Updating")

    def theirs() -> None:
        web.extend("boot", {**BOOT, "settings": {"ours": 1, "theirs": 2}, "suppressFailures": True})
        web.change(provisioningState="Succeeded")

    web.at = {1: theirs, 2: lambda: web.extend("other", BOOT)}
    done = run_extension(azure, clock, settings(ours=2))
    assert web.extensions["boot"]["settings"] == {"ours": 2, "theirs": 2}
    assert done.after is not None and done.after["settings"] == {"ours": 2, "theirs": 2}
    assert web.writes() == ["PATCH boot"]


def test_another_members_value_is_no_reason_to_call_ours_not_stored(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = boot(arm)
    original = web.extend

    def extend(name: str, properties: dict[str, Any] | None) -> None:
        original(name, None if properties is None else {**properties, "enableAutomaticUpgrade": True})

    web.extend = extend  # type: ignore[method-assign]
    assert run_extension(azure, clock, settings(ours=2)).changed
    assert web.writes() == ["PATCH boot"]


PROTECTED: dict[str, Any] = {**SET, "extension": "boot", "state": "present", "protected_settings": {"key": "s3cr3t"}}


@pytest.mark.parametrize(
    ("ends", "sent"), [([FAILED], 1), ([PREEMPTED], 3), ([PREEMPTED, SUCCEEDED], 2), ([SUCCEEDED], 1)]
)
def test_protected_settings_are_written_when_their_operation_says_so(
    azure: Azure, arm: FakeAzure, clock: FakeClock, ends: list[dict[str, Any]], sent: int
) -> None:
    web = boot(arm)
    web.ends = list(ends)
    if ends[-1] is SUCCEEDED:
        done = run_extension(azure, clock, PROTECTED)
        assert done.changed and done.note == ""
    else:
        with refused("protected_settings_unknown", r"extension boot .*Run the same again", by=AzureError) as raised:
            run_extension(azure, clock, PROTECTED)
        assert "s3cr3t" not in str(raised.value)
    assert web.writes() == ["PATCH boot"] * sent


@pytest.mark.parametrize("end", [FAILED, PREEMPTED])
@pytest.mark.parametrize("stores", [True, False])
def test_a_tag_that_is_read_back_proves_the_protected_settings(
    azure: Azure, arm: FakeAzure, clock: FakeClock, end: dict[str, Any], stores: bool
) -> None:
    web = boot(arm)
    web.ends, web.stores = [end], stores
    options = {**PROTECTED, "force_update_tag": "june"}
    if not stores:
        with pytest.raises((AzureError, Refused)):
            run_extension(azure, clock, options)
        return
    done = run_extension(azure, clock, options)
    assert done.changed and web.writes() == ["PATCH boot"]
    assert not run_extension(azure, clock, options).changed


NEEDS: dict[str, dict[str, Any]] = {
    "automatic OS image upgrades are on": {
        "upgradePolicy": {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
    },
    "automatic repairs are on": {"automaticRepairsPolicy": {"enabled": True}},
}
ABSENT = {**SET, "state": "absent"}


@pytest.mark.parametrize("need", sorted(NEEDS))
@pytest.mark.parametrize("meanwhile", [False, True])
@pytest.mark.parametrize("way", ["extension", "another type", "health_monitor"])
def test_every_way_to_take_the_last_health_source_away_asks_whether_it_is_needed(
    azure: Azure, arm: FakeAzure, clock: FakeClock, need: str, meanwhile: bool, way: str
) -> None:
    web = boot(arm, "Manual", HEALTH)
    if meanwhile:
        web.change(provisioningState="Updating")
        web.at = {1: lambda: web.change(provisioningState="Succeeded", **NEEDS[need])}
    else:
        web.change(**NEEDS[need])
    ways: dict[str, Callable[[], object]] = {
        "extension": lambda: run_extension(azure, clock, {**settings(), "extension": "health", "state": "absent"}),
        "another type": lambda: run_extension(azure, clock, {**settings(), "extension": "health", "type": "Other"}),
        "health_monitor": lambda: health_monitor.set_source(
            azure, clock, request(HealthMonitorRequest, {**ABSENT}), check_mode=False
        ),
    }
    with refused("health_source_needed", need):
        ways[way]()
    assert web.writes() == [] and web.sources() == ["extension"]


# -- the health source ----------------------------------------------------------------------------

MONITOR = {**SET, "state": "present", "source": "load_balancer_probe", "probe_id": PROBE, "replace": True}


def monitor(azure: Azure, clock: FakeClock, **options: Any) -> health_monitor.SourceChange:
    return health_monitor.set_source(
        azure, clock, request(HealthMonitorRequest, {**MONITOR, **options}), check_mode=False
    )


SLOW = {
    "sku": {"name": "Standard"},
    "properties": {"probes": [{"name": "health", "properties": {"intervalInSeconds": 120}}]},
}


def test_a_probe_that_azures_upgrades_cannot_go_by_is_found_before_it_is_written(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = Stored(arm, HEALTH)
    web.serve("health")
    arm.on("GET", PROBE.partition("/probes/")[0], (200, {}, SLOW))
    plain = health_monitor.set_source(azure, clock, request(HealthMonitorRequest, MONITOR), check_mode=True)
    assert [(one.severity, one.code) for one in plain.findings] == [("error", "probe_interval")]
    assert any("asks every 120 s" in note for note in plain.notes) and plain.changed
    for acts in ({"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}, {"mode": "Rolling"}):
        web.change(upgradePolicy={"mode": "Manual", "automaticOSUpgradePolicy": None, **acts})
        with pytest.raises(Refused, match=r"nothing was written.*asks every 120 s") as refused:
            monitor(azure, clock, azure_may_upgrade=True)
        assert refused.value.code == "not_ready" and refused.value.fields["findings"][0]["code"] == "probe_interval"
    # And where they are turned on after the first read.
    web.change(upgradePolicy={"mode": "Manual"}, provisioningState="Updating")
    turned_on = {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
    web.at = {web.reads + 1: lambda: web.change(upgradePolicy=turned_on, provisioningState="Succeeded")}
    with pytest.raises(Refused, match=r"asks every 120 s"):
        monitor(azure, clock)
    assert web.writes() == [] and web.sources() == ["extension"]


def test_a_need_that_comes_up_meanwhile_turns_the_order(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH)
    web.serve("health")
    web.change(provisioningState="Updating")
    need = NEEDS["automatic repairs are on"]
    web.at = {1: lambda: web.change(provisioningState="Succeeded", **need)}
    assert monitor(azure, clock).changed
    assert web.writes() == ["PATCH web", "DELETE health"] and web.sources() == ["probe"]


def test_a_failure_in_the_middle_says_that_there_is_no_source(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH)
    web.serve("health")
    original = web.extend

    def extend(name: str, properties: dict[str, Any] | None) -> None:
        original(name, properties)
        web.change(provisioningState="Updating")  # another client's, and it does not end

    web.extend = extend  # type: ignore[method-assign]
    with pytest.raises(Refused) as refused:
        monitor(azure, clock)
    assert web.sources() == []
    said = str(refused.value)
    for words in ("set the health probe of scale set web", "no health source now. Run the same again", "'port': 22"):
        assert words in said
    assert "Nothing was written" not in said
    web.extend = original  # type: ignore[method-assign]
    web.change(provisioningState="Succeeded")
    assert monitor(azure, clock).changed and web.sources() == ["probe"]


def test_a_failure_in_the_middle_says_that_there_are_two(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH, **NEEDS["automatic repairs are on"])
    web.serve("health")
    web.refuses = {"DELETE health": DENIED}
    with refused("health_source_half_replaced", r"AuthorizationFailed.*source: application_health_ext"):
        monitor(azure, clock)
    assert web.sources() == ["extension", "probe"]
    web.refuses = {}
    assert health_monitor.set_source(
        azure,
        clock,
        request(HealthMonitorRequest, {**ABSENT, "source": "application_health_extension"}),
        check_mode=False,
    ).changed
    assert web.sources() == ["probe"]


def test_the_old_source_stays_where_somebody_takes_the_new_one_away(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = Stored(arm, HEALTH, **NEEDS["automatic repairs are on"])
    web.serve("health")
    web.at = {2: lambda: web.change(virtualMachineProfile={"networkProfile": {"healthProbe": None}})}
    # The second read shows the probe, so the extension would go; Azure is busy, and the third shows no probe.
    original = web.change

    def change(**properties: Any) -> None:
        original(**properties)
        if "virtualMachineProfile" in properties and web.reads == 1:
            original(provisioningState="Updating")

    web.change = change  # type: ignore[method-assign]
    web.at[3] = lambda: original(provisioningState="Succeeded")
    with refused("health_source_half_replaced", "needs its health source"):
        monitor(azure, clock)
    assert web.sources() == ["extension"] and web.writes() == ["PATCH web"]


def test_a_name_that_the_extension_has_not_is_refused(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH)
    asked = {**SET, "state": "present", "source": "application_health_extension", "replace": False, "port": 23}
    with refused("option_invalid", "health, .* mine"):
        health_monitor.set_source(
            azure, clock, request(HealthMonitorRequest, {**asked, "extension_name": "mine"}), check_mode=False
        )
    assert web.writes() == []


# -- what other clients do between a read and a write, and after it -------------------------------

AUTOMATIC = {"upgradePolicy": {"mode": "Automatic"}}
REPAIRS = NEEDS["automatic repairs are on"]
LATEST_UPGRADE = f"{WEB}/rollingUpgrades/latest"
THROTTLED: Answer = (429, {"Retry-After": "120"}, {"error": {"code": "OperationNotAllowed", "message": "Wait."}})
NO_UPGRADE: Answer = (404, {}, {"error": {"code": "NotFound", "message": "There is none."}})
WITHOUT_ETAG: dict[str, Callable[[Azure, FakeClock], object]] = {
    "extension": lambda azure, clock: run_extension(azure, clock, settings(ours=2)),
    "extension absent": lambda azure, clock: run_extension(
        azure, clock, {**settings(), "extension": "health", "state": "absent"}
    ),
    "health source": lambda azure, clock: monitor(
        azure, clock, source="application_health_extension", probe_id=None, port=81
    ),
    "health source absent": lambda azure, clock: health_monitor.set_source(
        azure, clock, request(HealthMonitorRequest, ABSENT), check_mode=False
    ),
}


@pytest.mark.parametrize(
    ("way", "change", "code"),
    [
        *((way, AUTOMATIC, "azure_would_upgrade") for way in WITHOUT_ETAG),
        ("extension absent", REPAIRS, "health_source_needed"),
        ("health source absent", REPAIRS, "health_source_needed"),
    ],
)
def test_a_write_without_an_etag_rests_on_a_read_of_the_set_made_right_before_it(
    azure: Azure, arm: FakeAzure, clock: FakeClock, way: str, change: dict[str, Any], code: str
) -> None:
    """Azure lets the read of its latest upgrade wait for minutes, and another client writes meanwhile."""
    web = boot(arm, "Manual", HEALTH)

    def throttled(_request: object) -> Answer:
        web.change(**change)
        arm.on("GET", LATEST_UPGRADE, NO_UPGRADE)
        return THROTTLED

    arm.on("GET", LATEST_UPGRADE, throttled)
    with refused(code):
        WITHOUT_ETAG[way](azure, clock)
    assert web.writes() == []


def test_a_write_without_an_etag_goes_out_once_nothing_changes_any_more(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = boot(arm)
    web.at = {1: lambda: web.change(automaticRepairsPolicy={"enabled": False}), 3: lambda: web.extend("other", BOOT)}
    assert run_extension(azure, clock, settings(ours=2)).changed
    assert web.writes() == ["PATCH boot"] and web.reads == 7


def test_a_set_that_changes_at_each_read_is_not_written(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = boot(arm)
    web.at = {n: lambda: web.change(automaticRepairsPolicy={"enabled": False}) for n in range(1, 1000)}
    with pytest.raises(AzureError, match="another client changed the scale set") as raised:
        run_extension(azure, clock, settings(ours=2))
    assert raised.value.code == "azure_precondition" and web.writes() == []


def cancelled_by(web: Stored, theirs: Callable[[], None]) -> None:
    """Azure takes the write, and another client's takes its place before it has ended."""

    def poll(_request: object) -> Answer:
        theirs()
        return 200, {}, PREEMPTED

    web.arm.on("GET", POLL, poll)


def policy(azure: Azure, clock: FakeClock, **options: Any) -> upgrade_policy.PolicyChange:
    return upgrade_policy.set_policy(azure, clock, request(UpgradePolicyRequest, {**SET, **options}), check_mode=False)


def test_a_policy_refused_after_an_accepted_write_does_not_say_that_nothing_was_written(
    azure: Azure, arm: FakeAzure, clock: FakeClock
) -> None:
    web = Stored(arm, HEALTH)
    web.instances = [uniform(0)]

    def theirs() -> None:  # the write that Azure took has made another model of it
        web.change(upgradePolicy={"mode": "Manual"})
        web.instances = [uniform(0, latestModelApplied=False)]

    cancelled_by(web, theirs)
    with refused("not_ready", finds=("behind",)) as raised:
        policy(azure, clock, mode="Rolling")
    assert "nothing was written" not in str(raised.value).lower()
    assert "Before that, this call sent: set the upgrade policy of scale set web (accepted). 1) " in str(raised.value)


@pytest.mark.parametrize(
    ("way", "name", "code"),
    [("extension", "boot", "extension_incomplete"), ("health source", "health", "option_invalid")],
)
@pytest.mark.parametrize("lost", [False, True])
def test_an_extension_refused_after_a_write_does_not_say_that_nothing_was_written(
    azure: Azure, arm: FakeAzure, clock: FakeClock, way: str, name: str, code: str, lost: bool
) -> None:
    web = boot(arm, "Manual", HEALTH)
    if not lost:
        cancelled_by(web, lambda: web.extend(name, None))
    else:

        def unanswered(_request: object) -> Answer:
            web.extend(name, None)
            return 503, {}, None

        for method in ("PUT", "PATCH"):
            arm.on(method, f"{WEB}/extensions/{name}", unanswered)
    with refused(code) as raised:
        WITHOUT_ETAG[way](azure, clock)
    assert len(web.writes()) == 1
    assert "nothing was written" not in str(raised.value).lower()
    sent = f"write extension {name} of scale set web ({'no answer' if lost else 'accepted'})."
    assert f". Before that, this call sent: {sent}" in str(raised.value)


def test_a_refusal_after_waiting_says_what_was_sent_before(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = boot(arm)
    web.stores = False
    cancelled_by(web, lambda: web.change(provisioningState="Updating"))
    sent = r"Before that, this call sent: write extension boot .*\(accepted\)\."
    with refused("scale_set_updating", sent) as raised:
        run_extension(azure, clock, settings(ours=2))
    assert "Nothing was written" not in str(raised.value)


def test_a_cancelled_operation_of_a_policy_that_stands_is_told(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm, HEALTH)
    web.ends = [PREEMPTED]
    done = policy(azure, clock, rolling_upgrade_policy={"max_batch_instance_percent": 10})
    assert done.changed and web.writes() == ["PATCH web"]
    assert done.note == "Azure stored it, and says of the operation: OperationPreempted: By a newer one."


@pytest.mark.parametrize("to", ["load_balancer_probe", "application_health_extension"])
def test_a_source_that_another_client_takes_away_in_the_end_is_no_success(
    azure: Azure, arm: FakeAzure, clock: FakeClock, to: str
) -> None:
    """It goes while the last request of the replacement runs, so nothing before that shows it."""
    probe = {"virtualMachineProfile": {"networkProfile": {"healthProbe": {"id": PROBE}}}}
    web = Stored(arm, *([HEALTH] if to == "load_balancer_probe" else []), **REPAIRS)
    for name in ("health", "ApplicationHealthLinux"):
        web.serve(name)
    if to == "application_health_extension":
        web.change(**probe)

    def poll(_request: object) -> Answer:
        if len(web.writes()) == 2:
            for name in list(web.extensions):
                web.extend(name, None)
            web.change(virtualMachineProfile={"networkProfile": {"healthProbe": None}})
        return 200, {}, SUCCEEDED

    arm.on("GET", POLL, poll)
    asked = {"probe_id": None, "protocol": "tcp", "port": 22} if to == "application_health_extension" else {}
    with refused("health_source_half_replaced") as raised:
        monitor(azure, clock, source=to, **asked)
    assert "another client changed the health source of scale set web" in str(raised.value)
    assert "no health source now. Run the same again" in str(raised.value)


def test_a_source_that_comes_beside_the_asked_one_is_no_success(azure: Azure, arm: FakeAzure, clock: FakeClock) -> None:
    web = Stored(arm)
    web.serve("ApplicationHealthLinux")

    def poll(_request: object) -> Answer:
        web.change(virtualMachineProfile={"networkProfile": {"healthProbe": {"id": PROBE}}})
        return 200, {}, SUCCEEDED

    arm.on("GET", POLL, poll)
    asked = {"source": "application_health_extension", "probe_id": None, "protocol": "tcp", "port": 22}
    with refused("write_taken_back", r"It has .*application_health_extension.* now\. Run the same again"):
        monitor(azure, clock, **asked)
