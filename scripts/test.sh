#!/usr/bin/env bash
# Sets up what the tests need and runs all of them, Rust and Python; stops at the first step that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
  export PATH=$HOME/.cargo/bin:$PATH
fi
for tool in cargo cargo-fmt cargo-clippy; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool was not found: install Rust with rustfmt and clippy first (https://rustup.rs)" >&2
    exit 1
  fi
done

logs=.cache/test/logs
found=.cache/test/interpreters
missing=.cache/test/missing-interpreters
servers=.cache/test/servers
other_servers=.cache/test/other-servers
valkey_servers=.cache/test/valkey-servers
rm -rf "$logs" .cache/test/built
mkdir -p "$logs"
# What scenarios of failure came to: scripts/scenarios.py makes a page of it.
export SCENARIOS_LOG=$PWD/.cache/test/scenarios.log
: >"$SCENARIOS_LOG"

# The release profile without its link-time optimization, with debug assertions: quick to build and quick to run.
profile=ci

# A test that hangs in native code sees no signal: a thread ends it, with every stack shown.
hang_guard=(--timeout 300 --timeout-method thread)

# In CI a test that failed is run again, and named at the end: what a busy machine did to it once is nobody's mistake.
of_nextest=() of_pytest=("${hang_guard[@]}" -p no:cacheprovider)
if [[ -n ${CI:-} ]]; then
  of_nextest=(--profile ci)
  of_pytest+=(--reruns 2 --reruns-delay 3)
fi

# Ends the servers of this run, or of an earlier one that was killed.
servers_down() {
  local told
  for told in "$servers" "$other_servers" "$valkey_servers"; do
    if [[ -s $told ]]; then
      (source "$told" && scripts/servers/down)
      rm "$told"
    fi
  done
}

current="finding interpreters"
conclude() {
  local status=$?
  if [[ $status -ne 0 ]]; then
    echo "make test: FAILED in \"$current\" after ${SECONDS} s" >&2
  fi
  local other
  for other in $downloading $building; do
    pkill -P "$other" 2>/dev/null || true
    kill "$other" 2>/dev/null || true
  done
  servers_down
}
downloading= building=
trap conclude EXIT

# Runs one step, with its output shown and kept for the closing tally.
step() {
  current=$1
  shift
  printf '\n== %s (at %d s)\n' "$current" "$SECONDS"
  "$@" 2>&1 | tee "$logs/${current// /-}.log"
}

# Runs one step beside others, with its output kept, and shown where it fails.
quiet_step() {
  local log=$logs/${1// /-}.log
  if ! "${@:2}" >"$log" 2>&1; then
    printf '\n== %s: FAILED (at %d s)\n' "$1" "$SECONDS"
    cat "$log"
    exit 1
  fi
  printf '\n== %s: passed (at %d s)\n' "$1" "$SECONDS"
}

version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# The virtual environment of one interpreter: the first has the full set of libraries, the others the core set.
environment_of() {
  if [[ $1 == "$python" ]]; then
    echo .venv-test
  else
    echo ".venv-test-$(version_of "$1")"
  fi
}

# What takes its time to come: libraries of the first interpreter, the servers' programs, and libraries of the other interpreters.
downloads() {
  scripts/environment.sh .venv-test "$python" tests/requirements-core.txt tests/requirements.txt || return
  scripts/servers/up --programs || echo "not all programs are there" >&2
  REDIS_FLAVOUR=valkey scripts/servers/up --programs redis || echo "Valkey is not there" >&2
  local other
  for other in "${interpreters[@]:1}"; do
    scripts/environment.sh "$(environment_of "$other")" "$other" tests/requirements-core.txt || return
  done
}

# Starts the servers that tests of stores find by variables: all of them for the tests of one interpreter, some of which hear all that
# is said to a server; and those that the others share, whose tests say something of interpreters. Where there is no Redis these tests
# skip, but not in CI.
servers_up() {
  local told kinds status=0
  for told in "$servers" "$other_servers"; do
    kinds=()
    [[ $told == "$servers" ]] || kinds=(redis guarded cluster sentinel memcached)
    scripts/servers/up "${kinds[@]}" >"$told" || status=$?
    if ((status == 69)) && [[ -z ${CI:-} ]]; then
      echo "SKIPPED: everything that needs Redis" >&2
      : >"$other_servers"
      return 0
    fi
    sed -n 's/^export EVERWARM_TEST_SERVERS=//p' "$told"
    ((status == 0)) || return "$status"
  done
}

# The stores that the crate `everwarm` is tested with.
stores=$(printf 'everwarm/%s,' disk dynamodb file memcached mongodb mysql object postgres redis sqlite)

# The crate `everwarm` is tested with stores, and without; so are URLs. In CI, which says so by the variable `CI`, kills, damage and
# fuzzing come to their whole figures.
of_stores=(--features "$stores" --lib --test promises --test shared --test fuzz_urls)
binaries=.cache/test/binaries
built=.cache/test/built
has_nextest=$(command -v cargo-nextest || true)

rust_build() {
  local build=(cargo test --no-run --locked --profile "$profile") list
  if [[ -n $has_nextest ]]; then
    # Lists what is to be run, for runs that ask cargo nothing, and so wait for no other build.
    list=(cargo nextest list --locked --cargo-profile "$profile" --list-type binaries-only --message-format json)
    mkdir -p "$binaries"
    cargo metadata --locked --format-version 1 >"$binaries/workspace.json"
    "${list[@]}" >"$binaries/all.json"
    "${list[@]}" "${of_stores[@]}" >"$binaries/stores.json"
  else
    "${build[@]}" --lib --bins --tests
    "${build[@]}" "${of_stores[@]}"
  fi
}

# Runs tests of programs that were listed when they were built.
listed() {
  cargo nextest run --binaries-metadata "$binaries/$1.json" --cargo-metadata "$binaries/workspace.json" "${of_nextest[@]}" "${@:2}"
}

rust_tests_of_stores() {
  if [[ -n $has_nextest ]]; then
    listed stores -E 'package(everwarm) | package(everwarm-tiers)'
  else
    cargo test --locked --profile "$profile" "${of_stores[@]}"
  fi
}

rust_tests() {
  if [[ -n $has_nextest ]]; then
    listed all
  else
    cargo test --locked --profile "$profile" --no-fail-fast --lib --bins --tests
  fi
}

# The promise of the default order on recorded requests, which are no part of the project.
recorded_requests() {
  if [[ -z ${EVERWARM_TRACES:-} ]]; then
    say_without_traces
    return 0
  fi
  cargo test --locked --profile "$profile" -p everwarm-simulator --test promise -- --ignored
}

say_without_traces() {
  echo "SKIPPED: the promise of adaptive on recorded requests: EVERWARM_TRACES names no folder of traces" >&2
}

# What documentation says of stores is for builds with them, all else for those without.
documentation_tests() {
  cargo test --locked --profile "$profile" --doc &&
    cargo test --locked --profile "$profile" --doc --features "$stores" -- documents tier
}

# The one without stores, and the one that Python tests share entries with, also over HTTP.
examples() {
  cargo run --locked --quiet --profile "$profile" --example quickstart &&
    cargo build --locked --profile "$profile" --features "${stores}everwarm/http" --example shared
}

# Those of all crates are built together, and so with what the other tests were built with.
schedules() {
  local crates=(everwarm-memory everwarm-layers everwarm-engine)
  cargo test --locked --profile "$profile" --test schedules --features "$(printf '%s/shuttle,' "${crates[@]}")"
}

# Looks at all Rust, all features.
rust_lint() {
  cargo clippy --locked --profile "$profile" --workspace --all-targets --features "$stores" -- -D warnings
}

# Whatever takes long to build and has no time limits, beside tests that mostly wait: it has what they leave of the processors. What
# Python tests need comes first.
builds() {
  trap - EXIT
  renice -n 19 -p "$BASHPID" >/dev/null
  quiet_step "python build" install_everwarm
  quiet_step "rust examples" examples
  touch "$built"
  quiet_step "rust lint" rust_lint
  quiet_step "rust documentation tests" documentation_tests
  quiet_step "rust schedules" schedules
}

# Waits until Python tests have what they need.
wheels() {
  until [[ -e $built ]]; do
    kill -0 "$building" 2>/dev/null || wait "$building"
    sleep 1
  done
}

# Builds and installs one wheel for each interpreter whose environment is out of date.
install_everwarm() {
  local interpreter
  for interpreter in "${interpreters[@]}"; do
    scripts/install.sh "$(environment_of "$interpreter")" "$interpreter" "$profile" || return
    echo "at $SECONDS s"
  done
}

# Tests that are marked `once`, on the first interpreter; nobody else says anything to their servers.
python_tests_once() {
  .venv-test/bin/python -m pytest "${of_pytest[@]}" -m once
}

# The proofs of every keyword while it does nothing, which all have to fail; in a database of their own.
inert_keywords() {
  source "$other_servers"
  if [[ -n ${EVERWARM_TEST_REDIS:-} ]]; then
    export EVERWARM_TEST_REDIS=${EVERWARM_TEST_REDIS%/*}/1
  fi
  .venv-test/bin/python scripts/keywords.py --inert
}

# All other tests of one interpreter, in a database of its own; on the first one with all libraries.
python_tests_of() {
  local environment redis
  environment=$(environment_of "$1")
  source "$other_servers"
  redis=${EVERWARM_TEST_REDIS:-}
  if [[ -n $redis ]]; then
    export EVERWARM_TEST_REDIS=${redis%/*}/$("$1" -c 'import sys; print(sys.version_info.minor)')
  fi
  if [[ $1 != "$python" ]]; then
    export TESTS_CORE_ONLY=1
  fi
  "$environment/bin/python" -m pytest "${of_pytest[@]}" -m "not once"
}

# What every store of that kind promises, in all topologies, and what its users are told of their rights; on Valkey. Not every release of Debian
# has that.
tests_on_valkey() {
  local status=0 promises='binary(conformance) | binary(many) | binary(topologies) | binary(tracking) | binary(bus)'
  env -u REDIS_SERVER -u REDIS_CLI REDIS_FLAVOUR=valkey scripts/servers/up redis guarded cluster sentinel >"$valkey_servers" || status=$?
  if ((status == 69)); then
    echo "LEFT OUT: the tests on Valkey, which cannot be had here"
    return 0
  fi
  ((status == 0)) || return "$status"
  source "$valkey_servers"
  if [[ -n $has_nextest ]]; then
    listed all -E "package(everwarm-store-redis) & ($promises)" || return
  else
    cargo test --locked --profile "$profile" -p everwarm-store-redis --tests || return
  fi
  TESTS_CORE_ONLY=1 .venv-test/bin/python -m pytest "${of_pytest[@]}" -m "not once" tests/stores/test_health.py
}

# Where such a part says what it came to.
log_of() {
  local name=${1#CPython }
  name=${name//,/}
  echo "$logs/python-tests-${name// /-}.log"
}

# The tests on every interpreter, four parts at a time: a test mostly waits.
python_tests() {
  local interpreter parts=(python_tests_once) names=("CPython $(version_of "$python"), once") at log pids=() status=0
  for interpreter in "${interpreters[@]}"; do
    parts+=("python_tests_of $interpreter")
    names+=("CPython $(version_of "$interpreter")")
  done
  parts+=(tests_on_valkey)
  names+=("On Valkey")
  if [[ -n ${CI:-} ]]; then
    parts+=(inert_keywords)
    names+=("CPython $(version_of "$python"), inert")
  fi
  for at in "${!parts[@]}"; do
    while (($(jobs -rp | wc -l) >= 4)); do
      sleep 1
    done
    ${parts[at]} >"$(log_of "${names[at]}")" 2>&1 &
    pids+=($!)
  done
  for at in "${!pids[@]}"; do
    log=$(log_of "${names[at]}")
    if wait "${pids[at]}"; then
      echo "${names[at]}: $(tail -n 1 "$log")"
      sed -n '/^_* RERUN /,/^=* short test/p' "$log"
    else
      cat "$log"
      status=1
    fi
  done
  return $status
}

python=$(scripts/interpreters.sh first)
scripts/interpreters.sh list >"$found" 2>"$missing"
interpreters=("$python")
versions=$(version_of "$python")
while read -r version path; do
  if [[ $version != $(version_of "$python") ]]; then
    interpreters+=("$path")
    versions+=", $version"
  fi
done <"$found"
echo "CPython $versions: ${interpreters[*]}"
cat "$missing" >&2

step "rust format" cargo fmt --check
step "dependency rule and licences" "$python" scripts/check_dependencies.py
downloads >"$logs/downloads.log" 2>&1 &
downloading=$!
export PYO3_PYTHON=$python
step "rust build" rust_build
servers_down
wait "$downloading" || {
  cat "$logs/downloads.log" >&2
  exit 1
}
downloading=
step "python lint" .venv-test/bin/ruff check
step "python format" .venv-test/bin/ruff format --check
step "servers" servers_up
source "$servers"
builds &
building=$!
step "rust tests of stores" rust_tests_of_stores
step "rust tests" rust_tests
step "recorded requests" recorded_requests
current="python build"
wheels
export EVERWARM_TEST_SHARED=${CARGO_TARGET_DIR:-$PWD/target}/$profile/examples/shared

# The tests that compare interpreters ask those of all environments.
TESTS_PYTHONS=""
for interpreter in "${interpreters[@]}"; do
  TESTS_PYTHONS+=${TESTS_PYTHONS:+:}$PWD/$(environment_of "$interpreter")/bin/python
done
export TESTS_PYTHONS

step "python tests" python_tests
current="builds beside the tests"
wait "$building"
building=

current="adding up"
printf '\nmake test: every step passed in %d s on CPython %s\n' "$SECONDS" "$versions"
cat "$missing" >&2
[[ -n ${EVERWARM_TRACES:-} ]] || say_without_traces
"$python" scripts/tally.py "$logs"
