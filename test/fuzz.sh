#!/bin/bash
# fuzz.sh - run every fuzz test of the project for FUZZTIME (1m), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
while IFS=: read -r file name; do
	echo "$name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-1m}" "./$(dirname "$file")"
done < <(git grep -E '^func Fuzz[A-Za-z]+\(' -- '*_test.go' | sed -E 's/:func (Fuzz[A-Za-z]+)\(.*/:\1/')
