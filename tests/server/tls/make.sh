#!/bin/sh
# make.sh: the certificates of the servers in the tests of downloads: an authority of their own, whose key is thrown
# away, and a server's. Nobody else trusts them, so that the key beside them opens nothing.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/config" <<CONFIG
[ca]
default_ca = tests
[tests]
database = $folder/index
new_certs_dir = $folder
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
[req]
distinguished_name = req
[authority]
basicConstraints = critical, CA:TRUE
[server]
subjectAltName = DNS:pictures.test
CONFIG
: >"$folder/index"
ask() { # name, key
    openssl req -config "$folder/config" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2" \
        -out "$folder/request" -subj "/CN=$1"
}
sign() { # extensions, out, more options
    extensions=$1 out=$2
    shift 2
    openssl ca -batch -notext -config "$folder/config" -startdate 20200101000000Z -enddate 21200101000000Z \
        -extensions "$extensions" -in "$folder/request" -out "$out" "$@"
}
ask "authority of tests" "$folder/key"
sign authority authority.pem -selfsign -keyfile "$folder/key"
ask pictures.test server.key.pem
sign server server.pem -cert authority.pem -keyfile "$folder/key"
chmod 644 server.key.pem
