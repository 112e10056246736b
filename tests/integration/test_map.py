# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback steady.vmss.rollout: the map in a terminal, and nothing where none belongs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import harness
import pytest
import replay
import scenes
from scenes import StartSimulator

ESCAPE = "\x1b"
WORKED_ON = re.compile(r"^UD \d  [DSK]\d", re.MULTILINE)
HEADER = "shop/web  Uniform, 3 instances, 3 update domains, westeurope"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    replay.collection(tmp_path)
    return tmp_path


def written(place: Path, *plays: dict[str, Any]) -> Path:
    file = place / "site.json"
    file.write_text(json.dumps(plays), encoding="utf-8")
    return file


def maps(seen: replay.Seen) -> list[str]:
    return [screen for screen in seen.screens if HEADER in screen and "elapsed" in screen]


@pytest.mark.both_ends
@pytest.mark.parametrize("kept", [False, True])
def test_a_terminal_shows_the_map_while_the_rollout_runs(place: Path, kept: bool) -> None:
    journals = {"journal_dir": str(place / "kept")} if kept else {}
    (place / "kept").mkdir()
    seen = replay.watch(written(place, replay.play(seconds=0.12, **journals)), place)
    assert seen.rc == 0, seen.output
    shown = maps(seen)
    assert any(WORKED_ON.search(screen) and "UD 0  c0" in screen for screen in shown), seen.output
    assert any("calls, not throttled" in screen and "end about " in screen for screen in shown)
    assert all("TASK [Roll]" in screen for screen in shown)  # what was printed before stands above it
    done = "DONE  shop/web on 24.4.20261118: 3/3 in 3m57s, never more than 1 of 1 unavailable, 60 calls"
    assert done in seen.last.replace("\n", "") and HEADER not in seen.last
    assert ("journal " in seen.last) == kept
    assert "batch 1/3  update domain 0" not in seen.output  # the lines are for whoever sees no map
    assert "changed: [localhost]" in seen.last and "PLAY RECAP" in seen.last
    assert re.search(r"\x1b\[(1;)?38;5;172m[DS]\d", seen.output)


def test_without_colour_the_letters_say_the_same(place: Path) -> None:
    for env in ({"NO_COLOR": "1"}, {"ANSIBLE_NOCOLOR": "1"}):
        seen = replay.watch(written(place, replay.play(seconds=0.1)), place, env=env)
        assert seen.rc == 0 and any(map(WORKED_ON.search, maps(seen))), seen.output
        assert not re.search(r"\x1b\[[0-9;]*m", seen.output.partition("TASK [Roll]")[2].partition("DONE")[0])


def test_what_is_printed_meanwhile_stands_above_the_map(place: Path) -> None:
    seen = replay.watch(written(place, replay.play(seconds=0.02)), place, arguments=("-vvv",))
    assert seen.rc == 0 and maps(seen), seen.output
    assert "EXEC /bin/sh -c" in seen.output
    assert HEADER not in seen.last and "PLAY RECAP" in seen.last


def test_a_prompt_is_readable_and_answered(place: Path) -> None:
    pause = {"name": "Ask", "ansible.builtin.pause": {"prompt": "Go on with the next batch?"}, "register": "said"}
    say = {"name": "Say", "ansible.builtin.debug": {"msg": "heard: {{ said.user_input }}"}}
    first, second = replay.play(seconds=0.02), replay.play(seconds=0.02)
    tasks = [*first["tasks"], pause, say, *second["tasks"]]
    answers = {"Go on with the next batch?:": "yes please\r"}
    seen = replay.watch(written(place, {**first, "tasks": tasks}), place, answers=answers)
    assert seen.rc == 0 and "heard: yes please" in seen.output, seen.output
    asked = [screen for screen in seen.screens if screen.rstrip().endswith("Go on with the next batch?:")]
    assert asked and not any(HEADER in screen for screen in asked)


def test_a_real_rollout_with_a_prompt_in_its_health_check(simulator: StartSimulator, tmp_path: Path) -> None:
    """The module is called once a batch, and the map goes on where the call before has left it."""
    sim = simulator(scenes.scenario(2, update_domains=2), 20)
    ask = {"name": "Ask", "ansible.builtin.pause": {"prompt": "Is {{ rollout_batch.label }} well?"}}
    (tmp_path / "check.yml").write_text(json.dumps([ask]), encoding="utf-8")
    variables = {"resource_group": scenes.GROUP, "scale_set": scenes.NAME, "image": {"version": scenes.NEW}}
    variables |= {"health_check": str(tmp_path / "check.yml"), "max_unavailable": 1, "health_lag": 5}
    given = {f"rollout_{name}": value for name, value in variables.items()}
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["steady.vmss.rollout"], "vars": given}
    answers = {f"Is update domain {number} well?:": "\r" for number in range(2)}
    env = {**harness.environment(sim, tmp_path), **replay.CALLBACK, "TERM": "xterm"}
    seen = replay.watch(written(tmp_path, play), tmp_path, env=env, answers=answers)
    assert seen.rc == 0 and scenes.versions(sim) == dict.fromkeys("01", scenes.NEW), seen.output
    for row in ("UD 0  D0\nUD 1  o1", "UD 0  c0\nUD 1  D1"):
        assert any(row in screen for screen in seen.screens), seen.output
    assert any("batch 2/2 UD 1" in screen and "1/2 instances done" in screen for screen in seen.screens)
    assert not any("unavailable" in screen for screen in seen.screens if screen.rstrip().endswith("well?:"))
    assert "DONE  shop/web on 24.04.202611180: 2/2 in" in seen.output


@pytest.mark.parametrize("size", [(40, 12), (200, 50)])
def test_it_fits_the_terminal(place: Path, size: tuple[int, int]) -> None:
    seen = replay.watch(written(place, replay.play("zonal", seconds=0.02)), place, size=size)
    assert seen.rc == 0 and any("zone 2" in screen for screen in seen.screens), seen.output
    assert "PLAY RECAP" in seen.last and "elapsed" not in seen.last


def test_several_scale_sets_are_shown_at_once(place: Path) -> None:
    (place / "hosts").write_text("".join(f"web{n} ansible_connection=local\n" for n in range(3)), encoding="utf-8")
    play = {**replay.play(name="{{ inventory_hostname }}"), "hosts": "all"}
    seen = replay.watch(written(place, play), place, size=(100, 40), arguments=("-i", str(place / "hosts")))
    assert seen.rc == 0, seen.output
    assert any(all(f"shop/web{n}  Uniform" in screen for n in range(3)) for screen in seen.screens), seen.output
    assert all(f"DONE  shop/web{n} on" in seen.output for n in range(3))


def test_a_file_gets_lines_and_no_escape_code(place: Path) -> None:
    run = replay.piped(written(place, replay.play(seconds=0)), place)
    assert run.returncode == 0 and ESCAPE not in run.stdout + run.stderr, run.stdout + run.stderr
    assert "batch 2/3  update domain 1  instance 1" in run.stderr and "DONE  shop/web" in run.stderr
    assert "batch 2/3" not in run.stdout


@pytest.mark.parametrize("stdout", ["ansible.builtin.minimal", "json_lines"])
def test_another_stdout_callback_is_as_it_was(place: Path, stdout: str) -> None:
    """In a terminal too, as ansible-runner gives one."""
    env = {"ANSIBLE_STDOUT_CALLBACK": stdout, "ANSIBLE_NOCOLOR": "1"}
    if stdout == "json_lines":
        folder = place / "callbacks"
        folder.mkdir()
        (folder / "json_lines.py").write_text(_JSON_LINES, encoding="utf-8")
        env["ANSIBLE_CALLBACK_PLUGINS"] = f"{folder}:{Path(replay.__file__).parent / 'callback_plugins'}"
    seen = replay.watch(written(place, replay.play(seconds=0.02)), place, env=env)
    assert seen.rc == 0 and not maps(seen) and ESCAPE not in seen.output, seen.output
    run = replay.piped(written(place, replay.play(seconds=0)), place, env=env)
    assert run.returncode == 0 and "DONE" not in run.stdout and "DONE  shop/web" in run.stderr
    if stdout == "json_lines":
        assert [json.loads(line)["changed"] for line in run.stdout.splitlines()] == [True]


_JSON_LINES = """
import json
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_lines"
    def v2_runner_on_ok(self, result):
        self._display.display(json.dumps({"changed": result.result["changed"]}))
"""


def test_it_can_be_told_to_show_lines_only(place: Path) -> None:
    seen = replay.watch(written(place, replay.play(seconds=0.02)), place, env={"STEADY_VMSS_SHOW": "lines"})
    assert seen.rc == 0 and not maps(seen) and "batch 2/3  update domain 1" in seen.output, seen.output


# -- CI -----------------------------------------------------------------------------------------------


def test_github_gets_groups_annotations_and_a_summary(place: Path) -> None:
    summary = place / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    run = replay.piped(written(place, replay.play(seconds=0)), place, env=env)
    assert run.returncode == 0, run.stderr
    lines = run.stderr.splitlines()
    assert lines[0] == "::group::steady.vmss: progress" and lines[-1] == "::endgroup::"
    assert "02:01:24Z  batch 2/3  update domain 1  instance 1" in lines and lines[-2].startswith("DONE  shop/web")
    assert "| outcome | upgraded |" in summary.read_text(encoding="utf-8") and ESCAPE not in run.stderr


def test_a_failure_is_annotated_and_says_no_command_of_its_own(place: Path) -> None:
    github = replay.piped(written(place, replay.play("stopped", 0)), place, env={"GITHUB_ACTIONS": "true"})
    (error,) = [line for line in github.stderr.splitlines() if line.startswith("::error")]
    assert error.startswith("::error title=steady.vmss%3A hook_failed::it stopped ") and github.returncode == 2
    env = {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(place)}
    azure = replay.piped(written(place, replay.play("stopped", 0)), place, env=env)
    lines = azure.stderr.splitlines()
    (uploaded,) = [line.partition("]")[2] for line in lines if line.startswith("##vso[task.uploadsummary]")]
    assert "| outcome | stopped" in Path(uploaded).read_text(encoding="utf-8")
    assert "##[group]steady.vmss: progress" in lines and "##[endgroup]" in lines
    assert any(line.startswith("##vso[task.logissue type=error;code=hook_failed]steady.vmss: it") for line in lines)


# -- many of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plays", [20, pytest.param(200, marks=pytest.mark.long)])
def test_many_plays_with_ten_forks_and_none_hangs(place: Path, plays: int) -> None:
    """A worker that is forked while the map is drawn must not wait for a lock that nobody holds any more."""
    (place / "hosts").write_text("".join(f"web{n} ansible_connection=local\n" for n in range(10)), encoding="utf-8")
    play = {**replay.play(seconds=0.002, name="{{ inventory_hostname }}"), "hosts": "all"}
    roll = {**play["tasks"][0], "when": "inventory_hostname in ['web0', 'web1']"}  # decided in each host's worker
    say = {"name": "Say", "ansible.builtin.debug": {"msg": "said"}}
    arguments = ("-i", str(place / "hosts"), "--forks", "10")
    file = written(place, *[{**play, "tasks": [roll, say]}] * plays)
    seen = replay.watch(file, place, size=(100, 40), arguments=arguments, timeout=6 * plays + 60)
    assert seen.rc == 0, seen.output[-5000:]
    assert any("shop/web1  Uniform" in screen for screen in seen.screens)
    assert seen.output.count("DONE  shop/web") == 2 * plays
