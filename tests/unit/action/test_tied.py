# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose end ends a module, and how it knows."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.steady.vmss.plugins.module_utils import _controller, _module
from ansible_collections.steady.vmss.plugins.module_utils._controller import Cancellation, named, started
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Cancelled
from ansible_collections.steady.vmss.plugins.module_utils._options import ImageRequest
from ansible_collections.steady.vmss.plugins.plugin_utils import _tied

from ..asking import request

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


@pytest.fixture(params=["proc", "ps"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """With and without /proc, which macOS has not."""
    if request.param == "ps":
        monkeypatch.setattr(_controller, "_PROCESSES", tmp_path)
    elif not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc here")
    return str(request.param)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield running
    running.kill()
    running.wait()


@pytest.fixture
def _signals_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("system")
def test_the_end_of_a_process_that_ran_the_play_is_noticed(process: subprocess.Popen[bytes]) -> None:
    cancellation = Cancellation(named([os.getpid(), process.pid]))
    cancellation.check()
    process.kill()
    process.wait()
    for _dummy in range(2):
        with pytest.raises(Cancelled, match="the process that ran the play has ended"):
            cancellation.check()


@pytest.mark.usefixtures("system")
def test_a_process_that_is_dead_and_not_reaped_is_dead(process: subprocess.Popen[bytes]) -> None:
    cancellation = Cancellation(named([process.pid]))
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    if started(process.pid):  # ps shows a zombie's start
        return
    with pytest.raises(Cancelled):
        cancellation.check()


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("controller", ["", "1:other", "99999999:1", "x", ":"])
def test_what_cannot_be_seen_at_the_start_is_not_asked_for(controller: str) -> None:
    """In a container, on another host, or for a user from whom it is hidden."""
    Cancellation(controller).check()


def test_an_id_that_was_given_to_another_process_is_not_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation = Cancellation(named([os.getpid()]))
    monkeypatch.setattr(_controller, "started", lambda _pid: "another")
    with pytest.raises(Cancelled):
        cancellation.check()


def test_a_system_that_tells_no_start_names_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_controller, "_PROCESSES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert named([os.getpid()]) == ""


@pytest.mark.usefixtures("_signals_kept")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_once(number: signal.Signals) -> None:
    cancellation = Cancellation()
    cancellation.listen()
    with pytest.raises(Cancelled, match=f"{number.name} was received"):
        signal.raise_signal(number)
    signal.raise_signal(number)  # the result is being printed
    with pytest.raises(Cancelled):
        cancellation.check()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_that_changes_azure_is_tied(name: str) -> None:
    if not (ROOT / "plugins" / "action" / f"{name}.py").exists():
        assert name.endswith("_info")
        return
    plugin = importlib.import_module(f"ansible_collections.steady.vmss.plugins.action.{name}")
    assert issubclass(plugin.ActionModule, _tied.ActionModule) != name.endswith("_info")


@pytest.mark.parametrize("transport", ["local", "ssh"])
@pytest.mark.parametrize("detached", [0, 60])
def test_only_a_module_that_is_waited_for_is_tied(
    monkeypatch: pytest.MonkeyPatch, transport: str, detached: int
) -> None:
    tied: list[Any] = []
    monkeypatch.setattr(_tied.ctypes, "CDLL", lambda _name: SimpleNamespace(prctl=lambda *args: tied.append(args)))
    action = object.__new__(_tied.ActionModule)
    action._connection = SimpleNamespace(transport=transport)
    action._task = SimpleNamespace(async_val=detached, environment=[{"A": "b"}], args={})
    monkeypatch.setattr(action, "_execute_module", lambda **options: options, raising=False)
    assert action.execute({"name": "web"}, {}) == {
        "module_args": {"name": "web"},
        "task_vars": {},
        "wrap_async": bool(detached),
    }
    assert bool(tied) == (sys.platform == "linux" and not detached)
    own = [{_controller.VARIABLE: named((os.getppid(), os.getpid()))}] if transport == "local" and not detached else []
    assert action._task.environment == [{"A": "b"}, *own]


@pytest.mark.parametrize("check", [False, True])
def test_the_journal_of_a_module_that_was_cancelled_says_so(tmp_path: Path, check: bool) -> None:
    asked = request(ImageRequest, image="any", journal=str(tmp_path / "journal"))
    azure: Any = SimpleNamespace(scale_set_id=lambda group, name: f"{group}/{name}")
    _module.journal_cancelled(asked, azure, Cancelled("SIGTERM was received"), check_mode=check)
    if check:
        assert not (tmp_path / "journal").exists()
        return
    event = json.loads((tmp_path / "journal").read_text(encoding="utf-8"))
    assert (event["event"], event["why"], event["scale_set"]) == ("cancelled", "SIGTERM was received", "rg/web")
