# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a model refers to outside of itself: signed URIs that expire, and key vaults that nobody can check here."""

from __future__ import annotations

import re
import typing as t

from .documents import at
from .findings import INFO, WARNING, Finding
from .times import seconds_of

_EXPIRY = re.compile(r"[?&]se=([^&\s\"']+)", re.IGNORECASE)
_VAULT_MEMBERS = ("protectedsettingsfromkeyvault", "sourcevault", "secrets", "certificateurl", "keyvault")


def findings(document: t.Mapping[str, t.Any], now: float | None) -> t.Iterator[Finding]:
    """`now`: Azure's clock, None where it is not known and so nothing can be called expired."""
    profile = at(document, "properties", "virtualMachineProfile")
    vaults = []
    for path, value in _leaves(profile):
        if now is not None and isinstance(value, str):
            for text in _EXPIRY.findall(value):
                expires = seconds_of(text.replace("%3A", ":").replace("%3a", ":"))
                if expires is not None and expires < now:
                    yield Finding(
                        WARNING,
                        "expired_sas",
                        f"the signed URI in {path} expired at {text}: an instance that is upgraded cannot read it.",
                        "Write a new one into the model first.",
                    )
        if any(name in path.lower() for name in _VAULT_MEMBERS):
            vaults.append(path.split(".")[0])
    if vaults:
        places = ", ".join(sorted(set(vaults)))
        yield Finding(
            INFO, "key_vault", f"the model refers to key vaults ({places}); whether they can be read is not checked."
        )


def _leaves(value: object, path: str = "") -> t.Iterator[tuple[str, object]]:
    if isinstance(value, t.Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _leaves(member, f"{path}[{number}]")
    else:
        yield path, value
