#!/bin/bash
# release.sh VERSION [DIR] - all that a release has beside goreleaser's archives,
# to DIR (bin/release), from what is committed. VERSION has no v.
#
#   ocisi-VERSION.tar.gz                source, for Homebrew and the RPM
#   ocisi-VERSION-vendor.tar.xz         the modules, for builders without a network
#   ocisi-VERSION-sysext-ARCH.raw       system extensions
#   ocisi.spec, ocisi.rb                for COPR and for the tap
#   oci/ARCH/system_files               the context of packaging/oci/Containerfile
#
# ARCHES=amd64 leaves the other one out.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 out=${2-bin/release}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || {
	echo "release: '$version' is not a version such as 1.2.3" >&2
	exit 2
}
umask 022
export LC_ALL=C SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
rm -rf "$out"
mkdir -p "$out"
out=$(realpath "$out")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git archive --format=tar --prefix="ocisi-$version/" HEAD | gzip --no-name -9 > "$out/ocisi-$version.tar.gz"
tar -xzf "$out/ocisi-$version.tar.gz" -C "$work"
cd "$work/ocisi-$version"

go mod vendor
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
	--pax-option=delete=atime,delete=ctime -cf - vendor | xz -T1 -2 > "$out/ocisi-$version-vendor.tar.xz"
rm -r vendor

for arch in ${ARCHES:-amd64 arm64}; do
	make --no-print-directory install VERSION="v$version" GOARCH="$arch" DESTDIR="$out/oci/$arch/system_files"
	packaging/sysext/build.sh "$out/oci/$arch/system_files" "$arch" "$out/ocisi-$version-sysext-$arch.raw"
done

sum=$(sha256sum "$out/ocisi-$version.tar.gz")
sed -e '1,2d' -e "s/@VERSION@/$version/g; s/@SHA256@/${sum%% *}/" packaging/homebrew/ocisi.rb > "$out/ocisi.rb"
sed -e "s/@VERSION@/$version/; s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')/" packaging/rpm/ocisi.spec > "$out/ocisi.spec"
