#!/usr/bin/env bash
# Four servers: one, two more that share names with it, and one that speaks TLS only, to one user: memcached.sh DIRECTORY.
source "$(dirname "$0")/_lib.sh"
source "$here/_certificates.sh"
memcached_programs

# Sets PORT once it answers: start_memcached DIRECTORY WORD...
start_memcached() {
  start_words "$1" memcached_answers "$MEMCACHED" -l 127.0.0.1 -p %PORT% -U 0 -m 64 -t 2 -u "$(id -un)" -P "$1/memcached.pid" "${@:2}"
}

several=()
for name in one two three; do
  start_memcached "$1/$name"
  several+=("127.0.0.1:$PORT")
done
tell EVERWARM_TEST_MEMCACHED "memcached://${several[0]}"
tell EVERWARM_TEST_MEMCACHED_SEVERAL "memcached://$(IFS=,; echo "${several[*]}")?weights=1,2,1"

server=$1/guarded
certificates "$server"
password=$(password)
echo "everwarm:$password" >"$server/users"
start_memcached "$server" -Y "$server/users" -Z -o "ssl_chain_cert=$server/server.crt,ssl_key=$server/server.key"
tell EVERWARM_TEST_MEMCACHED_TLS "memcacheds://everwarm:$password@127.0.0.1:$PORT?ca=$server/ca.crt"
