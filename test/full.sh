#!/bin/bash
# full.sh - every test on every suite, engine and image store, one after the other:
# what the landing gate runs a part of. It takes hours.
set -euo pipefail
cd "$(dirname "$0")/.."
all='^(TestStories|TestPackages|TestDaemonRestart|TestFullDisk|TestFaults)$'

# full NAME SUITE PATTERN runs the tests of a pattern on a new host.
full() {
	rm -f "bin/parts/$1.result"
	SUITE=$2 OCISI_HOST_NAME=oc-full-$1 test/part.sh "$1" 5400 test/e2e.sh -full -test.run "$3" || true # report.sh decides
	names+=("$1")
}

test/programs.sh bin/test
names=() start=$SECONDS
full full-forky forky "$all"
OCISI_HOST_STORE=containerd full full-containerd forky '^TestStories$/^docker$|^TestPackages$/^engine$'
full full-trixie trixie "$all"
full full-bookworm bookworm "$all"
exec test/report.sh $((SECONDS - start)) "${names[@]}"
