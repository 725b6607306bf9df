#!/bin/sh
# Create a CA and the certificates of one cluster:  certificates.sh FOLDER HOST...
#
# FOLDER must not exist. It gets a folder for each role (scheduler, worker, driver) with ca.pem,
# cert.pem and key.pem. HOST is the name or address of a machine, for programs that compare it;
# Dask does not. Certificates expire after 90 days, or after the number of days in DAYS.
#
# The key of the CA is deleted, so nobody can create another certificate that this cluster trusts.
set -eu
umask 077 # folders 0700, files 0600

fail() {
    echo "certificates.sh: $1" >&2
    exit "${2:-1}"
}

quietly() {
    openssl "$@" 2> "$secret/log" || fail "openssl failed: $(cat "$secret/log")"
}

sections() { # the extensions of each kind of certificate
    cat <<END
[req]
prompt = no
distinguished_name = name
[name]
CN = daskgmm $1
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[certificate]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $2
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
${3:+subjectAltName = $3}
END
}

ca() {
    sections CA clientAuth > "$secret/ca.conf"
    quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days "$days" \
        -config "$secret/ca.conf" -extensions ca -keyout "$secret/ca.key" -out "$secret/ca.pem"
}

issue() { # role, what it may be in a connection, its names
    mkdir "$made/$1"
    sections "$1" "$2" "$3" > "$secret/$1.conf"
    quietly req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -config "$secret/$1.conf" -keyout "$made/$1/key.pem" -out "$secret/$1.csr"
    quietly x509 -req -in "$secret/$1.csr" -CA "$secret/ca.pem" -CAkey "$secret/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -sha256 -days "$days" \
        -extfile "$secret/$1.conf" -extensions certificate -out "$made/$1/cert.pem"
    cp "$secret/ca.pem" "$made/$1/ca.pem"
}

[ $# -ge 2 ] || fail "usage: certificates.sh FOLDER HOST..." 2
folder=${1%/}
shift
days=${DAYS:-90}
case $days in
'' | *[!0-9]* | 0*) fail "DAYS=$days is not a number of days" 2 ;;
esac
names=
for host; do
    case $host in
    '' | *[!A-Za-z0-9.:*-]*) fail "'$host' is not a name or address of a host" 2 ;;
    *:* | *[0-9].*[0-9].*[0-9].*[0-9]) kind=IP ;;
    *) kind=DNS ;;
    esac
    names=$names${names:+,}$kind:$host
done
command -v openssl > /dev/null || fail "there is no openssl; install it"
[ ! -e "$folder" ] || fail "$folder exists and is not overwritten; choose another folder"

# Beside FOLDER, so that FOLDER appears complete or not at all.
secret=$(mktemp -d "$folder.XXXXXX")
made=$secret/made
trap 'rm -rf "$secret"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$made"
ca
issue scheduler serverAuth,clientAuth "$names"
issue worker serverAuth,clientAuth "$names"
issue driver clientAuth '' # nobody connects to a driver
mv "$made" "$folder"
echo "$folder: certificates for $days days; give each machine only the folder of its role"
