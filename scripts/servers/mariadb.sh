#!/usr/bin/env bash
# MariaDB with a database of its own, which takes connections with and without TLS: mariadb.sh DIRECTORY.
#
# Its user has a password, and one more may read and write, and make nothing. What it acknowledges need not survive a crash of this machine.
source "$(dirname "$0")/_lib.sh"
source "$here/_certificates.sh"
mariadb_programs

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
[[ -z ${told:-} ]] || exit 143
trap - TERM

for attempt in {1..20}; do
  cat >"$server/mariadb.words" <<END
--no-defaults
--basedir=$(mariadb_base)
--datadir=$server/data
--user=$(id -un)
--port=$(free_port)
--bind-address=127.0.0.1
--socket=$server/mariadb.sock
--pid-file=$server/mariadb.pid
--innodb-buffer-pool-size=64M
--innodb-flush-log-at-trx-commit=0
--max-connections=200
--ssl-cert=$server/server.crt
--ssl-key=$server/server.key
END
  begin_mariadb "$server"
  until_true mariadb_answers_or_ended "$server" || break
  ! mariadb_answers "$server" || break
  grep -qi "address already in use" "$server/mariadb.log" || break
done
mariadb_answers "$server" || {
  tail -n 20 "$server/mariadb.log" >&2
  fail "a server did not start: $server"
}
mariadb_ask "$server" "CREATE DATABASE everwarm; CREATE USER everwarm@'127.0.0.1' IDENTIFIED BY '$password';
  GRANT ALL ON everwarm.* TO everwarm@'127.0.0.1';
  CREATE USER plain@'127.0.0.1' IDENTIFIED BY '$password';
  GRANT SELECT, INSERT, UPDATE, DELETE ON everwarm.* TO plain@'127.0.0.1'" >&2
port=$(sed -n 's/^--port=//p' "$server/mariadb.words")
tell EVERWARM_TEST_MARIADB "mariadb://everwarm:$password@127.0.0.1:$port/everwarm"
tell EVERWARM_TEST_MARIADB_PLAIN "mariadb://plain:$password@127.0.0.1:$port/everwarm"
tell EVERWARM_TEST_MARIADB_CA "$server/ca.crt"
