# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import commands, images

from ..examples import examples

PLUGINS = Path(commands.__file__).resolve().parents[2]
PIPE = "{{lookup('pipe','id')}}"
VHD = "https://blobs.example/web.vhd"
# What may run something: in Jinja, in a shell, on a terminal.
nasty = st.text(st.sampled_from("{}%#()$`'\"\\;&|<>\n\t \x1b\u202e-=:/,.ab01Ü!*?~[]"), max_size=30)
VARIABLES = ("rollout_resource_group", "rollout_scale_set", "rollout_image", "rollout_instance_ids", "rollout_before")


def test_a_plain_command() -> None:
    variables = {
        "rollout_resource_group": "shop",
        "rollout_scale_set": "web",
        "rollout_canary": 2,
        "rollout_zones": ["1", "2"],
    }
    assert commands.playbook("upgrade_image", variables) == (
        "ansible-playbook steady.vmss.upgrade_image -e rollout_resource_group=shop -e rollout_scale_set=web "
        "-e rollout_canary=2 -e rollout_zones=1,2"
    )


def test_a_group_that_a_shell_would_stumble_over_is_quoted() -> None:
    said = commands.playbook("status", {"rollout_resource_group": "shop(prod)"})
    assert said == "ansible-playbook steady.vmss.status -e '{rollout_resource_group: shop(prod)}'"
    assert commands.az("vmss list-instances", "shop(prod)", "web") == "az vmss list-instances -g 'shop(prod)' -n web"
    assert commands.az("monitor activity-log list", "shop", "", "--offset", "1h") == (
        "az monitor activity-log list -g shop --offset 1h"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rollout_image", f"https://blobs.example/{PIPE}.vhd"),
        ("rollout_image", {"vhd_uri": f"https://blobs.example/{PIPE}.vhd"}),
        ("rollout_image", f"{VHD}?sig=secret1"),
        ("rollout_image", "a b"),
        ("rollout_image", ""),
        ("rollout_before", PIPE),
        ("rollout_before", "{% if x %}"),
        ("rollout_before", "{# x #}"),
        ("rollout_before", "a\x1b[2J"),
        ("rollout_before", "a\nb"),
        ("rollout_before", "a" * 5000),
        ("rollout_scale_set", "web; id"),
        ("rollout_scale_set", "-x"),
        ("rollout_resource_group", "a'b"),
        ("rollout_instance_ids", ["0", PIPE]),
    ],
)
def test_what_is_not_of_its_form_is_left_for_a_person(name: str, value: object) -> None:
    assert commands.playbook("x", {name: value}) == f"ansible-playbook steady.vmss.x -e {name}=..."


@pytest.mark.parametrize(("group", "name"), [("a;id", "web"), ("a", "{{x}}"), ("-a", "$(id)")])
def test_az_too(group: str, name: str) -> None:
    assert "..." in commands.az("vmss show", group, name)
    assert not re.search("id|{|[$]", commands.az("vmss show", group, name))
    assert commands.az("vmss update", "g", "n", "--set", f"a.b=x{name};id") == "az vmss update -g g -n n --set ..."


def test_an_image_is_written_as_one_word() -> None:
    value = images.show(images.parse(f"{VHD}?sig=secret1"))
    assert commands.playbook("x", {"rollout_image": value}) == f"ansible-playbook steady.vmss.x -e rollout_image={VHD}"
    value = {"publisher": "a", "offer": "b", "sku": "c", "version": "1.0.0"}
    assert commands.playbook("x", {"rollout_image": value}).endswith("-e rollout_image=a:b:c:1.0.0")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/srv/my checks/check.yml", "'{rollout_before: /srv/my checks/check.yml}'"),
        ("~/a (b)/c.yml", "'{rollout_before: ~/a (b)/c.yml}'"),
        ("", "rollout_before="),
        (["a b", "c"], "rollout_before=..."),
        ("a: b", "rollout_before=..."),
        ("1 2", "rollout_before=..."),
        ('say "a"', "rollout_before=..."),
    ],
)
def test_a_value_with_blanks_is_yaml_without_a_double_quote(value: object, said: str) -> None:
    assert commands.playbook("x", {"rollout_before": value}) == f"ansible-playbook steady.vmss.x -e {said}"


@settings(max_examples=examples(500))
@given(st.dictionaries(st.sampled_from(VARIABLES), nasty | st.lists(nasty, max_size=3), max_size=4))
def test_no_value_becomes_a_word_or_a_template(variables: dict[str, object]) -> None:
    said = commands.playbook("x", variables)
    assert said.isprintable() and "{{" not in said and "{%" not in said and "{#" not in said
    assert json.dumps(said, ensure_ascii=False) == f'"{said}"', "what Ansible shows can be copied"
    words = shlex.split(said)
    assert words[:2] == ["ansible-playbook", "steady.vmss.x"]
    assert words[2::2] == ["-e"] * len(variables) and len(words) == 2 + 2 * len(variables)
    for (name, value), word in zip(variables.items(), words[3::2], strict=True):
        text = ",".join(value) if isinstance(value, list) else str(value)
        read = yaml.safe_load(word) if word.startswith("{") else dict([word.split("=", 1)])
        assert read in ({name: text}, {name: "..."})


def test_bash_reads_it_as_it_was_meant() -> None:
    value = "/srv/my checks (prod)/é.yml"
    said = commands.playbook("x", {"rollout_before": value}).removeprefix("ansible-playbook steady.vmss.x -e ")
    done = subprocess.run(["bash", "-c", f"printf %s {said}"], capture_output=True, check=True)
    assert yaml.safe_load(done.stdout.decode()) == {"rollout_before": value}


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("module_utils/**/*.py")), ids=lambda path: path.stem)
def test_no_other_file_makes_a_command(path: Path) -> None:
    """A value in a command that nobody has quoted."""
    made = re.compile(r"(ansible-playbook |\baz [a-z-]+ )[^\n]*\{|-[gn] \{")
    if path.name != "commands.py":
        assert not [line for line in path.read_text("utf-8").splitlines() if made.search(line)]
