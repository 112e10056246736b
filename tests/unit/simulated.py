# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated Azure without processes, sockets or waiting: the real SDK's session is mounted on the simulator itself.

`Simulated` is one Azure in virtual time. `Controller` runs a piece of code in a thread that stops before each of its
requests and while it sleeps, so a test says who does what next: two controllers and another client, step by step.
"""

from __future__ import annotations

import copy
import io
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

if (TESTS := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, TESTS)

from simulator import events
from simulator.arm import Arm
from simulator.control import Control
from simulator.protocol import Reply, Request
from simulator.scale_set import ScaleSet
from simulator.scenario import build, instance_fault, schedule, wire_fault

URL = "https://azure.simulated.test"
STARTED = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
# As long as a test may last: no sign-in in the middle that nobody asked for.
TOKEN_LIFE = 30 * 86400
BROKEN = {"close": "Remote end closed connection without response", "reset": "Connection reset by peer"}


class Endless(AssertionError):
    """More requests, or more virtual time, than any test's work takes."""


class Killed(BaseException):
    """The controller is gone: nothing that it still tries reaches Azure."""


class Clock(Protocol):
    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Simulated(HTTPAdapter):
    """One simulated Azure of a scenario (tests/simulator/README.md); time passes only while somebody sleeps or asks.

    `clock` is its time as seconds since the epoch. A request takes `latency` seconds of it. `after` are called with
    each request and its answer before the client sees the answer, `before` ahead of the work.
    """

    def __init__(
        self, scenario: dict[str, Any], *, latency: float = 0.05, most_calls: int = 5000, longest: float = 10 * 86400
    ) -> None:
        super().__init__()
        server = {"token_life": TOKEN_LIFE, **(scenario.get("server") or {})}
        found = build({**copy.deepcopy(scenario), "server": server}, STARTED.replace(tzinfo=None))
        self.world = found.world
        self.arm = Arm(found, self.now)
        self.control = Control(self.arm, 1.0)
        self.latency, self.most_calls, self.longest = latency, most_calls, longest
        self.calls = 0
        self.sent: list[Request] = []
        self.before: list[Callable[[Request], None]] = []
        self.after: list[Callable[[Request, Reply], None]] = []
        account = found.account
        self.options: dict[str, Any] = {
            "subscription_id": account.subscription,
            "client_id": account.client_id,
            "secret": account.secret,
            "tenant": account.tenant,
            "cloud_environment": URL,
        }

    # Time.

    def now(self) -> float:
        return float(STARTED.timestamp() + self.world.now)

    def sleep(self, seconds: float) -> None:
        self.world.advance(self.world.now + max(seconds, 0.0))
        if self.world.now > self.longest:
            raise Endless(f"after {self.world.now:.0f} s of virtual time it still waits")

    @property
    def clock(self) -> Clock:
        return self

    # Clients.

    def session(self) -> requests.Session:
        return mounted(self)

    def sdk(self, session: requests.Session | None = None, clock: Clock | None = None) -> ComputeManagementClient:
        """The real SDK, whose waiting is virtual."""
        account = self.arm.account
        credential = ClientSecretCredential(
            account.tenant,
            account.client_id,
            account.secret,
            authority=URL,
            transport=Transport(session or self.session(), clock or self),
            disable_instance_discovery=True,
        )
        return ComputeManagementClient(
            credential,
            account.subscription,
            base_url=URL,
            credential_scopes=[f"{URL}/.default"],
            transport=Transport(session or self.session(), clock or self),
        )

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        self.calls += 1
        if self.calls > self.most_calls:
            raise Endless(f"{self.calls} requests; the last ones: {[one.operation for one in self.sent[-10:]]}")
        self.sleep(self.latency)
        url = urlsplit(str(request.url))
        if f"{url.scheme}://{url.hostname}" != URL:
            raise requests.ConnectionError(f"there is no {url.hostname} here")
        content = request.body or b""
        body = content.encode() if isinstance(content, str) else content
        asked = Request(str(request.method), unquote(url.path), url.query, dict(request.headers), body, URL)
        for look in self.before:
            look(asked)
        reply = self.arm.handle(asked)
        self.sent.append(asked)
        for look_after in self.after:
            look_after(asked, reply)
        return self._received(request, reply, options.get("timeout"))

    def _received(self, request: requests.PreparedRequest, reply: Reply, timeout: Any) -> requests.Response:
        patience = timeout[-1] if isinstance(timeout, tuple) else timeout
        if patience is not None and reply.delay > patience:
            self.sleep(patience)
            raise requests.ReadTimeout("Read timed out.", request=request)
        self.sleep(reply.delay)
        if reply.spoil in BROKEN:
            raise requests.ConnectionError(BROKEN[reply.spoil], request=request)
        headers, content = self.arm.rendered(reply)
        headers["Content-Length"] = str(len(content) + 10 * (reply.spoil == "truncate"))
        if reply.spoil == "truncate":
            content = content[: len(content) // 2]
        raw = HTTPResponse(
            io.BytesIO(content), headers, reply.status, preload_content=False, request_method=request.method
        )
        return self.build_response(request, raw)

    # What a test does and looks at.

    def do(self, **event: Any) -> None:
        """An event of a scenario now, or with `at` or `when` later: `do="scale", capacity=5`."""
        if "at" in event or "when" in event:
            schedule(self.world, event, "event")
        else:
            events.trigger(self.world, event)

    def fault(self, **fault: Any) -> None:
        """A fault of the wire, or with `kind` one of instances."""
        if "kind" in fault:
            self.world.instance_faults.append(instance_fault(fault, "fault"))
        else:
            self.arm.faults.append(wire_fault(fault, "fault"))

    def scale_set(self, name: str = "web") -> ScaleSet:
        return next(owner for owner in self.world.sets.values() if owner.name == name)

    def state(self, name: str = "web") -> dict[str, Any]:
        found: dict[str, Any] = self._figures("state")["scale_sets"][name]
        return found

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = self._figures("metrics")
        return found

    def timeline(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._figures("timeline")
        return found

    def _figures(self, what: str) -> Any:
        """As GET /_simulator/… would answer: a copy, not the state itself."""
        return copy.deepcopy(self.control.handle(Request("GET", f"/_simulator/{what}", "", {}, b"", URL)).body)

    def operations(self) -> list[str]:
        """The operation ids of what reached Azure Resource Manager, polls left out."""
        return [one.operation for one in self.sent if one.operation and one.operation != "Operations_Get"]


class Transport(RequestsTransport):
    """azure-core's own waiting between retries and polls, in virtual time."""

    def __init__(self, session: requests.Session, clock: Clock) -> None:
        super().__init__(session=session, session_owner=False)
        self.clock = clock

    def sleep(self, duration: float) -> None:
        self.clock.sleep(duration)


def mounted(adapter: requests.adapters.BaseAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", adapter)
    return session


class Controller(requests.adapters.BaseAdapter):
    """A piece of code that works on a simulated Azure a step at a time.

    `work` gets this object: its `session()` and `clock` are what it must use. Each `step` lets it go on until it is
    about to send its next request, or sleeps; a step of a sleeping controller lets the time pass that it sleeps.
    `kill` is kill -9: what it still tries in its last lines reaches nobody.
    """

    def __init__(self, azure: Simulated, work: Callable[[Controller], Any], name: str = "controller") -> None:
        super().__init__()
        self.azure, self.name = azure, name
        self.result: Any = None
        self.error: BaseException | None = None
        self.wakes: float | None = None
        self.ended = False
        self._killed = False
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Controller], Any]) -> None:
        self._go.acquire()
        try:
            self._alive()
            self.result = work(self)
        except BaseException as error:  # raised by `outcome`
            self.error = error
        finally:
            self.ended = True
            self._paused.release()

    # What the code uses.

    def session(self) -> requests.Session:
        return mounted(self)

    @property
    def clock(self) -> Clock:
        return self

    def now(self) -> float:
        return self.azure.now()

    def sleep(self, seconds: float) -> None:
        self.wakes = self.azure.world.now + max(seconds, 0.0)
        self._give_way()
        self.wakes = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self._give_way()
        request.headers["x-simulated-client"] = self.name
        return self.azure.send(request, *args, **options)

    def close(self) -> None:
        pass

    def _give_way(self) -> None:
        self._alive()
        self._paused.release()
        self._go.acquire()
        self._alive()

    def _alive(self) -> None:
        if self._killed:
            raise Killed(self.name)

    # What the test does.

    def step(self) -> bool:
        """One step; False once the code has ended."""
        if self.ended:
            return False
        if self.wakes is not None and self.wakes > self.azure.world.now:
            self.azure.sleep(self.wakes - self.azure.world.now)
        self._go.release()
        self._paused.acquire()
        return not self.ended

    def finish(self) -> Any:
        """Every step that is left; what the code returned, or its error."""
        while self.step():
            pass
        return self.outcome()

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result

    def kill(self) -> None:
        self._killed = True
        while not self.ended:
            self._go.release()
            self._thread.join(0.01)
