# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the virtual environments that the Makefile's commands run in: `environments.py NAME…`.

Each is named after its file in tests/requirements/. It is made anew when that file, one that it includes, the Python
or its own place changed, and left alone otherwise.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "tests" / "requirements"


def directory(name: str) -> Path:
    """The newest end of the support range is the one that a developer uses by hand: it is .venv."""
    return ROOT / ".venv" if name == "newest" else CACHE / "environments" / name


def program(name: str, command: str) -> Path:
    return directory(name) / "bin" / command


def _requirement_files(path: Path) -> list[Path]:
    files = [path]
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            files += _requirement_files(path.parent / line[3:].strip())
    return files


def _fingerprint(name: str) -> str:
    digest = hashlib.sha256(f"{sys.base_prefix} {sys.version} {directory(name)}".encode())
    for path in _requirement_files(REQUIREMENTS / f"{name}.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make(name: str) -> None:
    """Make the environment where it is missing or old. Raises CalledProcessError when pip fails."""
    home, fingerprint = directory(name), _fingerprint(name)
    stamp = home / "requirements.sha256"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint:
        return
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    print(f"making {home.relative_to(ROOT)} from tests/requirements/{name}.txt …", flush=True)
    pip = [str(program(name, "python")), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [*pip, "--requirement", str(REQUIREMENTS / f"{name}.txt")],
    ):
        subprocess.run(command, check=True, text=True, stdin=subprocess.DEVNULL, capture_output=True)
    stamp.write_text(fingerprint, encoding="utf-8")


def main() -> int:
    for name in sys.argv[1:]:
        try:
            make(name)
        except subprocess.CalledProcessError as error:
            print(error.stdout, error.stderr, f"failed: {' '.join(error.cmd)}", sep="\n", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
