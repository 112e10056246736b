# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as text: RFC 3339, as we write it and as Azure does."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# Azure writes seven digits of a second and any offset; in a SAS a date may stand alone, or a time without seconds.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?\s?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE | re.ASCII
)


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339, UTC, whole seconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: object) -> float | None:
    """Seconds since the epoch, UTC where no offset is given; None where the text is no time."""
    found = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        return None
    day, clock, seconds, offset = found.groups()
    try:
        moment = datetime.strptime(f"{day} {clock or '00:00'}", "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
        if offset and offset not in "Zz":
            ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
            moment = moment - ahead if offset[0] == "+" else moment + ahead
    except (ValueError, OverflowError):
        return None
    past = float((seconds or ":0")[1:])
    return moment.timestamp() + past if past < 60 else None
