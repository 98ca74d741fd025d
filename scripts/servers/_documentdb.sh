#!/usr/bin/env bash
# Prints a directory with what stands in for MongoDB where no mongod is: `root`, a system of its own with PostgreSQL and the extension
# DocumentDB, Debian's packages, unpacked and not installed; and `python`, an environment for the gateway that speaks MongoDB's protocol.
#
# About 140 MB are downloaded and 614 MB kept. It needs root, since PostgreSQL runs in that system by chroot; nothing of ours is changed.
# SERVERS_CACHE names another place for it. The status is 69 where it cannot be had.
source "$(dirname "$0")/_lib.sh"

cache=${SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/everwarm/servers}
kept=$cache/mongodb

unavailable() {
  echo "servers: no mongod on PATH, and no stand-in: $*" >&2
  echo "hint: install MongoDB, or set MONGOD" >&2
  exit "$UNAVAILABLE"
}

download() {
  local apt=$making/apt from
  from=$(mirror)
  [[ -n $from && -f $KEYRING ]] || return 1
  mkdir -p "$apt/lists/partial" "$apt/packages/partial"
  : >"$apt/status"
  echo "deb [signed-by=$KEYRING] $from sid main" >"$apt/sources.list"
  local own=(-qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$apt/lists"
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" -o Dir::Cache::archives="$apt/packages"
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=0)
  # Nothing counts as installed, so all that it needs comes along.
  apt-get "${own[@]}" update >&2 &&
    apt-get "${own[@]}" --yes --download-only install postgresql-18-documentdb bash coreutils >&2
}

# What the packages' own scripts would have done, as far as PostgreSQL needs it.
furnish() {
  local package root=$making/kept/root owner group
  mkdir -p "$root"
  for package in "$making"/apt/packages/*.deb; do
    dpkg -x "$package" "$root" || return 1
  done
  mkdir -p "$root/srv/engine" "$root/tmp"
  chmod 1777 "$root/tmp"
  [[ -e $root/usr/bin/sh ]] || ln -s bash "$root/usr/bin/sh"
  owner=$(id -u postgres 2>/dev/null || id -u nobody) group=$(id -g postgres 2>/dev/null || id -g nobody)
  printf 'root:x:0:0::/root:/bin/sh\nengine:x:%s:%s::/srv/engine:/bin/sh\n' "$owner" "$group" >"$root/etc/passwd"
  printf 'root:x:0:\nengine:x:%s:\n' "$group" >"$root/etc/group"
  # The extension connects to its own server by that name.
  echo "127.0.0.1 localhost" >"$root/etc/hosts"
  (cd "$root/usr/share/postgresql/18/extension" && { [[ -e postgis.control ]] || ln -s postgis-3.control postgis.control; })
  chroot "$root" /sbin/ldconfig
}

environment() {
  # Its scripts would name the place where it is made; none of them is run.
  "${PYTHON:-python3}" -m venv "$making/kept/python" &&
    "$making/kept/python/bin/python" -m pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.*' 'pymongo==4.*' >&2
}

if [[ ! -d $kept ]]; then
  [[ $(id -u) == 0 ]] && unshare -m true 2>/dev/null || unavailable "that needs root, and namespaces for mounts"
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || unavailable "this system has no Debian packages"
  mkdir -p "$cache"
  making=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  { download && furnish && environment; } 2>"$making/said" || {
    tail -n 3 "$making/said" >&2
    unavailable "Debian's packages, or those of Python, could not be had"
  }
  # Who comes second finds it done.
  mv -T "$making/kept" "$kept" 2>/dev/null || [[ -d $kept ]]
fi
[[ $(id -u) == 0 ]] || unavailable "that needs root"
echo "$kept"
