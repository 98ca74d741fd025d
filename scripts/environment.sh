#!/usr/bin/env bash
# Makes a virtual environment with the given requirements, or anew where they or the interpreter have changed.
#
#   environment.sh DIRECTORY PYTHON [REQUIREMENTS-FILE...]
set -euo pipefail

directory=$1 python=$2
shift 2
stamp=$directory/.environment

wanted=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)'; cat "$@" </dev/null)
if [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && "$directory/bin/python" -c '' 2>/dev/null; then
  exit 0
fi

if [[ -e $directory && ! -e $stamp ]]; then
  echo "$directory is there and was not made by this script" >&2
  echo "hint: move it away, or delete it if it was left by an interrupted run" >&2
  exit 1
fi

echo "setting up $directory ($("$python" --version))"
"$python" -m venv --clear "$directory"
touch "$stamp"
for requirements in "$@"; do
  "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements"
done
printf '%s\n' "$wanted" >"$stamp"
