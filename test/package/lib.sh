# shellcheck shell=bash
# For package.sh: steps that pass or fail, and tools that are installed on the way.

passed=0 failed=0 finished=

# need PROGRAM:PACKAGE... installs the packages whose program is missing.
need() {
	local missing=() pair
	for pair; do
		command -v "${pair%%:*}" > /dev/null || missing+=("${pair#*:}")
	done
	[ ${#missing[@]} = 0 ] && return
	[ -n "$(ls /var/lib/apt/lists/*_Packages* 2> /dev/null)" ] || apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# core_seconds prints the CPU time of all processes that this script waited for.
core_seconds() {
	# cutime and cstime, in the 1/100 s that Linux has on every architecture of Go's.
	awk '{ printf "%d\n", ($16 + $17) / 100 }' "/proc/$$/stat"
}

# step WHAT COMMAND... runs a check; the first command of it that fails, fails it
# and shows what it printed. A check that exits before its end fails too.
step() {
	local what=$1 start=$SECONDS cores
	cores=$(core_seconds)
	rm -f "$work/complete"
	# A subshell, and not in a condition: set -e has no effect in a condition.
	set +e
	(
		set -euo pipefail
		"${@:2}"
		: > "$work/complete"
	) > "$work/log" 2>&1
	local status=$?
	set -e
	local took="$((SECONDS - start)) s, $(($(core_seconds) - cores)) s of CPU time"
	if [ $status = 0 ] && [ -e "$work/complete" ]; then
		passed=$((passed + 1))
		printf 'ok    %s (%s)\n' "$what" "$took"
	else
		failed=$((failed + 1))
		printf 'FAIL  %s (%s)\n' "$what" "$took"
		tail -n 40 "$work/log" | sed 's/^/      /'
	fi
}

# finish COUNT prints the result. It fails when a step failed or when the number of
# steps is not COUNT.
finish() {
	if [ $((passed + failed)) != "$1" ]; then
		echo "package: $((passed + failed)) steps ran, $1 were expected"
		failed=$((failed + 1))
	fi
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] || return
	finished=1
}

# clean is for the exit: it removes the files, and an exit before finish fails.
clean() {
	local status=$?
	rm -rf "$work"
	if [ $status = 0 ] && [ -z "$finished" ]; then
		echo "package: stopped before the end" >&2
		status=1
	fi
	exit $status
}

# equal WHAT GOT WANT
equal() {
	[ "$2" = "$3" ] && return
	printf '%s: got, then wanted:\n%s\n---\n%s\n' "$1" "$2" "$3"
	return 1
}

# sums FOLDER prints kind, mode and sum of every file below it.
sums() {
	(cd "$1" && find . -printf '%P %y %m\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
