#!/bin/bash
# bench.sh - ocisi beside docker buildx bake, docker buildx build and podman
# build, on the same engines, in a throw-away host of its own. Prints a Markdown
# table. docs/benchmarks.md says what is measured.
#
# OCISI        a static ocisi to measure; without it, this checkout's
# BENCH_RUNS   runs of what takes a moment (15)
# BENCH_BUILDS runs of what builds (5)
# BENCH_FIRST  only first starts and stores when set
# BENCH_COPY   only copies from store to store when set
# BENCH_COPIES copies (3)
# BENCH_STARTS first starts of boxes (3); a stock one installs packages for a minute
# BENCH_KEEP   leave the host running when set. One that runs already is used,
#              emptied and left running: docker's images and build cache go
set -euo pipefail
cd "$(dirname "$0")/.."
export OCISI_HOST_NAME=${OCISI_HOST_NAME:-oc-bench}
host=test/host/host.sh

if [[ -z ${OCISI:-} ]]; then
	make --no-print-directory build >&2
	OCISI=bin/ocisi
fi
if [[ -z ${BENCH_KEEP:-} ]] && ! "$host" status forky > /dev/null 2>&1; then
	trap '"$host" wipe forky >&2' EXIT
fi
"$host" up forky >&2
program=$(mktemp -d)/ocisi
cp "$OCISI" "$program"
"$host" install forky "$program" >&2
rm -r "$(dirname "$program")"

echo "$(nproc) cores; $("$host" as forky bash -c 'docker --version; docker buildx version | cut -d" " -f2; podman --version; ocisi version' | paste -sd';' | sed 's/;/; /g')"
echo
"$host" as forky env "BENCH_RUNS=${BENCH_RUNS:-15}" "BENCH_BUILDS=${BENCH_BUILDS:-5}" "BENCH_STARTS=${BENCH_STARTS:-3}" "BENCH_COPIES=${BENCH_COPIES:-3}" "BENCH_COPY=${BENCH_COPY:-}" "BENCH_FIRST=${BENCH_FIRST:-}" bash -s < test/bench/measure.sh
