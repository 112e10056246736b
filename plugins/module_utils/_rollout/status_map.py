# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set as it is now: a row a domain, a cell an instance lettered by its state, and what may change it."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._facts import commands
from .._facts.domains import instance_order, spread
from .._facts.foreign_text import printable
from .._facts.images import Image
from .._facts.problems import Refused
from .._facts.scale_set import SUSPENDED, Instance
from .instance_states import states
from .map import LOOKS, short_label
from .record import GOING_BACK, IN_PROGRESS
from .survey import Survey

Shown = t.Mapping[str, t.Any]


def rows(survey: Survey, target: Image | None) -> list[dict[str, t.Any]]:
    """One for each domain, in the order in which a rollout takes them. `command` upgrades what is outdated of it to the
    target; "" where nothing is, or no target is known."""
    now = states(survey)
    found: dict[t.Any, list[Instance]] = {}
    for instance in sorted(survey.instances, key=instance_order):
        found.setdefault(survey.domain_of[instance.instance_id], []).append(instance)
    return [
        {
            "domain": domain.label,
            "instances": [{"instance_id": i.instance_id, "state": now[i.instance_id]} for i in found[domain]],
            "command": _upgrade(survey, domain.label, found[domain][0], target)
            if target and any(now[i.instance_id] == "outdated" for i in found[domain])
            else "",
        }
        for domain in sorted(found)
    ]


def _upgrade(survey: Survey, label: str, one: Instance, target: Image) -> str:
    """`one`: any instance of the domain."""
    scale_set = survey.scale_set
    place = {"rollout_resource_group": scale_set.resource_group, "rollout_scale_set": scale_set.name}
    parts = {"zone": ("rollout_zones", one.zone), "update domain": ("rollout_update_domains", one.update_domain)}
    parts["fault domain"] = ("rollout_fault_domains", one.fault_domain)
    chosen = {name: value for word, (name, value) in parts.items() if f"{word} " in label}
    playbook = "upgrade_instances" if chosen else "upgrade_image"
    return commands.playbook(playbook, {**place, **chosen, "rollout_image": target})


def is_open(rollout: Shown | None) -> bool:
    """Whether the rollout of a record may have work of its own under way."""
    return rollout is not None and rollout["state"] in (IN_PROGRESS, GOING_BACK)


# -- as text ------------------------------------------------------------------------------------------


def lines(shown: Shown) -> list[str]:
    """Of one scale set, as the module scale_set_info shows it with its instances."""
    head = [
        *(shown["orchestration_mode"], f"{len(shown['instances'])} instances", f"{len(shown['map'])} domains"),
        *(shown["location"], f"upgrade mode {shown['upgrade_mode']}"),
    ]
    found = [f"{shown['resource_group']}/{shown['name']}  {', '.join(filter(None, head))}"]
    found += [f"  {name:<10} {words}" for name, words in _facts(shown) if words]
    label = max((len(short_label(row["domain"])) for row in shown["map"]), default=0)
    cells = [_cells(row["instances"]) for row in shown["map"]]
    width = max(map(len, cells), default=0)
    for row, cell in zip(shown["map"], cells, strict=True):
        found.append(f"  {short_label(row['domain']):<{label}}  {cell:<{width}}  {row['command']}".rstrip())
    return [*found, f"  {_legend(shown)}".rstrip()]


def to_choose_from(shown: Shown) -> list[str]:
    """The rows of one scale set, numbered, and the question."""
    label = max((len(short_label(row["domain"])) for row in shown["map"]), default=0)
    found = [f"{shown['resource_group']}/{shown['name']}, compared with {_image(shown['target_image'])}"]
    for number, row in enumerate(shown["map"], 1):
        found.append(f"{number:>3}  {short_label(row['domain']):<{label}}  {_cells(row['instances'])}".rstrip())
    return [*found, f"     {_legend(shown)}".rstrip(), "Which rows to upgrade, such as 1,3-4? None with Enter:"]


def chosen(shown: Shown, answer: str) -> list[str]:
    """The ids of the instances in the rows of these numbers, as 1,3-4. Raises Refused for what is no row."""
    numbers = [one for part in answer.replace(",", " ").split() for one in spread(part)]
    rows = {str(number): row for number, row in enumerate(shown["map"], 1)}
    if wrong := [one for one in numbers if one not in rows]:
        raise Refused("option_invalid", f"'{printable(wrong[0])}' is no row of the map; there are 1 to {len(rows)}.")
    return [one["instance_id"] for number in dict.fromkeys(numbers) for one in rows[number]["instances"]]


def _cells(instances: t.Sequence[Shown]) -> str:
    """Of a Flexible set's names what tells them apart."""
    ids = [one["instance_id"].rpartition("_")[2][-10:] for one in instances]
    width = max(map(len, ids), default=0)
    return " ".join(f"{_letter(one['state'])}{name:<{width}}" for one, name in zip(instances, ids, strict=True))


def _letter(state: str) -> str:
    return LOOKS[state].letter if state in LOOKS else "?"


def _legend(shown: Shown) -> str:
    counts = Counter(one["state"] for row in shown["map"] for one in row["instances"])
    return "  ".join(f"{_letter(state)} {counts[state]} {state}" for state in sorted(counts))


def _facts(shown: Shown) -> list[tuple[str, str]]:
    """Empty ones are left out."""
    ran = Counter(_image(one["image"]) or "not reported by Azure" for one in shown["instances"])
    return [
        ("model", _image(shown["image"]) or "no image"),
        ("compared", shown["target_problem"] or f"with {_image(shown['target_image'])}"),
        ("runs", ", ".join(f"{count} {image}" for image, count in ran.most_common())),
        ("newest", _newest(shown)),
        ("rollout", _rollout(shown)),
        ("suspended", _suspended(shown)),
        ("azure", _rolling_upgrade(shown)),
        ("automatic", _automatic(shown)),
        *[("down", f"{one['instance_id']}: {one['why_unavailable']}") for one in _down(shown)],
    ]


def _down(shown: Shown) -> list[Shown]:
    """The first of them, for the map shows them all."""
    return [one for one in shown["instances"] if not one["available"] and one["power"] != "deallocated"][:5]


def _newest(shown: Shown) -> str:
    if "newest_image" not in shown:
        return ""
    newest = shown["newest_image"]
    if newest is None:
        return f"not known: {shown['newest_problem']}"
    runs = sum(one["image"] == newest for one in shown["instances"])
    return f"{_image(newest)} is published, and {runs} of {len(shown['instances'])} instances run it"


def _rollout(shown: Shown) -> str:
    """One that has not ended, and how it goes on."""
    rollout = shown["rollout"]
    if not is_open(rollout):
        return ""
    back = rollout["state"] == GOING_BACK
    place = {"rollout_resource_group": shown["resource_group"], "rollout_scale_set": shown["name"]}
    image = {"rollback_image" if back else "rollout_image": rollout["target_image"] or commands.TO_FILL_IN}
    command = commands.playbook("rollback" if back else "upgrade_image", {**place, **image})
    return (
        f"{rollout['id']} to {_image(rollout['target_image'])} began at {rollout['started']} and has not ended. If it "
        f"was interrupted, continue: {command}"
    )


def _suspended(shown: Shown) -> str:
    names = [name for name, state in (shown.get("services") or {}).items() if state == SUSPENDED]
    ours = (shown["rollout"] or {}).get("suspended") or []
    said = [f"{name} ({'by the rollout' if name in ours else 'by another client'})" for name in sorted(names)]
    return ", ".join(said)


def _rolling_upgrade(shown: Shown) -> str:
    latest = shown.get("rolling_upgrade")
    if not latest:
        return ""
    state = "is running" if latest["running"] else "has ended"
    counts = ", ".join(f"{count} {name}" for name, count in latest["counts"].items())
    return f"its latest rolling upgrade, started {latest['started']}, {state} ({latest['code']}): {counts}"


def _automatic(shown: Shown) -> str:
    answer = shown.get("automatic_upgrades")
    if not answer:
        return ""
    prevents = f" What prevents it: {' '.join(answer['in_the_way'])}" if answer["in_the_way"] else ""
    return f"{answer['sentence']}{prevents}"


def _image(shown: t.Mapping[str, str] | None) -> str:
    return ":".join(shown.values()) if shown else ""
