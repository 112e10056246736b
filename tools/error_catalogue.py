# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the error catalogue of the documentation from the codes in plugins/module_utils/_facts/error_catalogue.py."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "docsite" / "rst" / "errors.rst"

_HEAD = """\
..
  Copyright: (c) 2026, steady.vmss contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. Written by tools/error_catalogue.py; do not edit.

.. _ansible_collections.steady.vmss.docsite.errors:

Error catalogue
===============

A module that refuses or fails returns a ``code``, each of its ``findings`` has one, and the roles put theirs into
``rollout_result.code`` and in front of their message. A message may change its words; a code stays. Where Azure
answered, its own code is in ``error.code``.
"""


def page(catalogue: Mapping[str, Mapping[str, tuple[str, str]]]) -> str:
    parts = [_HEAD]
    for section, codes in catalogue.items():
        parts.append(
            f"\n{section}\n{'-' * len(section)}\n\n.. list-table::\n  :header-rows: 1\n  :widths: 25 40 35\n\n"
        )
        rows = [("Code", "What it means", "What to do"), *((f"``{code}``", *entry) for code, entry in codes.items())]
        parts += [f"  * - {code}\n    - {meaning}\n    - {remedy}\n" for code, meaning, remedy in rows]
    return "".join(parts)


if __name__ == "__main__":
    catalogue = ROOT / "plugins" / "module_utils" / "_facts" / "error_catalogue.py"
    PAGE.write_text(page(runpy.run_path(str(catalogue))["CATALOGUE"]), encoding="utf-8")
