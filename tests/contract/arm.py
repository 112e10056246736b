"""The simulator as a client on the wire sees it: its process, its environment, and raw HTTP over TLS with a token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]
NEWEST = "2026-04-01"


class Simulator:
    """A running simulator; `call` is one ARM request, `control` one to the simulator itself."""

    def __init__(self, environment: Mapping[str, str], process: subprocess.Popen[bytes]) -> None:
        self.environment = dict(environment)
        self.process = process
        self.url = environment["AZURE_CLOUD_ENVIRONMENT"].rstrip("/")
        self.tenant = environment["AZURE_TENANT"]
        self.subscription = environment["AZURE_SUBSCRIPTION_ID"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = environment["REQUESTS_CA_BUNDLE"]
        self.session.headers["Authorization"] = f"Bearer {self.token()}"

    def token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.environment["AZURE_CLIENT_ID"],
            "client_secret": self.environment["AZURE_SECRET"],
            "scope": f"{self.url}/.default",
        }
        answer = self.session.post(f"{self.url}/{self.tenant}/oauth2/v2.0/token", data=form, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def scale_set(self, name: str, group: str = "rg") -> str:
        provider = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
        return f"{provider}/virtualMachineScaleSets/{name}"

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        api_version: str = NEWEST,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """One request, never re-sent; `path` may carry a query."""
        url = f"{self.url}{path}{'&' if '?' in path else '?'}api-version={api_version}"
        return self.session.request(method, url, json=body, headers=headers, timeout=30)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, f"{self.url}/_simulator/{path}", json=body, timeout=30)
        assert answer.ok, f"{method} /_simulator/{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def finish(self, started: requests.Response, seconds: float = 30) -> dict[str, Any]:
        """The terminal body of the operation that `started` began."""
        assert started.ok, started.text
        deadline = time.monotonic() + seconds
        while True:
            body: dict[str, Any] = self.session.get(started.headers["Azure-AsyncOperation"], timeout=30).json()
            if body["status"] != "InProgress":
                return body
            assert time.monotonic() < deadline, f"still {body} after {seconds} s"
            time.sleep(0.05)


@contextmanager
def running(scenario: Path, state: Path, time_scale: float) -> Iterator[Simulator]:
    """A simulator of that scenario in a process of its own."""
    command = [
        sys.executable,
        str(ROOT / "tests" / "simulator"),
        "--scenario",
        str(scenario),
        "--state-dir",
        str(state),
    ]
    with subprocess.Popen([*command, "--port", "0", "--time-scale", str(time_scale)]) as process:
        try:
            deadline = time.monotonic() + 30
            while not (state / "ready").exists():
                assert process.poll() is None, f"the simulator ended with {process.returncode} before it served"
                assert time.monotonic() < deadline, "the simulator did not serve within 30 s"
                time.sleep(0.05)
            yield Simulator(environment_of(state / "environment.sh"), process)
        finally:
            process.terminate()
            process.wait(20)


def environment_of(script: Path) -> dict[str, str]:
    """What a shell has after `. environment.sh`."""
    shell = subprocess.run(
        ["/bin/sh", "-c", '. "$0" && env -0', str(script)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)
