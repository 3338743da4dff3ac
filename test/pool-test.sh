#!/bin/bash
# pool-test.sh - test/part.sh and test/report.sh fail when they must. Ends with
# "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0

# expect STATUS TEXT COMMAND...: the exit status, and a text in the output
expect() {
	local want=$1 text=$2 status=0 out
	shift 2
	out=$("$@" 2>&1) || status=$?
	if [[ $status = "$want" && $out = *"$text"* ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL: %s: status %s, want %s with %q in:\n%s\n' "$*" "$status" "$want" "$text" "$out"
	fi
}

part() { test/part.sh "$@"; }
trap 'rm -f bin/parts/pool-*' EXIT

expect 0 'ok    pool-good' part pool-good 10 printf -- '--- PASS: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\n'
expect 0 ' 3 tests' part pool-sum 10 printf '1 passed, 0 failed\n2 passed, 0 failed\n'
expect 1 'status 3' part pool-status 10 bash -c 'echo "--- PASS: TestA (0.00s)"; exit 3'
expect 1 'the reason' part pool-hidden 10 printf -- '--- FAIL: TestA (0.00s)\n    the reason\n'
expect 0 ' 0 tests' part pool-empty 10 true
expect 0 'ok    pool-slow' part pool-slow 0 bash -c 'echo "1 passed, 0 failed"; sleep 1.1'

# A host of this name was never made; wiping one of a suite that does not exist fails.
expect 1 'left its test host' env OCISI_HOST_NAME=oc-pool SUITE=none test/part.sh pool-host 10 echo '1 passed, 0 failed'
expect 1 'left processes' part pool-left 10 bash -c 'sleep 5 & echo "1 passed, 0 failed"'

expect 0 $'\n5 passed, 0 failed' test/report.sh 1 pool-good pool-sum
expect 1 'pool-status failed' test/report.sh 1 pool-good pool-status
expect 1 'pool-hidden failed' test/report.sh 1 pool-hidden
expect 1 'pool-empty ran no test' test/report.sh 1 pool-good pool-empty
expect 1 'more than twice its budget' test/report.sh 1 pool-slow
expect 1 'pool-none did not run' test/report.sh 1 pool-good pool-none
expect 1 'no part ran' test/report.sh 1

echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
