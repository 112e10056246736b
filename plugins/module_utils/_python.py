# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imported before all else: a Python that cannot read the rest ends the module here, with a sentence."""

from __future__ import annotations

import json
import sys

OLDEST = (3, 10)


def too_old(version: tuple[int, ...], executable: str) -> str:
    """What is needed, what was found, and the remedy; "" for a Python that will do."""
    if version >= OLDEST:
        return ""
    least, found = (".".join(map(str, one[:3])) for one in (OLDEST, version))
    return (
        f"steady.vmss needs Python {least} or newer where its modules run, but found Python {found} ({executable}). "
        "Set the variable ansible_python_interpreter to a newer one, and install the packages of the collection's "
        "requirements.txt for it: PYTHON -m pip install -r requirements.txt"
    )


if said := too_old(tuple(sys.version_info[:3]), sys.executable or "python3"):
    # AnsibleModule is not there yet; this is what it would print.
    sys.stdout.write(json.dumps({"failed": True, "code": "requirements_missing", "msg": said}))
    raise SystemExit(1)
