# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from .. import simulated  # lets the files here import the simulator, also where one is collected alone
from ..fake_azure import arm, azure, clock, session

__all__ = ["arm", "azure", "clock", "session", "simulated"]
