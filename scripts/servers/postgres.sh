#!/usr/bin/env bash
# PostgreSQL with a database of its own, which takes connections with and without TLS: postgres.sh DIRECTORY.
#
# It trusts nobody: its user has a password. What it acknowledges need not survive a crash of this machine.
source "$(dirname "$0")/_lib.sh"
source "$here/_certificates.sh"
postgres_programs

server=$1/one
certificates "$server"
password=$(password)
printf %s "$password" >"$server/password"

[[ $(id -u) != 0 ]] || chown -R "$(id -un postgres 2>/dev/null || echo nobody):" "$server"
as_owner "$server"
# Who is told to end meanwhile leaves nothing behind that still runs.
trap 'told=1' TERM
(cd "$server" && "${AS[@]}" "$POSTGRES_BIN/initdb" -D "$server/data" -U everwarm --pwfile="$server/password" -A scram-sha-256 \
  -E UTF8 --no-locale -N) >"$server/initdb.log" 2>&1 || {
  tail -n 5 "$server/initdb.log" >&2
  fail "no database could be made"
}
[[ -z ${told:-} ]] || exit 143
trap - TERM
cat >>"$server/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$server'
ssl = on
ssl_cert_file = '$server/server.crt'
ssl_key_file = '$server/server.key'
fsync = off
max_connections = 200
shared_buffers = 64MB
deadlock_timeout = 200ms
END

for attempt in {1..20}; do
  free_port >"$server/port"
  begin_postgres "$server"
  until_true answers_or_ended "$server" || break
  ! answers "$server" || break
  grep -qi "address already in use" "$server/postgres.log" || break
done
answers "$server" || {
  tail -n 20 "$server/postgres.log" >&2
  fail "a server did not start: $server"
}
port=$(<"$server/port")
PGPASSWORD=$password "$POSTGRES_BIN/psql" -q -h "$server" -p "$port" -U everwarm -d postgres -c "CREATE DATABASE everwarm" >&2
tell EVERWARM_TEST_POSTGRES "postgresql://everwarm:$password@127.0.0.1:$port/everwarm"
tell EVERWARM_TEST_POSTGRES_CA "$server/ca.crt"
