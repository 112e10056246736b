# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the simulator, and runs real ansible-playbook processes against it.

The collection under test is the checkout; Python and ansible-core are those of the environment that pytest runs in.
Nothing of the user's own Ansible, Azure or pip set-up is read or written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
START_TIMEOUT = 30
PLAYBOOK_TIMEOUT = 300


class HarnessError(AssertionError):
    """The run did not come to a result that a test could look at."""


class Simulator:
    """A running simulator. `environment` is what a user's shell has after `. DIR/environment.sh`."""

    def __init__(self, state_dir: Path, process: subprocess.Popen[bytes]) -> None:
        self.state_dir = state_dir
        self.process = process
        self.environment = _environment_of(state_dir / "environment.sh")
        self.url = self.environment["AZURE_CLOUD_ENVIRONMENT"].rstrip("/")
        self.subscription = self.environment["AZURE_SUBSCRIPTION_ID"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self.environment["REQUESTS_CA_BUNDLE"]
        self._session.headers["X-Simulator-Token"] = self.environment["SIMULATOR_TOKEN"]
        self._actions_before: set[str] = set()

    def close(self) -> None:
        self._session.close()

    def actions(self) -> set[str]:
        """The permissions that all calls since the start have needed."""
        return self._actions_before | set(self.metrics()["by_action"])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, f"{self.url}/_simulator/{path}", json=body, timeout=30)
        if not answer.ok:
            raise HarnessError(f"{method} /_simulator/{path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def metrics(self) -> dict[str, Any]:
        """Calls by operation, conflicts, throttles, availability, since the start or the last `reset`."""
        answer: dict[str, Any] = self.control("GET", "metrics")
        return answer

    def timeline(self) -> list[dict[str, Any]]:
        """Every state change of every instance, in order."""
        answer: list[dict[str, Any]] = self.control("GET", "timeline")
        return answer

    def state(self) -> dict[str, Any]:
        """The inner truth: scale sets, their documents and instances."""
        answer: dict[str, Any] = self.control("GET", "state")
        return answer

    def faults(self, *faults: Mapping[str, Any], clear: bool = False) -> None:
        """Inject faults of the protocol, or of instances (those have a `kind`); `clear` takes the present ones away."""
        of_instances = [fault for fault in faults if "kind" in fault]
        of_protocol = [fault for fault in faults if "kind" not in fault]
        self.control("POST", "faults", {"clear": clear, "faults": of_protocol, "instance_faults": of_instances})

    def publish(self, version: Mapping[str, Any]) -> None:
        """A new image version appears."""
        self.control("POST", "publish", dict(version))

    def event(self, event: Mapping[str, Any]) -> None:
        """Another hand does something, now or `at` (simulated seconds): `{"do": "scale", "scale_set": "web", …}`."""
        self.control("POST", "events", dict(event))

    def reset(self) -> None:
        """Count from here."""
        self._actions_before = self.actions()
        self.control("POST", "reset_metrics")

    def secrets(self) -> list[str]:
        """The client secret and every token issued: what must appear in no output."""
        known = self.control("GET", "secrets")
        return [known["secret"], *known["tokens"]]


def permissions() -> set[str]:
    """The actions that the README's custom role has."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    return set(re.findall(r"`(Microsoft[.][A-Za-z/]+)`", readme.partition("## Permissions")[2].partition("\n## ")[0]))


@contextlib.contextmanager
def simulator(scenario: Mapping[str, Any] | Path, state_dir: Path, time_scale: float = 60) -> Iterator[Simulator]:
    """A simulator of that scenario, in a process of its own. A traceback in its log fails the test."""
    state_dir.mkdir(parents=True, exist_ok=True)
    if not isinstance(scenario, Path):
        (state_dir / "scenario.yml").write_text(json.dumps(scenario), encoding="utf-8")  # JSON is YAML
        scenario = state_dir / "scenario.yml"
    log = state_dir / "simulator.log"
    command = [sys.executable, str(CHECKOUT / "tests" / "simulator"), "--scenario", str(scenario)]
    command += ["--state-dir", str(state_dir), "--port", "0", "--time-scale", str(time_scale)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not (state_dir / "ready").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise HarnessError(f"the simulator did not start:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.02)
        running = Simulator(state_dir, process)
        yield running
        if process.poll() is None and (unlisted := running.actions() - permissions()):
            raise HarnessError(f"the README's permissions lack {sorted(unlisted)}")
        running.close()
        if process.poll() is not None:
            raise HarnessError(f"the simulator ended by itself:\n{log.read_text(encoding='utf-8')}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if "Traceback (most recent call last)" in (text := log.read_text(encoding="utf-8")):
        raise HarnessError(f"the simulator broke:\n{text}")


def _environment_of(script: Path) -> dict[str, str]:
    shell = subprocess.run(
        ["/bin/sh", "-c", '. "$0" && env -0', str(script)],
        env={"PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    )
    variables = dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)
    return {name: value for name, value in variables.items() if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}


@dataclass(frozen=True)
class Task:
    """One task's end on one host. `status`: ok, skipped, failed, ignored (a failure that was allowed), unreachable."""

    name: str
    action: str
    host: str
    status: str
    result: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@dataclass(frozen=True)
class Result:
    """What a run of ansible-playbook came to. `stats` is its recap by host; `warnings` holds deprecations too.

    `kept`: what set_stats has kept for the whole run, as a workflow gets it.
    """

    rc: int
    stdout: str
    stderr: str
    seconds: float
    peak_memory_mb: float  # of the largest process of the run: ansible-playbook itself or a module
    tasks: list[Task] = field(default_factory=list)
    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def named(self, name: str) -> list[Task]:
        """The tasks of that name, in the order they ended; a role's tasks are named `role : task`."""
        return [task for task in self.tasks if name in (task.name, task.name.rpartition(" : ")[2])]

    def of(self, action: str) -> list[Task]:
        """The tasks that ran that module; `image` means `steady.vmss.image`."""
        return [task for task in self.tasks if task.action in (action, f"steady.vmss.{action}")]

    def fact(self, name: str) -> Any:
        """A fact as it was last set; KeyError when no task set it."""
        for task in reversed(self.tasks):
            if name in task.result.get("ansible_facts", {}):
                return task.result["ansible_facts"][name]
        raise KeyError(f"no task set {name}:\n{self.output}")

    @property
    def failures(self) -> list[str]:
        """The messages of the tasks that failed, in order."""
        return [str(task.result.get("msg", "")) for task in self.tasks if task.status in ("failed", "unreachable")]


class Run:
    """An ansible-playbook that runs. `wait` gives its result; `kill` ends it and all that it started, at once."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, allow_warnings: Sequence[str]) -> None:
        self.process = process
        self._directory = directory
        self._allow_warnings = allow_warnings
        self._started = time.monotonic()

    def kill(self) -> None:
        # Ansible's workers lead sessions of their own: a signal to the process group does not reach them.
        for pid in (self.process.pid, *descendants(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def kill_alone(self) -> list[int]:
        """End ansible-playbook and nothing that it started; the processes that live on, by id."""
        living = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        return living

    def kill_module(self) -> bool:
        """End the module that runs and nothing else, as the kernel does where memory is short; whether one ran."""
        found = [pid for pid in descendants(self.process.pid) if b"AnsiballZ_" in command_line(pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def output(self) -> str:
        """What it has printed so far."""
        return self._text("stdout") + self._text("stderr")

    def _text(self, name: str) -> str:
        return (self._directory / name).read_text(encoding="utf-8", errors="replace")

    def wait(self, timeout: float = PLAYBOOK_TIMEOUT) -> Result:
        """Raises HarnessError when the run lasts longer than `timeout` seconds, or warned of something not allowed."""
        deadline = self._started + timeout
        while True:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                self.kill()
                raise HarnessError(f"ansible-playbook ran longer than {timeout} s:\n{self._text('stdout')}")
            time.sleep(0.02)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        lines = [json.loads(line) for line in self._text("record").splitlines()]
        stderr = self._text("stderr")
        result = Result(
            rc=self.process.returncode,
            stdout=self._text("stdout"),
            stderr=stderr,
            seconds=time.monotonic() - self._started,
            peak_memory_mb=usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
            tasks=[Task(**line) for line in lines if "stats" not in line],
            stats=next((line["stats"] for line in lines if "stats" in line), {}),
            kept=next((line["kept"] for line in lines if "stats" in line), {}),
            warnings=re.findall(r"^\[(?:DEPRECATION )?WARNING\].*", stderr, re.MULTILINE),
        )
        bad = [text for text in result.warnings if not any(allowed in text for allowed in self._allow_warnings)]
        if bad:
            raise HarnessError("the run warned:\n" + "\n".join(bad) + "\n" + result.output)
        return result


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True)
    children: dict[int, list[int]] = {}
    for line in listed.stdout.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found = list(children.get(pid, ()))
    for child in found:  # grows while it is walked
        found += children.get(child, ())
    return found


def environment(sim: Simulator | None, directory: Path, collections: Path | None = None) -> dict[str, str]:
    """The variables of a run whose files lie in `directory`."""
    home = directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    (directory / "record").write_text("", encoding="utf-8")
    # Half of what ansible-playbook burns while a task waits, as the README advises.
    (directory / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    return {
        "PATH": os.pathsep.join([str(PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8",
        "HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home / "local"),
        "ANSIBLE_REMOTE_TEMP": str(home / "remote"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections or _collections_path()),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "ANSIBLE_DEPRECATION_WARNINGS": "true",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "RECORD_FILE": str(directory / "record"),
        **(sim.environment if sim else {}),
    }


def start_playbook(
    playbook: str | Path | Sequence[Mapping[str, Any]],
    sim: Simulator | None = None,
    *,
    extra_vars: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    arguments: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    inventory: str | Path | None = None,
    directory: Path | None = None,
    collections: Path | None = None,
    allow_warnings: Sequence[str] = (),
) -> Run:
    """Start `playbook`: an FQCN, a file, or plays as Python data.

    `arguments` are more of ansible-playbook's. `env` is put on top of the simulator's variables, None takes one away.
    `directory` is where plays given as data and the run's own files lie (by default a fresh one in the simulator's).
    `collections` is another collections path than the checkout's.
    """
    directory = directory or Path(tempfile.mkdtemp(prefix="run-", dir=sim.state_dir if sim else None))
    directory.mkdir(parents=True, exist_ok=True)
    if not isinstance(playbook, str | Path):
        file = directory / "playbook.json"
        file.write_text(json.dumps(playbook), encoding="utf-8")
        playbook = file
    command = [str(PROGRAMS / "ansible-playbook"), str(playbook)]
    if extra_vars:
        command += ["-e", json.dumps(extra_vars)]
    if inventory:
        command += ["-i", str(inventory)]
    command += ["--check"] * check + ["--diff"] * diff + ["-" + "v" * verbosity] * (verbosity > 0)
    command += arguments
    variables = {**environment(sim, directory, collections), **(env or {})}
    with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    return Run(process, directory, allow_warnings)


def run_playbook(
    playbook: str | Path | Sequence[Mapping[str, Any]],
    sim: Simulator | None = None,
    *,
    timeout: float = PLAYBOOK_TIMEOUT,
    **options: Any,
) -> Result:
    """`start_playbook` with the same options, and wait."""
    run = start_playbook(playbook, sim, **options)
    try:
        return run.wait(timeout)
    finally:
        if run.process.returncode is None:
            run.kill()


def run_module(
    name: str, args: Mapping[str, Any] | None = None, sim: Simulator | None = None, **options: Any
) -> dict[str, Any]:
    """Run one module on localhost; `image` means `steady.vmss.image`. Options as for `run_playbook`.

    Returns the module's result: `changed`, `failed` and, when it failed, `msg` are always there.
    """
    action = name if "." in name else f"steady.vmss.{name}"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "run", action: dict(args or {})}]}
    run = run_playbook([play], sim, **options)
    if not run.tasks:
        raise HarnessError(f"the module did not run:\n{run.output}")
    return {"changed": False, "failed": run.tasks[-1].status == "failed", **run.tasks[-1].result}


def _collections_path() -> Path:
    """The root conftest's: where ansible_collections/steady/vmss is the checkout."""
    return next(Path(entry) for entry in sys.path if (Path(entry) / "ansible_collections" / "steady" / "vmss").exists())
