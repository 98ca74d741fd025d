#!/usr/bin/env bash
# One server that speaks TLS only, to one user with a password: guarded.sh DIRECTORY.
#
# The default user is off, and the other may not say KEYS or delete what is not its own by FLUSHALL. A client's certificate is
# asked for and may be missing.
source "$(dirname "$0")/_lib.sh"
source "$here/_certificates.sh"
redis_programs

server=$1/one
certificates "$server"

password=$(password)
start "$server" "${FORGETFUL[@]}" "port 0" "tls-port %PORT%" "tls-auth-clients optional" "tls-ca-cert-file $server/ca.crt" \
  "tls-cert-file $server/server.crt" "tls-key-file $server/server.key" "user default off" \
  "user everwarm on >$password ~* &* +@all -keys -flushall -flushdb -swapdb -shutdown"
[[ $(cli "$server" --no-auth-warning --user everwarm --pass "$password" ping) == PONG ]] || fail "the user was not let in"
tell EVERWARM_TEST_REDIS_TLS "rediss://everwarm:$password@127.0.0.1:$PORT/0"
tell EVERWARM_TEST_REDIS_CA "$server/ca.crt"
tell EVERWARM_TEST_REDIS_CERT "$server/client.crt"
tell EVERWARM_TEST_REDIS_KEY "$server/client.key"
