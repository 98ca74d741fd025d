# Certificates for servers that speak TLS. Sourced behind _lib.sh, not run.

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

# Makes an authority, and certificates of a server and of a client, in a directory: certificates DIRECTORY.
certificates() {
  local server=$1
  mkdir -p "$server"
  if ! command -v openssl >/dev/null; then
    echo "servers: no openssl, so no server with TLS; hint: install openssl" >&2
    exit "$UNAVAILABLE"
  fi
  openssl_quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj "/CN=everwarm test authority" \
    -addext "basicConstraints=critical,CA:TRUE" -keyout "$server/ca.key" -out "$server/ca.crt"
  certificate server "subjectAltName=DNS:localhost,IP:127.0.0.1"
  certificate client "extendedKeyUsage=clientAuth"
}
