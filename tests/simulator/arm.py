"""Azure Resource Manager: who may ask, what a request costs, which fault strikes it, and the headers of each answer."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import model
from .compute import BASE, SET
from .compute_extensions import Extensions
from .compute_images import Images
from .compute_instances import Instances
from .compute_machines import Machines
from .compute_rolling import RollingUpgrades
from .compute_sets import ScaleSets
from .errors import ArmError, forbidden
from .faults import WireFault
from .login import Login, cloud_metadata
from .protocol import Reply, Request, Route, Router
from .scenario import Scenario, valid_guid
from .throttle import OF_ALL, Refusal, Throttle
from .wire import Wire

COMMON = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Server": "Microsoft-HTTPAPI/2.0",
}


class Arm:
    """`wall` gives seconds since the epoch: for token life and throttling, which no time scale touches."""

    def __init__(self, scenario: Scenario, wall: Callable[[], float]) -> None:
        self.scenario = scenario
        self.world = scenario.world
        self.account = scenario.account
        self.wall = wall
        self.faults = scenario.faults
        # The tenants of other subscriptions, which have galleries only.
        self.tenants = {one.subscription: one.tenant for one in self.world.catalogue.galleries if one.subscription}
        self.login = Login(scenario.account, scenario.server, set(self.tenants.values()))
        self.throttle = Throttle(scenario.server.buckets)
        self.wire = Wire(self.world, self.account.subscription)
        self.reset_counts()
        self.router = Router()
        location = next((s.document["location"] for s in self.world.sets.values()), "westeurope")
        for service in (ScaleSets, Extensions, Instances, Machines, RollingUpgrades):
            service(self.world, self.wire, self.account, scenario.resource_groups, location).routes(self.router)
        Images(self.world, self.wire, scenario.resource_groups).routes(self.router)
        self._own_routes()
        self.world.hooks["expire_tokens"] = lambda _event: self.login.expire_all(self.wall())
        self.world.hooks["resource"] = self._resource

    def _own_routes(self) -> None:
        add, read = self.router.add, "Microsoft.Resources/subscriptions/read"
        groups = "Microsoft.Resources/subscriptions/resourceGroups/read"
        add("GET", "/subscriptions", "Subscriptions_List", None, read, self.subscriptions)
        add("GET", "/tenants", "Tenants_List", None, read, self.tenants)
        add("GET", BASE, "Subscriptions_Get", None, read, lambda _request: Reply(200, self._subscription()))
        add("GET", BASE + "/locations", "Subscriptions_ListLocations", None, read, self.locations)
        add("GET", BASE + "/resourceGroups", "ResourceGroups_List", None, groups, self.resource_groups)
        add("GET", BASE + "/resourceGroups/{group}", "ResourceGroups_Get", None, groups, self.resource_group)
        provider = "Microsoft.Resources/subscriptions/providers/read"
        add("GET", BASE + "/providers", "Providers_List", None, provider, self.providers)
        rights = "Microsoft.Authorization/permissions"
        add("GET", f"{SET}/providers/{rights}", "Permissions_ListForResource", None, f"{rights}/read", self.permissions)
        add("GET", BASE + "/providers/{namespace}", "Providers_Get", None, provider, self.provider)

    def reset_counts(self) -> None:
        self.by_operation: Counter[str] = Counter()
        self.by_method: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.by_action: Counter[str] = Counter()
        self.auxiliary_tokens: Counter[bool] = Counter()  # by whether they are valid
        self.not_get: list[dict[str, Any]] = []
        self.accepted_writes = 0
        self.first_answers: dict[str, float] = {}

    # The way of a request.

    def handle(self, request: Request) -> Reply:
        """Sign-in, metadata and ARM; everything but `/_simulator`. The world must have been advanced to now."""
        if request.path.lower() == "/metadata/endpoints":
            return Reply(200, cloud_metadata(request.base_url, request.query))
        if request.path.lower() == "/metadata/aliases.json":
            return Reply(200, {"outputs": {"aliases": {"value": {}}}})
        answer = self.login.handle(request, self.wall())
        if answer is not None:
            return answer
        self.world.client = request.headers.get("x-simulated-client", "")
        found = self.router.find(request.method, request.path)
        route: Route | None = None
        if found is not None:
            route, request.parameters = found
            request.operation = route.operation
        reply = self._answer(route, request)
        self._count(request, reply)
        self.world.notice_call(request.operation)
        return reply

    def rendered(self, reply: Reply) -> tuple[dict[str, str], bytes]:
        """The headers and the body as they go over the wire."""
        date = self.world.timestamp(self.world.now).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {**COMMON, "Date": date, **reply.headers}
        content = b"" if reply.body is None else json.dumps(reply.body, separators=(",", ":")).encode()
        if reply.body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        if reply.spoil == "html":
            headers["Content-Type"] = "text/html"
            content = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            reply.status = 502
        return headers, content

    def _answer(self, route: Route | None, request: Request) -> Reply:
        fault = None
        name = request.parameters.get("set")
        permission = route.action if route is not None else ""
        for candidate in self.faults:
            if candidate.strikes(request.operation, request.method, name, permission, self.world.seed):
                fault = candidate
                break
        if fault is not None and fault.action == "lost_before":
            return Reply(0, spoil="close")
        reply = self.login.check(request.headers.get("authorization"), request.base_url, self.wall())
        self.auxiliary_tokens.update(self.login.auxiliary(request, self.wall()))
        if reply is None:
            reply = self._struck(fault, route, request) if fault is not None else None
            reply = reply or self._do(route, request)
        if fault is not None:
            reply.delay = fault.seconds
            reply.spoil = {"lost_answer": "close", "reset": "reset", "truncated": "truncate", "html": "html"}.get(
                fault.action
            )
        self._identify(request, reply)
        return reply

    def _struck(self, fault: WireFault, route: Route | None, request: Request) -> Reply | None:
        """The answer instead of the work; None where the work is done."""
        if fault.action == "forbidden":
            error = forbidden(self.account.client_id, route.action if route else "", request.path)
            return Reply(403, error.body())
        if fault.action == "throttle":
            group = (route.policy if route else None) or "SubscriptionRequests"
            return self._too_many(Refusal(group, 900, 3554, fault.retry_after), bare=fault.bare)
        if fault.action != "error":
            return None
        body: dict[str, Any] = {"code": fault.code, "message": fault.message}
        reply = Reply(fault.status, body if fault.bare else {"error": body})
        if fault.retry_after is not None:
            reply.headers["Retry-After"] = str(fault.retry_after)
        return reply

    def _do(self, route: Route | None, request: Request) -> Reply:
        shown, refusal = "", None
        try:
            if refused := self._check_tenants(request):
                return refused
            self._check_subscription(request)
            if route is not None:
                self.scenario.permissions.check(self.account.client_id, route.action, request.path)
            if not request.api_version and route is not None:
                raise ArmError(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            if route is not None and route.policy is not None:
                key = "/".join(request.parameters.get(p, "") for p in ("group", "set", "machine"))
                if route.operation == "Operations_Get":
                    key = self._operation_key(request)
                enforce = self.scenario.server.throttle == "on"
                shown, refusal = self.throttle.charge(
                    self._policy(route.policy, request), key, self.wall(), enforce=enforce
                )
            bare = self.scenario.server.throttle_body == "bare"
            handler = self._unknown if route is None else route.handler
            reply = self._too_many(refusal, bare=bare) if refusal else handler(request)
        except ArmError as error:
            reply = Reply(error.status, error.body())
            if error.charge is not None:
                reply.headers["x-ms-request-charge"] = str(error.charge)
        self._show_limits(request, reply, shown)
        return reply

    def _policy(self, policy: str, request: Request) -> str:
        """The policy group; that of the set's own bucket where its knob says so."""
        owner = self.world.find(request.parameters.get("group", ""), request.parameters.get("set", ""))
        own = owner is not None and owner.knobs.action_buckets == "resource"
        return policy.removesuffix(OF_ALL) if own else policy

    def _operation_key(self, request: Request) -> str:
        owner = self.world.operation_sets.get(request.parameters["operation"].lower())
        return f"{owner.resource_group}/{owner.name}" if owner else ""

    def _check_tenants(self, request: Request) -> Reply | None:
        """The request's own token is of the subscription's tenant; one comes along of each tenant that it refers to."""
        account, (own, others) = self.account, self.login.tenants(request)
        tenant = self.tenants.get(self._subscription_of(request.path), account.tenant)
        if own != tenant:
            message = (
                f"The access token is from the wrong issuer '{request.base_url}/{own}/'. It must match the tenant "
                f"'{request.base_url}/{tenant}/' associated with this subscription."
            )
            challenge = f'Bearer authorization_uri="{request.base_url}/{tenant}", error="invalid_token"'
            body = {"error": {"code": "InvalidAuthenticationTokenTenant", "message": message}}
            return Reply(401, body, {"WWW-Authenticate": challenge})
        storage = model.storage_of(request.json() or {}) if request.method in ("PUT", "PATCH") else {}
        linked = self._subscription_of(str((storage.get("imageReference") or {}).get("id") or ""))
        if self.tenants.get(linked, tenant) in (tenant, *others):
            return None
        raise ArmError(
            403,
            "LinkedAuthorizationFailed",
            "The client has permission to perform action 'Microsoft.Compute/galleries/images/versions/read' on scope "
            f"'{request.path}', however the current tenant '{own}' is not authorized to access linked subscription "
            f"'{linked}'.",
        )

    def _subscription_of(self, path: str) -> str:
        return path.split("/")[2].lower() if path.lower().startswith("/subscriptions/") else ""

    def _check_subscription(self, request: Request) -> None:
        subscription = request.parameters.get("subscription")
        if subscription is None and request.path.lower().startswith("/subscriptions/"):
            subscription = request.path.split("/")[2]
        if subscription is None or subscription.lower() in (self.account.subscription, *self.tenants):
            return
        if not valid_guid(subscription):
            raise ArmError(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{subscription}' is malformed or invalid.",
            )
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")

    def _resource(self, event: dict[str, Any]) -> None:
        self.scenario.resources[str(event["resource"]["id"]).lower()] = event["resource"]

    def _unknown(self, request: Request) -> Reply:
        """A resource that the scenario holds as it is, or nothing."""
        stored = self.scenario.resources.get(request.path.lower().rstrip("/"))
        if stored is not None and request.method == "GET":
            return Reply(200, stored)
        segments = request.path.strip("/").split("/")
        if len(segments) >= 8 and segments[2].lower() == "resourcegroups":
            kind, name, group = "/".join(segments[5:7]), segments[7], segments[3]
            if group.lower() not in self.scenario.resource_groups:
                raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
            if self.world.find(group, name) is not None:
                raise ArmError(404, "NotFound", f"The simulator does not serve {request.method} {request.path}.")
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please "
                "go to https://aka.ms/ARMResourceNotFoundFix",
            )
        raise ArmError(404, "NotFound", f"The simulator does not serve {request.method} {request.path}.")

    def _too_many(self, refusal: Refusal, *, bare: bool) -> Reply:
        inner = {
            "operationGroup": refusal.group,
            "startTime": self.wire.time(self.world.now),
            "endTime": self.wire.time(self.world.now),
            "allowedRequestCount": refusal.allowed,
            "measuredRequestCount": refusal.measured,
        }
        error = {
            "code": "OperationNotAllowed",
            "message": "The server rejected the request because too many requests have been received for this "
            "subscription.",
            "details": [{"code": "TooManyRequests", "target": refusal.group, "message": json.dumps(inner)}],
        }
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        return Reply(429, error if bare else {"error": error}, headers)

    def _show_limits(self, request: Request, reply: Reply, shown: str) -> None:
        charge = reply.headers.get("x-ms-request-charge")
        if charge is not None:
            name = (
                "VMScaleSetVMViewsSubscriptionMaximum"
                if request.method == "GET"
                else "VMScaleSetBatchedVMRequestsSubscriptionMaximum"
            )
            shown += "," + self.throttle.show(name, (6000, 2000), int(charge), self.wall())
        if shown:
            reply.headers["x-ms-ratelimit-remaining-resource"] = shown
        kind = {"GET": "reads", "DELETE": "deletes"}.get(request.method, "writes")
        remaining, everywhere = (249, 3749) if kind == "reads" else (199, 2999)
        reply.headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = str(remaining)
        reply.headers[f"x-ms-ratelimit-remaining-subscription-global-{kind}"] = str(everywhere)

    def _identify(self, request: Request, reply: Reply) -> None:
        identity = str(uuid.UUID(int=random.getrandbits(128), version=4))
        correlation = request.headers.get("x-ms-correlation-request-id", identity)
        moment = self.world.timestamp(self.world.now)
        reply.headers["x-ms-request-id"] = identity
        reply.headers["x-ms-correlation-request-id"] = correlation
        reply.headers["x-ms-routing-request-id"] = f"WESTEUROPE:{moment:%Y%m%dT%H%M%SZ}:{correlation}"
        client = request.headers.get("x-ms-client-request-id")
        if client is not None and request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
            reply.headers["x-ms-client-request-id"] = client

    def _count(self, request: Request, reply: Reply) -> None:
        operation = request.operation or f"{request.method} {request.path}"
        self.by_operation[operation] += 1
        self.first_answers.setdefault(operation, self.world.now)
        self.by_status[reply.status] += 1
        if not request.path.lower().startswith("/subscriptions/"):
            return
        self.by_method[request.method] += 1
        found = self.router.find(request.method, request.path)
        if found is not None:
            self.by_action[found[0].action] += 1
        if request.method != "GET":
            when = self.world.now
            entry = {"time": when, "method": request.method, "operation": operation, "status": reply.status}
            if request.method == "POST":
                entry["instance_ids"] = _named(request)
            self.not_get.append(entry)
            self.accepted_writes += 200 <= reply.status < 300

    # Account.

    def permissions(self, _request: Request) -> Reply:
        return Reply(200, {"value": self.scenario.permissions.shown()})

    def _subscription(self) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{self.account.subscription}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": self.account.subscription,
            "tenantId": self.account.tenant,
            "displayName": self.account.name,
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def subscriptions(self, _request: Request) -> Reply:
        return Reply(200, {"value": [self._subscription()], "count": {"type": "Total", "value": 1}})

    def tenants(self, _request: Request) -> Reply:
        tenant = {
            "id": f"/tenants/{self.account.tenant}",
            "tenantId": self.account.tenant,
            "displayName": self.account.name,
        }
        return Reply(
            200,
            {"value": [{**tenant, "tenantCategory": "Home", "countryCode": "NL", "domains": ["simulated.example"]}]},
        )

    def locations(self, _request: Request) -> Reply:
        names = sorted({owner.document["location"] for owner in self.world.sets.values()})
        base = f"/subscriptions/{self.account.subscription}/locations"
        return Reply(
            200,
            {
                "value": [
                    {"id": f"{base}/{n}", "name": n, "type": "Region", "displayName": n, "regionalDisplayName": n}
                    for n in names
                ]
            },
        )

    def _group(self, name: str) -> dict[str, Any]:
        return {
            "id": self.wire.group_id(name),
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": next(
                (o.document["location"] for o in self.world.sets.values() if o.resource_group == name), "westeurope"
            ),
            "properties": {"provisioningState": "Succeeded"},
        }

    def resource_groups(self, _request: Request) -> Reply:
        return Reply(200, {"value": [self._group(name) for name in self.scenario.resource_groups.values()]})

    def resource_group(self, request: Request) -> Reply:
        name = self.scenario.resource_groups.get(request.parameters["group"].lower())
        if name is None:
            raise ArmError(
                404, "ResourceGroupNotFound", f"Resource group '{request.parameters['group']}' could not be found."
            )
        return Reply(200, self._group(name))

    def _provider(self, namespace: str) -> dict[str, Any]:
        base = f"/subscriptions/{self.account.subscription}/providers/{namespace}"
        return {"id": base, "namespace": namespace, "registrationState": "Registered", "resourceTypes": []}

    def providers(self, _request: Request) -> Reply:
        return Reply(200, {"value": [self._provider(n) for n in ("Microsoft.Compute", "Microsoft.Network")]})

    def provider(self, request: Request) -> Reply:
        return Reply(200, self._provider(request.parameters["namespace"]))


def _named(request: Request) -> Any:
    """The instance ids exactly as the body names them; None where it names none."""
    try:
        return request.json().get("instanceIds")
    except ArmError:
        return None
