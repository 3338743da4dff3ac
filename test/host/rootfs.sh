#!/bin/bash
# rootfs.sh SUITE OUT.tar - the disk of a test machine: Debian with systemd, docker, podman, distrobox.
#
#   forky     what Bluefin ships today, near enough
#   trixie    a year old
#   bookworm  the oldest we support: no buildx, no just, no "distrobox assemble"
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/build-lib.sh"

suite=${1:?SUITE} out=${2:?OUT.tar}
user=dev uid=1001
[[ ! -e $out ]] || exit 0 # somebody else made it while we waited for the lock

work=$(mktemp -d "${out%/*}/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
disk=$work/disk
mkdir -m 755 "$disk"

packages=(
  systemd systemd-sysv libpam-systemd dbus dbus-user-session
  docker.io tini # tini is docker-init, for "docker run --init"
  podman buildah skopeo uidmap slirp4netns passt crun fuse-overlayfs
  netavark aardvark-dns nftables # without nft rootful podman 5 has no network
  distrobox bsdextrautils        # distrobox 1.8's enter calls rev
  tzdata                         # distrobox 1.4 stops where there is no /etc/localtime
  docker-registry ca-certificates openssl
  bsdutils # script, for a terminal; forky no longer takes it for granted
  passwd sudo iptables iproute2 procps libcap2-bin
  bash-completion curl wget git jq less tmux xz-utils
)

sources() {
  local mirror security
  mirror=$(debian_mirror)
  echo "deb $mirror $suite main"
  case $suite in
  trixie | bookworm) echo "deb $mirror $suite-updates main" ;;
  esac
  # only our own release's security archive is known to apt
  security=$(debian_site -security)
  case $suite:$security in
  bookworm:?*) echo "deb $security bookworm-security main" ;;
  esac
}

add_user() {
  # /var/home as on Bluefin
  mkdir -p "$disk/var/home"
  rmdir "$disk/home"
  ln -s var/home "$disk/home"
  in_tree "$disk" useradd -m -d "/var/home/$user" -s /bin/bash -u "$uid" -G docker,systemd-journal "$user"
  if ! grep -q "^$user:" "$disk/etc/subuid"; then
    echo "$user:100000:65536" >>"$disk/etc/subuid"
    echo "$user:100000:65536" >>"$disk/etc/subgid"
  fi
  # distrobox root=true calls sudo
  echo "$user ALL=(ALL:ALL) NOPASSWD: ALL" >"$disk/etc/sudoers.d/$user"
  chmod 440 "$disk/etc/sudoers.d/$user"
  # linger: the user's systemd runs without a login, as tests of timers want
  mkdir -p "$disk/var/lib/systemd/linger"
  : >"$disk/var/lib/systemd/linger/$user"
}

# The kernel is not ours alone: no unit may load modules, set sysctls or touch devices. The rest is
# left out because nobody here needs it.
mask_units() {
  local unit units=(
    console-getty.service getty@.service systemd-modules-load.service systemd-sysctl.service
    systemd-remount-fs.service systemd-udevd.service sys-kernel-debug.mount sys-kernel-tracing.mount
    dev-hugepages.mount sys-fs-fuse-connections.mount systemd-firstboot.service systemd-timesyncd.service
    ldconfig.service systemd-journal-catalog-update.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    docker-registry.service podman-auto-update.service podman-auto-update.timer podman-restart.service
  )
  for unit in "${units[@]}"; do
    ln -sf /dev/null "$disk/etc/systemd/system/$unit"
  done
  in_tree "$disk" systemctl --quiet --global enable podman.socket || true
  mkdir -p "$disk/etc/systemd/journald.conf.d"
  printf '[Journal]\nStorage=volatile\n' >"$disk/etc/systemd/journald.conf.d/volatile.conf"
}

configure_podman() {
  mkdir -p "$disk/etc/containers"
  install -m 755 "$here/files/crun-nolimits" "$disk/usr/local/bin/"
  cat >"$disk/etc/containers/containers.conf" <<'END'
[containers]
pids_limit = 0
[engine]
runtime = "crun"
[engine.runtimes]
crun = ["/usr/local/bin/crun-nolimits"]
END
  # podman 4.3 picks vfs by itself: slow and without shared layers. podman 5.8 needs no telling, and
  # would take these two paths for ordinary users as well.
  [[ $suite = forky ]] || cat >"$disk/etc/containers/storage.conf" <<'END'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
END
}

# docker 20.10 hands every capability to a --privileged container, also one this machine lacks.
configure_docker() {
  [[ $suite = bookworm ]] || return 0
  mkdir -p "$disk/etc/docker"
  install -m 755 "$here/files/runc-nosysres" "$disk/usr/local/bin/"
  cat >"$disk/etc/docker/daemon.json" <<'END'
{"default-runtime": "nosysres", "runtimes": {"nosysres": {"path": "/usr/local/bin/runc-nosysres"}}}
END
}

[[ $suite = bookworm ]] || packages+=(docker-buildx docker-cli just nodejs) # the devcontainers CLI wants a newer Node.js than bookworm's
[[ $suite != forky ]] || packages+=(chromium) # for the page of "list --html"; one suite tells enough about it
mapfile -t lines < <(sources)
make_tree "$suite" "$disk" "$(comma "${packages[@]}")" apt "${lines[@]}"
add_user
mask_units
configure_podman
configure_docker
in_tree "$disk" bash -s <"$here/registry.sh"
pack "$disk" "$out"
