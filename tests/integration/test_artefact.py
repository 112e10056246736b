# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is built for users holds what they need and nothing that lay about."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANTED = (
    "secrets.env",
    "id_rsa",
    "plugins/.env",
    "plugins/secrets.env",
    "plugins/modules/key.pem",
    "roles/rollout/files/ca.key",
    "playbooks/host_vars/vault.txt",
    "tests/output/result.xml",
    ".ssh/id_ed25519",
    "tests/simulator/server.py",
)
TOP = {"CHANGELOG.rst", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "SECURITY.md", "requirements.txt"}
BELOW = {"changelogs", "docs", "examples", "meta", "playbooks", "plugins", "roles", "tests"}


def test_the_artefact_holds_only_what_is_listed(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    skipped = shutil.ignore_patterns(
        ".*", "__pycache__", "unit", "integration", "contract", "chaos", "benchmark", "simulator"
    )
    shutil.copytree(ROOT, checkout, ignore=skipped)
    for name in PLANTED:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("AZURE_SECRET=x\n", encoding="utf-8")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", tmp_path], cwd=checkout, check=True, capture_output=True
    )
    with tarfile.open(next(tmp_path.glob("steady-vmss-*.tar.gz"))) as artefact:
        names = {one.name for one in artefact.getmembers() if one.isfile()}
    assert not names & set(PLANTED)
    assert {name for name in names if "/" not in name} == TOP
    assert {name.partition("/")[0] for name in names if "/" in name} == BELOW
    assert {name for name in names if name.startswith("tests/")} == {"tests/README.md", "tests/config.yml"}
    source = {
        str(path.relative_to(ROOT))
        for folder in ("meta", "plugins", "roles", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert source <= names
