#!/usr/bin/env bash
# MongoDB: mongodb.sh DIRECTORY. Where there is no mongod, PostgreSQL with the extension DocumentDB stands in for it, behind a gateway of
# ours that speaks MongoDB's protocol; that is no replica set, and has no transactions, change streams, encryption or users.
source "$(dirname "$0")/_lib.sh"
mongodb_programs

# Runs a program within the system of its own that PostgreSQL with DocumentDB has, over a directory of a server.
within() {
  local root=$DOCUMENTDB/root
  mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" && mount --bind "$1" "$root/srv/engine" || exit 1
  exec chroot --userspec="$(stat -c %u:%g "$1/data")" "$root" /usr/bin/env -i HOME=/srv/engine LC_ALL=C \
    PATH=/usr/lib/postgresql/18/bin:/usr/bin "${@:2}"
}
export -f within

# The same with mounts that nobody else sees, in place of this shell.
apart() {
  exec setsid unshare -m --propagation private bash -c 'within "$@"' bash "$@"
}

# Whether PostgreSQL with DocumentDB takes questions: runs one, if there is one.
documentdb_does() {
  "$DOCUMENTDB/python/bin/python" -c 'import psycopg, sys
place = dict(host="127.0.0.1", port=int(sys.argv[1]), user="everwarm", dbname="postgres", connect_timeout=2)
psycopg.connect(**place, autocommit=True).execute(sys.argv[2])' "$@" 2>/dev/null
}

# Starts PostgreSQL with DocumentDB in a directory and sets PORT once it answers: start_documentdb DIRECTORY.
start_documentdb() {
  local server=$1 attempt
  mkdir -p "$server/data"
  chown "$(id -un postgres 2>/dev/null || echo nobody):" "$server" "$server/data"
  chmod 700 "$server/data"
  (apart "$server" initdb -D /srv/engine/data -U everwarm -A trust -E UTF8 --no-locale -N) >"$server/initdb.log" 2>&1 || {
    tail -n 5 "$server/initdb.log" >&2
    fail "no database could be made"
  }
  # Its parallel workers have their memory in files of its own, which go with it.
  cat >>"$server/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '/srv/engine'
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.log_run = off
dynamic_shared_memory_type = mmap
fsync = off
max_connections = 200
END
  for attempt in {1..20}; do
    PORT=$(free_port)
    echo "$PORT" >"$server/port"
    begin_documentdb "$server"
    until_true documentdb_answers_or_ended "$server" || break
    ! documentdb_does "$PORT" "create extension if not exists documentdb cascade" || return 0
    grep -qi "address already in use" "$server/documentdb.log" || break
  done
  tail -n 20 "$server/documentdb.log" >&2
  fail "a server did not start: $server"
}

# As `begin`, for PostgreSQL with DocumentDB. Its last word is what it is known by.
begin_documentdb() {
  local server=$1
  rm -f "$server/pid" "$server/data/postmaster.pid" "$server"/.s.PGSQL.*
  (
    cd "$server"
    echo "$BASHPID" >pid
    apart "$server" postgres -D /srv/engine/data -p "$(<"$server/port")" -c "everwarm.server=$server/"
  ) </dev/null >>"$server/documentdb.log" 2>&1 &
  until_true test -s "$server/pid"
}

documentdb_answers_or_ended() {
  documentdb_does "$(<"$1/port")" "select 1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
}

server=$1/one
if [[ -n $MONGOD ]]; then
  mkdir -p "$server/data"
  words=("$MONGOD" --dbpath "$server/data" --bind_ip 127.0.0.1 --port %PORT% --nounixsocket)
else
  start_documentdb "$1/engine"
  words=("$DOCUMENTDB/python/bin/python" "$here/mongodb_gateway.py" %PORT% "$PORT" "$server/")
fi
start_words "$server" mongodb_answers "${words[@]}"
tell EVERWARM_TEST_MONGODB "mongodb://127.0.0.1:$PORT/everwarm?directConnection=true"
