"""The TLS web server, the clock and the files that tell a client where to go."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import shlex
import signal
import socket
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import trustme
from aiohttp import web

from .arm import Arm
from .control import Control
from .protocol import Reply, Request
from .scenario import Account, ScenarioError, load

# Poll URLs of 4 KB and large documents must pass.
LINE_LIMIT = 64 * 1024
BODY_LIMIT = 16 * 1024 * 1024
HOST = "127.0.0.1"


class Clock:
    """Simulated seconds since the start; `scale` of them pass in one wall second."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._start = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._start) * self.scale


class App:
    def __init__(self, arm: Arm, control: Control, clock: Clock, base_url: str) -> None:
        self.arm = arm
        self.control = control
        self.clock = clock
        self.base_url = base_url

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        body = await incoming.read()
        self.arm.world.advance(self.clock.now())
        query = incoming.rel_url.raw_query_string
        request = Request(incoming.method, incoming.path, query, dict(incoming.headers), body, self.base_url)
        if request.path.startswith("/_simulator"):
            peer = incoming.transport.get_extra_info("peername") if incoming.transport else None
            local = peer is not None and peer[0] in ("127.0.0.1", "::1")
            reply = self.control.handle(request) if local else Reply(403)
        else:
            reply = self.arm.handle(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        return await self._send(incoming, reply)

    async def _send(self, incoming: web.Request, reply: Reply) -> web.StreamResponse:
        headers, content = self.arm.rendered(reply)
        transport = incoming.transport
        if reply.spoil in ("close", "reset") and transport is not None:
            transport.abort() if reply.spoil == "reset" else transport.close()
            return web.Response(status=500)
        if reply.spoil == "truncate" and transport is not None:
            response = web.StreamResponse(
                status=reply.status, headers={**headers, "Content-Length": str(len(content) + 10)}
            )
            await response.prepare(incoming)
            await response.write(content[: len(content) // 2])
            transport.close()
            return response
        return web.Response(status=reply.status, body=content, headers=headers)


def write_environment(path: Path, account: Account, base_url: str, ca: Path, token: str) -> None:
    """For its owner alone: the client secret and the token of `/_simulator/secrets` stand in it."""
    values = {
        "SIMULATOR_TOKEN": token,
        "AZURE_SUBSCRIPTION_ID": account.subscription,
        "AZURE_CLIENT_ID": account.client_id,
        "AZURE_SECRET": account.secret,
        "AZURE_TENANT": account.tenant,
        "AZURE_CLOUD_ENVIRONMENT": base_url,
        "ARM_CLOUD_METADATA_URL": f"{base_url}/metadata/endpoints?api-version=2019-05-01",
        "REQUESTS_CA_BUNDLE": str(ca),
        # For az: it reads the metadata without requests, and asks Microsoft about a sign-in service it does not know.
        "SSL_CERT_FILE": str(ca),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
    }
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(
        "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items()), encoding="utf-8"
    )


async def serve(arm: Arm, clock: Clock, state: Path, port: int) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    listener = socket.create_server((HOST, port), backlog=256)
    base_url = f"https://{HOST}:{listener.getsockname()[1]}"
    app = web.Application(client_max_size=BODY_LIMIT)
    token = secrets.token_urlsafe()
    handler = App(arm, Control(arm, clock.scale, token), clock, base_url)
    app.router.add_route("*", "/{path:.*}", handler.handle)
    runner = web.AppRunner(
        app, access_log=None, max_line_size=LINE_LIMIT, max_field_size=LINE_LIMIT, keepalive_timeout=300
    )
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context).start()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    authority.cert_pem.write_to_path(str(state / "ca.pem"))
    write_environment(state / "environment.sh", arm.account, base_url, state / "ca.pem", token)
    (state / "ready").write_text(base_url + "\n", encoding="utf-8")
    sys.stdout.write(f"simulator: {base_url}, environment in {state / 'environment.sh'}\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A local Azure Resource Manager for scale sets.")
    parser.add_argument(
        "--scenario", type=Path, required=True, help="the scenario file; see README.md beside this program"
    )
    parser.add_argument(
        "--state-dir", type=Path, required=True, help="where ca.pem, environment.sh and ready are written"
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument(
        "--time-scale", type=float, default=60.0, help="simulated seconds in one wall second (default 60)"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    state: Path = options.state_dir.resolve()
    state.mkdir(parents=True, exist_ok=True)
    (state / "ready").unlink(missing_ok=True)
    if options.time_scale <= 0:
        parser.error("--time-scale must be greater than 0")
    try:
        scenario = load(options.scenario, datetime.now(UTC).replace(tzinfo=None))
    except ScenarioError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    asyncio.run(serve(Arm(scenario, time.time), Clock(options.time_scale), state, options.port))
    (state / "ready").unlink(missing_ok=True)
    return 0
