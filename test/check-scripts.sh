#!/bin/bash
# Check every script of the project; install the checker when it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v shellcheck > /dev/null; then
	[ -n "$(ls /var/lib/apt/lists/*_Packages* 2> /dev/null)" ] || apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends shellcheck > /dev/null
fi
# The first line tells, not one of a script within a story.
mapfile -t scripts < <(git ls-files | xargs awk 'FNR == 1 && /^#!(\/usr\/bin\/env |\/bin\/|\/usr\/bin\/)(ba)?sh/ { print FILENAME }')
shellcheck -x -P SCRIPTDIR "${scripts[@]}"
echo "shellcheck: ${#scripts[@]} scripts"
echo "${#scripts[@]} passed, 0 failed"
