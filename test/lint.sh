#!/bin/bash
# lint.sh - all linters; ends with "N passed, N failed" for test/report.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory lint
echo "1 passed, 0 failed"
