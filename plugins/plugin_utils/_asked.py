# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the roles and playbooks ask for, judged before a module runs and Azure is asked anything."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.steady.vmss.plugins.module_utils import _options
from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.foreign_text import LONGEST_NAME, printable

COLLECTION = Path(__file__).resolve().parents[2]
Said = tuple[Code, str]
Variables = t.Mapping[str, t.Any]

_PLACE = ("resource_group", "scale_set")
_PLACE_OPTIONS = {"rollout_resource_group": "resource_group", "rollout_scale_set": "name"}
_FACTS = ("result", "batch", "failure")  # that the roles set themselves
# Prefixes that are nobody else's, with the names that the roles and playbooks know.
_NAMES = {
    "rollout": {
        *({*_options.argument_spec(_options.RolloutRequest)} - {"name", *_options.BETWEEN_CALLS}),
        "scale_set",
        *_FACTS,
    },
    "rollback": {*_PLACE, "image", "instance_ids"},
    "azure_rolling_upgrade": {
        *_PLACE,
        *("type", "wait_for_start", "timeout", "health_timeout", "poll_interval", "on_failure", "journal_dir"),
    },
}
# Those that others may use too are looked at in the playbook that reads them.
_OF_A_PLAYBOOK = {
    "enable_automatic_upgrades": {
        "health_monitor": {*_options.argument_spec(_options.HealthSourceOptions)},
        "upgrade_policy": {"rolling", *_options.argument_spec(_options.AutomaticUpgradesPolicyOptions)},
        "rollout": {"upgrade_instances"},
    },
    "status": {"rollout": {"format", "watch"}},
    "plan": {"rollout": {"seconds_per_instance", "format", "output"}},
    "recover_credentials": {"extension": {"name", "settings", "protected_settings", "force_update_tag"}},
}
# What no module is asked for, so that none refuses another word.
_WORDS = {
    "azure_rolling_upgrade_on_failure": ("stop", "rollback_failed", "rollback_all"),
    "azure_rolling_upgrade_type": ("os", "extensions"),
}
# Names of version 1.0 that are deprecated.
_OLD = {f"{prefix}_{name}": f"rollout_{name}" for prefix in ("rollback", "azure_rolling_upgrade") for name in _PLACE}


_WRONG_TYPE = re.compile(r"argument '(\w+)' is of type .* convert to (\w+)")
_WRONG_WORD = re.compile(r"value of (\w+) must be one of: (.*), got: (.*?)\.?$")
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_OPTION = re.compile(rf"(?:{'|'.join(sorted(_NAMES['rollout']))})(?= (?:'|is ))")
_UNWRITTEN = "Nothing was written."

NESTED = (
    "A task file of a rollout uses a role of this collection, and a rollout inside another one would take its place. "
    "Run the role in a play of its own, before or after this one; modules of this collection may be used. Nothing was "
    "written."
)


@dataclass(frozen=True)
class Origin:
    """The task file of a task. `ours`: it is of a role or playbook of this collection."""

    path: Path

    @property
    def ours(self) -> bool:
        return any(self.path.is_relative_to(COLLECTION / folder) for folder in ("roles", "playbooks"))

    @property
    def playbook(self) -> str:
        return self.path.stem if self.path.parent == COLLECTION / "playbooks" else ""


def known(playbook: str = "") -> dict[str, set[str]]:
    """The whole names of the variables, by prefix."""
    more = _OF_A_PLAYBOOK.get(playbook, {})
    names = {prefix: {*_NAMES.get(prefix, ()), *more.get(prefix, ())} for prefix in {**_NAMES, **more}}
    return {prefix: {f"{prefix}_{name}" for name in ours} for prefix, ours in names.items()}


def unknown(variables: t.Iterable[str], playbook: str = "") -> Said | None:
    """Variables that begin as ours do and are none."""
    wrong: dict[str, str] = {}
    given = sorted(variables)
    for prefix, names in known(playbook).items():
        found = [one for one in given if one.startswith(f"{prefix}_") and one not in names]
        wrong |= {one: _meant(one, prefix, names) for one in found}
    if not wrong:
        return None
    told = " ".join(f"{one} is no variable of steady.vmss{meant}" for one, meant in wrong.items())
    return "variable_unknown", (
        f"{told} Correct the name. A variable of your own needs another prefix: these are reserved for the roles and "
        "playbooks. Nothing was written."
    )


def _meant(name: str, prefix: str, names: t.Iterable[str]) -> str:
    rest, ours = name.removeprefix(f"{prefix}_"), sorted(one.removeprefix(f"{prefix}_") for one in names)
    near = [*difflib.get_close_matches(rest, ours, 1), *(one for one in ours if one.startswith(rest))]
    return f"; did you mean {prefix}_{near[0]}?" if near else "."


def without_place(args: Variables) -> Said | None:
    """A scale set that no variable names."""
    missing = [name for name, option in _PLACE_OPTIONS.items() if option in args and args[option] in ("", None)]
    if not missing:
        return None
    example = " ".join(f"-e {name}=..." for name in missing)
    return "option_invalid", (
        f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not set. Add {example} to the command. "
        "Nothing was written."
    )


def nameless(variables: Variables) -> Said | None:
    """Words of `-e` that Ansible gives no variable, and would drop."""
    if not (words := variables.get("_raw_params")):
        return None
    return "option_invalid", (
        f"'{printable(str(words), LONGEST_NAME)}' in the extra variables belongs to none of them: -e takes name=value "
        "pairs with blanks between them. Write a list with commas (-e rollout_instance_ids=1,3), and quote a value "
        "that has blanks. Nothing was written."
    )


def wrong_word(variables: t.Iterable[str], value_of: t.Callable[[str], t.Any]) -> Said | None:
    """A word that a role would take for another one."""
    for name in sorted(_WORDS.keys() & set(variables)):
        value = value_of(name)
        if value not in ("", None, *_WORDS[name]):
            return "option_invalid", (
                f"{name} is '{printable(str(value), LONGEST_NAME)}', but must be one of {', '.join(_WORDS[name])}. "
                "Nothing was written."
            )
    return None


def deprecated(variables: Variables) -> str:
    """What to call the variables that are set by an old name, and which of them is not used."""
    old = [name for name in _OLD if variables.get(name) not in (None, "")]
    if not old:
        return ""
    new = [_OLD[one] for one in old]
    unused = [name for name, better in zip(old, new, strict=True) if variables.get(better) not in (None, "")]
    beaten = "".join(f" {one} is ignored, because {_OLD[one]} is set." for one in unused)
    return f"{' and '.join(old)} {'are' if len(old) > 1 else 'is'} deprecated. Use {' and '.join(new)} instead.{beaten}"


def by_variable(said: str, args: Variables) -> str:
    """What Ansible, or a module of a rollout, says of an option that it refuses, by the name of its variable."""
    rest = f" {_UNWRITTEN}" if said.endswith(_UNWRITTEN) else ""
    if wrong := _WRONG_TYPE.search(said):
        kind = _KINDS.get(wrong[2], f"of type {wrong[2]}")
        said = f"{wrong[1]} is '{printable(str(args.get(wrong[1])), LONGEST_NAME)}', but must be {kind}.{rest}"
    elif wrong := _WRONG_WORD.search(said.removesuffix(rest)):
        said = f"{wrong[1]} is '{wrong[3]}', but must be one of {wrong[2]}.{rest}"
    prefix = "rollback" if args.get("back") and said.startswith(("image ", "instance_ids ")) else "rollout"
    return f"{prefix}_{said}" if _OPTION.match(said) else said


def unwritten(said: str) -> str:
    return said if _UNWRITTEN in said else f"{said.rstrip('.')}. {_UNWRITTEN}"


def once_per_host(host: str, hosts: t.Sequence[str], own: t.Callable[[str], Variables]) -> Said | None:
    """Hosts of the play that would each roll the same. `own`: a host's own variables of ours."""
    mine = own(host)
    same = [one for one in hosts if one == host or own(one) == mine]
    if len(same) < 2:
        return None
    listed = ", ".join(same[:5]) + (f" and {len(same) - 5} more" if len(same) > 5 else "")
    return "several_hosts", (
        f"The play would run the same rollout once for each of the hosts {listed}. Run it from one host: set hosts: "
        "localhost in the play, or run_once: true on the task that includes the role. Nothing was written."
    )
