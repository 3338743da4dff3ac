# shellcheck shell=bash
# What every script here shares: messages, places, the test user. Sourced, not run.

CACHE=${OCISI_HOST_CACHE:-/var/cache/ocisi-testhost} # tars and the machines' disks
STATE=/run/ocisi-testhost                            # pids, locks, logs: gone after a reboot, as the machines are
TEST_USER=dev
PATH=$PATH:/usr/sbin:/sbin # plain "su" leaves them out
export CACHE STATE TEST_USER PATH

# machine.sh goes on counting where host.sh is
SECONDS=${OCISI_HOST_SECONDS:-0}
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# cgroup_root prints the v2 hierarchy: all of /sys/fs/cgroup, or beside the v1 one, or mounted here if nowhere.
cgroup_root() {
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    echo /sys/fs/cgroup
  elif [[ -e /sys/fs/cgroup/unified/cgroup.procs ]]; then
    echo /sys/fs/cgroup/unified
  else
    mkdir -p "$STATE/cgroup2"
    mountpoint -q "$STATE/cgroup2" || mount -t cgroup2 none "$STATE/cgroup2"
    echo "$STATE/cgroup2"
  fi
}
