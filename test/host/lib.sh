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
