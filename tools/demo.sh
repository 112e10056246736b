#!/usr/bin/env bash
# The demo: a simulated scale set gets a new image, by the real playbook through the real Azure SDK.
# demo.sh [COLLECTIONS_DIR [TIME_SCALE]]: without COLLECTIONS_DIR the checkout is built and installed first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$PWD/.cache/demo
collections=${1:-$work/collections}
time_scale=${2:-60}
export PATH=$PWD/.venv/bin:$PATH

rm -rf "$work"
mkdir -p "$work/home" "$work/journal"
touch "$work/ansible.cfg"
# Nothing of the user's own Ansible or Azure set-up is read or written.
export HOME=$work/home
export ANSIBLE_COLLECTIONS_PATH=$collections ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=false ANSIBLE_CONFIG=$work/ansible.cfg
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
export ANSIBLE_CALLBACKS_ENABLED=steady.vmss.rollout  # in a terminal a live map
while read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(AZURE|ARM)_')

if [ $# -eq 0 ]; then
  ansible-galaxy collection build --output-path "$work" --force >"$work/install.log"
  ansible-galaxy collection install "$work"/steady-vmss-*.tar.gz -p "$collections" --offline >>"$work/install.log"
fi

python tests/simulator --scenario tests/simulator/scenarios/demo.yml --state-dir "$work/simulator" \
  --time-scale "$time_scale" >"$work/simulator.log" 2>&1 </dev/null &
simulator=$!
trap 'kill "$simulator" 2>/dev/null; wait "$simulator" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  [ -e "$work/simulator/ready" ] && break
  if ! kill -0 "$simulator" 2>/dev/null; then
    break
  fi
  sleep 0.1
done
if ! [ -e "$work/simulator/ready" ]; then
  echo "the simulator did not start; $work/simulator.log says:" >&2
  cat "$work/simulator.log" >&2
  exit 1
fi
# shellcheck disable=SC1091
. "$work/simulator/environment.sh"

which=(-e rollout_resource_group=shop -e rollout_scale_set=web)
image=Canonical:ubuntu-24_04-lts:server:latest
echo "A simulated Azure answers at $AZURE_CLOUD_ENVIRONMENT; its machines take a minute each and time runs ${time_scale} times as fast."
echo "+ ansible-playbook steady.vmss.upgrade_image ${which[*]} -e rollout_image=$image"
ansible-playbook steady.vmss.upgrade_image "${which[@]}" -e rollout_image=$image -e rollout_journal_dir="$work/journal"
echo "+ ansible-playbook steady.vmss.status ${which[*]}"
ansible-playbook steady.vmss.status "${which[@]}"

python - "$work/metrics.json" <<'PYTHON'
import json, os, pathlib, sys
import requests

metrics = requests.get(os.environ["AZURE_CLOUD_ENVIRONMENT"].rstrip("/") + "/_simulator/metrics", timeout=30).json()
pathlib.Path(sys.argv[1]).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
web = metrics["scale_sets"]["web"]
print(f"The simulator counted {metrics['arm_calls']} ARM calls, {len(web['disks_replaced'])} disks replaced,"
      f" and at most {web['unavailable']['max']} instance unavailable at once.")
sys.exit(set(web["disks_replaced"].values()) != {1})
PYTHON
echo "What the rollout saw and did   $(find "$work/journal" -type f)"
echo "What the simulator measured    $work/metrics.json"
