#!/usr/bin/env bash
# Starts every server that can be had and holds all stores to the contract: prints the table and keeps it in docs/reference/stores.md.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
  export PATH=$HOME/.cargo/bin:$PATH
fi
python=$(scripts/interpreters.sh first)
scripts/environment.sh .venv-test "$python" tests/requirements-core.txt tests/requirements.txt
scripts/install.sh .venv-test "$python" ci

servers=$(mktemp)
conclude() {
  [[ ! -s $servers ]] || (source "$servers" && scripts/servers/down)
  rm -f "$servers"
}
trap conclude EXIT
scripts/servers/up >"$servers"
source "$servers"
.venv-test/bin/python scripts/stores.py
