# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every action on instances names them: Azure reads "*", and an action without ids, as the whole scale set."""

from __future__ import annotations

import re

from .._facts.problems import Refused


def explicit_ids(ids: object) -> list[str]:
    """The instance ids of an action, each once and in the order given.

    Raises Refused for anything that Azure could read as "all": no list, an empty one, "*", a blank id.
    """
    if not isinstance(ids, (list, tuple)):
        raise Refused(
            "instance_ids_invalid",
            f"An action needs a list of instance ids, not {ids!r}: without one Azure acts on every instance.",
        )
    if not ids:
        raise Refused(
            "instance_ids_invalid",
            "An action needs at least one instance id: an empty list means every instance to Azure.",
        )
    for one in ids:
        if not isinstance(one, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one):
            raise Refused(
                "instance_ids_invalid",
                f"{one!r} is not an instance id. Name each instance: '*' means every instance to Azure.",
            )
    return list(dict.fromkeys(ids))
