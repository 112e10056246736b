# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import settings

# The same examples on every machine, and none that fails because the machine is slow.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")
