# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a module: text that does nothing, and no secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args

from ansible_collections.steady.vmss.plugins.module_utils import _module
from ansible_collections.steady.vmss.plugins.module_utils._arm import client, redaction
from ansible_collections.steady.vmss.plugins.module_utils._arm.errors import AzureError
from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._facts.problems import Problem, Refused
from ansible_collections.steady.vmss.plugins.module_utils._facts.releases import OLDEST_ANSIBLE
from ansible_collections.steady.vmss.plugins.module_utils._options import ConnectionOptions

HOSTILE = "\x1b]0;x\x07 ##vso[task.setvariable variable=a]b \u202e"
SECRET = "s3cr3t~value.of-the_client"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known_secrets", set())


@dataclass(frozen=True, kw_only=True)
class Asked(ConnectionOptions):
    image: Any = None
    settings: Mapping[str, Any] | None = None


# Up to ansible-core 2.20 the options are in each result, unasked.
INVOCATION = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}


def ended(capsys: pytest.CaptureFixture[str], body: Any, **options: Any) -> tuple[dict[str, Any], str]:
    """The result of a module with this body, and all that it printed."""
    given = {"subscription_id": "s", "client_id": "c", "tenant": "t", **options}
    with patch_module_args(given), pytest.raises(SystemExit):
        _module.run(body, Asked)
    out = capsys.readouterr().out
    return json.loads(out), out


def raising(error: Exception) -> Any:
    def body(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        raise error

    return body


@pytest.mark.parametrize(
    "body",
    [
        lambda *_a, **_k: {"changed": False, "name": HOSTILE, "tags": {HOSTILE: [HOSTILE]}, "warnings": [HOSTILE]},
        raising(Refused("not_ready", HOSTILE, left={HOSTILE: HOSTILE})),
        raising(_module.Failed("not_ready", HOSTILE, rollout_result={"why": HOSTILE}, warnings=[HOSTILE])),
        raising(AzureError(Problem("refused", HOSTILE, HOSTILE), HOSTILE)),
    ],
)
def test_nothing_that_another_wrote_does_something(capsys: pytest.CaptureFixture[str], body: Any) -> None:
    result, out = ended(capsys, body, secret=SECRET)
    assert all(character.isprintable() or character == "\n" for character in out)
    assert "##vso[" not in out and "\\u001b]" in str(result).replace("\\\\", "\\")
    assert "u202e" in out


def test_a_known_secret_is_in_no_result(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://bob:pr0xy-pa55@proxy.test:3128")
    monkeypatch.setenv("AZURE_SECRET", SECRET)
    said = f"at http://bob:pr0xy-pa55@proxy.test:3128, {SECRET}, pr0xy-pa55"
    _result, out = ended(capsys, raising(Refused("not_ready", said, more={"a": [said]})))
    assert SECRET not in out and "pr0xy-pa55" not in out


def test_only_a_query_of_a_uri_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"question": "ready?e", "script": "https://blobs.example/a.sh?sv=1&sig=abcdef", "short": "https://a/b?e"}
    _result, out = ended(capsys, lambda *_a, **_k: {"echo": settings, "words": "every letter e"}, settings=settings)
    assert "every letter e" in out and "ready?e" in out
    assert "abcdef" not in out


SIGNATURE = "zZ9%2Fsignature%3D"
QUERY = f"sv=2024-01-01&se=2027-01-01&sig={SIGNATURE}"
BLOB = "https://store.blob.core.windows.net/vhds/web.vhd"
FORMS = [
    f"{BLOB}?{QUERY}",
    f"  {BLOB}?{QUERY} \t\n",
    f"{BLOB}?{QUERY}".upper().replace("SIGNATURE", "signature"),
    json.dumps({"vhd_uri": f"{BLOB}?{QUERY}"}),
    json.dumps({"vhd_uri": f"{BLOB}?{QUERY}"}).replace("/", "\\/").replace("&", "\\u0026").replace("?", "\\u003f"),
    str({"vhd_uri": f"{BLOB}?{QUERY}"}),
    f"{BLOB}%3F{QUERY}",
    {"vhd_uri": f"{BLOB}?{QUERY}"},
    {"vhd_uri": f"{BLOB}?{QUERY} "},
    {f"vhd_uri {BLOB}?{QUERY}": "x"},
    [f"{BLOB}?{QUERY}"],
    [{"vhd_uri": [f"{BLOB}?{QUERY}"]}],
    QUERY,
    f"sig={SIGNATURE}",
    f"https://bob:signature@host/web.vhd?{QUERY}",
]


def parsed(_azure: object, request: Any, **_options: Any) -> dict[str, Any]:
    return {"image": str(images.parse(request.image))}


@pytest.mark.parametrize("image", FORMS, ids=range(len(FORMS)))
def test_no_image_is_shown_with_its_signature(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, image: Any
) -> None:
    """Neither in a result, nor where Ansible refuses another option, nor in the system's log of the invocation."""
    logged: list[str] = []
    monkeypatch.setattr(_module.Module, "log", lambda _self, msg, **_more: logged.append(str(msg)))
    for body, wrong in ((parsed, {}), (parsed, {"settings": "no dict"}), (raising(Refused("not_ready", "no")), {})):
        result, out = ended(capsys, body, image=image, secret=SECRET, **INVOCATION, **wrong)
        assert "invocation" in result and "ignature" not in out.replace("IGNATURE", "ignature"), out
    assert logged and "ignature" not in "".join(logged)


@pytest.mark.parametrize("image", FORMS, ids=range(len(FORMS)))
def test_no_words_about_an_image_hold_its_signature(image: Any) -> None:
    try:
        said = str(images.parse(image))
    except images.ImageError as error:
        said = str(error)
    assert "signature" not in said.lower()


@pytest.mark.parametrize("error", [None, Refused("not_ready", "no")])
def test_what_is_to_be_known_of_the_sign_in_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    # Where the controller's code has been imported, a warning is shown and does not stand in the result.
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text, **_more: warned.append(text))

    def body(azure: client.Azure, *_arguments: Any, **_options: Any) -> dict[str, Any]:
        azure.sign_in_notices.append("Another account signs in.")
        if error:
            raise error
        return {}

    ended(capsys, body, secret=SECRET)
    assert warned == ["Another account signs in."]


def test_the_client_is_asked_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    result, _out = ended(capsys, lambda azure, *_a, **_k: {"is": isinstance(azure, client.Azure)}, secret=SECRET)
    assert result["is"] is True


@pytest.mark.parametrize(("version", "old"), [("2.16.19", True), ("2.19.0", True), ("2.20.0", False), ("3.0", False)])
def test_an_ansible_core_that_is_too_old_is_one_sentence(
    capsys: pytest.CaptureFixture[str], version: str, old: bool
) -> None:
    result, _out = ended(capsys, lambda *_a, **_k: {"ran": True}, secret=SECRET, _ansible_version=version)
    assert result.get("ran", False) is not old
    if old:
        assert result["code"] == "requirements_missing"
        assert f"needs ansible-core 2.20 or newer, but this play is run by ansible-core {version}" in result["msg"]
        assert "pip install 'ansible-core>=2.20'" in result["msg"]


def test_the_oldest_ansible_core_is_the_one_of_the_collection() -> None:
    runtime = (Path(__file__).resolve().parents[2] / "meta" / "runtime.yml").read_text("utf-8")
    assert f'requires_ansible: ">={".".join(map(str, OLDEST_ANSIBLE))}.0"' in runtime
