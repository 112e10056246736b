"""The simulator's protocol without a socket: sign-in, routes, faults and buckets, with the wall clock handed in."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from simulator.arm import Arm
from simulator.control import Control
from simulator.protocol import Reply, Request
from simulator.scenario import build

HOST = "https://127.0.0.1:1"
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web"

STRANGE = {"do": "show", "pick": 6, "provisioning": "Rehydrating", "power": "dreaming", "seconds": 60}


class Client:
    """Asks the Arm as a signed-in client would, at a wall time of the test's choosing."""

    def __init__(self, **scenario: Any) -> None:
        image = {"publisher": "p", "offer": "o", "sku": "s"}
        data = {
            "images": {"platform": [{**image, "versions": ["1.0.1", "1.0.2"]}]},
            "scale_sets": [
                {"name": "web", "resource_group": "rg", "capacity": 5, "image": {**image, "version": "1.0.1"}}
            ],
        }
        self.now = 1000.0
        self.arm = Arm(build(data | scenario, datetime(2026, 1, 1)), lambda: self.now)
        self.control = Control(self.arm, 1, "token")
        self.token = ""

    def ask(self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        parts = urlsplit(url)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.arm.handle(Request(method, parts.path, parts.query, given | (headers or {}), content, HOST))

    def sign_in(self, secret: str | None = None) -> Reply:
        account = self.arm.account
        form = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": secret or account.secret,
            "scope": f"{HOST}/.default",
        }
        reply = self.ask("POST", f"/{account.tenant}/oauth2/v2.0/token", urlencode(form).encode())
        self.token = reply.body.get("access_token", "")
        return reply

    def get(self, path: str = SET, **query: str) -> Reply:
        return self.ask("GET", f"{path}?{urlencode({'api-version': '2024-11-01', **query})}")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.sign_in()
    return client


class TestSignIn:
    def test_a_wrong_secret_gets_the_directory_s_words(self) -> None:
        reply = Client().sign_in("wrong")
        assert (reply.status, reply.body["error"], reply.body["error_codes"]) == (401, "invalid_client", [7000215])

    def test_tokens_expire_in_wall_seconds(self) -> None:
        client = Client(server={"token_life": 60})
        assert client.get().body["error"]["code"] == "AuthenticationFailed"
        client.sign_in()
        assert client.get().status == 200
        client.now += 60
        reply = client.get()
        assert (reply.status, reply.body["error"]["code"]) == (401, "ExpiredAuthenticationToken")
        assert "invalid_token" in reply.headers["WWW-Authenticate"]


class TestRoutes:
    def test_case_does_not_matter(self, client: Client) -> None:
        assert client.get(SET.upper()).body == client.get().body
        assert client.get(SET.lower() + "/VIRTUALMACHINES").body["value"][0]["name"] == "web_0"

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            (SET + "x", "ResourceNotFound"),
            (SET.replace("/rg/", "/other/"), "ResourceGroupNotFound"),
            (SET.replace("1111-1", "1111-2"), "SubscriptionNotFound"),
            (SET + "/virtualMachines/99", "NotFound"),
            (SET + "/rollingUpgrades/latest", "NotFound"),
        ],
    )
    def test_what_is_not_there(self, client: Client, path: str, code: str) -> None:
        reply = client.get(path)
        assert (reply.status, reply.body["error"]["code"]) == (404, code)

    def test_etag_since_2024(self, client: Client) -> None:
        assert client.get().headers["ETag"] == '"1"'
        assert "etag" not in client.ask("GET", f"{SET}?api-version=2022-11-01").body
        url = f"{SET}?api-version=2024-11-01"
        assert client.ask("PATCH", url, {"tags": {}}, {"If-Match": '"1"'}).status == 200
        reply = client.ask("PATCH", url, {"tags": {}}, {"If-Match": '"1"'})
        assert (reply.status, reply.body["error"]["code"]) == (412, "PreconditionFailed")

    def test_pages_survive_churn(self) -> None:
        client = Client(knobs={"page_size": 2})
        client.sign_in()
        first = client.get(SET + "/virtualMachines").body
        assert [item["instanceId"] for item in first["value"]] == ["0", "1"]
        client.control.handle(Request("POST", "/_simulator/events", "", {}, b'{"do": "remove", "instance": "1"}', HOST))
        client.arm.world.advance(0)
        second = client.ask("GET", first["nextLink"]).body
        assert [item["instanceId"] for item in second["value"]] == ["2", "3"]
        assert "nextLink" not in client.ask("GET", second["nextLink"]).body


class TestFaults:
    def test_an_answer_lost_after_the_work_was_accepted(self) -> None:
        fault = {"operation": "*_update", "action": "lost_answer", "after_calls": 1, "times": 1}
        client = Client(faults=[fault])
        client.sign_in()
        url = f"{SET}?api-version=2024-11-01"
        replies = [client.ask("PATCH", url, {"tags": {"n": str(n)}}) for n in range(3)]
        assert [reply.spoil for reply in replies] == [None, "close", None]
        assert client.get().body["etag"] == '"4"', "the lost one was done too"

    def test_an_answer_lost_before(self) -> None:
        client = Client(faults=[{"operation": "*_Update", "action": "lost_before"}])
        client.sign_in()
        assert client.ask("PATCH", f"{SET}?api-version=2024-11-01", {"tags": {}}).spoil == "close"
        assert client.get().body["etag"] == '"1"'

    def test_an_error_instead_of_the_work(self) -> None:
        fault = {
            "operation": "*UpdateInstances",
            "status": 429,
            "code": "TooManyRequests",
            "retry_after": 7,
            "bare": True,
        }
        client = Client(faults=[fault])
        client.sign_in()
        reply = client.ask("POST", f"{SET}/manualupgrade?api-version=2024-11-01", {"instanceIds": ["0"]})
        assert (reply.status, reply.headers["Retry-After"], reply.body["code"]) == (429, "7", "TooManyRequests")

    def test_a_missing_permission_is_named(self) -> None:
        client = Client(faults=[{"action": "forbidden", "permission": "*/manualupgrade/action"}])
        client.sign_in()
        assert client.get().status == 200
        reply = client.ask("POST", f"{SET}/manualupgrade?api-version=2024-11-01", {"instanceIds": ["0"]})
        assert (reply.status, reply.body["error"]["code"]) == (403, "AuthorizationFailed")
        assert "'Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action'" in reply.body["error"]["message"]

    @pytest.mark.parametrize(("bare", "retry_after"), [(True, None), (False, 9)])
    def test_throttled_in_both_forms(self, bare: bool, retry_after: int | None) -> None:
        client = Client(faults=[{"action": "throttle", "bare": bare, "retry_after": retry_after, "times": 1}])
        client.sign_in()
        reply = client.get()
        error = reply.body if bare else reply.body["error"]
        assert (reply.status, error["details"][0]["code"]) == (429, "TooManyRequests")
        assert reply.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))

    def test_a_signed_out_client_gets_401_and_not_the_fault(self) -> None:
        assert Client(faults=[{"status": 500}]).get().status == 401


class TestThrottling:
    def test_buckets_are_azure_s_and_fill_by_the_wall(self) -> None:
        client = Client(server={"throttle": "on"})
        client.sign_in()
        statuses = [client.get(SET + "/virtualMachines").status for _dummy in range(31)]
        assert statuses == [200] * 30 + [429]
        reply = client.get(SET + "/virtualMachines")
        (detail,) = reply.body["error"]["details"]
        assert json.loads(detail["message"])["allowedRequestCount"] == 30
        client.now += int(reply.headers["Retry-After"])
        assert client.get(SET + "/virtualMachines").status == 200

    def test_they_are_shown_and_not_enforced_by_default(self, client: Client) -> None:
        shown = [client.get().headers["x-ms-ratelimit-remaining-resource"] for _dummy in range(40)][-1]
        assert "Microsoft.Compute/GetVMScaleSetResource;0" in shown


def test_every_request_is_counted(client: Client) -> None:
    client.get()
    client.ask("POST", f"{SET}/manualupgrade?api-version=2024-11-01", {"instanceIds": ["99"]})
    metrics = client.control.metrics(Request("GET", "/_simulator/metrics", "", {}, b"", HOST))
    assert (metrics["arm_calls"], metrics["writes"], metrics["accepted_writes"]) == (2, 1, 0)
    assert metrics["by_operation"] == {"VirtualMachineScaleSets_Get": 1, "VirtualMachineScaleSets_UpdateInstances": 1}
    assert metrics["by_action"]["Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action"] == 1


def test_the_ids_that_a_request_names_are_told_as_they_were(client: Client) -> None:
    client.ask("POST", f"{SET}/manualupgrade?api-version=2024-11-01", {"instanceIds": ["*"]})
    client.ask("POST", f"{SET}/reimageall?api-version=2024-11-01")
    assert [entry["instance_ids"] for entry in client.arm.not_get] == [["*"], None]


def test_members_and_states_that_no_client_knows() -> None:
    client = Client(knobs={"future_members": True})
    client.sign_in()
    client.control.handle(Request("POST", "/_simulator/events", "", {}, json.dumps(STRANGE).encode(), HOST))
    item = client.get(SET + "/virtualMachines/1", **{"$expand": "instanceView"}).body["properties"]
    assert item["someNewFlag"] is True
    assert item["provisioningState"] == "Rehydrating"
    codes = [status["code"] for status in item["instanceView"]["statuses"]]
    assert codes == ["ProvisioningState/rehydrating", "PowerState/dreaming", "SomeNewState/pending"]
    assert client.arm.world.find("rg", "web").instances["1"].available  # type: ignore[union-attr]


class TestPermissions:
    RIGHTS = f"{SET}/providers/Microsoft.Authorization/permissions"

    def client(self, **permissions: Any) -> Client:
        client = Client(permissions=permissions)
        client.sign_in()
        return client

    def test_everything_is_allowed_where_the_scenario_says_nothing(self, client: Client) -> None:
        empty: dict[str, Any] = {"notActions": [], "dataActions": [], "notDataActions": []}
        assert client.get(self.RIGHTS).body == {"value": [{"actions": ["*"], **empty}]}

    def test_what_the_roles_show_is_what_holds(self) -> None:
        roles = [
            {"actions": ["*/READ"], "notActions": ["*/instanceView/*"]},
            {"actions": ["Microsoft.Compute/*/start/action"]},
        ]
        client = self.client(roles=roles)
        assert client.get().status == 200
        assert client.get(f"{SET}/instanceView").status == 403
        assert client.ask("POST", f"{SET}/start?api-version=1", {"instanceIds": ["0"]}).status == 202
        refused = client.ask("POST", f"{SET}/manualupgrade?api-version=1", {"instanceIds": ["0"]})
        assert (refused.status, refused.body["error"]["code"]) == (403, "AuthorizationFailed")
        assert "'Microsoft.Compute/virtualMachineScaleSets/manualupgrade/action'" in refused.body["error"]["message"]
        assert [role["actions"] for role in client.get(self.RIGHTS).body["value"]] == [
            role["actions"] for role in roles
        ]

    def test_a_deny_assignment_holds_and_is_not_shown(self) -> None:
        client = self.client(denied=["*/manualupgrade/action"])
        refused = client.ask("POST", f"{SET}/manualupgrade?api-version=1", {"instanceIds": ["0"]})
        assert (refused.status, refused.body["error"]["code"]) == (403, "DenyAssignmentAuthorizationFailed")
        assert client.get(self.RIGHTS).body["value"][0]["notActions"] == []

    def test_the_list_itself_needs_a_permission(self) -> None:
        assert self.client(roles=[{"actions": ["Microsoft.Compute/*"]}]).get(self.RIGHTS).status == 403
