#!/bin/bash
# stubs.sh TREE - turn stubs.txt into RPMs and a repository at /srv/stub-repo of TREE, which must hold
# rpmbuild and createrepo_c. Also makes fedora-release 43-1 and 43-2, so that "dnf update" in an image
# with the first installed has something to do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/build-lib.sh"

tree=${1:?TREE}
work=$tree/tmp/stubs
mkdir -p "$work" "$tree/srv/stub-repo"

# table N: the lines that name their package for the Nth time. One spec cannot hold a name twice.
table() {
  awk -v nth="$1" '!/^#/ && NF && ++seen[$1] == nth' "$here/stubs.txt"
}

# stubbed COMMANDS: those of the list that the tree does not have for real
stubbed() {
  local command
  [[ $1 != - ]] || return 0
  for command in ${1//,/ }; do
    [[ -e $tree/usr/bin/$command || -e $tree/usr/sbin/$command ]] || echo "$command"
  done
}

# One rpmbuild for a hundred packages: each is a subpackage, the main package stays unbuilt.
spec() {
  local name version commands provides command provided
  local install='mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/stubs'
  printf 'Name: stubs\nVersion: 1\nRelease: 1\nSummary: stubs\nLicense: MIT\nBuildArch: noarch\n%%description\nstubs\n'
  while read -r name version commands provides; do
    printf '%%package -n %s\nVersion: %s\nSummary: stub of %s\nAutoReqProv: no\n' "$name" "$version" "$name"
    for provided in ${provides//,/ }; do
      echo "Provides: $provided = $version"
    done
    printf '%%description -n %s\nstub\n%%files -n %s\n/usr/share/stubs/%s\n' "$name" "$name" "$name"
    install+=$'\n'"echo $version >%{buildroot}/usr/share/stubs/$name"
    for command in $(stubbed "$commands"); do
      echo "/usr/bin/$command"
      install+=$'\n'"printf '#!/bin/sh\necho \"$command $version (stub)\"\n' >%{buildroot}/usr/bin/$command"
      install+=$'\n'"chmod 755 %{buildroot}/usr/bin/$command"
    done
  done
  printf '%%install\n%s\n' "$install"
}

release_spec() {
  cat <<END
Name: fedora-release
Version: 43
Release: $1
Summary: stub of fedora-release
License: MIT
BuildArch: noarch
AutoReqProv: no
Provides: system-release = 43
Provides: system-release(releasever) = 43
%description
stub
%files
/usr/share/stubs/fedora-release
%install
mkdir -p %{buildroot}/usr/share/stubs
echo 43-$1 >%{buildroot}/usr/share/stubs/fedora-release
END
}

build() {
  in_tree "$tree" rpmbuild -bb --quiet --define '_topdir /tmp/stubs/rpmbuild' \
    --define '_rpmdir /srv/stub-repo' --define '_build_id_links none' --define 'debug_package %{nil}' \
    --define '_binary_payload w1.gzdio' "/tmp/stubs/$1"
}

for nth in 1 2 3; do
  [[ -n $(table $nth) ]] || continue
  table $nth | spec >"$work/stubs-$nth.spec"
  build "stubs-$nth.spec"
done
for release in 1 2; do
  release_spec $release >"$work/fedora-release-$release.spec"
  build "fedora-release-$release.spec"
done
in_tree "$tree" createrepo_c -q /srv/stub-repo
rm -rf "$work"
