#!/usr/bin/env bash
# Sets up a private environment in .venv, installs everwarm into it and runs the quickstart, and what survives it.
set -euo pipefail
cd "$(dirname "$0")/.."

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
exec .venv/bin/python examples/survives.py
