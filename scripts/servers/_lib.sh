# What the servers' scripts share: which programs, which ports, and one server from its start until it answers. Sourced, not run.
#
# A server is a directory with what it runs with and from: `redis.conf`, `redis.log`, `redis.sock`, and `pid`, the process that was
# started last; of Memcached `memcached.words` and `memcached.log`, of MongoDB `mongodb.words` and `mongodb.log`. Several runs may be under way at once: ports are drawn anew, and what
# answers is asked through its own socket.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The status of a script that cannot do its work because a program is missing, as in sysexits.h.
UNAVAILABLE=69

# How long a server, or a group of them, may take until it is ready.
PATIENCE=${SERVERS_PATIENCE:-60}

fail() {
  echo "servers: $*" >&2
  exit 1
}

# Sets REDIS_SERVER and REDIS_CLI; `valkey-server` and `valkey-cli` serve as well.
programs() {
  if [[ -z ${REDIS_SERVER:-} || -z ${REDIS_CLI:-} ]]; then
    REDIS_SERVER=$(command -v redis-server) && REDIS_CLI=$(command -v redis-cli) || {
      local fetched
      fetched=$("$here/fetch.sh") || exit $?
      REDIS_SERVER=$fetched/redis-server REDIS_CLI=$fetched/redis-cli
    }
  fi
  export REDIS_SERVER REDIS_CLI
}

# Sets MEMCACHED.
memcached_program() {
  if [[ -z ${MEMCACHED:-} ]]; then
    MEMCACHED=$(command -v memcached) || {
      local fetched
      fetched=$("$here/fetch.sh" memcached) || exit $?
      MEMCACHED=$fetched/memcached
    }
  fi
  export MEMCACHED
}

# Sets POSTGRES_BIN, the directory with initdb, postgres, psql and pg_isready.
postgres_programs() {
  local found
  if [[ -z ${POSTGRES_BIN:-} ]]; then
    found=$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
    if [[ -n $found ]]; then
      POSTGRES_BIN=$(dirname "$(readlink -f "$found")")
    else
      POSTGRES_BIN=$("$here/fetch.sh" postgres) || exit $?
    fi
  fi
  export POSTGRES_BIN
}

# Sets MARIADB_BIN, the directory with mariadbd, mariadb and mariadb-install-db.
mariadb_programs() {
  if [[ -z ${MARIADB_BIN:-} ]]; then
    if command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null; then
      MARIADB_BIN=$(dirname "$(command -v mariadb-install-db)")
    else
      MARIADB_BIN=$("$here/fetch.sh" mariadb) || exit $?
    fi
  fi
  export MARIADB_BIN
}

# Prints the directory in which MariaDB's own files lie, as its programs know it.
mariadb_base() {
  if [[ -d $MARIADB_BIN/unpacked ]]; then
    echo "$MARIADB_BIN/unpacked/usr"
  else
    dirname "$MARIADB_BIN"
  fi
}

# Prints one line of shell that sets a variable; no value of ours has a quote.
tell() {
  printf "export %s='%s'\n" "$1" "$2"
}

# Whether something listens there.
taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Prints a port below those that systems give to clients; the one 10,000 above, for a cluster's bus, is free as well.
free_port() {
  local port
  while port=$((10000 + RANDOM % 12000)); do
    if ! taken "$port" && ! taken $((port + 10000)); then
      echo "$port"
      return
    fi
  done
}

# Asks the server of a directory, through its socket.
cli() {
  local server=$1
  shift
  "$REDIS_CLI" -s "$server/redis.sock" "$@"
}

# Waits until a command succeeds; fails when patience ends.
until_true() {
  local end=$((SECONDS + PATIENCE))
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# Whether the process of a server runs; it is known by the directory that it was started with, too, since pids are used again.
runs() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && ps -ww -o command= -p "$pid" 2>/dev/null | grep -qF -- "$1/"
}

# Whether a server answers; one that first wants a password does.
answers() {
  if [[ -d $1/data ]]; then
    "$POSTGRES_BIN/pg_isready" -q -h "$1" -p "$(<"$1/port")"
    return
  fi
  [[ $(cli "$1" ping 2>&1) =~ PONG|NOAUTH ]]
}

# Whether the Memcached of a directory answers; one that speaks TLS only does once it listens.
memcached_answers() {
  local port said
  port=$(sed -n '/^-p$/{n;p}' "$1/memcached.words")
  if grep -q '^-Z$' "$1/memcached.words"; then
    taken "$port"
  else
    said=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port" && printf 'mn\r\n' >&3 && head -n 1 <&3) && [[ $said == MN* ]]
  fi
}

memcached_answers_or_ended() {
  memcached_answers "$1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
}

# Begins the process of a Memcached whose `memcached.words` are there.
begin_memcached() {
  local server=$1 words
  mapfile -t words <"$server/memcached.words"
  rm -f "$server/pid"
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "$MEMCACHED" "${words[@]}"
  ) </dev/null >>"$server/memcached.log" 2>&1 &
  until_true test -s "$server/pid"
}

# Starts a Memcached in a directory and sets PORT once it answers: start_memcached DIRECTORY WORD...
start_memcached() {
  local server=$1 attempt
  mkdir -p "$server"
  for attempt in {1..20}; do
    PORT=$(free_port)
    printf '%s\n' -l 127.0.0.1 -p "$PORT" -U 0 -m 64 -t 2 -u "$(id -un)" -P "$server/memcached.pid" "${@:2}" \
      >"$server/memcached.words"
    begin_memcached "$server"
    until_true memcached_answers_or_ended "$server" || break
    ! runs "$server" || ! memcached_answers "$server" || return 0
    grep -qi "address already in use" "$server/memcached.log" || break
  done
  tail -n 20 "$server/memcached.log" >&2
  fail "a server did not start: $server"
}

# Asks the MariaDB of a directory, through its socket.
mariadb_ask() {
  "$MARIADB_BIN/mariadb" --no-defaults -uroot --socket="$1/mariadb.sock" -e "$2"
}

mariadb_answers() {
  mariadb_ask "$1" "SELECT 1" >/dev/null 2>&1
}

mariadb_answers_or_ended() {
  mariadb_answers "$1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
}

# Begins the process of a MariaDB whose `mariadb.words` are there.
begin_mariadb() {
  local server=$1 words program
  mapfile -t words <"$server/mariadb.words"
  program=$MARIADB_BIN/mariadbd
  [[ -x $program ]] || program=$(command -v mariadbd)
  rm -f "$server/pid"
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "$program" "${words[@]}"
  ) </dev/null >>"$server/mariadb.log" 2>&1 &
  until_true test -s "$server/pid"
}

# Whether a server that this script has begun answers, or has ended.
answers_or_ended() {
  answers "$1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
}

# Begins the process of a server whose `redis.conf` is there; further words are the server's own. It says its pid itself, so that
# who is ended here leaves no server behind that nobody knows.
begin() {
  local server=$1
  shift
  rm -f "$server/pid"
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "$REDIS_SERVER" "$server/redis.conf" "$@"
  ) </dev/null >>"$server/redis.log" 2>&1 &
  until_true test -s "$server/pid"
}

# Starts a server in a directory and sets PORT once it answers: start DIRECTORY LINE... [-- WORD...]. In the lines of its
# configuration %PORT% stands for the port; the words go behind the configuration's name. A port that another process takes
# meanwhile is left to it.
start() {
  local server=$1 lines=() attempt
  shift
  while (($#)) && [[ $1 != -- ]]; do
    lines+=("$1")
    shift
  done
  mkdir -p "$server"
  for attempt in {1..20}; do
    PORT=$(free_port)
    printf '%s\n' "bind 127.0.0.1" "port $PORT" "dir $server" "unixsocket $server/redis.sock" "unixsocketperm 700" \
      "daemonize no" "set-proc-title no" "loglevel notice" "${lines[@]//%PORT%/$PORT}" >"$server/redis.conf"
    begin "$server" "${@:2}"
    until_true answers_or_ended "$server" || break
    ! answers "$server" || return 0
    grep -qi "address already in use" "$server/redis.log" || break
  done
  tail -n 20 "$server/redis.log" >&2
  fail "a server did not start: $server"
}

# Sets AS, behind which programs of PostgreSQL run for a directory: they refuse to be root's, and then are its owner's. The way to
# it may be closed to others than root, so they keep the right to go it.
as_owner() {
  AS=()
  if [[ $(id -u) == 0 ]]; then
    AS=(setpriv --reuid="$(stat -c %u "$1")" --regid="$(stat -c %g "$1")" --clear-groups
      --inh-caps=+dac_override --ambient-caps=+dac_override env HOME="$1")
  fi
}

# As `begin`, for PostgreSQL.
begin_postgres() {
  local server=$1
  as_owner "$server"
  # One that was killed has left its own files with a pid, which may be another process's by now, or a zombie's.
  rm -f "$server/pid" "$server/data/postmaster.pid" "$server"/.s.PGSQL.*
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "${AS[@]}" "$POSTGRES_BIN/postgres" -D "$server/data" -p "$(<"$server/port")"
  ) </dev/null >>"$server/postgres.log" 2>&1 &
  until_true test -s "$server/pid"
}

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

# Whether the MongoDB of a directory answers: it is asked to introduce itself.
mongodb_answers() {
  local said
  said=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$(<"$1/port")" &&
    printf '\x37\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\1\0\0\0\x10\0\0\0\x10hello\0\1\0\0\0\0' >&3 &&
    timeout 5 head -c 60 <&3 | tr -d '\0') && [[ -n $said ]]
}

mongodb_answers_or_ended() {
  mongodb_answers "$1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
}

# As `begin`, for a MongoDB whose `mongodb.words` are there.
begin_mongodb() {
  local server=$1 words
  mapfile -t words <"$server/mongodb.words"
  rm -f "$server/pid"
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "${words[@]}"
  ) </dev/null >>"$server/mongodb.log" 2>&1 &
  until_true test -s "$server/pid"
}

# A password that nobody knows.
password() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# What servers that keep nothing have in their configuration.
FORGETFUL=('save ""' "appendonly no")
