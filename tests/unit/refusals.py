# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which refusal it is shows in its code; `match` is for what its message must name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused


@contextmanager
def refused(
    code: Code, match: str | None = None, *, finds: Sequence[Code] = (), by: Any = Refused
) -> Iterator[pytest.ExceptionInfo[Any]]:
    """`finds`: errors among the findings that it rests on."""
    with pytest.raises(by, match=match) as raised:
        yield raised
    assert raised.value.code == code
    if finds:
        assert set(finds) <= {one["code"] for one in raised.value.fields["findings"] if one["severity"] == "error"}
