# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any text in every tag and name that others can write, over whole answers of the modules: it does nothing."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._arm.client import connect
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import commands
from ansible_collections.steady.vmss.plugins.module_utils._facts.foreign_text import all_printable
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import ImageError
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Refused
from ansible_collections.steady.vmss.plugins.module_utils._journal import Journal
from ansible_collections.steady.vmss.plugins.module_utils._options import (
    ConnectionOptions,
    ScaleSetInfoRequest,
    UpgradePlanInfoRequest,
)
from ansible_collections.steady.vmss.plugins.module_utils._use_cases import scale_set_info, upgrade_plan_info

from . import play
from .asking import fitting, request
from .examples import examples
from .simulated import Simulated

PIPE = "{{lookup('pipe','touch /tmp/x')}}"
OLD = f"Canonical:ubuntu-24_04-lts:server:{play.OLD}"
NEW = f"Canonical:ubuntu-24_04-lts:server:{play.NEW}"
TAGS = {
    "rollout": ["0" * 32, "x/../../../../tmp/x", "0" * 31 + "\n", PIPE],
    "target": [
        OLD,
        NEW,
        f"https://blobs.example/{PIPE}.vhd",
        f"a:b:{PIPE}:1.0.0",
        "/CommunityGalleries/evil/images/i/versions/1.0.0",
    ],
    "previous": [
        OLD,
        NEW,
        "Canonical:ubuntu-24_04-lts:other:1.0.0",
        f"https://blobs.example/{PIPE}.vhd",
        "https://evil.test/a.vhd?sig=zZ9signature",
    ],
    "selection": [
        "all",
        "instances 0-4000000000",
        "update domains 0-99999999999",
        f"instances {PIPE}",
        "instances " + "9" * 200,
    ],
    "started": [
        "2026-11-27T02:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "2000-01-01T00:00:00Z",
        PIPE,
    ],
    "suspended": ["", "AutomaticRepairs", f"{PIPE},##vso[x]"],
    "state": ["in_progress", "going_back", "finished", "stopped", "rolled_back", "\x1b[2J"],
}
nasty = st.sampled_from(
    [
        PIPE,
        "{% x %}",
        "{# x #}",
        "\x1b]0;x\x07",
        "\x9b31m",
        "\u202e",
        "##vso[task.setvariable variable=a]b",
        "::warning::x",
        "a\r\nb",
        "\ud800",
    ]
)
records = st.fixed_dictionaries({name: st.sampled_from(values) | nasty for name, values in TAGS.items()})


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


@pytest.fixture(scope="module")
def sim() -> Simulated:
    return Simulated(play.scenario(3, tags={}), most_calls=10**6, longest=10**9)


@settings(max_examples=examples(80))
@given(record=records, others=st.dictionaries(nasty, nasty, max_size=2), asked=st.sampled_from([None, play.NEW]))
def test_any_tags_do_nothing(sim: Simulated, record: dict[str, str], others: dict[str, str], asked: str | None) -> None:
    owner = sim.world.find("shop", "web")
    assert owner is not None
    tags = {**others, **{f"steady-vmss-{name}": value for name, value in record.items()}}
    owner.document["tags"] = json.loads(json.dumps(tags))
    azure = connect(request(ConnectionOptions, sim.options), {"HOME": "/nonexistent"}, sim.clock, sim.session())
    options = {**play.SET, "suspend_services": True, "image": play.of_version(asked) if asked else None}
    began = time.process_time()
    results: list[Any] = []
    plan = None
    try:
        results.append(scale_set_info.read(azure, request(ScaleSetInfoRequest, fitting(ScaleSetInfoRequest, options))))
        plan = upgrade_plan_info.as_result(upgrade_plan_info.make(azure, request(UpgradePlanInfoRequest, options)))
        results.append(plan)
    except (AzureError, Refused, ImageError) as error:
        results.append(str(error))
    assert time.process_time() - began < 2, "two answers, one second of CPU for each"
    for text in texts(all_printable(results)):
        assert text.isprintable() and not re.search(r"##\[|##vso|\A::[a-z]", text)
        assert sim.options["secret"] not in text
        assert "zZ9signature" not in text or text == record["previous"]  # what a tag holds is shown as that tag
    if plan is None:
        return
    # What the role makes of it.
    assert re.fullmatch("[0-9a-f]{32}", plan["rollout_id"])
    going_on = {**play.SET, "rollout_image": plan["record"]["target"], "rollout_instance_ids": record["selection"]}
    said = commands.playbook("upgrade_image", going_on)
    assert said.isprintable() and not re.search(r"\{[{%#]", said) and len(shlex.split(said)) == 2 + 2 * len(going_on)
    if plan["previous_image"]:
        assert plan["previous_image"]["sku"] == "server", "nothing else goes back by itself"
    assert {one.headers.get("host", "azure.simulated.test") for one in sim.sent} <= {"azure.simulated.test"}


@settings(max_examples=examples(100))
@given(event=st.dictionaries(st.text(max_size=8), nasty | st.text(max_size=20), max_size=4))
def test_any_text_is_one_line_of_the_journal(tmp_path_factory: pytest.TempPathFactory, event: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("journal") / "web.jsonl"
    Journal(str(path), scale_set="x").write([event])
    lines = path.read_bytes().decode("ascii").splitlines()
    assert len(lines) == 1 and lines[0].isprintable() and "##vso[" not in lines[0]
    assert isinstance(json.loads(lines[0]), dict)


@pytest.mark.parametrize(
    ("previous", "instance", "back"),
    [
        ("Canonical:ubuntu-24_04-lts:other:1.0.0", OLD, OLD),  # what the instances run, whatever the tag says
        ("Canonical:ubuntu-24_04-lts:other:1.0.0", NEW, None),
        ("/CommunityGalleries/evil/images/i/versions/1.0.0", NEW, None),
        (OLD, NEW, OLD),
        ("", OLD, OLD),
    ],
)
def test_a_stop_writes_back_only_what_azure_reports(previous: str, instance: str, back: str | None) -> None:
    version = instance.rpartition(":")[2]
    azure = Simulated(play.scenario(2, version=version))
    owner = azure.world.find("shop", "web")
    assert owner is not None
    owner.document["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"] = play.of_version(
        play.NEW
    )
    record = {
        "rollout": "0" * 32,
        "target": NEW,
        "previous": previous,
        "started": "2026-11-27T01:00:00Z",
        "state": "in_progress",
    }
    owner.document["tags"] = {f"steady-vmss-{name}": value for name, value in record.items()}
    client = connect(request(ConnectionOptions, azure.options), {"HOME": "/nonexistent"}, azure.clock, azure.session())
    options = {**play.SET, "suspend_services": True, "image": play.of_version(play.NEW)}
    found = upgrade_plan_info.as_result(upgrade_plan_info.make(client, request(UpgradePlanInfoRequest, options)))[
        "previous_image"
    ]
    assert found == (play.of_version(back.rpartition(":")[2]) if back else None)
