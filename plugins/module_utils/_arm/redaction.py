# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret in any text: what is known to be one, what looks like one, and what a person can read of the rest."""

from __future__ import annotations

import base64
import html
import json
import re
import typing as t
from urllib.parse import quote, unquote

from .._facts.foreign_text import LONGEST_MESSAGE, LONGEST_NAME, printable

LONGEST_READ = 4 * LONGEST_MESSAGE  # of a text; only then patterns run over it
_SHORTEST_SECRET = 6  # a shorter one would hide half of every sentence

# Every pattern is linear: what repeats stops at what starts it, or is bounded.
_NAMES = (
    r"(?:(?<![a-z])(?:sig|signature|sv|se|pwd|sas)|secret|passwo?r?d|assertion|account_?key|access_?key|api_?key|"
    r"(?:access|refresh|id|sas)_?token|(?<![a-z])token|connection_?string|credential)"
)
_URL = re.compile(r"(?<![a-z0-9])[a-z][a-z0-9+.-]{1,11}://[^\s'\"<>]*", re.I)
_PAIR = re.compile(rf"({_NAMES})\s{{0,3}}=\s{{0,3}}[^&;\s'\",}}]+", re.I)
_WORD = re.compile(
    r"((?:passwo?r?d|account_?key|access_?key|api_?key|client[_-]?secret)\s{0,3}:\s{0,3})[^\s'\",;{}]{8,}", re.I
)
_MEMBER = re.compile(rf"""({_NAMES}["']?\s{{0,9}}[:=]\s{{0,9}})(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)""", re.I)
_SCHEMES = r"(?:basic|bearer|negotiate|ntlm|digest|sharedkey(?:lite)?)\s{1,9}"
# Not "Microsoft.Authorization/…", nor "has no authorization to …".
_HEADER = re.compile(
    rf"\b(authorization|proxy-authorization)([^\w:=]{{0,4}}[:=]\W{{0,9}}(?:{_SCHEMES})?|\W{{1,9}}{_SCHEMES})[^\s,;'\"]+",
    re.I,
)
_BEARER = re.compile(r"\bBearer\s+[A-Za-z0-9._~+/=-]+", re.I)
_WEB_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]+)*")
_USER = re.compile(r"//[^/@]*@")
_WEBHOOK = re.compile(r"//[^/]*hook|/(web)?hooks?(b2)?/", re.I)
_ESCAPED = re.compile(
    r"%([0-9a-f]{2})|\\u00([0-9a-f]{2})|\\x([0-9a-f]{2})|&(amp|quot|#39|#x3f|#63);|\\([\"'/\\])", re.I
)
_ENTITIES = {"amp": "&", "quot": '"', "#39": "'", "#x3f": "?", "#63": "?"}

# In the value of an option, which may be JSON or Python in text.
_QUERY = re.compile(r"(?:\?|%(?:25){0,3}3f|\\u003f|&#(?:63|x3f);)([^\s'\"<>{}\[\]]+)", re.I)
_SIGNATURE = re.compile(r"(?<![a-z])sig(?:nature)?(?:=|%(?:25){0,3}3d|\\u003d)([^&\s'\"<>{}\\]+)", re.I)
_PASSWORD = re.compile(r"//[^/@\s:]{0,300}:([^/@\s]{1,300})@")

_SECRET_VARIABLES = (
    "AZURE_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_known_secrets: set[str] = set()  # of this process


def know_secrets(options: t.Iterable[object], environment: t.Mapping[str, str]) -> None:
    """From now on these values are in no text, in whatever form and place they come back."""
    proxies = [value for name, value in environment.items() if name.lower() in _PROXIES]
    passwords = [found[1] for value in proxies if (found := re.match(r"[^/]*//[^/@]*?:([^/]*)@", value))]
    values = [
        *(text for value in options for text in _texts(value)),
        *(environment.get(name) or "" for name in _SECRET_VARIABLES),
        *passwords,
        *map(unquote, passwords),
    ]
    _known_secrets.update(value for value in values if len(value) >= _SHORTEST_SECRET)


def known_secrets() -> frozenset[str]:
    return frozenset(_known_secrets)


def _texts(value: object) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from _texts(item)


def signatures(value: object) -> t.Iterator[str]:
    """What is secret in the URIs of an option's value, whatever it is written in: queries, signatures and passwords. A
    shorter one than a secret's is none and would hide too much.
    """
    for text in _texts(value):
        found = [*_SIGNATURE.findall(text), *_PASSWORD.findall(text)]
        if "//" in text or found:
            found += _QUERY.findall(text)
        yield from (one for one in found if len(one) >= _SHORTEST_SECRET)


def redact(text: object, secrets: t.Iterable[str] = ()) -> str:
    """The text without SAS queries, tokens, passwords, and the secrets that are given or known."""
    result = str(text)
    known = sorted((_known_secrets | set(secrets)) - {""}, key=len, reverse=True)
    for secret in known:
        for form in _spellings(secret):
            result = result.replace(form, "***")  # in the whole text, for one that is cut in two is not found
    # First as it stands, for decoding may end a value early; then decoded, where that shows more of them.
    shown = masked = _masked(result[:LONGEST_READ], known)
    for _dummy in range(3):
        decoded = _ESCAPED.sub(_decoded, masked)
        if decoded == masked:
            break
        masked = _masked(decoded, known)
        shown = shown if masked == decoded else masked
    return shown


def _spellings(secret: str) -> list[str]:
    """How it may come back: as it is, on one line, escaped for a URL (once or twice), HTML or JSON, or encoded."""
    once = quote(secret, safe="", errors="replace")
    lower = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), once)
    written = [secret.encode(code, "replace") for code in ("utf-8", "utf-16-le")]
    coded = [encode(one).decode() for one in written for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    forms = [
        secret,
        " ".join(secret.split()),
        once,
        lower,
        quote(once, safe=""),
        quote(lower, safe=""),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        *(one.rstrip("=") for one in coded),
        *(text for one in written for text in (one.hex(), one.hex().upper())),
    ]
    return [form for form in dict.fromkeys(forms) if len(form) >= min(_SHORTEST_SECRET, len(secret))]


def _masked(text: str, known: t.Iterable[str]) -> str:
    for secret in known:
        text = text.replace(secret, "***")
    text = _URL.sub(lambda found: _without_secrets(found[0]), text)
    text = _MEMBER.sub(r'\1"***"', text)
    text = _WORD.sub(r"\1***", _PAIR.sub(r"\1=***", text))
    text = _HEADER.sub(r"\1\2***", text)
    return _WEB_TOKEN.sub("***", _BEARER.sub("Bearer ***", text))


def _without_secrets(url: str) -> str:
    """A URL without its user's password and its query; of a webhook the host alone."""
    address = _USER.sub("//***@", url, count=1)
    address = re.split(r"[?#]|%3f", address, maxsplit=1, flags=re.I)[0]
    scheme, _dummy, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/***" if _WEBHOOK.search(address) else address


def _decoded(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else _ENTITIES[found[4].lower()] if found[4] else found[5]


def message_text(text: object) -> str:
    """Azure's words on one line, without secrets, fit for a terminal, and no longer than a person reads."""
    return printable(redact(" ".join(str(text or "").split())), LONGEST_MESSAGE)


def name_text(text: object) -> str:
    """The same of a code, a target or a name."""
    return printable(redact(" ".join(str(text or "").split())), LONGEST_NAME)
