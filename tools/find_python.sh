#!/usr/bin/env bash
# Prints the path of a Python >= 3.12 that runs and can make a venv: one on PATH, else one of a pyenv.
# A name on PATH proves nothing: a pyenv shim of a version that is not enabled is there and does not run.
set -u

candidates=()
for name in python3.12 python3.13 python3.14 python3 python; do
  candidates+=("$(command -v "$name" || true)")
done
for versions in "${PYENV_ROOT:-$HOME/.pyenv}/versions" "$(dirname "$(dirname "$(command -v pyenv || echo /none/none/none)")")/versions"; do
  candidates+=("$versions"/3.12.*/bin/python3 "$versions"/3.1[3-9].*/bin/python3)
done

for candidate in "${candidates[@]}"; do
  [ -n "$candidate" ] || continue
  if real=$("$candidate" -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 12); print(sys._base_executable)' 2>/dev/null); then
    echo "$real"
    exit 0
  fi
done

cat >&2 <<'TEXT'
No Python >= 3.12 that runs was found, neither on PATH nor in a pyenv. Install one, for example:
  Debian, Ubuntu    sudo apt install python3.12 python3.12-venv
  Fedora, RHEL      sudo dnf install python3.12
  macOS             brew install python@3.12
  pyenv             pyenv install 3.12
or name one: make PYTHON=/path/to/python3.12 ...
TEXT
exit 1
