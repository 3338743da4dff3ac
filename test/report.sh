#!/bin/bash
# report.sh SECONDS PART... - print the table of "make test" from bin/parts, and fail
# when a part failed, did not run, ran no test, or took twice its budget.
# SECONDS is how long all parts took together.
set -euo pipefail
cd "$(dirname "$0")/.."
total=${1:?SECONDS}
shift
sum_cpu=0 sum_passed=0 sum_failed=0 wrong=()
[[ $# -gt 0 ]] || wrong+=("no part ran")

printf '\n%-18s %8s %8s %8s %8s\n' part seconds CPU tests budget
for part; do
	if [[ ! -s bin/parts/$part.result ]] || ! read -r status seconds cpu passed failed budget < "bin/parts/$part.result"; then
		printf '%-18s %8s\n' "$part" 'no result'
		wrong+=("$part did not run")
		sum_failed=$((sum_failed + 1))
		continue
	fi
	printf '%-18s %8d %8d %8d %8d%s\n' "$part" "$seconds" "$cpu" "$passed" "$budget" "$([[ $status = 0 ]] || echo '  FAIL')"
	sum_cpu=$((sum_cpu + cpu)) sum_passed=$((sum_passed + passed)) sum_failed=$((sum_failed + failed))
	[[ $status = 0 ]] || {
		wrong+=("$part failed: bin/parts/$part.log")
		[[ $failed -gt 0 ]] || sum_failed=$((sum_failed + 1))
	}
	[[ $passed -gt 0 ]] || wrong+=("$part ran no test")
	[[ $seconds -le $((2 * budget)) ]] || wrong+=("$part took $seconds s, more than twice its budget of $budget s")
done
printf '%-18s %8d %8d %8d\n\n' total "$total" "$sum_cpu" "$sum_passed"
[[ ${#wrong[@]} = 0 ]] || printf '%s\n' "${wrong[@]}"
echo "$sum_passed passed, $sum_failed failed"
[[ ${#wrong[@]} = 0 && $sum_failed = 0 ]]
