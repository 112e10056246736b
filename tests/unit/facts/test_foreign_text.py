# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.foreign_text import all_printable, printable

from ..examples import examples

COMMANDS = re.compile(r"##\[|##vso\[|\A\s*::[a-z]", re.IGNORECASE)
hostile = st.text(
    st.sampled_from("\x00\x07\x1b\x9b\r\n\t\u200b\u2028\u202e\u2066\ufeff\ud800#[]vso:ab \u00e4"), max_size=40
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 日本 🚀 100% {a} #1 a::b", "Grüße, 日本 🚀 100% {a} #1 a::b"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("\x9b31m", "\\u009b31m"),
        ("a\r\nb\tc\u00a0d", "a  b c d"),
        ("exe\u202egnp.txt", "exe\\u202egnp.txt"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("##vso[task.setvariable variable=x]y", "# #vso[task.setvariable variable=x]y"),
        ("###vso[x]", "# # #vso[x]"),
        ("a ##[error]b", "a # #[error]b"),
        ("::set-output name=a::b", ": :set-output name=a::b"),
        ("\n ::warning::x", "  : :warning::x"),
        ("::1", "::1"),
        ("fe80::1/64", "fe80::1/64"),
        ("abcdef", "abcd…"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text, 4 if text == "abcdef" else 2000) == shown


@settings(max_examples=examples(1000))
@given(hostile | st.text(max_size=40))
def test_any_text_does_nothing(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and not COMMANDS.search(shown)
    assert printable(shown) == shown
    shown.encode()


def test_text_in_data_too() -> None:
    assert all_printable({"a\x1b": ["\x1b", (1, None, True, 1.5)], 3: {"b": "\u202e"}}) == {
        "a\\u001b": ["\\u001b", [1, None, True, 1.5]],
        3: {"b": "\\u202e"},
    }
