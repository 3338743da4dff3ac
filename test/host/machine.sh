#!/bin/bash
# machine.sh - run a root file system as a machine: namespaces of its own, cgroup v2, a veth with NAT,
# systemd as pid 1. Neither a VM nor a container engine is needed.
#
#   machine.sh start NAME ROOT          boot it, wait until systemd has started everything
#   machine.sh stop NAME                end it, and take away all that start made
#   machine.sh running NAME             exit 0 or 1
#   machine.sh root NAME CMD...         run CMD as root in it
#   machine.sh login NAME USER [CMD...] run CMD, or a shell, in a login session of USER
#
# BINDS="SRC:DST ..." binds folders into it at start. OCISI_HOST_NET (default 10.77) is the /16 that
# the machines' addresses are taken from.
#
# What a machine is made of is known from $STATE/NAME.pid, NAME.net and its cgroup, and stop goes by
# nothing else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

command=${1:?start, stop, running, root or login} name=${2:?NAME}
shift 2
net=${OCISI_HOST_NET:-10.77}
mkdir -p "$STATE"

cgroup=$(cgroup_root)/$name

# The pid on file counts only while that process is in our cgroup: pids are used again.
pid1() {
  local pid
  pid=$(cat "$STATE/$name.pid" 2>/dev/null) || return 1
  grep -qE "^0::.*/$name(/|\$)" "/proc/$pid/cgroup" 2>/dev/null || return 1
  echo "$pid"
}

# ---- network: a veth pair in a /30 of its own, and NAT

net_up() {
  local index
  (
    flock 9 # two machines starting at once must not pick the same address
    for index in $(seq 1 250); do
      ip link show "ocisi$index" >/dev/null 2>&1 || break
    done
    ip netns add "$name"
    ip link add "ocisi$index" type veth peer name eth0 netns "$name"
    echo "$index" >"$STATE/$name.net"
  ) 9>"$STATE/net.lock"
  index=$(cat "$STATE/$name.net")
  # MTU 1500 at both ends, whatever the way out has: docker0 has 1500 too, and at 1400 here every
  # download from a container stood still for 4 to 7 seconds first.
  ip addr add "$net.$index.1/30" dev "ocisi$index"
  ip link set "ocisi$index" up mtu 1500
  ip -n "$name" link set lo up
  ip -n "$name" addr add "$net.$index.2/30" dev eth0
  ip -n "$name" link set eth0 up mtu 1500
  ip -n "$name" route add default via "$net.$index.1"
  [[ $(cat /proc/sys/net/ipv4/ip_forward) = 1 ]] || echo 1 >/proc/sys/net/ipv4/ip_forward
  firewall -A -I "$index"
}

# firewall NAT-ACTION FORWARD-ACTION INDEX: first in FORWARD, because a docker outside drops the rest
firewall() {
  local nat=$1 forward=$2 index=$3
  iptables -w -t nat "$nat" POSTROUTING -s "$net.$index.0/30" ! -o "ocisi$index" -j MASQUERADE
  iptables -w "$forward" FORWARD -i "ocisi$index" -j ACCEPT
  iptables -w "$forward" FORWARD -o "ocisi$index" -j ACCEPT
}

net_down() {
  local index
  if index=$(cat "$STATE/$name.net" 2>/dev/null); then
    # as often as it takes: a start that was interrupted and repeated leaves no rule behind
    while firewall -D -D "$index" 2>/dev/null; do :; done
    ip link del "ocisi$index" 2>/dev/null || true
  fi
  [[ ! -e /run/netns/$name ]] || ip netns del "$name"
  rm -f "$STATE/$name.net"
}

# ---- boot

# resolv.conf that is of use in another network namespace: systemd-resolved's stub on 127.0.0.53 is not
resolver() {
  local file
  for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
    [[ -e $file ]] && ! grep -qE '^nameserver[[:space:]]+127\.' "$file" && cat "$file" && return
  done
  die "no name server in /etc/resolv.conf that another network namespace could ask"
}

write_identity() {
  local root=$1 index
  index=$(cat "$STATE/$name.net")
  rm -f "$root/etc/resolv.conf" # a symlink, maybe, to a place outside ROOT
  resolver >"$root/etc/resolv.conf"
  echo "$name" >"$root/etc/hostname"
  {
    printf '127.0.0.1 localhost\n::1 localhost\n'
    printf '%s.%s.2 %s\n' "$net" "$index" "$name"
    cat "$root/etc/hosts.extra" 2>/dev/null || true # the registries' names, from registry.sh
  } >"$root/etc/hosts"
  : >"$root/etc/machine-id"
}

# Files that the caller has open must not stay open in the machine, which lives longer: a caller's lock
# would never be let go, a reader of its pipe never see the end.
close_files() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    [[ $fd -le 2 || $fd -eq 255 ]] || exec {fd}>&- # 255 is bash's own, and closes by itself
  done
}

launch() {
  (
    close_files
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec setsid ip netns exec "$name" \
      unshare --mount --pid --fork --uts --ipc --cgroup --propagation private --kill-child=SIGKILL \
      "$here/machine-init.sh" "$name" "$1"
  ) </dev/null >"$STATE/$name.log" 2>&1 &
  launcher=$!
}

# pid 1 of the machine is the only child of unshare; ready to be entered once it has become systemd
find_pid1() {
  local pid
  for _ in $(seq 100); do
    sleep 0.1
    kill -0 "$launcher" 2>/dev/null || return 1
    pid=$(cat "/proc/$launcher/task/$launcher/children" 2>/dev/null || true)
    pid=${pid%% *}
    [[ -n $pid && $(readlink "/proc/$pid/exe") = */systemd/systemd ]] || continue
    echo "$pid" >"$STATE/$name.pid"
    return
  done
  return 1
}

wait_for_systemd() {
  for _ in $(seq 600); do
    system_state=$(enter systemctl is-system-running 2>/dev/null || true)
    case $system_state in running | degraded) return ;; esac
    sleep 0.1
  done
}

start() {
  local root
  root=$(readlink -f "$1")
  [[ -x $root/lib/systemd/systemd || -x $root/usr/lib/systemd/systemd ]] || die "$root holds no systemd"
  ! pid1 >/dev/null || die "$name is already running"
  stop # what an interrupted start or a dead machine has left
  trap stop EXIT
  net_up
  mkdir -p "$cgroup"
  write_identity "$root"
  launch "$root"
  find_pid1 || {
    tail -n 20 "$STATE/$name.log" >&2
    die "$name did not start"
  }
  wait_for_systemd
  trap - EXIT
  say "$name: pid $(pid1), systemd is $system_state"
  [[ $system_state = running ]] || enter systemctl --no-pager --failed >&2
}

# ---- stop

wait_until_gone() {
  for _ in $(seq 50); do
    [[ -e /proc/$1 ]] || return 0
    sleep 0.1
  done
}

remove_cgroup() {
  for _ in $(seq 50); do
    [[ -d $cgroup ]] || return 0
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
  done
}

# Killing pid 1 ends the whole pid namespace; cgroup.kill takes those who entered from outside.
stop() {
  local pid
  if pid=$(pid1); then
    # for test/part.sh: the CPU time of all that ran in the machine
    awk '$1 == "usage_usec" { print $2 }' "$cgroup/cpu.stat" >>"$STATE/$name.cpu"
    kill -KILL "$pid" 2>/dev/null || true
    wait_until_gone "$pid"
  fi
  [[ ! -e $cgroup/cgroup.kill ]] || echo 1 >"$cgroup/cgroup.kill"
  net_down
  remove_cgroup
  rm -f "$STATE/$name.pid"
}

# ---- enter

# Into the machine's cgroup first, then its namespaces: a process whose cgroup is outside the
# namespace's root (/../..) confuses podman, runc and systemd. A leaf of its own, because a cgroup
# with children and controllers takes no processes. setpriv: when the caller dies, so does CMD.
enter() {
  local pid
  pid=$(pid1) || die "$name is not running"
  mkdir -p "$cgroup/exec"
  (
    echo "$BASHPID" >"$cgroup/exec/cgroup.procs"
    exec env --default-signal=HUP,INT,QUIT,PIPE nsenter -t "$pid" -m -u -i -n -p -C -r -w -- setpriv --pdeathsig TERM "$@"
  )
}

run_as_root() {
  [[ $# -gt 0 ]] || set -- bash -l
  enter env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 "$@"
}

# su -l passes through pam_systemd, which makes the session: XDG_RUNTIME_DIR and the user's bus.
# With a command it takes one string for the shell, hence %q. A shell gets a terminal of the machine's
# own from script; the outer one's /dev/pts/N is not there.
run_login() {
  local user=$1 clean
  shift
  clean=(env -i TERM="${TERM:-dumb}" LANG=C.UTF-8)
  if [[ $# -gt 0 ]]; then
    enter "${clean[@]}" su -l "$user" -s /bin/bash -c "$(printf '%q ' "$@")"
  elif [[ -t 0 ]]; then
    enter "${clean[@]}" script -q -e -c "su -l $user -s /bin/bash" /dev/null
  else
    enter "${clean[@]}" su -l "$user" -s /bin/bash
  fi
}

case $command in
start) start "${1:?ROOT}" ;;
stop) stop ;;
running) pid1 >/dev/null ;;
root) run_as_root "$@" ;;
login) run_login "$@" ;;
*) die "unknown command $command" ;;
esac
