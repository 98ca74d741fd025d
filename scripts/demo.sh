#!/usr/bin/env bash
# Sets up a private environment in .venv, installs everwarm into it and runs the quickstart, what survives it, and what processes
# share over Redis: on the server of EVERWARM_DEMO_REDIS=redis://..., or on one of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

# To a cache it would be a setting that does not exist.
url=${EVERWARM_DEMO_REDIS:-}
unset EVERWARM_DEMO_REDIS

if ! command -v cargo >/dev/null; then
  export PATH=$HOME/.cargo/bin:$PATH
fi
if ! command -v cargo >/dev/null; then
  echo "cargo was not found: install Rust first (https://rustup.rs)" >&2
  exit 1
fi

python=$(scripts/interpreters.sh first)
scripts/environment.sh .venv "$python"

stamp=.venv/.everwarm
digest=$("$python" scripts/sources.py release)
if [[ ! -f $stamp || $(<"$stamp") != "$digest" ]]; then
  echo "building and installing everwarm"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input .
  echo "$digest" >"$stamp"
fi

.venv/bin/python examples/quickstart.py
.venv/bin/python examples/survives.py

if [[ -z $url ]]; then
  servers=$(mktemp)
  conclude() {
    [[ ! -s $servers ]] || (source "$servers" && scripts/servers/down)
    rm -f "$servers"
  }
  trap conclude EXIT
  if ! scripts/servers/up redis >"$servers"; then
    echo "what processes share is left out; hint: EVERWARM_DEMO_REDIS=redis://127.0.0.1:6379/0 make demo" >&2
    exit 0
  fi
  url=$(source "$servers" && echo "$EVERWARM_TEST_REDIS")
fi
REDIS_URL=$url .venv/bin/python examples/together.py
