# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge lets a security type go with the image that it was asked for with, and back with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from draw import NAME, NEW, OLD, RECORD, THIRD
from good_rollout import OURS, VERSION, Rollout, theirs, write, wrong_after
from security import SECURITY, TYPE
from test_judge_refusals import refuses

UEFI = {"secureBootEnabled": False, "vTpmEnabled": True}
SECURE = {"securityType": "TrustedLaunch", "uefiSettings": UEFI}


def secured(rollout: Rollout, asked: str = "TrustedLaunch") -> None:
    """The type goes with the image, on a set that encrypts at its hosts."""
    profile = {"virtualMachineProfile": {"securityProfile": {"encryptionAtHost": True}}}
    rollout.case.scale_set["properties"] = profile
    rollout.case.variables["rollout_security_type"] = asked
    rollout.written[0]["changes"] |= {TYPE: [None, "TrustedLaunch"], f"{SECURITY}.uefiSettings": [None, UEFI]}
    end_with(rollout, {"encryptionAtHost": True, **SECURE})


def end_with(rollout: Rollout, profile: dict[str, Any]) -> None:
    rollout.after.scale_set["document"]["properties"]["virtualMachineProfile"]["securityProfile"] = profile


def taken_back(rollout: Rollout) -> None:
    secured(rollout)
    rollout.stops(1)
    rollout.written[-1]["changes"] |= {TYPE: ["TrustedLaunch", "Standard"], f"{SECURITY}.uefiSettings": [UEFI, None]}
    end_with(rollout, {"encryptionAtHost": True, "securityType": "Standard"})


def secured_unasked(rollout: Rollout) -> None:
    secured(rollout, "")


def secured_as_another_type(rollout: Rollout) -> None:
    secured(rollout, "ConfidentialVM")


def secured_before_the_image(rollout: Rollout) -> None:
    secured(rollout)
    image = {VERSION: rollout.written[0]["changes"].pop(VERSION)}
    rollout.written.append(write(20, image, tags={RECORD: OURS}))


def not_secured(rollout: Rollout) -> None:
    rollout.case.variables["rollout_security_type"] = "TrustedLaunch"


def encryption_lost(rollout: Rollout) -> None:
    secured(rollout)
    rollout.written[0]["changes"][f"{SECURITY}.encryptionAtHost"] = [True, None]


def secure_boot_of_the_user_s_changed(rollout: Rollout) -> None:
    secured(rollout)
    rollout.written[0]["changes"][f"{SECURITY}.uefiSettings"] = [{"secureBootEnabled": True}, UEFI]


def not_taken_back(rollout: Rollout) -> None:
    taken_back(rollout)
    for path in (TYPE, f"{SECURITY}.uefiSettings"):
        rollout.written[-1]["changes"].pop(path)


def taken_back_with_less(rollout: Rollout) -> None:
    taken_back(rollout)
    end_with(rollout, {"securityType": "Standard"})


def kept_in_silence(rollout: Rollout) -> None:
    kept_as_azure_refuses(rollout)
    rollout.run.failures = [f"scale set {NAME}"]


def kept_though_azure_takes_it_back(rollout: Rollout) -> None:
    kept_as_azure_refuses(rollout)
    rollout.case.scale_set["knobs"] = {"security_back": "accept"}


def refused_for_a_type_that_is_allowed(rollout: Rollout) -> None:
    refuses(rollout)
    rollout.case.variables["rollout_security_type"] = "TrustedLaunch"


def kept_as_azure_refuses(rollout: Rollout) -> None:
    secured(rollout)
    rollout.case.scale_set["knobs"] = {"security_back": "refuse"}
    rollout.stops(1, model=NEW, said="The model was not set back to the previous image")
    end_with(rollout, {"encryptionAtHost": True, **SECURE})


def secured_and_then_their_image(rollout: Rollout) -> None:
    secured(rollout)
    rollout.stops(1, model=THIRD)
    rollout.written.append(theirs(150, {VERSION: [NEW, THIRD]}))
    end_with(rollout, {"encryptionAtHost": True, **SECURE})


def refuses_for_data_disks(rollout: Rollout) -> None:
    refused_for_a_type_that_is_allowed(rollout)
    rollout.case.scale_set["properties"] = {"virtualMachineProfile": {"storageProfile": {"dataDisks": [{"lun": 0}]}}}
    rollout.run.failures = ["security_type_data_disks: the model has data disks"]


SPOILT: Iterable[tuple[Callable[[Rollout], None], str]] = [
    (secured_unasked, "our write changed " + TYPE),
    (secured_as_another_type, "with security type TrustedLaunch, not ConfidentialVM"),
    (secured_before_the_image, "written without the image"),
    (not_secured, "with security type Standard, not TrustedLaunch"),
    (not_secured, "the security type is Standard, not TrustedLaunch"),
    (encryption_lost, f"our write changed {SECURITY}.encryptionAtHost"),
    (secure_boot_of_the_user_s_changed, f"our write changed {SECURITY}.uefiSettings.secureBootEnabled"),
    (not_taken_back, "with security type TrustedLaunch, not Standard"),
    (taken_back_with_less, f"the model names {OLD} with"),
    (kept_in_silence, f"stopped, and the model names {NEW}"),
    (kept_though_azure_takes_it_back, f"stopped, and the model names {NEW}"),
    (refused_for_a_type_that_is_allowed, "refused without a reason"),
]

FINE = [
    secured,
    taken_back,
    kept_as_azure_refuses,
    secured_and_then_their_image,
    refuses_for_data_disks,
]


@pytest.mark.parametrize("happens", FINE, ids=[happens.__name__ for happens in FINE])
def test_what_is_right_breaks_no_rule(happens: Callable[[Rollout], None], tmp_path: Path) -> None:
    assert wrong_after(happens, tmp_path) == []


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[spoil.__name__ for spoil, _said in SPOILT])
def test_a_broken_rule_is_found(spoil: Callable[[Rollout], None], said: str, tmp_path: Path) -> None:
    wrong = wrong_after(spoil, tmp_path)
    assert [one for one in wrong if said in one], wrong
