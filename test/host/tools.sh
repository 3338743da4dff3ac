#!/bin/bash
# tools.sh OUT.tar - what a machine has that is on npm and not in Debian: the devcontainers CLI, which needs
# Node.js 20 or later, and the just that Fedora 44 ships. Unpacked over the disk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/build-lib.sh"

out=${1:?OUT.tar}
[[ ! -e $out ]] || exit 0 # somebody else made it while we waited for the lock

work=$(mktemp -d "${out%/*}/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work/disk/usr/local/bin" "$work/disk/usr/local/lib/devcontainers" "$work/just"
chmod 755 "$work/disk" # mktemp's parent is ours alone, the machine's root is everybody's

# fetch PACKAGE DIR: what a package of npm holds, nothing of it run
fetch() {
  local archive
  archive=$(cd "$work" && npm pack --silent "$1")
  tar -C "$2" --strip-components=1 --no-same-owner -xzf "$work/$archive"
}

fetch @devcontainers/cli@0.89.0 "$work/disk/usr/local/lib/devcontainers"
ln -s ../lib/devcontainers/devcontainer.js "$work/disk/usr/local/bin/devcontainer"
chmod 755 "$work/disk/usr/local/lib/devcontainers/devcontainer.js"
fetch rust-just-linux-x64@1.50.0 "$work/just"
install -m 755 "$(find "$work/just" -type f -name just)" "$work/disk/usr/local/bin/just"
pack "$work/disk" "$out"
