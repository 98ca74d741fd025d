# What the servers' scripts share: which programs, which ports, and one server from its start until it answers. Sourced, not run.
#
# A server is a directory with what it runs with and from, and `pid`, the process that was started last: Redis's have `redis.conf`,
# `redis.log` and `redis.sock`, PostgreSQL's `data`, all others `words`, the program and what it is told, and `log`. Several
# runs may be under way at once: ports are drawn anew, and what answers is asked through its own socket or is known by its process.
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

# Who signs Debian's packages.
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror of Debian's that this system is set up with.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1 | sed 's#/$##'
}

# Of each kind: sets the variables that name its programs, which are looked for, or fetched.
# Those of Valkey where REDIS_FLAVOUR is `valkey`.
redis_programs() {
  local flavour=${REDIS_FLAVOUR:-redis} fetched
  if [[ -z ${REDIS_SERVER:-} || -z ${REDIS_CLI:-} ]]; then
    REDIS_SERVER=$(command -v "$flavour-server") && REDIS_CLI=$(command -v "$flavour-cli") || {
      fetched=$("$here/fetch.sh" "$flavour") || exit $?
      REDIS_SERVER=$fetched/$flavour-server REDIS_CLI=$fetched/$flavour-cli
    }
  fi
  export REDIS_SERVER REDIS_CLI
}
guarded_programs() { redis_programs; }
cluster_programs() { redis_programs; }
sentinel_programs() { redis_programs; }

memcached_programs() {
  if [[ -z ${MEMCACHED:-} ]]; then
    MEMCACHED=$(command -v memcached) || {
      local fetched
      fetched=$("$here/fetch.sh" memcached) || exit $?
      MEMCACHED=$fetched/memcached
    }
  fi
  export MEMCACHED
}

# POSTGRES_BIN is the directory with initdb, postgres, psql and pg_isready.
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

# MARIADB_BIN is the directory with mariadb and mariadb-install-db.
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

# MONGOD, or else DOCUMENTDB, the directory of what stands in for it.
mongodb_programs() {
  MONGOD=${MONGOD:-$(command -v mongod || true)}
  if [[ -z $MONGOD && -z ${DOCUMENTDB:-} ]]; then
    DOCUMENTDB=$("$here/_documentdb.sh") || exit $?
  fi
  export MONGOD DOCUMENTDB
}

# MOTO_PYTHON is an interpreter that has moto.
moto_programs() {
  if [[ -z ${MOTO_PYTHON:-} ]]; then
    local fetched
    fetched=$("$here/fetch.sh" moto) || exit $?
    MOTO_PYTHON=$fetched/bin/python
  fi
  export MOTO_PYTHON
}

# DYNALITE and AZURITE are programs for Node.
dynalite_programs() {
  if [[ -z ${DYNALITE:-} ]]; then
    local fetched
    fetched=$("$here/fetch.sh" dynalite) || exit $?
    DYNALITE=$fetched/node_modules/dynalite/cli.js
  fi
  export DYNALITE
}

azurite_programs() {
  if [[ -z ${AZURITE:-} ]]; then
    local fetched
    fetched=$("$here/fetch.sh" azurite) || exit $?
    AZURITE=$fetched/node_modules/azurite/dist/src/blob/main.js
  fi
  export AZURITE
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

# Whether no process was started with a word that has this in it.
nobody_names() {
  [[ $(ps -ww -ax -o command=) != *"$1"* ]]
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

# Whether the server of a directory listens at its port.
listens() {
  taken "$(<"$1/port")"
}

# Whether the Memcached of a directory answers; one that speaks TLS only does once it listens.
memcached_answers() {
  local said
  if grep -q '^-Z$' "$1/words"; then
    listens "$1"
  else
    said=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$(<"$1/port")" && printf 'mn\r\n' >&3 && head -n 1 <&3) && [[ $said == MN* ]]
  fi
}

# Asks the MariaDB of a directory, through its socket.
mariadb_ask() {
  "$MARIADB_BIN/mariadb" --no-defaults -uroot --socket="$1/mariadb.sock" -e "$2"
}

mariadb_answers() {
  [[ -n ${MARIADB_BIN:-} ]] || mariadb_programs
  mariadb_ask "$1" "SELECT 1" >/dev/null 2>&1
}

# Whether the MongoDB of a directory answers: it is asked to introduce itself.
mongodb_answers() {
  local said
  said=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$(<"$1/port")" &&
    printf '\x37\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\1\0\0\0\x10\0\0\0\x10hello\0\1\0\0\0\0' >&3 &&
    timeout 5 head -c 60 <&3 | tr -d '\0') && [[ -n $said ]]
}

# Starts what words run, in which %PORT% stands for its port, and sets PORT once a command says that it answers:
# start_words DIRECTORY COMMAND PROGRAM WORD... One of the words names the directory. A port that another process takes meanwhile is left to it.
start_words() {
  local server=$1 answers=$2 attempt
  shift 2
  mkdir -p "$server"
  echo "$answers" >"$server/answers"
  for attempt in {1..20}; do
    PORT=$(free_port)
    echo "$PORT" >"$server/port"
    printf '%s\n' "${@//%PORT%/$PORT}" >"$server/words"
    begin_words "$server"
    until_true words_answer_or_ended "$server" || break
    ! runs "$server" || ! "$answers" "$server" || return 0
    grep -qiE "address already in use|EADDRINUSE" "$server/log" || break
  done
  tail -n 20 "$server/log" >&2
  fail "a server did not start: $server"
}

# Begins the process of a server whose `words` are there.
begin_words() {
  local server=$1 words
  mapfile -t words <"$server/words"
  rm -f "$server/pid"
  (
    cd "$server"
    echo "$BASHPID" >pid
    exec setsid "${words[@]}"
  ) </dev/null >>"$server/log" 2>&1 &
  until_true test -s "$server/pid"
}

words_answer_or_ended() {
  "$(<"$1/answers")" "$1" || ! kill -0 "$(cat "$1/pid")" 2>/dev/null
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

# A password that nobody knows.
password() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# What servers that keep nothing have in their configuration.
FORGETFUL=('save ""' "appendonly no")
