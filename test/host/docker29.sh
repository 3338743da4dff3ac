#!/bin/bash
# docker29.sh OUT.tar - docker 29, which no release of Debian has: its daemon, built from the Go modules that
# .ci/docker29.mod pins, and a drop-in that starts it in place of the suite's. Unpacked over the disk.
#
# Its version is v2.0.0-beta.24 of github.com/moby/moby/v2, API 1.56; the module does not say which 29.x that is.
# docker's program, containerd, runc and docker-init stay those of the suite.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/build-lib.sh"

out=${1:?OUT.tar}
[[ ! -e $out ]] || exit 0 # built by another process while this one waited for the lock

work=$(mktemp -d "${out%/*}/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
disk=$work/disk
mkdir -p "$disk/usr/local/sbin" "$disk/etc/systemd/system/docker.service.d"
chmod 755 "$disk"

cd "$here/../.."
version=$(go list -m -modfile=.ci/docker29.mod -f '{{.Version}}' github.com/moby/moby/v2)
CGO_ENABLED=0 go build -modfile=.ci/docker29.mod -buildvcs=false \
  -ldflags "-s -w -X github.com/moby/moby/v2/dockerversion.Version=${version#v}" \
  -o "$disk/usr/local/sbin/" github.com/moby/moby/v2/cmd/dockerd github.com/moby/moby/v2/cmd/docker-proxy
cat >"$disk/etc/systemd/system/docker.service.d/docker29.conf" <<'END'
[Service]
ExecStart=
ExecStart=/usr/local/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
END
pack "$disk" "$out"
