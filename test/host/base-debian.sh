#!/bin/bash
# base-debian.sh OUT.tar - the Debian base image: real, small, with sudo and all that distrobox-init
# looks for. apt in it uses this machine's own mirror, so "RUN apt-get install" works in a build.
set -euo pipefail
. "$(dirname "$0")/build-lib.sh"

out=${1:?OUT.tar}
[[ ! -e $out ]] || exit 0

work=$(mktemp -d "${out%/*}/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -m 755 "$work/disk"

make_tree bookworm "$work/disk" "$(comma ca-certificates "${box_packages[@]}")" minbase \
  "deb $(debian_mirror) bookworm main"
rm -rf "$work/disk"/var/lib/apt/lists/* "$work/disk/etc/hostname"
: >"$work/disk/etc/resolv.conf"
pack "$work/disk" "$out"
