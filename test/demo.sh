#!/bin/bash
# demo.sh - a throw-away host of the newest suite, and in it, as an ordinary
# user on a clean machine: ocisi setup, a look into the boxes, and what is
# shared. The host stays: 'make demo-shell' to look around, 'make demo-wipe' to
# be rid of it.
set -euo pipefail
cd "$(dirname "$0")/.."
export OCISI_HOST_NAME=oc-demo
host=test/host/host.sh

# typed shows a command as its user types it, and runs it.
typed() {
	printf '\n$ %s\n' "$*"
	"$host" as forky bash -lc "$*"
}

make --no-print-directory build
"$host" wipe forky > /dev/null 2>&1 || true
"$host" up forky
"$host" install forky bin/ocisi

typed ocisi doctor
typed ocisi setup --yes
typed DBX_CONTAINER_MANAGER=docker distrobox enter fedora-python-dx -- id -un
typed distrobox enter debian-bookworm-dx -- id -un
typed ocisi list --layers --tree
typed 'mkdir -p src/web && ocisi devcontainer src/web --image fedora-python-dx'
typed 'devcontainer up --workspace-folder src/web 2>/dev/null | cut -d, -f1,3,4'
typed devcontainer exec --workspace-folder src/web id -un
typed ocisi plan --check-bases
typed ocisi process

printf '\nThe host stays: make demo-shell to look around, make demo-wipe to be rid of it.\n'
