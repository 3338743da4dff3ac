#!/bin/bash
# e2e.sh [FLAG...] - run the built test/e2e on a host of SUITE, with flags of go test
# that begin with -test, and those of the package's own.
set -euo pipefail
cd "$(dirname "$0")/e2e"
export OCISI_TEST_PROGRAMS=${OCISI_TEST_PROGRAMS:-$PWD/../../bin/test}
exec "$OCISI_TEST_PROGRAMS/e2e.test" -test.v -test.timeout=60m "-suite=${SUITE:-forky}" "$@"
