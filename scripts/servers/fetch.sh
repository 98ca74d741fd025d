#!/usr/bin/env bash
# Prints a directory with the programs of a kind, Debian's packages, unpacked into a cache of our own and not installed:
# fetch.sh [redis | memcached | postgres | mariadb].
#
# Nothing of the system is changed, and no root is needed. SERVERS_CACHE names another place for them.
source "$(dirname "$0")/_lib.sh"

cache=${SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/everwarm/servers}
kind=${1:-redis}
case $kind in
  redis) programs=(redis-server redis-cli) packages=(redis-server redis-tools) hint="REDIS_SERVER and REDIS_CLI" ;;
  memcached) programs=(memcached) packages=(memcached) hint="MEMCACHED" ;;
  postgres) programs=(initdb postgres psql pg_isready) packages=(postgresql) hint="POSTGRES_BIN" ;;
  mariadb)
    programs=(mariadbd mariadb mariadb-install-db my_print_defaults)
    packages=(mariadb-server-core mariadb-client-core)
    hint="MARIADB_BIN"
    ;;
  *) fail "there are no packages of \"$kind\"; hint: redis, memcached, postgres, mariadb" ;;
esac
kept=$cache/$kind

unavailable() {
  echo "servers: no ${programs[0]} on PATH, and $*" >&2
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
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get -qq "${own[@]}" update >&2 && download "${own[@]}"
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

if [[ ! -d $kept ]]; then
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || unavailable "this system has no Debian packages"
  mkdir -p "$cache"
  making=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  download 2>"$making/said" || download_anew 2>"$making/said" || {
    tail -n 3 "$making/said" >&2
    unavailable "Debian's could not be downloaded"
  }
  unpack || unavailable "Debian's packages have no such programs"
  # Who comes second finds it done.
  mv -T "$making/kept" "$kept" 2>/dev/null || [[ -d $kept ]]
fi
echo "$kept"
