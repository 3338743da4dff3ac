#!/bin/bash
# base-fedora.sh OUT.tar - the Fedora-like base image. It is NOT Fedora: a small root file system of
# Debian's packages that says ID=fedora, with a real dnf and rpm, group wheel, and a repository of stub
# RPMs inside (stubs.txt), so that Fedora Containerfiles build where no Fedora mirror can be reached.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/build-lib.sh"

out=${1:?OUT.tar}
[[ ! -e $out ]] || exit 0

work=$(mktemp -d "${out%/*}/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
disk=$work/disk
mkdir -m 755 "$disk"

look_like_fedora() {
  local program
  rm -f "$disk/etc/os-release"
  cat >"$disk/etc/os-release" <<'END'
NAME="Fedora Linux"
VERSION="43 (Container Image)"
ID=fedora
VERSION_ID=43
PRETTY_NAME="Fedora Linux 43 (a stub made of Debian packages)"
PLATFORM_ID="platform:f43"
VARIANT_ID=container
END
  # distrobox-init asks for apt-get before it asks for dnf
  for program in apt-get apt apt-cache; do
    mv "$disk/usr/bin/$program" "$disk/usr/lib/apt/$program.debian"
  done
  in_tree "$disk" groupadd -r wheel
  echo '%wheel ALL=(ALL) ALL' >"$disk/etc/sudoers.d/wheel"
  chmod 440 "$disk/etc/sudoers.d/wheel"
  # Debian's rpm keeps its database in ~/.rpmdb
  mkdir -p "$disk/etc/rpm" "$disk/var/lib/rpm"
  echo '%_dbpath /var/lib/rpm' >"$disk/etc/rpm/macros.dbpath"
  in_tree "$disk" rpm --initdb
}

configure_dnf() {
  local name
  for name in dnf dnf5; do
    rm -f "$disk/usr/bin/$name"
    install -m 755 "$here/files/dnf-shim" "$disk/usr/bin/$name"
  done
  # Debian's dnf comes with a plugin that adds a repository which wants signatures and has no key
  printf '[main]\nenabled=0\n' >"$disk/etc/dnf/plugins/local.conf"
  # cachedir is dnf5's, so that a cache mount on it does what it does on Fedora
  cat >"$disk/etc/dnf/dnf.conf" <<'END'
[main]
gpgcheck=0
installonly_limit=3
clean_requirements_on_remove=True
best=False
skip_if_unavailable=True
tsflags=nodocs
cachedir=/var/cache/libdnf5
END
  mkdir -p "$disk/etc/yum.repos.d"
  cat >"$disk/etc/yum.repos.d/stubs.repo" <<'END'
[stubs]
name=Stub packages
baseurl=file:///srv/stub-repo
enabled=1
gpgcheck=0
metadata_expire=1
END
}

make_tree bookworm "$disk" "$(comma dnf dnf-plugins-core rpm createrepo-c file ca-certificates xz-utils "${box_packages[@]}")" \
  minbase "deb $(debian_mirror) bookworm main"
look_like_fedora
"$here/stubs.sh" "$disk"
configure_dnf
in_tree "$disk" rpm -i --force-debian --nodeps /srv/stub-repo/noarch/fedora-release-43-1.noarch.rpm
rm -rf "$disk"/var/lib/apt/lists/* "$disk"/var/cache/apt/*.bin "$disk"/var/cache/dnf "$disk/etc/hostname"
: >"$disk/etc/resolv.conf"
pack "$disk" "$out"
