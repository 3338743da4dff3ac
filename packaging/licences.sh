#!/bin/bash
# licences.sh - print the licences and notices of all that is linked into ocisi.
# They ask to go where the program goes.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

# A module's folder is its package's, less what the package is below the module:
# that holds for the cache and for vendor/ alike.
mapfile -t modules < <(env -u GOARCH CGO_ENABLED=0 go list -deps \
	-f '{{with .Module}}{{if not .Main}}{{.Path}} {{$.ImportPath}} {{$.Dir}}{{end}}{{end}}' ./cmd/ocisi |
	while read -r module package folder; do
		echo "$module ${folder%"${package#"$module"}"}"
	done | sort -u)

for entry in "Go $(go env GOROOT)" "${modules[@]}"; do
	module=${entry%% *} found=
	for file in "${entry#* }"/{COPYING,LICENCE,LICENSE,NOTICE,PATENTS}*; do
		[ -f "$file" ] || continue
		case $file in *.go | *.docs) continue ;; esac
		found=1
		printf '==== %s: %s\n\n' "$module" "${file##*/}"
		cat "$file"
		echo
	done
	# A distribution keeps Go's elsewhere.
	if [ -z "$found" ] && [ "$module" != Go ]; then
		echo "licences: $module has none" >&2
		exit 1
	fi
done
