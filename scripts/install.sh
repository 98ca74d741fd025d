#!/usr/bin/env bash
# Builds a wheel of everwarm for an interpreter and installs it into an environment, if the one that is there is out of date.
# The environment .venv-test has what builds it. It has every client, those too that wheels leave out, and is built beside the Rust tests.
#
#   install.sh ENVIRONMENT PYTHON PROFILE
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$1 interpreter=$2 profile=$3
wheels=.cache/test/wheels/$environment

digest=$("$interpreter" scripts/sources.py "$profile" mongodb)
if [[ -f $environment/.everwarm && $(<"$environment/.everwarm") == "$digest" ]]; then
  echo "$environment: up to date"
  exit 0
fi
rm -rf "$wheels"
PYO3_PYTHON=${PYO3_PYTHON:-$PWD/.venv-test/bin/python} .venv-test/bin/maturin build --quiet --locked --profile "$profile" \
  --features pyo3/extension-module,mongodb,beside-tests --compatibility linux --interpreter "$interpreter" --out "$wheels"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --force-reinstall "$wheels"/*.whl
echo "$digest" >"$environment/.everwarm"
echo "$environment: installed"
