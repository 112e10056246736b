# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast the simulator is on one core: requests a second of its processor time, and the listing of 1,000 instances.

Processor time, not the clock, so that whatever else the machine does takes nothing from the figure.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from pathlib import Path

import aiohttp
import requests
from harness import Simulator, simulator

WANTED = 300  # requests a second
SECONDS = 5.0
CONNECTIONS = 8
VERSION = "api-version=2026-04-01"
IMAGE = {"publisher": "contoso", "offer": "server", "sku": "24_04-lts", "version": "1.0.20260101"}
SCENARIO = {
    "images": {
        "platform": [{"publisher": "contoso", "offer": "server", "sku": "24_04-lts", "versions": ["1.0.20260101"]}]
    },
    "scale_sets": [
        {"name": "small", "resource_group": "rg", "capacity": 5, "image": IMAGE},
        {"name": "large", "resource_group": "rg", "capacity": 1000, "image": IMAGE},
    ],
}


def authorization(azure: Simulator) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.environment["AZURE_CLIENT_ID"],
        "client_secret": azure.environment["AZURE_SECRET"],
        "scope": f"{azure.url}/.default",
    }
    url = f"{azure.url}/{azure.environment['AZURE_TENANT']}/oauth2/v2.0/token"
    token = requests.post(url, data=form, verify=azure.environment["REQUESTS_CA_BUNDLE"], timeout=30).json()
    return {"Authorization": f"Bearer {token['access_token']}"}


def processor_seconds(azure: Simulator) -> float:
    """What the simulator's process has used so far, in user and system mode."""
    fields = Path(f"/proc/{azure.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def rate(azure: Simulator, paths: list[str]) -> float:
    """Requests a second over a few kept connections, each path in turn."""
    context = ssl.create_default_context(cafile=azure.environment["REQUESTS_CA_BUNDLE"])
    before = processor_seconds(azure)
    count, end = 0, time.monotonic() + SECONDS

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal count
        while time.monotonic() < end:
            async with session.get(f"{azure.url}{paths[count % len(paths)]}?{VERSION}") as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            count += 1

    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(headers=authorization(azure), connector=connector) as session:
        await asyncio.gather(*(ask(session) for _connection in range(CONNECTIONS)))
    return count / (processor_seconds(azure) - before)


def test_rate_and_a_large_set(tmp_path: Path) -> None:
    with simulator(SCENARIO, tmp_path, time_scale=1) as azure:
        sets = f"/subscriptions/{azure.subscription}/resourceGroups/rg/providers/Microsoft.Compute"
        small = f"{sets}/virtualMachineScaleSets/small"
        paths = [small, f"{small}/instanceView", f"{small}/virtualMachines/0/instanceView", f"{small}/virtualMachines"]
        measured = asyncio.run(rate(azure, paths))

        before = processor_seconds(azure)
        instances = pages = 0
        url = f"{azure.url}{sets}/virtualMachineScaleSets/large/virtualMachines?$expand=instanceView&{VERSION}"
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(authorization(azure))
            session.verify = azure.environment["REQUESTS_CA_BUNDLE"]
            while url:
                page = session.get(url, timeout=60).json()
                instances, pages, url = instances + len(page["value"]), pages + 1, page.get("nextLink", "")
        listing = processor_seconds(azure) - before
    print(f"{measured:.0f} requests a second on one core, {measured / WANTED:.1f} times the {WANTED} wanted")
    print(f"{instances} instances with their views in {pages} pages, {listing:.2f} s")
    assert measured >= WANTED
    assert instances == 1000
