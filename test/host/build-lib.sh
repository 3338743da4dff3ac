# shellcheck shell=bash
# How a root file system is made and packed. Sourced by rootfs.sh, base-fedora.sh and base-debian.sh;
# a change here changes the key of every cached tar.

# debian_site SUFFIX: where this machine gets its own release (SUFFIX "") or its security updates
# ("-security") from. Asked of apt, so that no mirror's name stands in any file here. Other
# repositories (node, cloud tools) are told apart by the origin in their Release file.
debian_site() {
  local codename
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # awk reads to the end on purpose: an early exit would break the pipe and, with pipefail, the script
  # shellcheck disable=SC2016  # $(...) is apt's, not ours
  apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk -v want="$codename$1" '$1 == "Debian" && $2 == want && !seen++ { print $3 }'
}

debian_mirror() {
  local site=${OCISI_HOST_MIRROR:-$(debian_site "")}
  [[ -n $site ]] || {
    echo "no Debian mirror in apt's sources; name one in OCISI_HOST_MIRROR" >&2
    return 1
  }
  echo "$site"
}

# make_tree SUITE DIR PACKAGES VARIANT SOURCE...: a Debian tree, tried twice because mirrors have moods.
make_tree() {
  local suite=$1 dir=$2 packages=$3 variant=$4
  shift 4
  local options=(
    --quiet --mode=root --variant="$variant" --include="$packages"
    # a frozen mirror serves Release files past their date
    --aptopt='Acquire::Check-Valid-Until "false"'
    --aptopt='APT::Install-Recommends "false"'
    --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-exclude=/usr/share/locale/*'
  )
  mmdebstrap "${options[@]}" "$suite" "$dir" "$@" && return
  echo "mmdebstrap failed; once more" >&2
  rm -rf --one-file-system "$dir"
  mkdir -m 755 "$dir"
  mmdebstrap "${options[@]}" "$suite" "$dir" "$@"
}

# in_tree DIR CMD...: run a program of the tree, with nothing of our own environment.
in_tree() {
  local dir=$1
  shift
  chroot "$dir" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# pack DIR OUT: file capabilities matter (newuidmap, ping). The rename comes last, so a tar that is
# there is whole.
pack() {
  tar -C "$1" --one-file-system --numeric-owner --xattrs --xattrs-include=security.capability -cf "$2.part" .
  mv "$2.part" "$2"
}

# comma A B C: A,B,C
comma() {
  local IFS=,
  echo "$*"
}

# What distrobox-init looks for (1.4 to 1.8). A base that has it all lets a box start in under a
# second; one that lacks anything is filled by the package manager for 16 to 35 seconds.
# shellcheck disable=SC2034  # read by the scripts that source this file
box_packages=(
  bash bc bzip2 curl diffutils findutils gnupg hostname iputils-ping less lsof man-db mount
  openssh-client passwd pigz pinentry-curses procps rsync bsdutils sudo time tree unzip
  util-linux wget xauth zip
)
