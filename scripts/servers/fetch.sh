#!/usr/bin/env bash
# Prints a directory with the programs of a kind, Debian's packages, unpacked into a cache of our own and not installed:
# fetch.sh redis | valkey | memcached | postgres | mariadb | moto | dynalite | azurite. Of moto, which PyPI has, it is an environment of Python's, of
# dynalite and azurite npm's packages.
#
# Nothing of the system is changed, and no root is needed. SERVERS_CACHE names another place for them.
source "$(dirname "$0")/_lib.sh"

cache=${SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/everwarm/servers}
kind=${1:-redis} registry=Debian
case $kind in
  redis) programs=(redis-server redis-cli) packages=(redis-server redis-tools) hint="REDIS_SERVER and REDIS_CLI" ;;
  valkey) programs=(valkey-server valkey-cli) packages=(valkey-server valkey-tools) hint="REDIS_SERVER and REDIS_CLI" ;;
  memcached) programs=(memcached) packages=(memcached) hint="MEMCACHED" ;;
  postgres) programs=(initdb postgres psql pg_isready) packages=(postgresql) hint="POSTGRES_BIN" ;;
  mariadb)
    programs=(mariadbd mariadb mariadb-install-db my_print_defaults)
    packages=(mariadb-server-core mariadb-client-core)
    hint="MARIADB_BIN"
    ;;
  moto) programs=(moto_server) packages=("moto[s3,dynamodb]==5.2.5" flask flask-cors) hint="MOTO_PYTHON" registry=PyPI ;;
  dynalite) programs=(dynalite) packages=(dynalite@4.0.0) hint="DYNALITE" registry=npm ;;
  azurite) programs=(azurite-blob) packages=(azurite@3.37.0) hint="AZURITE" registry=npm ;;
  *) fail "there are no packages of \"$kind\"; hint: redis, valkey, memcached, postgres, mariadb, moto, dynalite, azurite" ;;
esac
kept=$cache/$kind

unavailable() {
  echo "servers: no ${programs[0]} was found, and $*" >&2
  echo "hint: install ${packages[0]}, or set $hint" >&2
  exit "$UNAVAILABLE"
}

# Downloads the packages and what they need beyond what is installed.
download() {
  mkdir -p "$making/packages/partial"
  apt-get -qq --yes --no-install-recommends --download-only -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
    -o Dir::Cache::archives="$making/packages" "$@" install "${packages[@]}" >&2
}

# The same, with package lists of our own, where the system's are missing or too old.
download_anew() {
  mkdir -p "$making/lists/partial"
  local own=(-o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Dir::State::lists="$making/lists"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@")
  apt-get -qq "${own[@]}" update >&2 && download "${own[@]}"
}

# The same, with what was brought over from the next release of Debian into this one.
download_backports() {
  local from release
  from=$(mirror)
  release=$(source /etc/os-release && echo "${VERSION_CODENAME:-}")
  [[ -n $from && -n $release && -f $KEYRING ]] || return 1
  mkdir -p "$making/sources"
  cp /etc/apt/sources.list.d/*.{list,sources} "$making/sources" 2>/dev/null || true
  echo "deb [signed-by=$KEYRING] $from $release-backports main" >"$making/sources/backports.list"
  download_anew -o Dir::Etc::sourceparts="$making/sources"
}

# Prints a program that runs the one of the same name below, with the libraries that were unpacked beside it.
wrapper() {
  cat <<'END'
#!/bin/sh
unpacked=$(dirname "$0")/unpacked
for program in "$unpacked"/usr/lib/postgresql/*/bin/"${0##*/}" "$unpacked"/usr/*bin/"${0##*/}"; do
  [ ! -x "$program" ] || LD_LIBRARY_PATH=$(echo "$unpacked"/usr/lib/*-linux-gnu) exec "$program" "$@"
done
END
}

unpack() {
  local package program
  mkdir -p "$making/kept/unpacked"
  for package in "$making"/packages/*.deb; do
    dpkg -x "$package" "$making/kept/unpacked" || return 1
  done
  for program in "${programs[@]}"; do
    [[ -n $(find "$making/kept/unpacked/usr" -path "*bin/$program" -print -quit) ]] || return 1
    wrapper >"$making/kept/$program"
    chmod +x "$making/kept/$program"
  done
}

# An environment works where it is moved to, if its programs are asked for through its interpreter.
from_pypi() {
  "${PYTHON:-python3}" -m venv "$making/kept" >&2 &&
    "$making/kept/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2
}

# No script of a package is run.
from_npm() {
  mkdir -p "$making/kept" &&
    npm install --prefix "$making/kept" --fetch-retries 1 --ignore-scripts --no-audit --no-fund --silent "${packages[@]}" >&2
}

from_debian() {
  download || download_anew || download_backports || return 1
  unpack || unavailable "Debian's packages have no such programs"
}

case $registry in
  Debian) tools=(apt-get dpkg) ;;
  PyPI) tools=("${PYTHON:-python3}") ;;
  npm) tools=(node npm) ;;
esac

if [[ ! -d $kept ]]; then
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || unavailable "this system has no $tool, which would get it from $registry"
  done
  mkdir -p "$cache"
  making=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  "from_${registry,,}" 2>"$making/said" || {
    tail -n 3 "$making/said" >&2
    unavailable "those of $registry could not be had"
  }
  # Who comes second finds it done.
  mv -T "$making/kept" "$kept" 2>/dev/null || [[ -d $kept ]]
fi
echo "$kept"
