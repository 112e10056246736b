# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts.codes import Code
from ansible_collections.steady.vmss.plugins.module_utils._facts.scale_set import ScaleSet
from ansible_collections.steady.vmss.plugins.module_utils._model import health_source
from ansible_collections.steady.vmss.plugins.module_utils._model.health_source import EXTENSION, NUMBERS, PROBE
from ansible_collections.steady.vmss.plugins.module_utils._options import HealthMonitorRequest

from ..asking import request
from ..refusals import refused

OTHER = {"name": "boot", "properties": {"type": "CustomScript", "settings": {"a": 1}}}
PROBE_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/probes/health"


def scale_set(
    *extensions: dict[str, Any], probe: str | None = None, sources: tuple[str, ...] = (), **members: Any
) -> ScaleSet:
    network = {"healthProbe": {"id": probe}} if probe else {}
    profile = {"extensionProfile": {"extensions": list(extensions)}, "networkProfile": network}
    document = {"properties": {"virtualMachineProfile": profile}}
    members = {"os_type": "Linux", **members}
    return ScaleSet("id", "web", "shop", "westeurope", document=document, health_sources=sources, **members)


def health(version: str = "1.0", **settings: Any) -> dict[str, Any]:
    properties = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthLinux"}
    return {"name": "mine", "properties": {**properties, "typeHandlerVersion": version, "settings": settings}}


def options(**given: Any) -> dict[str, Any]:
    return {"state": "present", "source": EXTENSION, "replace": False, **given}


@st.composite
def extension_options(draw: st.DrawFn) -> dict[str, Any]:
    """Options that Azure takes."""
    protocol = draw(st.sampled_from(["http", "https", "tcp"]))
    states = draw(st.sampled_from(["binary", "rich"]))
    numbers = {name: st.integers(one.least, one.most) for name, one in NUMBERS.items()}
    if states == "binary":
        numbers.pop("grace_period")
    given = draw(st.fixed_dictionaries({"port": numbers.pop("port")}, optional=numbers))
    path = {} if protocol == "tcp" else {"request_path": draw(st.sampled_from(["/", "/health", "health"]))}
    return options(protocol=protocol, health_states=states, **given, **path)


STORED = st.sampled_from(
    [
        None,
        health(protocol="http", port=80, requestPath="/"),
        health("2.0", protocol="https", port=443, requestPath="/h", gracePeriod=600, tomorrow=1),
        health("2.3", protocol="tcp", port=22, numberOfProbes=24),
    ]
)


@given(stored=STORED, asked=extension_options())
def test_what_is_written_is_what_is_shown_and_asked_for_once(
    stored: dict[str, Any] | None, asked: dict[str, Any]
) -> None:
    before = scale_set(OTHER, *([stored] if stored else []), sources=(EXTENSION,) if stored else ())
    wanted = health_source.desired(before, request(HealthMonitorRequest, asked))
    written = health_source.document(before, wanted[EXTENSION])
    after = scale_set(OTHER, written, sources=(EXTENSION,))
    assert health_source.current(after) == wanted
    assert health_source.desired(after, request(HealthMonitorRequest, asked)) == wanted, (
        "asked for again, nothing changes"
    )
    settings = written["properties"]["settings"]
    assert settings.get("tomorrow") == ((stored or {}).get("properties", {}).get("settings", {}).get("tomorrow"))
    assert ("requestPath" in settings) == (asked["protocol"] != "tcp")
    assert written["name"] == ("mine" if stored else "ApplicationHealthLinux")
    rich = written["properties"]["typeHandlerVersion"].startswith("2")
    assert rich == (asked["health_states"] == "rich") and (rich or "gracePeriod" not in settings)
    for name, setting in NUMBERS.items():
        if asked.get(name) is not None:
            assert settings[setting.wire] == asked[name]


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("side", ["least", "most"])
def test_a_number_out_of_range_is_refused(name: str, side: str) -> None:
    setting = NUMBERS[name]
    edge = getattr(setting, side)
    given = options(protocol="http", request_path="/", health_states="rich")
    assert (
        health_source.desired(scale_set(), request(HealthMonitorRequest, {**given, name: edge}))[EXTENSION][name]
        == edge
    )
    beyond = edge - 1 if side == "least" else edge + 1
    with refused("option_invalid", f"{name} {beyond} .* {setting.least} to {setting.most}"):
        health_source.desired(scale_set(), request(HealthMonitorRequest, {**given, name: beyond}))


def test_a_minor_version_is_kept() -> None:
    owner = scale_set(health("2.3", protocol="tcp", port=22), sources=(EXTENSION,))
    wanted = health_source.desired(owner, request(HealthMonitorRequest, options(port=23)))
    assert health_source.document(owner, wanted[EXTENSION])["properties"]["typeHandlerVersion"] == "2.3"


def test_the_same_probe_in_other_letters_is_the_same() -> None:
    owner = scale_set(probe=PROBE_ID.upper(), sources=(PROBE,))
    wanted = health_source.desired(owner, request(HealthMonitorRequest, options(source=PROBE, probe_id=PROBE_ID)))
    assert wanted == health_source.current(owner)


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"sources": ("external_health_policy",)}, "health_source_taken", "external health policy"),
        ({"sources": (PROBE,), "probe": PROBE_ID}, "health_source_taken", "replace: true"),
        ({"os_type": ""}, "option_invalid", "Linux or Windows"),
    ],
)
def test_a_set_that_cannot_take_the_extension(members: dict[str, Any], code: Code, words: str) -> None:
    with refused(code, words):
        health_source.desired(scale_set(**members), request(HealthMonitorRequest, options(protocol="tcp", port=22)))


def test_service_fabric_takes_no_probe() -> None:
    with refused("option_invalid", "Service Fabric"):
        health_source.desired(
            scale_set(service_fabric=True), request(HealthMonitorRequest, options(source=PROBE, probe_id=PROBE_ID))
        )


def test_one_of_two_sources_may_go_though_one_is_needed() -> None:
    sources = {"sources": (EXTENSION, PROBE), "probe": PROBE_ID}
    owner = scale_set(health(protocol="tcp", port=22), upgrade_mode="Rolling", **sources)
    left = health_source.desired(owner, request(HealthMonitorRequest, options(state="absent", source=PROBE)))
    assert left[PROBE] is None and left[EXTENSION] is not None
    with refused("health_source_needed", "Rolling"):
        health_source.desired(owner, request(HealthMonitorRequest, options(state="absent", source=None)))
