#!/usr/bin/env bash
# One server, on a port and on a unix socket: redis.sh DIRECTORY.
source "$(dirname "$0")/_lib.sh"
redis_programs

server=$1/one
start "$server" "${FORGETFUL[@]}"
tell EVERWARM_TEST_REDIS "redis://127.0.0.1:$PORT/0"
tell EVERWARM_TEST_REDIS_UNIX "redis+unix://$server/redis.sock"
