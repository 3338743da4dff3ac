#!/bin/bash
# smoke.sh - run by "host.sh smoke" inside the machine, as the ordinary user: both engines build from
# the registry, from a local parent and over the network, and run; distrobox makes a box and exports from it;
# the user's systemd works. Leaves no image, container or box of its own.
set -uo pipefail
work=$(mktemp -d) passed=0 failed=0
cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT

# ok WHAT CMD...
ok() {
  local what=$1 began=$EPOCHREALTIME
  shift
  if "$@" >log 2>&1 </dev/null; then
    passed=$((passed + 1))
    awk -v a="$began" -v b="$EPOCHREALTIME" -v what="$what" 'BEGIN { printf "ok   %5.1fs %s\n", b - a, what }'
  else
    failed=$((failed + 1))
    echo "FAIL        $what"
    tail -n 8 log | sed 's/^/            /'
  fi
}

write_containerfiles() {
  cat >C.base <<'END'
FROM quay.io/fedora/fedora:43-x86_64
LABEL dev.dbox=true
RUN dnf update -y && rpm -q fedora-release | grep 43-2 && dnf install -y bash-completion vim tmux jq
END
  cat >C.cached <<'END'
FROM ghcr.io/ublue-os/fedora-toolbox:latest
RUN --mount=type=cache,target=/var/cache/libdnf5 dnf5 -y --setopt=keepcache=True install 'zig-0.14.0*' && zig | grep 0.14.0
RUN dnf -y --setopt=install_weak_deps=False install python3.14-freethreading && dnf install -y --skip-unavailable nosuch fish && dnf clean all
END
  cat >C.child <<'END'
FROM localhost/smoke-base:latest
RUN dnf install -y golang gopls zig && zig | grep 0.15.1
END
  cat >C.box <<'END'
ARG IMG=x
ARG TAG=latest
FROM $IMG:$TAG
ARG USER
ARG UID
ARG GID
RUN getent group ${GID} || groupadd -g ${GID} ${USER}; getent passwd ${USER} || useradd -g ${GID} -u ${UID} -s /bin/bash ${USER}
RUN echo "${USER} ALL=(ALL) NOPASSWD: ALL" >>/etc/sudoers
# without it distrobox 1.8.2 and later run the package manager at the first start
RUN touch /.containersetupdone
USER ${UID}:${GID}
WORKDIR /var/home/${USER}
END
  cat >C.debian <<'END'
FROM ghcr.io/ublue-os/debian-toolbox:latest
RUN apt-get update && apt-get install -y --no-install-recommends git && git --version
END
}

# docker has no "localhost/" for what it builds
write_manifest() {
  cat >box.ini <<END
[smoke-$1]
image=smoke-box:latest
init=false
pull=0
root=false
start_now=true
exported_bins="/usr/bin/gopls"
exported_bins_path="$work/bin"
END
}

smoke_engine() {
  local engine=$1 local=$2
  export DBX_CONTAINER_MANAGER=$engine
  sed -i "s,^FROM .*smoke-base,FROM ${local}smoke-base," C.child
  write_manifest "$engine"
  ok "$engine build from quay.io, dnf update" "$engine" build -t smoke-base:latest -f C.base .
  ok "$engine build from a local parent" "$engine" build -t smoke-child:latest -f C.child .
  ok "$engine build with a cache mount, dnf5" "$engine" build -t smoke-cached:latest -f C.cached .
  ok "$engine build with apt-get over the network" "$engine" build -t smoke-debian:latest -f C.debian .
  ok "$engine build of the user's layer" "$engine" build -t smoke-box:latest --build-arg IMG="${local}smoke-child" \
    --build-arg USER="$USER" --build-arg UID="$(id -u)" --build-arg GID="$(id -g)" -f C.box .
  ok "$engine run" "$engine" run --rm "${local}smoke-box:latest" sh -c 'gopls && sudo -n true'
  if distrobox assemble --help >/dev/null 2>&1; then
    ok "$engine distrobox assemble" distrobox assemble create --replace --name "smoke-$engine" --file box.ini
    ok "$engine exported program" bin/gopls
  else
    ok "$engine distrobox create" distrobox create --yes --image smoke-box:latest --name "smoke-$engine"
  fi
  ok "$engine distrobox enter" distrobox enter "smoke-$engine" -- test -d "/var/home/$USER"
  ok "$engine distrobox rm" distrobox rm -f "smoke-$engine"
  ok "$engine rmi" "$engine" rmi -f smoke-{base,child,cached,debian,box}:latest
}

smoke_session() {
  ok "docker API" curl -sf --unix-socket /run/docker.sock http://d/v1.41/version
  # shellcheck disable=SC2016  # expanded by the inner shell
  ok "podman API" bash -c 'systemctl --user start podman.socket &&
    curl -sf --unix-socket $XDG_RUNTIME_DIR/podman/podman.sock http://d/v1.41/version'
  ok "systemd-run --user" systemd-run --user --wait --pipe -q true
  printf '[Service]\nExecStart=/bin/true\n' >a.service
  printf '[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n' >a.timer
  ok "systemd-analyze verify" systemd-analyze verify --user ./a.service ./a.timer
  ok "a wrong tag is not found" bash -c '! docker pull ghcr.io/ublue-os/fedora-toolbox:nosuch 2>err && grep -qiE "not found|unknown" err'
}

export DOCKER_BUILDKIT=1
write_containerfiles
smoke_engine docker ""
smoke_engine podman localhost/
smoke_session
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
