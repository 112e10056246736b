# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many models a scale set's instances refer to, which Azure limits and does not show.

Its words: kubernetes-sigs/cluster-api-provider-azure #4958, MicrosoftDocs/azure-docs #103472. Their code is not known.
"""

from __future__ import annotations

import re
import typing as t

from .scale_set import Instance

MOST = 10
_REACHED = re.compile(r"reached its limit of \d+ models", re.IGNORECASE)


def used(instances: t.Collection[Instance]) -> str:
    """What can be said of it; "" where no instance is known to be behind the newest model.

    Instances that name different images refer to different models; those that name the same one may do so too.
    """
    behind = [i for i in instances if i.latest_model_applied is False]
    least = _least(instances)
    if not least:
        return ""
    models = f"{least} model{'s' if least > 1 else ''}"
    return (
        f"{len(behind)} of {len(instances)} instances do not have the newest model. The instances refer to {models} "
        f"at least; Azure does not show the exact number. It allows {MOST}, and each write of the model adds one."
    )


def near(instances: t.Collection[Instance]) -> str:
    """The same, "" where at least three more writes are sure to be allowed."""
    return used(instances) if _least(instances) > MOST - 3 else ""


def _least(instances: t.Collection[Instance]) -> int:
    """How many models the instances refer to at least, 0 where none is known to be behind the newest."""
    behind = {str(i.image) for i in instances if i.latest_model_applied is False}
    return len(behind) + any(i.latest_model_applied for i in instances) if behind else 0


def remedy(said: str) -> str:
    """What to do about Azure's words, "" where they are about something else."""
    if not _REACHED.search(said):
        return ""
    return (
        "Azure accepts no more writes of this model until the instances refer to fewer: bring those "
        "that are behind to the model as it is now, in batches, with the module steady.vmss.instance_upgrade and "
        "whole_model: true, or delete them; then run the same command again."
    )
