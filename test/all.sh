#!/bin/bash
# all.sh JOBS PART... - run the parts of "make test", JOBS side by side, and report.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${1:?JOBS}
shift
if [[ $EUID != 0 ]] || ! command -v apt-get > /dev/null; then
	echo "make test starts test hosts: it needs root on Debian. Without them: make test-unit test-faults" >&2
	exit 1
fi
rm -rf bin/parts
start=$SECONDS
make --no-print-directory --jobs "$jobs" --keep-going --output-sync=target tars-forky "${@/#/part-}" || true # report.sh decides
exec test/report.sh $((SECONDS - start)) "$@"
