#!/usr/bin/env bash
# MariaDB with a database of its own, which takes connections with and without TLS: mariadb.sh DIRECTORY.
#
# Its user has a password, and one more may read and write, and make nothing. What it acknowledges need not survive a crash of this machine.
# A second server is there for who changes its settings.
source "$(dirname "$0")/_lib.sh"
source "$here/_certificates.sh"
mariadb_programs

# Prints the directory in which MariaDB's own files lie, as its programs know it.
mariadb_base() {
  if [[ -d $MARIADB_BIN/unpacked ]]; then
    echo "$MARIADB_BIN/unpacked/usr"
  else
    dirname "$MARIADB_BIN"
  fi
}

server=$1/one
certificates "$server"
password=$(password)
# Who is told to end meanwhile leaves nothing behind that still runs.
trap 'told=1' TERM
"$MARIADB_BIN/mariadb-install-db" --no-defaults --basedir="$(mariadb_base)" --datadir="$server/data" --user="$(id -un)" \
  --auth-root-authentication-method=normal --skip-test-db --innodb-log-file-size=8M >"$server/install.log" 2>&1 || {
  tail -n 5 "$server/install.log" >&2
  fail "no database could be made"
}
apart=$1/apart
mkdir "$apart"
cp -R "$server/data" "$apart/data"
[[ -z ${told:-} ]] || exit 143
trap - TERM

program=$MARIADB_BIN/mariadbd
[[ -x $program ]] || program=$(command -v mariadbd)

# Starts the server of a directory: start_mariadb DIRECTORY WORD...
start_mariadb() {
  local server=$1
  shift
  start_words "$server" mariadb_answers "$program" --no-defaults --basedir="$(mariadb_base)" --datadir="$server/data" \
    --user="$(id -un)" --port=%PORT% --bind-address=127.0.0.1 --socket="$server/mariadb.sock" --tmpdir="$server" \
    --pid-file="$server/mariadb.pid" --innodb-flush-log-at-trx-commit=2 "$@"
}

start_mariadb "$apart" --innodb-buffer-pool-size=16M
mariadb_ask "$apart" "CREATE DATABASE everwarm; GRANT ALL ON *.* TO everwarm@'127.0.0.1' IDENTIFIED BY '$password'" >&2
tell EVERWARM_TEST_MARIADB_APART "mariadb://everwarm:$password@127.0.0.1:$PORT/everwarm"
start_mariadb "$server" --innodb-buffer-pool-size=64M --max-connections=200 --ssl-cert="$server/server.crt" --ssl-key="$server/server.key"
mariadb_ask "$server" "CREATE DATABASE everwarm; CREATE USER everwarm@'127.0.0.1' IDENTIFIED BY '$password';
  GRANT ALL ON everwarm.* TO everwarm@'127.0.0.1';
  CREATE USER plain@'127.0.0.1' IDENTIFIED BY '$password';
  GRANT SELECT, INSERT, UPDATE, DELETE ON everwarm.* TO plain@'127.0.0.1'" >&2
tell EVERWARM_TEST_MARIADB "mariadb://everwarm:$password@127.0.0.1:$PORT/everwarm"
tell EVERWARM_TEST_MARIADB_PLAIN "mariadb://plain:$password@127.0.0.1:$PORT/everwarm"
tell EVERWARM_TEST_MARIADB_CA "$server/ca.crt"
