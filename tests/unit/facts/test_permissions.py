# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.permissions import Grant, Permissions

WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"
UPGRADE = "Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action"
SETS = "Microsoft.Compute/virtualMachineScaleSets/*"


@pytest.mark.parametrize(
    ("grants", "write", "upgrade"),
    [
        ([], False, False),
        ([Grant(["*"])], True, True),
        ([Grant(["*/read"])], False, False),
        ([Grant(["*/write", "*/read"])], True, False),
        ([Grant([SETS.upper()])], True, True),
        ([Grant(["Microsoft.Compute/*/action"])], False, True),
        ([Grant(["Microsoft.Compute/virtualMachines/*"])], False, False),
        ([Grant([WRITE])], True, False),
        # a pattern is no regular expression, and names the whole action
        (
            [Grant(["Microsoft?Compute/.*", WRITE + "s", WRITE[:-1], "Microsoft.Compute/virtualMachineScaleSets"])],
            False,
            False,
        ),
        ([Grant(["*"], [UPGRADE.lower()])], True, False),
        ([Grant(["*"], ["*/action"]), Grant([WRITE])], True, False),
        # what one role takes away another gives
        ([Grant(["*"], [SETS]), Grant([WRITE]), Grant([UPGRADE])], True, True),
    ],
)
def test_what_several_roles_allow_together(grants: list[Grant], write: bool, upgrade: bool) -> None:
    permissions = Permissions(grants)
    assert (permissions.allows(WRITE), permissions.allows(UPGRADE)) == (write, upgrade)
