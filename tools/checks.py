# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs what `make test` runs, or some of it: `checks.py [PART or GROUP]…`.

A part is one tool over the checkout or a copy of it, in one environment. Parts run side by side, each into its own log
in .cache/logs, which is shown when the part fails. A part that executed no test has failed.
"""

from __future__ import annotations

import ast
import configparser
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import environments
from environments import CACHE, ROOT

COLLECTION = Path("ansible_collections", "steady", "vmss")
DIST = CACHE / "dist"
INSTALLED = CACHE / "installed"
LOGS = CACHE / "logs"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SLOTS = max(2, min(4, os.cpu_count() or 2))
TIMEOUT = 3600  # seconds, of one command
SHOWN_LINES = 300
# The unit tests that a release of Ansible or of the SDK can break.
WITH_RELEASES = (
    "action/", "arm/", "use_cases/test_between.py", "use_cases/test_cut_off.py", "use_cases/test_task_files.py",
    "test_filters.py", "test_journal.py", "test_module.py", "test_options.py",
)  # fmt: skip
ENDS = {"newest": "ansible-core 2.21, newest Azure SDK", "floor": "ansible-core 2.20, oldest Azure SDK"}


def tree(name: str) -> Path:
    """The copy that ansible-test and the linters work in: they want this path, and follow no symlink."""
    return CACHE / "trees" / name / COLLECTION


@dataclass(frozen=True)
class Part:
    """One tool: `commands` run one after the other in `cwd`, with the programs of `environment` on PATH.

    `junit` (a glob) says where its tests are counted; without it each command counts as one test.
    """

    name: str
    group: str
    environment: str
    commands: list[list[str]]
    cwd: Path = ROOT
    junit: str = ""
    needs: tuple[str, ...] = ()
    more_environments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """`failed` counts a part that could not run as one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    closing_lines: list[str] = field(default_factory=list)


def pytest_part(
    group: str,
    end: str,
    *arguments: str,
    more_environments: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
) -> Part:
    junit = CACHE / "junit" / f"{group}-{end}.xml"
    return Part(
        f"{group}-{end}",
        group,
        end,
        [["python", "-m", "pytest", f"tests/{group}", "--junit-xml", str(junit), *arguments]],
        junit=str(junit),
        more_environments=more_environments,
        variables=variables or {},
    )


def chaos_part() -> Part:
    """A small share of `make chaos`, without what only takes long."""
    few = {"CHAOS_SEEDS": "3", "CHAOS_KILLS": "2", "CHAOS_RERUNS": "1"}
    short = "not test_throttled and not after"  # of two controllers, those that start at once
    return pytest_part("chaos", "newest", "-n", str(SLOTS), "-k", short, variables=few)


def ansible_test_parts(end: str) -> list[Part]:
    """At the floor, what the releases of Ansible and of the SDK can change: no pure room knows of either."""
    local = ["--local", "--python", PYTHON]
    cwd = tree(end)
    units, sanity = ["ansible-test", "units", *local], ["ansible-test", "sanity", *local]
    if end == "floor":
        units += [f"tests/unit/{name}" for name in WITH_RELEASES]
        sanity += ["--skip-test", "pylint"]
    junit = str(cwd / "tests/output/junit/*-units.xml")
    return [Part(f"sanity-{end}", "lint", end, [sanity], cwd), Part(f"units-{end}", "units", end, [units], cwd, junit)]


def lint_part(name: str, *commands: str) -> Part:
    return Part(name, "lint", "lint", [command.split() for command in commands], tree("lint"))


def package_parts() -> list[Part]:
    version = re.search(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version, "galaxy.yml has no version"
    tarball = str(DIST / f"steady-vmss-{version[1]}.tar.gz")
    others = [word for name in ("meta", "plugins", "roles", "playbooks") for word in ("!", "-name", name)]
    strip = ["find", str(INSTALLED / COLLECTION), "-mindepth", "1", "-maxdepth", "1", *others]
    build = [
        ["ansible-galaxy", "collection", "build", "--output-path", str(DIST), "--force"],
        ["ansible-galaxy", "collection", "install", tarball, "-p", str(INSTALLED), "--force", "--offline"],
        ["ansible-builder", "introspect", str(INSTALLED), "--write-pip", str(DIST / "requirements.txt")],
        ["grep", "azure-mgmt-compute", str(DIST / "requirements.txt")],
        [*strip, "-exec", "rm", "-r", "{}", "+"],
    ]
    importer = {"GALAXY_IMPORTER_CONFIG": str(ROOT / "tools" / "galaxy-importer.cfg")}
    return [
        Part("build", "package", "lint", build, tree("lint")),
        Part("installed-copy", "package", "newest", [["bash", "tools/demo.sh", str(INSTALLED), "600"]],
             needs=("build",)),
        Part("galaxy-importer", "package", "importer", [["python", "-m", "galaxy_importer.main", tarball]], CACHE,
             needs=("build",), variables=importer),
    ]  # fmt: skip


def all_parts() -> list[Part]:
    """The long ones first, so that none runs alone at the end."""
    types = ["mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", ".".join([*COLLECTION.parts, "plugins"])]
    docs_checks = "--plugin-docs --check-extra-docs-refs --validate-collection-refs=self"
    return [
        pytest_part("contract", "newest", more_environments=("az",)),
        chaos_part(),
        pytest_part("integration", "newest", "-n", str(SLOTS), "-m", "not long"),
        pytest_part("integration", "floor", "-n", str(SLOTS), "-m", "both_ends and not long"),
        *ansible_test_parts("newest"),
        *ansible_test_parts("floor"),
        *package_parts(),
        lint_part("ansible-lint", "ansible-lint --offline --profile production"),
        lint_part("documentation", f"antsibull-docs lint-collection-docs . {docs_checks}"),
        lint_part(
            "changelog",
            "antsibull-changelog lint",
            "antsibull-changelog lint-changelog-yaml --strict changelogs/changelog.yaml",
        ),
        lint_part("yamllint", "yamllint --strict ."),
        lint_part("ruff", "ruff check --no-cache ."),
        Part("types", "lint", "lint", [types], tree("lint").parents[2]),
    ]


def copy_checkout(target: Path) -> None:
    """What is on disk and not ignored. A repository of its own, for ansible-test asks git which files there are."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    shutil.rmtree(target, ignore_errors=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run(["git", "init", "--quiet", str(target)], check=True)


def home(environment: str) -> Path:
    return CACHE / "home" / environment


def make_home(environment: str) -> None:
    """A HOME for the tools, so that nothing of the user's is read or written: only pip's settings are taken along.

    ansible-test drops pip's environment variables; hence the settings in force are written to a file.
    """
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, text=True, capture_output=True)
    settings = configparser.RawConfigParser()
    for line in listed.stdout.splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, key = name.rpartition(".")
        section = "global" if section == ":env:" else section
        settings.read_dict({section: {key: ast.literal_eval(value).replace("\n", "\n ")}})
    pip_conf = home(environment) / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    pip_conf.touch(mode=0o600)
    with pip_conf.open("w", encoding="utf-8") as file:
        settings.write(file)

    packages = environments.directory(environment).glob("lib/*/site-packages")
    for source in (path / "ansible_test/_internal/python_requirements.py" for path in packages):
        if not source.is_file():
            continue
        for version in set(re.findall(r"pip=['\"]([\d.]+)['\"]", source.read_text(encoding="utf-8"))):
            stand_in = home(environment) / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "tools" / "get_pip.py", stand_in)


def variables_of(part: Part) -> dict[str, str]:
    """No credentials and no settings of the user's; no pyenv shims, for one of a version that is off is fatal."""
    foreign = ("ANSIBLE_", "ARM_", "AZURE_", "GALAXY_", "PYTEST_", "PYTHONPATH", "PYENV_", "VIRTUAL_ENV", "XDG_")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    programs = [str(environments.directory(name) / "bin") for name in (part.environment, *part.more_environments)]
    user_path = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(entry).name != "shims"]
    variables["NO_COLOR"] = "1"
    variables["PATH"] = os.pathsep.join([*programs, str(Path(sys.executable).parent), *user_path])
    variables["HOME"] = str(home(part.environment))
    variables["ANSIBLE_COLLECTIONS_PATH"] = str(tree("lint").parents[2])
    return variables | part.variables


def count(part: Part) -> Outcome:
    outcome = Outcome()
    if not part.junit:
        outcome.passed = len(part.commands)
        return outcome
    for file in Path("/").glob(part.junit.lstrip("/")):
        for suite in ElementTree.parse(file).iter("testsuite"):
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            outcome.failed += failed
            outcome.skipped += skipped
            outcome.passed += int(suite.get("tests", 0)) - failed - skipped
    return outcome


def run_part(part: Part) -> Outcome:
    for stale in Path("/").glob(part.junit.lstrip("/")) if part.junit else ():
        stale.unlink()
    log = LOGS / f"{part.name}.log"
    status = 0
    with log.open("w", encoding="utf-8") as output:
        for command in part.commands:
            print("$", *command, file=output, flush=True)
            status = run_command(command, part.cwd, variables_of(part), output.fileno())
            if status:
                print(f"exit status {status}", file=output)
                break
    outcome = count(part) if part.junit or not status else Outcome()
    text = log.read_text(encoding="utf-8", errors="replace")
    outcome.closing_lines = re.findall(r"^=+ (.*\b(?:passed|failed|error|no tests).*) =+$", text, re.MULTILINE)
    if status and not outcome.failed:
        outcome.failed = 1
    if not status and not outcome.passed:
        outcome.failed = 1
        outcome.closing_lines.append("no test was executed")
    return outcome


_running: set[subprocess.Popen[bytes]] = set()


def run_command(command: list[str], cwd: Path, variables: dict[str, str], output: int) -> int:
    process = subprocess.Popen(
        command, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    _running.add(process)
    try:
        return process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()
    finally:
        _running.discard(process)


def make_environment(name: str) -> Outcome:
    with (LOGS / f"environment-{name}.log").open("w", encoding="utf-8") as output:
        script = str(ROOT / "tools" / "environments.py")
        status = run_command([sys.executable, script, name], ROOT, dict(os.environ), output.fileno())
    if not status:
        make_home(name)
    return Outcome(failed=1 if status else 0)


def report(name: str, outcome: Outcome, seconds: float) -> None:
    log = LOGS / f"{name}.log"
    if outcome.failed:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"\n== {name}: FAILED after {seconds:.0f} s; {log.relative_to(ROOT)} says:")
        print(*lines[-SHOWN_LINES:], sep="\n")
        print(f"== end of {name}", *outcome.closing_lines, sep="\n", flush=True)
    elif outcome.passed:
        print(f"\n== {name}: ok, {seconds:.0f} s", *outcome.closing_lines, sep="\n", flush=True)
    elif log.stat().st_size:  # an environment, and it was not there yet
        print(f"\n== {name}: made, {seconds:.0f} s", flush=True)


def run_all(parts: list[Part]) -> dict[str, Outcome]:
    """Each part after its environments and the parts it needs, at most SLOTS at once, in the order given."""
    wanted = dict.fromkeys(name for part in parts for name in (part.environment, *part.more_environments))
    tasks: dict[str, tuple[set[str], Callable[[], Outcome]]] = {}
    for name in wanted:
        tasks[f"environment-{name}"] = set(), partial(make_environment, name)
    for part in parts:
        needs = {f"environment-{name}" for name in (part.environment, *part.more_environments)} | {*part.needs}
        tasks[part.name] = needs, partial(run_part, part)

    outcomes: dict[str, Outcome] = {}
    running: dict[Future[Outcome], tuple[str, float]] = {}
    with ThreadPoolExecutor(SLOTS) as pool:
        while tasks or running:
            for name, (needs, run) in list(tasks.items()):
                if broken := [need for need in needs if need in outcomes and outcomes[need].failed]:
                    outcomes[name] = Outcome(failed=1)
                    print(f"\n== {name}: not run, for {', '.join(broken)} failed", flush=True)
                    del tasks[name]
                elif needs <= outcomes.keys() and len(running) < SLOTS:
                    running[pool.submit(run)] = name, time.monotonic()
                    del tasks[name]
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, started = running.pop(future)
                outcomes[name] = future.result()
                report(name, outcomes[name], time.monotonic() - started)
    return outcomes


def chosen(words: list[str]) -> list[Part]:
    """The parts and groups named, with the parts that those need; all when none is named."""
    every = all_parts()
    unknown = {*words} - {part.name for part in every} - {part.group for part in every}
    if unknown:
        known = dict.fromkeys([part.group for part in every] + [part.name for part in every])
        sys.exit(f"no part or group is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    names = {part.name for part in every if not words or {part.name, part.group} & {*words}}
    names |= {need for part in every if part.name in names for need in part.needs}
    return [part for part in every if part.name in names]


def stop_running(signum: int, _frame: object) -> None:
    for process in list(_running):
        os.killpg(process.pid, signal.SIGTERM)
    os._exit(128 + signum)


def main() -> int:
    started = time.monotonic()
    parts = chosen(sys.argv[1:])
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop_running)
    for folder in (LOGS, DIST, CACHE / "junit"):
        folder.mkdir(parents=True, exist_ok=True)
    alone = (CACHE / "lock").open("w")  # two runs in one checkout would take each other's copies away
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another run in this checkout to end", flush=True)
        fcntl.flock(alone, fcntl.LOCK_EX)
    for name in (*ENDS, "lint"):
        copy_checkout(tree(name))
    print(f"{len(parts)} parts, {SLOTS} at a time: {', '.join(part.name for part in parts)}", flush=True)
    outcomes = run_all(parts).values()
    passed, failed, skipped = (sum(getattr(one, what) for one in outcomes) for what in ("passed", "failed", "skipped"))
    print(f"\n== all of it: {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
