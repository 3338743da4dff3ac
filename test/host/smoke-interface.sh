#!/bin/bash
# smoke-interface.sh SUITE - run by "host.sh smoke" outside the machine: "as" keeps exit codes, stdin,
# quoting, and stdout apart from stderr.
set -uo pipefail
host=$(cd "$(dirname "$0")" && pwd)/host.sh suite=${1:?SUITE}
failed=0

as() { "$host" as "$suite" "$@"; }

# expect WHAT GOT WANTED
expect() {
  if [[ $2 = "$3" ]]; then
    echo "ok          $1"
  else
    echo "FAIL        $1: got '$2', wanted '$3'"
    failed=1
  fi
}

as sh -c 'exit 7'
expect "exit code" $? 7
expect "stdin" "$(echo hello | as cat)" hello
odd=$'a  b\n"c" \'d\' $HOME *'
expect "quoting" "$(as printf '%s|' "$odd" '')" "$odd||"
expect "stdout alone" "$(as sh -c 'echo out; echo err >&2' 2>/dev/null)" out
expect "stderr alone" "$(as sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
# shellcheck disable=SC2016  # expanded inside the machine
expect "session" "$(as sh -c 'echo $XDG_RUNTIME_DIR $HOME')" "/run/user/1001 /var/home/dev"
expect "status" "$("$host" status "$suite" >/dev/null && echo 0)" 0
"$host" install "$suite" "$0"
expect "install" "$(as sh -c 'command -v smoke-interface.sh')" /usr/local/bin/smoke-interface.sh
"$host" sh "$suite" rm /usr/local/bin/smoke-interface.sh
exit $failed
