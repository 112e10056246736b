"""How fast the simulator is on one core: requests a second, and the listing of a set of 1,000 instances.

`python tests/benchmark/simulator_rate.py` prints both figures beside what they must be, and ends with 1 below that.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from contract.arm import NEWEST, Simulator, running

WANTED = 300  # requests a second
SECONDS = 5.0
CONNECTIONS = 8
SCENARIO = """
images:
  platform:
    - {publisher: contoso, offer: server, sku: 24_04-lts, versions: ["1.0.20260101"]}
scale_sets:
  - &small
    name: small
    resource_group: rg
    capacity: 5
    image: {publisher: contoso, offer: server, sku: 24_04-lts, version: 1.0.20260101}
  - {<<: *small, name: large, capacity: 1000}
"""


async def hammer(simulator: Simulator, paths: list[str], seconds: float) -> float:
    """Requests a second over a few kept connections, each path in turn."""
    context = ssl.create_default_context(cafile=simulator.environment["REQUESTS_CA_BUNDLE"])
    headers = {"Authorization": str(simulator.session.headers["Authorization"])}
    count, end = 0, time.monotonic() + seconds

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal count
        while time.monotonic() < end:
            async with session.get(simulator.url + paths[count % len(paths)]) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            count += 1

    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=context)) as session:
        await asyncio.gather(*(ask(session) for _ in range(CONNECTIONS)))
    return count / seconds


def list_all(simulator: Simulator) -> tuple[int, int, float]:
    """Instances, pages and seconds of one listing of the large set with every instance view."""
    started = time.monotonic()
    url = f"{simulator.url}{simulator.scale_set('large')}/virtualMachines?$expand=instanceView&api-version={NEWEST}"
    instances = pages = 0
    while url:
        page = simulator.session.get(url, timeout=60).json()
        instances, pages, url = instances + len(page["value"]), pages + 1, page.get("nextLink", "")
    return instances, pages, time.monotonic() - started


def main() -> int:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory) / "scenario.yml"
        scenario.write_text(SCENARIO, encoding="utf-8")
        with running(scenario, Path(directory) / "state", 1) as simulator:
            # The simulator has one core to itself, where there is another one for the client.
            os.sched_setaffinity(simulator.process.pid, cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            small = simulator.scale_set("small")
            reads = [
                small,
                f"{small}/instanceView",
                f"{small}/virtualMachines/0/instanceView",
                f"{small}/virtualMachines",
            ]
            rate = asyncio.run(hammer(simulator, [f"{path}?api-version={NEWEST}" for path in reads], SECONDS))
            instances, pages, seconds = list_all(simulator)
    sys.stdout.write(
        f"simulator: {rate:.0f} requests a second on one core, {rate / WANTED:.1f} times the {WANTED} wanted\n"
    )
    sys.stdout.write(f"simulator: {instances} instances with their views in {pages} pages, {seconds:.2f} s\n")
    return 0 if rate >= WANTED and instances == 1000 else 1


if __name__ == "__main__":
    sys.exit(main())
