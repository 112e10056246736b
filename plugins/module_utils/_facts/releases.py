# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ansible-core will do."""

from __future__ import annotations

import re

OLDEST_ANSIBLE = (2, 20)  # as in meta/runtime.yml


def old_ansible(version: str, python: str = "") -> str:
    """What is needed, what was found, and the remedy; "" for a release that will do. `python`: that runs the play.

    Ansible itself only warns of what meta/runtime.yml requires, and the play then fails somewhere in the middle.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) >= OLDEST_ANSIBLE or version == "0.0":
        return ""
    least = ".".join(map(str, OLDEST_ANSIBLE))
    where, which = (f" in {python}", python) if python else ("", "PYTHON")
    named = "" if python else ", where PYTHON is the one that 'ansible-playbook --version' shows"
    return (
        f"steady.vmss needs ansible-core {least} or newer, but this play is run by ansible-core {version}{where}. "
        f"Upgrade it: {which} -m pip install 'ansible-core>={least}'{named}"
    )
