#!/bin/bash
# build.sh TREE ARCH IMAGE - make a system extension of TREE, which 'make install'
# laid out, for ARCH (amd64, arm64). systemd-sysext wants it under the name
# ocisi.raw. With FILE_CONTEXTS=/etc/selinux/targeted/contexts/files/file_contexts
# the files get SELinux labels; SOURCE_DATE_EPOCH makes the same image of the same tree.
set -euo pipefail
tree=$1 arch=$2 image=$3
# The names of systemd's ConditionArchitecture=.
case $arch in
amd64) arch=x86-64 ;;
arm64) ;;
*)
	echo "sysext: no name known for architecture $arch" >&2
	exit 2
	;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
mkdir "$work/root" # mktemp's own is for its owner only, and a mounted root must not be
cp -a "$tree/usr" "$work/root"
# ID=_any: a static program and text files fit every distribution.
install -d "$work/root/usr/lib/extension-release.d"
printf 'ID=_any\nARCHITECTURE=%s\n' "$arch" > "$work/root/usr/lib/extension-release.d/extension-release.ocisi"
find "$work/root" -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH:-$(date +%s)}" {} +

# -T and the fixed UUID: nothing in the image depends on when it was made.
rm -f "$image"
mkfs.erofs -zlz4hc --all-root -T"${SOURCE_DATE_EPOCH:-$(date +%s)}" -U d4f1c0de-0c15-4000-8000-000000000000 \
	${FILE_CONTEXTS:+--file-contexts="$FILE_CONTEXTS"} "$image" "$work/root" > /dev/null
