# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to sign in works, or says in one sentence what is missing; none shows a secret, however verbose."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import harness
import pytest
import scenes
from scenes import GROUP, NAME, StartSimulator

pytestmark = pytest.mark.both_ends

AWX = ("AZURE_SUBSCRIPTION_ID", "AZURE_CLIENT_ID", "AZURE_SECRET", "AZURE_TENANT")
NOTHING: dict[str, str | None] = {
    **dict.fromkeys(AWX),
    # No managed identity answers: as on a machine outside of Azure, but at once.
    "IDENTITY_ENDPOINT": None,
    "AZURE_POD_IDENTITY_AUTHORITY_HOST": "https://127.0.0.1:1",
}
WRONG = "a~wrong.secret-of-mine"


def play(args: dict[str, Any]) -> list[dict[str, Any]]:
    task = {"name": "Read", "steady.vmss.scale_set_info": {"resource_group": GROUP, "name": NAME, **args}}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def write_profiles(home: Path, account: dict[str, str]) -> None:
    folder = home / ".azure"
    folder.mkdir(parents=True)
    lines = ["[default]", "client_id=nobody", "secret=none", "tenant=nowhere", "[shop]"]
    lines += [f"{name}={value}" for name, value in account.items()]
    (folder / "credentials").write_text("\n".join(lines), encoding="utf-8")


def test_every_way(simulator: StartSimulator, tmp_path: Path) -> None:
    azure = simulator(scenes.scenario(1))
    given = dict(
        zip(("subscription_id", "client_id", "secret", "tenant"), map(azure.environment.get, AWX), strict=True)
    )
    account = {name: str(value) for name, value in given.items()}
    write_profiles(tmp_path, account)
    identity = {
        "AZURE_SECRET": None,
        "AZURE_TENANT": None,
        "AZURE_CLIENT_SECRET": account["secret"],
        "AZURE_TENANT_ID": account["tenant"],
    }
    password = {**NOTHING, "AZURE_SUBSCRIPTION_ID": account["subscription_id"]}
    nobody = {**password, "AZURE_CLIENT_ID": None}
    # The module's options, the variables; what the message says, None where it works.
    cases: dict[str, tuple[dict[str, Any], dict[str, str | None], list[str] | None]] = {
        "options": (account, NOTHING, None),
        "AWX": ({}, {}, None),
        "azure-identity": ({}, identity, None),
        "a profile": ({"profile": "shop"}, {**NOTHING, "HOME": str(tmp_path)}, None),
        "the profile's variable": ({}, {"AZURE_PROFILE": "shop", "HOME": str(tmp_path)}, None),
        "a wrong secret": ({}, {"AZURE_SECRET": WRONG}, ["Azure refused the sign-in: AADSTS7000215", "client secret"]),
        "a wrong tenant": (
            {},
            {"AZURE_TENANT": "44444444-4444-4444-8444-444444444444"},
            ["the tenant '44444444-", "was not found"],
        ),
        "two places": (
            {"tenant": account["tenant"]},
            {},
            ["tenant is given by the options and client_id by the variables", "in one place"],
        ),
        "no tenant": ({}, {"AZURE_TENANT": None}, ["needs tenant, which is not set", "AZURE_TENANT"]),
        "no subscription": ({}, {"AZURE_SUBSCRIPTION_ID": None}, ["No subscription is named", "AZURE_SUBSCRIPTION_ID"]),
        "nothing": (
            {},
            nobody,
            ["No Azure credentials were found", "AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT", "az login"],
        ),
        "a user name": (
            {},
            {**password, "AZURE_AD_USER": "ann@example.org", "AZURE_PASSWORD": WRONG},
            ["user name and password is not supported", "Use a service principal"],
        ),
        "no such profile": ({"profile": "nope"}, {"HOME": str(tmp_path)}, ["profile 'nope' was not found", "[nope]"]),
        "an unknown authority": (
            {},
            {"REQUESTS_CA_BUNDLE": None, "SSL_CERT_FILE": None},
            ["certificate", "REQUESTS_CA_BUNDLE"],
        ),
    }

    def read(case: str) -> harness.Result:
        args, env, _dummy = cases[case]
        # Modules' arguments are shown only when asked for from ansible-core 2.21 on.
        return harness.run_playbook(play(args), azure, env={"ANSIBLE_INJECT_INVOCATION": "true", **env}, verbosity=3)

    with ThreadPoolExecutor(3) as pool:
        runs = dict(zip(cases, pool.map(read, cases), strict=True))
    secrets = [*azure.secrets(), WRONG]
    wrong: dict[str, list[str]] = {}
    for case, (*_dummy, words) in cases.items():
        run = runs[case]
        shown = run.output + str([task.result for task in run.tasks])
        assert [secret for secret in secrets if secret in shown] == [], case
        assert "Traceback" not in shown, case
        sentence = len(run.failures) == 1 and len(run.failures[0]) < 700 and "\n" not in run.failures[0]
        if run.failures and (not sentence or words is None or not all(word in run.failures[0] for word in words)):
            wrong[case] = run.failures
        assert run.rc == (0 if words is None else 2), f"{case}: {run.failures}"
    assert wrong == {}
    assert azure.metrics()["non_get"] == []


def test_a_token_that_expires_in_the_middle(simulator: StartSimulator) -> None:
    """Azure takes the token no longer right after it accepted the work: nothing is sent twice, nothing is lost."""
    operations = ("VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances", "Operations_Get")
    expiry = [{"when": {"calls": {operation: 1}}, "do": "expire_tokens"} for operation in operations]
    azure = simulator(scenes.scenario(2, update_domains=1, events=expiry), 300)
    run = scenes.roll(azure, variables={"rollout_max_unavailable": "100%"}, verbosity=3)
    metrics = azure.metrics()
    assert run.rc == 0, run.output
    assert metrics["unauthorized"] >= 3
    assert scenes.judged(azure)["disks_replaced"] == {"0": 1, "1": 1}
    sent = [call["operation"] for call in metrics["non_get"] if call["status"] != 401]
    assert sent == [f"VirtualMachineScaleSets_{name}" for name in ("Update", "UpdateInstances", "Update")]
    assert run.fact("rollout_result")["outcome"] == "upgraded"
    assert [secret for secret in azure.secrets() if secret in run.output] == []
    assert not re.search(r"Traceback|ExpiredAuthenticationToken", run.output)


def test_tokens_of_other_tenants_go_along(simulator: StartSimulator) -> None:
    """The module's option and the variable of the roles and playbooks, as where a gallery is in another tenant."""
    azure = simulator(scenes.scenario(1))
    others = ["organizations", "common"]  # names under which the simulated tenant answers too
    read = harness.run_playbook(play({"auxiliary_tenants": others}), azure)
    metrics = azure.metrics()
    assert read.rc == 0 and metrics["auxiliary_tokens"] == 2 * metrics["arm_calls"] > 0, read.output
    assert metrics["tokens_issued"] == 3
    azure.reset()
    run = scenes.roll(azure, variables={"rollout_auxiliary_tenants": "organizations"}, check=True)
    metrics = azure.metrics()
    assert run.rc == 0 and metrics["auxiliary_tokens"] == metrics["arm_calls"] > 0, run.output
    assert [secret for secret in azure.secrets() if secret in run.output + read.output] == []


OTHER = {"tenant": "44444444-4444-4444-8444-444444444444", "subscription": "55555555-5555-4555-8555-555555555555"}


@pytest.mark.parametrize("image", ["/versions/2.0.0", ""], ids=["version", "newest"])
def test_a_gallery_in_another_tenant_needs_that_tenants_token(simulator: StartSimulator, image: str) -> None:
    """Azure reads the gallery with its own tenant's token, and takes a model that refers to it beside such a token."""
    gallery = f"/subscriptions/{OTHER['subscription']}/resourceGroups/images/providers/Microsoft.Compute/galleries/g"
    web = f"{gallery}/images/web"
    picture = {"name": "web", "versions": [{"version": "1.0.0"}, {"version": "2.0.0"}]}
    galleries = [{"name": "g", "resource_group": "images", "images": [picture], **OTHER}]
    sets = [scenes.scale_set(1, image={"id": f"{web}/versions/1.0.0"})]
    azure = simulator({"images": {"galleries": galleries}, "scale_sets": sets}, 240)
    given = {"rollout_image": f"{web}{image}"}
    refused = scenes.roll(azure, variables=given)
    assert refused.rc != 0 and "rollout_auxiliary_tenants" in refused.failures[-1], refused.output
    assert azure.metrics()["non_get"] == []
    run = scenes.roll(azure, variables={**given, "rollout_auxiliary_tenants": OTHER["tenant"]})
    assert run.rc == 0 and scenes.versions(azure) == {"0": "2.0.0"}, run.output
    assert [secret for secret in azure.secrets() if secret in run.output] == []
