# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that Azure, a guest or a tag supplies, made fit for a terminal, a CI log and a sentence: it may say anything and
do nothing.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

LONGEST_MESSAGE = 2000
LONGEST_NAME = 300  # a code, a target, a name
LONGEST_VALUE = 100_000

# Azure Pipelines reads "##vso[" and "##[" as its own commands, GitHub Actions a line that starts with "::name".
_HASHES = re.compile(r"#(?=#)")
_COLONS = re.compile(r"(\s*):(?=:)")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(/\d+)?")  # IPv6 may start with two colons


def printable(text: object, longest: int = LONGEST_VALUE) -> str:
    """The text with control, format and bidirectional characters escaped, no CI command in it, and bounded."""
    whole = str(text)
    result = whole[:longest]
    if not result.isprintable():
        result = "".join(one if one.isprintable() else _escaped(one) for one in result)
    if "##" in result:
        result = _HASHES.sub("# ", result)
    if "::" in result and not _ADDRESS.fullmatch(result):
        result = _COLONS.sub(r"\1: ", result, count=1) if _COLONS.match(result) else result
    return result if len(whole) <= longest >= len(result) else result[:longest] + "…"


def _escaped(one: str) -> str:
    """A blank for a blank or a line's end, anything else as JSON and Python write it: \\u001b."""
    if one in "\t\n\r" or unicodedata.category(one) == "Zs":
        return " "
    number = ord(one)
    return f"\\u{number:04x}" if number < 2**16 else f"\\U{number:08x}"


def all_printable(value: t.Any) -> t.Any:
    """The same of every text in plain data, names of members included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, t.Mapping):
        return {printable(name) if isinstance(name, str) else name: all_printable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(item) for item in value]
    return value
