# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the README, those of the roles and the modules' examples tell a new user to run works as it stands there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
import yaml
from scenes import NAME, SERIES, StartSimulator
from test_preconditions import balancer

README = harness.CHECKOUT / "README.md"
ROLES = sorted(path.name for path in (harness.CHECKOUT / "roles").iterdir())
VERSIONS = ["24.04.202609110", scenes.OLD, scenes.NEW]  # the last one is the README's
UNKNOWN = ["not among those known"]  # the image of the scenes


def blocks(readme: Path) -> list[str]:
    """The indented blocks, as somebody copies them."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", readme.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip("\n") for block in found]


def commands() -> list[str]:
    """Every ansible-playbook command, in order, the lines that a backslash joins as one."""
    lines = [line for block in blocks(README) for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("ansible-playbook ") and "site.yml" not in line]


def world(capacity: int = 8) -> dict[str, Any]:
    image = {**SERIES, "version": VERSIONS[0]}
    web = scenes.scale_set(capacity, update_domains=4, health="none", image=image)
    return {"images": {"platform": [{**SERIES, "versions": VERSIONS}]}, "scale_sets": [web]}


@pytest.mark.long
def test_every_command_works(simulator: StartSimulator) -> None:
    sim = simulator(world(), 240)
    told = commands()
    assert len(told) >= 11 and {line.split()[1].rpartition(".")[2] for line in told} >= PLAYBOOKS
    for line in told:
        _program, playbook, *arguments = shlex.split(line)
        run = harness.run_playbook(playbook, sim, arguments=arguments, allow_warnings=UNKNOWN)
        assert run.rc == 0, f"{line}\n{run.output}"
    assert set(scenes.versions(sim).values()) == {VERSIONS[0]}, "the last command rolls back"


# recover_credentials needs an extension whose credentials have expired: test_recover_credentials.
PLAYBOOKS = {path.stem for path in (harness.CHECKOUT / "playbooks").glob("*.yml")} - {"recover_credentials"}


def files(text: str) -> dict[str, str]:
    """The files of a block, each under a comment with its name."""
    parts = re.split(r"^# (\w+\.yml)\b.*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("check", [True, pytest.param(False, marks=pytest.mark.long)], ids=["check", "run"])
def test_the_play_with_task_files_works(simulator: StartSimulator, tmp_path: Path, check: bool) -> None:
    sim = simulator(world(capacity=2), 240)
    (block,) = [one for one in blocks(README) if one.startswith("# site.yml")]
    # Neither the proxy nor the instances are there.
    page = f"{sim.url}/metadata/endpoints?of={{{{ item.addresses[0] }}}}"
    block = block.replace("http://{{ item.addresses[0] }}/healthz", page).replace("/opt/shop/drain", "/bin/echo")
    assert page in block and "/bin/echo" in block
    for name, text in files(block).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    run = harness.run_playbook(tmp_path / "site.yml", sim, check=check)
    assert run.rc == 0, run.output
    asked = run.named("Ask each instance of the batch for its page")
    assert len(asked) == (0 if check else 2)
    assert set(scenes.versions(sim).values()) == {VERSIONS[0] if check else VERSIONS[-1]}


@pytest.mark.parametrize("role", ROLES)
def test_the_play_of_a_role_works(simulator: StartSimulator, role: str) -> None:
    sim = simulator(scenes.scenario(2, image={**SERIES, "version": "latest"}, running=scenes.OLD), 240)
    play = yaml.safe_load(blocks(harness.CHECKOUT / "roles" / role / "README.md")[0])
    run = harness.run_playbook(play, sim, check=True)
    if role == "rollback":  # there was no rollout before
        assert "rollback_image_unknown" in run.failures[-1], run.output
    else:
        assert run.rc == 0 and run.fact("rollout_result")["target_image"]["version"] == scenes.NEW, run.output


# -- the examples of the modules ------------------------------------------------------------------

MODULES = {path.stem for path in (harness.CHECKOUT / "plugins" / "modules").glob("*.py")}
FOLLOWING = {"rolling_upgrade", "upgrade_policy"}  # their examples are for a model that follows the newest version
# What the set of the others has not: a gallery's image, a rollout before.
REFUSED = {
    "A gallery image version, where gallery is the gallery's resource id": "image_type",
    "Go back to what ran before": "rollback_image_unknown",
}


def examples(module: str) -> list[dict[str, Any]]:
    """The tasks of the module's EXAMPLES, which the module's own file holds as YAML."""
    tree = ast.parse((harness.CHECKOUT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    (text,) = [
        one.value.value
        for one in tree.body
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "EXAMPLES"
    ]
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("modules", "version"), [(MODULES - FOLLOWING, VERSIONS[0]), (FOLLOWING, "latest")], ids=["pinned", "following"]
)
def test_every_example_works_in_check_mode(simulator: StartSimulator, modules: set[str], version: str) -> None:
    """On sets that have what they name."""
    gallery = {"name": "company", "images": [{"name": "web", "versions": [{"version": "1.4.0"}]}]}
    images = {"platform": [{**SERIES, "versions": VERSIONS}], "galleries": [gallery]}
    boot = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
    common = {"update_domains": 3, "extensions": [{"name": "bootstrap", "properties": boot}]}
    common |= {"image": {**SERIES, "version": version}, "running": VERSIONS[0]}
    sets = [scenes.scale_set(8, name=name, **common) for name in (NAME, "db")]
    probe = balancer("good", "Standard", 15, 1)
    sim = simulator({"images": images, "scale_sets": sets, "resources": [probe]}, 240)
    group = f"/subscriptions/{sim.subscription}/resourceGroups/images"
    given = {
        "signed_uri": "https://account.blob.core.example/boot/run.sh?sig=c2lnbmF0dXJl",
        "balancer": probe["id"],
        "gallery": f"{group}/providers/Microsoft.Compute/galleries/company",
    }
    tasks = [{**task, "ignore_errors": True} for module in sorted(modules) for task in examples(module)]
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": tasks}
    run = harness.run_playbook([play], sim, check=True, allow_warnings=UNKNOWN)
    assert len(run.tasks) == len(tasks) > len(modules), run.output
    for task in run.tasks:
        assert task.result.get("code") == REFUSED.get(task.name), (task.name, task.result)
        assert task.status == ("ignored" if task.name in REFUSED else "ok"), (task.name, task.result)
