# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that are missing or too old: what is needed, what was found, in which interpreter, and the command."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ansible_collections.steady.vmss.plugins.module_utils._arm import sdk

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"azure-identity": "1.19.0", "azure-mgmt-compute": "33.0.0", "azure-core": "1.31.0", "requests": "2.34.2"}
COMMAND = f"{sys.executable} -m pip install 'azure-identity>=1.19' 'azure-mgmt-compute>=33' 'azure-core>=1.31' requests"


def said(folder: Path, **changes: str) -> str:
    """Where these versions are installed; "" is none."""
    for name, version in {**GOOD, **{key.replace("_", "-"): value for key, value in changes.items()}}.items():
        if version:
            info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return sdk.unmet_requirements([str(folder)])


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ({"azure_mgmt_compute": "30.6.0"}, ["azure-mgmt-compute 33 or newer, but found azure-mgmt-compute 30.6.0 in"]),
        ({"azure_mgmt_compute": ""}, ["azure-mgmt-compute 33 or newer, but found no azure-mgmt-compute in"]),
        ({"azure_identity": "1.9.0"}, ["azure-identity 1.19 or newer, but found azure-identity 1.9.0 in"]),
        ({"azure_core": "1.30.2"}, ["azure-core 1.31 or newer, but found azure-core 1.30.2 in"]),
        ({"requests": ""}, ["needs requests, but found no requests in"]),
        (dict.fromkeys(["azure_identity", "azure_mgmt_compute"], ""), ["no azure-identity, no azure-mgmt-compute in"]),
    ],
)
def test_a_package_that_is_missing_or_too_old(tmp_path: Path, installed: dict[str, str], words: list[str]) -> None:
    sentence = said(tmp_path, **installed)
    version = ".".join(map(str, sys.version_info[:3]))
    for word in [*words, f"{sys.executable} (Python {version})"]:
        assert word in sentence
    assert sentence.endswith(COMMAND) and "\n" not in sentence


@pytest.mark.parametrize("installed", [{}, {"azure_mgmt_compute": "39.0.0b1"}, {"azure_identity": "2.0"}])
def test_what_is_new_enough_is_no_problem(tmp_path: Path, installed: dict[str, str]) -> None:
    assert said(tmp_path, **installed) == ""


def test_what_is_installed_but_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "IMPORT_ERROR", "Traceback …\nImportError: cannot import name 'x' from 'azure.core'\n")
    sentence = said(tmp_path)
    assert "ImportError: cannot import name 'x'" in sentence and sentence.endswith(f"{COMMAND} --force-reinstall")


def test_the_versions_are_those_that_the_collection_asks_for() -> None:
    asked = re.findall(r"^([a-z-]+)(?:>=(.*))?$", (ROOT / "meta/ee-requirements.txt").read_text("utf-8"), re.M)
    assert dict(asked) == {name: least for name, least in sdk.REQUIREMENTS.items() if name != "azure-core"}
