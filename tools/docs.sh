#!/usr/bin/env bash
# HTML documentation of all that the collection holds, in .cache/docs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$PWD/.cache/docs
tree=$work/collections/ansible_collections/steady
export PATH=$PWD/.cache/environments/docs/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$work/collections

rm -rf "$work"
mkdir -p "$work/source" "$tree"
ln -s "$PWD" "$tree/vmss"
antsibull-docs sphinx-init --use-current --squash-hierarchy --dest-dir "$work/source" steady.vmss >"$work/log"
cd "$work/source"
if ! { mkdir temp-rst && antsibull-docs --config-file antsibull-docs.cfg collection \
  --use-current --squash-hierarchy --dest-dir temp-rst steady.vmss && cp -R rst/. temp-rst/ \
  && sphinx-build -q -b html -c . temp-rst "$work/html"; } >>"$work/log" 2>&1; then
  cat "$work/log" >&2
  exit 1
fi
echo "$work/html/index.html"
