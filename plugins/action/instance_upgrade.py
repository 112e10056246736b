# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ties the module's life to the play, and shows what it does while it waits."""

from __future__ import annotations

from ansible_collections.steady.vmss.plugins.plugin_utils._journal_follower import ActionModule as WaitingModule


class ActionModule(WaitingModule):
    on_map = True
