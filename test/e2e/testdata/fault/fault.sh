# fault.sh MANAGER VERB ARGS…: what the tests of faults do as the user of a
# machine with real engines. A promise that is broken ends it with status 1 and
# says which. ocisi is the test's program under the name of ocisi, with what is
# to befall it in TEST_FATE.
set -Eeuo pipefail
exec 2>&1
trap 'echo "fault.sh: line $LINENO: status $?" >&2' ERR
manager=$1 verb=$2
shift 2
box=fault-dx
export TEST_MYSELF=1
state=$HOME/fault-state
config=$HOME/fault/ocisi.yaml

say() { echo "fault.sh: $*" >&2; }
broken() { say "BROKEN: $*"; exit 1; }
engine() { "$manager" "$@"; }
ocisi() (exec -a ocisi ocisi-fault.test -f "$config" "$@")

# enter SCRIPT: distrobox 1.4 evals what it is given, so that is the name of a file
enter() {
  echo "$1" >"$state/enter.sh"
  DBX_CONTAINER_MANAGER=$manager DBX_NON_INTERACTIVE=1 distrobox enter --no-tty "$box" -- sh "$state/enter.sh" </dev/null
}

# edit N: what the box is made from, so that it is to be replaced
edit() {
  cat >"$HOME/fault/Containerfile.fault" <<END
FROM ghcr.io/ublue-os/debian-toolbox:latest
RUN echo $1 >/version
END
}

# foreign: what nobody but the user may change
foreign() {
  engine container inspect --format '{{.Id}} {{.Name}} {{.State.Status}}' db mine # podman 4.3's ps counts seconds
  engine images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | grep -e foreign -e ublue | sort
  engine volume ls --format '{{.Name}}' | grep precious
  engine exec db cat /p/file
  (cd "$HOME" && sha256sum .bashrc project/file .local/bin/mine .local/share/applications/mine.desktop fault/*)
}

# boxes: the box, aside and generations of it
boxes() { engine ps -a --format '{{.Names}}' | grep -E "^$box(\.ocisi-.*)?$" || true; }

# marked MARK: one of them has this private file, which says which box it is
marked() {
  local name
  for name in $(boxes | sort -r); do
    [[ $(engine cp "$name:/mark" - 2>/dev/null | tar -xOf - 2>/dev/null) != "$1" ]] || return 0
  done
  return 1
}

# promised: what must hold whatever has happened
promised() {
  foreign >"$state/foreign.now"
  diff "$state/foreign" "$state/foreign.now" >&2 || broken "something foreign is not as it was"
  marked "$(cat "$state/mark")" || broken "the box with mark $(cat "$state/mark") is lost: $(boxes | tr '\n' ' ')"
}

# stored: kB that the engine's store takes on disk
stored() {
  if [[ $manager == docker ]]; then
    sudo du -skc /var/lib/docker /var/lib/containerd 2>/dev/null | tail -n 1 | cut -f 1
  else
    podman unshare du -sk "$(podman info --format '{{.Store.GraphRoot}}')" | cut -f 1
  fi
}

# commanded: the command that ran beside ocisi may end after it
commanded() {
  for _ in $(seq 300); do
    [[ ! -e $state/commanded ]] || return 0
    sleep 0.1
  done
  broken "the command did not end"
}

case $verb in
begin)
  rm -rf "$state" "$HOME/fault" && mkdir -p "$state" "$HOME/fault" "$HOME/project" "$HOME/.local/bin" "$HOME/.local/share/applications"
  echo content >"$HOME/project/file"
  echo '#!/bin/sh' >"$HOME/.local/bin/mine"
  echo '[Desktop Entry]' >"$HOME/.local/share/applications/mine.desktop"
  cat >"$config" <<END
- {name: fault, path: ., manager: $manager, enabled: true}
- {name: fault-dx, path: ., manager: $manager, enabled: true, box: {exported_bins: [/usr/bin/faulty], additional_flags: [--stop-timeout 1]}}
END
  cat >"$HOME/fault/Containerfile.img-dx" <<'END'
ARG IMG
ARG TAG
FROM ${IMG}:${TAG}
ARG USER
ARG UID
RUN useradd -u ${UID} ${USER} && echo "${USER} ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/${USER} && touch /.containersetupdone && ln -s /bin/true /usr/bin/faulty
END
  edit 0
  engine volume rm -f precious >/dev/null 2>&1 || true
  engine pull -q ghcr.io/ublue-os/debian-toolbox:latest >/dev/null
  engine tag ghcr.io/ublue-os/debian-toolbox:latest foreign:1
  engine run -d --stop-timeout 1 --name db -v precious:/p foreign:1 sh -c 'echo precious >/p/file; exec sleep infinity' >/dev/null
  engine create --name mine --label manager=distrobox foreign:1 true >/dev/null
  ocisi process >/dev/null
  enter "sudo sh -c 'echo 0 >/mark'"
  echo 0 >"$state/mark"
  sleep 0.2
  foreign >"$state/foreign"
  stored >"$state/stored"
  ;;
cleaned) # VERSION: after all kills and one clean, the store has the size of one that was never killed
  edit "$1" # the box may have been rolled back, so that it and the tag have an image each
  foreign >"$state/foreign"
  for command in process clean; do
    ocisi "$command" --yes >"$state/out" 2>&1 || { cat "$state/out" >&2; broken "$command: status $?"; }
  done
  foreign >"$state/foreign.now"
  diff "$state/foreign" "$state/foreign.now" >&2 || broken "something foreign is not as it was"
  was=$(cat "$state/stored") is=$(stored)
  say "$was kB before the kills, $is kB after clean: $(grep -c 'untagged image' "$state/out" || true) untagged images removed"
  grep -q 'untagged image' "$state/out" || broken "clean did not find what the last kill left"
  if ((is * 100 > was * 101 || is * 101 < was * 100)); then
    engine images -a --no-trunc >&2
    broken "the store differs by more than 1 %"
  fi
  ;;
hurt) # VERSION COMMAND…: ocisi COMMAND, under a fate, with something to do for it
  version=$1
  shift
  if [[ $1 == process ]]; then
    edit "$version"
    foreign >"$state/foreign"
  fi
  rm -f "$state/trace" "$state/commanded"
  status=0
  ocisi "$@" >"$state/out" 2>&1 || status=$?
  if [[ -n ${HURT:-} ]] && ! grep -qx here "$state/trace"; then
    cat "$state/out" >&2
    broken "the run never came to its moment: status $status"
  fi
  echo "$status" >"$state/status"
  [[ $status == 0 ]] || tail -n 12 "$state/out"
  grep '^mishap:' "$state/out" || true
  [[ -z ${COMMAND:-} ]] || commanded
  say "ended with $status; boxes: $(boxes | tr '\n' ' ')"
  promised
  ;;
end)
  engine rm -f -v db mine $(boxes) >/dev/null 2>&1 || true
  engine volume rm -f precious >/dev/null
  rm -rf "$state" "$HOME/fault" "$HOME/project" "$HOME/.local/bin/"{mine,faulty} "$HOME/.local/share/applications/mine.desktop"
  ;;
succeeded) # the undisturbed run has exit status 0
  [[ $(cat "$state/status") == 0 ]] || broken "the undisturbed run ended with $(cat "$state/status"): $(tail -n 5 "$state/out")"
  ;;
failed) # the hurt run said so, and the old box is as it was
  [[ $(cat "$state/status") == 1 ]] || broken "the run ended with $(cat "$state/status")"
  [[ $(enter "cat /mark") == $(cat "$state/mark") ]] || broken "it is not the old box"
  ;;
settle) # COMMAND…: the next run
  unset TEST_FATE
  ocisi "$@" >"$state/out" 2>&1 || { cat "$state/out" >&2; broken "the next run: ocisi $*: status $?"; }
  ocisi plan --detailed-exitcode >"$state/out" 2>&1 || { cat "$state/out" >&2; broken "the next run left something to do: status $?"; }
  promised
  ! boxes | grep -e ocisi-old -e ocisi-back || broken "a box was left aside"
  [[ $(boxes | wc -l) -le 2 ]] || broken "more than one generation is kept"
  ! find "$HOME/.local/bin" "$HOME/.local/share/applications" "$HOME/.local/share/ocisi" "$HOME/.local/state/ocisi" "$HOME/fault" -name '.*.ocisi-[0-9]*' | grep . || broken "files were left"
  next=$(($(cat "$state/mark") + 1))
  seen=$(enter "sudo sh -c 'echo $next >/mark'; "'echo "$HOME $(id -un) $(cat /version)"') || broken "the box cannot be entered"
  [[ $seen == "$HOME $(id -un) "* ]] || broken "the box has another user or home: $seen"
  "$HOME/.local/bin/faulty" </dev/null || broken "the launcher does not work"
  echo "$next" >"$state/mark"
  say "well; version ${seen##* }, boxes: $(boxes | tr '\n' ' ')"
  ;;
esac
