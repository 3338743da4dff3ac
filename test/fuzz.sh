#!/bin/bash
# fuzz.sh - run every fuzz target of the project for FUZZTIME (1m), one after the
# other, and all of them even if one fails. Ends with "N passed, N failed"; fails when
# a target failed or none ran.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
while IFS=: read -r file name; do
	echo "$name"
	# go test succeeds when it finds no such target, for example behind a build tag.
	if go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-1m}" "./$(dirname "$file")" < /dev/null 2>&1 | tee "$log" &&
		grep -q '^fuzz: elapsed: ' "$log"; then
		passed=$((passed + 1))
	else
		echo "FAIL  $name in $file failed or did not run" >&2
		failed=$((failed + 1))
	fi
done < <(git grep -E '^func Fuzz[A-Za-z0-9_]+\(' -- '*_test.go' | sed -E 's/:func (Fuzz[A-Za-z0-9_]+)\(.*/:\1/')
[ $((passed + failed)) -gt 0 ] || echo "fuzz: no target found" >&2
echo "$passed passed, $failed failed"
[ $passed -gt 0 ] && [ $failed = 0 ]
