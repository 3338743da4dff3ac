#!/bin/bash
# registry.sh - run in a machine's root file system while it is made: one registry on 127.0.0.1:443
# that plays ghcr.io, quay.io and docker.io, under a certificate of the machine's own authority. TLS
# and the right port on purpose: then docker, BuildKit, podman, skopeo and curl need no "insecure"
# setting (and BuildKit does not heed docker's).
set -euo pipefail
hosts=(quay.io ghcr.io registry.fedoraproject.org docker.io registry-1.docker.io index.docker.io auth.docker.io)
conf=/etc/ocisi-registry

make_certificates() {
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  echo "subjectAltName=$(printf 'DNS:%s,' "${hosts[@]}" localhost)IP:127.0.0.1" >$conf/names
  openssl req -x509 "${key[@]}" -days 3650 -subj '/CN=ocisi test host CA' \
    -addext basicConstraints=critical,CA:TRUE -keyout $conf/ca.key -out $conf/ca.pem
  openssl req "${key[@]}" -subj '/CN=quay.io' -keyout $conf/key.pem -out $conf/csr.pem
  openssl x509 -req -in $conf/csr.pem -CA $conf/ca.pem -CAkey $conf/ca.key -CAcreateserial -days 3650 \
    -extfile $conf/names -out $conf/crt.pem
  cp $conf/ca.pem /usr/local/share/ca-certificates/ocisi-testhost.crt
  update-ca-certificates
}

write_service() {
  cat >$conf/config.yml <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/ocisi-registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:443", tls: {certificate: $conf/crt.pem, key: $conf/key.pem}}
END
  cat >/etc/systemd/system/ocisi-registry.service <<'END'
[Unit]
Description=local registry that plays quay.io, ghcr.io and docker.io
Before=docker.service
[Service]
ExecStart=/usr/bin/docker-registry serve /etc/ocisi-registry/config.yml
[Install]
WantedBy=multi-user.target
END
  systemctl enable ocisi-registry
}

mkdir -p $conf /var/lib/ocisi-registry
make_certificates
write_service
# the machine's /etc/hosts is written at each boot, and this added to it
echo "127.0.0.1 ${hosts[*]}" >/etc/hosts.extra
