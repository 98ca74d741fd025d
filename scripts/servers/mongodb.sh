#!/usr/bin/env bash
# MongoDB: mongodb.sh DIRECTORY. Where there is no mongod, PostgreSQL with the extension DocumentDB stands in for it, behind a gateway of
# ours that speaks MongoDB's protocol; that is no replica set, and has no transactions, change streams, encryption or users.
source "$(dirname "$0")/_lib.sh"
mongodb_programs

server=$1/one
mkdir -p "$server"
if [[ -z $MONGOD ]]; then
  start_documentdb "$1/engine"
  engine=$PORT
fi
for attempt in {1..20}; do
  PORT=$(free_port)
  if [[ -n $MONGOD ]]; then
    mkdir -p "$server/data"
    printf '%s\n' "$MONGOD" --dbpath "$server/data" --bind_ip 127.0.0.1 --port "$PORT" --nounixsocket >"$server/mongodb.words"
  else
    printf '%s\n' "$DOCUMENTDB/python/bin/python" "$here/mongodb_gateway.py" "$PORT" "$engine" "$server/" >"$server/mongodb.words"
  fi
  echo "$PORT" >"$server/port"
  begin_mongodb "$server"
  until_true mongodb_answers_or_ended "$server" || break
  ! mongodb_answers "$server" || break
  grep -qi "address already in use" "$server/mongodb.log" || break
done
mongodb_answers "$server" || {
  tail -n 20 "$server/mongodb.log" >&2
  fail "a server did not start: $server"
}
tell EVERWARM_TEST_MONGODB "mongodb://127.0.0.1:$PORT/everwarm?directConnection=true"
