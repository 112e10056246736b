"""A client of the simulator that hides nothing of the wire: raw HTTP over TLS with a token."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
import requests

NEWEST = "2026-04-01"


class Arm:
    """`call` is one ARM request, `finish` waits for the operation it began, `control` asks the simulator itself."""

    def __init__(self, simulator: harness.Simulator) -> None:
        self.environment = simulator.environment
        self.control = simulator.control
        self.url = simulator.url
        self.tenant = simulator.environment["AZURE_TENANT"]
        self.subscription = simulator.subscription
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = simulator.environment["REQUESTS_CA_BUNDLE"]
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
def running(scenario: Path, state_dir: Path, time_scale: float) -> Iterator[Arm]:
    """A client of a simulator that runs as long."""
    with harness.simulator(scenario, state_dir, time_scale) as simulator:
        arm = Arm(simulator)
        try:
            yield arm
        finally:
            arm.session.close()
            # These clients may ask for what the collection never needs: no permission of the README's for them.
            simulator.control("POST", "reset_metrics")
