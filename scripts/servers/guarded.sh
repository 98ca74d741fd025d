#!/usr/bin/env bash
# One server that speaks TLS only, to one user with a password: guarded.sh DIRECTORY.
#
# The default user is off, and the other may not say KEYS or delete what is not its own by FLUSHALL. A client's certificate is
# asked for and may be missing.
source "$(dirname "$0")/_lib.sh"
programs

server=$1/one
mkdir -p "$server"

openssl_quietly() {
  openssl "$@" 2>>"$server/openssl.log" || {
    tail -n 5 "$server/openssl.log" >&2
    fail "no certificate could be made"
  }
}

# Makes a key and a certificate, signed by the authority of this run: certificate NAME EXTENSION.
certificate() {
  openssl_quietly req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=everwarm test $1" \
    -keyout "$server/$1.key" -out "$server/$1.csr"
  openssl_quietly x509 -req -in "$server/$1.csr" -CA "$server/ca.crt" -CAkey "$server/ca.key" -CAcreateserial -days 7 \
    -extfile <(printf 'basicConstraints=critical,CA:FALSE\n%s\n' "$2") -out "$server/$1.crt"
}

if ! command -v openssl >/dev/null; then
  echo "servers: no openssl, so no server with TLS; hint: install openssl" >&2
  exit "$UNAVAILABLE"
fi
openssl_quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj "/CN=everwarm test authority" \
  -addext "basicConstraints=critical,CA:TRUE" -keyout "$server/ca.key" -out "$server/ca.crt"
certificate server "subjectAltName=DNS:localhost,IP:127.0.0.1"
certificate client "extendedKeyUsage=clientAuth"

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
start "$server" "${FORGETFUL[@]}" "port 0" "tls-port %PORT%" "tls-auth-clients optional" "tls-ca-cert-file $server/ca.crt" \
  "tls-cert-file $server/server.crt" "tls-key-file $server/server.key" "user default off" \
  "user everwarm on >$password ~* &* +@all -keys -flushall -flushdb -swapdb -shutdown"
[[ $(cli "$server" --no-auth-warning --user everwarm --pass "$password" ping) == PONG ]] || fail "the user was not let in"
tell EVERWARM_TEST_REDIS_TLS "rediss://everwarm:$password@127.0.0.1:$PORT/0"
tell EVERWARM_TEST_REDIS_CA "$server/ca.crt"
tell EVERWARM_TEST_REDIS_CERT "$server/client.crt"
tell EVERWARM_TEST_REDIS_KEY "$server/client.key"
