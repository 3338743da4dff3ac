#!/bin/bash
# package.sh - build every package of what is committed, as a release does, and
# look into each: the files and their modes, architecture, version, that a second
# build elsewhere gives the same bytes, and that what docs/packaging.md says to
# write into a Containerfile works. As root on Debian 12 or later; the tools that
# are missing are installed. Ends with "N passed, N failed".
#
# Not tried here: brew itself, COPR, signing, and a registry.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. test/package/lib.sh

version=0.0.1 # of no release
export GOFLAGS=-buildvcs=auto # not what somebody prefers here
need make:make rpmbuild:rpm rpm2cpio:rpm2cpio cpio:cpio mkfs.erofs:erofs-utils ruby:ruby xz:xz-utils \
	buildah:buildah busybox:busybox-static file:file systemd-analyze:systemd man:man-db git:git
work=$(mktemp -d /tmp/ocisi-package.XXXXXX)
trap 'rm -rf "$work"' EXIT

git clone --quiet --no-hardlinks "file://$root" "$work/first"
git -C "$work/first" -c user.name=test -c user.email=test@localhost tag -a -m test "v$version"
made=$work/first/bin/release
. test/package/packages.sh
. test/package/images.sh

step "a release" release_once
step "the files of amd64" files_of "$made/oci/amd64/system_files"
step "the files of arm64" files_of "$made/oci/arm64/system_files"
step "the programs" programs
step "the units" units
step "the man pages and completions" pages
step "again elsewhere: the same bytes" same_bytes
step "make build in a clone, a tarball and a copy: the same bytes" same_program
step "system extensions" sysexts
step "the formula: install and test" formula
step "the RPM" rpm_built
step "the RPM again: the same bytes" rpm_again
step "the OCI layer" layer
step "an image made as docs/packaging.md says" custom_image
if [ "${1-}" != --without-goreleaser ]; then
	step "goreleaser's archives" archives
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
