#!/bin/bash
# package.sh [--all | --since REV] [--without-goreleaser] - build every package of the
# committed source, as a release does, and check each: the files and their modes,
# architecture, version, a second build elsewhere with the same bytes, and the
# Containerfiles of docs/packaging.md. As root on Debian 12 or later; missing tools
# are installed. Ends with "N passed, N failed".
#
#   --all                 run every step (default)
#   --since REV           run the reproducibility steps only if something that affects
#                         them changed between REV and HEAD; REV auto is the commit of
#                         24 hours before HEAD (test/package/since.sh)
#   --without-goreleaser  skip goreleaser's archives: compiling it takes minutes
#
# Not tested here: brew itself, COPR, signing, and a registry.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. test/package/lib.sh
. test/package/since.sh

since='' goreleaser=1
while [ $# -gt 0 ]; do
	case $1 in
	--all) since='' ;;
	--since)
		since=${2:?--since needs a revision, or auto}
		shift
		;;
	--without-goreleaser) goreleaser='' ;;
	*)
		echo "package: unknown option $1" >&2
		exit 2
		;;
	esac
	shift
done

version=0.0.1 # of no release
export GOFLAGS=-buildvcs=auto # independent of the user's settings
work=$(mktemp -d /tmp/ocisi-package.XXXXXX)
trap clean EXIT
need make:make rpmbuild:rpm rpm2cpio:rpm2cpio cpio:cpio mkfs.erofs:erofs-utils ruby:ruby xz:xz-utils \
	buildah:buildah busybox:busybox-static file:file systemd-analyze:systemd man:man-db git:git

decision="run: --all"
[ -z "$since" ] || decision=$(since_decision "$root" "$since")
echo "reproducibility steps: $decision"

git clone --quiet --no-hardlinks "file://$root" "$work/first"
git -C "$work/first" -c user.name=test -c user.email=test@localhost tag -a -m test "v$version"
made=$work/first/bin/release
. test/package/packages.sh
. test/package/images.sh

steps=12 # change it with the list below
step "the choice of the reproducibility steps" since_decisions
step "a release" release_once
step "the files of amd64" files_of "$made/oci/amd64/system_files"
step "the files of arm64" files_of "$made/oci/arm64/system_files"
step "the programs" programs
step "the units" units
step "the man pages and completions" pages
step "system extensions" sysexts
step "the formula: install and test" formula
step "the RPM" rpm_built
step "the OCI layer" layer
step "an image made as docs/packaging.md says" custom_image
if [[ $decision == run:* ]]; then
	steps=$((steps + 3))
	step "again elsewhere: the same bytes" same_bytes
	step "make build in a clone, a tarball and a copy: the same bytes" same_program
	step "the RPM again: the same bytes" rpm_again
fi
if [ -n "$goreleaser" ]; then
	steps=$((steps + 1))
	step "goreleaser's archives" archives
fi
finish "$steps"
