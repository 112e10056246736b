# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many examples a property gets: all of them in `make long`, a sample in `make test`."""

from __future__ import annotations

import os

THOROUGH = "THOROUGH" in os.environ


def examples(all_of_them: int) -> int:
    return all_of_them if THOROUGH else max(20, all_of_them // 10)
