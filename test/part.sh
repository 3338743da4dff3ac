#!/bin/bash
# part.sh NAME BUDGET COMMAND... - run one part of "make test" and record its result.
#
# The output of COMMAND goes to bin/parts/NAME.log and is shown when it fails. One
# line goes to bin/parts/NAME.result for test/report.sh: exit status, seconds, seconds
# of CPU time, tests passed, tests failed, budget in seconds. CPU time includes that
# of the test host OCISI_HOST_NAME, which is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/host/lib.sh
name=${1:?NAME} budget=${2:?BUDGET}
shift 2
mkdir -p bin/parts
log=bin/parts/$name.log
rm -f "bin/parts/$name.result"

# A cgroup of its own counts also what COMMAND leaves to others to wait for. Without
# root there is none, and no test host either.
cgroup=
if [[ $EUID = 0 ]]; then
	mkdir -p "$STATE"
	cgroup=$(cgroup_root)/ocisi-part-$name.$$
	mkdir "$cgroup"
	rm -f "$STATE/${OCISI_HOST_NAME:-none}.cpu"
fi

run() {
	[[ -z $cgroup ]] || echo "$BASHPID" > "$cgroup/cgroup.procs"
	exec "$@"
}

# cpu_seconds prints the CPU time of the part's cgroup and its test host.
cpu_seconds() {
	{
		[[ -z $cgroup ]] || awk '$1 == "usage_usec" { print $2 }' "$cgroup/cpu.stat"
		cat "$STATE/${OCISI_HOST_NAME:-none}.cpu" 2> /dev/null || true
	} | awk '{ sum += $1 } END { printf "%d\n", sum / 1e6 }'
}

# count RESULT: results of go test -v, subtests included, or the sum of "N passed, N failed"
count() {
	local n
	n=$(grep -cE "^ *--- $1: " "$log" || true)
	if [[ $n = 0 ]]; then
		n=$(awk -v result="$1" '/^[0-9]+ passed, [0-9]+ failed$/ { sum += result == "PASS" ? $1 : $3 } END { print sum + 0 }' "$log")
	fi
	echo "$n"
}

start=$SECONDS status=0
(run "$@") > "$log" 2>&1 < /dev/null || status=$?
seconds=$((SECONDS - start))
if [[ -n ${OCISI_HOST_NAME:-} ]]; then
	if ! test/host/host.sh wipe "${SUITE:-forky}" >> "$log" 2>&1; then
		echo "FAIL: $name left its test host $OCISI_HOST_NAME" >> "$log"
		status=1
	fi
fi
cpu=$(cpu_seconds) passed=$(count PASS) failed=$(count FAIL)
if [[ -n $cgroup ]] && ! rmdir "$cgroup" 2> /dev/null; then
	sleep 2 # for what is ending
	if left=$(paste -sd, "$cgroup/cgroup.procs") && [[ -n $left ]]; then
		echo "FAIL: $name left processes:" >> "$log"
		ps -o pid,args -p "$left" >> "$log"
		status=1
	fi
	rmdir "$cgroup" 2> /dev/null || true
fi
if [[ $status = 0 && $failed != 0 ]]; then
	status=1 # a test runner must not hide a failure
fi
echo "$status $seconds $cpu $passed $failed $budget" > "bin/parts/$name.result"

if [[ $status = 0 ]]; then
	printf 'ok    %-18s %5d s  %5d tests\n' "$name" "$seconds" "$passed"
	exit
fi
printf 'FAIL  %-18s %5d s  status %d; its log:\n' "$name" "$seconds" "$status"
{ grep -E -B30 -A20 '^ *--- FAIL|^ *FAIL: |panic: ' "$log" || tail -n 100 "$log"; } | tail -n 400
exit 1
