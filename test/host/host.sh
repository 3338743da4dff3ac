#!/bin/bash
# host.sh - test hosts for ocisi on a Debian machine: root and apt is all it takes. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

usage() {
  cat <<'END'
host.sh tars SUITE                   build the tars that up needs, and no host
host.sh up SUITE [NAME]              make what is missing, boot, fill the registry
host.sh as SUITE CMD ARGS...         run CMD as user dev in a login session
host.sh as-user USER SUITE CMD ...   the same as another user
host.sh sh SUITE [CMD ARGS...]       run CMD, or a shell, as root
host.sh shell SUITE                  interactive login shell as dev
host.sh install SUITE FILE...        copy programs to /usr/local/bin in the machine
host.sh smoke SUITE                  prove that everything in it works
host.sh status SUITE                 running (exit 0) or stopped (3)
host.sh down SUITE                   stop it; its disk stays
host.sh wipe SUITE                   stop it and delete its disk

SUITE is forky, trixie or bookworm. The machine is called oc-SUITE, or $OCISI_HOST_NAME.
OCISI_HOST_CACHE  tars and disks   (/var/cache/ocisi-testhost)
OCISI_HOST_MIRROR Debian mirror    (the one apt uses)
OCISI_HOST_FRESH  make a disk anew that is older than these scripts, when set
OCISI_HOST_NET    first two bytes of the machines' addresses (10.77)
OCISI_HOST_MEMORY size of a tmpfs to keep the disk in, such as 8g; for tests, wipe frees it
OCISI_HOST_DOCKER 29: docker 29, built from its Go modules, in place of the suite's docker; read when the disk
                  is made. Not on bookworm
OCISI_HOST_STORE  docker's image store: overlay2 or containerd; read when the disk is made. The default is docker's:
                  containerd for docker 29, overlay2 for the older ones
BINDS             "SRC:DST ...", folders to bind into the machine when it boots
END
}

# ---- the tars: a root file system per suite, two base images, and a filled registry

# key FILE...: changes when any of these files does
key() {
  (cd "$here" && sha256sum "$@") | sha256sum | cut -c 1-12
}

# tar_path KIND: the key of what a tar is made from is in its name, so an edited script makes a new one
tar_path() {
  case $1 in
  fedora) echo "$CACHE/fedora-$(key build-lib.sh base-fedora.sh stubs.sh stubs.txt files/dnf-shim).tar" ;;
  debian) echo "$CACHE/debian-$(key build-lib.sh base-debian.sh).tar" ;;
  registry) echo "$CACHE/registry-$(echo "$(tar_path fedora) $(tar_path debian) $(key seed.sh)" | sha256sum | cut -c 1-12).tar" ;;
  tools) echo "$CACHE/tools-$(key build-lib.sh tools.sh).tar" ;;
  docker29) echo "$CACHE/docker29-$(key build-lib.sh docker29.sh ../../.ci/docker29.mod ../../.ci/docker29.sum).tar" ;;
  *) echo "$CACHE/$1-$(key build-lib.sh rootfs.sh registry.sh tools.sh files/crun-nolimits files/runc-nosysres).tar" ;;
  esac
}

# make_tar KIND: under a lock, so that two calls at once build it once
make_tar() {
  local kind=$1 tar builder
  tar=$(tar_path "$kind")
  [[ ! -e $tar ]] || return 0
  case $kind in
  fedora | debian) builder=("$here/base-$kind.sh" "$tar") ;;
  tools | docker29) builder=("$here/$kind.sh" "$tar") ;;
  *) builder=("$here/rootfs.sh" "$kind" "$tar") ;;
  esac
  say "building $kind"
  if ! flock -o "$CACHE/$kind.lock" "${builder[@]}" >"$CACHE/$kind.log" 2>&1; then
    tail -n 20 "$CACHE/$kind.log" >&2
    say "building $kind failed; $CACHE/$kind.log has it all"
    return 1
  fi
  forget_older "$kind" "$tar"
  say "built $kind"
}

forget_older() {
  find "$CACHE" -maxdepth 1 -name "$1-????????????.tar" ! -path "$2" -delete
}

# make_tars: what is missing, side by side
make_tars() {
  local kind pid kinds=() pids=() failed=''
  has_disk || kinds+=("$suite" tools)
  has_disk || [[ $docker != 29 ]] || kinds+=(docker29)
  registry_is_filled || [[ -e $(tar_path registry) ]] || kinds+=(fedora debian)
  for kind in "${kinds[@]}"; do
    make_tar "$kind" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || failed=yes
  done
  [[ -z $failed ]] || die "could not make what $name is made of"
}

# ---- packages of the outer machine

install_packages() {
  local program missing=()
  local -A package=([mmdebstrap]=mmdebstrap [iptables]=iptables [ip]=iproute2 [npm]=npm)
  for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
  done
  # the mirror is found in apt's lists, too
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || apt_get update
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing ${missing[*]}"
  apt_get install "${missing[@]}" || {
    apt_get update # lists too old, perhaps
    apt_get install "${missing[@]}"
  }
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive flock -o "$CACHE/apt.lock" \
    apt-get -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null
}

# ---- disk and registry

# has_disk: the disk is complete; unpack_disk writes the file last
has_disk() {
  [[ -e $disk/etc/ocisi-testhost ]]
}

# disk_key prints what a disk is made from.
disk_key() {
  basename "$(tar_path "$suite")"
  [[ $docker != 29 ]] || basename "$(tar_path docker29)"
}

# is_stale: the disk was made by other scripts than these, or with another docker
is_stale() {
  has_disk && [[ $(cat "$disk/etc/ocisi-testhost") != "$(disk_key)" ]]
}

unpack_disk() {
  local tar
  tar=$(tar_path "$suite")
  if has_disk; then
    ! is_stale || say "note: $name's disk is older than these scripts; \"wipe\" it to have it made anew"
    return
  fi
  say "unpacking the disk"
  remove_disk
  mkdir -p "$disk"
  # Engines call fsync for each layer; in memory that costs nothing.
  [[ -z ${OCISI_HOST_MEMORY:-} ]] || mount -t tmpfs -o "size=$OCISI_HOST_MEMORY,mode=755" "ocisi-$name" "$disk"
  tar -C "$disk" --xattrs --xattrs-include=security.capability -xf "$tar"
  tar -C "$disk" -xf "$(tar_path tools)"
  [[ $docker != 29 ]] || tar -C "$disk" -xf "$(tar_path docker29)"
  configure_store
  disk_key >"$disk/etc/ocisi-testhost"
}

remove_disk() {
  ! mountpoint -q "$disk" || umount "$disk"
  rm -rf --one-file-system "$disk"
}

configure_store() {
  local default=overlay2 enabled=false
  [[ $docker != 29 ]] || default=containerd
  case ${OCISI_HOST_STORE:=$default} in
  "$default") return ;;
  overlay2) ;;
  containerd) enabled=true ;;
  *) die "OCISI_HOST_STORE is overlay2 or containerd" ;;
  esac
  [[ $suite != bookworm ]] || die "docker 20.10 has no containerd image store"
  mkdir -p "$disk/etc/docker"
  echo "{\"features\": {\"containerd-snapshotter\": $enabled}}" >"$disk/etc/docker/daemon.json"
}

registry_is_filled() {
  [[ $(cat "$registry/.filled" 2>/dev/null) = "$(tar_path registry)" ]]
}

# Pushing the bases takes 25 s, unpacking a registry that has them 1 s. So the first machine's is kept;
# that the bases have the same digest in every machine is worth something too.
fill_registry() {
  local tar
  tar=$(tar_path registry)
  registry_is_filled && return
  say "filling the registry"
  if [[ -e $tar ]]; then
    tar -C "$registry" -xf "$tar"
  else
    seed fedora ghcr.io/ublue-os/fedora-toolbox:latest quay.io/fedora/fedora:43-x86_64
    seed debian ghcr.io/ublue-os/debian-toolbox:latest docker.io/library/debian:bookworm
    tar -C "$registry" -cf "$tar.$$" .
    mv "$tar.$$" "$tar"
    forget_older registry "$tar"
  fi
  echo "$tar" >"$registry/.filled"
}

seed() {
  local kind=$1
  shift
  machine root bash -c "$(cat "$here/seed.sh")" seed.sh "$@" <"$(tar_path "$kind")"
}

# ---- the machine

machine() {
  local verb=$1
  shift
  OCISI_HOST_SECONDS=$SECONDS "$here/machine.sh" "$verb" "$name" "$@"
}

healthy() {
  local state
  state=$(machine root systemctl is-system-running || true)
  case $state in running | degraded) ;; *) return 1 ;; esac
  machine root curl -sSf --retry 5 --retry-connrefused https://ghcr.io/v2/ >/dev/null &&
    machine login "$TEST_USER" docker version >/dev/null &&
    machine login "$TEST_USER" podman version >/dev/null
}

up() {
  if [[ -n ${OCISI_HOST_FRESH:-} ]] && is_stale; then
    say "$name's disk is older than these scripts, and made anew"
    wipe
  fi
  if machine running && registry_is_filled && healthy; then
    say "$name is running"
    return
  fi
  mkdir -p "$CACHE/disks"
  install_packages
  make_tars
  unpack_disk
  if ! machine running; then
    [[ ! -e $(tar_path registry) ]] || fill_registry
    say "starting $name"
    machine start "$disk"
  fi
  fill_registry
  healthy || die "$name runs, but is not well; see above, and: $0 down $suite"
  say "$name is ready"
}

# tars: what up would build first, so that it can be done beside other work
tars() {
  mkdir -p "$CACHE/disks"
  install_packages
  make_tars
}

wipe() {
  machine stop
  remove_disk
}

install_files() {
  has_disk || die "$name has no disk yet: $0 up $suite"
  [[ $# -gt 0 ]] || die "install what?"
  install -m 755 -t "$disk/usr/local/bin" "$@"
}

status() {
  if machine running; then
    echo "$name: running"
  else
    echo "$name: stopped"
    return 3
  fi
}

# smoke: first that this script keeps what it promises of "as", then everything in the machine
smoke() {
  "$here/smoke-interface.sh" "$suite"
  machine login "$TEST_USER" bash -s <"$here/smoke.sh"
}

# once VERB: in the machine's lock, which -o keeps from being inherited: the machine lives on
once() {
  [[ ${OCISI_HOST_LOCKED:-} = "$name" ]] && return
  mkdir -p "$STATE"
  OCISI_HOST_LOCKED=$name exec flock -o "$STATE/$name.lock" "$0" "$@"
}

main() {
  local verb=${1:-help} user=$TEST_USER
  case $verb in
  help | -h | --help) usage && return ;;
  as-user)
    user=${2:?USER}
    verb=as
    set -- as "${@:3}"
    ;;
  esac
  suite=${2:?SUITE}
  case $suite in forky | trixie | bookworm) ;; *) die "no suite $suite; there are forky, trixie and bookworm" ;; esac
  docker=${OCISI_HOST_DOCKER:-}
  [[ -z $docker || $docker = 29 ]] || die "OCISI_HOST_DOCKER is 29 or empty"
  [[ -z $docker || $suite != bookworm ]] || die "OCISI_HOST_DOCKER=29 is for forky and trixie"
  name=${OCISI_HOST_NAME:-oc-$suite}
  [[ $verb != up || -z ${3:-} ]] || name=$3
  [[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "$name is no name for a machine"
  [[ $EUID = 0 ]] || die "needs root"
  disk=$CACHE/disks/$name
  registry=$disk/var/lib/ocisi-registry
  case $verb in up | down | wipe) once "$@" ;; esac
  shift 2
  case $verb in
  tars) tars ;;
  up) up ;;
  as)
    [[ $# -gt 0 ]] || die "run what? \"$0 shell $suite\" gives a shell"
    exec "$here/machine.sh" login "$name" "$user" "$@"
    ;;
  sh) exec "$here/machine.sh" root "$name" "$@" ;;
  shell) exec "$here/machine.sh" login "$name" "$user" ;;
  install) install_files "$@" ;;
  smoke) smoke ;;
  status) status ;;
  down) machine stop ;;
  wipe) wipe ;;
  *) usage >&2 && exit 2 ;;
  esac
}

main "$@"
