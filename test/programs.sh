#!/bin/bash
# programs.sh DIR - build the programs that run in the test hosts, static, into DIR:
# ocisi, the tests of packages that need an engine, and test/e2e itself. The parts of
# "make test" share them (OCISI_TEST_PROGRAMS).
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:?DIR}
export CGO_ENABLED=0
mkdir -p "$dir"
go build -trimpath -ldflags '-s -w' -o "$dir/ocisi" ./cmd/ocisi
for package in hierarchy/engine hierarchy/box cmd/internal/page test/e2e; do
	go test -c -trimpath -tags e2e -o "$dir/${package##*/}.test" "./$package"
done
go test -c -trimpath -o "$dir/ocisi-fault.test" ./cmd/ocisi
