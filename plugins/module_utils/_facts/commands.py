# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command that a message prints. Somebody copies it into a shell, and Ansible trusts an extra variable as a
template: so each value is quoted, and one that is not of its strict form is "...", to be filled in by a person.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t

from . import images
from .scale_set import ScaleSet

TO_FILL_IN = "..."
_LONGEST = 4096
_TEMPLATE = re.compile(r"\{[{%#]")
_NAME = re.compile(r"(?!-)[\w.()-]{1,90}")
_WORD = re.compile(r"[\w.,:=/()\[\]@%+-]{1,1000}")
_INSTANCE_IDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+-]+")
# A plain scalar of YAML's, within braces and single quotes, that is read as a string.
_YAML = re.compile(r"[^\W\d][\w ./()@%+=~:-]*|[./~][\w ./()@%+=~:-]+")
_NO_YAML = re.compile(r":(\s|$)|\s$")


def _names_an_image(text: str) -> bool:
    try:
        return not images.parse(text).signed
    except images.ImageError:
        return False


# What is of one form wherever it came from. Any other variable is one that the user set. A secret is never shown.
_FORMS: dict[str, t.Callable[[str], bool]] = {
    "resource_group": lambda text: bool(_NAME.fullmatch(text)),
    "scale_set": lambda text: bool(_NAME.fullmatch(text)),
    "image": _names_an_image,
    "secret": lambda _text: False,
    "instance_ids": lambda text: not text or bool(_INSTANCE_IDS.fullmatch(text)),
}


def playbook(name: str, variables: t.Mapping[str, object]) -> str:
    """ansible-playbook with these extra variables."""
    given = [f"-e {shlex.quote(_assignment(*item))}" for item in variables.items() if re.fullmatch(r"[a-z_]+", item[0])]
    return " ".join([f"ansible-playbook steady.vmss.{name}", *given])


def of(name: str, scale_set: ScaleSet) -> str:
    """A playbook that needs no more than the scale set."""
    return playbook(name, {"rollout_resource_group": scale_set.resource_group, "rollout_scale_set": scale_set.name})


def az(words: str, resource_group: str, scale_set: str = "", *more: str) -> str:
    """az of a resource group, and of a scale set where one is named. `words` are ours, the others may be Azure's."""
    named = ["-n", _word(_NAME, scale_set)] if scale_set else []
    return " ".join(["az", words, "-g", _word(_NAME, resource_group), *named, *(_word(_WORD, one) for one in more)])


def _word(form: re.Pattern[str], text: str) -> str:
    return shlex.quote(text) if form.fullmatch(text) else TO_FILL_IN


def _assignment(name: str, value: object) -> str:
    """Without a double quote or a backslash: Ansible escapes them where it shows a message as JSON, and what is copied
    from there would be another value."""
    text = _text(value)
    form = next((form for suffix, form in _FORMS.items() if name.endswith(f"_{suffix}")), None)
    if (form and not form(text)) or not _is_harmless(text):
        return f"{name}={TO_FILL_IN}"
    if not text or _PLAIN.fullmatch(text):
        return f"{name}={text}"
    return f"{{{name}: {text}}}" if _YAML.fullmatch(text) and not _NO_YAML.search(text) else f"{name}={TO_FILL_IN}"


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if isinstance(value, t.Mapping):
        try:
            return str(images.parse(value))
        except images.ImageError:
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_harmless(text: str) -> bool:
    return len(text) <= _LONGEST and text.isprintable() and not _TEMPLATE.search(text)
