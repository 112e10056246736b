# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses variables that cannot be meant."""

from __future__ import annotations

from ansible_collections.steady.vmss.plugins.plugin_utils._checked import ActionModule

__all__ = ["ActionModule"]
