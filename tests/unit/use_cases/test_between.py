# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another client does between a read and the write that rests on it, and what is left of a rollout that ended."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import Azure, connect
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ConnectionOptions,
    ImageRequest,
    UpgradePlanInfoRequest,
    UpgradePolicyRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._rollout import record
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import image, upgrade_plan_info, upgrade_policy

from ..asking import request
from ..play import NEW, NEWER, OLD, SET, Failed, Play, of_version, scenario
from ..refusals import refused
from ..simulated import Reply, Request, Simulated

GET, PATCH = "VirtualMachineScaleSets_Get", "VirtualMachineScaleSets_Update"
UPGRADE, SERVICE = "VirtualMachineScaleSets_UpdateInstances", "VirtualMachineScaleSets_SetOrchestrationServiceState"
LOST = "storageProfile.dataDisks"
HOME = {"HOME": "/nonexistent"}
OTHER_ID = "0123456789abcdef0123456789abcdef"
GALLERY = "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/galleries/{}/images/{}"


def model(version: str) -> dict[str, Any]:
    return {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": version}}}}


def mode(name: str) -> dict[str, Any]:
    return {"do": "write", "patch": {"properties": {"upgradePolicy": {"mode": name}}}}


def pins(version: str) -> dict[str, Any]:
    return {"do": "write", "patch": {"properties": model(version)}}


ANOTHER_ROLLOUT = {
    f"steady-vmss-{name}": value
    for name, value in {
        "rollout": OTHER_ID,
        "target": f"Canonical:ubuntu-24_04-lts:server:{OLD}",
        "started": "2026-11-27T01:00:00Z",
        "state": "in_progress",
    }.items()
}


def simulated(capacity: int = 5, **changes: Any) -> Simulated:
    return Simulated(scenario(capacity, **changes))


def ours(azure: Simulated) -> Azure:
    return connect(request(ConnectionOptions, azure.options), HOME, azure.clock, azure.session())


def play(azure: Simulated, version: str | None = NEW, **options: Any) -> Play:
    return Play(azure, azure.options, version, **options).run()


def settled(azure: Simulated, seconds: float = 3600) -> Simulated:
    azure.sleep(seconds)
    return azure


def named(azure: Simulated) -> str:
    profile = azure.state()["document"]["properties"]["virtualMachineProfile"]
    version: str = profile["storageProfile"]["imageReference"]["version"]
    return version


def kept(azure: Simulated) -> record.Record | None:
    return record.read(azure.state()["document"].get("tags") or {})


def versions(azure: Simulated) -> set[str]:
    return {one["version"] for one in azure.state()["instances"].values()}


def disks(azure: Simulated) -> int:
    return sum(one["disks_replaced"] for one in azure.state()["instances"].values())


def writes(azure: Simulated) -> int:
    found: int = azure.metrics()["writes"]
    return found


# -- a write is decided on the document whose ETag it carries -----------------------------------


@pytest.mark.parametrize("gap", range(1, 4))
@pytest.mark.parametrize(
    ("event", "code", "says"),
    [
        (mode("Automatic"), "upgrade_mode", "Automatic"),
        (mode("Rolling"), "upgrade_mode", "Rolling"),
        (pins(NEWER), "image_changed", f"Canonical:ubuntu-24_04-lts:server:{NEWER}"),
        ({"do": "write", "patch": {"tags": ANOTHER_ROLLOUT}}, "rollout_changed", OTHER_ID),
        ({"do": "rolling_upgrade", "seconds": 9000}, "rolling_upgrade_running", "RollingForward"),
    ],
    ids=["automatic", "rolling", "image", "record", "rolling upgrade"],
)
def test_what_no_longer_holds_at_the_write_is_refused(gap: int, event: dict[str, Any], code: str, says: str) -> None:
    """`gap`: after the plan's read, the write's own, and the one after a write that met another's."""
    azure = simulated(8, health="binary")
    azure.do(**event, when={"calls": {GET: min(gap, 2)}})
    if gap == 3:
        azure.do(do="write", patch={"tags": {"touched": "yes"}}, when={"calls": {GET: 1}})
    run = play(azure)
    assert run.outcome in ("refused", "stopped") and code in run.codes and says in run.why, run.why
    assert NEW not in versions(azure) and run.batches == []
    assert named(azure) == (NEWER if event == pins(NEWER) else OLD)
    found = azure.state()["document"]
    if event == mode("Automatic"):
        assert found["properties"]["upgradePolicy"]["mode"] == "Automatic"
    if "tags" in event.get("patch", {}):
        assert found["tags"]["steady-vmss-rollout"] == OTHER_ID


@pytest.mark.parametrize("gap", [1, 2])
def test_automatic_os_upgrades_that_are_turned_on_meanwhile_are_seen(gap: int) -> None:
    azure = simulated(5)
    owner, reads = azure.scale_set(), []

    def turn_on(request: Request, _reply: Reply) -> None:
        reads.append(request.operation == GET)
        if sum(reads) == gap and reads[-1]:
            owner.document["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"] = {
                "enableAutomaticOSUpgrade": True
            }
            owner.etag += 1

    azure.after.append(turn_on)
    run = play(azure)
    assert run.outcome == "stopped" and "automatic_os_upgrade" in run.codes, run.why
    assert named(azure) == OLD and disks(azure) == 0


@pytest.mark.parametrize("number", range(1, 4))
def test_asked_for_manual_the_mode_is_written_and_the_image_never_into_another(number: int) -> None:
    azure = simulated(8, upgrade_mode="Automatic")
    azure.do(**mode("Automatic"), when={"calls": {PATCH: 1}}, delay=1)
    azure.do(**mode("Automatic"), when={"calls": {GET: number + 1}})
    run = play(azure, upgrade_mode="Manual")
    down = azure.metrics()["scale_sets"]["web"]["unavailable"]["max"]
    assert down <= 1, (run.outcome, run.why)
    if run.outcome != "upgraded":
        assert versions(azure) == {OLD} and "upgrade_mode" in run.codes


@pytest.mark.parametrize(
    ("event", "code", "says", "model_is"),
    [
        (pins(NEWER), "image_changed", NEWER, NEWER),
        (mode("Automatic"), "upgrade_mode", "Automatic", NEW),
        ({"do": "write", "patch": {"tags": ANOTHER_ROLLOUT}}, "rollout_changed", OTHER_ID, NEW),
    ],
    ids=["image", "mode", "record"],
)
def test_the_write_back_after_a_stop_is_decided_anew_too(
    event: dict[str, Any], code: str, says: str, model_is: str
) -> None:
    azure = simulated(5)

    def check(_ids: list[str]) -> None:
        azure.do(**event)
        raise Failed("the user's check failed")

    run = play(azure, check=check)
    assert run.outcome == "stopped" and code in run.back_codes and says in run.back_failed
    assert named(azure) == model_is


def test_a_later_write_that_is_refused_does_not_say_that_nothing_was_written() -> None:
    azure = simulated(3)
    ours_is = {"id": OTHER_ID, "target": f"Canonical:ubuntu-24_04-lts:server:{NEW}"}
    forth = {**SET, "image": of_version(NEW), "record": ours_is}
    assert image.set_image(ours(azure), azure.clock, request(ImageRequest, forth), check_mode=False).changed
    azure.do(**pins(NEWER))
    azure.sleep(60)
    back = {**SET, "image": of_version(OLD), "replaces": of_version(NEW), "record": {**ours_is, "state": "stopped"}}
    with refused("image_changed", "This write was not sent"):
        image.set_image(ours(azure), azure.clock, request(ImageRequest, back), check_mode=False)


def test_a_tag_and_a_capacity_of_another_client_are_kept() -> None:
    azure = simulated(5)
    azure.do(do="write", patch={"tags": {"owner": "other"}}, when={"calls": {GET: 2}})
    azure.do(do="scale", capacity=7, when={"calls": {GET: 3}})
    run = play(azure)
    assert run.outcome == "upgraded", run.why
    found = settled(azure).state()["document"]
    assert found["tags"]["owner"] == "other" and found["sku"]["capacity"] == 7 and versions(azure) == {NEW}


def test_the_policy_is_judged_on_the_document_that_it_is_written_onto() -> None:
    """Automatic upgrades are turned on while another client takes the health source away."""
    azure = Simulated(scenario(3, "latest", health="binary"))
    takes = {"virtualMachineProfile": {"extensionProfile": None}}
    azure.do(do="write", patch={"properties": takes}, when={"calls": {GET: 1}})
    options = {**SET, "timeout": 600, "automatic_os_upgrade_policy": {"enable_automatic_os_upgrade": True}}
    with refused("not_ready", finds=("no_health_source",)):
        upgrade_policy.set_policy(ours(azure), azure.clock, request(UpgradePolicyRequest, options), check_mode=False)
    assert not azure.state()["document"]["properties"]["upgradePolicy"].get("automaticOSUpgradePolicy")


# -- only the image -------------------------------------------------------------------------------


def test_a_member_that_the_write_lost_stops_before_an_instance_is_touched() -> None:
    disk = {"lun": 0, "createOption": "Empty", "diskSizeGB": 64}
    profile = {"virtualMachineProfile": {"storageProfile": {"dataDisks": [disk]}}}
    azure = simulated(5, properties=profile, knobs={"image_write_loses": LOST})
    run = play(azure, on_failure="rollback_all")
    assert run.outcome == "stopped" and disks(azure) == 0 and azure.operations().count(PATCH) == 1
    for word in ("dataDisks", '"diskSizeGB": 64', "web", "No instance was touched"):
        assert word in run.why, run.why
    assert run.batches == []


def test_autoscale_and_policy_in_that_window_go_on() -> None:
    azure = simulated(5)
    azure.do(do="scale", capacity=6, when={"calls": {PATCH: 1}})
    extension = {"name": "MDE.Linux", "properties": {"publisher": "Microsoft.Azure", "type": "MDE.Linux"}}
    azure.do(do="policy", tags={"policy": "yes"}, extension=extension, when={"calls": {PATCH: 1}}, delay=1, retry=20)
    run = play(azure)
    assert run.outcome == "upgraded", run.why
    assert versions(settled(azure)) == {NEW}
    assert any("MDE.Linux" in words and "tags.policy" in words for words in run.warnings), run.warnings


# -- the record ends ----------------------------------------------------------------------------


def test_a_finished_rollout_is_finished() -> None:
    azure = simulated(5, health="binary")
    assert play(azure).outcome == "upgraded"
    found = kept(azure)
    assert found is not None and found.state == "finished"
    settled(azure, 600).do(do="unhealthy", instance="2")
    before = writes(azure)
    again = play(azure)
    assert (again.outcome, again.changed, writes(azure), named(azure)) == ("unchanged", False, before, NEW)
    assert any("2 (" in one["sentence"] for one in again.findings), "the sick instance is reported"


def test_previous_is_what_the_instances_ran_when_the_rollout_began() -> None:
    """OLD to NEW is finished; a rollout back to OLD fails its check: back means NEW."""
    azure = simulated(5)
    assert play(azure).outcome == "upgraded"
    settled(azure)

    def check(_ids: list[str]) -> None:
        raise Failed("the user's check failed")

    run = play(azure, OLD, downgrade=True, on_failure="rollback_all", check=check)
    assert run.outcome == "rolled_back", run.why
    assert named(azure) == NEW and versions(settled(azure)) == {NEW}
    found = kept(azure)
    assert found is not None and (found.state, found.previous.rpartition(":")[2]) == ("rolled_back", NEW)


def test_several_previous_images_are_said() -> None:
    azure = simulated(6)
    azure.do(**pins(NEW))
    settled(azure, 60)
    assert play(azure, NEW, instance_ids=["0"]).outcome == "upgraded"
    settled(azure)
    run = play(azure, NEWER)
    assert run.plan["previous_image"] == of_version(OLD)
    sentence = next(one["sentence"] for one in run.findings if one["code"] == "previous_image")
    assert OLD in sentence and NEW in sentence


def test_what_was_resumed_is_taken_off_the_record() -> None:
    azure = simulated(5, health="binary", automatic_repairs={"repairAction": "Replace"})
    assert play(azure).outcome == "upgraded"
    found = kept(azure)
    assert found is not None and found.suspended == () and SERVICE in azure.operations()
    settled(azure).do(do="service", service="AutomaticRepairs", action="Suspend")
    settled(azure)
    before = writes(azure)
    assert play(azure).outcome == "unchanged"
    assert writes(azure) == before and azure.state()["services"]["AutomaticRepairs"] == "Suspended"


@pytest.mark.parametrize("costs", [False, True])
def test_a_record_that_was_left_open_is_closed_by_the_next_run(costs: bool) -> None:
    azure = simulated(5, knobs={"tags_write_is_a_model": costs})
    run = Play(azure, azure.options)
    run.closes = False  # as a run that is killed there
    assert run.run().outcome == "upgraded"
    settled(azure)
    again = play(azure)
    found = kept(azure)
    assert (again.outcome, again.changed) == ("unchanged", True)
    assert found is not None and found.state == "finished"
    assert not play(azure).changed


def test_the_end_of_a_rollout_whose_record_another_one_has_replaced_is_not_recorded() -> None:
    azure = simulated(1)

    def check(_ids: list[str]) -> None:
        azure.do(do="write", patch={"tags": ANOTHER_ROLLOUT})

    run = play(azure, check=check)
    assert run.outcome == "upgraded", run.why
    (words,) = run.warnings
    assert "is not recorded" in words and OTHER_ID in words and "stays open" not in words
    found = kept(azure)
    assert found is not None and (found.id, found.open) == (OTHER_ID, True)


def test_a_record_that_cannot_be_closed_stays_open_and_that_is_said() -> None:
    azure = simulated(5)
    run = Play(azure, azure.options)
    run.closes = False
    run.run()
    settled(azure).do(**mode("Automatic"))
    settled(azure)
    before = writes(azure)
    again = play(azure)
    found = kept(azure)
    assert found is not None and found.open and writes(azure) == before
    assert (again.outcome, again.changed) == ("unchanged", False)
    assert any("stays open" in words and "Automatic" in words for words in again.warnings)


def test_a_second_part_of_the_set_opens_the_record_again() -> None:
    azure = simulated(5)
    assert play(azure, update_domains=["0"]).outcome == "upgraded"
    settled(azure)
    first = kept(azure)
    assert first is not None and (first.state, first.selection) == ("finished", "update domains 0")
    seen: list[str] = []

    def look(_ids: list[str]) -> None:
        found = kept(azure)
        assert found is not None
        seen.append(f"{found.state} {found.selection}")

    assert play(azure, check=look).outcome == "upgraded"
    second = kept(azure)
    assert set(seen) == {"in_progress all"} and second is not None and second.state == "finished"
    assert (second.id, second.started) == (first.id, first.started)


def test_a_way_back_that_is_run_again_goes_on_back() -> None:
    azure = simulated(5)
    assert play(azure).outcome == "upgraded"
    settled(azure)
    for changed in (True, False):
        found = kept(azure)
        assert found is not None
        back = found.way_back(ours(azure).scale_set("shop", "web").image)
        assert back is not None and back.version == OLD
        run = play(azure, OLD, back=True)
        assert (run.changed, versions(settled(azure))) == (changed, {OLD})
        found = kept(azure)
        assert found is not None and found.state == "rolled_back"


def test_no_rollout_acts_under_the_record_of_another() -> None:
    """A run to NEW was killed, another client pins NEWER: its rollout has a record before the first action."""
    azure = simulated(5)
    first = Play(azure, azure.options)
    first.rolls = first.closes = False  # killed right after its write
    first.run()
    azure.do(**pins(NEWER))
    settled(azure)
    seen = []

    def look(_ids: list[str]) -> None:
        found = kept(azure)
        seen.append(found.target.rpartition(":")[2] if found else "")

    run = play(azure, NEWER, take_over=True, check=look)
    found = kept(azure)
    assert run.outcome == "upgraded" and set(seen) == {NEWER}
    assert found is not None and (found.id, found.state) == (run.plan["record"]["id"], "finished")


@pytest.mark.parametrize("calls", [4, 8])
def test_a_rollout_in_whose_place_another_one_has_begun_upgrades_nothing_more(calls: int) -> None:
    """In the middle of a batch and between two; the model names the same image still."""
    azure = simulated(5)
    listed = "VirtualMachineScaleSetVMs_List"
    azure.do(do="write", patch={"tags": ANOTHER_ROLLOUT}, when={"calls": {listed: calls}})
    run = play(azure)
    assert run.outcome == "stopped" and run.codes == {"rollout_changed"}, run.why
    assert OTHER_ID in run.why and named(azure) == NEW
    assert 0 < azure.operations().count(UPGRADE) <= 2


@pytest.mark.parametrize("orchestration", ["Uniform", "Flexible"])
def test_a_model_that_changed_right_before_an_action_is_found_after_it(orchestration: str) -> None:
    """The image goes back to OLD between the look and the request: no disk is new, and no reimage follows."""
    azure = simulated(5, orchestration=orchestration)
    listed = "VirtualMachines_List" if orchestration == "Flexible" else "VirtualMachineScaleSetVMs_List"
    azure.do(**pins(OLD), when={"calls": {listed: 2}})
    run = play(azure, on_failure="rollback_all")
    assert run.outcome != "upgraded" and "image_changed" in run.codes, run.why
    assert "VirtualMachineScaleSets_Reimage" not in azure.operations()
    assert azure.operations().count(UPGRADE) <= 1 and "delete it" not in run.why


@pytest.mark.parametrize("orchestration", ["Uniform", "Flexible"])
def test_no_rerun_walks_past_what_failed_the_rollout(orchestration: str) -> None:
    azure = simulated(10, health="binary", orchestration=orchestration)
    azure.fault(kind="unhealthy", times=1, action="upgrade")
    assert play(azure).outcome == "stopped"
    before, replaced = writes(azure), disks(azure)
    for _number in range(4):
        again = play(settled(azure))
        assert again.outcome == "refused" and "unhealthy_on_target" in again.codes, again.why
    assert (writes(azure), disks(azure)) == (before, replaced)
    assert play(azure, max_unhealthy_upgraded="1").outcome == "upgraded", "the user allows it in so many words"


# -- what Azure does not take -------------------------------------------------------------------


def test_one_refusal_that_took_long_stops_no_rollout_that_goes_on() -> None:
    azure = simulated(3)
    azure.fault(operation=UPGRADE, action="throttle", retry_after=86400, times=1)
    before = azure.clock.now()
    run = play(azure, upgrade_timeout=100)
    assert run.outcome == "upgraded", run.why
    waited = run.azure.usage.throttled_seconds
    assert 100 <= waited <= azure.clock.now() - before, "what was waited, and not what Azure asked for"


@pytest.mark.parametrize("timeout", [25, 400])
def test_requests_that_azure_never_takes_fail_no_instance(timeout: int) -> None:
    azure = simulated(2)
    azure.fault(operation=UPGRADE, action="error", status=503, code="ServiceUnavailable", message="So it is.")
    run = play(azure, upgrade_timeout=timeout)
    assert run.outcome == "stopped" and run.codes <= {"work_not_started", "azure_failed"}, run.why
    assert "ServiceUnavailable: So it is." in run.why and disks(azure) == 0
    assert azure.operations().count(UPGRADE) > 1


# -- two controllers of one rollout -------------------------------------------------------------


def test_who_begins_the_same_rollout_at_the_same_moment_goes_on_with_the_one_that_stands() -> None:
    """Its plan knows of no record; the other's write comes between its read and its write, or before its read."""
    target = f"Canonical:ubuntu-24_04-lts:server:{NEW}"
    theirs = {"rollout": OTHER_ID, "target": target, "selection": "all", "started": "2026-11-27T02:00:05Z"}
    tags = {f"steady-vmss-{name}": value for name, value in {**theirs, "state": "in_progress"}.items()}
    ours_is = {"id": "ab" * 16, "target": target, "selection": "all", "started": "2026-11-27T02:00:04Z"}
    given = {**SET, "image": of_version(NEW), "replaces": of_version(OLD), "replaces_rollout": ""}
    write = {"properties": model(NEW), "tags": tags}
    for when in ({"calls": {GET: 1}}, None):
        azure = simulated(3)
        azure.do(do="write", patch=write, **({"when": when} if when else {}))
        azure.sleep(0 if when else 60)
        asked = request(ImageRequest, {**given, "record": ours_is})
        change = image.set_image(ours(azure), azure.clock, asked, check_mode=False)
        assert change.joined and not change.changed
        assert azure.state()["document"]["tags"]["steady-vmss-rollout"] == OTHER_ID and named(azure) == NEW
        for differs in ({"selection": "zone 2"}, {"state": "going_back"}):
            with refused("rollout_changed"):
                other = request(ImageRequest, {**given, "record": {**ours_is, **differs}})
                image.set_image(ours(azure), azure.clock, other, check_mode=False)


def test_a_rollout_that_another_controller_finished_is_not_set_back() -> None:
    azure = simulated(5)

    def check(_ids: list[str]) -> None:
        monitor = connect(request(ConnectionOptions, azure.options), HOME, azure.clock, azure.session())
        found = kept(azure)
        assert found is not None
        options = {**SET, "image": of_version(NEW), "timeout": 600}
        options["record"] = {**vars(found), "started": "2026-11-27T02:00:00Z", "state": "finished"}
        assert image.set_image(monitor, azure.clock, request(ImageRequest, options), check_mode=False).changed
        raise Failed("the user's check failed")

    run = play(azure, check=check, on_failure="rollback_all")
    assert run.outcome == "stopped" and "has ended as finished" in run.back_failed
    found = kept(azure)
    assert named(azure) == NEW and found is not None and found.state == "finished"


def test_nothing_goes_back_under_the_record_of_another_rollout() -> None:
    """Another controller has set the model back already, and another rollout has begun since."""
    azure = simulated(5)

    def check(_ids: list[str]) -> None:
        azure.do(**pins(OLD))
        azure.do(do="write", patch={"tags": ANOTHER_ROLLOUT}, at=azure.world.now + 30)
        azure.sleep(60)
        raise Failed("the user's check failed")

    run = play(azure, check=check, on_failure="rollback_all")
    assert run.outcome == "stopped" and OTHER_ID in run.back_failed
    assert disks(azure) == 1 and azure.state()["document"]["tags"]["steady-vmss-rollout"] == OTHER_ID


@pytest.mark.parametrize(
    ("stands", "ends", "is_then"),
    [
        ("rolled_back", "stopped", "rolled_back"),
        ("finished", "stopped", "finished"),
        ("stopped", "rolled_back", "rolled_back"),
        ("in_progress", "finished", "finished"),
        ("going_back", "rolled_back", "rolled_back"),
    ],
)
def test_an_end_is_not_written_over_another(stands: str, ends: str, is_then: str) -> None:
    azure = simulated(2)
    options = {**SET, "image": of_version(NEW), "timeout": 600}
    written = {"id": OTHER_ID, "target": str(ours(azure).scale_set("shop", "web").image).replace(OLD, NEW)}
    written["started"] = "2026-11-27T02:00:00Z"
    for state in (stands, ends):
        given = {**options, "record": {**written, "state": state}}
        image.set_image(ours(azure), azure.clock, request(ImageRequest, given), check_mode=False)
    found = kept(azure)
    assert found is not None and found.state == is_then


# -- modes, ids, calls ----------------------------------------------------------------------------


def test_asking_for_manual_is_a_reason_to_write_the_mode() -> None:
    azure = simulated(5, version=NEW, upgrade_mode="Automatic")
    run = play(azure, upgrade_mode="Manual")
    assert run.changed and azure.state()["document"]["properties"]["upgradePolicy"]["mode"] == "Manual"
    assert disks(azure) == 0
    options = {**SET, "image": of_version(NEW), "upgrade_mode": "Manual", "timeout": 600}
    change = image.set_image(ours(azure), azure.clock, request(ImageRequest, options), check_mode=False)
    assert (change.changed, change.after.upgrade_mode) == (False, "Manual")


def test_twenty_five_named_flexible_instances_fit() -> None:
    azure = simulated(30, orchestration="Flexible", fault_domains=1, name="w" * 60)
    listed = list(azure.state("w" * 60)["instances"])[:25]
    options = {"name": "w" * 60, "instance_ids": listed}
    plan = rollout_plan_of(azure, options)
    assert plan["record"]["selection"].startswith("sha256 ") and plan["left"] and set(plan["left"]) <= set(listed)


def rollout_plan_of(azure: Simulated, options: dict[str, Any]) -> dict[str, Any]:
    run = Play(azure, azure.options, **options)
    return upgrade_plan_info.as_result(upgrade_plan_info.make(run.azure, request(UpgradePlanInfoRequest, run.options)))


@pytest.mark.parametrize("repairs", [False, True])
def test_nothing_to_do_is_six_calls_at_the_most(repairs: bool) -> None:
    """Of a gallery image that follows the newest version, whose every question is asked."""
    subscription = simulated().options["subscription_id"]
    gallery = GALLERY.format(subscription, "images", "golden", "web")
    world = scenario(10, health="binary", image={"id": f"{gallery}/versions/1.0.0"})
    world["scale_sets"][0] |= {"automatic_repairs": {"repairAction": "Replace"}} if repairs else {}
    world["images"]["galleries"] = [{"name": "golden", "images": [{"name": "web", "versions": [{"version": "1.0.0"}]}]}]
    azure = Simulated(world)
    run = play(azure, None, image={"id": gallery})
    assert run.outcome == "unchanged" and writes(azure) == 0
    assert run.azure.usage.calls <= 6, azure.operations()
