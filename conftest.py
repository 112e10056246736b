# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets pytest import ansible_collections.steady.vmss from a checkout that lies anywhere.

A checkout that lies in a collection tree already (ansible-test's does) is left as it is.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent


def collections_path() -> Path:
    """The directory that holds ansible_collections/steady/vmss, which is the checkout."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "steady", "vmss"):
        return CHECKOUT.parents[2]
    path = CHECKOUT / ".cache" / "collections"
    link = path / "ansible_collections" / "steady" / "vmss"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # made before, or by another pytest worker meanwhile
        link.symlink_to(CHECKOUT, target_is_directory=True)
    return path


sys.path.insert(0, str(collections_path()))
