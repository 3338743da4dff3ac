#!/bin/bash
# machine-init.sh NAME ROOT - the machine's first process, started by machine.sh inside fresh mount,
# pid, uts, ipc, net and cgroup namespaces: mounts what a machine has, makes ROOT the root and becomes
# systemd. BINDS="SRC:DST SRC:DST" are bound into it read-write.
set -euo pipefail
name=$1 root=$2

mount_kernel_filesystems() {
  mkdir -p proc sys dev run tmp var/tmp mnt/.old
  mount -t proc -o nosuid,noexec,nodev proc proc
  # kernel.*, vm.* and fs.* belong to everybody on this kernel: read-only, all but our own net.*
  mount --bind proc/sys proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o nosuid,noexec,nodev,ro sysfs sys
  mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
  # A user namespace may mount proc and sysfs only while it can see complete ones; those above are
  # partly covered. Without these two, rootless podman: "mount `proc` to `proc`: Operation not permitted".
  mkdir -p run/.vfs/proc run/.vfs/sys
  mount -t proc proc run/.vfs/proc
  mount -t sysfs sysfs run/.vfs/sys
}

# Nodes of our own, not bind mounts of the outer ones: systemd changes the mode of its console, and
# that would be the outer machine's.
make_devices() {
  mount -t tmpfs -o mode=755,nosuid tmpfs dev
  mkdir -p dev/pts dev/shm dev/mqueue dev/net
  mknod -m 666 dev/null c 1 3
  mknod -m 666 dev/zero c 1 5
  mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8
  mknod -m 666 dev/urandom c 1 9
  mknod -m 666 dev/tty c 5 0
  mknod -m 600 dev/console c 1 3 # /dev/null by another name
  mknod -m 666 dev/fuse c 10 229
  mknod -m 666 dev/net/tun c 10 200
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
  # ptmx must be a bind mount. distrobox mounts over /dev/pts and /dev/ptmx in no fixed order, and
  # then a symlink now and again breaks crun ("openat2 dev/ptmx: No such file or directory"), a node
  # runc ("openat dev/ptmx: no such device").
  touch dev/ptmx
  mount --bind dev/pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
  mount -t mqueue mqueue dev/mqueue
}

bind_folders() {
  local bind source target
  for bind in ${BINDS:-}; do
    source=${bind%%:*} target=${bind#*:}
    mkdir -p ".$target"
    mount --rbind "$source" ".$target"
  done
}

hostname "$name"
mount --bind "$root" "$root"
cd "$root"
mount_kernel_filesystems
make_devices
bind_folders
# pivot_root, not chroot: in a chroot / is no mount point (docker: "remount /, flags: 0x84000: invalid
# argument") and nobody may make user namespaces.
pivot_root . mnt/.old
cd /
umount -l /mnt/.old
mount --make-rshared /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=ocisi-testhost \
  /lib/systemd/systemd --log-target=console --show-status=1 --log-color=0
