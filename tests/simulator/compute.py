"""What every handler of Microsoft.Compute needs: finding things, and the forms of Azure's answers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_plus

from .errors import ArmError, resource_not_found
from .instance import Instance
from .protocol import Reply, Request
from .scale_set import Operation, ScaleSet
from .scenario import Account
from .wire import SETS, Wire
from .world import World

BASE = "/subscriptions/{subscription}"
GROUP = BASE + "/resourceGroups/{group}"
SET = GROUP + "/providers/Microsoft.Compute/virtualMachineScaleSets/{set}"
VM = SET + "/virtualMachines/{vm}"
MACHINE = GROUP + "/providers/Microsoft.Compute/virtualMachines/{machine}"
PERMISSION = "Microsoft.Compute/virtualMachineScaleSets"
SIGNATURE = hashlib.sha512(b"simulated").hexdigest() * 32


class Service:
    def __init__(self, world: World, wire: Wire, account: Account, groups: dict[str, str], location: str) -> None:
        self.world = world
        self.wire = wire
        self.account = account
        self.groups = groups
        self.location = location

    # Look-ups and answers.

    def owner(self, request: Request) -> ScaleSet:
        group, name = request.parameters["group"], request.parameters["set"]
        owner = self.world.find(group, name)
        if owner is not None:
            return owner
        self.check_group(group)
        raise resource_not_found(SETS, name, group)

    def check_group(self, group: str) -> None:
        if group.lower() not in self.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")

    def instance(self, owner: ScaleSet, request: Request) -> Instance:
        wanted = request.parameters["vm"].lower()
        for key, instance in owner.instances.items():
            if key.lower() == wanted:
                return instance
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")

    def batched(self, reply: Reply, charge: int) -> Reply:
        reply.headers["x-ms-request-charge"] = str(charge)
        return reply

    def asynchronous(
        self, owner: ScaleSet, operation: Operation, request: Request, *, status: int, body: Any = None
    ) -> Reply:
        """An accepted operation: Azure-AsyncOperation always, Location only beside an empty 202."""
        knobs, version = owner.knobs, request.api_version
        url = (
            f"{request.base_url}/subscriptions/{self.account.subscription}/providers/Microsoft.Compute/locations/"
            f"{owner.document['location']}/operations/{operation.id}?p={owner.unique_id}"
        )
        tail = f"&api-version={version}"
        if knobs.poll_url == "long" or (knobs.poll_url == "auto" and version >= "2024"):
            tail += (
                f"&t=638{operation.id.replace('-', '')}&c={SIGNATURE[:2600]}&s={SIGNATURE[:1200]}&h={SIGNATURE[:43]}"
            )
        headers = {"Azure-AsyncOperation": url + tail, "azure-asyncnotification": "Enabled"}
        if status == 202:
            headers["Location"] = url + "&monitor=true" + tail
        if knobs.retry_after_initial is not None:
            headers["Retry-After"] = str(knobs.retry_after_initial)
        charge = len(operation.instance_ids) if operation.charge is None else operation.charge
        return self.batched(Reply(status, body, headers), charge)

    def check_etag(self, etag: int, request: Request) -> None:
        if request.api_version < "2024-03-01":
            return
        given = request.headers.get("if-match")
        if given is not None and given != "*" and given.strip('"') != str(etag):
            raise ArmError(
                412,
                "PreconditionFailed",
                f'Etag provided in if-match header {given} does not match etag "{etag}" of resource.',
            )
        if request.headers.get("if-none-match") == "*":
            raise ArmError(412, "PreconditionFailed", "The resource exists already; if-none-match header is '*'.")

    def not_allowed(self, owner: ScaleSet, what: str) -> ArmError:
        return ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{what}' is not allowed on Virtual Machine Scale Set '{owner.name}'.",
        )

    def spaces_in_links(self, request: Request) -> bool:
        owner = self.world.find(request.parameters.get("group", ""), request.parameters.get("set", ""))
        return owner is not None and owner.knobs.next_link_spaces

    def page(
        self,
        request: Request,
        things: list[Any],
        key: Callable[[Any], str],
        item: Callable[[Any], dict[str, Any]],
        size: int,
    ) -> Reply:
        """`things` in the order of `key`; the token names the last one seen: churn does no harm."""
        token = request.query.get("$skiptoken")
        if token is not None:
            try:
                after = base64.urlsafe_b64decode(token).decode()
            except ValueError as error:
                raise ArmError(400, "InvalidParameter", "The $skiptoken is invalid.") from error
            things = [thing for thing in things if key(thing) > after]
        body: dict[str, Any] = {"value": [item(thing) for thing in things[:size]]}
        if len(things) > size:
            token = quote(base64.urlsafe_b64encode(key(things[size - 1]).encode()).decode())
            query = "&".join(
                p for p in request.query_string.split("&") if not p.lower().startswith(("$skiptoken", "%24skiptoken"))
            )
            query = unquote_plus(query) if self.spaces_in_links(request) else query
            body["nextLink"] = f"{request.base_url}{request.path}?{query}&$skiptoken={token}"
        return Reply(200, body)
