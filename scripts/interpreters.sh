#!/usr/bin/env bash
# Finds the CPython interpreters on this machine.
#
#   interpreters.sh list    one line for each supported version that is found: "3.12 /path/to/python3.12";
#                           a version that is missing is named on standard error
#   interpreters.sh first   the interpreter to use: $PYTHON, else the default python3 if it is supported,
#                           else the latest that is found
set -euo pipefail

supported="3.13 3.12 3.11 3.10"

# Prints "minor-version executable" if the command is a CPython of at least 3.10 that can make environments.
# A pyenv shim is resolved to the interpreter behind it.
probe() {
  "$1" -c '
import sys
if sys.implementation.name != "cpython" or sys.version_info < (3, 10):
    sys.exit(1)
import ensurepip, venv
print("%d.%d" % sys.version_info[:2], sys.executable)
' 2>/dev/null
}

# Prints the first working interpreter of one minor version: on PATH first, then under pyenv.
find_version() {
  local candidate found
  while read -r candidate; do
    if found=$(probe "$candidate") && [[ $found == "$1 "* ]]; then
      echo "$found"
      return 0
    fi
  done < <(
    set +e
    type -aP "python$1"
    compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1.*/bin/python$1" | sort -rV
  )
  return 1
}

list() {
  local version
  for version in $supported; do
    find_version "$version" || echo "MISSING INTERPRETER: CPython $version is not on this machine" >&2
  done
}

first() {
  local found="" version
  if [[ -n ${PYTHON:-} ]]; then
    if ! found=$(probe "$PYTHON"); then
      echo "PYTHON=$PYTHON is no CPython of at least 3.10 with the modules venv and ensurepip" >&2
      return 1
    fi
  elif ! found=$(probe python3); then
    for version in $supported; do
      found=$(find_version "$version") && break
    done
  fi
  if [[ -z $found ]]; then
    echo "no CPython of at least 3.10 with the modules venv and ensurepip was found" >&2
    echo "hint: install one (on Debian and Ubuntu also python3-venv), or say PYTHON=/path/to/python" >&2
    return 1
  fi
  echo "${found#* }"
}

case ${1:-} in
  list) list ;;
  first) first ;;
  *) echo "usage: interpreters.sh list|first" >&2; exit 2 ;;
esac
